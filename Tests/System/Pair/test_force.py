"""A forced failover: what it asks of an operator, what it loses, and how the host that had more
comes back, with what was cut listed, or set aside where nobody gave it up."""
import contextlib
import json
import os
import shutil
from pathlib import Path

from exchange import Exchange
from journal import Journal
from pair import await_true
from test_etcd_lost import lose_etcd
from test_failover import Trader


def typed(trio, name, text, *words):
    """What a verb prints and its status, where this is typed on a terminal."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, text.encode() + b"\n")
        return trio.ctl(name, *words, check=False, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def goes_on_alone(trio, trader, leads, follows):
    """The standby is lost, the primary acknowledges orders that it lacks and is lost as well; the
    standby is back. Gives those orders."""
    trio.lose(follows)
    await_true(f"{leads} is alone", lambda: trio.document(leads)["inSync"] == [leads])
    before = set(trader.acknowledged)
    for _ in range(3):
        trader.first(leads)
    trio.lose(leads)
    trio.power(follows)
    trio.gateway(follows)
    await_true(f"{follows} is no standby", lambda: (found := trio.document(follows)) and (
        found["role"] == "learner"))
    lost, trader.acknowledged = trader.acknowledged - before, before
    return lost


def orders(lines):
    """Client order ids among records as boursectl prints them."""
    found = set()
    for line in lines.splitlines():
        text = json.dumps(json.loads(line))
        found |= {word for word in text.replace('"', " ").split() if word.startswith("order-")}
    return found


def test_forced_it_wants_proof_and_lists_what_it_lost(trio):
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    lost = goes_on_alone(trio, trader, a, b)
    said = trio.refusal(b, "failover", b)
    assert "needs a terminal" in said and f"--peer-is-off --yes-name {b}" in said, said
    assert "nothing says that it is off" in trio.refusal(b, "failover", b, "--yes-name", b)
    for name in (a, ""):
        assert f"is not {b}" in trio.refusal(b, "failover", b, "--peer-is-off", "--yes-name", name)
    # A host that answers is not off, whatever is typed.
    trio.hosts[a].spawn("agentd")
    await_true("a answers", lambda: "it is not off" in trio.refusal(
        b, "failover", b, "--peer-is-off", "--yes-name", b))
    trio.hosts[a].kill("agentd")
    for text in (a, "", b.upper(), f"{b} {b}"):
        done = typed(trio, b, text, "failover", b)
        assert done.returncode == 1 and "not confirmed; nothing was done" in done.stderr, done
    assert trio.document(b)["role"] == "learner" and not trader.place(b)
    done = typed(trio, b, b, "failover", b)
    assert f"the power of {a} is off: " in done.stderr and "floor" in done.stderr, done.stderr
    assert done.returncode == 0 and "lost: " in done.stdout and "leads epoch" in done.stdout
    trader.first(b)
    trader.check(b)
    assert not lost & trader.shown(b)

    # a follows by itself, cuts what was given up, and lists it.
    assert trio.ctl_json(a, "journal", "lost") == []
    trio.power(a)
    trio.in_sync(b)
    cuts = trio.ctl_json(a, "journal", "lost")
    assert cuts and sum(cut["records"] for cut in cuts) >= len(lost), cuts
    listed = orders(trio.ctl(a, "--output", "json", "journal", "lost", "--records").stdout)
    assert listed == lost, (listed, lost)
    assert trio.ctl(b, "journal", "lost").stdout.startswith("Nothing was cut")
    trio.gateway(a)
    trader.check(a)


def ended(terminal):
    """What is left to read of a terminal whose other end is closed."""
    found = b""
    with contextlib.suppress(OSError), open(terminal, "rb", buffering=0) as reader:
        while piece := reader.read(4_096):
            found += piece
    return found.decode()


def asked(trio, name):
    """A failover that waits for the host's name, and its terminal."""
    ours, theirs = os.openpty()
    asking = trio.start_ctl(name, "failover", name, stdin=theirs, stderr=theirs)
    # So that reading ends where the command does.
    os.close(theirs)
    said = b""
    while b"is off: " not in said:
        said += os.read(ours, 4_096)
    return asking, ours


def test_forced_while_the_other_host_is_back(trio):
    """An operator looks, and before the name is typed the host that was off answers; or it claims
    anew and trades, and is off again: what it acknowledged since was in no statement."""
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    trader.acknowledged |= goes_on_alone(trio, trader, a, b)
    asking, terminal = asked(trio, b)
    trio.hosts[a].spawn("agentd")
    await_true("a answers", lambda: "it is not off" in trio.refusal(
        b, "failover", b, "--peer-is-off", "--yes-name", b))
    os.write(terminal, b.encode() + b"\n")
    assert asking.wait(60) == 1 and "it is not off" in ended(terminal)
    trio.hosts[a].kill("agentd")
    before = trio.document(b)["recordEpoch"]
    asking, ours = asked(trio, b)
    trio.power(a)
    trio.gateway(a)
    trio.in_sync(a)
    # b is behind again by what nobody told its operator of.
    trader.acknowledged |= goes_on_alone(trio, trader, a, b)
    await_true("b's agent knows", lambda: (found := trio.document(b)) and (
        found["recordEpoch"] or 0) > before)
    os.write(ours, b.encode() + b"\n")
    assert asking.wait(60) == 1
    said = ended(ours)
    assert "the other host was at work since" in said, said
    assert trio.document(b)["role"] == "learner"
    trio.power(a)
    trio.gateway(a)
    trio.in_sync(a)
    trader.check(a)


