"""The auditor is the second opinion: it must see a journal that is not what matchd executed, leave
snapshots that recovery takes, survive what disks and operators do to it, and never hold matchd up.

Where a test needs a journal that no sound matchd writes, or a long one at once, it goes on in
matchd's place with `tools/journal.py`."""
import os
import shutil
import signal
import subprocess
import time

import pytest
from journal import HASH_MARK, OPEN_ACCOUNT, PLACE, TICK, Journal, crc32c
from spot import Spot

WAIT_SECONDS_MAX = 60
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
         "quantity": "0.01"}
needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


# --- an exchange and its parts ---


def place_orders(exchange, count, price=30000):
    for number in range(count):
        exchange.client.place(**ORDER, price=str(price + number))


@pytest.fixture
def running(exchange):
    """An exchange with many hash marks and short segments, which has taken some orders."""
    for key, value in (("segment_mib", 1), ("hash_every", 10), ("reserve_mib", 1)):
        exchange.set("matchd", key, value)
    exchange.ctl("init")  # the first segment, too
    exchange.start()
    row = exchange.demo()["accounts"][0]
    exchange.client = Spot(exchange.port, row["keyID"], row["secret"])
    place_orders(exchange, 30)
    return exchange


@pytest.fixture
def stopped(running):
    assert set(running.stop_all().values()) == {0}
    return running


def snapshots(exchange):
    """The sequences of the snapshots there are, in order."""
    return sorted(int(path.stem) for path in (exchange.state / "snapshots").glob("*.snap"))


def unfinished(exchange):
    return list((exchange.state / "snapshots").glob("*.new"))


def log(exchange, name="auditd"):
    """A daemon's output since its last start."""
    text = (exchange.logs / f"{name}.log").read_text()
    return text.rpartition(f"--- start of {name}\n")[2]


