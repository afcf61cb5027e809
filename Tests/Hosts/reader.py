"""Reads all that two hosts show, over REST and streams, and writes down each thing once per host
and channel: what anybody saw must stay.

Started by `traffic.py` on the switch of the bench. Standard input: one JSON object
{"hosts": {name: url}, "accounts": [[name, key, secret]], "log"}. The log is JSON lines:

    {"what": "seen", "host", "by", "kind": "order", "id", "client", "ended", "at"}
    {"what": "seen", "host", "by", "kind": "trade", "id", "price", "quantity", "at"}
"""
import asyncio
import hashlib
import hmac
import json
import sys
import time
from urllib.parse import urlencode

import aiohttp

PAUSE_SECONDS = 0.25
ANSWER_SECONDS_MAX = 2
ROWS = 200


class Reader:
    """Everything of one host."""

    def __init__(self, name, url, accounts, write):
        self.name, self.url, self.accounts = name, url, accounts
        self.write_line = write
        self.seen = set()

    def write(self, by, kind, **facts):
        key = (by, kind, *facts.values())
        if key not in self.seen:
            self.seen.add(key)
            self.write_line(what="seen", host=self.name, by=by, kind=kind, **facts,
                            at=time.monotonic())

    async def get(self, session, path, account=None, **parameters):
        headers = {}
        if account is not None:
            _, key, secret = account
            parameters |= {"timestamp": int(time.time() * 1000), "recvWindow": 60000}
            query = urlencode(parameters)
            sign = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
            parameters["signature"] = sign
            headers["X-MBX-APIKEY"] = key
        async with session.get(f"{self.url}{path}?{urlencode(parameters)}",
                               headers=headers) as answer:
            return await answer.json() if answer.status == 200 else []

    async def rest(self):
        """Orders and trades of each account, and the public ones, again and again."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                for read in (self.orders, self.trades):
                    try:
                        await read(session)
                    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
                        pass  # a host that is away is the subject of the tests
                await asyncio.sleep(PAUSE_SECONDS)

    async def orders(self, session):
        for account in self.accounts:
            for path, more in (("/api/v3/openOrders", {}), ("/api/v3/allOrders", {"limit": ROWS})):
                for row in await self.get(session, path, account, symbol="BTCUSDT", **more):
                    self.write("rest", "order", id=row["orderId"], client=row["clientOrderId"],
                               ended=row["status"] == "CANCELED")

    async def trades(self, session):
        rows = await self.get(session, "/api/v3/trades", symbol="BTCUSDT", limit=ROWS)
        for account in self.accounts:
            rows += await self.get(session, "/api/v3/myTrades", account, symbol="BTCUSDT",
                                   limit=ROWS)
        for row in rows:
            self.write("rest", "trade", id=row["id"], price=row["price"], quantity=row["qty"])

    async def stream(self):
        """The stream of trades, for as long as there is one, again and again."""
        while True:
            try:
                async with aiohttp.ClientSession() as session:
                    async with session.ws_connect(
                        self.url.replace("http", "ws") + "/ws/btcusdt@trade", heartbeat=2,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1),
                    ) as socket:
                        async for message in socket:
                            row = json.loads(message.data)
                            self.write("stream", "trade", id=row["t"], price=row["p"],
                                       quantity=row["q"])
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
                pass
            await asyncio.sleep(PAUSE_SECONDS)


async def main(settings):
    log = open(settings["log"], "a", buffering=1)

    def write(**entry):
        log.write(json.dumps(entry) + "\n")

    readers = [Reader(name, url, settings["accounts"], write)
               for name, url in settings["hosts"].items()]
    print("ready", flush=True)
    await asyncio.gather(*(work for one in readers for work in (one.rest(), one.stream())))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.buffer.raw.read(65536).decode().splitlines()[0])))
