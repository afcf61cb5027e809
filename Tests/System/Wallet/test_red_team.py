"""An attacker between the wallet's parts, against the real signer, node and matchd.

Who has walletd's account, or stands at one of its sockets, changes every field of every message:
nothing leaves the wallet but what customers requested, each once. Who writes the log itself (with
matchd's account, or walletd's for what wallets may write there) can have whole withdrawals forged:
at most one bucket of the signer's leaves, whatever the log says. The checker reads the chain, and
is shown a theft by a signer that checks nothing.
"""
import json
import os
import random
import struct
import subprocess
import time
from collections import Counter

import pytest
from chain_ledger import Theft
from exchange import set_key
from linkwire import Closed, Link
from proxies import RECORDS, SUBMIT, LinkProxy, NodeProxy, SignerProxy, commands
from red_judge import Judge, captured_request
from red_keys import LooseSigner, Thief
from red_team import RECORD, Output, Transaction, changed, messages, others, paths, words
from red_team import at as value_at
from red_team import transactions
from wallet_bench import CONFIRMATIONS, NAMES, WORDS, WalletBench

from journal import seal

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))
COIN = 100_000_000
SETTLE, DROP, SIGN = 53, 54, 52


@pytest.fixture
def chance():
    print(f"BOURSE_SEED={SEED}")
    return random.Random(SEED)


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
    made = Judge(bench)
    made.asset = bench.ctl_json("wallet", "status")["assets"][0]["asset"]
    made.asset = next(row["id"] for row in bench.ctl_json("asset", "list")
                      if row["code"] == "LTC")
    made.owed = {}
    return made.look()


def request(judge, name, units, payable=True):
    """A withdrawal that a customer requests; gives its number."""
    there = judge.bench.node.call("getnewaddress")
    number = judge.bench.withdraw(name, there, units)
    judge.owed[number] = (judge.ledger.script(there), units)
    if payable:
        judge.payable[number] = judge.owed[number]
    return number


def check(judge, numbers):
    """Nothing left the wallet but these withdrawals, each at most once."""
    judge.ledger.read()
    due = Counter(judge.owed[number] for number in numbers)
    if more := Counter(judge.ledger.paid) - due:
        raise Theft(f"left the wallet: {more}")
    assert judge.ledger.fees <= 500_000 * len(judge.ledger.payments)


# --- walletd's account: what the signer is asked ---


