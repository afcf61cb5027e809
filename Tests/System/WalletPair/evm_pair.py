"""Two hosts with a wallet of an EVM chain, and one real node. The checker reads the chain."""
import os
import time
from collections import Counter

from evm_bench import KIND, SCALES, UNIT, WEI, EVMAccounts, EVMNode
from exchange import set_key
from wallet_bench import CONFIRMATIONS, FEE, NAMES
from wallet_pair import SECONDS_MAX, WalletPair

COIN = 10**8
TOKEN = 10**6
# What a withdrawal costs its customer: 0.0001 of each asset.
FEES = {"ETH": FEE, "TST": TOKEN // 10_000}


class EVMWalletPair(EVMAccounts, WalletPair):
    """Hosts `a` and `b`, and a chain that carries ETH and the token TST."""

    LIMITS = f"{KIND} 100000 0, {KIND}:TST 100000 0"

    def __init__(self, folder, settings=None):
        super().__init__(folder, settings)
        # By customer and asset.
        self.spent = Counter()

    def make_node(self, folder):
        return EVMNode(folder)

    def said_now(self):
        return self.status() or {}

    def set_chain(self, host):
        self.tokens = {"TST": self.node.deploy("Token")}
        # The signers read the same list of assets.
        for one in self.hosts.values():
            one.set("walletd", "assets", f"ETH={KIND} TST={KIND}:{self.tokens['TST']}:6")
        [key] = host.ctl_json("wallet", "key", "--chain", KIND)
        self.hot = key["hotAddress"]
        host.ctl("wallet", "chain", "set", "1", KIND, "--key", key["key"], "--first-block", "1")
        for code, scale in SCALES.items():
            host.ctl("asset", "add", code, "--scale", scale)
            host.ctl("wallet", "network", "set", code, "1", "--name", "ETH", "--confirmations",
                     CONFIRMATIONS, "--minimum", "0.001", "--fee", "0.0001")

    def set_wallet(self, config, steps):
        set_key(config, "walletd", "nodes", steps.node.setting)

    def supply(self):
        self.node.pay(self.hot, 1_000 * WEI)
        for name in NAMES:
            self.deposit(name, 8 * COIN)
            self.deposit(name, 800 * TOKEN, "TST")
        self.node.mine(CONFIRMATIONS)
        self.settled()

    def deposit(self, name, units, code="ETH"):
        self.deposits[name, code] += units
        if code == "ETH":
            self.node.pay(self.addresses[name], units * UNIT)
        else:
            self.node.run(self.tokens[code], "transfer(address,uint256)", self.addresses[name],
                          units)

    def random_deposit(self, chance):
        self.deposit(chance.choice(NAMES), chance.randrange(10_000, COIN),
                     chance.choice(list(SCALES)))

    def random_withdrawal(self, chance):
        self.withdraw(chance.choice(NAMES), chance.randrange(200_000, COIN // 20),
                      chance.choice(list(SCALES)))

    def withdraw(self, name, units, code="ETH"):
        """Requests a withdrawal at the host that leads; gives its address."""
        there, scale = "0x" + os.urandom(20).hex(), SCALES[code]

        def request():
            return self.lead.ctl("wallet", "withdraw", name, code, "1", there,
                                 f"{units // 10**scale}.{units % 10**scale:0{scale}}",
                                 "--client-id", there[-36:], check=False)
        done = request()
        deadline = time.monotonic() + SECONDS_MAX
        while done.returncode != 0 and "already" not in done.stderr:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)
            done = request()
        self.owed.append((there, units, code))
        self.spent[name, code] += units + FEES[code]
        return there

    def balances(self, code="ETH"):
        """What each customer has of an asset, in its units, where the host that leads says so."""
        have, scale = {}, SCALES[code]
        for name in NAMES:
            rows = self.lead.ctl_json("account", "show", name)["balances"]
            have[name] = sum(round(float(row["available"]) * 10**scale)
                             for row in rows if row["asset"] == code)
        return have

    def mine_until(self, what, is_so):
        self.await_(what, is_so, lambda: self.node.mine(), 0.3)

    def await_in_step(self):
        height = self.node.height

        def is_in_step():
            now = self.status()
            return (now and now["condition"] == "in step" and now["read"] == height
                    and now["credited"] >= height - CONFIRMATIONS + 1)
        self.await_(f"in step at {height}", is_in_step)

    def settled(self):
        """Mines until every deposit is credited and every withdrawal settled; then compares the
        chain and the accounts."""
        self.mine_until("all are settled", lambda: not self.open_withdrawals())
        self.node.mine(CONFIRMATIONS)
        self.await_in_step()
        assert sorted(self.sent()) == sorted(self.owed)
        for code in SCALES:
            due = {name: self.deposits[name, code] - self.spent[name, code] for name in NAMES}
            assert self.balances(code) == due, code

    def sent_and_lost(self, signed):
        """Of signed payments of withdrawals those that no block has; each must be refused by the
        node, as its nonce is used. A sweep may still be on its way."""
        known = {one["hash"] for one, _ in self.node.transactions()}
        return [one for one in signed
                if one["withdrawals"] and "0x" + one["transaction"] not in known]

    def refuses(self, payment):
        return "nonce" in self.node.refusal("eth_sendRawTransaction", "0x" + payment["bytes"])
