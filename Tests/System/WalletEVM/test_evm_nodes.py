"""Nodes of EVM chains that are not what they should be, with a withdrawal that waits and a deposit
that came: an alarm each time, nothing credited, nothing sent twice, and it goes on by itself once
the node is right again."""
import shutil
import time

import pytest
from evm_bench import KIND, UNIT, EVMWalletBench
from exchange import Refused
from node_lies import Lie, failed
from wallet_bench import CONFIRMATIONS, FEE

COIN = 10**8


@pytest.fixture
def bench(tmp_path):
    made = EVMWalletBench(tmp_path)
    try:
        made.begin()
        made.begin_signer()
        made.supply()
        yield made
    finally:
        made.end()


def of(method, change, *first):
    """Changes the answers of one method, whose call begins with these parameters: `change` gets the
    result and gives another one."""
    def lie(said, call):
        if call["method"] != method or tuple(call["params"][:len(first)]) != first:
            return said
        return said | {"result": change(said.get("result"))} if said.get("result") else said
    return lie


def refused(method, message):
    """The node refuses a method's calls."""
    def lie(said, call):
        if call["method"] != method:
            return said
        return failed(-32_000, message) | {"id": said["id"], "jsonrpc": "2.0"}
    return lie


def slow(said, _):
    time.sleep(5.5)
    return said


BLOCK, BLOCK_BY_HASH = "eth_getBlockByNumber", "eth_getBlockByHash"
OTHER = "0x" + "5a" * 32
# What the node does, and what is said of it.
FAULTS = {
    "another chain's number": (of("eth_chainId", lambda _: "0x1"), "no node"),
    "another first block": (
        of(BLOCK, lambda block: block | {"hash": OTHER}, "0x0"), "no node"),
    "it has not caught up": (
        lambda said, call: said | {"result": {"currentBlock": "0x1", "highestBlock": "0x9"}}
        if call["method"] == "eth_syncing" else said, "node syncing"),
    "its chain ends early": (
        of(BLOCK, lambda block: block | {"number": "0x1"}, "latest"), "node behind"),
    "blocks that are nobody's children": (
        of(BLOCK_BY_HASH, lambda block: block | {"parentHash": OTHER}), "no node"),
    "blocks of another name": (
        of(BLOCK_BY_HASH, lambda block: block | {"hash": OTHER}), "no node"),
    "states that are gone": (refused("eth_getBalance", "missing trie node 5a5a"), "no node"),
    "a token's states that are gone": (
        refused("eth_call", "historical state 5a5a is not available"), "no node"),
    "blocks that are gone": (of(BLOCK_BY_HASH, lambda _: None), "no node"),
    "logs that are gone": (refused("eth_getLogs", "pruned history unavailable"), "no node"),
    "garbage": (lambda said, call: b"\xff\x00{\"result\":", "no node"),
    "an answer too large": (lambda said, call: b" " * ((64 << 20) + 1) + b"{}", "no node"),
    "an answer too deep": (lambda said, call: b"[" * 1_000_000, "no node"),
    "answers to another question": (lambda said, call: said | {"id": 10**9}, "no node"),
    "answers that are late": (slow, "no node"),
}
GROUPS = [list(FAULTS)[place:place + 3] for place in range(0, len(FAULTS), 3)]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0].replace(" ", "-"))
def test_a_node_with_a_fault(bench, group):
    lie = Lie(bench)
    try:
        bench.start_wallet()
        bench.fund("ann", 4 * COIN)
        due = []
        for place, name in enumerate(group):
            print(name)
            change, condition = FAULTS[name]
            # A block that brings a token has the node asked for more.
            bench.pay("cid", 5, "TST")
            due.append(lie.holds(change, condition, 100_001 + place))
        bench.check_sent([(there, units, "ETH") for there, units in due])
        paid = sum(units + FEE for _, units in due)
        assert bench.balances()["ann"] == 4 * COIN - paid
        assert not bench.is_stopped() and not bench.is_stopped("TST")
    finally:
        lie.proxy.close()


