"""The durable path's benchmark, small, so that it cannot rot: its figures are judged as they are
printed, every stage is in them, and nothing of it is left behind.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("BOURSE_BIN", ROOT / ".build" / "release"))
STAGES = (
    "load, late", "socket, in", "queue", "engine", "write before", "fsync before", "journal wakes",
    "journal write", "fsync", "release", "socket, out",
)
ROW = re.compile(r"^(\d+|median) +((?:\d+\.\d{3} +){8})(yes|no) +(yes|no) +(\d+) %$", re.M)
RATE, SECONDS, PAIRS = 2000, 1, 3


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    result = subprocess.run(
        [BIN / "boursectl", "bench", "durable", "--directory", folder, "--seconds", "1", "--rates",
         "1000", "--pairs", str(PAIRS), "--pair-seconds", str(SECONDS), "--pair-rate", str(RATE)],
        capture_output=True, text=True, timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert not list(folder.iterdir())
    assert "refused" not in result.stdout
    return result.stdout


def pairs(printed):
    for name, figures, p50, p99, idle in ROW.findall(printed):
        bare, ours = [list(map(float, figures.split()))[at:at + 4] for at in (0, 4)]
        yield name, bare, ours, p50 == "yes", p99 == "yes", int(idle)


def test_each_pair_is_judged_by_its_own_figures(printed):
    found = list(pairs(printed))
    assert [pair[0] for pair in found] == [str(index + 1) for index in range(PAIRS)] + ["median"]
    for _, bare, ours, is_p50_kept, is_p99_kept, idle in found[:-1]:
        for side in bare, ours:
            assert side == sorted(side) and side[0] > 0
        # The figures are rounded to a microsecond.
        if abs(ours[0] - bare[0] - 0.1) > 0.002:
            assert is_p50_kept == (ours[0] - bare[0] < 0.1)
        if abs(ours[1] - 2 * bare[1] - 0.5) > 0.004:
            assert is_p99_kept == (ours[1] - 2 * bare[1] < 0.5)
        assert 0 <= idle <= 100


def test_the_medians_are_of_the_pairs(printed):
    *single, median = pairs(printed)
    for side in 1, 2:
        for column in range(4):
            assert median[side][column] == sorted(pair[side][column] for pair in single)[PAIRS // 2]
    for title, kept in ("p50", 3), ("p99", 4):
        verdict = re.search(
            rf"^{title} beyond .*: -?[0-9.]+ ms; limit [0-9.]+ ms: (met|missed)"
            rf" \((\d+) of {PAIRS} pairs\)$", printed, re.M)
        assert int(verdict[2]) == sum(pair[kept] for pair in single)
        assert (verdict[1] == "met") == median[kept]


def test_the_time_of_each_sample_is_accounted_for(printed):
    samples = int(re.search(r"time went, 2000/s, us, (\d+) samples", printed)[1])
    assert 100 < samples <= RATE * SECONDS * PAIRS
    means = []
    for stage in STAGES:
        row = re.search(rf"^{stage} +((?:\d+\.\d +){{4}}\d+\.\d)$", printed, re.M)
        *spread, mean = map(float, row[1].split())
        assert spread == sorted(spread), stage
        means.append(mean)
    longest = re.search(r"longest took (\d+) us, most of it in ([a-z, ]+): (.*)$", printed, re.M)
    parts = dict(re.fullmatch(r"([a-z, ]+) (\d+)", part).groups() for part in longest[3].split("; "))
    assert tuple(parts) == STAGES
    times = {stage: int(time) for stage, time in parts.items()}
    assert abs(sum(times.values()) - int(longest[1])) <= len(STAGES)
    assert times[longest[2]] == max(times.values())
    assert sum(means) <= int(longest[1]) + 1


def test_full_load_and_a_rate_are_measured(printed):
    assert int(re.search(r"full load, 2 processes: (\d+) acknowledged", printed)[1]) > 1000
    assert re.search(r"^1000/s, until acknowledged +p50 +\d", printed, re.M)
