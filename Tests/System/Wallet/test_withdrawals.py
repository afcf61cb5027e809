"""Withdrawals on a real Litecoin node: each is paid by one transaction, whatever is killed."""
import json
import os
import random
import signal

import pytest
from kills import killed_around_signature, killed_at
from link_watch import PAYMENT_COMMANDS
from signer_watch import SignerWatch
from wallet_bench import CONFIRMATIONS, FEE, NAMES, WalletBench

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))
COIN = 100_000_000


@pytest.fixture
def bench(tmp_path):
    with WalletBench(tmp_path).signing() as made:
        yield made


def test_a_withdrawal_is_signed_logged_broadcast_and_settled(bench):
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN)
    bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    (open_,) = bench.withdrawals.values()
    assert open_["status"] == "signed"
    (payment,) = open_["payments"]
    assert bench.node.call("getrawmempool") == [payment["transaction"]]
    bench.node.mine(CONFIRMATIONS - 1)
    bench.await_in_step()
    assert bench.withdrawals, "it is settled before it is final"
    bench.node.mine()
    bench.await_("settled", lambda: not bench.withdrawals)
    bench.check_paid([(there, COIN)])
    assert bench.balances()["ann"] == 2 * COIN - FEE
    payouts = bench.status["payouts"]
    assert payouts["condition"] == "nothing to pay" and payouts["isSound"]
    # What the chain has for the wallet is the deposit less payment and miner's fee.
    fee = bench.node.fee(payment["transaction"])
    assert payouts["total"] == payouts["free"] == 3 * COIN - COIN - fee
    assert 0 < fee < 20_000


