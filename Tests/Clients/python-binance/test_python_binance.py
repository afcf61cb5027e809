"""python-binance as it comes from PyPI: it signs before it encodes, and deletes with a body."""
import pytest
from Crypto.PublicKey import ECC
from binance.client import Client
from binance.exceptions import BinanceAPIException


@pytest.fixture
def client(venue):
    client = Client(*venue.key("demo1"), ping=False)
    client.API_URL = f"{venue.url}/api"
    client.MARGIN_API_URL = f"{venue.url}/sapi"
    return client


def test_reads_the_market(client):
    assert client.ping() == {}
    symbols = {row["symbol"] for row in client.get_exchange_info()["symbols"]}
    assert {"BTCUSDT", "ETHUSDT"} <= symbols
    assert client.get_symbol_info("BTCUSDT")["baseAsset"] == "BTC"
    assert client.get_order_book(symbol="BTCUSDT").keys() >= {"lastUpdateId", "bids", "asks"}


def test_places_reads_and_cancels(client):
    order = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="30000.00")
    assert order["status"] == "NEW"
    found = client.get_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert found["clientOrderId"] == order["clientOrderId"]
    assert [row["orderId"] for row in client.get_open_orders()] == [order["orderId"]]
    canceled = client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert canceled["status"] == "CANCELED"
    assert client.get_open_orders(symbol="BTCUSDT") == []


def test_signs_with_ed25519(venue, tmp_path):
    private = ECC.generate(curve="Ed25519")
    file = tmp_path / "public.pem"
    file.write_text(private.public_key().export_key(format="PEM"))
    made = venue.exchange.ctl_json("key", "add", "demo1", "--public-key", file)
    pem = private.export_key(format="PEM")
    client = Client(made["keyID"], private_key=pem, ping=False)
    client.API_URL = f"{venue.url}/api"
    order = client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="30000.00")
    assert order["status"] == "NEW"
    canceled = client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert canceled["status"] == "CANCELED"
    client.PRIVATE_KEY = ECC.generate(curve="Ed25519")
    with pytest.raises(BinanceAPIException) as refusal:
        client.get_account()
    assert refusal.value.code == -1022


def test_trades(client, venue):
    other = Client(*venue.key("demo2"), ping=False)
    other.API_URL = f"{venue.url}/api"
    client.order_limit_sell(symbol="ETHUSDT", quantity="0.5", price="3000")
    order = other.order_market_buy(symbol="ETHUSDT", quantity="0.5")
    assert order["status"] == "FILLED" and len(order["fills"]) == 1
    trade = other.get_my_trades(symbol="ETHUSDT")[-1]
    assert trade["orderId"] == order["orderId"] and trade["isMaker"] is False
    assert float(other.get_asset_balance("ETH")["free"]) > 0


def test_refuses(client):
    with pytest.raises(BinanceAPIException) as refusal:
        client.order_limit_sell(symbol="BTCUSDT", quantity="5000", price="60000")
    assert refusal.value.code == -2010
    assert refusal.value.message == "Account has insufficient balance for requested action."
