"""What the agent says is what SNMP gives: every object of the MIB, nothing else, and unknown when
nobody knows. Over SNMPv3 with authentication and privacy, through a real snmpd."""
import json
import re
import subprocess
import time

from world import ENTERPRISE, MIB, await_true, check, host_state, send, standard_mibs

DATE = "2023-11-14,22:13:20.5,+0:0"
WHOLE_DATE = "2023-11-14,22:13:20.0,+0:0"
LONG = "x" * 87 + "~970138f5"


def objects():
    """The objects of the MIB that can be read, by libsmi's account."""
    done = subprocess.run(
        ["smidump", "-f", "identifiers", str(MIB)], capture_output=True, text=True, check=True,
        env={"SMIPATH": str(standard_mibs()), "PATH": "/usr/bin:/bin"},
    )
    kinds = (line.split() for line in done.stdout.splitlines())
    return {parts[1] for parts in kinds if len(parts) > 2 and parts[2] in ("scalar", "column")}


def columns(prefix, index, values):
    return {f"{prefix}{name}.{index}": str(value) for name, value in values.items()}


def expected():
    """What a walk gives for `host_state()`: written down here from the MIB, not from the code."""
    values = {
        "Version": "0.1.0", "HostName": "primary-1", "WorstState": 3, "AgentAnswers": 1,
        "Started": WHOLE_DATE, "Checks": 6, "ChecksDropped": 3, "Alarms": 3, "EventsNoted": 0,
        "EventsSent": 0, "ExchangeRunning": 1, "ExchangeRole": 2, "ExchangeEpoch": 4,
        "ExchangeReleased": 2**40, "ExchangeDurable": 101, "ExchangeApplied": 102,
        "ExchangeCommands": 103, "ExchangeSyncs": 104, "ExchangeSyncMedian": 105_000,
        "ExchangeSyncP99": 6_000_000_000, "ExchangeConnections": 3, "ExchangeConnectionsMax": 64,
        "ExchangeFollowers": 2, "ExchangeIngressFill": 11, "ExchangeLogFill": 12,
        "ExchangeDiskFree": 2**41, "ExchangeDiskReserve": 268_435_456, "ExchangeBelowReserve": 2,
        "ExchangeHashMark": 99, "RedundancyOwnState": 9, "RedundancyPeerState": 2,
        "RedundancyPrimary": 1, "RedundancyPeerSeen": 2, "RedundancyInhibited": 2,
        "RedundancyLastReason": 1, "RedundancySwitchovers": 0, "RedundancyInSync": 1,
        "RedundancyLag": 0, "RedundancyGateWait": 0, "RedundancyWatchdogArmed": 2,
        "RedundancyLossIfFailedNow": 1,
    }
    all_values = columns("bourse", 0, values)
    unit = {"Load": "loaded", "Restarts": 2, "Since": WHOLE_DATE, "Status": "record 12",
            "Watchdog": 30_000_000}
    all_values |= columns("bourseDaemon", '"bourse-matchd.service"', unit | {
        "State": 1, "Substate": "running", "Process": 812, "Memory": 5_000_000_000,
        "CPU": 123_456_789_012})
    all_values |= columns("bourseDaemon", '"bourse-gatewayd.service"', unit | {
        "State": 4, "Substate": "failed", "Process": 0})
    checks = {
        '101."engine"': ("cpu.thread-affinity", "engine", "ok", 0, {}),
        '205."eth0/rx-0"': ("nic.drops", "eth0/rx-0", "warning", 2**33, {
            "Value": 12, "Exact": 12, "Unit": "percent", "Warning": 1, "Critical": 100}),
        '301.""': ("disk.free", "", "critical", 0, {
            "Value": -2**31, "Exact": -5 * 2**40, "Unit": "bytes"}),
        '601."bourse-gatewayd.service"': (
            "unit.state", "bourse-gatewayd.service", "critical", 0, {}),
        '702.""': ("time.offset", "", "unknown", 0, {}),
        f'901."{LONG}"': ("long", "x" * 300, "ok", 0, {}),
    }
    states = {"ok": 1, "warning": 2, "critical": 3, "unknown": 4}
    for index, (kind, subject, state, failures, more) in checks.items():
        name = f"{kind}/{subject}" if subject else kind
        text = f"{kind} is {state}"
        all_values |= columns("bourseCheck", index, {
            "Name": name[:255], "State": states[state], "Unit": "", "Changed": DATE,
            "Failures": failures, "Text": text} | more)
        if state in ("warning", "critical"):
            all_values |= columns("bourseAlarm", index, {
                "Check": f"bourseCheckName.{index}", "State": states[state], "Raised": DATE,
                "Text": text})
    threads = {
        '"engine".1': {"Id": 813, "CPU": 2, "Declared": 2},
        '"worker".1': {"Id": 814, "CPU": 1},
        '"worker".2': {"Id": 815, "CPU": 2},
    }
    for index, more in threads.items():
        all_values |= columns("bourseThread", f'"bourse-matchd.service".{index}', {
            "Process": 812, "Allowed": 2, "Voluntary": 5, "Involuntary": 7} | more)
    all_values |= columns("bourseQueue", '"eth0"."rx-0"', {
        "IRQ": 77, "CPUs": "0-1", "Packets": 2**33, "Drops": 0})
    all_values |= columns("bourseQueue", '"eth0"."rx-1"', {"CPUs": 2})
    all_values |= columns("bourseDisk", '"nvme0n1"', {
        "Size": 2**40, "Reads": 10, "Writes": 11, "WriteTime": 120, "FlushTime": 900, "Busy": 4,
        "Temperature": -3, "Used": 1})
    all_values |= columns("bourseDirectory", '"journal"', {
        "Path": "/var/lib/bourse/journal", "Size": 2**40, "Free": 2**39, "Inodes": 1000,
        "InodesFree": 900})
    all_values |= columns("bourseChain", "1", {
        "Name": "bitcoin", "Asset": "BTC", "Condition": "in step", "Tip": 914_220,
        "Credited": 914_214, "Pending": 2, "Approved": 4, "Open": 3, "Free": 2**40,
        "Total": 2**41, "Cold": 2**42, "Ceiling": 2**43, "Target": 2**39, "Hot": 25})
    all_values |= columns("bourseChain", "7", {
        "Name": "litecoin", "Asset": "", "Condition": "no node", "Credited": 0, "Pending": 0})
    return all_values


