#!/usr/bin/env python3
"""Measures the wallet on a real litecoind of its own regtest chain: how fast full blocks are read,
how long withdrawals that wait take until they are signed, and what they leave in the log.

    Tests/System/Wallet/cost.py [--blocks N] [--transactions N] [--withdrawals N]
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

from exchange import BIN  # noqa: E402
from full_blocks import FullBlocks  # noqa: E402
from journal import Journal  # noqa: E402
from litecoin import COIN  # noqa: E402
from spot import Spot  # noqa: E402
from wallet_bench import CONFIRMATIONS, KEY, WalletBench  # noqa: E402

SIGN = 52
# Of one account; the engine takes 64.
OF_ACCOUNT = 50
AMOUNT = "0.002"


def scan(bench, blocks, transactions):
    """How fast blocks are read."""
    full = FullBlocks(bench.node, transactions)
    first = bench.node.height + 1
    began = time.monotonic()
    for _ in range(blocks):
        full.mine()
    print(f"({blocks} blocks of {transactions} transactions were made in "
          f"{time.monotonic() - began:.0f} s)")
    done = subprocess.run(
        [str(BIN / "bourse-walletd"), "--config", str(bench.config), "--measure",
         f"litecoin-regtest:{first}-{bench.node.height}"],
        capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    print(done.stdout.strip())


def node_seconds(bench, inputs):
    """What the node alone takes for what one payment asks of it."""
    unspent = bench.node.call("listunspent", 1)[:inputs]
    began = time.monotonic()
    for one in unspent:
        bench.node.call("gettxout", one["txid"], one["vout"], False)
    return (time.monotonic() - began) / max(1, len(unspent))


def pay(bench, count):
    """How long so many withdrawals take that wait for the signer."""
    accounts = [f"many{number}" for number in range((count + OF_ACCOUNT - 1) // OF_ACCOUNT)]
    for name in accounts:
        bench.ctl("account", "open", name)
        bench.addresses[name] = bench.ctl_json("wallet", "address", name, "1")["address"]
    for name in accounts:
        bench.node.pay(bench.addresses[name], COIN)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    there = [bench.node.elsewhere() for _ in range(20)]
    clients = []
    for name in accounts:
        key = bench.add_key(name, "read", "withdraw")
        clients.append(Spot(bench.port, key["keyID"], key["secret"]))
    before = len(Journal(bench.state).records)
    began = time.monotonic()
    for number in range(count):
        clients[number // OF_ACCOUNT].call(
            "POST", "/sapi/v1/capital/withdraw/apply",
            {"coin": "LTC", "network": "LTC", "address": there[number % 20], "amount": AMOUNT},
            signed=True)
    print(f"{count} withdrawals requested by HTTP in {time.monotonic() - began:.1f} s")
    for client in clients:
        client.close()
    bench.await_("they wait", lambda: bench.status["payouts"]["approved"] == count)
    bench.begin_signer()
    ready = time.time()
    bench.await_("all are signed", lambda: bench.status["payouts"]["approved"] == 0)
    payments = bench.status["payouts"]["open"]
    bench.await_("the node has all", lambda: len(bench.node.call("getrawmempool")) >= payments)
    times = [one.time / 1e9 for one in Journal(bench.state).records if one.kind == SIGN]
    print(f"the signer is up, and {times[-1] - ready:.1f} s later the last of {count} is signed "
          f"and in the log, by {payments} transactions; the node alone takes "
          f"{1e3 * node_seconds(bench, 100):.2f} ms to say what a coin is")
    bench.node.mine(CONFIRMATIONS)
    bench.await_("all are settled", lambda: not bench.withdrawals)
    bench.await_in_step()
    journal = Journal(bench.state)
    records = journal.records[before:]
    size = sum(record.length for record in records)
    kinds = {}
    for record in records:
        kinds[record.kind] = kinds.get(record.kind, 0) + 1
    print(f"in the log: {len(records) / count:.2f} records and {size / count:.0f} bytes for each "
          f"withdrawal, from its request to its end (by kind: {kinds})")
    began = time.monotonic()
    bench.ctl("journal", "rehearse", seconds_max=600)
    print(f"the whole log of {len(journal.records)} records is re-executed in "
          f"{time.monotonic() - began:.2f} s, the program's start included")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--blocks", type=int, default=20)
    options.add_argument("--transactions", type=int, default=5_000)
    options.add_argument("--withdrawals", type=int, default=1_000)
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="bourse-wallet-") as folder:
        bench = WalletBench(Path(folder))
        try:
            bench.begin()
            scan(bench, options.blocks, options.transactions)
            # The wallet reads from here on.
            bench.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY,
                      "--first-block", bench.node.height, "--yes")
            bench.start("gatewayd")
            bench.start_wallet()
            pay(bench, options.withdrawals)
        finally:
            bench.end()


if __name__ == "__main__":
    main()
