"""Unmodified ccxt from PyPI trades here. All that points it here is its own settings: the URLs and
the keys. What is asserted is what a trader reads off ccxt's unified structures."""
import time
from decimal import Decimal

import ccxt
import pytest
from pointed import pointed

BTC, ETH = "BTC/USDT", "ETH/USDT"


@pytest.fixture(scope="module")
def maker(venue):
    return pointed(ccxt.binance, venue, "demo1")


@pytest.fixture(scope="module")
def taker(venue):
    return pointed(ccxt.binance, venue, "demo2")


@pytest.fixture(autouse=True)
def quiet(maker, taker):
    """Every test begins and ends with an empty book."""
    yield
    for client in (maker, taker):
        for symbol in (BTC, ETH):
            for order in client.fetch_open_orders(symbol):
                client.cancel_order(order["id"], symbol)


def exact(number):
    """The decimal that a float from ccxt was written as."""
    return Decimal(str(number))


def balances(client):
    answer = client.fetch_balance()
    return {asset: {k: exact(answer[asset][k]) for k in ("free", "used", "total")}
            for asset in ("BTC", "ETH", "USDT")}


# --- markets and time ---


def test_loads_markets(maker):
    markets = maker.load_markets(reload=True)
    assert {BTC, ETH} <= set(markets)
    market = markets[BTC]
    assert market["spot"] and market["active"] and not market["contract"]
    assert (market["base"], market["quote"]) == ("BTC", "USDT")
    assert exact(market["precision"]["price"]) == Decimal("0.01")
    assert exact(market["precision"]["amount"]) == Decimal("0.00001")
    assert exact(market["limits"]["cost"]["min"]) == 5
    assert set(maker.currencies) >= {"BTC", "ETH", "USDT"}


def test_loads_markets_without_keys(venue):
    assert {BTC, ETH} <= set(pointed(ccxt.binance, venue).load_markets())


def test_tells_the_time(maker):
    before = time.time() * 1000
    shown = maker.fetch_time()
    assert before - 5000 < shown < time.time() * 1000 + 5000
    assert maker.fetch_status()["status"] == "ok"


# --- limit orders ---


def test_places_reads_and_cancels_a_limit_order(maker):
    before = balances(maker)
    order = maker.create_order(BTC, "limit", "buy", 0.02, 40000.5)
    assert order["status"] == "open" and order["symbol"] == BTC and order["side"] == "buy"
    assert (order["price"], order["amount"], order["filled"]) == (40000.5, 0.02, 0)
    held = balances(maker)["USDT"]
    assert held["used"] == before["USDT"]["used"] + Decimal("800.01")
    assert held["total"] == before["USDT"]["total"]

    fetched = maker.fetch_order(order["id"], BTC)
    assert fetched["clientOrderId"] == order["clientOrderId"]
    assert (fetched["status"], fetched["remaining"]) == ("open", 0.02)
    assert [o["id"] for o in maker.fetch_open_orders(BTC)] == [order["id"]]
    assert maker.fetch_open_orders(ETH) == []

    canceled = maker.cancel_order(order["id"], BTC)
    assert canceled["status"] == "canceled" and canceled["id"] == order["id"]
    assert maker.fetch_order(order["id"], BTC)["status"] == "canceled"
    assert maker.fetch_open_orders(BTC) == []
    assert balances(maker) == before


def test_finds_an_order_by_the_client_order_id(maker):
    order = maker.create_order(BTC, "limit", "sell", 0.01, 90000, {"clientOrderId": "mine-1"})
    assert order["clientOrderId"] == "mine-1"
    found = maker.fetch_order(None, BTC, {"clientOrderId": "mine-1"})
    assert found["id"] == order["id"]
    maker.cancel_order(None, BTC, {"clientOrderId": "mine-1"})
    assert maker.fetch_order(order["id"], BTC)["status"] == "canceled"


def test_shows_the_order_book(maker, taker):
    maker.create_order(BTC, "limit", "sell", 0.5, 50100)
    maker.create_order(BTC, "limit", "sell", 0.25, 50100)
    maker.create_order(BTC, "limit", "sell", 1, 50200)
    taker.create_order(BTC, "limit", "buy", 0.1, 49900)
    book = maker.fetch_order_book(BTC)
    assert [level[:2] for level in book["asks"]] == [[50100, 0.75], [50200, 1]]
    assert [level[:2] for level in book["bids"]] == [[49900, 0.1]]
    assert book["nonce"] > 0


