"""A host whose owner requires a hardware watchdog and whose machine has none: it claims nothing,
whoever asks, says why, and leads when its owner does not require one any more."""
import time
from pathlib import Path

import pytest
from pair import await_true
from test_failover import Trader

QUIET_SECONDS = 4      # several times as long as a claim takes

pytestmark = pytest.mark.skipif(
    any(path.read_text().startswith("active")
        for path in Path("/sys/class/watchdog").glob("*/state")),
    reason="this machine's watchdog is armed")


def require(trio, name, policy):
    """Gives a host's agent another policy."""
    trio.hosts[name].set("cluster", "watchdog", policy)
    trio.hosts[name].kill("agentd")
    trio.hosts[name].spawn("agentd")
    await_true("its agent knows", lambda: (found := trio.document(name)) and (
        found["barred"] == (policy == "required") and found["watchdog"] != "unknown"
        and found["peerAgent"]["document"]))


def test_a_host_that_requires_a_watchdog_leads_only_with_one(trio):
    trader = Trader(trio)
    a, b = trio.roles()
    trader.first(a)
    require(trio, b, "required")
    await_true(f"{a} knows of {b}", lambda: (
        trio.document(a)["peerAgent"]["document"] or {}).get("barred"))
    # Nothing is handed over to who would not take it; a role that one has goes on.
    trio.in_sync(a)
    assert "it would not take over" in trio.refusal(a, "switchover")
    require(trio, a, "required")
    trio.in_sync(a)
    trader.first(a)
    assert f"{a} claims nothing" in " ".join(trio.status(a)["problems"])

    trio.lose(a)
    await_true("it says why", lambda: "watchdog = required" in trio.document(b)["sentence"])
    until = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < until:
        assert trio.document(b)["role"] == "standby" and not trader.place(b)
    assert "watchdog is not armed" in trio.refusal(b, "failover", b)
    found = trio.status(b)
    assert "arm its watchdog" in found["reopening"]["verb"], found
    assert any(f"{b} claims nothing" in problem for problem in found["problems"])
    assert "this host takes no lead" in (trio.hosts[b].logs / "agentd.log").read_text()
    # What takes etcd away first is refused before it does.
    trio.lose("w")
    await_true("etcd is away", lambda: trio.document(b)["etcdFault"])
    said = trio.refusal(b, "failover", b, "--peer-is-off", "--yes-name", b)
    assert "would claim nothing" in said and "restart bourse-agentd" in said, said
    assert not (trio.cluster(b) / "etcd.remake").exists()
    trio.power("w")
    # The way out that it names.
    trio.hosts[b].set("cluster", "watchdog", "auto")
    trio.hosts[b].kill("agentd")
    trio.hosts[b].spawn("agentd")
    trader.first(b)
    trader.check(b)
