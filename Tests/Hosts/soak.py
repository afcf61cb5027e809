#!/usr/bin/env python3
"""Breaks a cluster of real hosts again and again, single rows of the fault table and two at a time,
until something is wrong: then it stops, says what, and leaves what to look at. Each episode has new
hosts, so that the disk used is bounded.

    Tests/Hosts/soak.py [--seed N] [--minutes M] [--episode ROUNDS]
"""
import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]

from bench import Bench, BenchFault  # noqa: E402
from cluster import Cluster  # noqa: E402
from faults import PROVEN, Scene  # noqa: E402
from traffic import Traffic  # noqa: E402

DISK_BYTES_MIN = 4 << 30  # left on the machine: an episode ends before less is
DOUBLE_CHANCE = 0.4


def episode(seed, rounds, until, place):
    """One cluster's life; gives the number of rounds."""
    chance = random.Random(seed)
    with Bench() as bench:
        cluster = Cluster(bench)
        traffic = Traffic(cluster, place, seed)
        scene = Scene(cluster, traffic, lambda words: print(f"  {words}", flush=True))
        try:
            for count in range(rounds):
                if time.monotonic() > until or shutil.disk_usage(place).free < DISK_BYTES_MIN:
                    return count
                names = [chance.choice(sorted(PROVEN))]
                if chance.random() < DOUBLE_CHANCE:
                    names.append(chance.choice(sorted(PROVEN)))
                scene.carry_out_all(names, chance)
            return rounds
        except BenchFault:
            keep(cluster, place)
            raise
        finally:
            traffic.close()


def keep(cluster, place):
    """Copies journals of the log and of the services beside the users' logs."""
    for host in cluster.pair:
        if host.pid:
            # What a broken volume does not give is left out.
            with contextlib.suppress(shutil.Error):
                shutil.copytree(host.inside("/var/lib/bourse"), place / host.name, symlinks=True,
                                dirs_exist_ok=True)
            (place / f"{host.name}.journal").write_text(host.journal())


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    words.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    words.add_argument("--minutes", type=float, default=float("inf"))
    words.add_argument("--episode", type=int, default=50, help="rounds until new hosts")
    given = words.parse_args()
    until = time.monotonic() + given.minutes * 60
    seed, rounds = given.seed, 0
    while time.monotonic() < until:
        print(f"seed {seed}: Tests/Hosts/soak.py --seed {seed} repeats it", flush=True)
        place = Path(tempfile.mkdtemp(prefix="bourse-soak-"))
        try:
            rounds += episode(seed, given.episode, until, place)
        except BenchFault as fault:
            print(f"{fault}\nseed {seed}; look at {place}: the users' logs, both hosts' state and"
                  " services' journals", flush=True)
            return 1
        shutil.rmtree(place)
        seed += 1
    print(f"{rounds} rounds, nothing wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
