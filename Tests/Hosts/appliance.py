"""An exchange on a host of the bench: its packages, and what every test of it asks."""
import json
import os
import shutil
import threading
import time
from pathlib import Path

from base import ROOT, run
from bench import SUBNET, BenchFault, await_true
from spot import NotSent, Refusal, Spot, Unknown

DEBS = ROOT / "build" / "deb"
BIN = Path(os.environ.get("BOURSE_BIN", ROOT / ".build" / "release"))
DEB_SECONDS_MAX = 300
SERVICES = ("bourse-matchd", "bourse-auditd", "bourse-gatewayd", "bourse-walletd", "bourse-agentd",
            "bourse-poller", "bourse-snmp")
PACKAGES = ("bourse", "bourse-common", "bourse-runtime", "bourse-matchd", "bourse-gateway",
            "bourse-wallet", "bourse-signer", "bourse-agent", "bourse-snmp", "boursectl")
SMALL = ("limits.accounts=1000", "limits.open_orders=10000", "limits.api_keys=1000",
         "matchd.segment_mib=4")


def make_debs():
    """The packages of this tree, made unless they are newer than all that goes into them."""
    inputs = [path for folder in ("packaging", "systemd", "etc") for path in
              (ROOT / folder).rglob("*")]
    inputs += [BIN / name for name in (*SERVICES, "bourse-helper", "boursectl")]
    made = sorted(DEBS.glob("*.deb"))
    newest = max(path.stat().st_mtime for path in inputs)
    if not made or min(deb.stat().st_mtime for deb in made) < newest:
        run(ROOT / "packaging" / "deb", BIN, seconds_max=DEB_SECONDS_MAX)
        made = sorted(DEBS.glob("*.deb"))
    return made


def unpacked(debs):
    """The same packages without compression: to unpack xz is most of what an installation does, and
    other tests install them as they are."""
    made = []
    for deb in debs:
        plain = DEBS / "plain" / deb.name
        made.append(plain)
        if plain.exists() and plain.stat().st_mtime >= deb.stat().st_mtime:
            continue
        tree = plain.with_suffix(".tree")
        shutil.rmtree(tree, ignore_errors=True)
        tree.parent.mkdir(exist_ok=True)
        run("dpkg-deb", "-R", deb, tree)
        run("dpkg-deb", "-b", "-Znone", tree, plain)
        shutil.rmtree(tree)
    return made


def as_release(debs, version, folder):
    """The same packages as those of another release: its number stands in their control files,
    their scripts and their programs, which do nothing else than those of this one."""
    old = debs[0].name.split("_")[1]
    if len(version) != len(old):
        raise BenchFault(f"{version} does not fit in the place of {old}")
    made = []
    for deb in debs:
        tree = folder / "tree"
        run("dpkg-deb", "-R", deb, tree)
        scripts = [path for path in (tree / "DEBIAN").iterdir() if path.name != "md5sums"]
        own = [path for place in ("usr/sbin", "usr/bin") for path in (tree / place).glob("bourse*")]
        for path in (*scripts, *own):
            path.write_bytes(path.read_bytes().replace(old.encode(), version.encode()))
        made.append(folder / deb.name.replace(f"_{old}_", f"_{version}_"))
        run("dpkg-deb", "-b", "-Znone", tree, made[-1])
        shutil.rmtree(tree)
    return made


def set_up(host, *keys):
    """A small exchange, with further keys of bourse.toml set."""
    host.exec("boursectl", "init", "--listen", "0.0.0.0:8080",
              "--set", "gatewayd.plain_http=true",
              *[word for key in (*SMALL, *keys) for word in ("--set", key)])
    host.exec("sync")


def state(host, unit):
    return host.exec("systemctl", "is-active", unit, check=False).stdout.strip()


def main_pid(host, unit):
    return host.exec("systemctl", "show", "-PMainPID", unit).stdout.strip()


def main_pids(host):
    return [main_pid(host, unit) for unit in SERVICES]


def ctl(host, *words):
    """A result of boursectl as JSON."""
    return json.loads(host.exec("boursectl", "--output", "json", *words).stdout)


def await_serving(bench, host):
    client = Spot(8080, host=host.address, source=f"{SUBNET}.1", seconds_max=5)

    def serves():
        with bench.network():
            try:
                return client.raw("GET", "/api/v3/exchangeInfo")[0] == 200
            except Exception:
                return False

    await_true("the gateway serves", 60, serves)


def check(host, name):
    """A check as the agent reports it now, or None."""
    found = host.exec("boursectl", "--output", "json", "check", name, check=False)
    rows = json.loads(found.stdout) if found.stdout.startswith("[") else []
    return next((row for row in rows if row["name"] == name), None)


def await_check(host, name, state, seconds_max):
    """Waits until a check is in a state; the check."""
    def is_so():
        row = check(host, name)
        return row is not None and row["state"] == state

    await_true(f"{name} is {state}", seconds_max, is_so)
    return check(host, name)


class Traders:
    """Two accounts of `boursectl demo` that trade on, on a thread of their own, from the bench's
    place on the switch. It counts: whatever is acknowledged stays."""

    ORDER = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001",
             "price": "60000"}

    def __init__(self, bench, host):
        self.bench = bench
        keys = ctl(host, "demo")["accounts"]
        self.maker, self.taker = (
            Spot(8080, one["keyID"], one["secret"], host=host.address, source=f"{SUBNET}.1")
            for one in keys)
        self.trades = 0
        self.refused = []
        self.unknown = 0
        self.longest = 0.0
        self.going = True
        self.thread = threading.Thread(target=self._trade, daemon=True)

    def __enter__(self):
        self.thread.start()
        await_true("a first trade", 10, lambda: self.trades > 0)
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join()
        self.maker.close()
        self.taker.close()

    def _trade(self):
        with self.bench.network():
            last = time.monotonic()
            while self.going:
                try:
                    self.maker.call("POST", "/api/v3/order", self.ORDER | {"side": "SELL"},
                                    signed=True)
                    bought = self.taker.call("POST", "/api/v3/order", self.ORDER | {"side": "BUY"},
                                             signed=True)
                    assert bought["status"] == "FILLED", bought
                    self.trades += 1
                    self.longest = max(self.longest, time.monotonic() - last)
                    last = time.monotonic()
                except Refusal as refusal:
                    self.refused.append(refusal)
                except (Unknown, NotSent):
                    self.unknown += 1
                time.sleep(0.01)

    def await_more(self, count=20, seconds_max=20):
        """Waits until there are further trades."""
        wanted = self.trades + count
        await_true(f"{count} more trades", seconds_max, lambda: self.trades >= wanted)
