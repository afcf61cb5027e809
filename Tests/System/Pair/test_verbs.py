"""What an operator of a cluster types, against real daemons and a real etcd: each verb is done and
says so, or is refused with a reason and the way out."""
import json
import signal
import subprocess
import threading
import time

from pair import await_true
from test_failover import Trader

DRILLS_MAX = 5


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
    assert trio.ctl_json("b", "cluster", "pause") == {
        "host": "b", "paused": True, "peerKnows": True}
    trio.lose("a")
    await_true("b does not claim", lambda: "paused" in trio.document("b")["sentence"])
    assert trio.ctl_json("b", "cluster", "resume")["paused"] is False
    trader.first("b")
    trader.check("b")


def test_a_verb_whose_condition_does_not_hold_is_refused_with_the_way_out(trio):
    await_true("no problems", lambda: trio.status("a")["problems"] == [])
    before = trio.status("a")
    for name, words, said in (
            ("w", "switchover", "no part in the exchange"),
            ("w", "failover w", "no part in the exchange"),
            ("w", "failover a", "give the command on a or b"),
            ("w", "standby add", "no part in the exchange"),
            ("w", "standby remove", "no part in the exchange"),
            ("w", "cluster pause", "no part in the exchange"),
            ("w", "cluster resume", "no part in the exchange"),
            ("w", "cluster seed", "no part in the exchange"),
            ("w", "rejoin", "no part in the exchange"),
            ("w", "drill", "no part in the exchange"),
            ("a", "failover a", "a leads epoch"),
            ("a", "failover b", "on b: sudo boursectl failover b"),
            ("a", "failover w", "name a or b"),
            ("a", "rejoin --yes-name a", "does not lead"),
            ("a", "cluster seed --yes-name a", "a majority of etcd answers"),
            ("b", "switchover", "there: sudo boursectl switchover"),
            ("b", "standby add", "there: sudo boursectl standby add"),
            ("b", "standby remove", "there: sudo boursectl standby remove"),
            ("b", "standby remove --force --peer-is-off --yes-name b",
             "there: sudo boursectl standby remove"),
            ("b", "drill", "there: sudo boursectl drill"),
            ("b", "rejoin --yes-name b", "stop it")):
        assert said in (printed := trio.refusal(name, *words.split())), (name, words, printed)
    # What holds already is done, and changes nothing: such a verb may be given twice.
    assert sorted(trio.ctl_json("a", "standby", "add")["inSync"]) == ["a", "b"]
    assert trio.ctl_json("b", "cluster", "resume") == {
        "host": "b", "paused": False, "peerKnows": True}
    # While paused nobody would take the lead.
    assert trio.ctl_json("a", "cluster", "pause") == {
        "host": "a", "paused": True, "peerKnows": True}
    assert "`boursectl cluster resume` first" in trio.refusal("a", "switchover")
    assert trio.ctl_json("b", "cluster", "resume")["paused"] is False
    after = trio.status("a")
    assert [after[key] for key in ("epoch", "primary", "inSync", "problems")] == [
        before[key] for key in ("epoch", "primary", "inSync", "problems")]


def test_a_pause_that_the_other_host_does_not_know_is_said(trio):
    await_true("they know each other", lambda: trio.status("a")["problems"] == [])
    trio.hosts["b"].kill("agentd")
    done = trio.ctl("a", "--output", "json", "cluster", "pause")
    assert json.loads(done.stdout)["peerKnows"] is False
    assert "b does not know yet" in done.stderr and "Should a be lost" in done.stderr, done.stderr
    # It is as it says: with a lost before it knows, b takes over.
    trio.lose("a")
    trio.hosts["b"].spawn("agentd")
    await_true("b leads", lambda: (found := trio.document("b")) and found["role"] == "primary")
    assert not trio.document("b")["paused"]
    # And it hears of it when a is back.
    trio.power("a")
    await_true("b is paused", lambda: trio.document("b")["paused"])


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


def test_a_drill_whose_way_back_is_not_gone_reports_what_was_measured(trio):
    for _ in range(DRILLS_MAX):
        trio.in_sync("a")
        done = trio.ctl("a", "--output", "json", "drill", "--back", "3", check=False)
        if done.stdout:
            break
        assert "the switchover was given up" in done.stderr, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["passed"] is False
    assert [(step["from"], step["to"]) for step in report["steps"]] == [("a", "b")]
    failed = {check["check"]: check["found"] for check in report["checks"] if not check["passed"]}
    assert "not done within 3 s" in failed["switchover on b"], failed
    assert (report["primary"], report["epoch"]) == ("b", report["steps"][0]["epoch"])
    assert "on b: sudo boursectl switchover" in report["next"]


def test_a_verb_that_cannot_come_any_more_is_told_from_one_that_may(trio):
    trio.in_sync("a")
    trio.lose("b")
    await_true("a is alone", lambda: trio.document("a")["inSync"] == ["a"])
    said = trio.refusal("a", "standby", "add", "--wait", "2")
    assert "not done within 2 s" in said and "it may still come" in said, said
    adding = trio.start_ctl("a", "standby", "add", "--wait", "60", stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    time.sleep(5)  # it has been asked for by then
    trio.ctl("a", "standby", "remove")
    said = adding.communicate(timeout=120)[1]
    assert adding.returncode == 1 and "it will not come any more" in said, said
    assert "b was taken out again" in said and "it may still come" not in said, said


def test_a_verb_that_nobody_waits_for_any_more_is_not_carried_out(trio):
    a, _ = trio.roles()
    status, answer = trio.obey(a, "pause", until=1)
    assert status == 409 and "nobody waits" in json.dumps(answer), answer
    assert not trio.document(a)["paused"]


def test_an_agent_that_hangs_keeps_nobody_waiting_and_is_not_taken_for_an_outage(trio):
    a, _ = trio.roles()
    agent = trio.hosts[a].running["agentd"]
    agent.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        said = trio.refusal(a, "cluster", "pause", "--wait", "2")
        assert time.monotonic() - began < 55, "a minute, before"
        assert "systemctl restart bourse-agentd" in said, said
        found = trio.status(a)
        assert found["reopening"] is None, found["reopening"]
        assert any("bourse-agentd" in problem for problem in found["problems"]), found
    finally:
        agent.send_signal(signal.SIGCONT)
    # Nor does what it was asked for happen later.
    time.sleep(2)
    assert not trio.document(a)["paused"]
