#!/usr/bin/env python3
"""Measures what a standby on the same machine costs: commands a second at full load beside a matchd
that stands alone, and the latency that it adds beside a bare round trip over loopback and the bare
disk's fsync. Both matchds run at once, and are loaded in turn.

    Tests/System/Pair/cost.py [--rounds N] [--seconds N] [--directory DIR]
"""
import argparse
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from exchange import BIN, Exchange  # noqa: E402
from pair import Pair  # noqa: E402

RATES = (1000, 10_000)
ROUND_TRIPS = 5000
THROUGHPUT_PART_MIN = 0.6


def load(link, directory, seconds, is_first):
    """`bench durable` on a matchd that runs; the rows that it prints, in microseconds."""
    said = subprocess.run(
        [str(BIN / "boursectl"), "bench", "durable", "--socket", str(link), "--pairs", "0",
         "--seconds", str(seconds), "--rates", ",".join(map(str, RATES)), "--directory",
         str(directory), *([] if is_first else ["--has-market"])],
        capture_output=True, text=True, check=True, timeout=600).stdout
    assert "refused" not in said, said
    rows = {name.strip(): (float(p50), float(p99)) for name, p50, p99 in re.findall(
        r"^(.+?) +p50 +([\d.]+) +p99 +([\d.]+)", said, re.M)}
    found = {rate: rows[f"{rate}/s, until acknowledged"] for rate in RATES}
    found["fsync"] = rows["4 KiB write + fdatasync, bare disk"]
    found["full"] = int(re.search(r"(\d+) acknowledged commands/s", said)[1])
    return found


def round_trips():
    """p50 and p99 of a byte there and back over loopback TCP, in microseconds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()

    def echo():
        while byte := far.recv(1):
            far.sendall(byte)

    other = threading.Thread(target=echo)
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    other.start()
    taken = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        near.sendall(b"x")
        near.recv(1)
        taken.append((time.perf_counter() - began) * 1e6)
    near.close()
    other.join()
    far.close()
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.99)]


def main():
    words = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--seconds", type=int, default=3)
    words.add_argument("--directory", default="/var/tmp")
    given = words.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as place:
        alone = Exchange(Path(place) / "alone")
        (Path(place) / "pair").mkdir()
        pair = Pair(Path(place) / "pair")
        try:
            alone.init().start("matchd")
            a, _ = pair.begin()
            rounds = []
            for number in range(given.rounds):
                sides = {"alone": alone.state, "pair": pair.hosts["a"].state}
                found = {name: load(state / "run" / "match.sock", place, given.seconds, number == 0)
                         for name, state in (
                             sides.items() if number % 2 else reversed(sides.items()))}
                found["trip"] = round_trips()
                rounds.append(found)
                print(f"round {number + 1}: {found}", flush=True)
            # It was a pair to the end: the standby has all that was acknowledged.
            a.close()  # what was not read since would have been too much
            report = a.connect()
            assert report["holdsLease"] and report["requirement"], report
        finally:
            pair.end()
            alone.end()
    print_result(rounds)


def print_result(rounds):
    def median(get):
        return statistics.median(map(get, rounds))

    part = median(lambda r: r["pair"]["full"] / r["alone"]["full"])
    print(f"\nfull load, commands/s: alone {median(lambda r: r['alone']['full']):.0f}, with a "
          f"standby {median(lambda r: r['pair']['full']):.0f}: {part:.2f} of it, median of "
          f"{len(rounds)} rounds; goal {THROUGHPUT_PART_MIN}: "
          f"{'met' if part >= THROUGHPUT_PART_MIN else 'missed'}")
    print("latency, us                   alone p50     p99   with a standby p50     p99      added")
    for rate in RATES:
        at = [median(lambda r: r[side][rate][index])  # noqa: B023
              for side in ("alone", "pair") for index in (0, 1)]
        print(f"{rate:6}/s, until acknowledged {at[0]:11.0f} {at[1]:7.0f} {at[2]:20.0f} "
              f"{at[3]:7.0f}   {at[2] - at[0]:.0f} and {at[3] - at[1]:.0f}")
    fsync, trip = ([median(lambda r: get(r)[index]) for index in (0, 1)]  # noqa: B023
                   for get in (lambda r: r["alone"]["fsync"], lambda r: r["trip"]))
    print(f"bare: a round trip over loopback {trip[0]:.0f} and {trip[1]:.0f}, write and fdatasync "
          f"{fsync[0]:.0f} and {fsync[1]:.0f}: together {trip[0] + fsync[0]:.0f} and "
          f"{trip[1] + fsync[1]:.0f}")


if __name__ == "__main__":
    main()
