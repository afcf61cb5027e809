"""What an attacker does between the wallet's parts, the same on every kind of chain: a judge
(`red_judge.py`, `evm_judge.py`) says what each chain's payments are."""
import json
import os
import random
import struct
import subprocess
import time
from collections import Counter

from exchange import set_key
from linkwire import Closed, Link
from proxies import RECORDS, LinkProxy, NodeProxy, SignerProxy, ask_signer, commands
from red_team import RECORD, changed, others, paths, words
from red_team import at as value_at
from wallet_bench import CONFIRMATIONS, NAMES

from journal import Journal, seal

ROUNDS = int(os.environ.get("BOURSE_WALLET_ROUNDS", "12"))
SEED = int(os.environ.get("BOURSE_SEED", random.randrange(1 << 32)))
# Raw kinds of commands.
REQUEST, CREDIT, SIGN, SETTLE, BLOCK = 45, 50, 52, 53, 56


# --- the log ---


def records(bench):
    """The commands of the log: (kind, payload)."""
    return [(record.kind, record.payload) for record in Journal(bench.state).records]


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


def signing(asset, numbers, transaction, data):
    """The payload that says that a transaction, by its id and its bytes, pays withdrawals."""
    payload = struct.pack("<HHH2x", asset, 1, len(numbers)) + transaction + bytes(32)
    payload += b"".join(struct.pack("<Q", number) for number in numbers)
    payload += struct.pack("<I", len(data)) + data
    return payload + bytes(-len(payload) % 8)


def settling(asset, transaction):
    """The payload that says that it is final."""
    return transaction + struct.pack("<H6xQ16x", asset, 1)


def await_answer(judge, asked):
    """The signer's answer once it has read the log."""
    def said():
        try:
            answer = ask_signer(judge.bench.state / "run" / "signer.sock", asked)
        except OSError:
            return None
        return answer if answer and answer.get("refused") != "behind" else None
    return judge.bench.await_("the signer answers", said)


def answer_or_end(judge, asked):
    """The signer's answer, or None where it has ended or follows no log."""
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


def forged_requests(payload, thief, chance, count):
    """A request for a withdrawal with the thief's address, and with so many of its words changed:
    (what, payload)."""
    forged = list(words(payload))
    address = payload[:48] + thief.encode().ljust(64, b"\0") + payload[112:]
    return [("the thief's address", address)] + chance.sample(forged, min(len(forged), count))


