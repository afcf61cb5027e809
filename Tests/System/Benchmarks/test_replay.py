"""The engine's replay benchmark, small, so that it cannot rot: what it prints, that the ledger changes no
trade, that a step of the engine allocates nothing, and what a resting order takes.
"""
import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BOURSECTL = ROOT / ".build" / "release" / "boursectl"


def boursectl(*words, **environment):
    result = subprocess.run(
        [str(BOURSECTL), "bench", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """Files of the same market, one five times as long as the other, with the same beginning."""
    folder = tmp_path_factory.mktemp("books")
    paths = {}
    for name, events in (("short", 60_000), ("long", 300_000)):
        paths[name] = str(folder / name)
        boursectl(
            "generate", paths[name], "--events", str(events), "--live", "2000", "--symbols", "4",
            "--accounts", "100", "--seed", "7",
        )
    return paths


def replay(path, ledger, **environment):
    result = boursectl("replay", path, "--ledger", ledger, "--output", "json", **environment)
    return json.loads(result.stdout), result.stderr


def test_a_longer_file_begins_like_a_shorter_one(books):
    short = Path(books["short"]).read_bytes()
    assert len(short) == 60_000 * 40
    assert Path(books["long"]).read_bytes().startswith(short)


def test_the_ledger_changes_no_trade(books):
    bare, _ = replay(books["long"], "off")
    whole, _ = replay(books["long"], "on")
    for figure in ("events", "trades", "tradedQuantity", "tradeChecksum", "openOrders"):
        assert bare[figure] == whole[figure], figure
    assert bare["trades"] > 1000
    assert re.fullmatch(r"0x[0-9a-f]{16}", bare["tradeChecksum"])
    for figures in (bare, whole):
        assert figures["eventsPerSecond"] > 0
        assert 0 < figures["p50Nanos"] <= figures["p99Nanos"] <= figures["p999Nanos"]


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """The library that counts allocator calls, made by the compiler that comes with Swift."""
    library = tmp_path_factory.mktemp("counter") / "count_allocations.so"
    source = Path(__file__).parent / "count_allocations.c"
    subprocess.run(["clang", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    return str(library)


def allocations(path, ledger, counter):
    _, errors = replay(path, ledger, LD_PRELOAD=counter)
    return int(re.search(r"allocator calls: (\d+)", errors).group(1))


@pytest.mark.parametrize("ledger", ["on", "off"])
def test_a_step_allocates_nothing(books, counter, ledger):
    """Five times the events, and no more calls than one for thousands of events: the file's own
    reading and the growth of its table of accounts."""
    short = allocations(books["short"], ledger, counter)
    long = allocations(books["long"], ledger, counter)
    assert short > 100, "the counter counts"
    assert long - short < 50, f"{long - short} more calls for 240,000 more events, twice"


def test_a_resting_order_takes_at_most_224_bytes(tmp_path):
    path = str(tmp_path / "deep")
    boursectl("generate", path, "--events", "150000", "--live", "100000", "--seed", "3")
    figures, _ = replay(path, "on")
    assert figures["openOrders"] > 90_000
    assert figures["bytesPerOpenOrder"] <= 224


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "odd"
    for content, complaint in ((b"", "40 bytes"), (b"x" * 41, "40 bytes"), (b"\xff" * 40, "record 0")):
        path.write_bytes(content)
        result = subprocess.run(
            [str(BOURSECTL), "bench", "replay", str(path)], capture_output=True, text=True
        )
        assert result.returncode != 0
        assert complaint in result.stderr


@pytest.mark.parametrize("flow", ["calm", "normal", "swing", "crash"])
def test_a_flow_trades_alike_with_and_without_the_ledger(tmp_path, flow):
    path = str(tmp_path / flow)
    boursectl("generate", path, "--flow", flow, "--events", "30000", "--live", "1000")
    (bare, _), (whole, _) = replay(path, "off"), replay(path, "on")
    assert bare["tradeChecksum"] == whole["tradeChecksum"] and bare["trades"] > 100


@pytest.mark.parametrize(
    "bad, complaint",
    [
        ((0, 0, 1, 1, 2, -5, 1), "record 1 has a price"),
        ((0, 0, 1, 1, 2, 1 << 62, 1), "record 1 has a price"),
        ((4, 0, 1, 1, 1, -(1 << 63), 1), "record 1 has a price"),
        ((0, 0, 1, 1, 2, 5, -1), "record 1 has no quantity"),
        ((9, 0, 1, 1, 2, 5, 1), "record 1 has an unknown kind"),
    ],
)
def test_a_record_that_no_order_could_be_is_named(tmp_path, bad, complaint):
    path = tmp_path / "bad"
    good = (0, 0, 1, 1, 1, 5, 1)
    path.write_bytes(b"".join(struct.pack("<BBHIQqqQ", *event, 0) for event in (good, bad)))
    result = subprocess.run([str(BOURSECTL), "bench", "replay", str(path)], capture_output=True, text=True)
    assert result.returncode != 0
    assert complaint in result.stderr
