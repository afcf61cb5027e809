"""An exchange with a wallet and a real Litecoin node, and the checker that compares them: it reads
the chain block by block and the accounts, and asks the wallet nothing."""
import json
import subprocess
import time

from exchange import BIN, Exchange
from litecoin import LitecoinNode

# m/84'/1'/0' of BIP39's all-zero entropy, "abandon … about": a key that anybody can spend from.
KEY = ("tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQ"
       "oQgewGiYZqrA9DsP4zbQ1M")
CONFIRMATIONS = 3
SECONDS_MAX = 60
NAMES = ("ann", "ben", "cid")


class WalletBench(Exchange):
    """Three accounts with a deposit address each on chain 1."""

    def __init__(self, folder):
        super().__init__(folder / "state")
        self.node = LitecoinNode(folder / "node")
        self.addresses = {}

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

    def start_wallet(self, socket=None):
        """Starts walletd; with `socket`, it finds matchd there."""
        config = self.config
        if socket:
            config = self.state / "wallet.toml"
            lines = self.config.read_text().splitlines()
            place = [line.strip() for line in lines].index("[matchd]")
            lines = [line for line in lines if not line.startswith("socket = \"run/match")]
            lines.insert(place + 1, f'socket = {json.dumps(str(socket))}')
            config.write_text("\n".join(lines) + "\n")
        with open(self.logs / "walletd.log", "ab") as log:
            self.running["walletd"] = subprocess.Popen(
                [str(BIN / "bourse-walletd"), "--config", str(config)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)

    @property
    def status(self):
        """What walletd says of chain 1, or None."""
        try:
            chains = json.loads((self.state / "run" / "wallet.json").read_text())["chains"]
        except (OSError, ValueError):
            return None
        return chains[0] if chains else None

    def await_(self, what, is_so):
        """Waits until it is so; returns what it gave."""
        deadline = time.monotonic() + SECONDS_MAX
        while not (value := is_so()):
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