def forge_log_of_walletd(judge, folder, number, forged):
    """walletd reads a log in which each request is one of these payloads; the signer reads the log
    as it is, and does not sign what walletd then plans. The withdrawal is paid once at the end."""
    bench = judge.bench
    for what, other in forged:
        proxy = LinkProxy(folder / f"link-{what}".replace(" ", "-"),
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
            kill(bench, "walletd")
        bench.node.mine()
        judge.check([number])
    bench.start_wallet()
    bench.await_paid()
    judge.check([number])


def kill(bench, daemon):
    """Ends a daemon that may have ended by itself."""
    process = bench.running.pop(daemon)
    process.kill()
    process.wait()


def forge_log_of_signer(judge, folder, forged, asks):
    """The signer reads a log in which each request is one of these payloads, under a CRC that is
    right. It follows until the log's hash shows it; `asks` gives what it is asked each time. All
    that it gave goes to the chain; returns how many payments that were."""
    bench, sent = judge.bench, []
    config = bench.state / "bourse.toml"
    text = config.read_text()
    for index, (_, other) in enumerate(forged):
        proxy = LinkProxy(folder / f"log-{index}", bench.state / "run" / "match.sock",
                          down=lambda frame: rewritten(frame, REQUEST, lambda _: other))
        (bench.state / "signer" / "coins").unlink(missing_ok=True)
        set_key(config, "matchd", "socket", proxy.path)
        try:
            bench.start_signer()
            for asked in asks(index):
                said = answer_or_end(judge, asked)
                if said and "signed" in said:
                    sent.append(said["signed"])
        finally:
            proxy.close()
            kill(bench, "signerd")
            config.write_text(text)
    for payment in sent:
        judge.give(payment)
    bench.node.mine()
    return len(sent)


def change_commands(judge, folder, number, chance, deposit, later):
    """Every word of every command that walletd gives matchd while a deposit is credited and the
    withdrawal `number` is paid; `later` gives the withdrawals that are open then."""
    bench, seen = judge.bench, {}

    def up(frame):
        for kind, payload in commands(frame):
            seen[kind] = payload
        return frame
    proxy = LinkProxy(folder / "link", bench.state / "run" / "match.sock", up)
    try:
        bench.start_wallet(socket=proxy.path)
        deposit()
        bench.await_paid()
        bench.mine_until("it is credited", lambda: {CREDIT, SIGN, SETTLE, BLOCK} <= set(seen))
        bench.kill("walletd")
    finally:
        proxy.close()
    numbers = [number, *later()]
    forged = [(kind, payload) for kind, honest in seen.items() if kind >= CREDIT
              for _, payload in words(honest)]
    chance.shuffle(forged)
    done = Counter(submit(bench, kind, payload) for kind, payload in forged)
    bench.check_alive()
    bench.start_wallet()
    for _ in range(6):
        bench.node.mine()
        bench.await_("it goes on", lambda: bench.status
                     and bench.status["tip"] == bench.node.height)
    print(f"{len(forged)} commands of kinds {sorted(seen)}: {dict(done)}")
    judge.check(numbers)


# --- the signer's answers ---


def change_answers(judge, folder, chance, request):
    """One field of one answer of the signer at a time; `request` has a customer request a
    withdrawal. The log gets nothing but payments, so that once the answers are the signer's own
    every withdrawal is paid, once; and so it is where the node has all that was ever signed."""
    bench = judge.bench
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
        other = chance.choice(list(others(value_at(said, path))))
        return json.dumps(changed(said, path, other)).encode() + b"\n"
    proxy = SignerProxy(folder / "sign", bench.state / "run" / "signer.sock", answer=answer)
    fields = [("signed", name) for name in (
        "network", "asset", "withdrawals", "replaces", "transaction", "bytes")]
    try:
        for path in [*fields, ("signed",), (), None]:
            numbers.append(request())
            wishes.append((path, "replayed" if path is None else "changed"))
            bench.start_wallet(signer=folder / "sign")
            bench.await_(f"{path} is changed", lambda: not wishes)
            time.sleep(0.5)
            bench.kill("walletd")
            bench.node.mine()
            judge.look()
    finally:
        proxy.close()
    bench.start_wallet()
    bench.await_paid()
    judge.check(numbers)
    judge.give_all(chance)
    judge.check(numbers)
    return numbers


# --- the node ---


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


def lie_in_fields(judge, chance, rounds, is_sent, request, await_paid=None):
    """What walletd asks a node, and what it is answered, one field of one message at a time.
    Deposits are the node's word; what leaves is not. `is_sent` says whether the node has a
    payment, `request` has a customer request a withdrawal, `await_paid` waits until all are paid.
    """
    bench = judge.bench
    numbers, liar, honest = [], Liar(bench.node, chance), bench.node.setting
    try:
        bench.set("walletd", "nodes", liar.proxy.setting)
        bench.start_wallet()
        numbers.append(request())
        bench.await_("the node has it", is_sent)
        for _ in range(rounds):
            liar.wishes()
            numbers.append(request())
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
    judge.check(numbers)
    bench.set("walletd", "nodes", honest)
    bench.start_wallet()
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_("it stands", lambda: bench.status and bench.status["condition"] != "reading"
                        and bench.status)
    # What a lie has put into the log as final, an operator has read again.
    if said["isSound"] and not any(
            row["stopped"] for row in bench.ctl_json("wallet", "status")["assets"]):
        (await_paid or bench.await_paid)()
    else:
        print(f"an operator has to look: {said['condition']}: {said['text']}")
    judge.check(numbers)


def anybody(chance):
    """One of the customers that have something."""
    return chance.choice(NAMES[:2])