def test_a_walk_gives_all_that_the_agent_says_and_nothing_else(world):
    got = world.walk()
    assert int(got.pop("bourseDataAge.0")) <= 2
    assert got == expected()


def test_every_object_of_the_mib_is_there(world):
    got = {name.split(".")[0] for name in world.walk()}
    # What only a host of a cluster has. Event objects are in notifications.
    kept = {name for name in objects() if name.startswith("bourseSwitchover")} | CLUSTER_ONLY
    kept |= {name for name in objects() if re.match("bourseEvent[A-RT-Z]|bourseEventS[^e]", name)}
    indexes = {
        "bourseDaemonName", "bourseCheckKind", "bourseCheckSubject", "bourseThreadUnit",
        "bourseThreadName", "bourseThreadNumber", "bourseQueueInterface", "bourseQueueName",
        "bourseDiskName", "bourseDirectoryName", "bourseChainNumber",
    }
    assert objects() - kept - indexes - {"bourseEventSequence"} <= got
    assert got <= objects()


def cluster(**more):
    """GET /v1/cluster of a primary in sync with its standby, to which it changed twice."""
    def change(number, **own):
        return {"number": number, "time": 1_700_000_000_500_000_000, "epoch": number + 1,
                "from": "a", "to": "b", "cause": "grace", "why": "the former primary gave no sign",
                "pauseNanos": 1_234_000_000} | own
    host = {"host": "a", "peer": "b", "role": "primary", "epoch": 3, "sentence": "leads",
            "primary": "a", "inSync": ["a", "b"], "recordEpoch": 3, "floor": 9, "lagRecords": 5,
            "lagNanos": 0, "end": 9, "released": 9, "atRiskRecords": 0, "paused": False,
            "peerOut": False, "changes": [],
            "etcd": [{"name": name, "leads": name == "w", "since": 1,
                      "fault": "no answer" if name == "b" else None} for name in "abw"],
            "primaryChanges": [change(1), change(2, cause="switchover", to="a", pauseNanos=None,
                                                 why="an operator ordered a switchover", **{
                                                     "from": "b"})]}
    peer = host | {"host": "b", "peer": "a", "role": "standby", "atRiskRecords": None}
    return host | {"peerAgent": {"reachable": True, "document": peer}} | more


CLUSTER_ONLY = {f"bourseRedundancy{name}" for name in (
    "LastChange", "LastDuration", "LastCause", "Arbiter", "ArbiterMembers", "AtRisk")}


def redundancy(world):
    return {name.removeprefix("bourseRedundancy").removesuffix(".0"): value
            for name, value in world.walk("bourseRedundancy").items()}


