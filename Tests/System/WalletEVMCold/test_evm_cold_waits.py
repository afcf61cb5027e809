"""Cold storage of a real EVM chain where something is in its way: a limit that is smaller than what
is too much, a withdrawal that cannot be paid, a slow node with many assets, a long absence, and
coins that others sent there. The checker reads the chain itself."""
import json
import time

import pytest
from evm_bench import KIND, UNIT, WEI
from proxies import NodeProxy
from test_evm_cold import COIN, COLD, TOKEN, ColdBench, made
from test_screening import Screen
from wallet_bench import CONFIRMATIONS

# Beside ETH and TST.
CODES = [f"T{number}" for number in range(7)]
# What is between two plans of a chain, and between two tries of an asset.
PLAN_SECONDS, REST_SECONDS = 3, 60
DELAY_SECONDS = 0.2


@pytest.fixture
def bench(tmp_path):
    bench = made(tmp_path)
    try:
        yield bench
    finally:
        bench.end()


def mine_long(bench, what, is_so, seconds_max):
    """As `mine_until`, for what waits longer."""
    deadline = time.monotonic() + seconds_max
    while not is_so():
        assert time.monotonic() < deadline, f"{what}: {bench.status}\n{bench.log_tail('walletd')}"
        bench.node.mine()
        time.sleep(0.5)


def test_what_others_bring_to_cold_storage_covers_no_theft(bench):
    bench.start_wallet()
    bench.fill()
    bench.name()
    # Of tokens nothing is too much.
    bench.name("TST", 10_000, 500)
    bench.mine_until("moved", bench.in_cold)
    bench.settle()
    bench.await_whole()
    [(moved, _)] = bench.to_cold()
    bench.node.pay(COLD, 3 * WEI)
    bench.node.run(bench.tokens["TST"], "transfer(address,uint256)", COLD, 700 * TOKEN)
    bench.node.mine(CONFIRMATIONS)
    bench.await_in_step()
    for code, due in (("ETH", moved), ("TST", 0)):
        bench.await_(f"{code} is counted", lambda code=code: bench.books(code).get("block", 0)
                     >= bench.node.height - CONFIRMATIONS + 1)
        assert int(bench.books(code)["cold"]) == due
        assert bench.in_cold(code) > due * (UNIT if code == "ETH" else 1)
        assert not bench.is_stopped(code)
    # One coin of it is the owner's own, for gas; what somebody gave would cover the rest.
    bench.steal(bench.address(), 3 * WEI)
    bench.node.mine(CONFIRMATIONS)
    said = bench.await_books("short")
    assert -2 * WEI - WEI // 10 < int(said["difference"]) * UNIT < -2 * WEI + WEI // 10
    bench.await_("stopped", bench.is_stopped)


def test_what_the_signers_bucket_has_no_room_for_goes_in_parts(tmp_path):
    bench = made(tmp_path, f"{KIND} 10 0")
    try:
        bench.start_wallet()
        bench.fill(tokens=0)
        bench.name()
        said = bench.await_payouts("not moved")
        assert "limit" in said["text"] and bench.to_cold() == []
        mine_long(bench, "half of it", bench.in_cold, 2 * REST_SECONDS)
        bench.settle()
        [(units, _)] = bench.to_cold()
        assert 15 * COIN // 2 < units <= 8 * COIN
        # What is left is above the ceiling, and the bucket, which never refills, has two.
        words = "the least that goes at once"
        said = bench.await_("it never fits", lambda: words in bench.payouts.get("text", "")
                            and bench.payouts)
        assert said["condition"] == "not moved" and not said["isSound"]
        assert "[signerd] cold" in said["text"] and "raise the limit" in said["text"]
        bench.node.mine(CONFIRMATIONS)
        bench.await_in_step()
        assert len(bench.to_cold()) == 1 and bench.payouts["open"] == 0
        bench.check_sums(given=WEI)
    finally:
        bench.end()


