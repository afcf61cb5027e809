"""Reads from both hosts what the checker needs: the journals from their disks, and what they show."""
import time
from decimal import Decimal

from bench import BenchFault, await_true
from cluster import STATE
from evidence import Checker, Facts, View
from journal import Journal
from spot import Refusal, Spot, Unknown

READ_TRIES_MAX = 20
LEVEL_SECONDS_MAX = 60
PAGE = 1000


def facts_of(host):
    """What is in a host's journal. The sequencer's ticks go on meanwhile, so a last record may be
    read while it is written: then it is read again."""
    for _ in range(READ_TRIES_MAX):
        try:
            return Facts.of(Journal(host.inside(STATE)).records)
        except (AssertionError, FileNotFoundError):
            time.sleep(0.1)
    raise BenchFault(f"{host.name}: its journal has a damaged record")


def view_of(cluster, host):
    """All that a host shows of the traders' accounts."""
    orders, trades, balances = [], [], {}
    with cluster.bench.network():
        for keys in cluster.keys:
            spot = Spot(8080, keys["keyID"], keys["secret"], host=host.address, source="0.0.0.0")
            orders += spot.all_orders("BTCUSDT", PAGE)
            trades += spot.my_trades("BTCUSDT", PAGE)
            balances[keys["account"]] = {
                row["asset"]: f"{_sum(row)}" for row in spot.get_signed("/api/v3/account")["balances"]}
            spot.close()
    return View(orders, trades, balances)


def _sum(row):
    return Decimal(row["free"]) + Decimal(row["locked"])


def inspect(cluster, traffic):
    """Holds the traffic, and checks; gives what is wrong."""
    traffic.hold()
    found = {}

    def is_level():
        ends = [cluster.document(host) for host in cluster.pair]
        found["ends"] = [one and one["released"] for one in ends]
        return None not in found["ends"] and max(found["ends"]) - min(found["ends"]) <= 2

    await_true(f"both hosts have the same log ({found})", LEVEL_SECONDS_MAX, is_level)
    # A gateway that has just started may still read its history.
    for tries in range(READ_TRIES_MAX):
        try:
            views = {cluster.name(host): view_of(cluster, host) for host in cluster.pair}
            break
        except (Unknown, Refusal):
            if tries == READ_TRIES_MAX - 1:
                raise
            time.sleep(0.5)
    facts = {cluster.name(host): facts_of(host) for host in cluster.pair}
    return Checker(traffic.evidence, facts, views, cluster.replicas).faults()
