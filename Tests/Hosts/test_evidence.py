"""Goal: the checker finds every kind of violation that it is there for, and nothing in what is
right. Each violation is planted alone into a small, sound history."""
import copy
import struct
from types import SimpleNamespace

import pytest
from evidence import ADJUST_BALANCE, CANCEL, EPOCH_MARK, Checker, Evidence, Facts, View
from journal import HASH_MARK, PLACE

A, B = "0000000000000001" * 2, "0000000000000002" * 2
REPLICAS = {A: "a", B: "b"}


def record(sequence, epoch, kind, payload=b"", crc=None):
    return SimpleNamespace(sequence=sequence, epoch=epoch, kind=kind, payload=payload,
                           time=sequence * 1000,
                           crc=sequence * 7 if crc is None else crc)


def term(replica):
    return struct.pack("<IB3xQQ", 0, 1, int(replica[:16], 16), int(replica[16:], 16)).ljust(64, b"\0")


def place(name):
    return bytes(72) + name.encode().ljust(40, b"\0") + bytes(24)


def cancel(name):
    return bytes(56) + name.encode().ljust(40, b"\0") + bytes(8)


def credit(name, asset, units):
    head = struct.pack("<IH2x", 1, asset) + units.to_bytes(16, "little", signed=True)
    return head + name.encode().ljust(64, b"\0")


def row(name, number, status="NEW"):
    return {"clientOrderId": name, "orderId": number, "status": status}


class History:
    """c-1 trades with p-1; a-1 is placed and cancelled; c-2 is never answered and is not there; p-2
    is refused; a credit. a leads epoch 2, b epoch 3."""

    def __init__(self):
        self.evidence = Evidence({})
        for entry in (
            {"what": "order", "name": "c-1"}, {"what": "order", "name": "p-1"},
            {"what": "order", "name": "c-2"}, {"what": "order", "name": "p-2"},
            {"what": "order", "name": "a-1"}, {"what": "cancel", "name": "a-2", "of": "a-1"},
            {"what": "credit", "name": "credit 1"},
            self.said("c-1", order=1, status="NEW"), self.said("p-1", order=2, status="FILLED"),
            self.said("a-1", order=3, status="NEW"), self.said("a-2", order=3, status="CANCELED"),
            self.said("p-2", outcome="refused"), self.said("credit 1"),
            self.saw("order", id=3, client="a-1", ended=True),
            self.saw("trade", id=1, price="50000.0", quantity="0.10"),
        ):
            self.evidence.take(entry)
        self.records = [
            record(1, 2, EPOCH_MARK, term(A)), record(2, 2, ADJUST_BALANCE, credit("demo-1", 1, 10)),
            record(3, 2, ADJUST_BALANCE, credit("credit 1", 1, 5)), record(4, 2, PLACE, place("c-1")),
            record(5, 2, PLACE, place("a-1")), record(6, 2, CANCEL, cancel("a-2")),
            record(7, 2, HASH_MARK, struct.pack("<Q", 99)), record(8, 3, EPOCH_MARK, term(B)),
            record(9, 3, PLACE, place("p-1")),
        ]
        self.other = copy.deepcopy(self.records)
        trade = {"id": 1, "price": "50000.00", "qty": "0.1000", "commission": "0.00000001",
                 "commissionAsset": "BTC"}
        self.view = View(
            [row("c-1", 1, "FILLED"), row("p-1", 2, "FILLED"), row("a-1", 3, "CANCELED")],
            [trade], {"demo1": {"BTC": "0.00000014", "USDT": "0"}})
        self.second = copy.deepcopy(self.view)

    @staticmethod
    def said(name, outcome="acknowledged", **more):
        return {"what": "said", "name": name, "outcome": outcome, "at": 1.0, **more}

    @staticmethod
    def saw(kind, **more):
        return {"what": "seen", "host": "b", "by": "rest", "kind": kind, "at": 1.0, **more}

    def faults(self):
        facts = {"a": Facts.of(self.records), "b": Facts.of(self.other)}
        return Checker(self.evidence, facts, {"a": self.view, "b": self.second}, REPLICAS).faults()

    # Both hosts at once: what differs between them is a fault of its own.

    def both(self, change):
        for records in (self.records, self.other):
            change(records)

    def shown(self, change):
        for view in (self.view, self.second):
            change(view)


def test_finds_nothing_in_a_sound_history():
    assert History().faults() == []


def test_takes_a_command_that_was_never_answered_as_there():
    history = History()
    history.both(lambda records: records.append(record(10, 3, PLACE, place("c-2"))))
    history.shown(lambda view: view.orders.append(row("c-2", 4)))
    assert history.faults() == []


def lose(index):
    return lambda h: h.both(lambda records: records.pop(index))


