"""A sweep of a real EVM chain that no block takes, at any of its fees: what is said then, and the
way out; and what comes to its address meanwhile is swept later, and counted once."""
import re
import subprocess
import time

import pytest
from evm_bench import WEI
from exchange import BIN
from test_evm_transfers import COIN, TOKEN, SweepingBench, made
from wallet_bench import CONFIRMATIONS

SIGNATURES = 16
# Each fee has ten seconds of blocks.
FEE_SECONDS_MAX = 20


@pytest.fixture
def bench(tmp_path):
    bench = made(SweepingBench, tmp_path)
    try:
        yield bench
    finally:
        bench.end()


def sweeps(bench, name, code="ETH"):
    """What a customer's address has sent by the chain, in the order of its nonces."""
    address = bench.addresses[name].lower()
    found = []
    for one, receipt in bench.own():
        if one["from"] == address and (one["input"] == "0x") == (code == "ETH"):
            assert receipt["status"] == "0x1"
            found.append(one)
    return sorted(found, key=lambda one: int(one["nonce"], 16))


def test_a_sweep_at_its_last_fee_says_the_way_out_and_takes_it(bench):
    bench.start_wallet()
    bench.node.call("evm_hold", True)
    bench.fund("ann", COIN)
    bench.await_("signed", lambda: bench.payouts.get("open") == 1)
    # Of this the sweep takes nothing, at no fee.
    bench.fund("ann", 2 * COIN)
    deadline = time.monotonic() + SIGNATURES * FEE_SECONDS_MAX
    while bench.payouts.get("open") < SIGNATURES:
        assert time.monotonic() < deadline, bench.status
        bench.node.mine()
        time.sleep(0.3)
    words = "at its last fee"
    bench.mine_until("said", lambda: words in bench.payouts.get("text", ""))
    said = bench.payouts
    assert said["condition"] == "not swept" and not said["isSound"] and said["open"] == SIGNATURES
    newest = re.search("its sweep (0x[0-9a-f]{64}) ", said["text"])[1]
    dropped = re.search("boursectl wallet drop ([0-9a-f]{64}) ", said["text"])[1]
    assert f"bourse-signerd --forget {dropped}" in said["text"]
    # Withdrawals go on, as the books do.
    bench.await_whole()
    assert not bench.is_stopped()

    # It is dropped in the log first, and then forgotten by the signer, which does not run.
    bench.stop("signerd")
    bench.ctl("wallet", "drop", dropped, "--force", "--confirm", dropped)
    bench.await_("dropped", lambda: bench.payouts.get("open") == SIGNATURES - 1)
    subprocess.run(
        [str(BIN / "bourse-signerd"), "--config", str(bench.config), "--forget", dropped],
        input=dropped + "\n", capture_output=True, text=True, timeout=60, check=True)
    bench.start_signer()
    bench.mine_until("a fee above the last", lambda: bench.payouts.get("open") == SIGNATURES)
    bench.node.call("evm_hold", False)
    bench.mine_until("in a block", lambda: sweeps(bench, "ann"))
    bench.mine_until("settled", lambda: bench.payouts.get("open") == 0)
    [sweep] = sweeps(bench, "ann")
    assert sweep["nonce"] == "0x0" and sweep["hash"] != newest
    assert WEI * 9 // 10 < int(sweep["value"], 16) < WEI
    assert bench.balances()["ann"] == 3 * COIN
    # An address rests for an hour after its sweep, or until the wallet starts again.
    assert bench.node.balance(bench.addresses["ann"]) >= 2 * WEI
    bench.kill("walletd")
    bench.start_wallet()
    bench.await_swept()
    first, second = sweeps(bench, "ann")
    assert first == sweep and second["nonce"] == "0x1" and int(second["value"], 16) > 19 * WEI // 10
    assert bench.balances()["ann"] == 3 * COIN
    bench.check_sums()


def test_what_comes_while_a_sweep_of_a_token_is_open_is_swept_later(bench):
    bench.start_wallet()
    bench.supply(ether=1, tokens=0)
    bench.fund("ben", 50 * TOKEN, code="TST")
    # Its gas comes; the sweep itself is kept from blocks.
    bench.mine_until("gas", lambda: bench.node.balance(bench.addresses["ben"]) > 0)
    bench.node.call("evm_hold", True)
    bench.mine_until("signed", lambda: bench.node.call(
        "eth_getTransactionCount", bench.addresses["ben"], "pending") == "0x1")
    assert sweeps(bench, "ben", "TST") == []
    bench.fund("ben", 7 * TOKEN, code="TST")
    bench.node.call("evm_hold", False)
    bench.mine_until("in a block", lambda: sweeps(bench, "ben", "TST"))
    bench.mine_until("settled", lambda: bench.payouts.get("open") == 0)
    token, hot = bench.tokens["TST"], bench.hot
    assert bench.node.balance(hot, token) == 50 * TOKEN
    assert bench.node.balance(bench.addresses["ben"], token) == 7 * TOKEN
    bench.await_books("balanced", "TST")
    bench.kill("walletd")
    bench.start_wallet()
    bench.await_swept()
    first, second = sweeps(bench, "ben", "TST")
    assert [int(one["input"][74:], 16) for one in (first, second)] == [50 * TOKEN, 7 * TOKEN]
    assert bench.node.balance(hot, token) == 57 * TOKEN
    assert bench.balances("TST")["ben"] == 57 * TOKEN
    bench.node.mine(CONFIRMATIONS)
    bench.check_sums(given=WEI)
