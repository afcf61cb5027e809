"""What an operator of a cluster types, against real daemons and a real etcd: each verb is done and
says so, or is refused with a reason and the way out."""
import json
import threading

import pytest
from pair import await_true
from test_failover import Trader
from trio import Trio

DRILLS_MAX = 5


@pytest.fixture
def trio(tmp_path):
    made = Trio(tmp_path)
    try:
        made.start_all()
        yield made
    finally:
        made.end()


def test_status_shows_the_cluster_and_what_is_not_known(trio):
    # The agents connect to each other soon after the hosts are in sync.
    await_true("no problems", lambda: trio.status("a")["problems"] == [])
    found = trio.status("a")
    assert (found["host"], found["primary"], found["recordSource"]) == ("a", "a", "etcd")
    assert sorted(found["inSync"]) == ["a", "b"]
    rows = {row["name"]: row for row in found["hosts"]}
    assert [rows[name]["role"] for name in "abw"] == ["primary", "standby", "witness"]
    assert rows["b"]["lagRecords"] is not None and rows["b"]["lagMilliseconds"] is not None
    assert [row["etcd"] for row in found["hosts"]] == ["healthy"] * 3
    assert {"opened", "added"} <= {change["what"] for change in found["changes"]}
    assert all(change["why"] for change in found["changes"])
    text = trio.ctl("a", "cluster", "status").stdout
    assert "a (here)" in text and "leads epoch" in text and "CHANGE HERE" in text
    # The witness sees the same by etcd alone.
    assert trio.status("w")["primary"] == "a"

    # Without its agent.
    trio.hosts["a"].kill("agentd")
    found = trio.status("a")
    assert found["primary"] == "a" and found["agent"] is None
    assert any("systemctl start bourse-agentd" in problem for problem in found["problems"])
    trio.hosts["a"].spawn("agentd")
    trio.in_sync("a")

    # Without a majority of etcd: as the agent last knew it, then as the own member does.
    for name in ("b", "w"):
        trio.systemctl(name, "stop")
    await_true("the agent knows", lambda: trio.document("a")["etcdFault"])
    found = trio.status("a")
    assert (found["primary"], found["recordSource"]) == ("a", "agent")
    assert any("etcd has no majority" in problem for problem in found["problems"])
    trio.hosts["a"].kill("agentd")
    found = trio.status("a")
    assert (found["primary"], found["recordSource"]) == ("a", "member"), found


def test_a_switchover_says_how_long_it_took(trio):
    trader = Trader(trio)
    assert trader.place("a")
    assert "there: sudo boursectl switchover" in trio.refusal("b", "switchover")
    done = trio.ctl_json("a", "switchover")
    assert (done["from"], done["to"]) == ("a", "b") and done["epoch"] > 1
    assert 0 < done["pauseMilliseconds"] <= done["milliseconds"]
    print(f"switchover: {done}")
    trio.in_sync("b")
    trader.first("b")
    trader.check("a")


def test_a_standby_is_removed_and_added_and_claims_are_paused(trio):
    trader = Trader(trio)
    assert trader.place("a")
    assert "there: sudo boursectl standby remove" in trio.refusal("b", "standby", "remove")
    assert trio.ctl_json("a", "standby", "remove")["inSync"] == ["a"]
    assert "b is not in sync" in trio.refusal("a", "switchover")
    assert any("standby add" in problem for problem in trio.status("a")["problems"])
    assert trader.place("a")
    assert sorted(trio.ctl_json("a", "standby", "add")["inSync"]) == ["a", "b"]
    assert trio.ctl_json("b", "cluster", "pause") == {"host": "b", "paused": True}
    trio.lose("a")
    await_true("b does not claim", lambda: "paused" in trio.document("b")["sentence"])
    assert trio.ctl_json("b", "cluster", "resume")["paused"] is False
    trader.first("b")
    trader.check("b")


def test_a_forced_failover_wants_proof_and_says_what_is_lost(trio):
    trader = Trader(trio)
    assert trader.place("a")
    assert "leads epoch" in trio.refusal("a", "failover", "a")
    assert "this host is b" in trio.refusal("b", "failover", "a")
    # b is out, and a goes on: what it acknowledges now b lacks.
    trio.lose("b")
    await_true("a is alone", lambda: trio.document("a")["inSync"] == ["a"])
    assert trader.place("a")
    trio.lose("a")
    trio.power("b")
    await_true("b is no standby", lambda: (found := trio.document("b")) and (
        found["role"] == "learner"))
    said = trio.refusal("b", "failover", "b")
    assert "needs a terminal" in said and "--peer-is-off --yes-name b" in said, said
    assert "nothing says that it is off" in trio.refusal("b", "failover", "b", "--yes-name", "b")
    assert "is not b" in trio.refusal("b", "failover", "b", "--peer-is-off", "--yes-name", "a")
    done = trio.ctl("b", "failover", "b", "--peer-is-off", "--yes-name", "b")
    assert "lost: " in done.stdout and "leads epoch" in done.stdout, done.stdout
    trader.acknowledged = {"order-1"}
    trader.number += 10
    trio.gateway("b")
    trader.first("b")
    trader.check("b")


def drill(trio):
    """A drill on a, and the switchover back on b once b leads: its report; None, given up. On a
    busy machine a host may not take over in time; then nothing has changed."""
    done = []
    giving = threading.Thread(target=lambda: done.append(trio.ctl(
        "a", "--output", "json", "drill", "--pause-max", "30000", check=False)))
    giving.start()

    def goes_back():
        document = trio.document("b")
        if document and document["role"] == "primary" and len(document["inSync"]) == 2:
            trio.ctl("b", "switchover", check=False)
        return not giving.is_alive()

    await_true("the drill ends", goes_back)
    giving.join()
    print(done[0].stdout, done[0].stderr)
    if not done[0].stdout:
        assert "the switchover was given up" in done[0].stderr
        return None
    report = json.loads(done[0].stdout)
    assert report["passed"] == all(check["passed"] for check in report["checks"])
    assert done[0].returncode == (0 if report["passed"] else 1), report
    assert [(step["from"], step["to"]) for step in report["steps"]] == [("a", "b"), ("b", "a")]
    assert len(report["checks"]) >= 7
    return report


def test_a_drill_passes_and_reports_both_ways(trio):
    trader = Trader(trio)
    stop = threading.Event()

    def trade():
        while not stop.is_set():
            for name in "ab":
                trader.place(name)

    traders = threading.Thread(target=trade)
    traders.start()
    try:
        for _ in range(DRILLS_MAX):
            trio.in_sync("a")
            report = drill(trio)
            if report and report["passed"]:
                break
        else:
            raise AssertionError("no drill passes")
    finally:
        stop.set()
        traders.join()
    trader.check("a")
    # It begins with a healthy cluster only.
    trio.lose("b")
    await_true("a is alone", lambda: trio.document("a")["inSync"] == ["a"])
    assert "a drill begins with a healthy cluster" in trio.refusal("a", "drill")