@pytest.mark.parametrize("why", ["killed", "held"])
def test_a_withdrawal_that_cannot_be_paid_keeps_nothing_from_going(bench, why):
    screen = Screen()
    try:
        if why == "held":
            screen.others = {"decision": "hold", "reason": "on a list"}
            bench.set("walletd", "screening", f"http://127.0.0.1:{screen.port}/check")
        bench.start_wallet()
        bench.fill(tokens=0)
        there = bench.address()
        if why == "killed":
            bench.kill("walletd")
            row = bench.withdraw("ann", there, 2 * COIN)
            bench.ctl("kill", "ann", "--on", "--reason", "test")
            bench.start_wallet()
        else:
            row = bench.withdraw("ann", there, 2 * COIN)
            bench.await_payouts("held by screening")
        bench.name()
        bench.mine_until("moved", bench.in_cold)
        bench.settle()
        # What it is to get stays where it can be paid from.
        [(units, _)] = bench.to_cold()
        assert 13 * COIN < units <= 14 * COIN
        assert bench.withdrawals[row]["status"] == "approved" and not bench.is_stopped()
        if why == "killed":
            bench.ctl("kill", "ann", "--off", "--reason", "test")
        else:
            assert bench.payouts["condition"] == "held by screening"
            # It is asked again after a minute, and by a wallet that starts at once.
            screen.others = {"decision": "pass"}
            bench.kill("walletd")
            bench.start_wallet()
        bench.await_paid()
        assert bench.node.balance(there) == 2 * WEI and len(bench.to_cold()) == 1
        bench.check_sums(given=WEI)
    finally:
        screen.end()


def test_a_withdrawal_that_waits_for_cheaper_gas_keeps_coins_here_and_says_so(bench):
    is_dear = True

    def answer(said, call):
        if call["method"] == "eth_feeHistory" and is_dear:
            said["result"]["baseFeePerGas"][-1] = hex(600 * 10**9)
        return said
    bench.start_wallet()
    bench.fill(tokens=0)
    bench.kill("walletd")
    proxy = NodeProxy(bench.node, answer=answer)
    try:
        bench.set("walletd", "nodes", proxy.setting)
        bench.start_wallet()
        there = bench.address()
        bench.withdraw("ann", there, 2 * COIN)
        bench.name()
        said = bench.await_payouts("waits for the chain")
        assert "blocks take 600000000000 wei" in said["text"] and not said["isSound"]
        bench.node.mine(CONFIRMATIONS)
        bench.await_in_step()
        time.sleep(2 * PLAN_SECONDS)
        assert bench.to_cold() == [] and bench.payouts["condition"] == "waits for the chain"
        is_dear = False
        bench.await_paid()
        assert bench.node.balance(there) == 2 * WEI
        bench.mine_until("moved", bench.in_cold)
        bench.settle()
        [(units, _)] = bench.to_cold()
        assert 13 * COIN < units <= 14 * COIN
        bench.check_sums(given=WEI)
    finally:
        proxy.close()


class ManyBench(ColdBench):
    """One with many tokens, of which each is above its ceiling, and nobody who signs."""

    sweep_above = "none"

    def __init__(self, folder):
        super().__init__(folder)
        self.calls, self.delay, self.tip, self.is_planning = [], 0, "", False
        self.proxy = NodeProxy(self.node, request=self.request)

    def end(self):
        self.proxy.close()
        super().end()

    def request(self, call):
        method, text = call["method"], json.dumps(call["params"]).lower()
        self.calls.append((time.monotonic(), method, text))
        self.is_planning = self.is_planning or self.is_of_plan(method, text)
        if self.is_planning:
            time.sleep(self.delay)
        return call

    def is_of_plan(self, method, text):
        """Whether a call asks what the account that pays has after the last block: of what is
        counted the block is another one."""
        return (method in ("eth_call", "eth_getBalance") and self.tip in text
                and self.hot[2:].lower() in text)

    def begin(self):
        super().begin(**dict.fromkeys(CODES, "Token"))
        self.set("walletd", "nodes", self.proxy.setting)
        self.start_wallet()
        self.supply()
        for code in self.tokens:
            self.pay("ann", 5_000 * TOKEN, code)
        self.fund("ann", 20 * COIN)
        self.kill("walletd")
        self.name()
        for code in self.tokens:
            self.name(code, 1_000, 500)

    def plan(self, delay, seconds_max):
        """Starts the wallet, whose node takes so long for each answer once it plans, and ends it
        when each asset had its turn; the calls from the first plan on, and how often it asked what
        there is of each token."""
        self.tip = self.node.call("eth_getBlockByNumber", "latest", False)["hash"]
        self.calls, self.delay, self.is_planning = [], delay, False

        def is_tried(contract):
            return any(method == "eth_estimateGas" and contract.lower() in text
                       for _, method, text in list(self.calls))
        self.start_wallet()
        deadline = time.monotonic() + seconds_max
        while not all(is_tried(one) for one in (COLD, *self.tokens.values())):
            assert time.monotonic() < deadline, self.log_tail("walletd")
            time.sleep(0.1)
        self.kill("walletd")
        calls = list(self.calls)
        first = next(index for index, (_, method, text) in enumerate(calls)
                     if self.is_of_plan(method, text))
        return calls[first:], {code: sum(
            self.is_of_plan(method, text) and contract.lower() in text
            for _, method, text in calls) for code, contract in self.tokens.items()}


