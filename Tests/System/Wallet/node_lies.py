"""Nodes that lie for a while, and what a wallet has to hold back meanwhile."""
import time

from proxies import NodeProxy
from wallet_bench import CONFIRMATIONS


class Lie:
    """A node proxy whose answers a test changes for a while; keeps the payments that it got."""

    BROADCASTS = ("sendrawtransaction", "eth_sendRawTransaction")

    def __init__(self, bench):
        self.bench, self.change, self.sent = bench, None, []
        self.proxy = NodeProxy(bench.node, self.call, self.answer)
        bench.set("walletd", "nodes", self.proxy.setting)

    def call(self, call):
        if call["method"] in self.BROADCASTS:
            self.sent += call["params"]
        return call

    def answer(self, answer, call):
        return self.change(answer, call) if self.change else answer

    def holds(self, change, condition, units, is_credited=False):
        """While the node lies so, a deposit is not credited, but where `is_credited`, and a
        withdrawal is not paid; it goes on by itself behind that. Gives what was withdrawn."""
        bench = self.bench
        before, sent = bench.balances(), list(self.sent)
        self.change = change
        bench.node.mine()
        said = bench.await_condition(condition)
        # Blocks that are not read are counted; all else is said.
        assert condition == "reading" and said["read"] < said["tip"] or not said["isSound"]
        there = bench.address()
        bench.withdraw("ann", there, units)
        bench.pay("ben", 70_000)
        bench.node.mine(CONFIRMATIONS)
        time.sleep(1.5)
        said = bench.status
        assert said["condition"] == condition and (said["isSound"] or said["text"])
        came = 70_000 if is_credited else 0
        assert bench.balances()["ben"] == before["ben"] + came and self.sent == sent
        assert bench.withdrawals
        self.change = None
        bench.await_paid()
        bench.await_in_step()
        assert bench.balances()["ben"] == before["ben"] + 70_000
        assert bench.times_paid(there) == 1
        return there, units


def result(value):
    return {"result": value, "error": None}


def failed(code, message):
    return {"result": None, "error": {"code": code, "message": message}}
