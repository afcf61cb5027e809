"""A trader on an open loop, with an unmodified client library: requests start on a schedule whatever
became of those before. Each is written down before it is sent, and so is what was said to it.

Started by `traffic.py` on the switch of the bench. Standard input: one JSON object
{"kind", "url", "key", "secret", "name", "rate", "seed", "log"}, then a line each of `hold` (start
no more, and report `held` when nothing is on its way), `go` and `end`. The log is JSON lines:

    {"what": "order", "name", "side", "price", "quantity", "due", "at"}          sent
    {"what": "cancel", "name", "of", "due", "at"}                                sent
    {"what": "said", "name", "outcome", "order", "status", "why", "due", "at"}   what came of it

Times are seconds of CLOCK_MONOTONIC; `due` is when the schedule wanted it.
"""
import asyncio
import json
import random
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "Clients" / "ccxt"))

ACKED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
ANSWER_SECONDS_MAX = 5
FLYING_MAX = 600      # requests on their way; the schedule skips what would be more
OPEN_AIM = 60         # a trader with more open orders cancels more often
OPEN_MAX = 2000
# Both libraries use aiohttp, which by itself sends a DELETE again when its connection ends: a cancel
# would then be in the log twice, as its client wanted.
REPEATS = "_retry_connection"
NOTHING_DONE = "nothing was done"  # the gateway's words for a request that it did not pass on


class CCXT:
    """ccxt's asynchronous client."""

    def __init__(self, url, key, secret):
        import ccxt.async_support as library
        from pointed import pointed

        class Venue:
            def key(self, _):
                return key, secret

        Venue.url = url
        self.library = library
        self.client = pointed(library.binance, Venue(), "the")
        self.client.timeout = ANSWER_SECONDS_MAX * 1000

    async def begin(self):
        await self.client.load_markets()
        once(self.client.session)

    async def place(self, name, side, price, quantity):
        answer = await self.client.create_order(
            "BTC/USDT", "limit", side.lower(), quantity, price, {"newClientOrderId": name})
        return answer["info"]

    async def cancel(self, name, of):
        answer = await self.client.cancel_order(
            None, "BTC/USDT", {"origClientOrderId": of, "newClientOrderId": name})
        return answer["info"]

    def is_refusal(self, error):
        return isinstance(error, self.library.ExchangeError) and not isinstance(
            error, self.library.OperationFailed) and '"code"' in str(error)

    async def end(self):
        await self.client.close()


class PythonBinance:
    """python-binance's asynchronous client."""

    def __init__(self, url, key, secret):
        self.url, self.keys = url, (key, secret)

    async def begin(self):
        from binance import AsyncClient
        from binance.exceptions import BinanceAPIException

        self.refusal = BinanceAPIException
        self.client = AsyncClient(*self.keys, requests_params={"timeout": ANSWER_SECONDS_MAX})
        self.client.API_URL = f"{self.url}/api"
        once(self.client.session)

    async def place(self, name, side, price, quantity):
        return await self.client.create_order(
            symbol="BTCUSDT", type="LIMIT", timeInForce="GTC", side=side, price=f"{price:.2f}",
            quantity=f"{quantity:.5f}", newClientOrderId=name)

    async def cancel(self, name, of):
        return await self.client.cancel_order(
            symbol="BTCUSDT", origClientOrderId=of, newClientOrderId=name)

    def is_refusal(self, error):
        return isinstance(error, self.refusal) and 400 <= error.status_code < 500 and (
            error.code != -1007)

    async def end(self):
        await self.client.close_connection()


def once(session):
    """Nothing is sent again without the trader's knowledge."""
    assert getattr(session, REPEATS)
    setattr(session, REPEATS, False)


class Trader:
    """One schedule of orders and cancels."""

    def __init__(self, settings):
        self.client = {"ccxt": CCXT, "binance": PythonBinance}[settings["kind"]](
            settings["url"], settings["key"], settings["secret"])
        self.name, self.period = settings["name"], 1 / settings["rate"]
        self.random = random.Random(f"{settings['seed']}/{self.name}")
        self.log = open(settings["log"], "a", buffering=1)
        self.sent = 0
        self.open = []         # names of orders that may be open
        self.flying = set()
        self.skipped = 0
        self.goes = asyncio.Event()

    def write(self, **entry):
        self.log.write(json.dumps(entry) + "\n")

    async def run(self):
        """Starts a request at each moment of the schedule, for ever."""
        due = time.monotonic()
        while True:
            if not self.goes.is_set():
                await self.goes.wait()
                due = time.monotonic()
            due += self.period
            await asyncio.sleep(max(0, due - time.monotonic()))
            if not self.goes.is_set():
                continue
            if len(self.flying) >= FLYING_MAX:
                self.skipped += 1
                continue
            task = asyncio.create_task(self.request(due))
            self.flying.add(task)
            task.add_done_callback(self.flying.discard)

    async def request(self, due):
        self.sent += 1
        name = f"{self.name}-{self.sent}"
        if self.open and self.random.random() < min(0.9, 0.4 * len(self.open) / OPEN_AIM):
            of = self.open.pop(self.random.randrange(len(self.open)))
            self.write(what="cancel", name=name, of=of, due=due, at=time.monotonic())
            await self.answer(name, due, self.client.cancel(name, of))
            return
        side = self.random.choice(("BUY", "SELL"))
        away = self.random.randint(-8, 20)
        price = 50000 + (-away if side == "BUY" else away)
        quantity = self.random.randint(20, 400) / 100000
        self.write(what="order", name=name, side=side, price=price, quantity=quantity, due=due,
                   at=time.monotonic())
        answer = await self.answer(name, due, self.client.place(name, side, price, quantity))
        # An order of which nothing is known is cancelled by its name, as a trader would.
        if answer is None or answer.get("status") in ("NEW", "PARTIALLY_FILLED"):
            if answer != {} and len(self.open) < OPEN_MAX:
                self.open.append(name)

    async def answer(self, name, due, request):
        """Waits for what is said; gives it, None where nothing is known, {} for a refusal."""
        try:
            said = await asyncio.wait_for(request, ANSWER_SECONDS_MAX + 1)
        except Exception as error:  # each library has many kinds; what is no refusal is unknown
            words = f"{type(error).__name__}: {error}"[:300]
            refused = self.client.is_refusal(error) or NOTHING_DONE in words
            self.write(what="said", name=name, outcome=REFUSED if refused else UNKNOWN, why=words,
                       due=due, at=time.monotonic())
            return {} if refused else None
        self.write(what="said", name=name, outcome=ACKED, order=int(said["orderId"]),
                   status=said["status"], due=due, at=time.monotonic())
        return said

    async def obey(self):
        """Carries out the lines of standard input."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).strip():
            if line == b"go":
                self.goes.set()
            else:
                self.goes.clear()
                if self.flying:
                    await asyncio.wait(self.flying)
                print("held", flush=True)
            if line == b"end":
                return


async def main(settings):
    trader = Trader(settings)
    await trader.client.begin()
    print("ready", flush=True)
    schedule = asyncio.create_task(trader.run())
    try:
        await trader.obey()
    finally:
        schedule.cancel()
        await trader.client.end()
        trader.write(what="end", sent=trader.sent, skipped=trader.skipped)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.buffer.raw.read(65536).decode().splitlines()[0])))