def test_many_are_paid_by_one_transaction_and_change_is_spent_again(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    due = []
    for _ in range(3):
        bench.kill("walletd")
        some = [(bench.node.call("getnewaddress"), 1_000_000 + index) for index in range(5)]
        for address, units in some:
            bench.withdraw("ann", address, units)
        due += some
        bench.start_wallet()
        bench.await_paid()
    bench.check_paid(due)
    transactions = {txid for outputs in bench.node.paid([a for a, _ in due]).values()
                    for txid, _, _ in outputs}
    assert len(transactions) == 3


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", PAYMENT_COMMANDS)
def test_walletd_killed_at_each_command_pays_once(bench, tmp_path, point, when):
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    bench.kill("walletd")
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    with killed_at(bench, tmp_path, point, when):
        if point in ("final block", "settle"):
            bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
            bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])
    assert bench.balances()["ann"] == 2 * COIN - COIN // 2 - FEE


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("victim", ["walletd", "signerd", "matchd"])
def test_killed_around_the_signature_it_pays_once(bench, tmp_path, victim, when):
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    bench.kill("walletd")
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    with killed_around_signature(bench, tmp_path, victim, when) as watch:
        bench.await_paid()
    bench.check_paid([(there, COIN // 2)])
    # Whatever else was signed can never be final beside it.
    signed = [json.loads(answer)["signed"] for answer in watch.answers if b'"signed"' in answer]
    paid = {txid for outputs in bench.node.paid([there]).values() for txid, _, _ in outputs}
    for payment in signed:
        if payment["transaction"] not in paid:
            bench.node.refusal("sendrawtransaction", payment["bytes"])


def test_cancelled_between_signature_and_log_the_others_are_paid_once(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", COIN, COIN)
    bench.fund("ben", COIN)
    bench.kill("walletd")
    there = [bench.node.call("getnewaddress") for _ in range(2)]
    first = bench.withdraw("ann", there[0], COIN // 2)
    bench.withdraw("ben", there[1], COIN // 3)
    watch = SignerWatch(tmp_path / "sign", bench.state / "run" / "signer.sock", "after",
                        lambda: bench.running["walletd"].send_signal(signal.SIGKILL))
    try:
        bench.start_wallet(signer=tmp_path / "sign")
        assert watch.has_struck.wait(60), bench.log_tail("walletd")
        bench.running.pop("walletd").wait(60)
    finally:
        watch.close()
    void = json.loads(watch.answers[0])["signed"]
    assert len(void["withdrawals"]) == 2
    bench.ctl("wallet", "refuse", first, "--reason", "the customer asked")
    # A coin that is better suited than those of the transaction that was signed.
    bench.node.pay(bench.addresses["ben"], 5 * COIN)
    bench.node.mine(CONFIRMATIONS)
    bench.start_wallet()
    bench.await_in_step()
    bench.await_paid()
    bench.check_paid([(there[1], COIN // 3)])
    # The transaction that was signed for both can never be final beside it.
    refusal = bench.node.refusal("sendrawtransaction", void["bytes"])
    assert "missing" in refusal or "conflict" in refusal, refusal
    assert bench.balances()["ann"] == 2 * COIN


def test_without_a_signer_it_says_so_and_pays_once_there_is_one(bench):
    bench.stop("signerd")
    bench.start_wallet()
    bench.fund("ann", COIN)
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    bench.await_("no signer", lambda: bench.status["payouts"]["condition"] == "no signer")
    assert not bench.status["payouts"]["isSound"]
    assert "signer" in bench.ctl("wallet", "status").stdout
    bench.start_signer()
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])


def test_the_signers_limit_holds_and_the_rest_waits(bench):
    bench.stop("signerd")
    bench.set("signerd", "limits", "litecoin-regtest 0.6 0")
    bench.start_signer()
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    bench.kill("walletd")
    # Together they are too much, and so is the first one alone.
    there = [bench.node.call("getnewaddress") for _ in range(3)]
    for address, units in zip(there, (COIN, COIN // 2, COIN // 4)):
        bench.withdraw("ann", address, units)
    bench.start_wallet()
    bench.mine_until("the small ones are paid", lambda: len(bench.withdrawals) == 2)
    assert bench.status["payouts"]["condition"] == "signer refuses"
    assert "limit" in bench.status["payouts"]["text"]
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    left = {row["amount"] for row in bench.withdrawals.values()}
    assert {float(one) for one in left} == {1, 0.5} or {float(one) for one in left} == {1, 0.25}


def test_a_payment_that_a_reorganisation_takes_out_is_broadcast_again(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    there = bench.node.call("getnewaddress")
    bench.withdraw("ann", there, COIN // 2)
    (txid,) = bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
    (block,) = bench.node.mine()
    bench.await_("read", lambda: bench.status["read"] == bench.node.height)
    bench.node.call("invalidateblock", block)
    # The node forgets its pool: nobody else has the payment.
    bench.node.flush()
    bench.node.kill()
    (bench.node.folder / "regtest" / "mempool.dat").unlink(missing_ok=True)
    bench.node.start()
    bench.await_("again in the pool", lambda: txid in bench.node.call("getrawmempool"))
    bench.await_paid()
    bench.check_paid([(there, COIN // 2)])


def test_random_kills_pay_each_once(bench):
    print(f"BOURSE_SEED={SEED}")
    chance = random.Random(SEED)
    bench.start_wallet()
    for name in NAMES:
        bench.fund(name, 20 * COIN)
    due, spent = [], dict.fromkeys(NAMES, 0)
    for _ in range(ROUNDS):
        for _ in range(chance.randrange(4)):
            name = chance.choice(NAMES)
            address, units = bench.node.call("getnewaddress"), chance.randrange(10**6, COIN)
            bench.withdraw(name, address, units)
            due.append((address, units))
            spent[name] += units + FEE
        match chance.choice(["walletd", "signerd", "matchd", "node", "none"]):
            case "walletd":
                bench.kill("walletd")
                bench.start_wallet()
            case "signerd":
                bench.kill("signerd")
                bench.start_signer()
            case "matchd":
                bench.kill("matchd")
                bench.start("matchd")
            case "node":
                bench.node.flush()
                bench.node.kill()
                bench.node.start()
        bench.node.mine(chance.randrange(1, 3))
    bench.await_paid()
    bench.check_paid(due)
    assert bench.balances() == {name: 20 * COIN - spent[name] for name in NAMES}
