"""Two hosts of the code that ships under one seeded scheduler.

BOURSE_SEEDS is the number of seeds, BOURSE_SEED the first. `Tests/PairSimulation/planted.py`, by
hand, breaks the rules in a copy of the sources and counts the seeds until each is seen.
"""
import os
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / ".build/release/PairSimulation"


def run(*arguments, **options):
    return subprocess.run(
        [str(x) for x in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        **options)


def test_tls_is_the_machine_s_own():
    """The real library would take the machine's connections for its own, and write into them."""
    names = run("nm", "-D", "--undefined-only", PROGRAM)
    assert names.returncode == 0, names.stdout
    real = re.findall(r" (SSL_\w+)", names.stdout)
    assert not real, f"CMachine/tls.c lacks {real}"


def test_nothing_acknowledged_is_lost_over_thousands_of_seeds(capsys):
    seeds = int(os.environ.get("BOURSE_SEEDS", "10000"))
    # It needs no real time: what other suites leave of the processors is enough.
    result = run("nice", "-n", 10, PROGRAM, "--first", os.environ.get("BOURSE_SEED", "1"),
                 "--seeds", seeds, "--jobs", 2)
    with capsys.disabled():
        print("\n" + result.stdout)
    assert result.returncode == 0, result.stdout
    if seeds < 10_000:
        return
    for line in ["faults", "transitions"]:
        counts = re.search(rf"^{line}: (.*)$", result.stdout, re.MULTILINE)[1].split(", ")
        missing = [x for x in counts if x.endswith(" 0")]
        assert not missing, f"these never occurred: {missing}"


def test_a_seed_comes_out_the_same_again():
    for seed in range(1, 11):
        one, other = (run(PROGRAM, "--first", seed, "--trace") for _ in range(2))
        assert one.returncode == 0 and "no place for the disks" not in one.stdout, one.stdout
        assert strip(one.stdout) == strip(other.stdout), f"seed {seed}"


def strip(text):
    """Without the run's own part of the paths of the disks."""
    return re.sub(r"bourse-pair-\w+", "", text)
