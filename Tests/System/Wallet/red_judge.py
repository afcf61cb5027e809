"""Judges what a signer gave: it knows the withdrawals that customers requested, and the chain."""
import json
from collections import Counter

from chain_ledger import ChainLedger, Theft
from proxies import SignerProxy, ask_signer
from red_team import Input, Output, Transaction
from wallet_bench import KEY

# Base units of a payment of a few inputs: far below what the signer's ceiling is for it.
FEE_MAX = 500_000


class JudgeBase:
    """Asks the signer and judges its answers; knows what customers requested, by the withdrawal's
    number. Each kind of chain has its own `request`, `check_payment`, `check` and `left`."""

    # How a node is given a signed payment.
    BROADCAST, PREFIX = "sendrawtransaction", ""

    def __init__(self, bench):
        self.bench = bench
        self.owed, self.payable, self.signed, self.refusals = {}, {}, {}, Counter()

    def look(self):
        """Takes the chain as it is now, where that is needed."""
        return self

    def ask(self, request, what=""):
        """Asks the signer, and judges what it says."""
        said = ask_signer(self.bench.state / "run" / "signer.sock", request)
        self.judge(said, what)
        return said

    def judge(self, said, what=""):
        if said is None or "refused" in said:
            self.refusals[said and said["refused"]] += 1
            return
        for payment in [said["signed"]] if "signed" in said else said["earlier"]:
            try:
                self.check_payment(payment)
            except Theft as theft:
                raise Theft(f"{what}: {theft}") from None

    def take(self, number, owed, payable):
        """A withdrawal that was requested, and what it is owed."""
        self.owed[number] = owed
        if payable:
            self.payable[number] = owed
        return number

    def give(self, payment):
        """Gives the node a payment. One that conflicts with another is refused there."""
        try:
            self.bench.node.call(self.BROADCAST, self.PREFIX + payment["bytes"])
        except Exception as refusal:
            assert self.BROADCAST in str(refusal), refusal

    def give_all(self, chance):
        """Gives the node everything that was ever signed, in any order, with blocks between."""
        payments = [payment for payment, _ in self.signed.values()]
        chance.shuffle(payments)
        for payment in payments:
            self.give(payment)
            if chance.random() < 0.3:
                self.bench.node.mine()
        self.bench.node.mine()

    def requests_of_each_kind(self, ask, code):
        """Withdrawals of which one was settled, one is refused, one waits for an approval, and two
        are approved; `ask` requests one of a customer, of so great a part of a coin."""
        bench = self.bench
        settled = ask("ann", 10)
        bench.start_wallet()
        bench.await_paid()
        bench.kill("walletd")
        self.look()
        refused = ask("ann", 9, payable=False)
        bench.ctl("wallet", "refuse", refused, "--reason", "the customer asked")
        bench.ctl("wallet", "network", "set", code, "1", "--approvals", "1")
        waiting = ask("ben", 8, payable=False)
        bench.ctl("wallet", "network", "set", code, "1", "--approvals", "0")
        return settled, refused, waiting, ask("ann", 2), ask("ben", 3)

    def whole_requests(self, settled, refused, waiting, first, second):
        """Sets of these withdrawals that may not be paid, or not again, or not at all."""
        self.owed.setdefault(second + 100, self.owed[first])
        for numbers in ([settled], [refused], [waiting], [first, waiting], [settled, second],
                        [refused, first, second], [first, first], [second + 100]):
            yield sorted(numbers)