def test_a_cluster_is_shown_with_its_last_changes(world):
    world.agent.cluster = cluster()
    await_true("the cluster", lambda: world.get("bourseRedundancyPeerState.0") == "7")
    assert redundancy(world) == {
        "OwnState": "9", "PeerState": "7", "Primary": "1", "PeerSeen": "1", "Inhibited": "2",
        "LastReason": "2", "Switchovers": "2", "InSync": "1", "Lag": "5",
        "WatchdogArmed": "2", "LossIfFailedNow": "2", "LastChange": DATE,
        "LastCause": "an operator ordered a switchover", "Arbiter": "1", "ArbiterMembers": "2",
        "AtRisk": "0",
    }
    assert world.walk("bourseSwitchoverTable") == {
        "bourseSwitchoverTime.1": DATE, "bourseSwitchoverTime.2": DATE,
        "bourseSwitchoverReason.1": "4", "bourseSwitchoverReason.2": "2",
        "bourseSwitchoverEpoch.1": "2", "bourseSwitchoverEpoch.2": "3",
        "bourseSwitchoverRole.1": "4", "bourseSwitchoverRole.2": "3",
        "bourseSwitchoverPause.1": "1234",
    }

    # Alone: the peer is away, and what it would lose is counted.
    world.agent.cluster = cluster(
        inSync=["a"], atRiskRecords=7, etcdFault="no majority", lagRecords=None,
        peerAgent={"reachable": False}, primaryChanges=cluster()["primaryChanges"][:1])
    await_true("it is alone", lambda: world.get("bourseRedundancyInSync.0") == "2")
    found = redundancy(world)
    assert found.pop("LastChange") == DATE
    assert found == {
        "OwnState": "9", "PeerState": "1", "Primary": "1", "PeerSeen": "2", "Inhibited": "2",
        "LastReason": "4", "Switchovers": "1", "InSync": "2",
        "WatchdogArmed": "2", "LossIfFailedNow": "1", "LastDuration": "1234",
        "LastCause": "the former primary gave no sign", "Arbiter": "2", "ArbiterMembers": "2",
        "AtRisk": "7",
    }

    # Its agent is away, or it is in no cluster: nothing of that is said any more.
    world.agent.cluster = None
    await_true("it is in no cluster", lambda: world.get("bourseRedundancyArbiter.0") is None)
    assert not {f"bourseRedundancy{name}" for name in redundancy(world)} & CLUSTER_ONLY


def test_one_by_one_is_the_same_as_in_bulk(world):
    bulk = list(world.walk())
    lines = world.tool(
        "snmpwalk", "-Os", f"127.0.0.1:{world.port}", "BOURSE-MIB::bourseMIB").splitlines()
    assert [line.split(" = ")[0] for line in lines] == bulk
    numbers = world.tool("snmpbulkwalk", "-On", f"127.0.0.1:{world.port}", ENTERPRISE).splitlines()
    names = [tuple(map(int, line.split(" = ")[0].strip(".").split("."))) for line in numbers]
    assert names == sorted(names) and len(names) == len(bulk)


def test_missing_objects_are_reported(world):
    assert world.get("bourseWorstState.0") == "3"
    assert world.get('bourseCheckValue.702.""') is None
    assert world.get('bourseCheckState.999.""') is None
    assert world.get("bourseWorstState.1") is None


def test_nothing_can_be_set(world):
    world.tool("snmpset", f"127.0.0.1:{world.port}", "BOURSE-MIB::bourseHostName.0", "s", "x",
               check=False)
    assert world.get("bourseHostName.0") == "primary-1"


def test_a_change_is_seen_within_seconds(world):
    world.agent.state["checks"][0] = check(101, "cpu.thread-affinity", "engine", "critical")
    await_true("the check's new state", lambda: world.get('bourseCheckState.101."engine"') == "3")
    world.agent.state["checks"].pop(0)
    await_true("the check is gone", lambda: world.get('bourseCheckState.101."engine"') is None)


def test_an_exchange_that_does_not_run_has_no_numbers(world):
    world.agent.state["exchange"] = {"running": False}
    await_true("not running", lambda: world.get("bourseExchangeRunning.0") == "2")
    assert set(world.walk("bourseExchange")) == {"bourseExchangeRunning.0", "bourseExchangeRole.0"}
    assert world.get("bourseRedundancyOwnState.0") == "1"
    assert world.get("bourseWorstState.0") == "3"


