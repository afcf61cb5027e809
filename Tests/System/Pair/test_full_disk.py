"""A primary that is alone, with a disk that is full to the last byte: whatever ends there starts
again, and customers can cancel. On a file system made for the test, so it needs root."""
import json
import os
import subprocess

import pytest
from pair import Pair, await_true
from spot import Refusal, Unknown
from test_failover import Trader

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")

SMALL = {("matchd", "segment_mib"): 4, ("matchd", "reserve_mib"): 24}


@pytest.fixture
def pair(tmp_path):
    disk = tmp_path / "a"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(disk)], check=True)
    made = None
    try:
        made = Pair(tmp_path, SMALL)
        made.start_all()
        yield made
    finally:
        if made:
            made.end()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk):
    """Takes all space; gives the file to remove."""
    path = disk / "other-data"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
    left = os.statvfs(disk)
    assert left.f_bfree == 0, left
    return path


def is_refused(trader):
    """Whether an order is refused as there is no space."""
    trader.number += 1
    try:
        trader.clients["a"].place(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.001",
            price="50000", newClientOrderId=f"order-{trader.number}", recvWindow=2000)
        return False
    except (Refusal, Unknown) as said:
        return "disk" in str(said)


def alarms(host):
    """Whether the agent raises that only cancels are taken."""
    found = host.ctl("--output", "json", "check", "exchange.disk-reserve", check=False).stdout
    return any(row["state"] in ("warning", "critical") for row in json.loads(found or "[]"))


def cancels(trader):
    """Whether a cancel of one of the open orders is acknowledged."""
    rows = trader.rows("a")
    try:
        return bool(rows) and trader.clients["a"].cancel(
            symbol="BTCUSDT", origClientOrderId=rows[0])["status"] == "CANCELED"
    except (Refusal, Unknown):
        return False


def test_all_that_a_primary_alone_needs_starts_on_a_full_disk(pair):
    host, disk = pair.hosts["a"], pair.folder / "a"
    trader = Trader(pair)
    for _ in range(8):
        trader.first("a")
    for daemon in ("gatewayd", "agentd", "matchd"):
        pair.hosts["b"].kill(daemon)
    await_true("a leads alone", lambda: pair.document("a")["inSync"] == ["a"])
    trader.first("a")
    filler = fill(disk)
    await_true("orders are refused", lambda: is_refused(trader))
    for killed in (["matchd"], ["agentd"], ["matchd", "agentd"], ["gatewayd"]):
        epoch = pair.document("a")["epoch"]
        for daemon in killed:
            host.kill(daemon)
        for daemon in killed:
            host.spawn(daemon)
        await_true(f"a leads again after {killed}", lambda: (
            (found := pair.document("a")) and found["role"] == "primary"
            and (found["epoch"] > epoch or "matchd" not in killed)))
        await_true("a cancel is taken", lambda: cancels(trader))
        await_true("an order is refused", lambda: is_refused(trader))
        await_true("the agent says why", lambda: alarms(host))
    assert os.statvfs(disk).f_bfree == 0
    host.check_alive()
    filler.unlink()
    trader.first("a")
