#!/usr/bin/env python3
"""Measures what the agent costs beside an exchange, and how long a start takes to the first order.

    Tests/System/Agent/cost.py [--seconds N] [--asked]

--asked: somebody reads the agent's state once a second meanwhile, as SNMP and the ops page do.
"""
import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from agent import Agent, cost  # noqa: E402
from exchange import Exchange, ExchangeFault  # noqa: E402
from spot import Refusal, Spot, Unknown  # noqa: E402

STARTS = 5
READS = 20
START_SECONDS_MAX = 30


def agent_costs(exchange, seconds, is_asked):
    """Prints what a running exchange's agent costs."""
    agent = Agent(exchange).start()
    # A first round reads everything, and whoever starts allocates.
    time.sleep(5)
    done = threading.Event()

    def ask():
        while not done.wait(1):
            agent.state()

    asker = threading.Thread(target=ask)
    if is_asked:
        asker.start()
    share, resident, peak = cost(agent.process.pid, seconds)
    done.set()
    if is_asked:
        asker.join()
    # The trend reaches 300 rounds back; rounds are made about once a second.
    rounds = sorted(e["roundNanos"] / 1e6 for e in agent.get("/v1/trend").json[-seconds:])
    print(f"{share:.2f} % of a core over {seconds} s{' (asked each second)' if is_asked else ''}; "
          f"memory {resident:.1f} MiB, at most {peak:.1f} MiB")
    print(f"{len(rounds)} rounds: p50 {statistics.median(rounds):.1f} ms, "
          f"p99 {rounds[int(len(rounds) * 0.99)]:.1f} ms, max {rounds[-1]:.1f} ms; "
          f"{len(agent.checks())} checks, state {len(agent.get('/v1/state').text) >> 10} KiB")
    paths = [p for p in agent.get("/v1/observation").json if not p.startswith("/probe/")]
    print(f"bare reads of all its {len(paths)} files: {bare_reads(paths):.1f} ms of CPU")
    exchange.stop("agentd")


def bare_reads(paths):
    """Milliseconds of CPU that one reading of files takes who does nothing with them."""
    before = time.process_time()
    for _ in range(READS):
        for path in paths:
            try:
                file = os.open(path, os.O_RDONLY)
            except OSError:  # a process that ended meanwhile
                continue
            while os.read(file, 65_536):
                pass
            os.close(file)
    return (time.process_time() - before) * 1e3 / READS


def first_order(exchange, spot):
    """Seconds from the start of matchd and gatewayd to the first order that is acknowledged."""
    began = time.monotonic()
    for name in ("matchd", "gatewayd"):
        exchange.spawn(name)
    while time.monotonic() - began < START_SECONDS_MAX:
        try:
            spot.place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                       price="10000", quantity="0.01")
            return time.monotonic() - began
        except (Unknown, Refusal):  # nobody listens yet, or matchd does not
            exchange.check_alive()
            time.sleep(0.002)
    raise ExchangeFault(f"no order within {START_SECONDS_MAX} s:\n{exchange.log_tail('gatewayd')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--asked", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder) / "state").init()
        try:
            exchange.start()
            account = exchange.demo()["accounts"][0]
            agent_costs(exchange, options.seconds, options.asked)
            exchange.stop_all()
            spot = Spot(exchange.port, account["keyID"], account["secret"])
            times = []
            for _ in range(STARTS):
                times.append(first_order(exchange, spot))
                spot.close()
                exchange.stop_all()
            print(f"start of matchd and gatewayd to the first order: median "
                  f"{statistics.median(times):.2f} s, max {max(times):.2f} s of {STARTS}")
        finally:
            exchange.end()


if __name__ == "__main__":
    main()
