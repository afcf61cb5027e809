"""The wallet's own coins on a real EVM chain: customers' addresses are swept, each address gets gas
once, whatever is killed; and what the log does not have is seen, stops withdrawals, and can be
adopted. The checker reads the chain itself."""
import time

import pytest
from evm_bench import KIND, UNIT, WEI, EVMWalletBench
from kills import killed_around_signature, killed_at, mine_until_struck
from wallet_bench import CONFIRMATIONS, NAMES

COIN = 10**8
TOKEN = 10**6
FEE = COIN // 10_000


class SweepingBench(EVMWalletBench):
    sweep_above = ""

    def is_swept(self):
        """Whether nothing but what is too little is left at customers' addresses."""
        return all(self.node.balance(one) < WEI // 200
                   and self.node.balance(one, self.tokens["TST"]) == 0
                   for one in self.addresses.values())

    def await_swept(self):
        self.mine_until("swept", self.is_swept)
        self.mine_until("settled", lambda: self.payouts.get("open") == 0)
        self.await_in_step()

    def check_swept(self, tokens_of):
        """By the chain: one sweep of each coin of an address, and gas for it once where it had
        none."""
        names = {address.lower(): name for name, address in self.addresses.items()}
        token = self.tokens["TST"].lower()
        swept, given = [], []
        for transaction, receipt in self.own():
            assert receipt["status"] == "0x1"
            sender, to = transaction["from"], transaction["to"]
            if sender in names:
                code = "TST" if to == token else "ETH"
                assert code == "TST" or to == self.hot.lower()
                assert code == "ETH" or transaction["input"][34:74] == self.hot[2:].lower()
                swept.append((names[sender], code))
            elif to in names and transaction["input"] == "0x":
                given.append(names[to])
        assert len(swept) == len(set(swept)), swept
        assert sorted(given) == sorted(set(given)), given
        assert {name for name, code in swept if code == "TST"} == set(tokens_of)
        return swept, given


def made(kind, tmp_path):
    bench = kind(tmp_path)
    try:
        bench.begin()
        bench.begin_signer()
    except BaseException:
        bench.end()
        raise
    return bench


@pytest.fixture
def bench(tmp_path):
    bench = made(SweepingBench, tmp_path)
    try:
        yield bench
    finally:
        bench.end()


@pytest.fixture
def still(tmp_path):
    """One that sweeps nothing."""
    bench = made(EVMWalletBench, tmp_path)
    try:
        yield bench
    finally:
        bench.end()


