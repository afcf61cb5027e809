"""Holds what two hosts have against what their users know. Pure: users' logs, both journals and what
both hosts show go in, sentences about what is wrong come out; none means that every acknowledged
change is there once, nothing else is, and nobody saw what is gone."""
import json
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from journal import HASH_MARK, PLACE

EPOCH_MARK, ADJUST_BALANCE, CANCEL = 4, 28, 41
ACKED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
ASSETS = {1: "BTC", 2: "ETH", 3: "USDT"}  # by number, as `boursectl demo` makes them
SCALE = 10**8       # units of one coin of the demo exchange's assets
SHOWN_MAX = 20      # sentences of one kind


@dataclass
class Sent:
    """An order, cancel or credit, and what its sender knows."""

    what: str
    name: str
    of: str | None = None          # the order that a cancel names
    outcome: str = UNKNOWN
    order: int | None = None
    status: str | None = None
    said_at: float | None = None
    due: float | None = None
    why: str | None = None


class Evidence:
    """What is in the logs of all users; `read` takes what was added."""

    def __init__(self, logs):
        self.logs = {name: Path(path) for name, path in logs.items()}
        self.offsets = Counter()
        self.sent = {}       # name → Sent
        self.seen = []       # lines of the readers
        self.twice = []      # names that were sent more than once: a fault of the load

    def read(self):
        for name, path in self.logs.items():
            if not path.exists():
                continue
            with open(path, "rb") as file:
                file.seek(self.offsets[name])
                data = file.read()
            data = data[:data.rfind(b"\n") + 1]  # the last line may be on its way
            self.offsets[name] += len(data)
            for line in data.splitlines():
                self.take(json.loads(line))

    def take(self, entry):
        what = entry["what"]
        if what in ("order", "cancel", "credit"):
            if entry["name"] in self.sent:
                self.twice.append(entry["name"])
            self.sent[entry["name"]] = Sent(what, entry["name"], entry.get("of"),
                                            due=entry.get("due"))
        elif what == "said":
            sent = self.sent[entry["name"]]
            if sent.outcome == UNKNOWN:
                sent.outcome, sent.order = entry["outcome"], entry.get("order")
                sent.status, sent.said_at = entry.get("status"), entry["at"]
                sent.why = entry.get("why")
        elif what == "seen":
            self.seen.append(entry)

    def of(self, *kinds):
        return [sent for sent in self.sent.values() if sent.what in kinds]

    def counts(self):
        found = Counter((sent.what, sent.outcome) for sent in self.sent.values())
        return ", ".join(f"{count} {what}s {outcome}" for (what, outcome), count in
                         sorted(found.items()))

    def acknowledged(self, traders, since, until=float("inf")):
        """When orders and cancels of these traders were acknowledged, in order."""
        return sorted(sent.said_at for sent in self.of("order", "cancel")
                      if sent.outcome == ACKED and sent.name.split("-")[0] in traders
                      and since <= sent.said_at < until)


def text(payload, offset, size):
    """A Text40 or Text64 of a payload."""
    return payload[offset:offset + size].rstrip(b"\0").decode()


@dataclass
class Facts:
    """What a journal holds, from its records alone."""

    points: dict = field(default_factory=dict)       # sequence → (epoch, CRC)
    hashes: dict = field(default_factory=dict)       # sequence → the hash of a hash mark
    terms: dict = field(default_factory=dict)        # epoch → [replica id of each EPOCH record]
    places: dict = field(default_factory=lambda: defaultdict(list))   # name → [(sequence, epoch)]
    cancels: dict = field(default_factory=lambda: defaultdict(list))
    booked: dict = field(default_factory=dict)       # reference → (asset number, units)
    last: int = 0
    time: int = 0                                     # of the last record, ns since 1970
    back: list = field(default_factory=list)         # sequences whose time is before the last's

    @classmethod
    def of(cls, records):
        facts = cls()
        for record in records:
            facts.add(record)
        return facts

    def add(self, record):
        self.points[record.sequence] = (record.epoch, record.crc)
        if record.time < self.time:
            self.back.append(record.sequence)
        self.time = record.time
        self.last = max(self.last, record.sequence)
        where = (record.sequence, record.epoch)
        payload = record.payload
        if record.kind == HASH_MARK:
            self.hashes[record.sequence], = struct.unpack_from("<Q", payload)
        elif record.kind == EPOCH_MARK:
            high, low = struct.unpack_from("<QQ", payload, 8)
            self.terms.setdefault(record.epoch, []).append(f"{high:016x}{low:016x}")
        elif record.kind == PLACE:
            self.places[text(payload, 72, 40)].append(where)
        elif record.kind == CANCEL:
            self.cancels[text(payload, 56, 40)].append(where)
        elif record.kind == ADJUST_BALANCE:
            asset, = struct.unpack_from("<H", payload, 4)
            units = int.from_bytes(payload[8:24], "little", signed=True)
            # A second booking of one reference is refused: the first counts.
            self.booked.setdefault(text(payload, 24, 64), (asset, units))


