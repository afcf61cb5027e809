"""Some 2,000 seeded faults beneath real daemons: after each, every acknowledged record is
there, once, or the start is refused and says up to where all is good. First the canaries: what this
suite rests on finds what is planted."""
import os
import random
import shutil
import struct
import subprocess
import sys
import time

import atrest
import injector
import linkwire as wire
import online
import pytest
import verdict
from faults import REPLAY, Campaign, Runner, scratch, summary
from injector import Injector
from verdict import Finding
from world import ACCOUNTS

FAULTS = int(os.environ.get("BOURSE_FAULTS", "2000"))
# Two idle cores judge them all within this time. A busy machine judges fewer, and says how many, but
# goes on to these.
SECONDS = 8.5 * 60
FAULTS_MIN = min(FAULTS, 300)
# Of the silent faults, those that leave no trace on the disk are few.
BEYOND_PROOF_SHARE_MAX = 0.1


@pytest.fixture(scope="module")
def campaign():
    folder = scratch()
    yield Campaign(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def runner(campaign, tmp_path):
    return Runner(campaign.templates, tmp_path)


@pytest.fixture
def world(campaign, tmp_path):
    made = campaign.templates.copy("young", tmp_path / "fault")
    yield made
    made.end()


# --- the disk that fails ---

WRITER = """
import os, sys
fd = os.open(sys.argv[1] + "/journal/x.seg", os.O_RDWR | os.O_CREAT, 0o600)
top = os.open(sys.argv[1] + "/journal", os.O_RDONLY)
os.fsync(top)
os.pwrite(fd, b"a" * 8192, 0); os.fdatasync(fd)
os.pwrite(fd, b"b" * 8192, 0)
os.pwrite(fd, b"c" * 8192, 8192)
with open(sys.argv[1] + "/journal/y", "w") as file: file.write("y")
os.rename(sys.argv[1] + "/journal/y", sys.argv[1] + "/journal/z")
"""


def written(campaign, tmp_path, more="", rules=()):
    """A file below a failing disk: 8 KiB of a that are durable, then b over them and c behind."""
    root = tmp_path / "root"
    (root / "journal").mkdir(parents=True)
    disk = Injector(tmp_path / "disk", root, campaign.shim)
    for rule in rules:
        disk.arm(*rule)
    done = subprocess.run(
        [sys.executable, "-c", WRITER + more, str(root)], env=os.environ | disk.environment,
        capture_output=True, text=True)
    return disk, root / "journal", done


def test_a_power_cut_takes_what_was_not_synced(campaign, tmp_path):
    disk, journal, _ = written(campaign, tmp_path)
    assert (journal / "x.seg").read_bytes() == b"b" * 8192 + b"c" * 8192
    disk.cut_power(random.Random(1), "nothing survives")
    assert (journal / "x.seg").read_bytes() == b"a" * 8192
    assert sorted(path.name for path in journal.iterdir()) == ["x.seg"]


def test_what_was_synced_survives(campaign, tmp_path):
    disk, journal, _ = written(campaign, tmp_path, "os.fdatasync(fd); os.fsync(top)")
    disk.cut_power(random.Random(1), "nothing survives")
    assert (journal / "x.seg").read_bytes() == b"b" * 8192 + b"c" * 8192
    assert (journal / "z").exists()


def test_names_that_were_exchanged_go_back_until_that_is_synced(campaign, tmp_path):
    more = """
import ctypes
with open(sys.argv[1] + "/journal/q", "w") as file: file.write("q")
os.fsync(top)
pair = [(sys.argv[1] + "/journal/" + name).encode() for name in ("q", "z")]
assert ctypes.CDLL(None).renameat2(-100, pair[0], -100, pair[1], 2) == 0
"""
    disk, journal, done = written(campaign, tmp_path, more)
    assert ((journal / "z").read_text(), (journal / "q").read_text()) == ("q", "y"), done.stderr
    files = [(journal / name).stat().st_ino for name in ("q", "z")]
    disk.cut_power(random.Random(1), "nothing survives")
    assert [(journal / name).stat().st_ino for name in ("z", "q")] == files
    (tmp_path / "synced").mkdir()
    disk, journal, done = written(campaign, tmp_path / "synced", more + "os.fsync(top)")
    disk.cut_power(random.Random(1), "nothing survives")
    assert (journal / "z").stat().st_size == 0 or (journal / "z").read_text() == "q", done.stderr


def test_a_write_is_torn_by_sectors(campaign, tmp_path):
    disk, journal, _ = written(campaign, tmp_path)
    disk.cut_power(random.Random(3), "sectors")
    data = (journal / "x.seg").read_bytes()[:8192]
    parts = {data[at:at + 512] for at in range(0, 8192, 512)}
    assert parts == {b"a" * 512, b"b" * 512}


def test_a_sync_that_failed_never_makes_its_pages_durable(campaign, tmp_path):
    more = "\ntry: os.fdatasync(fd)\nexcept OSError: pass\nos.fdatasync(fd)"
    rule = (0, injector.FAIL, injector.SYNC, injector.SEGMENT, 1, 1, 5)
    disk, journal, _ = written(campaign, tmp_path, more, [rule])
    assert disk.hits() == 1 and disk.has_orphans()
    disk.cut_power(random.Random(1), "all survives")
    assert (journal / "x.seg").read_bytes()[:8192] == b"a" * 8192


@pytest.mark.parametrize("call, skip, more", [
    (injector.WRITE, 3, "os.pwrite(fd, b'd', 0)"),
    (injector.RESIZE, 0, "os.posix_fallocate(fd, 0, 1 << 20)"),
    (injector.RESIZE, 0, "os.ftruncate(fd, 0)"),
    (injector.OPEN, 1, "os.open(sys.argv[1] + '/journal/x.seg', os.O_RDONLY)"),
    (injector.READ, 0, "os.pread(fd, 10, 0)"),
    (injector.MAP, 0, "import mmap; mmap.mmap(fd, 4096)"),
    (injector.RENAME, 0, "os.rename(sys.argv[1] + '/journal/x.seg', sys.argv[1] + '/q')"),
    (injector.UNLINK, 0, "os.unlink(sys.argv[1] + '/journal/x.seg')"),
])
def test_a_call_fails_as_the_rule_says(campaign, tmp_path, call, skip, more):
    rule = (0, injector.FAIL, call, injector.SEGMENT, skip, 1, 5)
    disk, _, done = written(campaign, tmp_path, more, [rule])
    assert "Input/output error" in done.stderr and disk.hits() == 1


# --- the judge ---


def run_and_kill(world, commands=40):
    assert world.start()
    world.open_session()
    world.load(random.Random(5), commands)
    world.kill()


def test_a_sound_exchange_is_kept(runner, world):
    run_and_kill(world)
    runner.shows_accounts = True
    assert runner.judge(world, must_start=True) == "kept"


def test_a_sync_that_only_says_so_is_found(runner, world):
    """The canary: a disk that acknowledges fdatasync and does nothing."""
    world.injector.arm(0, injector.LIE, injector.SYNC, injector.SEGMENT, 0, injector.FOREVER)
    run_and_kill(world)
    world.cut_power(random.Random(1), "nothing survives")
    with pytest.raises(Finding, match="^lost: "):
        runner.judge(world, must_start=True, lies=False)


def test_one_more_acknowledged_record_is_missed(runner, world):
    run_and_kill(world)
    session, number = max(world.ledger.acked)
    sequence = world.ledger.acked[session, number] + 1
    world.ledger.sent[session, number + 1] = world.ledger.sent[session, number]
    world.ledger.acked[session, number + 1] = sequence
    with pytest.raises(Finding, match="^lost: "):
        runner.judge(world, lies=False)


def test_a_command_that_nobody_sent_is_found(runner, world):
    run_and_kill(world)
    name = max(world.ledger.acked)
    del world.ledger.sent[name], world.ledger.acked[name]
    with pytest.raises(Finding, match="^invented: "):
        runner.judge(world)


def test_a_command_twice_is_found(runner, world):
    run_and_kill(world)
    assert world.start()
    data, last = world.link.log()
    records = wire.records_of(data)
    twice = bytearray(next(r for r in reversed(records) if r.session).data)
    twice[8:16] = (last + 1).to_bytes(8, "little")
    twice[4:8] = injector.Checksum.of(twice[8:]).to_bytes(4, "little")
    with pytest.raises(Finding, match="^(doubled|clock): "):
        verdict.check_log(world.ledger, data + bytes(twice), last + 1)


def test_an_altered_old_record_is_found(world):
    assert world.start()
    data, last = world.link.log()
    with pytest.raises(Finding, match="^lost: record 300"):
        records = [bytearray(record.data) for record in wire.records_of(data)]
        records[299][-1] ^= 1
        records[299][4:8] = injector.Checksum.of(records[299][8:]).to_bytes(4, "little")
        verdict.check_log(world.ledger, b"".join(map(bytes, records)), last)


def test_a_balance_that_is_off_by_a_unit_is_found(runner, world):
    assert world.start()
    model = runner.model(world).copy()
    verdict.check_accounts(world, model, ACCOUNTS)
    model.totals[1, 1] += 1
    with pytest.raises(Finding, match="^state: "):
        verdict.check_accounts(world, model, ACCOUNTS)
    model.totals[1, 1] -= 1
    model.orders.pop(next(iter(model.orders)))
    with pytest.raises(Finding, match="^state: "):
        verdict.check_accounts(world, model, ACCOUNTS)


def test_a_whole_mark_of_another_place_ends_the_good_records(world):
    name, data = next((name, data) for name, data in sorted(world.files().items())
                      if name.endswith(".seg"))
    mark = next(item for item in wire.read_segment(data).items if item.record is None)
    start, end = mark.offset, mark.offset + mark.length
    body = struct.pack("<Q", mark.next + 1) + data[start + 16:end]
    moved = data[:start] + struct.pack("<4sI", data[start:start + 4], wire.Checksum.of(body)) + body
    assert wire.mark_at(moved, start) == (mark.length, mark.next + 1), name
    assert wire.read_segment(moved + data[end:]).end == start


@pytest.mark.parametrize("code, text, kind", [
    (-11, "", "died"), (0, "the last good record is 10", "status"), (1, "it is broken", "unnamed"),
    (1, "the last good record is 11", "misnamed"),
])
def test_a_refusal_says_what_it_must(code, text, kind):
    with pytest.raises(Finding, match=f"^{kind}: "):
        verdict.check_refusal(code, text, {}, {})


def test_what_is_gone_from_the_disk_is_found(world):
    before = world.files()
    name = next(name for name in before if name.endswith(".seg"))
    verdict.check_kept(before, dict(before), is_refused=True)
    gone = {other: data for other, data in before.items() if other != name}
    with pytest.raises(Finding, match="^deleted: "):
        verdict.check_kept(before, gone, is_refused=True)
    verdict.check_kept(before, gone | {"journal/aside": before[name]}, is_refused=True)
    cut = before[name][:8192] + bytes(len(before[name]) - 8192)
    with pytest.raises(Finding, match="^changed: "):
        verdict.check_kept(before, before | {name: cut}, is_refused=True)
    with pytest.raises(Finding, match="^deleted: "):
        verdict.check_kept(before, before | {name: cut}, is_refused=False)


# --- the faults ---


def test_keeps_every_acknowledged_record_or_refuses(campaign, capsys):
    base = int(os.environ.get("BOURSE_SEED") or random.SystemRandom().randrange(10**6))
    print(f"seeds {base} to {base + FAULTS - 1}; each again with: {REPLAY.format('N')}")
    began = time.monotonic()
    results = campaign.run(range(base, base + FAULTS), began + SECONDS, FAULTS_MIN)
    lines = summary(results)
    print("\n".join(lines))
    with capsys.disabled():
        print(f"\n{len(results)} faults of {FAULTS} in {time.monotonic() - began:.0f} s,"
              f" seeds from {base} on")
    assert not [result for result in results if result.is_finding], "\n".join(lines)
    assert len(results) >= FAULTS_MIN
    kinds = {result.kind for result in results}
    assert kinds == set(atrest.FAULTS) | set(online.FAULTS) or len(results) < 1000
    outcomes = [result.outcome for result in results]
    assert outcomes.count("kept") and outcomes.count("refused")
    assert outcomes.count("beyond proof") <= len(results) * BEYOND_PROOF_SHARE_MAX