def test_what_customers_pay_in_is_swept_and_pays_withdrawals(bench):
    bench.start_wallet()
    bench.fund("ann", 3 * COIN)
    bench.fund("ben", 500 * TOKEN, code="TST")
    # Too little to be worth its gas.
    bench.fund("cid", COIN // 1000)
    bench.await_swept()
    swept, given = bench.check_swept(["ben"])
    assert ("ann", "ETH") in swept and given == ["ben"] and ("cid", "ETH") not in swept
    # What was given for gas is nobody's deposit.
    assert bench.balances() == {"ann": 3 * COIN, "ben": 0, "cid": COIN // 1000}
    bench.check_sums()
    there = [bench.address(), bench.address()]
    bench.withdraw("ann", there[0], COIN)
    bench.withdraw("ben", there[1], 200 * TOKEN, "TST")
    bench.await_paid()
    assert bench.node.balance(there[0]) == WEI
    assert bench.node.balance(there[1], bench.tokens["TST"]) == 200 * TOKEN
    assert not bench.is_stopped() and not bench.is_stopped("TST")
    # Coins that a contract passes on: no transaction names the address.
    payer = bench.node.deploy("Payer")
    bench.node.run(payer, "pay(address)", bench.addresses["cid"], value=WEI // 2)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    assert bench.balances()["cid"] == COIN // 1000 + COIN // 2
    bench.await_swept()
    bench.check_sums()
    done = bench.ctl("wallet", "reconcile", "TST", check=False)
    assert done.returncode == 0 and "balanced" in done.stdout, done.stdout


@pytest.mark.parametrize("point, when", [
    ("sign", "before"), ("sign", "after"), ("settle", "before"), ("settle", "after")])
def test_killed_at_each_command_it_sweeps_once(bench, tmp_path, point, when):
    bench.start_wallet()
    bench.supply(ether=1, tokens=0)
    bench.fund("ben", 50 * TOKEN, code="TST")
    bench.kill("walletd")
    with killed_at(bench, tmp_path, point, when) as watch:
        mine_until_struck(bench, watch)
    # What waited at the node is gone as well.
    bench.node.kill()
    bench.node.start()
    bench.start_wallet()
    bench.await_swept()
    _, given = bench.check_swept(["ben"])
    assert given == ["ben"] and bench.balances()["ben"] == 0
    bench.check_sums(given=WEI)


@pytest.mark.parametrize("victim", ["walletd", "signerd"])
def test_killed_behind_the_signature_gas_is_given_once(bench, tmp_path, victim):
    bench.start_wallet()
    bench.supply(ether=1, tokens=0)
    bench.kill("walletd")
    bench.pay("ben", 50 * TOKEN, "TST")
    bench.node.mine(CONFIRMATIONS)
    with killed_around_signature(bench, tmp_path, victim, "after") as watch:
        bench.await_swept()
    _, given = bench.check_swept(["ben"])
    assert given == ["ben"]
    bench.check_others(watch.answers)
    bench.check_sums(given=WEI)


def test_a_sweep_that_waits_gets_a_higher_fee(bench):
    bench.start_wallet()
    bench.node.call("evm_hold", True)
    bench.fund("ann", COIN)
    bench.await_("signed", lambda: bench.payouts.get("open") == 1)
    # Ten seconds of blocks without it.
    bench.mine_until("a higher fee", lambda: bench.payouts.get("open") == 2)
    bench.node.call("evm_hold", False)
    bench.await_swept()
    bench.check_swept([])
    bench.check_sums()


def test_what_the_log_does_not_have_stops_withdrawals_until_it_is_adopted(still):
    bench = still
    bench.start_wallet()
    bench.supply(ether=5, tokens=1)
    bench.fund("ann", 2 * COIN)
    there = bench.address()
    stolen = bench.steal(there, WEI)
    bench.node.mine()
    said = bench.await_payouts("foreign transaction")
    assert not said["isSound"] and stolen in said["text"]
    bench.await_("stopped", lambda: bench.is_stopped() and bench.is_stopped("TST"))
    bench.ctl("wallet", "adopt", KIND, stolen, "--yes")
    # Not before it is final.
    time.sleep(2)
    assert bench.payouts["condition"] == "foreign transaction"
    bench.mine_until("adopted", lambda: bench.payouts.get("condition") == "nothing to pay")
    for code in ("ETH", "TST"):
        bench.ctl("wallet", "resume", code, "--reason", "it was us")
    paid = bench.address()
    bench.withdraw("ann", paid, COIN)
    bench.await_paid()
    assert bench.node.balance(paid) == WEI
    assert [one["nonce"] for one, _ in bench.own()] == ["0x0", "0x1"]
    # In the place of a payment that the log has.
    bench.node.call("evm_hold", True)
    again = bench.address()
    row = bench.withdraw("ann", again, COIN // 2)
    bench.await_("signed", lambda: bench.withdrawals[row]["status"] == "signed")
    stolen = bench.steal(there, WEI // 2)
    bench.node.mine(CONFIRMATIONS)
    bench.node.call("evm_hold", False)
    said = bench.await_payouts("foreign transaction")
    assert stolen in said["text"], said
    bench.ctl("wallet", "adopt", "1", stolen, "--yes")
    bench.mine_until("adopted", lambda: bench.payouts.get("condition") != "foreign transaction")
    bench.ctl("wallet", "resume", "ETH", "--reason", "it was us")
    bench.await_paid()
    assert bench.node.balance(again) == WEI // 2
    # Nobody else's is.
    other = bench.node.pay(there, 5)
    bench.node.mine(CONFIRMATIONS)
    bench.ctl("wallet", "adopt", "1", other, "--yes")
    bench.await_("refused", lambda: "no account of the wallet" in bench.log_tail("walletd", 50))


def test_what_pays_a_withdrawal_waits_for_the_stop_to_end_and_is_adopted_as_its_payment(still):
    bench = still
    bench.start_wallet()
    bench.supply(ether=5, tokens=0)
    bench.fund("ann", 2 * COIN)
    bench.kill("signerd")
    there = bench.address()
    row = bench.withdraw("ann", there, COIN)
    # As the signer signed it, and the log never got it.
    lost = bench.steal(there, WEI)
    bench.node.mine(CONFIRMATIONS)
    bench.await_payouts("foreign transaction")
    bench.await_("stopped", bench.is_stopped)
    bench.ctl("wallet", "adopt", KIND, lost, "--yes")
    said = bench.await_("waits", lambda: "then it is adopted" in bench.payouts.get("text", "")
                        and bench.payouts)
    assert f"pays withdrawal {row}" in said["text"] and "wallet resume ETH" in said["text"]
    # It waits for as long as the operator takes, and nobody else pays it meanwhile.
    bench.start_signer()
    bench.node.mine(2)
    time.sleep(4)
    assert bench.withdrawals[row]["status"] == "approved" and bench.is_stopped()
    bench.ctl("wallet", "resume", "ETH", "--reason", "it was us")
    bench.await_("adopted", lambda: not bench.withdrawals)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    bench.await_whole()
    assert not bench.is_stopped()
    assert [one["hash"] for one, _ in bench.own()] == [lost]
    assert bench.node.balance(there) == WEI and bench.balances()["ann"] == COIN - FEE


def test_a_nonce_that_nobody_uses_is_filled(still):
    bench = still
    bench.start_wallet()
    bench.supply(ether=100, tokens=0)
    bench.fund("ann", 3 * COIN)
    bench.node.call("evm_hold", True)
    first = bench.withdraw("ann", bench.address(), COIN)
    bench.await_("signed", lambda: bench.withdrawals[first]["status"] == "signed")
    there = bench.address()
    second = bench.withdraw("ann", there, COIN)
    bench.await_("signed", lambda: bench.withdrawals[second]["status"] == "signed")
    [payment] = bench.withdrawals[first]["payments"]
    bench.ctl("wallet", "fail", payment["transaction"], "--refuse", "--force", "--reason", "test",
              "--yes")
    # What waited at the node is gone.
    bench.node.kill()
    bench.node.start()
    bench.await_paid()
    own = [one for one, _ in bench.own()]
    assert [one["nonce"] for one in own] == ["0x0", "0x1"]
    assert own[0]["to"] == bench.hot.lower() and own[0]["value"] == "0x0"
    assert bench.node.balance(there) == WEI
    assert bench.balances()["ann"] == 3 * COIN - COIN - FEE
    bench.check_sums(given=100 * WEI)


def test_what_is_missing_stops_its_asset_at_once(bench):
    bench.start_wallet()
    bench.fund("ann", 2 * COIN)
    bench.await_swept()
    bench.await_whole()
    bench.steal(bench.address(), WEI // 10)
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_books("short")
    assert int(said["difference"]) * UNIT <= -(WEI // 10)
    bench.await_("stopped", bench.is_stopped)
    done = bench.ctl("wallet", "reconcile", "ETH", check=False)
    assert done.returncode != 0 and "missing" in done.stdout
    # A token's books are its own; what is booked by hand is on no chain.
    assert bench.books("TST")["condition"] == "balanced"
    bench.ctl("credit", NAMES[0], "TST", "5", "--reference", "x", "--reason", "test")
    begin = time.monotonic()
    bench.await_books("short", "TST")
    assert time.monotonic() - begin < 3