class Judge(JudgeBase):
    """Every payment that a signer gave pays exactly the withdrawals that it names, each of which
    may be paid, and whatever is left back to the wallet; two that pay one withdrawal spend a coin
    in common, so that at most one of them can be final."""

    def __init__(self, bench):
        super().__init__(bench)
        self.ledger, self.coins = ChainLedger(bench.node, KEY), {}
        self.asset = next(row["id"] for row in bench.ctl_json("asset", "list")
                          if row["code"] == "LTC")

    def look(self):
        """Takes the wallet's coins as the chain has them now."""
        self.coins |= self.ledger.read().coins
        return self

    def request(self, name, units, payable=True):
        """A withdrawal that a customer requests; gives its number."""
        there = self.bench.node.call("getnewaddress")
        return self.take(self.bench.withdraw(name, there, units),
                         (self.ledger.script(there), units), payable)

    def check(self, numbers):
        """Nothing left the wallet but these withdrawals, each at most once."""
        self.ledger.read()
        due = Counter(self.owed[number] for number in numbers)
        if more := Counter(self.ledger.paid) - due:
            raise Theft(f"left the wallet: {more}")
        assert self.ledger.fees <= FEE_MAX * len(self.ledger.payments)

    def left(self):
        """What left the wallet by the chain, with what miners got."""
        self.ledger.read()
        return sum(units for _, units in self.ledger.paid) + self.ledger.fees

    def check_payment(self, payment):
        tx = Transaction.read(bytes.fromhex(payment["bytes"]))
        if foreign := [place for place in tx.places if place not in self.coins]:
            raise Theft(f"it spends what is not the wallet's: {foreign}")
        due = Counter()
        for number in payment["withdrawals"]:
            if number not in self.payable:
                raise Theft(f"it says that it pays withdrawal {number}, which nobody may be paid")
            due[self.payable[number]] += 1
        out = Counter((one.script.hex(), one.amount) for one in tx.outputs)
        if due - out:
            raise Theft(f"it does not pay {due - out}")
        rest = list((out - due).elements())
        if len(rest) > 1 or any(script not in self.ledger.change for script, _ in rest):
            raise Theft(f"it pays {rest}")
        fee = sum(self.coins[place] for place in tx.places) - sum(one.amount for one in tx.outputs)
        if not 0 <= fee <= FEE_MAX:
            raise Theft(f"its miner gets {fee}")
        for other, spent in self.signed.values():
            if set(other["withdrawals"]) & set(payment["withdrawals"]):
                if spent.isdisjoint(tx.places):
                    raise Theft(f"{other['transaction']} and it could both be final")
        self.signed[payment["transaction"]] = (payment, set(tx.places))

    def plan(self, withdrawals, coins, change=None, fee=2_000):
        """A request for these withdrawals from these coins, as walletd would make it."""
        change = withdrawals[0] if change is None else change
        tx = Transaction()
        for txid, index in coins:
            tx.inputs.append(Input(bytes.fromhex(txid)[::-1], index))
        for number in withdrawals:
            script, units = self.owed[number]
            tx.outputs.append(Output(units, bytes.fromhex(script)))
        rest = sum(self.coins[coin] for coin in coins) - sum(o.amount for o in tx.outputs) - fee
        tx.outputs.append(Output(rest, bytes.fromhex(self.change_script(change))))
        previous = {txid: Transaction.read(bytes.fromhex(self.ledger.raw[txid])).bytes.hex()
                    for txid, _ in coins}
        return {"network": 1, "asset": self.asset, "sequence": 0, "withdrawals": withdrawals,
                "replaces": "0" * 64, "transaction": tx.bytes.hex(),
                "previous": list(previous.values())}

    def change_script(self, index):
        node = self.bench.node
        descriptor = node.call("getdescriptorinfo", f"wpkh({KEY}/1/*)")["descriptor"]
        (address,) = node.call("deriveaddresses", descriptor, [index, index])
        return self.ledger.script(address)


def captured_request(bench, path):
    """The first request that walletd makes, which the signer never gets."""
    seen = []

    def hold(request):
        seen.append(json.loads(request))
        return None
    proxy = SignerProxy(path, bench.state / "run" / "signer.sock", hold)
    try:
        bench.start_wallet(signer=path)
        bench.await_("a request", lambda: seen)
        bench.kill("walletd")
    finally:
        proxy.close()
    return seen[0]
