"""A standby whose journal is gone cannot know whether its volume is only not mounted: it begins
nothing by itself, says why and what to do, and becomes another replica by that verb."""
import shutil

from journal import Journal
from pair import await_true
from test_failover import Trader

JOURNAL_STATUS = 76


def replica(trio, name):
    return (trio.state(name) / "replica").read_bytes()[32:48]


def test_a_standby_without_its_journal_waits_for_rejoin(trio):
    trader = Trader(trio)
    for _ in range(5):
        trader.first("a")
    before = replica(trio, "b")
    # As `cluster init` and `cluster join` leave it.
    record = Journal(trio.state("b")).records[0].data
    trio.lose("b")
    for name in ("journal", "snapshots"):
        shutil.rmtree(trio.state("b") / name)
        (trio.state("b") / name).mkdir(mode=0o700)
    for name in ("replica", "floor", "process"):
        (trio.state("b") / name).unlink()
    b = trio.hosts["b"]
    trio.power("b")
    assert b.running.pop("matchd").wait(60) == JOURNAL_STATUS
    said = b.log_tail("matchd")
    assert "its volume is mounted" in said and "boursectl rejoin" in said, said
    assert "--new-journal" not in said
    trader.first("a")
    assert not any((trio.state("b") / "journal").iterdir()), "nothing was begun"
    # Without the record that was kept it says where that is to be had.
    assert "first.record" in trio.refusal("b", "rejoin", "--yes-name", "b")
    (trio.cluster("b") / "first.record").write_bytes(record)
    assert "--yes-name b" in trio.refusal("b", "rejoin")
    done = trio.ctl("b", "rejoin", "--yes-name", "b")
    assert "only not mounted" in done.stderr
    b.spawn("matchd")

    trio.in_sync("a")
    assert replica(trio, "b") != before
    trader.first("a")
    trio.gateway("b")
    trader.check("b")


def test_a_host_does_not_rejoin_while_nobody_leads(trio):
    Trader(trio).first("a")
    for name in ("b", "a"):
        trio.hosts[name].kill("matchd")
    before = replica(trio, "b")
    assert "a does not lead" in trio.refusal("b", "rejoin", "--yes-name", "b")
    assert replica(trio, "b") == before
