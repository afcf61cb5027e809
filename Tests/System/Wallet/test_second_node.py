"""A second node of a chain: what it does not have as well is not credited above a set amount."""
import shutil

import pytest
from evm_bench import EVMNode, EVMWalletBench
from exchange import free_port
from litecoin import COIN, LitecoinNode
from proxies import NodeProxy
from wallet_bench import CONFIRMATIONS, WalletBench

SMALL = COIN // 2
TOKEN = 10**6


class SecondNode(LitecoinNode):
    """A node that mines nothing and has the first one's blocks when told to."""

    def __init__(self, folder, first):  # pylint: disable=super-init-not-called
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = None
        self.options = []
        self.first = first
        self.start()

    def follow(self):
        """Takes all blocks of the first node."""
        for height in range(1, self.first.height + 1):
            block = self.first.call("getblockhash", height)
            if height > self.height or self.call("getblockhash", height) != block:
                self.call("submitblock", self.first.call("getblock", block, 0))
        assert self.call("getbestblockhash") == self.first.call("getbestblockhash")

    def mine_own(self):
        """Makes a block that the first node does not have; gives its hash."""
        return self.call("generatetoaddress", 1, self.first.call("getnewaddress"))[0]


class SecondEVMNode(EVMNode):
    """The same of an EVM chain: a process of its own, which reads what the first one wrote."""

    def __init__(self, folder, first):
        super().__init__(folder)
        self.first = first

    def follow(self):
        copy = self.folder / "first"
        shutil.copy(self.first.folder / "chain", copy)
        self.call("test_load", str(copy))
        assert self.height == self.first.height

    def mine_own(self):
        return self.mine()[0][2:]

    def flush(self):
        """Each block is on its disk."""


KINDS = {"utxo": (WalletBench, SecondNode, "LTC 0.5"),
         "evm": (EVMWalletBench, SecondEVMNode, "ETH 0.5, TST 5")}


def started(kind, tmp_path):
    bench_kind, node_kind, above = KINDS[kind]
    wallet = bench_kind(tmp_path)
    wallet.second = None
    try:
        wallet.begin()
        wallet.second = node_kind(tmp_path / "second", wallet.node)
        wallet.second.follow()
        wallet.set("walletd", "nodes", f"{wallet.node.setting} {wallet.second.setting}")
        wallet.set("walletd", "second_above", above)
    except BaseException:
        end(wallet)
        raise
    return wallet


def end(wallet):
    wallet.end()
    if wallet.second:
        wallet.second.end()


@pytest.fixture(params=KINDS)
def bench(request, tmp_path):
    wallet = started(request.param, tmp_path)
    try:
        wallet.start_wallet()
        yield wallet
    finally:
        end(wallet)


@pytest.fixture
def evm(tmp_path):
    """walletd is not started."""
    wallet = started("evm", tmp_path)
    try:
        yield wallet
    finally:
        end(wallet)


def test_a_deposit_waits_for_the_second_node(bench):
    bench.pay("ann", SMALL)
    bench.node.mine()
    bench.pay("ben", SMALL + 1)
    bench.node.mine(CONFIRMATIONS)
    status = bench.await_condition("nodes differ")
    assert "second node's chain ends at block" in status["text"] and not status["isSound"]
    # What needs no second node went in; the other waits, also after a start.
    assert bench.balances() == {"ann": SMALL, "ben": 0, "cid": 0}
    bench.kill("walletd")
    bench.start_wallet()
    bench.await_condition("nodes differ")
    bench.second.follow()
    bench.await_in_step()
    bench.check()


def test_a_second_node_that_is_away_holds_up_large_deposits_only(bench):
    bench.second.flush()
    bench.second.kill()
    bench.pay("ann", SMALL)
    bench.node.mine(CONFIRMATIONS)
    bench.await_("credited", lambda: bench.balances()["ann"] == SMALL)
    bench.pay("ann", COIN)
    bench.node.mine(CONFIRMATIONS)
    status = bench.await_condition("nodes differ")
    assert "no usable answer" in status["text"]
    bench.second.start()
    bench.second.follow()
    bench.await_in_step()
    bench.check()


