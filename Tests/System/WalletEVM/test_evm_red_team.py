"""An attacker between the parts of an EVM chain's wallet, against the real signer, node and matchd.

As on UTXO chains (`test_red_team.py`), with a nonce for a coin: whatever is asked, answered or
lied, nothing leaves the wallet but what customers requested, each once, and what it moves between its own
accounts stays there. Who writes the log itself has at most one bucket of the signer's, of the coin
and of each token apart. The judge reads the chain, and is shown thefts by a signer that checks
nothing.
"""
import json
import re

import pytest
from chain_ledger import Theft
from evm_bench import KIND, WEI, EVMWalletBench
from evm_judge import EVMJudge, LooseEVMSigner
from evm_red_team import EVMTransaction, evm_transactions
from proxies import SignerProxy, line
from red_judge import captured_request
from red_rounds import (
    CREDIT, REQUEST, ROUNDS, SETTLE, SIGN, anybody, await_answer, change_answers, change_commands,
    forge_log_of_signer, forge_log_of_walletd, forged_requests, lie_in_fields, records, settling,
    signing, submit)
from red_team import messages
from wallet_bench import CONFIRMATIONS, NAMES

COIN = 10**8
TOKEN = 10**6
THIEF = bytes(range(0xA0, 0xB4))


class SweepingBench(EVMWalletBench):
    sweep_above = ""


def funded(kind, tmp_path):
    """A wallet with coins and tokens of two customers; walletd is not started."""
    made = kind(tmp_path)
    try:
        made.begin()
        made.begin_signer()
        made.supply(tokens=1_000 * TOKEN)
        made.start_wallet()
        for name in NAMES[:2]:
            made.pay(name, 4 * COIN)
            made.pay(name, 400 * TOKEN, "TST")
        made.node.mine(CONFIRMATIONS)
        made.await_in_step()
        made.kill("walletd")
    except BaseException:
        made.end()
        raise
    return made


