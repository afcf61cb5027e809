"""An exchange with a wallet and a real Litecoin node, and the checker that compares them: it reads
the chain block by block and the accounts, and asks the wallet nothing."""
import json
import subprocess
import time
from contextlib import contextmanager

from exchange import BIN, Exchange
from litecoin import COIN, LitecoinNode

# BIP39's all-zero entropy of 256 bits, and its m/84'/1'/0': keys that anybody can spend from.
WORDS = " ".join(["abandon"] * 23 + ["art"])
KEY = ("tpubDCWivZp6qaqCALCt8MyLqAb3awnWm4hfbBPjdZqirYFXYeZ5YsfbWVaPacULZTGtK1RPBSZ92UWNjnhL4fB9U"
       "VrF2FjgW8cgmBjxPBmB4iB")
FEE = 10_000
CONFIRMATIONS = 3
SECONDS_MAX = 60
NAMES = ("ann", "ben", "cid")


class WalletBench(Exchange):
    """Three accounts with a deposit address each on chain 1."""

    def __init__(self, folder, *node_options):
        super().__init__(folder / "state")
        self.node_options = node_options
        self.node = self.make_node(folder)
        self.addresses = {}

    def make_node(self, folder):
        return LitecoinNode(folder / "node", *self.node_options)

    def begin(self):
        """Starts matchd and sets the chain; walletd is not started."""
        self.init()
        self.set("walletd", "nodes", self.node.setting)
        self.start("matchd")
        self.ctl("asset", "add", "LTC", "--scale", "8")
        self.ctl("wallet", "chain", "set", "1", "litecoin-regtest", "--key", KEY, "--first-block",
                 "1")
        self.ctl("wallet", "network", "set", "LTC", "1", "--name", "LTC", "--confirmations",
                 CONFIRMATIONS, "--minimum", "0.001", "--fee", "0.0001")
        for name in NAMES:
            self.ctl("account", "open", name)
            self.addresses[name] = self.ctl_json("wallet", "address", name, "1")["address"]

    def end(self):
        self.node.end()
        super().end()

    def start_wallet(self, socket=None, signer=None):
        """Starts walletd; with `socket`, it finds matchd there, with `signer` the signer."""
        config = self.config
        if socket or signer:
            config = self.state / "wallet.toml"
            lines = self.config.read_text().splitlines()
            for table, path in (("matchd", socket), ("signerd", signer)):
                if path:
                    place = [line.strip() for line in lines].index(f"[{table}]")
                    end = next((index for index in range(place + 1, len(lines))
                                if lines[index].startswith("[")), len(lines))
                    lines[place + 1:end] = [
                        line for line in lines[place + 1:end] if not line.startswith("socket")]
                    lines.insert(place + 1, f"socket = {json.dumps(str(path))}")
            config.write_text("\n".join(lines) + "\n")
        with open(self.logs / "walletd.log", "ab") as log:
            self.running["walletd"] = subprocess.Popen(
                [str(BIN / "bourse-walletd"), "--config", str(config)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)

    def begin_signer(self, limits="litecoin-regtest 1000 0"):
        """Gives the signer its seed and its list, and starts it."""
        self.set("signerd", "limits", limits)
        seed = self.state / "secrets" / "wallet.seed"
        seed.touch(0o600)
        seed.write_text(WORDS + "\n")
        subprocess.run([str(BIN / "bourse-signerd"), "--config", str(self.config), "--begin"],
                       check=True, capture_output=True, timeout=60)
        self.start_signer()
        # It has read its configuration, which a test may change now.
        self.await_("the signer listens", (self.state / "run" / "signer.sock").exists)

    @contextmanager
    def signing(self):
        """Begun with a signer, and ended whatever happens."""
        try:
            self.begin()
            self.begin_signer()
            yield self
        finally:
            self.end()

    def start_signer(self):
        with open(self.logs / "signerd.log", "ab") as log:
            self.running["signerd"] = subprocess.Popen(
                [str(BIN / "bourse-signerd"), "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def pay(self, name, units):
        """Pays an account so many base units; returns the transaction."""
        return self.node.pay(self.addresses[name], units)

    def address(self):
        """One that is not the wallet's."""
        return self.node.call("getnewaddress")

    def times_paid(self, address):
        """How often the chain paid an address."""
        return len(self.node.paid([address])[address])

    def fund(self, name, *units):
        """Pays an account these amounts and waits until all of them are credited."""
        for amount in units:
            self.pay(name, amount)
        self.node.mine(CONFIRMATIONS)
        self.await_in_step()

    def withdraw(self, name, address, units, **options):
        """Requests a withdrawal; returns its id."""
        done = self.ctl_json("wallet", "withdraw", name, "LTC", "1", address,
                             f"{units // COIN}.{units % COIN:08}",
                             *(part for key, value in options.items()
                               for part in (f"--{key.replace('_', '-')}", value)))
        return done["withdrawal"]["id"]

    @property
    def withdrawals(self):
        """The open withdrawals, by id."""
        return {row["id"]: row for row in self.ctl_json("wallet", "withdrawals")}

    def mine_until(self, what, is_so):
        """Mines a block each time that the node has a payment to put in it, until it is so."""
        deadline = time.monotonic() + SECONDS_MAX
        while not self.found(is_so):
            assert time.monotonic() < deadline, (
                f"{what}: {self.status}\n{self.withdrawals}\n{self.log_tail('walletd')}"
                f"\n{self.log_tail('signerd')}")
            self.node.mine()
            time.sleep(0.3)

    def await_paid(self):
        """Mines until nothing is open."""
        self.mine_until("all are settled", lambda: not self.withdrawals)

    def check_paid(self, due):
        """`due` has (address, units) of each withdrawal that was settled: the chain has exactly
        one output for each, and the accounts have what is left."""
        self.await_in_step()
        paid = self.node.paid({address for address, _ in due}, CONFIRMATIONS)
        found = sorted((address, units) for address, outputs in paid.items()
                       for _, _, units in outputs)
        assert found == sorted(due), (found, sorted(due))

    @property
    def status(self):
        """What walletd says of chain 1, or None."""
        try:
            chains = json.loads((self.state / "run" / "wallet.json").read_text())["chains"]
        except (OSError, ValueError):
            return None
        return chains[0] if chains else None

    def found(self, is_so):
        """What it gives now: nothing while a walletd that just started says nothing yet."""
        try:
            return is_so()
        except TypeError:
            if self.status is None:
                return None
            raise

    def await_(self, what, is_so):
        """Waits until it is so; returns what it gave."""
        deadline = time.monotonic() + SECONDS_MAX
        while not (value := self.found(is_so)):
            assert time.monotonic() < deadline, f"{what}: {self.status}\n{self.log_tail('walletd')}"
            time.sleep(0.05)
        return value

    def await_condition(self, condition):
        return self.await_(condition, lambda: self.status
                           and self.status["condition"] == condition and self.status)

    def await_in_step(self):
        """Waits until the wallet has read and credited the whole chain."""
        height = self.node.height

        def is_in_step():
            now = self.status
            return (now and now["condition"] == "in step" and now["tip"] == height
                    and now["credited"] >= height - CONFIRMATIONS + 1)
        self.await_(f"in step at {height}", is_in_step)

    def balances(self):
        """What each account has, in base units."""
        have = {}
        for name in NAMES:
            rows = self.ctl_json("account", "show", name)["balances"]
            have[name] = sum(round(float(row["available"]) * 100_000_000) for row in rows)
        return have

    def check(self):
        """Each account has what the chain has for its address, once."""
        self.await_in_step()
        paid = self.node.paid(list(self.addresses.values()), CONFIRMATIONS)
        due = {name: sum(units for _, _, units in paid[address])
               for name, address in self.addresses.items()}
        assert self.balances() == due
        return due
