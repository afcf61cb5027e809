"""Two matchds, as an agent orders them: what was acknowledged is on both, a standby takes over with
all of it, and an old primary comes back without what was never acknowledged."""
import ssl
import socket
import time

import pytest
from pair import Pair, await_true
from spot import Spot, Unknown


@pytest.fixture
def pair(tmp_path):
    made = Pair(tmp_path)
    try:
        yield made
    finally:
        made.end()


def clients(host, keys):
    """A connection for each demo account."""
    return [Spot(host.port, key["keyID"], key["secret"], seconds_max=30) for key in keys]


def demo(pair):
    """The demo markets on the primary, and a gateway there."""
    keys = pair.hosts["a"].demo()["accounts"]
    pair.hosts["a"].start("gatewayd")
    return clients(pair.hosts["a"], keys), keys


def place(client, number, price="50000"):
    return client.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                        quantity="0.001", price=price, newClientOrderId=f"order-{number}")


def ids(client):
    return {row["clientOrderId"] for row in client.get_signed("/api/v3/openOrders",
                                                             symbol="BTCUSDT")}


def test_a_standby_has_all_that_was_acknowledged_and_takes_over_with_it(pair):
    a, b = pair.begin()
    (alice, _), keys = demo(pair)
    for number in range(50):
        place(alice, number)
    # The acknowledgement of the last order says that b has it, durable.
    assert b.now()["durable"] >= a.now()["commitPoint"]
    pair.hosts["a"].kill("matchd")
    b.lead(3, cause="grace")
    pair.hosts["b"].start("gatewayd")
    again, _ = clients(pair.hosts["b"], keys)
    assert ids(again) == {f"order-{number}" for number in range(50)}
    place(again, 50)
    assert len(ids(again)) == 51
    # The old primary follows now, and becomes what the new one requires.
    pair.hosts["a"].running.pop("gatewayd").kill()
    pair.start("a")
    a.follow(3)
    pair.join("b", "a", 3)
    place(again, 51)
    assert a.now()["durable"] >= b.last["commitPoint"]
    ends = {name: pair.orders[name].last["replica"] for name in "ab"}
    assert ends["a"] != ends["b"]
    pair.end()
    ours, theirs = pair.records("a"), pair.records("b")
    shorter = min(len(ours), len(theirs))
    assert ours[:shorter] == theirs[:shorter] and abs(len(ours) - len(theirs)) <= 2


def test_what_was_not_acknowledged_is_cut_and_what_was_is_not(pair):
    a, b = pair.begin()
    (alice, _), keys = demo(pair)
    place(alice, 0)
    pair.hosts["b"].kill("matchd")
    alice.seconds_max = 3
    alice.close()
    with pytest.raises(Unknown):
        place(alice, 1)
    end = a.until("the order waits on its own disk, and the lease is over",
                  lambda r: r["durable"] > r["commitPoint"] and not r["holdsLease"])
    pair.hosts["a"].kill("matchd")
    pair.hosts["a"].kill("gatewayd")
    pair.start("b")
    b.follow(2)
    b.lead(3, cause="grace")
    pair.hosts["b"].start("gatewayd")
    again, _ = clients(pair.hosts["b"], keys)
    assert ids(again) == {"order-0"}
    place(again, 2)
    # It has a record that no other host has: it cuts it, by the next process.
    pair.start("a")
    assert a.last["end"] == end["durable"]
    cutter = pair.hosts["a"].running["matchd"]
    a.follow(3)
    await_true("it ends to cut", lambda: cutter.poll() is not None)
    assert cutter.returncode == 75, pair.hosts["a"].log_tail("matchd")
    a.close()
    del pair.hosts["a"].running["matchd"]
    pair.start("a")
    assert a.last["end"] < end["durable"]
    a.follow(3)
    pair.join("b", "a", 3)
    assert list((pair.hosts["a"].state / "journal" / "cut").iterdir()), "what was cut is kept"
    pair.end()
    ours, theirs = pair.records("a"), pair.records("b")
    shorter = min(len(ours), len(theirs))
    assert ours[:shorter] == theirs[:shorter]


def test_a_switchover_loses_nothing_and_the_old_primary_follows(pair):
    a, b = pair.begin()
    (alice, _), keys = demo(pair)
    for number in range(20):
        place(alice, number)
    began = time.monotonic()
    a.order("holdIntake", 2)
    a.until("intake is held", lambda r: r["isIntakeHeld"] and r["commitPoint"] == r["end"])
    assert a.order("seal", 2)["state"] == "sealed"
    b.until("it is handed over", lambda r: r["isHandedOver"])
    b.promise_and_lead(3, requirement=a.last["replica"], cause="switchover")
    assert a.follow(3)["state"] == "following"
    b.open(3)
    print(f"switchover in {1000 * (time.monotonic() - began):.0f} ms")
    b.until("the lease is held", lambda r: r["holdsLease"])
    pair.hosts["b"].start("gatewayd")
    again, _ = clients(pair.hosts["b"], keys)
    assert ids(again) == {f"order-{number}" for number in range(20)}
    place(again, 20)
    assert a.now()["durable"] >= b.now()["commitPoint"]
    # And back, by the process that has led before.
    b.order("holdIntake", 3)
    b.until("intake is held", lambda r: r["isIntakeHeld"] and r["commitPoint"] == r["end"])
    b.order("seal", 3)
    a.until("it is handed over", lambda r: r["isHandedOver"])
    a.promise_and_lead(4, requirement=b.last["replica"], cause="switchover")
    assert b.follow(4)["state"] == "following"
    a.open(4)
    a.until("the lease is held", lambda r: r["holdsLease"])
    (alice, _) = clients(pair.hosts["a"], keys)
    await_true("its gateway goes on", lambda: len(ids(alice)) == 21)
    place(alice, 21)
    pair.end()
    ours, theirs = pair.records("a"), pair.records("b")
    shorter = min(len(ours), len(theirs))
    assert ours[:shorter] == theirs[:shorter] and abs(len(ours) - len(theirs)) <= 2


def test_orders_of_lower_epochs_and_of_other_processes_are_not_obeyed(pair):
    a, b = pair.begin()
    before = b.now()
    stale = b.order("promise", 1)
    assert (stale["state"], stale["promise"]) == ("following", before["promise"])
    b.number += 1
    line = '{"run":"%016x","number":%d,"process":"%016x","epoch":9,"action":"promise"}\n'
    b.socket.sendall((line % (b.run, b.number, 1)).encode())
    time.sleep(0.3)
    assert b.now()["promise"] == before["promise"]
    # A line that is no order ends the connection, and nothing else.
    b.socket.sendall(b"no order\n")
    b.close()
    assert b.connect()["state"] == "following"
    assert a.now()["state"] == "leading"


def test_who_has_no_certificate_of_the_cluster_reaches_nothing(pair, tmp_path):
    a, _ = pair.begin()
    text = (pair.hosts["a"].config).read_text()
    port = next(int(line.rsplit(":", 1)[1].strip('"')) for line in text.splitlines()
                if line.startswith("replication"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain:
        with pytest.raises((ssl.SSLError, OSError)):
            with context.wrap_socket(plain) as stranger:
                stranger.settimeout(10)
                stranger.sendall(b"x" * 64)
                if stranger.recv(1) == b"":
                    raise OSError("closed")
    # One that only holds the connection open takes nothing from the standby.
    with socket.create_connection(("127.0.0.1", port)):
        before = a.now()["commitPoint"]
        pair.hosts["a"].demo()
        a.until("the log goes on", lambda r: r["commitPoint"] > before)
        assert a.last["holdsLease"]