@pytest.fixture
def bench(tmp_path):
    made = funded(EVMWalletBench, tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def sweeping(tmp_path):
    made = funded(SweepingBench, tmp_path)
    try:
        yield made
    finally:
        made.end()


def any_request(judge, chance):
    """A customer's request, of the coin or of the token."""
    code = chance.choice(("ETH", "TST"))
    return judge.request(anybody(chance), chance.randrange(10**6, 10**7), code=code)


# --- walletd's account: what the signer is asked ---


def attack(judge, asked, chance):
    """Changes fields of a request and of its transaction; returns how many requests it were."""
    tx = EVMTransaction.read(bytes.fromhex(asked["transaction"]))
    assert tx.bytes.hex() == asked["transaction"]
    own = [bytes.fromhex(one[2:]) for one in (
        judge.bench.hot, *judge.bench.addresses.values(), *judge.bench.tokens.values())]
    def some(of, most):
        """So many of them, in their order."""
        rows = list(of)
        places = chance.sample(range(len(rows)), min(len(rows), most))
        return [rows[place] for place in sorted(places)]

    asks = some(messages(asked | {"index": asked.get("index", 0)}), 3 * ROUNDS)
    for what, made in some(evm_transactions(tx, THIEF, own), 8 * ROUNDS):
        asks.append((what, asked | {"transaction": made.hex()}))
    for place in some(range(len(tx.bytes)), 2 * ROUNDS):
        made = bytearray(tx.bytes)
        made[place] ^= 1 << chance.randrange(8)
        asks.append((f"byte {place}", asked | {"transaction": made.hex()}))
    for what, request in asks:
        judge.ask(request, what)
    return len(asks)


def test_whatever_is_asked_the_signer_signs_what_is_owed(bench, tmp_path, chance):
    judge = EVMJudge(bench)
    settled, refused, waiting, first, second = judge.requests_of_each_kind(
        lambda name, part, **options: judge.request(name, COIN // part, **options), "ETH")
    # walletd's own request, which shows what one is; the others are made like it.
    asked = captured_request(bench, tmp_path / "sign")
    token = judge.request("ann", 5 * TOKEN, code="TST")
    tx = EVMTransaction.read(bytes.fromhex(asked["transaction"]))
    nonce = tx.nonce
    made = judge.plan([first], nonce, most=tx.most)
    honest = EVMTransaction.read(bytes.fromhex(made["transaction"]))
    honest.priority = tx.priority
    assert asked == made | {
        "sequence": asked["sequence"], "transaction": honest.bytes.hex()}
    kinds = [asked, judge.plan([token], nonce), judge.sweep("ann", "ETH", WEI),
             judge.sweep("ben", "TST", 30 * TOKEN), judge.gift("cid", WEI // 1_000, nonce),
             judge.filler(nonce)]
    for one in kinds:
        assert "signed" in judge.ask(one, "as it is"), one
    count = sum(attack(judge, one, chance) for one in kinds)
    # Whole requests that pay what they say, for what may not be paid, or not again; and each of
    # those that may, with every other nonce.
    for numbers in judge.whole_requests(settled, refused, waiting, first, second):
        for other in range(nonce + 3):
            judge.ask(judge.plan(numbers, other), (numbers, other))
    for number in (first, second, token):
        for other in range(nonce + 4):
            judge.ask(judge.plan([number], other), (number, other))
    # An asset's amount as another asset's.
    for code in ("ETH", "TST"):
        judge.ask(judge.plan([token], nonce) | {"asset": judge.assets[code]}, code)
        judge.ask(judge.plan([second], nonce) | {"asset": judge.assets[code]}, code)
    # Transfers between accounts that are the wallet's, and not those that are said.
    for index in range(6):
        for one in kinds[2:]:
            judge.ask(one | {"index": index}, f"index {index}")
    print(f"{count} requests: {len(judge.signed)} payments, {dict(judge.refusals)}")
    assert all(judge.refusals[one] for one in ("outputs", "malformed", "fee", "coins"))
    paid = [settled, first, second, token]
    judge.give_all(chance)
    judge.check(paid)
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    bench.await_("read", lambda: bench.status and bench.status["read"] == bench.node.height)
    judge.check(paid)


THEFTS = {
    "destination": lambda tx: EVMTransaction(
        tx.chain, tx.nonce, tx.priority, tx.most, tx.gas, THIEF, tx.value),
    "amount": lambda tx: EVMTransaction(
        tx.chain, tx.nonce, tx.priority, tx.most, tx.gas, tx.to, tx.value + 1),
    "nonce": lambda tx: EVMTransaction(
        tx.chain, tx.nonce + 1, tx.priority, tx.most, tx.gas, tx.to, tx.value),
}


@pytest.mark.parametrize("theft", THEFTS)
def test_a_signer_that_checks_nothing_is_seen(bench, tmp_path, theft):
    """The canary: one field is changed, and whoever has the keys signs it."""
    judge = EVMJudge(bench)
    number = judge.request("ann", COIN // 2)
    loose = LooseEVMSigner(tmp_path / "loose", judge)
    given, asked = [], []

    def rewrite(text):
        asked.append(json.loads(text))
        tx = THEFTS[theft](EVMTransaction.read(bytes.fromhex(asked[-1]["transaction"])))
        return json.dumps(asked[-1] | {"transaction": tx.bytes.hex()}).encode() + b"\n"
    proxy = SignerProxy(tmp_path / "sign", loose.path, rewrite, lambda text, _: (
        given.append(json.loads(text)), text)[1])
    try:
        bench.start_wallet(signer=tmp_path / "sign")
        bench.await_("it is given", lambda: given)
        if theft == "nonce":
            # It is a payment of the wallet's keys, and what it takes the log has; the second one
            # the thief gives to the node himself.
            bench.kill("walletd")
            given.append(judge.sign(asked[0]))
        else:
            bench.await_("it is refused", lambda: "no signed payment" in bench.payouts.get(
                "text", ""))
        for said in given:
            judge.give(said["signed"])
        bench.node.mine(CONFIRMATIONS)
        with pytest.raises(Theft, match="left the wallet"):
            judge.check([number])
        with pytest.raises(Theft, match="it pays|could both be final"):
            for said in given:
                judge.judge(said)
    finally:
        proxy.close()
        loose.close()


def test_a_transfer_to_nobody_of_the_wallets_is_seen(bench):
    """The canary of transfers: of each kind one that goes elsewhere."""
    judge = EVMJudge(bench)
    there = "0x" + THIEF.hex()
    for path, code, amount in (("0/1", "ETH", WEI // 2), ("0/1", "TST", TOKEN), ("1/0", "ETH", 1)):
        nonce = int(path == "0/1" and code == "TST")
        asked = judge.asking(code, judge.transfer(code, there, amount, nonce))
        said = judge.sign(asked, path)
        with pytest.raises(Theft, match="it moves coins"):
            judge.judge(said)
        judge.give(said["signed"])
        bench.node.mine()
        with pytest.raises(Theft, match="left the wallet"):
            judge.check([])


# --- walletd's account: what the signer answered ---


def test_answers_are_changed_on_their_way(sweeping, tmp_path, chance):
    judge = EVMJudge(sweeping)
    numbers = change_answers(judge, tmp_path, chance, lambda: any_request(judge, chance))
    judge.check_all(numbers)
    for code in ("ETH", "TST"):
        sweeping.await_whole(code)


class Forger(SignerProxy):
    """Answers the first requests itself: that each was signed before, with a nonce that none ever
    had. The signer gets the others."""

    def __init__(self, path, target, judge, count):
        self.judge_of, self.count, self.told = judge, count, 0
        super().__init__(path, target)

    def _serve(self, client):
        if self.told == self.count:
            return super()._serve(client)
        with client:
            asked = json.loads(line(client))
            tx = EVMTransaction.read(bytes.fromhex(asked["transaction"]))
            tx.nonce += 1_000
            # By another key than that of the account that pays.
            made = self.judge_of.sign(
                asked | {"transaction": tx.bytes.hex()}, f"0/{7 + self.told}")
            self.told += 1
            return client.sendall(json.dumps({"earlier": [made["signed"]]}).encode() + b"\n")


def test_an_answer_of_what_was_never_signed_holds_up_nothing(bench, tmp_path):
    judge = EVMJudge(bench)
    first, second = judge.request("ann", COIN // 2), judge.request("ben", 5 * TOKEN, code="TST")
    proxy = Forger(tmp_path / "sign", bench.state / "run" / "signer.sock", judge, 2)
    try:
        bench.start_wallet(signer=proxy.path)
        bench.await_paid()
        assert proxy.told == 2
    finally:
        proxy.close()
    judge.check_all([first, second])


# --- what walletd reads: the log, and the chain ---


@pytest.mark.parametrize("code", ["ETH", "TST"])
def test_the_log_that_walletd_reads_is_forged(bench, tmp_path, chance, code):
    judge = EVMJudge(bench)
    number = judge.request("ann", 2 * TOKEN, code=code)
    payload = [payload for kind, payload in records(bench) if kind == REQUEST][-1]
    forge_log_of_walletd(judge, tmp_path, number, forged_requests(
        payload, "0x" + THIEF.hex(), chance, ROUNDS // 6))
    judge.check_all([number])


def test_a_node_that_lies_in_a_field(sweeping, chance):
    bench, judge = sweeping, EVMJudge(sweeping)

    def await_paid():
        """A payment that had too little gas, as the node said what it needs, is final and failed:
        an operator gives it up, and it is paid again."""
        def are_paid():
            if bench.payouts.get("condition") == "failed":
                [failed] = re.findall(r"0x(\w{64})", bench.payouts["text"])
                bench.ctl("wallet", "fail", failed, "--reason", "its gas", "--yes", check=False)
            return not bench.withdrawals
        bench.mine_until("all are settled", are_paid)
    lie_in_fields(judge, chance, max(4, ROUNDS // 2),
                  lambda: bench.node.call("eth_getTransactionCount", bench.hot, "pending")
                  != "0x0", lambda: any_request(judge, chance), await_paid)


# --- the log itself ---


def test_commands_of_the_wallet_are_changed_on_their_way(bench, tmp_path, chance):
    """Every word of every command that walletd gives matchd, and each at its place in time."""
    judge = EVMJudge(bench)
    number = judge.request("ann", COIN // 2)
    change_commands(judge, tmp_path, number, chance, lambda: bench.pay("cid", COIN),
                    lambda: [judge.request("ben", COIN // 4),
                             judge.request("ben", 5 * TOKEN, code="TST")])


def test_whole_withdrawals_are_forged_in_the_log(bench, chance):
    """The attacker writes what it likes into the log: deposits that no chain has, withdrawals of
    them, and that something else was final with a payment's nonce. What leaves is what the
    signer's buckets hold, of the coin and of the token apart; and the next reconciliation has it.
    """
    judge = EVMJudge(bench)
    bench.stop("signerd")
    capacity = {"ETH": 2 * WEI, "TST": 5 * TOKEN}
    bench.set("signerd", "limits", f"{KIND} 2 0, {KIND}:TST 5 0")
    bench.start_signer()
    honest = [payload for kind, payload in records(bench) if kind == CREDIT]
    for code in ("ETH", "TST"):
        asset = judge.assets[code].to_bytes(2, "little")
        payload = bytearray(next(one for one in honest if one[4:6] == asset))
        payload[16:48] = chance.randbytes(32)
        payload[48:64] = (1_000 * COIN).to_bytes(16, "little")
        assert submit(bench, CREDIT, bytes(payload)) == 0
    sent, nonce, parts = [], 0, {"ETH": COIN * 2 // 5, "TST": TOKEN}
    for turn in range(12):
        code = "TST" if turn % 2 else "ETH"
        forged = judge.request("ann", parts[code], code=code)
        for _ in range(2):
            said = await_answer(judge, judge.plan([forged], nonce))
            judge.refusals[code, said.get("refused")] += 1
            if "signed" not in said:
                break
            sent.append(said["signed"])
            # The log has a transfer of nothing in the place of that payment, and has it final: the
            # payment is then dead for the signer, which signs for the withdrawal again. The chain
            # gets the payment.
            void = await_answer(judge, judge.filler(nonce))
            if "signed" not in void:
                break
            data = bytes.fromhex(void["signed"]["bytes"])
            name = bytes.fromhex(void["signed"]["transaction"])
            assert submit(bench, SIGN, signing(judge.assets["ETH"], [], name, data)) == 0
            assert submit(bench, SETTLE, settling(judge.assets["ETH"], name)) == 0
            nonce += 1
    for payment in sent:
        judge.give(payment)
    bench.node.mine()
    left = judge.left()
    print(f"{len(sent)} payments, {dict(left)} of {capacity} left, {dict(judge.refusals)}")
    for code, most in capacity.items():
        assert 0 < left[code] <= most, code
        assert judge.refusals[code, "limit"], code
    # Some of them were paid twice: it is the log that was forged.
    paid, _, _ = judge.read()
    assert max(paid.values()) == 2
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    for code in capacity:
        bench.await_books("short", code)
        bench.await_("stopped", lambda: bench.is_stopped(code))


def test_the_log_that_the_signer_reads_is_forged(bench, tmp_path, chance):
    """What it signs until the log's hash shows it is within the bucket."""
    judge = EVMJudge(bench)
    bench.stop("signerd")
    bench.set("signerd", "limits", f"{KIND} 2 0, {KIND}:TST 5 0")
    number = judge.request("ann", COIN // 2)
    honest = [payload for kind, payload in records(bench) if kind == REQUEST][-1]
    thief = "0x" + THIEF.hex()

    def asks(_):
        for there in (judge.payable[number][0], thief):
            judge.owed[number] = (there, *judge.payable[number][1:])
            for nonce in range(2):
                yield judge.plan([number], nonce)
    count = forge_log_of_signer(
        judge, tmp_path, forged_requests(honest, thief, chance, ROUNDS // 2), asks)
    left = judge.left()
    print(f"{count} payments, {dict(left)} left the wallet")
    assert 0 < left["ETH"] <= 2 * WEI and not left["TST"]