def test_many_small_deposits_need_the_second_node_as_well(bench):
    for _ in range(11):
        bench.pay("ann", SMALL)
    bench.node.mine(CONFIRMATIONS)
    bench.await_condition("nodes differ")
    assert bench.balances()["ann"] == 10 * SMALL
    bench.second.follow()
    bench.await_in_step()
    bench.check()


def test_payments_are_settled_while_a_deposit_waits(evm):
    evm.begin_signer()
    evm.start_wallet()
    evm.supply()
    evm.fund("ann", SMALL)
    evm.pay("ben", SMALL + 1)
    evm.node.mine(CONFIRMATIONS)
    evm.await_condition("nodes differ")
    there = evm.address()
    evm.withdraw("ann", there, SMALL // 2)
    evm.await_paid()
    assert evm.times_paid(there) == 1 and evm.balances()["ben"] == 0
    evm.await_condition("nodes differ")
    evm.second.follow()
    evm.await_in_step()
    assert evm.balances()["ben"] == SMALL + 1


def test_a_second_node_with_another_block_is_told(bench):
    height = bench.node.height + 1
    ours = bench.second.mine_own()
    bench.pay("ann", COIN)
    bench.node.mine(CONFIRMATIONS)
    status = bench.await_condition("nodes differ")
    assert f"has {ours} as block {height}" in status["text"]
    assert bench.balances()["ann"] == 0
    # The longer chain wins there as well.
    bench.second.follow()
    bench.await_in_step()
    bench.check()


def test_a_token_waits_for_the_second_node_as_well(evm):
    evm.start_wallet()
    evm.pay("ann", 5 * TOKEN, "TST")
    evm.node.mine()
    evm.pay("ben", 5 * TOKEN + 1, "TST")
    evm.node.mine(CONFIRMATIONS)
    evm.await_condition("nodes differ")
    assert evm.balances("TST") == {"ann": 5 * TOKEN, "ben": 0, "cid": 0}
    evm.second.follow()
    evm.await_in_step()
    # Addresses that were assigned since have what comes as well.
    evm.ctl("account", "open", "dan")
    evm.addresses["dan"] = evm.ctl_json("wallet", "address", "dan", "1")["address"]
    evm.node.pay(evm.addresses["dan"], 10**18)
    evm.node.mine(CONFIRMATIONS)
    evm.second.follow()
    evm.await_in_step()
    [row] = [row for row in evm.ctl_json("account", "show", "dan")["balances"]
             if row["asset"] == "ETH"]
    assert float(row["available"]) == 1


def test_what_the_first_node_alone_says_is_not_credited(evm):
    """It says that twice as much came: by the transaction as by the balance."""
    ann, honest = evm.addresses["ann"].lower(), evm.node.setting

    def twice(text):
        return hex(2 * int(text, 16))

    def answer(said, call):
        if call["method"] == "eth_getBalance" and call["params"][0].lower() == ann:
            return said | {"result": twice(said["result"])}
        if call["method"] == "eth_getBlockByHash":
            rows = [one | {"value": twice(one["value"])} if one["to"] == ann else one
                    for one in said["result"]["transactions"]]
            return said | {"result": said["result"] | {"transactions": rows}}
        return said
    proxy = NodeProxy(evm.node, answer=answer)
    try:
        evm.pay("ann", COIN)
        evm.node.mine(CONFIRMATIONS)
        evm.second.follow()
        evm.set("walletd", "nodes", f"{proxy.setting} {evm.second.setting}")
        evm.start_wallet()
        status = evm.await_condition("nodes differ")
        assert "no such output" in status["text"] and not status["isSound"]
        assert evm.balances()["ann"] == 0
    finally:
        proxy.close()
    evm.kill("walletd")
    evm.set("walletd", "nodes", f"{honest} {evm.second.setting}")
    evm.start_wallet()
    assert evm.check()["ETH"]["ann"] == COIN
