"""python-binance as it comes from PyPI: it signs before it encodes, and deletes with a body."""
import asyncio
import time

import pytest
from Crypto.PublicKey import ECC
from binance.async_client import AsyncClient
from binance.client import Client
from binance.exceptions import BinanceAPIException
from binance.ws.streams import BinanceSocketManager


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


def is_now(micros):
    return abs(micros / 1e6 - time.time()) < 60


def test_times_in_microseconds(venue):
    fine, coarse = (Client(*venue.key("demo1"), ping=False, time_unit=unit)
                    for unit in ("MICROSECOND", "MILLISECOND"))
    for one in (fine, coarse):
        one.API_URL = f"{venue.url}/api"
    assert is_now(fine.get_server_time()["serverTime"])
    assert is_now(coarse.get_server_time()["serverTime"] * 1000)
    order = fine.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="30000.00")
    assert is_now(order["transactTime"]) and is_now(order["workingTime"])
    shown = fine.get_order(symbol="BTCUSDT", orderId=order["orderId"])
    rough = coarse.get_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert shown["time"] == order["transactTime"]
    assert rough["time"] == shown["time"] // 1000 and rough["updateTime"] == shown["updateTime"] // 1000
    assert is_now(fine.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])["transactTime"])
    other = Client(*venue.key("demo2"), ping=False)
    other.API_URL = f"{venue.url}/api"
    other.order_limit_sell(symbol="ETHUSDT", quantity="0.1", price="2900")
    fine.order_market_buy(symbol="ETHUSDT", quantity="0.1")
    deadline = time.monotonic() + 10
    while not (trades := fine.get_my_trades(symbol="ETHUSDT")):
        assert time.monotonic() < deadline
    assert is_now(trades[-1]["time"])
    candle, exact = (one.get_klines(symbol="ETHUSDT", interval="1m")[-1] for one in (coarse, fine))
    assert exact[0] == candle[0] * 1000 and exact[6] == candle[6] * 1000 + 999
    with pytest.raises(BinanceAPIException) as refusal:
        wrong = Client(*venue.key("demo1"), ping=False, time_unit="SECOND")
        wrong.API_URL = f"{venue.url}/api"
        wrong.get_server_time()
    assert refusal.value.code == -1194


@pytest.mark.parametrize("unit, isFine", [("MICROSECOND", True), (None, False)])
@pytest.mark.parametrize("many", [False, True])
def test_streams_in_either_unit(venue, unit, isFine, many):
    async def run():
        client = AsyncClient(*venue.key("demo1"), time_unit=unit)
        client.API_URL = f"{venue.url}/api"
        sockets = BinanceSocketManager(client)
        sockets.STREAM_URL = venue.url.replace("http", "ws") + "/"
        socket = (sockets.multiplex_socket(["btcusdt@depth@100ms"]) if many
                  else sockets.depth_socket("BTCUSDT", interval=100))
        async with socket as stream:
            order = await client.order_limit_buy(symbol="BTCUSDT", quantity="0.01", price="29000.00")
            event = await asyncio.wait_for(stream.recv(), 10)
        await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        await client.close_connection()
        return event["data"] if many else event

    time_of_event = asyncio.run(run())["E"]
    assert is_now(time_of_event if isFine else time_of_event * 1000)