def made_anew(trio, trader, forgets):
    """A host is given up by force, then etcd is lost and made anew: by an agent that knows the last
    record, or one that began after it was lost. Gives the host that was given up, the other one,
    and what only the first has."""
    a, b = trio.roles()
    trader.first(a)
    lost = goes_on_alone(trio, trader, a, b)
    trio.ctl(b, "failover", b, "--peer-is-off", "--yes-name", b)
    trader.first(b)
    if forgets:
        trio.hosts[b].kill("agentd")
    lose_etcd(trio, "w", b)
    if forgets:
        trio.hosts[b].spawn("agentd")
    await_true("b goes on", lambda: (found := trio.document(b)) and (
        found["role"] == "primary" and found["etcdFault"]))
    trio.ctl(b, "standby", "remove", "--force", "--peer-is-off", "--yes-name", b)
    trader.first(b)
    trio.bring_key(b)
    trio.rejoin(("w", a), b)
    trio.power(a)
    return a, b, lost


def test_what_was_given_up_stays_so_where_etcd_is_made_anew(trio):
    trader = Trader(trio)
    a, b, lost = made_anew(trio, trader, forgets=False)
    trio.in_sync(b)
    listed = orders(trio.ctl(a, "--output", "json", "journal", "lost", "--records").stdout)
    assert listed == lost, (listed, lost)
    trio.gateway(a)
    trader.check(a)


def test_a_host_that_would_cut_what_was_released_rejoins(trio):
    trader = Trader(trio)
    # The record does not say any more that a's records were given up.
    a, b, lost = made_anew(trio, trader, forgets=True)

    def stops():
        found = trio.document(a)
        return found and "boursectl rejoin" in found["sentence"]

    await_true("a stops", stops)
    said = trio.status(a)["problems"]
    assert any("boursectl rejoin" in problem for problem in said), said
    assert trio.ctl_json(a, "journal", "lost") == []
    assert "stop it" in trio.refusal(a, "rejoin", "--yes-name", a)
    for daemon in ("agentd", "matchd"):
        trio.hosts[a].kill(daemon)
    assert f"add --yes-name {a}" in trio.refusal(a, "rejoin")
    assert f"is not {a}" in trio.refusal(a, "rejoin", "--yes-name", b)
    assert "not confirmed" in typed(trio, a, b, "rejoin").stderr
    end = len(trio.records(a))
    done = typed(trio, a, a, "--output", "json", "rejoin")
    assert done.returncode == 0, done.stderr
    aside = json.loads(done.stdout)
    assert aside["host"] == a and aside["last"] == end and aside["aside"]
    # What it had is all there, aside.
    kept = b"".join(path.read_bytes() for place in aside["aside"]
                    for path in Path(place).rglob("*") if path.is_file())
    assert all(order.encode() in kept for order in lost)
    trio.power(a)
    await_true("a is a learner, or in sync already", lambda: (found := trio.document(a)) and (
        found["role"] in ("learner", "standby")))
    trio.in_sync(b)
    trio.gateway(a)
    trader.check(a)
    assert not lost & trader.shown(a)


def test_a_host_with_another_exchanges_journal_takes_no_role(trio, tmp_path):
    """Neither by force, nor does it stay with that journal when it rejoins."""
    trader = Trader(trio)
    trader.first("a")
    for name in "ab":
        first = trio.cluster(name) / "first.record"
        first.write_bytes(Journal(trio.state("a")).records[0].data)
        first.chmod(0o600)
    trio.lose("b")
    other = Exchange(tmp_path / "other")
    other.init()
    for path in ("journal", "snapshots"):
        shutil.rmtree(trio.state("b") / path, ignore_errors=True)
        if (other.state / path).exists():
            shutil.copytree(other.state / path, trio.state("b") / path)
    for path in ("replica", "floor", "journal.id"):
        shutil.copy(other.state / path, trio.state("b") / path)
    trio.power("b")
    await_true("b has its part", lambda: (found := trio.document("b")) and found["end"])
    assert "another exchange's" in trio.refusal(
        "b", "failover", "b", "--peer-is-off", "--yes-name", "b")
    trader.first("a")
    trio.lose("b")
    trio.ctl("b", "rejoin", "--yes-name", "b")
    trio.power("b")
    trio.in_sync("a")
    trio.gateway("b")
    trader.check("b")
