"""Two hosts' matchds, agents and gateways and a real etcd of three: who leads is decided by nobody
but them, and what was acknowledged stays."""
import socket
import time

import pytest
from pair import Pair, await_true
from spot import Spot, Unknown


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    try:
        made.start_all()
        yield made
    finally:
        made.end()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except ConnectionRefusedError:
        return False


class Trader:
    """Places orders on whichever host takes them, and remembers what was acknowledged."""

    def __init__(self, pair):
        self.pair = pair
        self.account = pair.hosts["a"].demo()["accounts"][0]
        for name, host in pair.hosts.items():
            host.spawn("gatewayd")
        pair.hosts["a"].await_ready("gatewayd")
        # The standby's takes orders when its host leads.
        await_true("the other one listens", lambda: listens(pair.hosts["b"].port))
        self.clients = {
            name: Spot(host.port, self.account["keyID"], self.account["secret"], seconds_max=3)
            for name, host in pair.hosts.items()}
        self.acknowledged = set()
        self.number = 0

    def place(self, name):
        """One order by a host's gateway; whether it was acknowledged."""
        self.number += 1
        text = f"order-{self.number}"
        try:
            self.clients[name].place(
                symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001",
                price="50000", newClientOrderId=text, recvWindow=2000)
        except Unknown:
            return False
        self.acknowledged.add(text)
        return True

    def first(self, name, seconds_max=30):
        """Places until one is acknowledged; gives the seconds that took."""
        began = time.monotonic()
        await_true(f"{name} acknowledges", lambda: self.place(name), seconds_max)
        return time.monotonic() - began

    def rows(self, name):
        """The open orders that a host's gateway shows."""
        try:
            return [row["clientOrderId"] for row in self.clients[name].get_signed(
                "/api/v3/openOrders", symbol="BTCUSDT")]
        except Unknown:  # It is starting up, or follows another matchd now.
            return []

    def shown(self, name):
        """The same, once all that was acknowledged is there."""
        return set(await_true("all that was acknowledged is there", lambda: (
            found := self.rows(name)) and self.acknowledged <= set(found) and found))

    def check(self, name):
        """All that was acknowledged is there, once."""
        self.shown(name)
        rows = self.rows(name)
        assert len(rows) == len(set(rows))


def test_a_dead_primary_is_followed_by_its_standby_with_all_that_was_acknowledged(pair):
    trader = Trader(pair)
    for _ in range(30):
        assert trader.place("a")
    pair.hosts["a"].kill("matchd")
    seconds = trader.first("b")
    print(f"primary killed to the first acknowledgement: {seconds:.2f} s")
    trader.check("b")
    found = pair.document("b")
    assert (found["role"], found["inSync"]) == ("primary", ["b"])
    # It comes back as a standby, by itself.
    pair.hosts["a"].spawn("matchd")
    pair.in_sync("b")
    for _ in range(10):
        assert trader.place("b")
    trader.check("b")
    trader.check("a")


def test_a_gateway_waits_while_its_host_knows_of_less_than_it_has_shown(pair):
    trader = Trader(pair)
    standby = pair.hosts["b"]

    def back():
        """Three removals in 10 min put it out; an operator adds it."""
        if "until standby add" in pair.document("a")["sentence"]:
            pair.obey("a", "standby-add")
        return sorted(pair.document("a")["inSync"]) == ["a", "b"]

    for _ in range(20):
        await_true("both are in sync", back)
        assert trader.place("a")
        trader.shown("b")
        # Its journal says a moment later that the last record is released; without its agent it
        # follows nobody, and knows no more than that.
        for daemon in ("matchd", "gatewayd", "agentd"):
            standby.kill(daemon)
        standby.spawn("matchd")
        standby.await_ready("matchd")
        standby.spawn("gatewayd")
        said = await_true("the gateway has caught up, or waits", lambda: next(
            (word for word in ("which does not lead", "caught up")
             if word in standby.log_tail("gatewayd").rsplit("--- start", 1)[1]), None))
        standby.spawn("agentd")
        # Its own process goes on, as no record is lost.
        trader.check("b")
        assert standby.running["gatewayd"].poll() is None
        if said == "which does not lead":
            break
    else:
        pytest.fail("its journal always knew all that it had shown")
    await_true("both are in sync", back)
    assert trader.place("a")
    trader.check("b")


def test_a_dead_standby_is_removed_and_trade_goes_on(pair):
    trader = Trader(pair)
    assert trader.place("a")
    pair.hosts["b"].kill("matchd")
    seconds = trader.first("a")
    print(f"standby killed to the next acknowledgement: {seconds:.2f} s")
    await_true("the record has the primary alone", lambda: pair.document("a")["inSync"] == ["a"])
    pair.hosts["b"].spawn("matchd")
    pair.in_sync("a")
    assert trader.place("a")
    trader.check("b")


