"""A second node of a chain: what it does not have as well is not credited above a set amount."""
import pytest

from exchange import free_port
from litecoin import COIN, LitecoinNode
from wallet_bench import CONFIRMATIONS, WalletBench

SMALL = COIN // 2


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


@pytest.fixture
def bench(tmp_path):
    wallet = WalletBench(tmp_path)
    wallet.second = None
    try:
        wallet.begin()
        wallet.second = SecondNode(tmp_path / "second", wallet.node)
        wallet.second.follow()
        wallet.set("walletd", "nodes", f"{wallet.node.setting} {wallet.second.setting}")
        wallet.set("walletd", "second_above", "LTC 0.5")
        wallet.start_wallet()
        yield wallet
    finally:
        wallet.end()
        if wallet.second:
            wallet.second.end()


def test_a_deposit_waits_for_the_second_node(bench):
    bench.node.pay(bench.addresses["ann"], SMALL)
    bench.node.mine()
    bench.node.pay(bench.addresses["ben"], SMALL + 1)
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
    bench.node.pay(bench.addresses["ann"], SMALL)
    bench.node.mine(CONFIRMATIONS)
    bench.await_("credited", lambda: bench.balances()["ann"] == SMALL)
    bench.node.pay(bench.addresses["ann"], COIN)
    bench.node.mine(CONFIRMATIONS)
    status = bench.await_condition("nodes differ")
    assert "no usable answer" in status["text"]
    bench.second.start()
    bench.second.follow()
    bench.await_in_step()
    bench.check()


def test_a_second_node_with_another_block_is_told(bench):
    height = bench.node.height + 1
    address = bench.node.call("getnewaddress")
    ours = bench.second.call("generatetoaddress", 1, address)[0]
    bench.node.pay(bench.addresses["ann"], COIN)
    bench.node.mine(CONFIRMATIONS)
    status = bench.await_condition("nodes differ")
    assert f"has {ours} as block {height}" in status["text"]
    assert bench.balances()["ann"] == 0
    # The longer chain wins there as well.
    bench.second.follow()
    bench.await_in_step()
    bench.check()
