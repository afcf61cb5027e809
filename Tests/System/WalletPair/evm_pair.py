"""Two hosts with a wallet of an EVM chain, and one real node. The checker reads the chain."""
import os
import time

from evm_bench import KIND, UNIT, WEI, EVMNode
from exchange import set_key
from wallet_bench import CONFIRMATIONS, FEE, NAMES
from wallet_pair import SECONDS_MAX, WalletPair

COIN = 10**8


class EVMWalletPair(WalletPair):
    """Hosts `a` and `b`, and a chain that carries ETH."""

    LIMITS = f"{KIND} 100000 0"

    def make_node(self, folder):
        return EVMNode(folder)

    def set_chain(self, host):
        # The signers read the same list of assets.
        for one in self.hosts.values():
            one.set("walletd", "assets", f"ETH={KIND}")
        [key] = host.ctl_json("wallet", "key", "--chain", KIND)
        self.hot = key["hotAddress"]
        host.ctl("asset", "add", "ETH", "--scale", "8")
        host.ctl("wallet", "chain", "set", "1", KIND, "--key", key["key"], "--first-block", "1")
        host.ctl("wallet", "network", "set", "ETH", "1", "--name", "ETH", "--confirmations",
                 CONFIRMATIONS, "--minimum", "0.001", "--fee", "0.0001")

    def set_wallet(self, config, steps):
        set_key(config, "walletd", "nodes", f"{KIND}=http://127.0.0.1:{steps.node.port}")

    def supply(self):
        self.node.pay(self.hot, 1_000 * WEI)
        for name in NAMES:
            self.deposit(name, 8 * COIN)
        self.node.mine(CONFIRMATIONS)
        self.settled()

    def deposit(self, name, units):
        self.deposits[name] += units
        self.node.pay(self.addresses[name], units * UNIT)

    def withdraw(self, name, units):
        """Requests a withdrawal at the host that leads; gives its address."""
        there = "0x" + os.urandom(20).hex()

        def request():
            return self.lead.ctl("wallet", "withdraw", name, "ETH", "1", there,
                                 f"{units // COIN}.{units % COIN:08}", "--client-id", there[-36:],
                                 check=False)
        done = request()
        deadline = time.monotonic() + SECONDS_MAX
        while done.returncode != 0 and "already" not in done.stderr:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)
            done = request()
        self.owed.append((there, units))
        self.spent[name] += units + FEE
        return there

    def paid(self):
        """What the account that pays has sent by the chain: (address, units) of each."""
        return sorted(
            (one["to"], int(one["value"], 16) // UNIT) for one, receipt in self.node.transactions()
            if one["from"] == self.hot.lower() and receipt["status"] == "0x1"
            and one["to"] != self.hot.lower())

    def settled(self):
        """Mines until every deposit is credited and every withdrawal settled; then compares the
        chain and the accounts."""
        self.await_("all are settled", lambda: not self.open_withdrawals(),
                    lambda: self.node.mine(), 0.3)
        self.node.mine(CONFIRMATIONS)
        height = self.node.height

        def is_in_step():
            now = self.status()
            return (now and now["condition"] == "in step" and now["read"] == height
                    and now["credited"] >= height - CONFIRMATIONS + 1)
        self.await_(f"in step at {height}", is_in_step)
        assert self.paid() == sorted((there, units) for there, units in self.owed)
        due = {name: self.deposits[name] - self.spent[name] for name in NAMES}
        assert self.balances() == due

    def sent_and_lost(self, signed):
        """Of signed payments of withdrawals those that no block has; each must be refused by the
        node, as its nonce is used. A sweep may still be on its way."""
        known = {one["hash"] for one, _ in self.node.transactions()}
        return [one for one in signed
                if one["withdrawals"] and "0x" + one["transaction"] not in known]

    def refuses(self, payment):
        return "nonce" in self.node.refusal("eth_sendRawTransaction", "0x" + payment["bytes"])