def test_cancels_all_orders(maker):
    for price in (30000, 31000, 32000):
        maker.create_order(BTC, "limit", "buy", 0.01, price)
    maker.cancel_all_orders(BTC)
    assert maker.fetch_open_orders(BTC) == []


# --- trades ---


def test_trades_limit_against_limit(maker, taker):
    before = balances(maker), balances(taker)
    resting = maker.create_order(BTC, "limit", "sell", 0.3, 50000)
    order = taker.create_order(BTC, "limit", "buy", 0.1, 50010)
    assert order["status"] == "closed" and order["filled"] == 0.1
    assert order["average"] == 50000 and order["cost"] == 5000
    assert len(order["trades"]) == 1

    part = maker.fetch_order(resting["id"], BTC)
    assert (part["status"], part["filled"], part["remaining"]) == ("open", 0.1, 0.2)

    mine = taker.fetch_my_trades(BTC, limit=1)[-1]
    assert mine["order"] == order["id"] and mine["takerOrMaker"] == "taker"
    assert (mine["side"], mine["price"], mine["amount"]) == ("buy", 50000, 0.1)
    assert mine["fee"] == {"cost": 0.0001, "currency": "BTC"}
    theirs = maker.fetch_my_trades(BTC, limit=1)[-1]
    assert theirs["id"] == mine["id"] and theirs["takerOrMaker"] == "maker"
    assert theirs["fee"] == {"cost": 5.0, "currency": "USDT"}

    after = balances(maker), balances(taker)
    assert after[1]["BTC"]["total"] - before[1]["BTC"]["total"] == Decimal("0.0999")
    assert after[1]["USDT"]["total"] - before[1]["USDT"]["total"] == -5000
    assert after[0]["USDT"]["total"] - before[0]["USDT"]["total"] == 4995
    assert after[0]["BTC"]["total"] - before[0]["BTC"]["total"] == Decimal("-0.1")
    assert after[0]["BTC"]["used"] - before[0]["BTC"]["used"] == Decimal("0.2")

    public = maker.fetch_trades(BTC, limit=1)[-1]
    assert (public["price"], public["amount"], public["side"]) == (50000, 0.1, "buy")


def test_trades_at_the_market(maker, taker):
    maker.create_order(ETH, "limit", "sell", 1, 3000)
    maker.create_order(ETH, "limit", "sell", 1, 3010)
    order = taker.create_order(ETH, "market", "buy", 1.5)
    assert order["status"] == "closed" and order["filled"] == 1.5
    assert order["cost"] == 3000 + 3010 / 2
    assert [trade["price"] for trade in order["trades"]] == [3000, 3010]


def test_trades_at_the_market_by_amount_of_quote(maker, taker):
    maker.create_order(ETH, "limit", "sell", 2, 3000)
    order = taker.create_market_buy_order_with_cost(ETH, 1500)
    assert order["status"] == "closed"
    assert (order["filled"], order["cost"]) == (0.5, 1500)


def test_sells_at_the_market(maker, taker):
    maker.create_order(ETH, "limit", "buy", 1, 2900)
    order = taker.create_order(ETH, "market", "sell", 0.4)
    assert (order["filled"], order["average"]) == (0.4, 2900)


def test_keeps_nothing_of_an_immediate_or_cancel_order(maker, taker):
    maker.create_order(ETH, "limit", "sell", 0.1, 3000)
    order = taker.create_order(ETH, "limit", "buy", 1, 3000, {"timeInForce": "IOC"})
    assert order["filled"] == 0.1
    assert order["status"] in ("canceled", "expired")
    assert taker.fetch_open_orders(ETH) == []


def test_shows_tickers(maker, taker):
    maker.create_order(ETH, "limit", "sell", 1, 3050)
    taker.create_order(ETH, "limit", "buy", 0.5, 3050)
    ticker = maker.fetch_ticker(ETH)
    assert ticker["symbol"] == ETH and ticker["last"] == 3050 and ticker["ask"] == 3050
    assert ticker["high"] >= 3050 and ticker["baseVolume"] >= 0.5