def add(*arguments):
    return lambda h: h.both(lambda records: records.append(record(*arguments)))


def show(change):
    return lambda h: h.shown(change)


def see(*arguments, **more):
    return lambda h: h.evidence.take(h.saw(*arguments, **more))


def answer(name, **more):
    def change(history):
        history.evidence.sent[name].outcome = more.pop("outcome", "acknowledged")
        for key, value in more.items():
            setattr(history.evidence.sent[name], key, value)
    return change


VIOLATIONS = {
    "an acknowledged order is lost": (lose(3), "c-1, acknowledged, is not in the log"),
    "an acknowledged cancel is lost": (lose(5), "a-2, acknowledged, is not in the log"),
    "an acknowledged credit is lost": (lose(2), "credit 1, acknowledged, is not in the log"),
    "an order is in the log twice": (add(10, 3, PLACE, place("c-1")), "in the log 2 times"),
    "a cancel is in the log twice": (add(10, 3, CANCEL, cancel("a-2")), "in the log 2 times"),
    "an order is invented": (add(10, 3, PLACE, place("x-1")), "order x-1 in the log was never sent"),
    "a cancel is invented": (add(10, 3, CANCEL, cancel("x-1")), "cancel x-1 in the log was never"),
    "a credit is invented": (
        add(10, 3, ADJUST_BALANCE, credit("wire", 1, 5)), "credit wire in the log was never sent"),
    "a refused order is shown": (show(lambda v: v.orders.append(row("p-2", 4))), "p-2, refused"),
    "an acknowledged order is not shown": (show(lambda v: v.orders.pop(0)), "c-1, acknowledged"),
    "an order has another id": (show(lambda v: v.orders[0].update(orderId=9)), "has id 9"),
    "an order is shown and not in the log": (
        show(lambda v: v.orders.append(row("c-2", 4))), "c-2 is shown and not in the log"),
    "a fill is gone": (show(lambda v: v.orders[1].update(status="NEW")), "acknowledged as filled"),
    "a cancel is undone": (show(lambda v: v.orders[2].update(status="NEW")), "its cancel a-2"),
    "a cancel nobody asked for": (
        show(lambda v: v.orders[0].update(status="CANCELED")), "nobody asked for that"),
    "an order that was cut was seen": (see("order", id=8, client="c-2", ended=False), "is gone"),
    "a trade that was cut was seen": (
        see("trade", id=2, price="50000", quantity="0.1"), "trade 2 of 0.1"),
    "a trade was seen with another price": (
        see("trade", id=1, price="50001", quantity="0.1"), "trade 1 of 0.1 at 50001"),
    "money came from nowhere": (
        show(lambda v: v.balances["demo1"].update(BTC="0.00000015")), "BTC came from nowhere"),
    "money is gone": (show(lambda v: v.balances["demo1"].update(BTC="0.00000013")), "from nowhere"),
    "a credit counted twice": (
        show(lambda v: v.balances["demo1"].update(BTC="0.00000019")), "from nowhere"),
    "two hosts began one epoch": (add(10, 3, EPOCH_MARK, term(A)), "epoch 3 began 2 times"),
    "the host that does not lead acknowledged": (
        lambda h: h.both(lambda r: r.__setitem__(4, record(5, 3, PLACE, place("a-1")))),
        "a-1 of epoch 3, which b leads, was acknowledged by a"),
    "an epoch goes back": (add(10, 2, 99), "of epoch 2 stands behind epoch 3"),
    "time goes back": (
        lambda h: h.both(lambda r: setattr(r[-1], "time", 1)), "the time of record 9 goes back"),
    "a stranger led": (
        lambda h: h.both(lambda r: r.__setitem__(7, record(8, 3, EPOCH_MARK, term("9" * 32)))),
        "nobody's replica"),
    "a record differs": (lambda h: h.other.__setitem__(4, record(5, 2, PLACE, place("a-1"), 1)),
                         "record 5 differs"),
    "a record is missing on one host": (lambda h: h.other.pop(1), "record 2 differs"),
    "a hash differs": (
        lambda h: h.other.__setitem__(6, record(7, 2, HASH_MARK, struct.pack("<Q", 98))),
        "the hash at record 7 differs"),
    "hosts show different orders": (
        lambda h: h.second.orders[0].update(price="1"), "orders are shown differently"),
    "hosts show different balances": (
        lambda h: h.second.balances["demo1"].update(ETH="1"), "balances differ"),
    "a name was sent twice": (
        lambda h: h.evidence.take({"what": "order", "name": "c-1"}), "c-1 was sent twice"),
    "an answer for what is not there": (answer("c-2", order=7), "c-2, acknowledged, is not"),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_finds(name):
    history = History()
    plant, words = VIOLATIONS[name]
    plant(history)
    found = history.faults()
    assert any(words in fault for fault in found), found
