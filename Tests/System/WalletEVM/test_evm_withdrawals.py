"""Withdrawals on a real EVM chain: each is paid by one transaction, whatever is killed."""
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import ccxt
import pytest
from evm_bench import KIND, EVMWalletBench
from kills import killed_around_signature, killed_at
from link_watch import PAYMENT_COMMANDS
from signer_watch import SignerWatch
from wallet_bench import CONFIRMATIONS, NAMES

sys.path.append(str(Path(__file__).resolve().parents[2] / "Clients" / "ccxt"))

from pointed import pointed  # noqa: E402

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))
COIN = 10**8
TOKEN = 10**6
FEE = COIN // 10_000


def started(tmp_path, **tokens):
    made = EVMWalletBench(tmp_path)
    try:
        made.begin(**tokens)
        made.begin_signer(", ".join([f"{KIND} 1000 0", *(
            f"{KIND}:{code} 1000000 0" for code in made.tokens)]))
        made.supply()
    except BaseException:
        made.end()
        raise
    return made


@pytest.fixture
def bench(tmp_path):
    made = started(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_withdrawals_by_ccxt(bench):
    bench.start("gatewayd")
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    bench.fund("ann", 500 * TOKEN, code="TST")
    client = pointed(ccxt.binance, SimpleNamespace(url=bench.url))
    key = bench.add_key("ann", "read", "withdraw")
    client.apiKey, client.secret = key["keyID"], key["secret"]
    there = [bench.address(), bench.address()]
    client.withdraw("ETH", 1 + 0.0001, there[0], params={"network": "ETH"})
    client.withdraw("TST", 200 + 0.0001, there[1], params={"network": "ETH"})
    bench.await_("signed", lambda: all(one["txid"] for one in client.fetch_withdrawals()))
    seen = {one["txid"] for one in client.fetch_withdrawals()}
    bench.node.mine(CONFIRMATIONS - 1)
    bench.await_in_step()
    assert len(bench.withdrawals) == 2, "settled before they are final"
    bench.node.mine()
    bench.mine_until("settled", lambda: not bench.withdrawals)
    bench.check_sent([(there[0], COIN, "ETH"), (there[1], 200 * TOKEN, "TST")])
    assert all(one["status"] == "ok" for one in client.fetch_withdrawals())
    hashes = {one["hash"] for one, _ in bench.node.transactions()
              if one["from"] == bench.hot.lower()}
    assert seen == hashes
    assert bench.balances()["ann"] == 2 * COIN - FEE
    assert bench.payouts["condition"] == "nothing to pay"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", PAYMENT_COMMANDS)
def test_walletd_killed_at_each_command_pays_once(bench, tmp_path, point, when):
    bench.start_wallet()
    bench.fund("ann", COIN)
    bench.fund("ben", 9 * TOKEN, code="TST")
    bench.kill("walletd")
    there = [bench.address(), bench.address()]
    bench.withdraw("ann", there[0], COIN // 2)
    bench.withdraw("ben", there[1], 5 * TOKEN, "TST")
    with killed_at(bench, tmp_path, point, when):
        if point in ("final block", "settle"):
            bench.await_("signed", lambda: all(
                one["status"] == "signed" for one in bench.withdrawals.values()))
            time.sleep(1)
            bench.node.mine(CONFIRMATIONS)
    # What waited at the node is gone as well.
    bench.node.kill()
    bench.node.start()
    bench.start_wallet()
    bench.await_paid()
    bench.check_sent([(there[0], COIN // 2, "ETH"), (there[1], 5 * TOKEN, "TST")])
    assert bench.balances()["ann"] == COIN - COIN // 2 - FEE


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("victim", ["walletd", "signerd", "matchd"])
def test_killed_around_the_signature_it_pays_once(bench, tmp_path, victim, when):
    bench.start_wallet()
    bench.fund("ann", COIN)
    bench.kill("walletd")
    there = bench.address()
    bench.withdraw("ann", there, COIN // 2)
    with killed_around_signature(bench, tmp_path, victim, when) as watch:
        bench.await_paid()
    bench.check_sent([(there, COIN // 2, "ETH")])
    bench.check_others(watch.answers)


def test_cancelled_between_signature_and_log_its_nonce_goes_to_another(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", COIN)
    bench.fund("ben", COIN)
    bench.kill("walletd")
    there = [bench.address(), bench.address()]
    first = bench.withdraw("ann", there[0], COIN // 2)
    watch = SignerWatch(tmp_path / "sign", bench.state / "run" / "signer.sock", "after",
                        lambda: bench.running["walletd"].send_signal(signal.SIGKILL))
    try:
        bench.start_wallet(signer=tmp_path / "sign")
        assert watch.has_struck.wait(60), bench.log_tail("walletd")
        bench.running.pop("walletd").wait(60)
    finally:
        watch.close()
    void = json.loads(watch.answers[0])["signed"]
    bench.ctl("wallet", "refuse", first, "--reason", "the customer asked")
    bench.withdraw("ben", there[1], COIN // 3)
    bench.start_wallet()
    bench.await_paid()
    bench.check_sent([(there[1], COIN // 3, "ETH")])
    # What was signed for the first one can never be final.
    assert "nonce too low" in bench.node.refusal("eth_sendRawTransaction", "0x" + void["bytes"])
    assert bench.balances()["ann"] == COIN


def test_a_fee_that_is_too_low_is_raised_twice_and_one_pays(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    there = bench.address()
    bench.withdraw("ann", there, COIN // 2)
    bench.node.call("evm_hold", True)
    def payments():
        return [payment for one in bench.withdrawals.values() for payment in one["payments"]]
    def raised(count):
        bench.node.mine()
        bench.await_in_step()
        return len(payments()) > count
    for count in (1, 2):
        deadline = time.monotonic() + 60
        while not raised(count):
            assert time.monotonic() < deadline, bench.payouts
            time.sleep(0.5)
        # It goes on with what the log has.
        bench.kill("walletd")
        bench.start_wallet()
    bench.node.call("evm_hold", False)
    bench.await_paid()
    bench.check_sent([(there, COIN // 2, "ETH")])


def test_a_payment_that_reverts_is_not_paid_until_an_operator_drops_it(bench):
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    there, other = bench.node.deploy("Closing"), bench.address()
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    bench.node.call("evm_hold", True)
    bench.withdraw("ann", there, COIN)
    bench.await_("signed", lambda: any(
        one["status"] == "signed" for one in bench.withdrawals.values()))
    time.sleep(1)
    bench.node.run(there, "close()")
    bench.node.mine()
    bench.node.call("evm_hold", False)
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_payouts("failed")
    assert "wallet fail" in said["text"] and not said["isSound"]
    [(row)] = bench.withdrawals.values()
    assert row["status"] == "signed" and bench.sent() == []
    # Others go on, and so do deposits.
    bench.withdraw("ann", other, COIN // 2)
    bench.fund("ben", 70_000)
    bench.mine_until("paid", lambda: len(bench.withdrawals) == 1)
    assert bench.balances()["ben"] == 70_000
    # After a restart as well.
    bench.kill("walletd")
    bench.start_wallet()
    bench.await_payouts("failed")
    [payment] = row["payments"]
    bench.ctl("wallet", "fail", payment["transaction"], "--reason", "seen elsewhere", "--yes")
    bench.await_("left out", lambda: "would fail" in bench.payouts.get("text", ""))
    bench.node.run(there, "open()")
    bench.node.mine(CONFIRMATIONS)
    bench.kill("walletd")
    bench.start_wallet()
    bench.await_paid()
    bench.check_sent([(there, COIN, "ETH"), (other, COIN // 2, "ETH")])
    assert bench.sent(is_paid=False) == [(there, COIN, "ETH")]
    assert bench.balances()["ann"] == 3 * COIN - COIN - COIN // 2 - 2 * FEE


def test_a_token_that_moves_nothing_pays_nobody(tmp_path):
    bench = started(tmp_path, BAD="TurncoatToken", FEES="FeeToken", OLD="SilentToken")
    try:
        bench.node.run(bench.tokens["BAD"], "close()")
        bench.node.mine()
        bench.node.mine(CONFIRMATIONS)
        bench.start_wallet()
        # What is booked by hand has to be there.
        bench.await_("counted", lambda: all(
            int(bench.books(code).get("onChain") or 0) > 0 for code in ("BAD", "FEES", "OLD")))
        for code in ("BAD", "FEES", "OLD"):
            bench.ctl("credit", "ann", code, "100", "--reference", code, "--reason", "test")
        there = [bench.address() for _ in range(3)]
        for address, code in zip(there, ("BAD", "FEES", "OLD")):
            bench.withdraw("ann", address, 5 * TOKEN, code)
        bench.mine_until("paid", lambda: len(bench.withdrawals) == 1
                         and bench.payouts.get("condition") == "failed")
        assert "moved nothing" in bench.payouts["text"]
        assert bench.node.balance(there[0], bench.tokens["BAD"]) == 0
        # The token keeps a tenth: what was ordered has left, and is not paid twice.
        assert bench.node.balance(there[1], bench.tokens["FEES"]) == 45 * TOKEN // 10
        assert bench.node.balance(there[2], bench.tokens["OLD"]) == 5 * TOKEN
        [row] = bench.withdrawals.values()
        [payment] = row["payments"]
        bench.ctl("wallet", "fail", payment["transaction"], "--refuse", "--reason", "no token",
                  "--yes")
        bench.await_("released", lambda: bench.balances("BAD")["ann"] == 100 * TOKEN)
        # Its nonce is used: the next one pays.
        bench.fund("ben", COIN)
        bench.kill("walletd")
        bench.start_wallet()
        bench.await_in_step()
        last = bench.address()
        bench.withdraw("ben", last, COIN // 2)
        bench.await_paid()
        assert (last, COIN // 2, "ETH") in bench.sent()
    finally:
        bench.end()


def test_a_payment_that_was_signed_as_often_as_may_be_is_given_up_and_paid_anew(bench):
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    bench.node.call("evm_hold", True)
    there = bench.address()
    row = bench.withdraw("ann", there, COIN)

    def payments():
        return [one["transaction"] for one in bench.withdrawals[row]["payments"]]
    # Each higher fee waits for ten seconds of blocks.
    deadline = time.monotonic() + 16 * 20
    while len(payments()) < 16:
        assert time.monotonic() < deadline, bench.status
        bench.node.mine()
        time.sleep(0.3)
    bench.mine_until("said", lambda: "at its last fee" in bench.payouts.get("text", ""))
    assert "wallet drop" in bench.payouts["text"] and not bench.payouts["isSound"]
    assert len(payments()) == 16
    for one in payments():
        bench.ctl("wallet", "drop", one, "--force", "--confirm", one)
    # What waited at the node is gone; a transfer of nothing uses the nonce.
    bench.node.kill()
    bench.node.start()
    bench.mine_until("its nonce is used", bench.own)
    # The signer is asked again after a minute.
    bench.await_paid()
    own = [one for one, _ in bench.own()]
    assert [one["nonce"] for one in own] == ["0x0", "0x1"]
    assert (own[0]["to"], own[0]["value"]) == (bench.hot.lower(), "0x0")
    assert (own[1]["to"], int(own[1]["value"], 16)) == (there, 10**18)
    assert bench.balances()["ann"] == 3 * COIN - COIN - FEE
    bench.await_whole()


def test_a_payment_that_a_reorganisation_takes_out_is_broadcast_again(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    there = bench.address()
    before = bench.node.call("evm_snapshot")
    bench.withdraw("ann", there, COIN // 2)
    bench.mine_until("in a block", lambda: bench.sent())
    bench.await_in_step()
    bench.node.call("evm_revert", before)
    bench.node.mine(2)
    bench.await_paid()
    bench.check_sent([(there, COIN // 2, "ETH")])


def test_the_signers_limits_hold_for_coin_and_token_apart(bench):
    bench.stop("signerd")
    bench.set("signerd", "limits", f"{KIND} 0.6 0, {KIND}:TST 7 0")
    bench.start_signer()
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    bench.fund("ann", 50 * TOKEN, code="TST")
    there = [bench.address() for _ in range(4)]
    bench.withdraw("ann", there[0], COIN)
    bench.withdraw("ann", there[1], COIN // 2)
    bench.withdraw("ann", there[2], 8 * TOKEN, "TST")
    bench.withdraw("ann", there[3], 7 * TOKEN, "TST")
    bench.mine_until("the small ones are paid", lambda: len(bench.withdrawals) == 2)
    bench.await_("limit", lambda: "limit" in bench.payouts.get("text", ""))
    bench.check_sent([(there[1], COIN // 2, "ETH"), (there[3], 7 * TOKEN, "TST")])


def test_without_coins_it_says_where_they_belong(tmp_path):
    bench = EVMWalletBench(tmp_path)
    try:
        bench.begin()
        bench.begin_signer()
        bench.start_wallet()
        bench.fund("ann", COIN)
        there = bench.address()
        bench.withdraw("ann", there, COIN // 2)
        said = bench.await_payouts("not enough coins")
        assert bench.hot in said["text"]
        bench.supply()
        bench.kill("walletd")
        bench.start_wallet()
        bench.await_paid()
        bench.check_sent([(there, COIN // 2, "ETH")])
    finally:
        bench.end()


def test_a_customers_address_that_is_paid_gets_a_deposit(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    bench.withdraw("ann", bench.addresses["ben"], COIN // 2)
    bench.await_paid()
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    assert bench.balances() == {"ann": COIN // 2 - FEE, "ben": COIN // 2, "cid": 0}


def test_random_kills_pay_each_once(bench):
    print(f"BOURSE_SEED={SEED}")
    chance = random.Random(SEED)
    bench.start_wallet()
    for name in NAMES:
        bench.fund(name, 20 * COIN)
        bench.fund(name, 20 * TOKEN, code="TST")
    due, spent = [], dict.fromkeys(NAMES, 0)
    for _ in range(ROUNDS):
        for _ in range(chance.randrange(3)):
            name, code = chance.choice(NAMES), chance.choice(("ETH", "TST"))
            address, units = bench.address(), chance.randrange(10**5, 10**6)
            bench.withdraw(name, address, units, code)
            due.append((address, units, code))
            if code == "ETH":
                spent[name] += units + FEE
        match chance.choice(["walletd", "signerd", "matchd", "node", "reorganise", "none"]):
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
                bench.node.kill()
                bench.node.start()
            case "reorganise":
                before = bench.node.call("evm_snapshot")
                bench.node.mine(CONFIRMATIONS - 1)
                bench.node.call("evm_revert", before)
                bench.node.mine(CONFIRMATIONS)
        bench.node.mine(chance.randrange(1, 3))
    bench.await_paid()
    bench.check_sent(due)
    assert bench.balances() == {name: 20 * COIN - spent[name] for name in NAMES}