def test_lists_the_orders_of_an_account(maker):
    ids = [maker.create_order(ETH, "limit", "buy", 0.1, price)["id"] for price in (2000, 2001)]
    maker.cancel_order(ids[0], ETH)
    orders = {order["id"]: order["status"] for order in maker.fetch_orders(ETH)}
    assert (orders[ids[0]], orders[ids[1]]) == ("canceled", "open")


# --- other kinds of order ---


def test_keeps_a_stop_until_its_price(maker, taker):
    maker.create_order(ETH, "limit", "sell", 0.1, 3000)
    taker.create_order(ETH, "limit", "buy", 0.1, 3000)
    stop = taker.create_order(ETH, "limit", "sell", 0.2, 2790, {"stopLossPrice": 2800})
    assert stop["triggerPrice"] == 2800 and stop["status"] == "open"
    maker.create_order(ETH, "limit", "buy", 0.1, 2799)
    taker.create_order(ETH, "market", "sell", 0.1)
    maker.create_order(ETH, "limit", "buy", 0.2, 2795)
    assert taker.fetch_order(stop["id"], ETH)["status"] == "closed"


def test_refuses_a_post_only_order_that_would_take(maker, taker):
    maker.create_order(ETH, "limit", "sell", 0.1, 3000)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        taker.create_order(ETH, "limit", "buy", 0.1, 3001, {"postOnly": True})
    order = taker.create_order(ETH, "limit", "buy", 0.1, 2999, {"postOnly": True})
    assert order["status"] == "open" and order["postOnly"]


# --- refusals ---


def test_refuses_what_the_account_cannot_pay(maker):
    before = balances(maker)
    with pytest.raises(ccxt.InsufficientFunds):
        maker.create_order(BTC, "limit", "sell", 5000, 60000)
    assert balances(maker) == before


def test_refuses_a_price_off_the_grid(maker):
    with pytest.raises(ccxt.InvalidOrder):
        maker.private_post_order({
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.01", "price": "40000.001",
        })


def test_refuses_a_quantity_off_the_grid(maker):
    with pytest.raises(ccxt.InvalidOrder):
        maker.private_post_order({
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.000015", "price": "40000",
        })


def test_refuses_an_order_that_is_too_small(maker):
    with pytest.raises(ccxt.ExchangeError) as refusal:
        maker.create_order(BTC, "limit", "buy", 0.00001, 40000)
    assert "NOTIONAL" in str(refusal.value)


def test_does_not_know_orders_that_are_not_there(maker):
    with pytest.raises(ccxt.OrderNotFound):
        maker.cancel_order("999999999", BTC)
    with pytest.raises(ccxt.OrderNotFound):
        maker.fetch_order("999999999", BTC)


def test_keeps_one_account_from_anothers_orders(maker, taker):
    order = maker.create_order(BTC, "limit", "buy", 0.01, 30000)
    with pytest.raises(ccxt.OrderNotFound):
        taker.fetch_order(order["id"], BTC)
    with pytest.raises(ccxt.OrderNotFound):
        taker.cancel_order(order["id"], BTC)
    assert maker.fetch_order(order["id"], BTC)["status"] == "open"


def test_does_not_know_other_symbols(maker):
    with pytest.raises(ccxt.BadSymbol):
        maker.public_get_depth({"symbol": "DOGEUSDT"})


def test_refuses_a_wrong_secret(venue):
    stranger = pointed(ccxt.binance, venue, "demo1")
    stranger.secret = "x" * 64
    with pytest.raises(ccxt.AuthenticationError):
        stranger.private_get_account()


def test_refuses_an_unknown_key(venue):
    stranger = pointed(ccxt.binance, venue, "demo1")
    stranger.apiKey = "y" * 64
    with pytest.raises(ccxt.AuthenticationError):
        stranger.private_get_account()


def test_refuses_an_old_timestamp(maker):
    nonce = maker.nonce
    maker.nonce = lambda: maker.milliseconds() - 120_000
    try:
        with pytest.raises(ccxt.InvalidNonce):
            maker.private_get_account()
    finally:
        maker.nonce = nonce