def test_a_block_of_another_parent(bench):
    """That is not believed, and asked for again."""
    lie = Lie(bench)
    try:
        bench.start_wallet()
        bench.fund("ann", COIN)
        first = bench.node.call(BLOCK, "0x1")["hash"]
        due = lie.holds(of(BLOCK_BY_HASH, lambda block: block | {"parentHash": first}), "reading",
                        COIN // 2)
        bench.check_sent([(*due, "ETH")])
    finally:
        lie.proxy.close()


def test_a_chain_that_is_said_to_be_longer_than_it_is(bench):
    """What was read has its confirmations, and is credited; nothing is signed."""
    lie = Lie(bench)
    try:
        bench.start_wallet()
        bench.fund("ann", COIN)
        due = lie.holds(of(BLOCK, lambda block: block | {
            "number": hex(int(block["number"], 16) + 5)}, "latest"), "reading", COIN // 2, True)
        bench.check_sent([(*due, "ETH")])
    finally:
        lie.proxy.close()


def test_a_node_that_is_down(bench):
    bench.start_wallet()
    bench.fund("ann", COIN)
    there = bench.address()
    bench.pay("ben", 70_000)
    bench.node.mine()
    bench.node.kill()
    said = bench.await_condition("no node")
    assert not said["isSound"] and said["text"]
    bench.withdraw("ann", there, COIN // 2)
    time.sleep(1)
    assert bench.balances()["ben"] == 0 and bench.withdrawals
    bench.node.start()
    bench.await_paid()
    bench.check_sent([(there, COIN // 2, "ETH")])
    assert bench.balances()["ben"] == 70_000


def test_a_final_block_of_another_name_stops_until_an_operator_resumes(bench):
    lie = Lie(bench)
    try:
        bench.start_wallet()
        bench.fund("ann", COIN)
        final = hex(bench.status["credited"])
        lie.change = of(BLOCK, lambda block: block | {"hash": OTHER}, final)
        bench.node.mine()
        said = bench.await_condition("forked")
        assert not said["isSound"]
        bench.await_("stopped", lambda: bench.is_stopped() and bench.is_stopped("TST"))
        there = bench.address()
        with pytest.raises(Refused, match="stopped"):
            bench.withdraw("ann", there, COIN // 2)
        lie.change = None
        bench.await_condition("in step")
        for code in ("ETH", "TST"):
            bench.ctl("wallet", "resume", code, "--reason", "the node lied")
        bench.withdraw("ann", there, COIN // 2)
        bench.await_paid()
        bench.check_sent([(there, COIN // 2, "ETH")])
    finally:
        lie.proxy.close()


def test_a_node_that_was_restored_from_an_older_copy(bench, tmp_path):
    bench.start_wallet()
    bench.fund("ann", 2 * COIN)
    node, older, newer = bench.node, tmp_path / "older", tmp_path / "newer"
    shutil.copy(node.folder / "chain", older)
    bench.fund("ben", COIN)
    there = bench.address()
    bench.withdraw("ann", there, COIN // 2)
    bench.await_paid()
    bench.await_in_step()
    # Only what is on the disk counts.
    node.kill()
    shutil.copy(node.folder / "chain", newer)
    shutil.copy(older, node.folder / "chain")
    node.start()
    said = bench.await_condition("node behind")
    assert not said["isSound"]
    second = bench.address()
    bench.withdraw("ann", second, COIN // 4)
    time.sleep(1)
    pending = int(node.call("eth_getTransactionCount", bench.hot, "pending"), 16)
    assert bench.withdrawals and pending == 0
    # It goes on from there by itself: the chain is another one, and withdrawals stop.
    bench.pay("ben", COIN)
    node.mine(30)
    said = bench.await_condition("forked")
    assert not said["isSound"]
    bench.await_("stopped", bench.is_stopped)
    assert bench.balances()["ben"] == COIN
    assert node.call("eth_getTransactionCount", bench.hot, "pending") == "0x0"
    # The right one comes back, and an operator resumes.
    node.kill()
    shutil.copy(newer, node.folder / "chain")
    node.start()
    bench.await_condition("in step")
    for code in ("ETH", "TST"):
        if bench.is_stopped(code):
            bench.ctl("wallet", "resume", code, "--reason", "the node was restored")
    bench.await_paid()
    bench.await_in_step()
    bench.check_sent([(there, COIN // 2, "ETH"), (second, COIN // 4, "ETH")])
    assert bench.node.balance(there) == COIN // 2 * UNIT and KIND in node.setting
    assert bench.status["credited"] >= bench.node.height - CONFIRMATIONS
