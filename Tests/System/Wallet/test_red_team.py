"""An attacker between the wallet's parts, against the real signer, node and matchd.

Who has walletd's account, or stands at one of its sockets, changes every field of every message:
nothing leaves the wallet but what customers requested, each once. Who writes the log itself (with
matchd's account, or walletd's for what wallets may write there) can have whole withdrawals forged:
at most one bucket of the signer's leaves, whatever the log says. The checker reads the chain, and
is shown a theft by a signer that checks nothing.
"""
import hashlib
import json

import pytest
from chain_ledger import Theft
from proxies import SignerProxy
from red_judge import Judge, captured_request
from red_keys import LooseSigner, Thief
from red_rounds import (
    REQUEST, ROUNDS, SETTLE, SIGN, anybody, await_answer, change_answers, change_commands,
    forge_log_of_signer, forge_log_of_walletd, forged_requests, lie_in_fields, records, settling,
    signing, submit)
from red_team import Output, Transaction, messages, transactions
from wallet_bench import CONFIRMATIONS, WORDS, WalletBench

COIN = 100_000_000


@pytest.fixture
def bench(tmp_path):
    made = WalletBench(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture
def judge(bench):
    """The judge of a wallet with four coins of each customer; walletd is not started."""
    bench.begin_signer()
    bench.start_wallet()
    bench.fund("ann", *[COIN] * 4)
    bench.fund("ben", *[COIN] * 4)
    bench.kill("walletd")
    return Judge(bench).look()


# --- walletd's account: what the signer is asked ---


def test_whatever_is_asked_the_signer_signs_what_is_owed(bench, judge, tmp_path, chance):
    settled, refused, waiting, first, second = judge.requests_of_each_kind(
        lambda name, part, **options: judge.request(name, COIN // part, **options), "LTC")
    asked = captured_request(bench, tmp_path / "sign")
    assert asked["withdrawals"] == [first, second]
    thief = bytes.fromhex(judge.ledger.script(bench.node.call("getnewaddress")))
    tx = Transaction.read(bytes.fromhex(asked["transaction"]))
    assert tx.bytes.hex() == asked["transaction"]
    count = 0
    for path, message in messages(asked):
        judge.ask(message, path)
        count += 1
    spare = [coin for coin in judge.coins if coin not in tx.places]
    for what, made in transactions(tx, thief, spare[:2]):
        judge.ask(asked | {"transaction": made.bytes.hex()}, what)
        count += 1
    for place in range(len(tx.bytes)):
        made = bytearray(tx.bytes)
        made[place] ^= 1 << chance.randrange(8)
        judge.ask(asked | {"transaction": made.hex()}, f"byte {place}")
        count += 1
    # What proves the coins, each time for another transaction: one that was signed is given again.
    (back,) = [one for one in tx.outputs if one.script.hex() in judge.ledger.change]
    back.amount -= 1_000
    for index, text in enumerate(asked["previous"]):
        for place in range(0, len(text), 16):
            made = text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1:]
            proofs = [*asked["previous"][:index], made, *asked["previous"][index + 1:]]
            back.amount -= 1
            said = judge.ask(asked | {"previous": proofs, "transaction": tx.bytes.hex()})
            assert said["refused"] in ("unproved", "malformed"), (index, place, said)
            count += 1
    # Whole requests that pay what they say, for what may not be paid, or not again.
    for numbers in judge.whole_requests(settled, refused, waiting, first, second):
        # What comes is an earlier payment, if anything: the judge looks at it.
        judge.ask(judge.plan(numbers, spare[-2:]), numbers)
    # Withdrawals that were asked for together, each alone, and from other coins.
    for numbers in ([first], [second], [first, second]):
        for coins in (spare[:1], spare[1:3], spare[-2:]):
            judge.ask(judge.plan(numbers, coins), (numbers, coins))
            judge.ask(judge.plan(numbers, coins, change=first + 7), "change elsewhere")
            count += 2
    print(f"{count} requests: {len(judge.signed)} payments, {dict(judge.refusals)}")
    assert judge.signed and judge.refusals["outputs"] and judge.refusals["malformed"]
    judge.give_all(chance)
    judge.check([settled, first, second])
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    bench.await_("in step", lambda: bench.status and bench.status["read"] == bench.node.height)
    judge.check([settled, first, second])


def test_a_signer_that_checks_nothing_is_seen(bench, judge, tmp_path):
    """The canary: the same change of one output, signed by whoever has the keys."""
    number = judge.request("ann", COIN // 2)
    thief = bytes.fromhex(judge.ledger.script(bench.node.call("getnewaddress")))
    loose = LooseSigner(tmp_path / "loose", Thief(bench.node, WORDS))

    def rewrite(line):
        asked = json.loads(line)
        tx = Transaction.read(bytes.fromhex(asked["transaction"]))
        tx.outputs[0] = Output(tx.outputs[0].amount, thief)
        return json.dumps(asked | {"transaction": tx.bytes.hex()}).encode() + b"\n"
    proxy = SignerProxy(tmp_path / "sign", loose.path, rewrite, lambda line, _: (
        given.append(json.loads(line)), line)[1])
    given = []
    try:
        bench.start_wallet(signer=tmp_path / "sign")
        # walletd does not take it into the log, so the thief has to give it to the node himself.
        bench.await_("it is refused", lambda: bench.status and "no signed payment"
                     in bench.status["payouts"]["text"])
        bench.node.call("sendrawtransaction", given[0]["signed"]["bytes"])
        bench.node.mine(CONFIRMATIONS)
        with pytest.raises(Theft):
            judge.check([number])
        with pytest.raises(Theft):
            judge.judge(given[0])
    finally:
        proxy.close()
        loose.close()


# --- walletd's account: what the signer answered ---


def test_answers_are_changed_on_their_way(bench, judge, tmp_path, chance):
    change_answers(judge, tmp_path, chance, lambda: judge.request(
        anybody(chance), chance.randrange(10**6, 10**7)))
    assert bench.status["books"]["condition"] == "balanced", bench.status


# --- what walletd reads: the log, and the chain ---


def test_the_log_that_walletd_reads_is_forged(bench, judge, tmp_path, chance):
    number = judge.request("ann", COIN // 2)
    (payload,) = [record for record in records(bench) if record[0] == REQUEST]
    forge_log_of_walletd(judge, tmp_path, number, forged_requests(
        payload[1], bench.node.call("getnewaddress"), chance, ROUNDS // 3))


def test_a_node_that_lies_in_a_field(bench, judge, chance):
    lie_in_fields(judge, chance, ROUNDS + 2, lambda: bench.node.call("getrawmempool"),
                  lambda: judge.request("ann", chance.randrange(10**6, 10**7)))


# --- the log itself ---


def test_commands_of_the_wallet_are_changed_on_their_way(bench, judge, tmp_path, chance):
    """Every word of every command that walletd gives matchd, and each at its place in time."""
    number = judge.request("ann", COIN // 2)
    change_commands(judge, tmp_path, number, chance,
                    lambda: bench.node.pay(bench.addresses["cid"], COIN),
                    lambda: [judge.request("ben", COIN // 4) for _ in range(2)])


def test_whole_withdrawals_are_forged_in_the_log(bench, judge, chance):
    """The attacker writes what it likes into the log: money from nowhere, withdrawals to itself,
    and that payments were dropped or settled. What leaves is what the signer's bucket holds."""
    bench.stop("signerd")
    capacity = 2 * COIN
    bench.set("signerd", "limits", "litecoin-regtest 2 0")
    bench.start_signer()
    bench.ctl("credit", "cid", "LTC", "1000", "--reference", "forged", "--reason", "forged")
    sent, free = [], list(judge.coins)
    for turn in range(10):
        forged = judge.request("cid", COIN * 2 // 5)
        said = await_answer(judge, judge.plan([forged], [free[turn % len(free)]]))
        judge.refusals[said.get("refused")] += 1
        if "signed" not in said:
            continue
        sent.append(said["signed"])
        # The log is told of another transaction that spent the coin and is final: the signer's own
        # is then dead for it, and it signs for the same withdrawal again, from other coins.
        void = Transaction.read(bytes.fromhex(said["signed"]["bytes"]))
        void.outputs = [Output(1_000, void.outputs[-1].script)]
        other = judge.request("cid", COIN // 500)
        assert submit(bench, SIGN, signing(
            judge.asset, [other], txid(void), void.bytes)) == 0
        assert submit(bench, SETTLE, settling(judge.asset, txid(void))) == 0
        bench.kill("signerd")
        bench.start_signer()
        said = await_answer(judge, judge.plan([forged], [free[(turn + 3) % len(free)]]))
        judge.refusals[said.get("refused")] += 1
        if "signed" in said:
            sent.append(said["signed"])
    for payment in sent:
        judge.give(payment)
    bench.node.mine()
    left = judge.left()
    print(f"{len(sent)} payments, {left} of {capacity} base units left the wallet, "
          f"{dict(judge.refusals)}")
    assert 0 < left <= capacity
    assert judge.refusals["limit"]


def txid(tx):
    return hashlib.sha256(hashlib.sha256(tx.bytes).digest()).digest()[::-1]


def test_the_log_that_the_signer_reads_is_forged(bench, judge, tmp_path, chance):
    """What it signs until the log's hash shows it is within the bucket."""
    bench.stop("signerd")
    capacity = 2 * COIN
    bench.set("signerd", "limits", "litecoin-regtest 2 0")
    number = judge.request("ann", COIN // 2)
    honest = [payload for found, payload in records(bench) if found == REQUEST][-1]
    thief = bench.node.call("getnewaddress")
    coins = list(judge.coins)

    def asks(index):
        for script in (judge.payable[number][0], judge.ledger.script(thief)):
            judge.owed[number] = (script, judge.payable[number][1])
            yield judge.plan([number], coins[index % 4:index % 4 + 1])
    count = forge_log_of_signer(judge, tmp_path, forged_requests(
        honest, thief, chance, min(2 * ROUNDS, 29)), asks)
    left = judge.left()
    print(f"{count} payments, {left} of {capacity} base units left the wallet")
    assert 0 < left <= capacity
