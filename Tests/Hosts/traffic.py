"""Everybody who uses the cluster while it is broken: traders at the service address and one at each
host's own, an operator who books credits, and a reader of all that both hosts show."""
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench import BenchFault, holder
from evidence import Evidence

HERE = Path(__file__).resolve().parent
RATE = 25           # requests a second of each trader at the service address
PROBE_RATE = 4      # and of those at a host's own address
BOOKING_SECONDS = 1.0
BOOKING_TRIES_MAX = 60
START_SECONDS_MAX = 60
HELD_SECONDS_MAX = 60
BOOKED_ALREADY = "reference"  # what boursectl says of one that is in the log


class Member:
    """One process of the traffic."""

    def __init__(self, traffic, program, settings):
        self.name = settings.get("name", program)
        net = f"--net=/proc/{traffic.cluster.bench.client.pid}/ns/net"
        self.errors = open(traffic.folder / f"{self.name}.err", "ab")
        self.process = holder(
            "nsenter", net, sys.executable, HERE / f"{program}.py",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.say(json.dumps(settings))

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def expect(self, word, seconds_max):
        """Waits for a line of it."""
        got = []
        waits = threading.Thread(target=lambda: got.append(self.process.stdout.readline()),
                                 daemon=True)
        waits.start()
        waits.join(seconds_max)
        if got != [word.encode() + b"\n"]:
            words = Path(self.errors.name).read_text(errors="replace")[-2000:]
            raise BenchFault(f"{self.name} did not say {word} within {seconds_max} s: {got} {words}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


class Operator(threading.Thread):
    """Books a credit every second on whichever host leads; one that was not answered is asked for
    again under its reference until it is."""

    def __init__(self, cluster, log, seed):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.log = open(log, "a", buffering=1)
        self.random = random.Random(f"{seed}/operator")
        self.goes = threading.Event()
        self.idle = threading.Event()
        self.ended = False
        self.unknown = []
        self.count = 0

    def write(self, **entry):
        self.log.write(json.dumps(entry | {"at": time.monotonic()}) + "\n")

    def run(self):
        while not self.ended:
            if not self.goes.is_set():
                self.idle.set()
                self.goes.wait(0.1)
                continue
            self.idle.clear()
            if self.unknown:
                booking = self.unknown.pop(0)
            else:
                self.count += 1
                booking = (f"credit {self.count}", self.random.choice(("demo1", "demo2")),
                           self.random.choice(("BTC", "USDT")), self.random.randint(1, 10**8))
                name, account, asset, units = booking
                self.write(what="credit", name=name, account=account, asset=asset, units=units)
            self.book(*booking)
            time.sleep(BOOKING_SECONDS)

    def book(self, name, account, asset, units):
        host = self.cluster.primary() or self.cluster.a
        try:
            done = host.exec(
                "timeout", "5", "boursectl", "credit", account, asset,
                f"{units // 10**8}.{units % 10**8:08}", "--reference", name, "--reason", "faults",
                check=False, seconds_max=10)
            acked = done.returncode == 0 or BOOKED_ALREADY in done.stderr
            words = done.stderr.strip()[-200:]
        except (BenchFault, OSError) as fault:
            acked, words = False, str(fault)[:200]
        self.write(what="said", name=name, outcome="acknowledged" if acked else "unknown",
                   why=None if acked else words)
        if not acked:
            self.unknown.append((name, account, asset, units))

    def hold(self):
        """Returns when nothing is on its way."""
        self.goes.clear()
        if not self.idle.wait(HELD_SECONDS_MAX):
            raise BenchFault("the operator's credit does not end")

    def settle(self):
        """Asks for what was never answered, while the cluster is whole."""
        for _ in range(BOOKING_TRIES_MAX):
            if not self.unknown:
                return
            self.book(*self.unknown.pop(0))
        raise BenchFault(f"credits that are never answered: {self.unknown}")


class Traffic:
    """All of them; `evidence` is what they know."""

    def __init__(self, cluster, folder, seed):
        self.cluster, self.folder, self.seed = cluster, Path(folder), seed
        self.folder.mkdir(parents=True, exist_ok=True)
        a, b = (f"http://{host.address}:8080" for host in cluster.pair)
        service = f"http://{cluster.service}:8080"
        one, two = cluster.keys
        rows = [("c", "ccxt", service, one, RATE), ("p", "binance", service, two, RATE),
                ("a", "ccxt", a, one, PROBE_RATE), ("b", "binance", b, two, PROBE_RATE)]
        self.logs = {name: self.folder / f"{name}.log" for name in ("c", "p", "a", "b")}
        self.logs |= {name: self.folder / f"{name}.log" for name in ("reader", "operator")}
        self.traders = [
            Member(self, "load", {
                "kind": kind, "url": url, "key": keys["keyID"], "secret": keys["secret"],
                "name": name, "rate": rate, "seed": seed, "log": str(self.logs[name])})
            for name, kind, url, keys, rate in rows]
        self.reader = Member(self, "reader", {
            "hosts": {"a": a, "b": b}, "log": str(self.logs["reader"]),
            "accounts": [[k["account"], k["keyID"], k["secret"]] for k in cluster.keys]})
        self.operator = Operator(cluster, self.logs["operator"], seed)
        for member in (*self.traders, self.reader):
            member.expect("ready", START_SECONDS_MAX)
        self.operator.start()
        self.evidence = Evidence(self.logs)

    def go(self):
        for trader in self.traders:
            trader.say("go")
        self.operator.goes.set()

    def hold(self):
        """Returns when nothing is on its way; what was known is in `evidence` then."""
        for trader in self.traders:
            trader.say("hold")
        for trader in self.traders:
            trader.expect("held", HELD_SECONDS_MAX)
        self.operator.hold()
        self.operator.settle()
        self.evidence.read()

    def close(self):
        self.operator.ended = True
        for member in (*self.traders, self.reader):
            member.close()
        self.operator.join(HELD_SECONDS_MAX)
