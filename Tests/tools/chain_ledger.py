"""What a chain itself says of a wallet: which coins are its own, what left them, and to whom.

It is given the wallet's descriptor, and reads the node's blocks; the exchange is not asked. The
node derives the wallet's addresses, as it would for anybody with the public key.
"""
from collections import Counter, defaultdict

from litecoin import COIN

# Of deposits as of change: no test has more accounts or withdrawals.
INDEX_MAX = 999


def units(value):
    """An amount of a node's JSON in base units."""
    whole, _, decimals = str(value).partition(".")
    return int(whole) * COIN + int(decimals.ljust(8, "0")[:8])


class Theft(AssertionError):
    """Coins left the wallet and paid nothing that is owed, or too much or too often."""


class ChainLedger:
    """The wallet of an account key on a node's chain."""

    def __init__(self, node, key):
        self.node, self.blocks = node, {}
        self.deposits, self.change = ({
            node.call("validateaddress", address)["scriptPubKey"]
            for address in node.call("deriveaddresses", node.call(
                "getdescriptorinfo", f"wpkh({key}/{branch}/*)")["descriptor"], [0, INDEX_MAX])}
            for branch in (0, 1))

    def block(self, height):
        """The transactions of a block of the chain as it is now."""
        found = self.node.call("getblockhash", height)
        if found not in self.blocks:
            self.blocks[found] = self.node.call("getblock", found, 2)["tx"]
        return self.blocks[found]

    def read(self, confirmations=1):
        """Reads the chain up to so many confirmations: `coins` and `received` come from deposits,
        `paid` is a list of (script, units) of what left, `fees` what the miners got, `raw` has each
        transaction's bytes. A payment that
        has more than one output of change, or change to a deposit's address, did not come from the
        wallet as it is."""
        self.coins, self.paid, self.fees, self.received = {}, [], 0, defaultdict(int)
        self.payments, self.raw = {}, {}
        for height in range(1, self.node.height - confirmations + 2):
            for transaction in self.block(height):
                self._see(transaction)
        return self

    def _see(self, transaction):
        spent = [place for one in transaction["vin"] if "txid" in one
                 if (place := (one["txid"], one["vout"])) in self.coins]
        came = sum(self.coins.pop(place) for place in spent)
        if spent:
            if len(spent) != len(transaction["vin"]):
                raise Theft(f"{transaction['txid']} spends the wallet's coins and others'")
            self.payments[transaction["txid"]] = []
        back = 0
        self.raw[transaction["txid"]] = transaction["hex"]
        for output in transaction["vout"]:
            script, amount = output["scriptPubKey"].get("hex"), units(output["value"])
            place = (transaction["txid"], output["n"])
            if script in self.deposits and not spent:
                self.coins[place] = amount
                self.received[script] += amount
            elif script in self.change and spent:
                self.coins[place] = amount
                back += 1
            elif spent:
                self.paid.append((script, amount))
                self.payments[transaction["txid"]].append((script, amount))
        if spent:
            out = sum(units(output["value"]) for output in transaction["vout"])
            self.fees += came - out
            if back > 1:
                raise Theft(f"{transaction['txid']} has {back} outputs of change")

    @property
    def total(self):
        """What is the wallet's, in base units."""
        return sum(self.coins.values())

    def script(self, address):
        return self.node.call("validateaddress", address)["scriptPubKey"]

    def check_owed(self, owed, fee_max=100_000):
        """`owed` has (address, units) of each withdrawal that somebody requested: nothing else
        left the wallet, none of these left twice, and no fee is above `fee_max` for a payment.
        Returns what of it was paid."""
        due = Counter((self.script(address), amount) for address, amount in owed)
        paid = Counter(self.paid)
        if more := paid - due:
            raise Theft(f"the wallet paid what is not owed, or paid it again: {more}")
        if self.fees > fee_max * len(self.payments):
            raise Theft(f"{len(self.payments)} payments gave {self.fees} base units to miners")
        return paid

    def check_paid(self, owed, fee_max=100_000):
        """Each of `owed` is paid by exactly one output."""
        paid = self.check_owed(owed, fee_max)
        due = Counter((self.script(address), amount) for address, amount in owed)
        assert paid == due, f"not paid: {due - paid}"
