"""Failovers of hosts with a wallet of an EVM chain, before and after each step: one transaction
pays each withdrawal, and whatever else was signed can never be final, as its nonce is used."""
import time

import pytest
from evm_pair import COIN, EVMWalletPair

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
