"""An exchange with a wallet and a real EVM chain, and the checker that compares them: it reads the
chain, and asks the wallet nothing."""
import json
import os
import subprocess
import time
import urllib.request

from exchange import ROOT, free_port
from wallet_bench import CONFIRMATIONS, NAMES, WORDS, WalletBench

KIND = "ethereum-regtest"
PYTHON = ROOT / ".venv-test-evm" / "bin" / "python"
READY_SECONDS_MAX = 120
# Decimals of the ledger: the chain has 18 of its coin and 6 of the token.
SCALES = {"ETH": 8, "TST": 6}
WEI = 10**18
# What one unit of the ledger is of the coin.
UNIT = 10**10


class NodeFault(Exception):
    """The node does not answer, or refuses."""


class EVMNode:
    """A node whose chain outlives it."""

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.process = None
        self.start()

    @property
    def setting(self):
        return f"{KIND}=http://127.0.0.1:{self.port}"

    def start(self):
        if not PYTHON.exists():
            raise NodeFault("its packages are missing: `make prerequisites-test` installs them")
        # It ends with this process.
        self.process = subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", str(PYTHON),
             str(ROOT / "Tests" / "tools" / "evm.py"), "--port", str(self.port), "--store",
             str(self.folder / "chain")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                return self.call("eth_blockNumber")
            except (NodeFault, OSError):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def call(self, method, *parameters):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/", json.dumps(
                {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode(),
            {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.loads(response.read())
        if "error" in answer:
            raise NodeFault(f"{method}: {answer['error']['message']}")
        return answer["result"]

    @property
    def height(self):
        return int(self.call("eth_blockNumber"), 16)

    def mine(self, count=1):
        return self.call("evm_mine", count)

    def deploy(self, name):
        """A contract's address. Takes a block."""
        return self.call("test_deploy", name)

    def refusal(self, method, *parameters):
        """Why the node refuses a call; fails where it does not."""
        try:
            self.call(method, *parameters)
        except NodeFault as fault:
            return str(fault)
        raise AssertionError(f"{method} was taken")

    def pay(self, address, wei):
        return self.call("eth_sendTransaction", {"to": address, "value": hex(wei)})

    def run(self, contract, signature, *arguments, value=0):
        words = [hex(one) if isinstance(one, int) else one for one in arguments]
        return self.call("test_call", contract, signature, words, hex(value))

    def balance(self, address, token=None, place="latest"):
        """What an address has of the coin or a token, in the smallest unit."""
        if token is None:
            return int(self.call("eth_getBalance", address, place), 16)
        data = "0x70a08231" + "00" * 12 + address[2:].lower()
        return int(self.call("eth_call", {"to": token, "data": data}, place), 16)

    def transactions(self):
        """All transactions of the chain, each with its receipt."""
        found = []
        for height in range(1, self.height + 1):
            block = self.call("eth_getBlockByNumber", hex(height), True)
            if block["transactions"]:
                receipts = self.call("eth_getBlockReceipts", hex(height))
                found += list(zip(block["transactions"], receipts))
        return found


class EVMAccounts:
    """The wallet's accounts by the chain, and what walletd says of them. Whoever has it has a node,
    the account `hot`, customers' `addresses` and the contracts of `tokens`."""

    def said_now(self):
        """What walletd says of the chain; empty where it says nothing."""
        raise NotImplementedError

    @property
    def payouts(self):
        return self.said_now().get("payouts", {})

    def books(self, code="ETH"):
        """How walletd says that ledger and chain compare."""
        return next((row["books"] for row in self.said_now().get("assetBooks", [])
                     if row["asset"] == code), {})

    def sent(self, is_paid=True):
        """What the account that pays has sent to others by the chain: (address, units, asset) of
        each transaction that succeeded, or that failed."""
        found, own = [], {one.lower() for one in (self.hot, *self.addresses.values())}
        codes = {contract.lower(): code for code, contract in self.tokens.items()}
        for transaction, receipt in self.node.transactions():
            if transaction["from"] != self.hot.lower() or transaction["to"] in own:
                continue
            if (receipt["status"] == "0x1") != is_paid:
                continue
            code = codes.get(transaction["to"])
            if code:
                call = transaction["input"]
                assert call.startswith("0xa9059cbb") and len(call) == 2 + 8 + 128, call
                assert transaction["value"] == "0x0"
                found.append(("0x" + call[34:74], int(call[74:], 16), code))
            else:
                assert transaction["input"] == "0x"
                wei = int(transaction["value"], 16)
                assert wei % UNIT == 0
                found.append((transaction["to"], wei // UNIT, "ETH"))
        return found

    def wallet_sum(self, code="ETH"):
        """What all of the wallet's accounts have, by the chain, in the smallest unit."""
        accounts = [self.hot, *self.addresses.values()]
        return sum(self.node.balance(one, self.tokens.get(code)) for one in accounts)

    def own(self):
        """The wallet's own transactions by the chain, each with its receipt."""
        accounts = {one.lower() for one in (self.hot, *self.addresses.values())}
        return [(transaction, receipt) for transaction, receipt in self.node.transactions()
                if transaction["from"] in accounts]

    def check_sums(self, given=0):
        """What the chain has in all of the wallet's accounts is what the ledger says that there has
        to be, and at most the rest of a unit for each transaction more; and what `given` gave
        beside it, in wei. Only where nothing waits."""
        def is_still():
            last = [int(one["blockNumber"], 16) for one, _ in self.own()]
            return (self.payouts.get("open") == 0
                    and max(last, default=0) <= self.node.height - CONFIRMATIONS - 1)
        self.mine_until("nothing waits", is_still)
        self.await_in_step()
        dust = (len(self.node.transactions()) + 1) * UNIT
        for code in ["ETH", *self.tokens]:
            unit, more = (UNIT, dust) if code == "ETH" else (1, 0)
            books = self.await_("compared", lambda: self.books(code).get("custody") and (
                self.books(code)["block"] > self.node.height - CONFIRMATIONS)
                and self.books(code))
            extra = given if code == "ETH" else 0
            over = self.wallet_sum(code) - extra - int(books["custody"]) * unit
            assert 0 <= over <= more, (code, over, books)


class EVMWalletBench(EVMAccounts, WalletBench):
    """Three accounts with an address each on chain 1, which carries ETH and the token TST. What
    they get stays where it is, unless `sweep_above` says otherwise."""

    sweep_above = "none"

    def make_node(self, folder):
        return EVMNode(folder / "node")

    def said_now(self):
        return self.status or {}

    def begin(self, **tokens):
        """Starts matchd and sets the chain; walletd is not started. `tokens` are further assets of
        scale 6: the names of their contracts."""
        self.init()
        self.tokens = {"TST": self.node.deploy("Token")}
        self.tokens |= {code: self.node.deploy(name) for code, name in tokens.items()}
        self.set("walletd", "nodes", self.node.setting)
        self.set("walletd", "sweep_above", self.sweep_above)
        self.set("walletd", "assets", " ".join(
            [f"ETH={KIND}"] + [f"{code}={KIND}:{contract}:6"
                               for code, contract in self.tokens.items()]))
        self.start("matchd")
        seed = self.state / "secrets" / "wallet.seed"
        seed.touch(0o600)
        seed.write_text(WORDS + "\n")
        [key] = self.ctl_json("wallet", "key", "--chain", KIND)
        self.hot = key["hotAddress"]
        self.ctl("wallet", "chain", "set", "1", KIND, "--key", key["key"], "--first-block", "1")
        for code in ["ETH", *self.tokens]:
            self.ctl("asset", "add", code, "--scale", SCALES.get(code, 6))
            self.ctl("wallet", "network", "set", code, "1", "--name", "ETH", "--confirmations",
                     CONFIRMATIONS, "--minimum", "0.001", "--fee", "0.0001")
        for name in NAMES:
            self.ctl("account", "open", name)
            self.addresses[name] = self.ctl_json("wallet", "address", name, "1")["address"]

    def pay(self, name, units, code="ETH"):
        """Pays an account so many units of the ledger; returns the transaction."""
        if code == "ETH":
            return self.node.pay(self.addresses[name], units * UNIT)
        return self.node.run(self.tokens[code], "transfer(address,uint256)",
                             self.addresses[name], units)

    def begin_signer(self, limits=f"{KIND} 1000 0, {KIND}:TST 1000000 0"):
        super().begin_signer(limits)

    def supply(self, ether=100, tokens=10**12):
        """Gives the account that pays coins, and of each token so many of its units."""
        self.node.pay(self.hot, ether * WEI)
        for contract in self.tokens.values():
            self.node.run(contract, "transfer(address,uint256)", self.hot, tokens)
        self.node.mine()

    def fund(self, name, *units, code="ETH"):
        for amount in units:
            self.pay(name, amount, code)
        self.node.mine(CONFIRMATIONS)
        self.await_in_step()

    def withdraw(self, name, address, units, code="ETH"):
        """Requests a withdrawal; returns its id."""
        scale = SCALES.get(code, 6)
        amount = f"{units // 10 ** scale}.{units % 10 ** scale:0{scale}}"
        return self.ctl_json("wallet", "withdraw", name, code, "1", address,
                             amount)["withdrawal"]["id"]

    @staticmethod
    def address():
        """One that nobody has."""
        return "0x" + os.urandom(20).hex()

    def times_paid(self, address):
        """How often the account that pays has paid an address."""
        return sum(one[0] == address.lower() for one in self.sent())

    def check_sent(self, due):
        """`due` has (address, units, asset) of each withdrawal that was settled: the chain has
        exactly one transaction for each, and the receivers have it."""
        self.await_in_step()
        assert sorted(self.sent()) == sorted((address.lower(), units, code)
                                             for address, units, code in due)
        for address, units, code in due:
            token = self.tokens.get(code)
            assert self.node.balance(address, token) == units * (UNIT if code == "ETH" else 1)

    def check_others(self, answers):
        """Of what the signer signed all that the chain has not has the nonce of what it has."""
        paid = {one["hash"] for one, _ in self.node.transactions()}
        for answer in answers:
            signed = json.loads(answer).get("signed")
            if signed and "0x" + signed["transaction"] not in paid:
                why = self.node.refusal("eth_sendRawTransaction", "0x" + signed["bytes"])
                assert "nonce" in why

    def await_payouts(self, condition):
        return self.await_(condition, lambda: self.payouts.get("condition") == condition
                           and self.payouts)

    def await_books(self, condition, code="ETH"):
        return self.await_(f"books of {code} {condition}", lambda: self.books(code).get(
            "condition") == condition and self.books(code))

    def await_whole(self, code="ETH"):
        """Waits until nothing is missing; gas is at the house's expense, whose fees may not cover it."""
        return self.await_(f"{code} is whole", lambda: self.books(code).get("condition") in (
            "balanced", "house owes") and self.books(code))

    def is_stopped(self, code="ETH"):
        return any(row["stopped"] for row in self.ctl_json("wallet", "status")["assets"]
                   if row["asset"] == code)

    def steal(self, to, wei, path="1/0"):
        """The account that pays, or a customer's address, sends what the log does not know of."""
        return self.node.call("test_send", WORDS, f"m/44'/60'/0'/{path}", to, hex(wei))

    def balances(self, code="ETH"):
        """What each account has available, in units of the ledger."""
        have = {}
        for name in NAMES:
            rows = self.ctl_json("account", "show", name)["balances"]
            have[name] = sum(round(float(row["available"]) * 10 ** SCALES.get(code, 6))
                             for row in rows if row["asset"] == code)
        return have

    def check(self):
        """Each account has what the chain has at its address, in all coins: nothing was credited
        twice, and nothing else. Only while nothing has left the addresses."""
        self.await_in_step()
        due = {}
        for code in ["ETH", *self.tokens]:
            token, unit = self.tokens.get(code), UNIT if code == "ETH" else 1
            due[code] = {name: self.node.balance(address, token) // unit
                         for name, address in self.addresses.items()}
            assert self.balances(code) == due[code], code
        return due
