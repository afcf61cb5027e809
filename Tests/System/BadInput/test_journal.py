"""Journals and snapshots that are not as they were written: a torn tail is cut and reported, damage
elsewhere stops the start and names the last good record, and with the file put right nothing is
lost."""
import re
import shutil

import pytest
from exchange import Exchange, ExchangeFault
from journal import Journal, crc32c
from spot import Spot

ORDERS = 60
JOURNAL_FAULT, EX_CONFIG = 76, 78
VERSION_OFFSET = 8
HEADER_BYTES = 4096


@pytest.fixture
def stopped(exchange):
    """An exchange that took orders and was stopped; `rows` is what it showed of them."""
    exchange.start()
    row = exchange.demo()["accounts"][0]
    client = Spot(exchange.port, row["keyID"], row["secret"])
    for number in range(ORDERS):
        client.place(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01",
            price=str(30000 + number),
        )
    exchange.client = client
    exchange.rows = client.all_orders("BTCUSDT")
    assert len(exchange.rows) == ORDERS
    exchange.stop_all()
    return exchange


def segment(exchange):
    """The journal's first segment, which holds all that the test wrote."""
    return sorted((exchange.state / "journal").glob("*.seg"))[0]


def end_of_records(path):
    """Bytes up to the last that is not zero."""
    return len(path.read_bytes().rstrip(b"\0"))


def flip(path, offset):
    """Flips one bit."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def drop_snapshots(exchange):
    shutil.rmtree(exchange.state / "snapshots", ignore_errors=True)
    (exchange.state / "snapshots").mkdir(mode=0o700)


def refusal(exchange):
    """matchd's output when it refuses to start."""
    with pytest.raises(ExchangeFault) as fault:
        exchange.start("matchd")
    assert exchange.running.pop("matchd").returncode in (JOURNAL_FAULT, EX_CONFIG)
    return str(fault.value)


def check_all_there(exchange):
    exchange.start()
    assert exchange.client.all_orders("BTCUSDT") == exchange.rows
    assert set(exchange.stop_all().values()) == {0}


def test_stops_at_a_flipped_bit_and_names_the_last_good_record(stopped):
    drop_snapshots(stopped)
    path = segment(stopped)
    middle = (HEADER_BYTES + end_of_records(path)) // 2
    flip(path, middle)
    text = refusal(stopped)
    assert "damaged" in text and path.name in text
    good = int(re.search(r"last good record is (\d+)", text)[1])
    assert 1 < good < 2 * ORDERS + 40
    verify = stopped.ctl("journal", "verify", check=False)
    assert verify.returncode != 0 and str(good) in verify.stdout + verify.stderr
    flip(path, middle)
    assert stopped.ctl("journal", "verify").returncode == 0
    check_all_there(stopped)


def test_cuts_a_torn_tail_and_says_so(stopped):
    journal = Journal(stopped.state)
    # A record that was being written, up to the end of a disk sector.
    torn = (4096).to_bytes(4, "little") + b"\x5a" * (1020 - journal.offset % 512)
    with open(journal.path, "r+b") as file:
        file.seek(journal.offset)
        file.write(torn)
    stopped.start("matchd")
    kept, = (stopped.state / "journal" / "cut").iterdir()
    assert kept.read_bytes()[512:] == torn
    assert re.search("torn|cut", stopped.log_tail("matchd", 40)), stopped.log_tail("matchd", 40)
    stopped.stop_all()
    check_all_there(stopped)


def test_does_not_read_a_journal_of_a_newer_version(stopped):
    path = segment(stopped)
    before = path.read_bytes()[:HEADER_BYTES]
    # A flipped bit would be damage: a header that another version wrote has a good checksum.
    newer = bytearray(before[:-4])
    newer[VERSION_OFFSET:VERSION_OFFSET + 4] = (99).to_bytes(4, "little")
    with open(path, "r+b") as file:
        file.write(newer + crc32c(bytes(newer)).to_bytes(4, "little"))
    text = refusal(stopped)
    assert "99" in text and "version" in text
    with open(path, "r+b") as file:
        file.write(before)
    check_all_there(stopped)


def test_does_not_begin_anew_beside_snapshots_whose_journal_is_gone(stopped, tmp_path):
    assert list((stopped.state / "snapshots").iterdir()), "a stop writes a snapshot"
    shutil.move(stopped.state / "journal", tmp_path / "journal")
    (stopped.state / "journal").mkdir(mode=0o700)
    assert "journal" in refusal(stopped)
    shutil.rmtree(stopped.state / "journal")
    shutil.move(tmp_path / "journal", stopped.state / "journal")
    check_all_there(stopped)


def test_passes_over_a_damaged_snapshot(stopped):
    for path in (stopped.state / "snapshots").iterdir():
        flip(path, path.stat().st_size // 2)
    check_all_there(stopped)


def test_refuses_a_segment_of_another_journal(stopped, tmp_path):
    other = Exchange(tmp_path / "other").init()
    try:
        other.start("matchd")
        other.stop_all()
    finally:
        other.end()
    own = segment(stopped)
    kept = own.read_bytes()
    shutil.copy(segment(other), own)
    text = refusal(stopped)
    assert "journal" in text
    own.write_bytes(kept)
    check_all_there(stopped)


def test_builds_history_again_when_it_is_lost(stopped):
    shutil.rmtree(stopped.state / "history")
    check_all_there(stopped)


def test_says_that_limits_are_raised_in_another_way(stopped):
    stopped.set("limits", "accounts", 123456)
    check_all_there(stopped)
    assert "boursectl limits raise" in (stopped.logs / "matchd.log").read_text()
