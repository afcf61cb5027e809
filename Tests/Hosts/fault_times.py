#!/usr/bin/env python3
"""Repeats rows of the fault table and prints how long nobody was served, beside the goals.

    Tests/Hosts/fault_times.py [--runs 30] [--every | ROW...]
"""
import argparse
import random
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]

from bench import Bench, BenchFault  # noqa: E402
from cluster import Cluster  # noqa: E402
from faults import PROVEN, ROWS, Scene  # noqa: E402
from traffic import Traffic  # noqa: E402

GOALS = {
    "primary host lost": "p50 1.5 s, p99 3 s", "matchd on the primary crashes": "p99 1 s",
    "switchover": "p50 0.15 s, p99 0.5 s", "standby host lost": "0.5 s",
    "the standby's disk hangs": "2.5 s",
}


def percentile(values, part):
    """The smallest value that so large a part of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def figures(values):
    found = [value for value in values if value is not None]
    if not found:
        return "-"
    return " ".join(f"{percentile(found, part):6.2f}" for part in (0.5, 0.99, 1))


def table(stalls, failed):
    print("seconds without an acknowledgement       service address        a host's own address")
    print("row                              runs    p50    p99    max      p50    p99    max  goal")
    for name, found in stalls.items():
        service, hosts = ([one[i] for one in found] for i in (0, 1))
        print(f"{name:32} {len(found):4} {figures(service)}   {figures(hosts)}  {GOALS.get(name, '')}")
    print(f"{len(failed)} runs failed", flush=True)


def measure(runs, names, stalls, failed):
    """Each round has new hosts, so that the disk used is bounded."""
    for number in range(1, runs + 1):
        with Bench() as bench, tempfile.TemporaryDirectory() as place:
            cluster = Cluster(bench)
            traffic = Traffic(cluster, place, number)
            scene = Scene(cluster, traffic, lambda line: print(line, flush=True))
            for name in random.Random(number).sample(names, len(names)):
                try:
                    stalls[name].append(scene.carry_out(name) or (None, None))
                except BenchFault as fault:
                    failed.append(f"round {number}: {fault}")
                    print(failed[-1][:3000], flush=True)
            traffic.close()
        print(f"round {number} of {runs}", flush=True)


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    words.add_argument("--runs", type=int, default=30)
    words.add_argument("--every", action="store_true", help="every row, in an order of each round")
    words.add_argument("rows", nargs="*", metavar="ROW", help="default: those that have a goal")
    given = words.parse_args()
    names = PROVEN if given.every else given.rows or list(GOALS)
    if unknown := set(names) - ROWS.keys():
        words.error(f"no such row: {', '.join(sorted(unknown))}; rows: {', '.join(ROWS)}")
    stalls, failed = {name: [] for name in names}, []
    try:
        measure(given.runs, names, stalls, failed)
    except KeyboardInterrupt:
        failed.append("interrupted")
    table(stalls, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
