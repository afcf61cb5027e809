#!/usr/bin/env python3
"""Kills daemons of a real exchange under load, again and again, and checks after each restart that
every acknowledged order, cancel and booking is there, once, and that nothing is half there.

    Tests/System/Crash/loop.py --kills 60 --seed 7 [--seconds-max 300] [--keep FOLDER]
"""
import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from checker import Checker  # noqa: E402
from exchange import DAEMONS, Exchange, ExchangeFault  # noqa: E402
from ledger import ACKED, REFUSED, UNKNOWN, Ledger, View  # noqa: E402
from load import MARKETS, Operator, Trader  # noqa: E402
from spot import Spot  # noqa: E402

ACCOUNTS = 4
FUNDS = {"BTC": 1000, "ETH": 10000, "USDT": 50_000_000}
# Who is killed: matchd the most, it has the most to lose.
VICTIMS = [("matchd",)] * 5 + [("gatewayd",)] * 3 + [("auditd",)] * 2 + [
    ("matchd", "gatewayd"), ("matchd", "auditd"), DAEMONS,
]
FAULTS_SHOWN_MAX = 20
# Snapshots, hash marks and segments small enough that every run has many of each.
SETTINGS = {
    ("matchd", "segment_mib"): 1,
    ("matchd", "hash_every"): 256,
    ("auditd", "snapshot_every"): 1000,
}


class Violation(Exception):
    """The exchange lost, doubled or halved something."""


