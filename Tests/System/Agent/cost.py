#!/usr/bin/env python3
"""Measures what the agent costs beside an exchange: its share of a core, its memory, its rounds.

    Tests/System/Agent/cost.py [--seconds N] [--asked]

--asked: somebody reads its state once a second meanwhile, as SNMP and the ops page do.
"""
import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from agent import Agent, cost  # noqa: E402
from exchange import Exchange  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--asked", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder) / "state").init()
        try:
            exchange.start()
            agent = Agent(exchange).start()
            time.sleep(5)
            rounds, done = [], threading.Event()

            def ask():
                while not done.wait(1 if options.asked else 5):
                    rounds.append(agent.state()["roundNanos"] / 1e6)

            asker = threading.Thread(target=ask)
            asker.start()
            share, resident = cost(agent.process.pid, options.seconds)
            done.set()
            asker.join()
            state = agent.state()
            print(f"{share:.2f} % of a core over {options.seconds} s, {resident:.1f} MiB resident")
            print(f"rounds: median {statistics.median(rounds):.1f} ms, worst {max(rounds):.1f} ms")
            print(f"{len(state['checks'])} checks, state {len(agent.get('/v1/state').text) >> 10} KiB")
            exchange.stop("agentd")
            exchange.stop_all()
        finally:
            exchange.end()


if __name__ == "__main__":
    main()
