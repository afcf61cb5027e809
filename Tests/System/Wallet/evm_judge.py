"""Judges what a signer gave of an EVM chain, and what left the wallet there: it knows the
withdrawals that customers requested, and reads the chain. Signatures are read by the node's own
library, which is none of the product's."""
import json
from collections import Counter

from chain_ledger import Theft
from evm_bench import UNIT
from evm_red_team import EVMTransaction, token_call
from proxies import SignerProxy, line
from red_judge import JudgeBase
from wallet_bench import NAMES, WORDS

CHAIN_ID = 31337
GWEI = 10**9
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
# The wallet's ceilings, whatever a node says: gas of a transfer of coin and token, and wei per gas.
GAS_MAX = {"ETH": 100_000, "TST": 300_000}
FEE_MAX = 500 * GWEI
ACCOUNT = "m/44'/60'/0'"


class EVMJudge(JudgeBase):
    """Every payment that a signer gave is one transfer of exactly what a withdrawal that may be
    paid is owed, or moves the wallet's coins from one of its accounts to another; two that pay one
    withdrawal have the same nonce, so that at most one of them can be final."""

    BROADCAST, PREFIX = "eth_sendRawTransaction", "0x"

    def __init__(self, bench):
        super().__init__(bench)
        self.hot = bench.hot.lower()
        self.accounts = {one.lower() for one in (bench.hot, *bench.addresses.values())}
        self.codes = {contract.lower(): code for code, contract in bench.tokens.items()}
        self.assets = {row["code"]: row["id"] for row in bench.ctl_json("asset", "list")}

    # --- what customers want ---

    def request(self, name, units, payable=True, code="ETH"):
        """A withdrawal that a customer requests; gives its number."""
        there = self.bench.address()
        wei = units * (UNIT if code == "ETH" else 1)
        return self.take(
            self.bench.withdraw(name, there, units, code), (there, wei, code), payable)

    # --- one signed transaction ---

    def moved(self, transaction):
        """What a transaction moves, if it succeeds: (receiver, amount, asset)."""
        call, to = transaction["input"], transaction["to"]
        value = int(transaction["value"], 16)
        if call == "0x":
            return to, value, "ETH"
        code = self.codes.get(to)
        if code is None or value or len(call) != 2 + 8 + 128 or not call.startswith(
                "0xa9059cbb" + "0" * 24):
            raise Theft(f"it calls {to} with {call} and {value}")
        return "0x" + call[34:74], int(call[74:], 16), code

    def decoded(self, payment):
        return self.bench.node.call("test_decode", "0x" + payment["bytes"])

    def check_payment(self, payment):
        signed = self.decoded(payment)
        if signed["hash"] != "0x" + payment["transaction"]:
            raise Theft("it has another name than it is given")
        kind = (int(signed["type"], 16), int(signed["chainId"], 16), signed["accessList"])
        if kind != (2, CHAIN_ID, 0):
            raise Theft(f"it is of type and chain {kind}")
        receiver, amount, code = self.moved(signed)
        gas, fee = int(signed["gas"], 16), int(signed["maxFeePerGas"], 16)
        if gas > GAS_MAX.get(code, GAS_MAX["TST"]) or fee > FEE_MAX:
            raise Theft(f"it gives {gas} gas at {fee}")
        numbers, nonce = payment["withdrawals"], int(signed["nonce"], 16)
        if not numbers:
            if signed["from"] not in self.accounts or receiver not in self.accounts:
                raise Theft(f"it moves coins from {signed['from']} to {receiver}")
        elif signed["from"] != self.hot:
            raise Theft(f"it pays from {signed['from']}")
        elif len(numbers) != 1 or numbers[0] not in self.payable:
            raise Theft(f"it says that it pays {numbers}, which nobody may be paid")
        elif self.payable[numbers[0]] != (receiver, amount, code):
            raise Theft(f"it pays {amount} {code} to {receiver}: {self.payable[numbers[0]]}")
        for other, known in self.signed.values():
            if numbers and other["withdrawals"] == numbers and known != nonce:
                raise Theft(f"{other['transaction']} and it could both be final")
        self.signed[payment["transaction"]] = (payment, nonce)

    # --- the chain ---

    def read(self):
        """What left the wallet for somebody else (by receiver, amount and asset), what came to it
        (by asset), and what its transactions cost."""
        paid, came, fees = Counter(), Counter(), 0
        for transaction, receipt in self.bench.node.transactions():
            is_own, is_good = transaction["from"] in self.accounts, receipt["status"] == "0x1"
            if is_own:
                fees += int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            if is_own and is_good:
                move = self.moved(transaction)
                if move[0] not in self.accounts:
                    paid[move] += 1
            elif is_good and transaction["to"] in self.accounts:
                came["ETH"] += int(transaction["value"], 16)
            for log in receipt["logs"]:
                code = self.codes.get(log["address"])
                if code and log["topics"][0] == TRANSFER_TOPIC:
                    sender, receiver = ("0x" + topic[26:] for topic in log["topics"][1:3])
                    if receiver in self.accounts and sender not in self.accounts:
                        came[code] += int(log["data"], 16)
        return paid, came, fees

    def left(self):
        """What left the wallet, by asset, in the smallest unit; of the coin with all gas."""
        paid, _, fees = self.read()
        left = Counter({"ETH": fees})
        for (_, amount, code), times in paid.items():
            left[code] += times * amount
        return left

    def check(self, numbers):
        """Nothing left the wallet but these withdrawals, each at most once; and its accounts have
        all the rest, to the last unit."""
        paid, came, _ = self.read()
        if more := paid - Counter(self.owed[number] for number in numbers):
            raise Theft(f"left the wallet: {more}")
        left = self.left()
        for code in ("ETH", *self.bench.tokens):
            have = self.bench.wallet_sum(code)
            if have != came[code] - left[code]:
                raise Theft(f"{have} {code} are there: {came[code]} came, and {left[code]} left")

    def check_all(self, numbers):
        """Each of them was paid, once."""
        self.check(numbers)
        paid, _, _ = self.read()
        assert paid == Counter(self.owed[number] for number in numbers), paid

    # --- requests, as walletd would make them ---

    def asking(self, code, transaction, withdrawals=(), index=0):
        asked = {"network": 1, "asset": self.assets[code], "sequence": 0,
                 "withdrawals": list(withdrawals), "replaces": "0" * 64,
                 "transaction": transaction.bytes.hex(), "previous": []}
        return asked | ({"index": index} if index else {})

    def transfer(self, code, to, amount, nonce, most=20 * GWEI):
        """The transaction that moves so much of an asset."""
        to = bytes.fromhex(to[2:])
        made = EVMTransaction(CHAIN_ID, nonce, GWEI, most, 21_000, to, amount)
        if code != "ETH":
            made.gas, made.value, made.data = 90_000, 0, token_call(to, amount)
            made.to = bytes.fromhex(self.bench.tokens[code][2:])
        return made

    def plan(self, withdrawals, nonce, **options):
        """A request that pays the first of these withdrawals."""
        there, amount, code = self.owed[withdrawals[0]]
        return self.asking(
            code, self.transfer(code, there, amount, nonce, **options), withdrawals)

    def sweep(self, name, code, amount, nonce=0):
        return self.asking(code, self.transfer(code, self.bench.hot, amount, nonce),
                           index=1 + NAMES.index(name))

    def gift(self, name, amount, nonce):
        return self.asking("ETH", self.transfer("ETH", self.bench.addresses[name], amount, nonce),
                           index=1 + NAMES.index(name))

    def filler(self, nonce, **options):
        return self.asking("ETH", self.transfer("ETH", self.bench.hot, 0, nonce, **options))

    # --- whoever has the keys ---

    def sign(self, asked, path="1/0"):
        """What a signer that checks nothing answers to a request."""
        tx = EVMTransaction.read(bytes.fromhex(asked["transaction"]))
        raw = self.bench.node.call("test_sign", WORDS, f"{ACCOUNT}/{path}", tx.fields)
        name = self.bench.node.call("test_decode", raw)["hash"][2:]
        answer = {key: asked[key] for key in ("network", "asset", "withdrawals", "replaces")}
        return {"signed": answer | {"transaction": name, "bytes": raw[2:]}}


class LooseEVMSigner(SignerProxy):
    """At the signer's socket, and checks nothing: the planted flaw that a checker has to see."""

    def __init__(self, path, judge):
        self.judge_of = judge
        super().__init__(path, "")

    def _serve(self, client):
        with client:
            said = self.judge_of.sign(json.loads(line(client)))
            client.sendall(json.dumps(said).encode() + b"\n")
