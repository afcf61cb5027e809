"""Failovers of hosts with a wallet of an EVM chain, before and after each step: one transaction
pays each withdrawal, and whatever else was signed can never be final, as its nonce is used."""
import os
import random
import time

import pytest
from evm_bench import SCALES, WEI
from evm_pair import COIN, EVMWalletPair

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))
STEPS = ["final block", "credit", "credited block", "signature", "sign", "broadcast", "settle"]
ENDS = [("kill", "before"), ("kill", "after"), ("switchover", "before")]


@pytest.fixture(scope="module")
def evm_pair(tmp_path_factory):
    """Both hosts in sync, the account that pays with coins; host a leads."""
    made = EVMWalletPair(tmp_path_factory.mktemp("evm"))
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("step", STEPS)
def test_a_host_is_lost_at_each_step(evm_pair, step):
    pair = evm_pair
    for how, when in ENDS:
        print(step, how, when)
        pair.both_in_sync()
        for steps in pair.steps.values():
            steps.signed.clear()
        act = pair.power_off if how == "kill" else pair.switch_over
        struck = pair.steps[pair.leader].arm(step, when, act)
        pair.deposit("ben", 200_000)
        pair.withdraw("ann", 300_000)

        def goes_on():
            time.sleep(0.3)
            if not struck.is_set():
                pair.node.mine()
        pair.await_(f"{step} is reached", struck.is_set, goes_on)
        pair.went_over()
        # One of another customer goes out beside it.
        pair.withdraw("cid", COIN // 100)
        pair.settled()
        signed = [one for steps in pair.steps.values() for one in steps.signed]
        assert all(pair.refuses(one) for one in pair.sent_and_lost(signed))


def test_random_failovers_under_load(evm_pair):
    """Of the coin and of the token; what comes in is swept meanwhile. Each is credited, paid and
    swept once, and the accounts have what the ledger says to the last unit."""
    print(f"BOURSE_SEED={SEED}")
    pair = evm_pair
    for steps in pair.steps.values():
        steps.signed.clear()
    pair.random_failovers(random.Random(SEED), max(2, ROUNDS // 4))
    signed = [one for steps in pair.steps.values() for one in steps.signed]
    assert all(pair.refuses(one) for one in pair.sent_and_lost(signed))
    pair.check_sums(given=1_000 * WEI)
    # No nonce of an account was used without the log, and no sweep failed.
    own = pair.own()
    assert all(receipt["status"] == "0x1" for _, receipt in own)
    assert any(one["from"] != pair.hot.lower() for one, _ in own), "nothing was swept"
    # Gas may have cost more than customers' fees brought in.
    said = {code: pair.books(code)["condition"] for code in SCALES}
    assert said["TST"] == "balanced" and said["ETH"] in ("balanced", "house owes"), said
