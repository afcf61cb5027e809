"""An exchange whose journal is lost, old, or on a failed disk does not start: it reports what is
missing and what to do, and deletes nothing. All with the real matchd, which was killed, not stopped:
no snapshot reveals the loss."""
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from exchange import Exchange, ExchangeFault
from journal import Journal

HERE = Path(__file__).resolve().parent
JOURNAL_FAULT = 76
ACCOUNTS = 40
DAY_NANOS = 86_400 * 10**9


def trade(exchange, count=ACCOUNTS):
    """Submits acknowledged commands; returns the last record of the log."""
    for number in range(count):
        exchange.ctl("account", "open", f"a{number}-{os.urandom(3).hex()}")
    return exchange.ctl_json("status")["released"]


@pytest.fixture
def killed(exchange):
    """An exchange of many segments that was killed; `last` is its last acknowledged record."""
    exchange.set("matchd", "segment_mib", 1)
    exchange.ctl("init")  # the first segment, too
    exchange.start("matchd")
    trade(exchange, 4)
    exchange.kill("matchd")
    journal = Journal(exchange.state)
    journal.add(2, count=50_000)  # ticks: three segments of them
    journal.flush()
    exchange.start("matchd")
    assert len(segments(exchange)) >= 3
    exchange.last = trade(exchange)
    exchange.kill("matchd")
    shutil.rmtree(exchange.state / "snapshots")
    return exchange


def refusal(exchange):
    """matchd's output when it refuses to start."""
    with pytest.raises(ExchangeFault) as fault:
        exchange.start("matchd")
    assert exchange.running.pop("matchd").returncode == JOURNAL_FAULT, fault.value
    return str(fault.value)


def last_good(text):
    return int(re.search(r"last good record is (\d+)|ends at record (\d+)", text)[0].split()[-1])


def check_goes_on(exchange, last):
    exchange.start("matchd")
    assert exchange.ctl_json("status")["released"] == last
    trade(exchange, 1)
    assert exchange.stop("matchd") == 0
    assert exchange.ctl_json("journal", "verify")["ok"]


def segments(exchange):
    return sorted((exchange.state / "journal").glob("*.seg"))


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def emptied(path):
    path.write_bytes(b"")


def cut_at_a_record(path):
    """The file ends at a record's end."""
    data = path.read_bytes()
    end = 4096
    for _ in range(5):
        end += 24 if data[end:end + 4] == b"SYN2" else int.from_bytes(data[end:end + 4], "little")
    path.write_bytes(data[:end])