def until(exchange, what, holds, seconds_max=WAIT_SECONDS_MAX):
    """Waits until `holds`; the auditor must not end meanwhile."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        exchange.check_alive()
        assert time.monotonic() < deadline, f"not {what}: {log(exchange)}"
        time.sleep(0.01)


def await_fault(exchange):
    """Waits until the auditor ends by itself; returns its output."""
    process = exchange.running.pop("auditd")
    try:
        code = process.wait(WAIT_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail(f"the auditor goes on as if nothing were wrong:\n{log(exchange)}")
    assert code == 1, log(exchange)
    return log(exchange)


def audited(exchange):
    """Starts the auditor and stops it; returns the last record it reached."""
    exchange.start("auditd")
    until(exchange, "started", lambda: "auditing from" in log(exchange))
    assert exchange.stop("auditd") == 0, log(exchange)
    return int(log(exchange).split("stopped at record ")[1])


def start_over(exchange):
    """The auditor has seen nothing and there is no snapshot: it begins with the first record."""
    shutil.rmtree(exchange.state / "snapshots")
    (exchange.state / "snapshots").mkdir(mode=0o700)
    (exchange.state / "audited").unlink(missing_ok=True)


# --- what it is there for ---


def alter_mark(journal, marks):
    record = marks[2]
    record.replace(bytes([record.payload[0] ^ 1]) + record.payload[1:])
    return record.sequence


def alter_order(journal, marks):
    """One more lot in an order: well formed, funded, with a valid checksum."""
    record = journal.of_kind(PLACE)[12]
    lots = int.from_bytes(record.payload[24:32], "little") + 1
    record.replace(record.payload[:24] + lots.to_bytes(8, "little") + record.payload[32:])
    return next(mark.sequence for mark in marks if mark.sequence > record.sequence)


@pytest.mark.parametrize("alter", [alter_mark, alter_order])
def test_names_the_mark_at_which_the_log_is_not_what_was_executed(stopped, alter):
    journal = Journal(stopped.state)
    sequence = alter(journal, journal.of_kind(HASH_MARK))
    start_over(stopped)
    for _ in range(2):  # a second start does not make it good
        stopped.spawn("auditd")
        text = await_fault(stopped)
        assert "ALARM" in text and f" {sequence} " in text
        assert snapshots(stopped) == []


def test_does_not_take_matchds_snapshot_for_what_it_has_not_seen_itself(running):
    assert running.stop("auditd") == 0
    seen = snapshots(running)[-1]
    place_orders(running, 30, price=31000)
    running.stop_all()
    assert snapshots(running)[-1] > seen, "matchd leaves a snapshot behind what was audited"
    journal = Journal(running.state)
    marks = [mark for mark in journal.of_kind(HASH_MARK) if mark.sequence > seen]
    mark = marks[0]
    mark.replace(bytes([mark.payload[0] ^ 1]) + mark.payload[1:])
    running.spawn("auditd")
    text = await_fault(running)
    assert "ALARM" in text and f" {mark.sequence} " in text


def test_alarms_when_matchds_snapshot_has_another_state(stopped):
    """The same sequence, a whole file, but another hash of the state than the log gives."""
    last = snapshots(stopped)[-1]
    other = stopped.state / "snapshots" / f"{last:020}.snap"
    data = bytearray(other.read_bytes())
    data[64] ^= 1
    data[124:128] = crc32c(data[:124]).to_bytes(4, "little")
    other.write_bytes(data)
    stopped.spawn("auditd")
    until(stopped, "started", lambda: "auditing from" in log(stopped))
    stopped.running["auditd"].send_signal(signal.SIGTERM)
    text = await_fault(stopped)
    assert "ALARM" in text and f" {last} " in text


# --- snapshots ---


def test_writes_snapshots_at_the_count_and_keeps_the_newest(stopped):
    stopped.set("auditd", "snapshot_every", 1000)
    stopped.set("auditd", "snapshots_keep", 2)
    start_over(stopped)
    journal = Journal(stopped.state)
    stopped.start("auditd")
    written = []
    for _ in range(4):
        before = journal.last
        journal.add(TICK, count=999 if not written else 1000)
        journal.flush()
        if not written:  # one fewer than it takes, together with what was there before
            journal.add(TICK, count=1)
            journal.flush()
        until(stopped, "written", lambda: snapshots(stopped)[-1:] > [before])
        written.append(snapshots(stopped)[-1])
        until(stopped, "pruned", lambda: len(snapshots(stopped)) <= 2)
    assert all(later - earlier >= 1000 for earlier, later in zip(written, written[1:]))
    assert snapshots(stopped) == written[-2:]
    check_recovery_takes(stopped, journal.last)


def check_recovery_takes(exchange, last):
    """matchd begins at the newest snapshot, and the whole journal gives the same states."""
    exchange.stop_all()
    newest = snapshots(exchange)[-1]
    exchange.start("matchd")
    text = log(exchange, "matchd")
    assert f"snapshot of sequence {newest}\n" in text and f"to record {last}\n" in text
    exchange.stop_all()
    assert exchange.ctl_json("journal", "rehearse")["snapshots"]


def test_does_not_write_a_snapshot_before_the_count(stopped):
    stopped.set("auditd", "snapshot_every", 2000)
    journal = Journal(stopped.state)
    before = snapshots(stopped)
    begin = int((stopped.state / "audited").read_text())
    stopped.start("auditd")
    journal.add(TICK, count=begin + 1999 - journal.last)
    journal.flush()
    time.sleep(1)
    assert snapshots(stopped) == before
    journal.add(TICK)
    journal.flush()
    until(stopped, "written", lambda: snapshots(stopped)[-1] == begin + 2000)


def test_writes_a_snapshot_after_the_seconds_if_anything_changed(stopped):
    stopped.set("auditd", "snapshot_seconds", 1)
    before = snapshots(stopped)
    journal = Journal(stopped.state)
    stopped.start("auditd")
    time.sleep(1.5)
    assert snapshots(stopped) == before, "nothing changed"
    journal.add(TICK)
    journal.flush()
    until(stopped, "written", lambda: snapshots(stopped)[-1] == journal.last)


def test_takes_a_snapshot_only_of_what_is_marked_as_released(stopped):
    stopped.set("auditd", "snapshot_seconds", 1)
    before = snapshots(stopped)
    journal = Journal(stopped.state)
    released = journal.last
    stopped.start("auditd")
    journal.add(TICK, count=5)
    journal.flush(is_marked=False)
    time.sleep(2.5)
    assert snapshots(stopped) == before
    journal.flush(released=released)  # durable is not released
    time.sleep(2.5)
    assert snapshots(stopped) == before
    journal.flush(released=released + 3)
    until(stopped, "written", lambda: snapshots(stopped)[-1] == released + 3)
    journal.flush()
    until(stopped, "written", lambda: snapshots(stopped)[-1] == journal.last)


def test_judges_only_what_is_released(stopped):
    """A standby cuts what was never released, whatever it was; other records come in its place."""
    stopped.set("auditd", "snapshot_seconds", 1)
    journal = Journal(stopped.state)
    end, released = journal.end, journal.last
    wrong = journal.of_kind(HASH_MARK)[0].payload  # not what was executed up to here
    stopped.start("auditd")
    until(stopped, "started", lambda: "auditing from" in log(stopped))
    journal.add(TICK, count=3)
    journal.add(HASH_MARK, wrong)
    journal.add(TICK, count=40)
    journal.flush(released=released)
    time.sleep(2.5)
    stopped.check_alive()
    journal.cut(end)
    journal.add(TICK, count=2)
    journal.flush()
    until(stopped, "written", lambda: snapshots(stopped)[-1] == journal.last)
    journal.add(HASH_MARK, wrong)
    journal.flush(released=journal.last - 1)
    time.sleep(1.5)
    stopped.check_alive()
    journal.flush()
    text = await_fault(stopped)
    assert "ALARM" in text and f" {journal.last} " in text


@pytest.fixture
def small_disk(stopped):
    """Snapshots on a disk of their own of 8 MiB."""
    place = stopped.state / "snapshots"
    kept = {path.name: path.read_bytes() for path in place.iterdir()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    try:
        for name, data in kept.items():
            (place / name).write_bytes(data)
        yield place
    finally:
        stopped.end()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place):
    with open(place / "other-data", "wb") as file:
        free = os.statvfs(place)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    return lambda: os.remove(place / "other-data")


def make_read_only(place):
    def remount(how):
        subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)

    remount("ro")
    return lambda: remount("rw")


@needs_mount
@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_tries_a_snapshot_again_that_the_disk_did_not_take(stopped, small_disk, spoil):
    stopped.set("auditd", "snapshot_seconds", 1)
    before = snapshots(stopped)
    journal = Journal(stopped.state)
    stopped.start("auditd")
    until(stopped, "started", lambda: "auditing from" in log(stopped))
    repair = spoil(small_disk)
    journal.add(TICK)
    journal.flush()
    until(stopped, "reported", lambda: "snapshot of record" in log(stopped))
    time.sleep(2)
    stopped.check_alive()
    assert snapshots(stopped) == before and not unfinished(stopped)
    assert log(stopped).count("\n") < 6, "one fault is one line"
    repair()
    until(stopped, "written", lambda: snapshots(stopped)[-1] == journal.last)
    check_recovery_takes(stopped, journal.last)


@needs_mount
@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_stops_in_order_when_the_disk_takes_no_snapshot(stopped, small_disk, spoil):
    before = snapshots(stopped)
    stopped.start()
    stopped.client.close()
    place_orders(stopped, 5, price=32000)
    repair = spoil(small_disk)
    assert set(stopped.stop_all().values()) == {0}, log(stopped) + log(stopped, "matchd")
    assert snapshots(stopped) == before and not unfinished(stopped)
    repair()
    stopped.start()
    assert len(stopped.client.all_orders("BTCUSDT")) == 35


def test_recovery_is_whole_after_a_kill_in_the_middle_of_a_snapshot(stopped):
    """With enough accounts that a snapshot takes a moment to write."""
    stopped.set("auditd", "snapshot_every", 1000)
    journal = Journal(stopped.state)
    pattern = journal.of_kind(OPEN_ACCOUNT)[0].payload
    for number in range(60_000):
        journal.add(OPEN_ACCOUNT, f"account-{number}".encode().ljust(40, b"\0") + pattern[40:])
    journal.flush()
    assert audited(stopped) == journal.last
    caught = 0
    for _ in range(40):
        stopped.start("auditd")
        until(stopped, "at the end", lambda: snapshots(stopped)[-1] == journal.last)
        journal.add(TICK, count=1000)
        journal.flush()
        until(stopped, "begun", lambda: unfinished(stopped) or snapshots(stopped)[-1] == journal.last)
        stopped.kill("auditd")
        if unfinished(stopped) and snapshots(stopped)[-1] != journal.last:
            caught += 1
            if caught == 3:
                break
    assert caught == 3, "no kill fell into a snapshot"
    check_recovery_takes(stopped, journal.last)
    assert audited(stopped) >= journal.last
    assert not unfinished(stopped), "what the dead left aside is taken away"


# --- following ---


def test_catches_up_over_segments_after_it_was_away_for_long(stopped):
    journal = Journal(stopped.state)
    journal.add(TICK, count=70_000)
    journal.flush()
    assert len(list(journal.directory.glob("*.seg"))) >= 4
    assert audited(stopped) == journal.last
    check_recovery_takes(stopped, journal.last)


def test_follows_over_segments_while_they_are_written(stopped):
    journal = Journal(stopped.state)
    stopped.start("auditd")
    for turn in range(30):
        if turn == 10:  # now and then it gets no time for long
            stopped.running["auditd"].send_signal(signal.SIGSTOP)
        if turn == 20:
            stopped.running["auditd"].send_signal(signal.SIGCONT)
        journal.add(TICK, count=2000)
        journal.flush()
    stopped.set("auditd", "snapshot_seconds", 1)
    assert stopped.stop("auditd") == 0
    stopped.check_alive()
    assert audited(stopped) == journal.last
    check_recovery_takes(stopped, journal.last)


def test_an_unfinished_record_of_a_dead_matchd_is_no_alarm(stopped):
    journal = Journal(stopped.state)
    stopped.start("auditd")
    with open(journal.path, "r+b") as file:
        file.seek(journal.offset)
        # Up to the end of a disk sector, and no more of it.
        file.write((4096).to_bytes(4, "little") + b"\x5a" * (1020 - journal.offset % 512))
    time.sleep(12)  # longer than a writer that lives takes to finish one
    stopped.check_alive()
    stopped.start("matchd")
    stopped.ctl("account", "open", "later")
    stopped.stop("matchd")
    end = Journal(stopped.state).last
    assert end > journal.last
    stopped.stop("auditd")
    assert audited(stopped) == end


# --- a journal that is not what it was ---


def cut(journal):
    os.truncate(journal.path, journal.offset)


def remove(journal):
    os.remove(journal.path)


def spoil_next(journal):
    """A bit of a record flips on its way to the disk; those behind it are good and marked."""
    journal.add(TICK)
    journal.pending[-1] ^= 1
    journal.add(TICK, count=3)
    journal.flush()


def blank_next(journal):
    """Nothing of a record came to the disk, and the log goes on behind it and in a new segment."""
    journal.add(TICK)
    journal.pending[:] = bytes(len(journal.pending))
    journal.add(TICK, count=25_000)
    journal.flush()


@pytest.mark.parametrize("spoil", [cut, remove, spoil_next, blank_next])
def test_names_a_journal_that_is_spoiled_under_it(stopped, spoil):
    journal = Journal(stopped.state)
    good, path = journal.last, journal.path
    stopped.start("auditd")
    until(stopped, "started", lambda: "auditing from" in log(stopped))
    time.sleep(0.2)
    spoil(journal)
    text = await_fault(stopped)
    assert path.name in text or str(journal.directory) in text
    assert str(good) in text or str(good + 1) in text


@pytest.mark.parametrize("all_of_it", [False, True])
def test_names_a_journal_that_ends_before_its_snapshot(stopped, all_of_it):
    journal = Journal(stopped.state)
    journal.add(TICK, count=30_000)
    journal.flush()
    assert audited(stopped) == journal.last
    for path in list(journal.directory.glob("*.seg")) if all_of_it else [journal.path]:
        os.remove(path)
    stopped.spawn("auditd")
    text = await_fault(stopped)
    assert "record" in text and str(journal.directory) in text


def test_executes_all_of_it_again_when_no_snapshot_of_its_own_is_left(running):
    assert running.stop("auditd") == 0
    place_orders(running, 3, price=31000)
    stopped = running
    stopped.stop_all()
    end = Journal(stopped.state).last
    own = int((stopped.state / "audited").read_text())
    for sequence in [number for number in snapshots(stopped) if number <= own]:
        (stopped.state / "snapshots" / f"{sequence:020}.snap").unlink()
    assert snapshots(stopped), "matchd's is left"
    assert audited(stopped) == end
    assert "auditing from record 1\n" in log(stopped)


def test_takes_its_limits_from_the_journal(stopped):
    start_over(stopped)
    stopped.set("limits", "accounts", 123456)
    assert audited(stopped) == Journal(stopped.state).last


# --- beside matchd ---


def test_does_not_hold_matchd_up(running):
    auditor = running.running["auditd"]
    auditor.send_signal(signal.SIGSTOP)
    try:
        place_orders(running, 50, price=31000)
        running.ctl("account", "open", "later")
        assert running.stop("gatewayd") == 0
        assert running.stop("matchd") == 0
        running.start("matchd", "gatewayd")
        running.client.close()
        place_orders(running, 5, price=32000)
    finally:
        auditor.send_signal(signal.SIGCONT)
    assert set(running.stop_all().values()) == {0}
    assert len(Journal(running.state).of_kind(PLACE)) == 85


def test_refuses_a_second_auditor(running):
    first = running.running.pop("auditd")
    try:
        running.spawn("auditd")
        assert str(first.pid) in await_fault(running)
    finally:
        running.running["auditd"] = first
    running.check_alive()