def test_whatever_is_asked_the_signer_signs_what_is_owed(bench, judge, tmp_path, chance):
    settled = request(judge, "ann", COIN // 10)
    bench.start_wallet()
    bench.await_paid()
    bench.kill("walletd")
    judge.look()
    refused = request(judge, "ann", COIN // 9, payable=False)
    bench.ctl("wallet", "refuse", refused, "--reason", "the customer asked")
    bench.ctl("wallet", "network", "set", "LTC", "1", "--approvals", "1")
    waiting = request(judge, "ben", COIN // 8, payable=False)
    bench.ctl("wallet", "network", "set", "LTC", "1", "--approvals", "0")
    first, second = request(judge, "ann", COIN // 2), request(judge, "ben", COIN // 3)
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
    for numbers in ([settled], [refused], [waiting], [first, waiting], [settled, second],
                    [refused, first, second], [first, first], [second + 100]):
        judge.owed.setdefault(second + 100, judge.owed[first])
        # What comes is an earlier payment, if anything: the judge looks at it.
        judge.ask(judge.plan(sorted(numbers), spare[-2:]), numbers)
    # Withdrawals that were asked for together, each alone, and from other coins.
    for numbers in ([first], [second], [first, second]):
        for coins in (spare[:1], spare[1:3], spare[-2:]):
            judge.ask(judge.plan(numbers, coins), (numbers, coins))
            judge.ask(judge.plan(numbers, coins, change=first + 7), "change elsewhere")
            count += 2
    print(f"{count} requests: {len(judge.signed)} payments, {dict(judge.refusals)}")
    assert judge.signed and judge.refusals["outputs"] and judge.refusals["malformed"]
    judge.give_all(chance)
    check(judge, [settled, first, second])
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    bench.await_("in step", lambda: bench.status and bench.status["read"] == bench.node.height)
    check(judge, [settled, first, second])


def test_a_signer_that_checks_nothing_is_seen(bench, judge, tmp_path):
    """The canary: the same change of one output, signed by whoever has the keys."""
    number = request(judge, "ann", COIN // 2)
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
            check(judge, [number])
        with pytest.raises(Theft):
            judge.judge(given[0])
    finally:
        proxy.close()
        loose.close()


# --- walletd's account: what the signer answered ---


def test_answers_are_changed_on_their_way(bench, judge, tmp_path, chance):
    """One field of one answer at a time: the log gets nothing but payments, so that once the
    answers are the signer's own every withdrawal is paid, once."""
    numbers, wishes, older = [], [], []

    def answer(line, _):
        said = json.loads(line)
        if "signed" not in said or not wishes:
            return line
        judge.judge(said)
        older.append(said)
        path, kind = wishes.pop()
        if kind == "replayed":
            return json.dumps(chance.choice(older)).encode() + b"\n"
        other = chance.choice([one for one in others(value_at(said, path))])
        return json.dumps(changed(said, path, other)).encode() + b"\n"
    proxy = SignerProxy(
        tmp_path / "sign", bench.state / "run" / "signer.sock", answer=answer)
    fields = [("signed", name) for name in (
        "network", "asset", "withdrawals", "replaces", "transaction", "bytes")]
    try:
        for path in [*fields, ("signed",), (), None]:
            numbers.append(request(judge, chance.choice(NAMES[:2]), chance.randrange(10**6, 10**7)))
            wishes.append((path, "replayed" if path is None else "changed"))
            bench.start_wallet(signer=tmp_path / "sign")
            bench.await_(f"{path} is changed", lambda: not wishes)
            time.sleep(0.5)
            bench.kill("walletd")
            bench.node.mine()
            judge.look()
    finally:
        proxy.close()
    bench.start_wallet()
    bench.await_paid()
    assert bench.status["books"]["condition"] == "balanced", bench.status
    check(judge, numbers)
    judge.give_all(chance)
    check(judge, numbers)


# --- what walletd reads: the log, and the chain ---


def rewritten(frame, kind, change):
    """A frame of records with the payload of each record of a kind changed, under its CRC."""
    if struct.unpack_from("<H", frame, 4)[0] != RECORDS:
        return frame
    made, place = bytearray(frame[:8]), 8
    while place + RECORD.size <= len(frame):
        size = struct.unpack_from("<I", frame, place)[0]
        if size < RECORD.size:
            break
        record = frame[place:place + size]
        if RECORD.unpack_from(record)[7] == kind:
            record = seal(record[:RECORD.size] + change(record[RECORD.size:]))
        made += record
        place += size
    return bytes(made + frame[place:])


REQUEST = 45


def test_the_log_that_walletd_reads_is_forged(bench, judge, tmp_path, chance):
    """The signer reads the log as it is, and does not sign what walletd then plans."""
    number = request(judge, "ann", COIN // 2)
    (payload,) = [record for record in records(bench) if record[0] == REQUEST]
    forged = list(words(payload[1]))
    thief = bench.node.call("getnewaddress").encode().ljust(64, b"\0")
    chosen = [("the thief's address", payload[1][:48] + thief + payload[1][112:])]
    chosen += chance.sample(forged, min(len(forged), ROUNDS // 3))
    for what, other in chosen:
        proxy = LinkProxy(tmp_path / f"link-{what}".replace(" ", "-"),
                          bench.state / "run" / "match.sock",
                          down=lambda frame: rewritten(frame, REQUEST, lambda _: other))
        given = []
        signer = SignerProxy(f"{proxy.path}-s", bench.state / "run" / "signer.sock",
                             answer=lambda line, _: (given.append(json.loads(line)), line)[1])
        try:
            bench.start_wallet(socket=proxy.path, signer=signer.path)
            if isinstance(what, str):
                bench.await_("it asks", lambda: given)
            else:
                try:
                    bench.running["walletd"].wait(2.5)
                except subprocess.TimeoutExpired:  # It does not see what was changed.
                    pass
            for said in given:
                judge.judge(said, what)
        finally:
            proxy.close()
            signer.close()
            process = bench.running.pop("walletd")
            process.kill()
            process.wait()
        bench.node.mine()
        check(judge, [number])
    bench.start_wallet()
    bench.await_paid()
    check(judge, [number])


def records(bench):
    """The commands of the log: (kind, payload)."""
    from journal import Journal
    return [(record.kind, record.payload) for record in Journal(bench.state).records]


class Liar:
    """Between walletd and its node: changes one field of one answer, or of one call."""

    def __init__(self, node, chance):
        self.chance, self.wish, self.done, self.methods = chance, None, Counter(), Counter()
        self.proxy = NodeProxy(node, self.call, self.answer)

    def wishes(self):
        """The next lie: of a method of which there were the fewest."""
        method = min(self.methods, key=lambda one: (self.methods[one], self.chance.random()))
        self.wish = (method, self.chance.random() < 0.2)

    def lie(self, message, call, of_call):
        method = call["method"]
        self.methods.setdefault(method, 0)
        if self.wish != (method, of_call):
            return message
        self.wish = None
        self.methods[method] += 1
        # Rows of a list are alike: each kind of field is as likely as another.
        shapes = {}
        for path in paths(message):
            shape = tuple("*" if isinstance(part, int) else part for part in path)
            shapes.setdefault(shape, []).append(path)
        shape = self.chance.choice(list(shapes))
        path = self.chance.choice(shapes[shape])
        self.done[(method, *shape)] += 1
        return changed(message, path, self.chance.choice(list(others(value_at(message, path)))))

    def answer(self, answer, call):
        return self.lie(answer, call, False)

    def call(self, call):
        made = self.lie(call, call, True)
        return made if isinstance(made, dict) else None


def test_a_node_that_lies_in_a_field(bench, judge, chance):
    """What walletd asks a node, and what it is answered, one field of one message at a time.
    Deposits are the node's word; what leaves is not."""
    numbers, liar, honest = [], Liar(bench.node, chance), bench.node.setting
    try:
        bench.set("walletd", "nodes", liar.proxy.setting)
        bench.start_wallet()
        numbers.append(request(judge, "ann", chance.randrange(10**6, 10**7)))
        bench.await_("in the pool", lambda: bench.node.call("getrawmempool"))
        for _ in range(ROUNDS + 2):
            liar.wishes()
            numbers.append(request(judge, "ann", chance.randrange(10**6, 10**7)))
            bench.node.mine()
            deadline = time.monotonic() + 3
            while liar.wish and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            bench.check_alive()
            # It rests where the node gave it nothing of use.
            bench.kill("walletd")
            bench.start_wallet()
    finally:
        liar.proxy.close()
    bench.kill("walletd")
    print(f"{sum(liar.done.values())} lies: {sorted(liar.done)}")
    check(judge, numbers)
    bench.set("walletd", "nodes", honest)
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_("it stands", lambda: bench.status and bench.status["condition"] != "reading"
                        and bench.status)
    # What a lie has put into the log as final, an operator has read again.
    if said["isSound"] and not any(
            row["stopped"] for row in bench.ctl_json("wallet", "status")["assets"]):
        bench.await_paid()
    else:
        print(f"an operator has to look: {said['condition']}: {said['text']}")
    check(judge, numbers)


# --- the log itself ---


def submit(bench, kind, payload):
    """One command in a session of its own; the engine's refusal, or "closed" where matchd closes
    the connection for it."""
    link = Link(str(bench.state / "run" / "match.sock"), "wallet/red")
    try:
        session = link.open("wallet/red")[3]
        link.submit(session, [(1, kind, payload)])
        while True:
            for ack in link.acks(10):
                return ack[4]
    except Closed:
        return "closed"
    finally:
        link.close()


def test_commands_of_the_wallet_are_changed_on_their_way(bench, judge, tmp_path, chance):
    """Every word of every command that walletd gives matchd, and each at its place in time."""
    seen = {}
    number = request(judge, "ann", COIN // 2)

    def up(frame):
        for kind, payload in commands(frame):
            seen[kind] = payload
        return frame
    proxy = LinkProxy(tmp_path / "link", bench.state / "run" / "match.sock", up)
    try:
        bench.start_wallet(socket=proxy.path)
        bench.node.pay(bench.addresses["cid"], COIN)
        bench.await_paid()
        bench.kill("walletd")
    finally:
        proxy.close()
    others_ = [request(judge, "ben", COIN // 4) for _ in range(2)]
    forged = [(kind, payload) for kind, honest in seen.items() if kind >= 50
              for _, payload in words(honest)]
    chance.shuffle(forged)
    done = Counter()
    for kind, payload in forged:
        done[submit(bench, kind, payload)] += 1
    bench.check_alive()
    bench.start_wallet()
    for _ in range(6):
        bench.node.mine()
        bench.await_("it goes on", lambda: bench.status
                     and bench.status["tip"] == bench.node.height)
    print(f"{len(forged)} commands of kinds {sorted(seen)}: {dict(done)}")
    assert {50, SIGN, SETTLE, 56} <= set(seen)
    check(judge, [number, *others_])


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
        forged = request(judge, "cid", COIN * 2 // 5)
        said = await_answer(judge, judge.plan([forged], [free[turn % len(free)]]))
        judge.refusals[said.get("refused")] += 1
        if "signed" not in said:
            continue
        sent.append(said["signed"])
        # The log is told of another transaction that spent the coin and is final: the signer's own
        # is then dead for it, and it signs for the same withdrawal again, from other coins.
        void = Transaction.read(bytes.fromhex(said["signed"]["bytes"]))
        void.outputs = [Output(1_000, void.outputs[-1].script)]
        other = request(judge, "cid", COIN // 500)
        assert submit(bench, SIGN, sign(judge.asset, [other], void)) == 0
        assert submit(bench, SETTLE, settle(judge.asset, void)) == 0
        bench.kill("signerd")
        bench.start_signer()
        said = await_answer(judge, judge.plan([forged], [free[(turn + 3) % len(free)]]))
        judge.refusals[said.get("refused")] += 1
        if "signed" in said:
            sent.append(said["signed"])
    for payment in sent:
        try:
            bench.node.call("sendrawtransaction", payment["bytes"])
        except Exception as refusal:
            assert "sendrawtransaction" in str(refusal), refusal
    bench.node.mine()
    judge.ledger.read()
    left = sum(units for _, units in judge.ledger.paid) + judge.ledger.fees
    print(f"{len(sent)} payments, {left} of {capacity} base units left the wallet, "
          f"{dict(judge.refusals)}")
    assert 0 < left <= capacity
    assert judge.refusals["limit"]


def await_answer(judge, asked):
    """The signer's answer once it has read the log."""
    from proxies import ask_signer

    def said():
        try:
            answer = ask_signer(judge.bench.state / "run" / "signer.sock", asked)
        except OSError:
            return None
        return answer if answer and answer.get("refused") != "behind" else None
    return judge.bench.await_("the signer answers", said)


def txid(tx):
    import hashlib
    return hashlib.sha256(hashlib.sha256(tx.bytes).digest()).digest()[::-1]


def sign(asset, numbers, tx):
    payload = struct.pack("<HHH2x", asset, 1, len(numbers)) + txid(tx) + bytes(32)
    payload += b"".join(struct.pack("<Q", number) for number in numbers)
    payload += struct.pack("<I", len(tx.bytes)) + tx.bytes
    return payload + bytes(-len(payload) % 8)


def settle(asset, tx):
    return txid(tx) + struct.pack("<H6xQ16x", asset, 1)


@pytest.mark.parametrize("kind", [REQUEST])
def test_the_log_that_the_signer_reads_is_forged(bench, judge, tmp_path, chance, kind):
    """One word of a record at a time, under a CRC that is right. It follows until the log's hash
    shows it, and what it signs until then is within the bucket."""
    bench.stop("signerd")
    capacity = 2 * COIN
    bench.set("signerd", "limits", "litecoin-regtest 2 0")
    number = request(judge, "ann", COIN // 2)
    honest = [payload for found, payload in records(bench) if found == kind][-1]
    thief = bench.node.call("getnewaddress")
    chosen = [("address", honest[:48] + thief.encode().ljust(64, b"\0") + honest[112:])]
    chosen += chance.sample(list(words(honest)), min(2 * ROUNDS, 29))
    coins = list(judge.coins)
    sent = []
    config = bench.state / "bourse.toml"
    text = config.read_text()
    for index, (what, other) in enumerate(chosen):
        proxy = LinkProxy(tmp_path / f"log-{index}", bench.state / "run" / "match.sock",
                          down=lambda frame: rewritten(frame, kind, lambda _: other))
        (bench.state / "signer" / "coins").unlink(missing_ok=True)
        set_key(config, "matchd", "socket", proxy.path)
        try:
            bench.start_signer()
            for script in (judge.owed[number][0], judge.ledger.script(thief)):
                judge.owed[number] = (script, judge.owed[number][1])
                said = await_or_end(judge, judge.plan([number], coins[index % 4:index % 4 + 1]))
                if said and "signed" in said:
                    sent.append(said["signed"])
            judge.owed[number] = judge.payable[number]
        finally:
            proxy.close()
            process = bench.running.pop("signerd")
            process.kill()
            process.wait()
            config.write_text(text)
    for payment in sent:
        try:
            bench.node.call("sendrawtransaction", payment["bytes"])
        except Exception as refusal:
            assert "sendrawtransaction" in str(refusal), refusal
    bench.node.mine()
    judge.ledger.read()
    left = sum(units for _, units in judge.ledger.paid) + judge.ledger.fees
    print(f"{len(sent)} payments, {left} of {capacity} base units left the wallet")
    assert 0 < left <= capacity


def await_or_end(judge, asked):
    """The signer's answer, or None where it has ended or follows no log."""
    import time
    from proxies import ask_signer
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline and judge.bench.running["signerd"].poll() is None:
        try:
            said = ask_signer(judge.bench.state / "run" / "signer.sock", asked)
            if said and said.get("refused") != "behind":
                return said
        except OSError:
            pass
        time.sleep(0.02)
    return None


assert SUBMIT and DROP