def test_as_many_checks_as_the_agent_can_have(world):
    """4,096 checks (and 15 values each) in one answer, each with its row."""
    world.agent.state["checks"] = [check(101, "cpu", f"cpu{n}", value=n) for n in range(4_096)]
    await_true("all of them", lambda: world.get("bourseChecks.0") == "4096")
    values = world.walk("bourseCheckValue")
    assert values == {f'bourseCheckValue.101."cpu{n}"': str(n) for n in range(4_096)}


# --- nobody knows ---


def expect_unknown(world):
    got = world.walk()
    assert got["bourseWorstState.0"] == "4"
    states = [value for name, value in got.items() if name.startswith("bourseCheckState.")]
    assert states == ["4"] * 6
    assert got['bourseDaemonState."bourse-matchd.service"'] == "8"
    assert [value for name, value in got.items() if name.startswith("bourseAlarmState.")] == [
        "4", "4", "4"]
    stale = ("bourseThread", "bourseQueue", "bourseDisk", "bourseDirectory", "bourseCheckValue",
             "bourseChain")
    assert not [name for name in got if name.startswith(stale)]
    assert set(world.walk("bourseExchange")) == {"bourseExchangeRunning.0", "bourseExchangeRole.0"}
    assert got["bourseExchangeRole.0"] == "1" and got["bourseRedundancyOwnState.0"] == "1"


def test_values_are_unknown_while_the_agent_is_away(world):
    world.agent.stop()
    await_true("not believed any more", lambda: world.get("bourseAgentAnswers.0") == "2")
    first = int(world.get("bourseDataAge.0"))
    assert first >= 5
    expect_unknown(world)
    await_true("the age rises", lambda: int(world.get("bourseDataAge.0")) > first)
    world.agent.start()
    await_true("believed again", lambda: world.get("bourseAgentAnswers.0") == "1")
    assert world.get("bourseWorstState.0") == "3"
    assert int(world.get("bourseDataAge.0")) <= 2


def test_an_agent_that_never_answered_is_reported(idle):
    idle.start_snmptrapd().start_snmpd().start_subagent()
    await_true("served", lambda: idle.get("bourseAgentAnswers.0") == "2")
    assert idle.get("bourseDataAge.0") == "4294967295"
    assert idle.get("bourseWorstState.0") == "4"
    assert idle.get("bourseVersion.0") == "0.1.0"
    assert idle.walk("bourseCheckTable") == {}


def huge(handler):
    """Answers without end, as fast as it can."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(4_096):
        handler.wfile.write(b" " * 65_536)


def drip(handler):
    """A byte now and then."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def status(code):
    return lambda handler: handler.send_error(code)


def body(text):
    return lambda handler: send(handler, text)


def not_http(handler):
    handler.wfile.write(b"\r\n\r\n\x00\xff" * 1_000)


def too_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(b"{")


def without_a_member(name):
    state = host_state()
    state.pop(name)
    return body(json.dumps(state).encode())


HOSTILE = {
    "garbage": body(b"\x00\xff garbage"),
    "half of it": body(b'{"host":"a","checks":['),
    "deep": body(b"[" * 100_000),
    "many": body(b"[" + b"0," * 1_000_000 + b"0]"),
    "another kind": body(b'{"host":1,"checks":{}}'),
    "no checks": without_a_member("checks"),
    "no host": without_a_member("host"),
    "an error": status(500),
    "huge": huge,
    "dripping": drip,
    "no HTTP": not_http,
    "too short": too_short,
    "nothing": lambda handler: None,
}


def test_malformed_replies_do_no_harm(world):
    """None is believed, none ends the subagent, and SNMP goes on answering meanwhile."""
    for name, answer in HOSTILE.items():
        world.agent.instead = answer
        asked = len(world.agent.asked)
        await_true(f"asked again, for {name}", lambda: len(world.agent.asked) >= asked + 3)
        world.get("bourseWorstState.0")
        if name != next(iter(HOSTILE)):
            assert world.get("bourseAgentAnswers.0") == "2", name
        else:
            await_true(f"{name} is not believed", lambda: world.get("bourseAgentAnswers.0") == "2")
        world.check_alive("bourse-snmp")
    expect_unknown(world)
    world.agent.instead = None
    await_true("believed again", lambda: world.get("bourseAgentAnswers.0") == "1")


def test_it_reads_chunks_too(world):
    def chunked(handler):
        if "events" in handler.path:
            return world.agent.answer(handler)
        text = json.dumps(dict(host_state(), host="in-chunks")).encode()
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(text), 1_000):
            part = text[start:start + 1_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    world.agent.instead = chunked
    await_true("the host's new name", lambda: world.get("bourseHostName.0") == "in-chunks")
