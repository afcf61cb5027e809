"""Goal: a host with a gateway alone joins by what an owner types, trades over TLS with whichever host
leads, and goes on by itself over a switchover, a power cut and a cut between hosts, with all that
was acknowledged."""
import re
import threading
import time

import pytest
from appliance import await_serving, main_pid, make_debs, state
from bench import SUBNET, await_true
from cluster import Cluster
from spot import Refusal, Spot, Unknown
from test_cluster import Init

PACKAGES = ("bourse-common", "bourse-runtime", "bourse-gateway", "boursectl")


class Trader(threading.Thread):
    """Places orders by the gateway, one after the other, and remembers what was acknowledged."""

    def __init__(self, bench, host, key):
        super().__init__(daemon=True)
        self.bench = bench
        self.client = Spot(8080, key["keyID"], key["secret"], host=host.address,
                           source=f"{SUBNET}.1", seconds_max=5)
        self.acknowledged, self.asked = [], 0
        self.longest = 0
        self.ended = threading.Event()

    def run(self):
        with self.bench.network():
            last = time.monotonic()
            while not self.ended.wait(0.02):
                self.asked += 1
                name = f"remote-{self.asked}"
                try:
                    self.client.place(
                        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                        quantity="0.0001", price="50000", newClientOrderId=name, recvWindow=3000)
                except (Unknown, Refusal, OSError):
                    continue
                self.acknowledged.append(name)
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now

    def goes_on(self):
        """Waits until orders are acknowledged again; gives the longest pause since the last call."""
        count = len(self.acknowledged)
        await_true("orders are acknowledged", 60, lambda: len(self.acknowledged) > count + 5)
        longest, self.longest = self.longest, 0
        return longest

    def shown(self):
        with self.bench.network():
            return [row["clientOrderId"] for row in self.client.get_signed(
                "/api/v3/openOrders", symbol="BTCUSDT")]


@pytest.fixture(scope="module")
def cluster(bench):
    made = Cluster(bench, names=("ga", "gb", "gw"))
    yield made
    for host in made.all:
        host.power_cut()


@pytest.fixture(scope="module")
def gateway(bench, cluster):
    """A host with the gateway's packages alone, joined by a token."""
    host = bench.add("gg")
    host.power_on()
    host.wait_running()
    host.install_deb(*[deb for deb in make_debs() if deb.name.split("_")[0] in PACKAGES])
    invite = Init(cluster.a, "invite", "g1", "--gateway")
    invite.await_words("cluster join")
    command = re.findall(r"sudo (boursectl cluster join \S+ --host g1 --gateway)", invite.read())
    assert "has joined as a gateway's host" in host.exec(*command[-1].split()).stdout
    code, words = invite.result()
    assert code == 0, words
    host.exec("sed", "-i", "-e", "s/^listen = \"127.0.0.1:8080\"/listen = \"0.0.0.0:8080\"/",
              "-e", "s/^plain_http = .*/plain_http = true/", "/etc/bourse/bourse.toml")
    host.exec("systemctl", "start", "bourse.target")
    await_serving(bench, host)
    yield host
    host.power_cut()


def test_a_gateway_alone_has_what_it_needs_and_no_more(cluster, gateway):
    assert state(gateway, "bourse-gatewayd") == "active"
    assert state(gateway, "bourse-matchd") != "active"
    assert gateway.exec("test", "-e", "/usr/sbin/bourse-matchd", check=False).returncode != 0
    modes = gateway.exec("stat", "-c", "%a %U:%G", "/etc/bourse/cluster/host.key").stdout.strip()
    assert modes == "640 root:bourse-cluster"
    # On a host of the exchange the gateway may not read the host's key.
    shown = cluster.a.exec("systemctl", "show", "-PSupplementaryGroups", "bourse-gatewayd").stdout
    assert "bourse-cluster" not in shown
    assert gateway.exec("test", "-e", "/etc/bourse/secrets/seal.key", check=False).returncode != 0


def test_it_goes_on_over_changes_of_the_primary_and_its_own_restart(bench, cluster, gateway):
    trader = Trader(bench, gateway, cluster.keys[0])
    trader.start()
    try:
        trader.goes_on()
        process = main_pid(gateway, "bourse-gatewayd")
        primary = cluster.await_in_sync()
        primary.exec("boursectl", "switchover")
        bench.figures.append(f"remote gateway, switchover: {trader.goes_on():.2f} s without an "
                             "acknowledgement")
        primary = cluster.await_in_sync()
        primary.power_cut()
        bench.figures.append(f"remote gateway, primary's power: {trader.goes_on():.2f} s without "
                             "an acknowledgement")
        assert main_pid(gateway, "bourse-gatewayd") == process, "it goes on by itself"
        primary.boot()
        # It is there for the gateway, and does not know that the other host leads.
        primary = cluster.await_in_sync()
        for other in cluster.all:
            if other is not primary:
                bench.cut(primary.name, other.name)
        bench.figures.append(f"remote gateway, primary cut from both others: "
                             f"{trader.goes_on():.2f} s without an acknowledgement")
        bench.heal()
        cluster.await_in_sync()
        gateway.exec("systemctl", "restart", "bourse-gatewayd")
        trader.goes_on()
    finally:
        trader.ended.set()
        trader.join()
    shown = trader.shown()
    assert len(shown) == len(set(shown))
    missing = set(trader.acknowledged) - set(shown)
    assert not missing, missing
