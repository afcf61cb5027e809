"""The asynchronous ccxt, and ccxt's WebSocket streams: a client's own order book stays the
exchange's, and trades arrive."""
import asyncio

import ccxt.async_support
import ccxt.pro
import pytest
from pointed import pointed

BTC = "BTC/USDT"
SECONDS_MAX = 20


def session(work, venue, kind=ccxt.async_support.binance):
    """Runs `work(maker, taker)` with two clients that are closed afterwards."""

    async def run():
        clients = [pointed(kind, venue, account) for account in ("demo1", "demo2")]
        try:
            return await asyncio.wait_for(work(*clients), SECONDS_MAX)
        finally:
            for client in clients:
                for order in await client.fetch_open_orders(BTC):
                    await client.cancel_order(order["id"], BTC)
                await client.close()

    return asyncio.run(run())


def test_trades_asynchronously(venue):
    async def work(maker, taker):
        await maker.load_markets()
        await maker.create_order(BTC, "limit", "sell", 0.2, 51000)
        order = await taker.create_order(BTC, "market", "buy", 0.1)
        balance, open_orders = await asyncio.gather(
            taker.fetch_balance(), maker.fetch_open_orders(BTC)
        )
        assert order["status"] == "closed" and order["average"] == 51000
        assert balance["BTC"]["total"] > 0
        assert [o["remaining"] for o in open_orders] == [0.1]

    session(work, venue)


def test_takes_many_orders_at_once(venue):
    async def work(maker, _):
        await maker.load_markets()
        orders = await asyncio.gather(
            *(maker.create_order(BTC, "limit", "buy", 0.001, 20000 + n) for n in range(50))
        )
        assert len({order["id"] for order in orders}) == 50
        await maker.cancel_all_orders(BTC)
        assert await maker.fetch_open_orders(BTC) == []

    session(work, venue)


def test_refuses_asynchronously(venue):
    async def work(maker, _):
        with pytest.raises(ccxt.InsufficientFunds):
            await maker.create_order(BTC, "limit", "sell", 5000, 60000)

    session(work, venue)


def test_follows_the_order_book(venue):
    async def work(maker, taker):
        first = await maker.create_order(BTC, "limit", "sell", 0.5, 52000)
        book = await taker.watch_order_book(BTC)
        while not book["asks"] or book["asks"][0][0] != 52000:
            book = await taker.watch_order_book(BTC)
        # Each change must reach the client's own book; ccxt raises when an update is missing.
        for price in range(51999, 51990, -1):
            await maker.create_order(BTC, "limit", "sell", 0.1, price)
            while book["asks"][0][0] != price:
                book = await taker.watch_order_book(BTC)
        await maker.cancel_order(first["id"], BTC)
        while 52000 in [level[0] for level in book["asks"]]:
            book = await taker.watch_order_book(BTC)
        shown = await maker.fetch_order_book(BTC)
        assert [level[:2] for level in book["asks"]] == [level[:2] for level in shown["asks"]]

    session(work, venue, ccxt.pro.binance)


def test_follows_the_trades(venue):
    async def work(maker, taker):
        await taker.load_markets()
        waiting = asyncio.ensure_future(taker.watch_trades(BTC))
        # The subscription is on its way, and trades before it do not count: there are some more.
        orders = []
        for _ in range(60):
            await maker.create_order(BTC, "limit", "sell", 0.2, 53000)
            orders.append(await taker.create_order(BTC, "limit", "buy", 0.2, 53000))
            if (await asyncio.wait({waiting}, timeout=1))[0]:
                break
        trade = (await asyncio.wait_for(waiting, 60))[-1]
        assert (trade["price"], trade["amount"], trade["side"]) == (53000, 0.2, "buy")
        mine = {row["id"]: row["order"] for row in await taker.fetch_my_trades(BTC, limit=100)}
        assert mine[trade["id"]] in {order["id"] for order in orders}

    session(work, venue, ccxt.pro.binance)