class CrashLoop:
    """One run: an exchange, its clients, the kills, and the checks between."""

    def __init__(self, state, seed, kills, seconds_max, say=print):
        self.random = random.Random(seed)
        self.seed = seed
        self.kills = kills
        self.deadline = time.monotonic() + seconds_max
        self.say = say
        self.exchange = Exchange(state, settings=SETTINGS)
        self.ledger = Ledger(symbols={m.symbol: (m.base, m.quote) for m in MARKETS})
        self.checker = Checker(self.ledger)
        self.killed = Counter()
        self.traders = []
        self.operator = None
        self.readers = {}

    @property
    def senders(self):
        return [*self.traders, self.operator]

    # --- the run ---

    def run(self):
        try:
            self.set_up()
            for sender in self.senders:
                sender.start()
            while sum(self.killed.values()) < self.kills:
                if time.monotonic() > self.deadline:
                    raise ExchangeFault(
                        f"only {sum(self.killed.values())} of {self.kills} kills in the time given"
                    )
                self.round()
            self.finish()
        finally:
            for sender in self.senders:
                if sender is not None:
                    sender.end()
            self.exchange.end()

    def set_up(self):
        exchange = self.exchange.init().start()
        exchange.demo()
        self.operator = Operator(exchange, self.ledger, self.seed)
        for number in range(1, ACCOUNTS + 1):
            account = f"crash{number}"
            exchange.ctl("account", "open", account)
            key = exchange.ctl_json("key", "add", account, "--permissions", "read,trade")
            self.ledger.accounts.append(account)
            for asset, amount in FUNDS.items():
                if self.operator.book(account, asset, Decimal(amount)).outcome != ACKED:
                    raise ExchangeFault(f"the first credit of {account} failed")
            identity = (key["keyID"], key["secret"])
            # A source address of its own keeps each below the limits per address.
            self.traders.append(Trader(
                account, *identity, exchange.port, self.ledger, self.seed, f"127.0.0.{number + 1}"
            ))
            self.readers[account] = Spot(
                exchange.port, *identity, source=f"127.0.0.{number + 1 + ACCOUNTS}"
            )

    def round(self):
        """Load, a kill at a random moment, restart, a little more load, then everything rests and
        is checked."""
        for sender in self.senders:
            sender.resume()
        time.sleep(self.random.uniform(0.02, 0.6))
        victims = self.random.choice(VICTIMS)
        self.exchange.check_alive()
        self.kill(victims)
        if self.random.random() < 0.25:  # once more, somewhere within the restart
            time.sleep(self.random.uniform(0, 0.15))
            self.kill(victims)
        for name in victims:
            self.exchange.await_ready(name)
        time.sleep(self.random.uniform(0, 0.2))
        self.check(f"after {', '.join(victims)}")

    def kill(self, victims):
        for name in victims:
            self.exchange.kill(name)
            self.killed[name] += 1
        time.sleep(self.random.choice((0, 0, 0.05, 0.3)))
        for name in victims:
            self.exchange.spawn(name)

    def check(self, when, is_thorough=False):
        for sender in self.senders:
            sender.hold()
        self.exchange.check_alive()
        self.traders[0].barrier()
        self.judge(when, self.checker.check(self.view(is_thorough)))

    def judge(self, when, faults):
        orders = self.ledger
        self.say(
            f"kill {sum(self.killed.values()):>3}: {when}: {len(orders.orders)} orders"
            f" ({orders.count(UNKNOWN)} unanswered, of which {self.checker.late} are there;"
            f" {orders.count(REFUSED)} refused),"
            f" {len(self.checker.traded) // 2} trades, {len(orders.bookings)} bookings:"
            f" {'as acknowledged' if not faults else f'{len(faults)} FAULTS'}"
        )
        if faults:
            shown = "\n  ".join(faults[:FAULTS_SHOWN_MAX])
            raise Violation(f"{when}:\n  {shown}")

    # --- looking ---

    def view(self, is_thorough=False):
        """What the exchange shows. Pages end elsewhere each time; a thorough look asks again in
        other ways, which would be too much for the rate limits after each kill."""
        view = View(orders={}, open={}, trades={}, balances={}, depth={})
        limit = self.random.randint(500, 1000)
        for account, reader in self.readers.items():
            view.orders[account] = [
                row for market in MARKETS for row in reader.all_orders(market.symbol, limit)
            ]
            view.trades[account] = [
                row for market in MARKETS for row in reader.my_trades(market.symbol, limit)
            ]
            view.open[account] = reader.get_signed("/api/v3/openOrders")
            view.balances[account] = {
                row["asset"]: (Decimal(row["free"]), Decimal(row["locked"]))
                for row in reader.get_signed("/api/v3/account")["balances"]
            }
        for market in MARKETS:
            view.depth[market.symbol] = reader.get(
                "/api/v3/depth", symbol=market.symbol, limit=5000
            )
        if is_thorough:
            self.ask_again(view)
        return view

    def ask_again(self, view):
        """The rows in small pages, the last of them, and some by themselves."""
        for account, reader in self.readers.items():
            for market in MARKETS:
                symbol, limit = market.symbol, self.random.randint(40, 150)
                view.again += [
                    (account, symbol, "orders", reader.all_orders(symbol, limit)),
                    (account, symbol, "trades", reader.my_trades(symbol, limit)),
                ]
                for listing, path in (("orders", "allOrders"), ("trades", "myTrades")):
                    rows = reader.get_signed(f"/api/v3/{path}", symbol=symbol, limit=limit)
                    view.latest.append((account, symbol, listing, rows))
            rows = view.orders[account]
            for row in self.random.sample(rows, min(20, len(rows))):
                answer = reader.get_signed(
                    "/api/v3/order", symbol=row["symbol"], orderId=row["orderId"]
                )
                view.single.append((account, answer))
        for market in MARKETS:
            view.tape[market.symbol] = reader.get(
                "/api/v3/trades", symbol=market.symbol, limit=1000
            )

    # --- the end ---

    def finish(self):
        """Stops, lets the exchange judge itself, and starts it once more from the log alone."""
        self.check("at the end", is_thorough=True)
        self.canary(self.view())
        for name, code in self.exchange.stop_all().items():
            if code != 0:
                raise Violation(f"{name} ended with {code}:\n{self.exchange.log_tail(name)}")
        for verb in ("verify", "rehearse"):
            self.exchange.ctl("journal", verb, seconds_max=120)
        self.judge("in the journal", self.journal_faults())
        for folder in ("history", "snapshots"):
            shutil.rmtree(self.exchange.state / folder)
        self.exchange.start()
        self.traders[0].barrier()
        self.judge("from the log alone", self.checker.check(self.view(is_thorough=True)))
        self.exchange.stop_all()

    def canary(self, view):
        """The checker has been silent; it must not be on faults planted in this very view."""
        account = self.random.choice(self.ledger.accounts)
        row = self.random.choice(view.open[account])
        planted = {
            "an order lost": lambda v: v.open[account].remove(row),
            "an order twice": lambda v: v.orders[account].append(dict(row, orderId=10**9)),
            "a trade lost": lambda v: v.trades[account].pop(),
            "a unit too much": lambda v: v.balances[account].update(
                BTC=(v.balances[account]["BTC"][0] + Decimal("1e-8"), v.balances[account]["BTC"][1])
            ),
        }
        for what, plant in planted.items():
            copy = deepcopy(view)
            plant(copy)
            if not Checker(self.ledger).check(copy):
                raise Violation(f"the checker does not see {what}")

    def journal_faults(self):
        """Each acknowledged booking and order stands in the journal; no other booking."""
        text = self.exchange.ctl("--output", "json", "journal", "dump", seconds_max=120).stdout
        wrong = []
        for booking in self.ledger.bookings:
            # One that was asked for again stands there again, refused; balances say how often it
            # counted.
            times = text.count(json.dumps(booking.reference))
            if (booking.outcome == ACKED) != (times > 0):
                wrong.append(f"{booking} stands {times} times in the journal")
        for order in self.ledger.orders.values():
            if order.outcome == ACKED and json.dumps(order.client_order_id) not in text:
                wrong.append(f"{order} is not in the journal")
        return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--seconds-max", type=int, default=300)
    parser.add_argument("--keep", help="a new folder for the state and the logs, kept afterwards")
    options = parser.parse_args()
    folder = Path(options.keep or tempfile.mkdtemp(prefix="bourse-crash-"))
    replay = f"Tests/System/Crash/loop.py --kills {options.kills} --seed {options.seed}"
    print(f"seed {options.seed}; again with: {replay}", flush=True)
    began = time.monotonic()
    loop = CrashLoop(folder / "state", options.seed, options.kills, options.seconds_max)
    try:
        loop.run()
    except (Violation, ExchangeFault) as fault:
        print(f"{fault}\nstate and logs are kept in {folder}; again with: {replay}")
        return 1
    print(f"{dict(loop.killed)} kills in {time.monotonic() - began:.0f} s:"
          " everything acknowledged is there, once")
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