def test_a_switchover_and_back_lose_nothing(pair):
    trader = Trader(pair)
    for _ in range(10):
        assert trader.place("a")
    for primary, standby in (("a", "b"), ("b", "a")):
        status, answer = pair.obey(standby, "switchover")
        assert status == 409 and "ask the primary" in answer["error"]
        began = time.monotonic()
        status, answer = pair.obey(primary, "switchover")
        assert status == 200, answer
        trader.first(standby)
        print(f"switchover to {standby}: {time.monotonic() - began:.2f} s to an acknowledgement")
        pair.in_sync(standby)
        trader.check(standby)


def test_without_etcd_trade_goes_on_and_nothing_is_reconfigured(pair):
    trader = Trader(pair)
    assert trader.place("a")
    for name in ("b", "w"):
        pair.etcd.kill(name)
    for _ in range(20):
        assert trader.place("a")
        time.sleep(0.1)
    await_true("the agent says so", lambda: pair.document("a")["etcdFault"])
    status, answer = pair.obey("a", "switchover")
    assert status == 409, answer
    for name in ("b", "w"):
        pair.etcd.spawn(name)
    await_true("etcd answers again", lambda: not pair.document("a")["etcdFault"])
    trader.check("b")


def peer(pair, name):
    """What a host's agent shows of the other."""
    found = pair.document(name)
    return found and found["peerAgent"]


def connected(pair):
    await_true("both agents see each other", lambda: all(
        (shown := peer(pair, name)) and shown["reachable"] and shown["document"] for name in "ab"))


def changes(pair, name, epoch):
    """What a host did in an epoch, oldest first: what and why."""
    return [(one["what"], one["why"]) for one in pair.document(name)["changes"]
            if one["epoch"] >= epoch]


def test_a_crash_of_the_primary_is_followed_at_once_for_its_end_was_seen(pair):
    trader = Trader(pair)
    connected(pair)
    assert trader.place("a")
    epoch = pair.document("a")["epoch"]
    pair.hosts["a"].kill("matchd")
    seconds = trader.first("b")
    print(f"matchd killed to the first acknowledgement, its end seen: {seconds:.2f} s")
    trader.check("b")
    assert peer(pair, "b")["reapedEpoch"] == epoch
    promised = [why for what, why in changes(pair, "b", 0) if what == "promised"][-1]
    assert "process ended" in promised, promised
    # A primary whose agent is away as well is followed too, by its silence.
    pair.hosts["a"].spawn("matchd")
    pair.in_sync("b")
    pair.hosts["b"].kill("agentd")
    await_true("it is seen to be away", lambda: not peer(pair, "a")["reachable"])
    pair.hosts["b"].kill("matchd")
    seconds = trader.first("a")
    print(f"matchd and agent killed to the first acknowledgement: {seconds:.2f} s")
    promised = [why for what, why in changes(pair, "a", 0) if what == "promised"][-1]
    assert "process ended" not in promised, promised
    trader.check("a")


def test_paused_on_one_host_no_host_claims_until_it_is_resumed_on_either(pair):
    trader = Trader(pair)
    connected(pair)
    assert trader.place("a")
    status, answer = pair.obey("b", "pause")
    assert status == 200 and answer["paused"], answer
    await_true("it holds on both", lambda: all(pair.document(name)["paused"] for name in "ab"))
    assert trader.place("a"), "who leads goes on"
    # Over a restart of the agent of the host that would claim, while the other's is away.
    pair.hosts["a"].kill("agentd")
    pair.hosts["b"].kill("agentd")
    pair.hosts["b"].spawn("agentd")
    await_true("it is back", lambda: pair.document("b"))
    assert pair.document("b")["paused"]
    pair.hosts["a"].kill("matchd")
    await_true("it would claim", lambda: "paused" in pair.document("b")["sentence"])
    assert pair.document("b")["role"] == "standby" and pair.document("b")["primary"] == "a"
    status, answer = pair.obey("b", "resume")
    assert status == 200 and not answer["paused"], answer
    trader.first("b")
    trader.check("b")
    # The other one was away: it learns that it is resumed.
    pair.hosts["a"].spawn("agentd")
    await_true("it is resumed there", lambda: (found := pair.document("a")) and (
        not found["paused"]))
    pair.hosts["a"].spawn("matchd")
    pair.in_sync("b")


def test_load_balancers_find_the_host_that_leads(pair):
    # It reads the record once a second.
    await_true("b knows that it is in sync", lambda: pair.document("b")["role"] == "standby")
    assert pair.health("a", "/primary") == (200, None)
    assert pair.health("b", "/primary") == (503, "this host is standby")
    assert pair.health("a", "/standby") == (503, "this host is primary")
    assert pair.health("b", "/standby") == (200, None)
    for name in "ab":
        assert pair.health(name) == (200, None)
        assert pair.health(name, "/primary", "HEAD")[0] == (200 if name == "a" else 503)
        assert pair.health(name, "/primary", "OPTIONS")[0] == (200 if name == "a" else 503)
        assert pair.health(name, "/primary", "PUT")[0] == 405
    pair.hosts["a"].kill("matchd")
    await_true("b leads", lambda: pair.health("b", "/primary") == (200, None))
    status, why = pair.health("a", "/primary")
    assert status == 503 and why, why
    assert pair.health("a")[0] == 503