def zeroed_behind_a_record(path):
    """The file looks as if its last records had never been written."""
    size = path.stat().st_size
    cut_at_a_record(path)
    with open(path, "r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize("spoil", [zeroed, emptied, cut_at_a_record, zeroed_behind_a_record])
def test_a_newest_segment_that_lost_its_records_stops_the_start(killed, spoil):
    newest = segments(killed)[-1]
    kept = newest.read_bytes()
    spoil(newest)
    spoilt = newest.read_bytes()
    text = refusal(killed)
    good = last_good(text)
    assert good < killed.last and f"accept-loss --after {good}" in text
    assert newest.read_bytes() == spoilt, "nothing is deleted, nothing is changed"
    verify = killed.ctl("journal", "verify", check=False)
    assert verify.returncode == 1 and str(good) in verify.stderr
    newest.write_bytes(kept)
    check_goes_on(killed, killed.last)


def test_a_loss_is_accepted_only_by_an_operator_and_kept(killed):
    newest = segments(killed)[-1]
    spoilt = newest.read_bytes()[:5000] + bytes(newest.stat().st_size - 5000)
    newest.write_bytes(spoilt)
    good = last_good(refusal(killed))
    verb = ("journal", "accept-loss", "--after", good)
    assert killed.ctl(*verb, "--reason", "r", check=False).returncode == 64, "nobody confirmed"
    assert last_good(refusal(killed)) == good
    killed.ctl(*verb, "--reason", "disk lost", "--confirm", good)
    check_goes_on(killed, good)


def test_an_old_copy_of_the_journal_is_not_gone_on_with(killed, tmp_path):
    shutil.copytree(killed.state / "journal", tmp_path / "old")
    before = killed.last
    killed.start("matchd")
    last = trade(killed, 10)
    killed.kill("matchd")
    shutil.move(killed.state / "journal", tmp_path / "journal")
    shutil.copytree(tmp_path / "old", killed.state / "journal")
    assert last_good(refusal(killed)) == before
    shutil.rmtree(killed.state / "journal")
    shutil.move(tmp_path / "journal", killed.state / "journal")
    check_goes_on(killed, last)


@pytest.mark.parametrize("leaves", ["nothing", "an empty directory"])
def test_a_journal_that_was_moved_away_is_missed(killed, tmp_path, leaves):
    shutil.move(killed.state / "journal", tmp_path / "journal")
    if leaves != "nothing":
        (killed.state / "journal").mkdir(mode=0o700)
    text = refusal(killed)
    assert "volume is mounted" in text and "init --new-journal" in text
    # Nor does setting up begin another one, as `make run` does each time.
    again = killed.ctl("init", check=False)
    assert again.returncode == JOURNAL_FAULT and "volume is mounted" in again.stderr
    shutil.rmtree(killed.state / "journal", ignore_errors=True)
    shutil.move(tmp_path / "journal", killed.state / "journal")
    check_goes_on(killed, killed.last)


@pytest.mark.parametrize("name", ["floor", "replica"])
@pytest.mark.parametrize("spoil", [Path.unlink, emptied, zeroed])
def test_a_guard_that_is_lost_is_made_anew_only_by_an_operator(killed, name, spoil):
    """Without it nobody knows whether the journal is an old copy."""
    spoil(killed.state / name)
    for text in (refusal(killed), killed.ctl("init", check=False).stderr):
        assert str(killed.state / name) in text and "journal renew-guards" in text
    assert killed.ctl("init", check=False).returncode == JOURNAL_FAULT
    verb = ("journal", "renew-guards")
    assert killed.ctl(*verb, check=False).returncode == 64, "nobody confirmed"
    assert killed.ctl(*verb, "--confirm", killed.last - 1, check=False).returncode == 64
    assert str(killed.state / name) in refusal(killed)
    done = killed.ctl_json(*verb, "--confirm", killed.last)
    assert done["made"] == [str(killed.state / name)] and done["last"] == killed.last
    assert len(done["kept"]) == (spoil is not Path.unlink)
    check_goes_on(killed, killed.last)


def test_a_clock_far_ahead_of_the_log_is_taken_only_by_an_operators_word(exchange):
    """Stamps are final, and after a boot there is no other source of time."""
    exchange.start("matchd")
    last = trade(exchange, 4)
    exchange.kill("matchd")
    shutil.rmtree(exchange.state / "snapshots")
    journal = Journal(exchange.state)
    journal.age(6 * DAY_NANOS)
    exchange.start("matchd")
    assert exchange.ctl_json("status")["released"] == last
    exchange.kill("matchd")
    Journal(exchange.state).age(24 * DAY_NANOS)
    next(exchange.state.rglob("matchd.mark")).unlink()  # as a boot does
    for _ in range(2):
        text = refusal(exchange)
        assert "30 days ahead" in text and "accept-clock" in text
        assert f"last good record is {last}" in text
    verb = ("journal", "accept-clock")
    assert exchange.ctl(*verb, check=False).returncode == 64, "nobody confirmed"
    assert exchange.ctl(*verb, "--confirm", "2001-01-01", check=False).returncode == 64
    assert "accept-clock" in refusal(exchange)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    exchange.ctl(*verb, "--confirm", today)
    check_goes_on(exchange, last)
    # From then on the log is as late as the clock.
    exchange.start("matchd")
    trade(exchange, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
def test_a_volume_that_is_not_mounted_is_missed(tmp_path):
    exchange = Exchange(tmp_path / "state")
    volume, place = tmp_path / "volume", exchange.state / "journal"
    volume.mkdir()
    place.mkdir(parents=True, mode=0o700)
    try:
        subprocess.run(["mount", "--bind", volume, place], check=True)
        exchange.init()
        exchange.start("matchd")
        last = trade(exchange, 3)
        exchange.kill("matchd")
        subprocess.run(["umount", place], check=True)
        assert "volume is mounted" in refusal(exchange)
        assert list(place.iterdir()) == []
        subprocess.run(["mount", "--bind", volume, place], check=True)
        check_goes_on(exchange, last)
    finally:
        exchange.end()
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def test_nothing_begins_without_being_told_to(tmp_path):
    exchange = Exchange(tmp_path / "state").init()
    try:
        shutil.rmtree(exchange.state / "journal")
        for name in ("replica", "floor", "journal.id"):
            (exchange.state / name).unlink()
        assert "`boursectl init`" in refusal(exchange)
        assert exchange.ctl("init").returncode == 0
        exchange.start("matchd")
        trade(exchange, 1)
    finally:
        exchange.end()


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "fail_sync.so"
    subprocess.run(
        ["clang", "-shared", "-fPIC", "-O2", "-o", library, HERE / "fail_sync.c", "-ldl"], check=True)
    return library


def test_a_failed_sync_is_final_until_an_operator_has_looked(exchange, shim, tmp_path, monkeypatch):
    order = tmp_path / "fail"
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("FAIL_SYNC", str(order))
    exchange.start("matchd")
    monkeypatch.delenv("LD_PRELOAD")
    last = trade(exchange, 5)
    order.touch()
    unacknowledged = exchange.ctl("account", "open", "lost", check=False)
    assert unacknowledged.returncode != 0
    assert exchange.running.pop("matchd").wait(10) == JOURNAL_FAULT
    assert not order.exists(), "the sync failed"
    for _ in range(3):  # as a supervisor tries: the very record stands in memory
        text = refusal(exchange)
        assert "Input/output error" in text and "clear-fault" in text
        assert f"last durable record is {last}" in text
    # One of the two notes is enough, whichever file system still works.
    (exchange.state / "journal.fault").unlink()
    assert "clear-fault" in refusal(exchange)
    done = json.loads(exchange.ctl("--output", "json", "journal", "clear-fault").stdout)
    assert done["cleared"] and done["readBack"] in ("direct", "cache-dropped")
    assert exchange.ctl_json("journal", "clear-fault") == {"cleared": False}
    check_goes_on(exchange, done["last"])
    assert done["last"] >= last