@dataclass
class View:
    """What a host shows while nothing is on its way."""

    orders: list      # rows of allOrders, all accounts
    trades: list      # rows of myTrades, all accounts
    balances: dict    # account → asset → free + locked


class Checker:
    """One moment: the users' knowledge, the journals and views of both hosts.

    replicas    replica id → name of the host it belongs to
    """

    def __init__(self, evidence, facts, views, replicas):
        self.evidence, self.facts, self.views, self.replicas = evidence, facts, views, replicas

    def faults(self):
        wrong = [f"{name} was sent twice" for name in self.evidence.twice]
        wrong += self.log_faults()
        for host, facts in self.facts.items():
            wrong += [f"{host}: {fault}" for fault in self.record_faults(facts)]
            wrong += [f"{host}: {fault}" for fault in self.term_faults(facts)]
        for host, view in self.views.items():
            facts = self.facts[host]
            wrong += [f"{host}: {fault}" for fault in self.order_faults(view, facts)]
            wrong += [f"{host}: {fault}" for fault in self.seen_faults(view)]
            wrong += [f"{host}: {fault}" for fault in self.total_faults(view, facts)]
        wrong += self.view_faults()
        return wrong

    # --- the journals ---

    def log_faults(self):
        """Both hosts have the same records: hash marks are among them."""
        if len(self.facts) < 2:
            return []
        one, two = self.facts.values()
        common = min(one.last, two.last)
        wrong = []
        for sequence in sorted(one.points.keys() | two.points.keys()):
            if sequence <= common and one.points.get(sequence) != two.points.get(sequence):
                wrong.append(f"record {sequence} differs: {one.points.get(sequence)} and"
                             f" {two.points.get(sequence)}")
        for sequence in one.hashes.keys() & two.hashes.keys():
            if one.hashes[sequence] != two.hashes[sequence]:
                wrong.append(f"the hash at record {sequence} differs")
        return wrong[:SHOWN_MAX]

    def record_faults(self, facts):
        """Each acknowledged command is in the log once, and each in the log was sent; time goes on."""
        wrong = [f"the time of record {sequence} goes back" for sequence in facts.back]
        for sent in self.evidence.of("order", "cancel"):
            found = (facts.places if sent.what == "order" else facts.cancels).get(sent.name, [])
            if sent.outcome == ACKED and not found:
                wrong.append(f"{sent.what} {sent.name}, acknowledged, is not in the log")
            if len(found) > 1:
                wrong.append(f"{sent.what} {sent.name} is in the log {len(found)} times: {found}")
        for sent in self.evidence.of("credit"):
            if sent.outcome == ACKED and sent.name not in facts.booked:
                wrong.append(f"credit {sent.name}, acknowledged, is not in the log")
        for what, names in (("order", facts.places), ("cancel", facts.cancels)):
            for name in names:
                sent = self.evidence.sent.get(name)
                if sent is None or sent.what != what:
                    wrong.append(f"{what} {name} in the log was never sent")
        for name in facts.booked:
            if name not in self.evidence.sent and not name.startswith("demo"):
                wrong.append(f"credit {name} in the log was never sent")
        return wrong[:SHOWN_MAX]

    def term_faults(self, facts):
        """One host leads an epoch, and only it acknowledges: an answer at a host's own address."""
        wrong, leads = [], {}
        previous = 0
        for sequence in sorted(facts.points):
            epoch, _ = facts.points[sequence]
            if epoch < previous:
                wrong.append(f"record {sequence} of epoch {epoch} stands behind epoch {previous}")
            previous = epoch
        for epoch, replicas in facts.terms.items():
            if len(replicas) != 1:
                wrong.append(f"epoch {epoch} began {len(replicas)} times: {replicas}")
            leads[epoch] = self.replicas.get(replicas[0])
            if leads[epoch] is None:
                wrong.append(f"epoch {epoch} is led by {replicas[0]}, which is nobody's replica")
        for sent in self.evidence.of("order", "cancel"):
            host = sent.name.split("-")[0]
            if host not in ("a", "b") or sent.outcome != ACKED:
                continue
            for _, epoch in (facts.places if sent.what == "order" else facts.cancels).get(
                    sent.name, []):
                if leads.get(epoch, host) != host:
                    wrong.append(f"{sent.what} {sent.name} of epoch {epoch}, which {leads[epoch]}"
                                 f" leads, was acknowledged by {host}")
        return wrong[:SHOWN_MAX]

    # --- what is shown ---

    def order_faults(self, view, facts):
        wrong = []
        rows = {}
        for row in view.orders:
            if row["clientOrderId"] in rows:
                wrong.append(f"order {row['clientOrderId']} is there twice")
            rows[row["clientOrderId"]] = row
        for sent in self.evidence.of("order"):
            row = rows.pop(sent.name, None)
            if row is None:
                if sent.outcome == ACKED:
                    wrong.append(f"order {sent.name}, acknowledged, is not shown")
                continue
            if sent.outcome == REFUSED:
                wrong.append(f"order {sent.name}, refused ({sent.why}), is shown")
            if sent.name not in facts.places:
                wrong.append(f"order {sent.name} is shown and not in the log")
            if sent.outcome == ACKED and row["orderId"] != sent.order:
                wrong.append(f"order {sent.name} has id {row['orderId']}, acknowledged {sent.order}")
            if sent.status == "FILLED" and row["status"] != "FILLED":
                wrong.append(f"order {sent.name}, acknowledged as filled, is {row['status']}")
        wrong += [f"order {name} is shown and was never sent" for name in rows]
        rows = {row["clientOrderId"]: row for row in view.orders}
        asked = set()
        for sent in self.evidence.of("cancel"):
            asked.add(sent.of)
            row = rows.get(sent.of)
            if sent.outcome == ACKED and (row is None or row["status"] != "CANCELED"):
                wrong.append(f"order {sent.of} is {row and row['status']}; its cancel {sent.name}"
                             " was acknowledged")
        for name, row in rows.items():
            if row["status"] == "CANCELED" and name not in asked:
                wrong.append(f"order {name} is canceled, and nobody asked for that")
        return wrong[:SHOWN_MAX]

    def seen_faults(self, view):
        """Whatever anybody saw is there still."""
        wrong = []
        orders = {row["orderId"]: row for row in view.orders}
        trades = {row["id"]: row for row in view.trades}
        for seen in self.evidence.seen:
            said = f"{seen['host']} showed by {seen['by']} {seen['kind']} {seen['id']}"
            if seen["kind"] == "order":
                row = orders.get(seen["id"])
                if row is None or row["clientOrderId"] != seen["client"]:
                    wrong.append(f"{said} ({seen['client']}), which is gone: {row}")
                elif seen["ended"] and row["status"] != "CANCELED":
                    wrong.append(f"{said} as canceled; it is {row['status']}")
            else:
                row = trades.get(seen["id"])
                if row is None or Decimal(row["price"]) != Decimal(seen["price"]) or (
                        Decimal(row["qty"]) != Decimal(seen["quantity"])):
                    wrong.append(f"{said} of {seen['quantity']} at {seen['price']}, which is gone:"
                                 f" {row}")
        return wrong[:SHOWN_MAX]

    def total_faults(self, view, facts):
        """What all customers have, with the fees they paid, is what was ever booked."""
        owned, booked = Counter(), Counter()
        for balances in view.balances.values():
            for asset, amount in balances.items():
                owned[asset] += Decimal(amount)
        for trade in view.trades:
            owned[trade["commissionAsset"]] += Decimal(trade["commission"])
        for number, units in facts.booked.values():
            booked[number] += Decimal(units) / SCALE
        wrong = []
        for number, asset in ASSETS.items():
            if owned[asset] != booked[number]:
                wrong.append(f"over all accounts {owned[asset] - booked[number]} {asset} came from"
                             " nowhere")
        return wrong

    def view_faults(self):
        """Both hosts show the same."""
        if len(self.views) < 2:
            return []
        one, two = self.views.values()
        wrong = []
        for what in ("orders", "trades"):
            rows = [{json.dumps(row, sort_keys=True) for row in getattr(view, what)}
                    for view in (one, two)]
            wrong += [f"{what} are shown differently: {row}"
                      for row in sorted(rows[0] ^ rows[1])[:SHOWN_MAX]]
        if one.balances != two.balances:
            wrong.append(f"balances differ: {one.balances} and {two.balances}")
        return wrong