def test_a_plan_asks_a_node_once_for_all_assets_and_ends_in_time(tmp_path):
    bench = ManyBench(tmp_path)
    try:
        bench.begin()
        count = len(bench.tokens) + 1
        calls, asked = bench.plan(0, REST_SECONDS)
        seconds = calls[-1][0] - calls[0][0]
        # Once in each plan, and not once for each asset in each plan.
        assert 0 < max(asked.values()) <= seconds // PLAN_SECONDS + 2 < count, (seconds, asked)
        tried = [text for _, method, text in calls if method == "eth_estimateGas"]
        assert len(tried) == len(set(tried)) == count

        calls, asked = bench.plan(DELAY_SECONDS, 2 * REST_SECONDS)
        seconds = calls[-1][0] - calls[0][0]
        assert 0 < max(asked.values()) <= seconds // PLAN_SECONDS + 2, (seconds, asked)
        # The chain is looked at in between, whatever is left to be tried.
        looks = [when for when, method, text in calls
                 if method == "eth_getBlockByNumber" and "latest" in text]
        assert len(looks) > 2
        longest = max(end - begin for begin, end in zip(looks, looks[1:]))
        assert longest <= (count + 15) * DELAY_SECONDS + 3, longest
    finally:
        bench.end()


def test_a_transfer_that_was_reverted_long_ago_is_known_by_its_receipt(tmp_path):
    """Its node keeps no balances of the blocks in which it was; the coins are where they were."""
    bench = made(tmp_path, RVT="RevertingToken")
    proxy = None
    try:
        bench.start_wallet()
        bench.supply(ether=1, tokens=0)
        bench.fund("ben", 5_000 * TOKEN, code="RVT")
        token = bench.tokens["RVT"]
        bench.mine_until("swept", lambda: bench.node.balance(bench.hot, token) == 5_000 * TOKEN)
        bench.settle()
        bench.node.call("evm_hold", True)
        bench.name("RVT", 1_000, 500)
        bench.await_("signed", lambda: bench.payouts.get("open") == 1)
        pending = int(bench.node.call("eth_getTransactionCount", bench.hot), 16)
        bench.await_("the node has it", lambda: int(bench.node.call(
            "eth_getTransactionCount", bench.hot, "pending"), 16) > pending)
        bench.kill("walletd")
        bench.node.run(token, "close()")
        bench.node.mine()
        bench.node.call("evm_hold", False)
        bench.node.mine()
        [(transfer, receipt)] = [
            one for one in bench.own() if one[0]["input"][34:74] == COLD[2:].lower()]
        assert receipt["status"] == "0x0"
        block = receipt["blockHash"]
        gone = {block, bench.node.call("eth_getBlockByHash", block, False)["parentHash"]}

        def answer(said, call):
            if call["method"] != "eth_call" or not any(
                    one in str(call["params"]) for one in gone):
                return said
            return {"id": said["id"], "jsonrpc": "2.0",
                    "error": {"code": -32_000, "message": "missing trie node 5a5a"}}
        bench.node.mine(130)
        proxy = NodeProxy(bench.node, answer=answer)
        bench.set("walletd", "nodes", proxy.setting)
        bench.start_wallet()
        bench.mine_until("settled", lambda: bench.payouts.get("open") == 0
                         and bench.payouts.get("condition") == "not moved")
        assert transfer["hash"] in bench.payouts["text"] and "reverted" in bench.payouts["text"]
        bench.settle()
        # It is not in cold storage by the books, and not tried again at once.
        books = bench.await_whole("RVT")
        assert (int(books["hot"]), int(books["cold"])) == (5_000 * TOKEN, 0)
        time.sleep(2 * PLAN_SECONDS)
        assert len(bench.to_cold()) == 1 and bench.in_cold("RVT") == 0
        bench.check_sums(given=WEI)
    finally:
        if proxy:
            proxy.close()
        bench.end()
