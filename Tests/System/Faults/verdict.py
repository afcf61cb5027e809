"""Judges a start after a fault, by nothing of the product but what it gives out: either every
record that was acknowledged is there, once, and none besides, or the start is refused with the last
good sequence, and nothing is gone from the disk."""
import re
import zlib
from collections import Counter

import linkwire as wire

ASSETS = {"BTC": 1, "ETH": 2, "USDT": 3}
UNITS = 10**8
# One tick of BTCUSDT times one of its lots, in the smallest units of USDT.
TICK_LOT_UNITS = 10
# How a refusal names the last good sequence, or the first that lacks.
NAMED = re.compile(
    r"last (?:good|known|whole|durable)[^0-9\n]{0,60}?(\d+)|(?<=ends at )(?:record )?(\d+)")
NAMED_FIRST_LACKING = re.compile(r"lacks the records (\d+)")
SEQUENCER_KINDS = (
    wire.TICK, wire.HASH_MARK, wire.EPOCH_MARK, wire.SET_RULES, wire.OPEN_SESSION,
    wire.CLOSE_SESSION)


class Finding(Exception):
    """The invariant does not hold."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


# --- the log against the ledger ---


def check_log(ledger, data, last):
    """Every acknowledged record is in the log once, and nothing that was not sent."""
    known = len(ledger.truth)
    if data[:known] != ledger.truth:
        raise Finding("lost", first_difference(ledger, data))
    records = wire.records_of(data[known:])
    if known + sum(len(record.data) for record in records) != len(data):
        raise Finding("altered", "the log holds bytes that are no record")
    opened = Counter()
    written = set()
    time = 0
    for sequence, record in enumerate(records, ledger.last + 1):
        if record.sequence != sequence:
            raise Finding("lost", f"record {sequence} is {record.sequence}")
        if record.time < time:
            raise Finding("clock", f"the time of record {sequence} goes back")
        time = record.time
        if record.session:
            name = (record.session, record.number)
            if ledger.sent.get(name) != (record.kind, record.payload):
                raise Finding("invented", f"record {sequence} was never sent: {record}")
            if name in written:
                raise Finding("doubled", f"record {sequence} is the second of {name}")
            written.add(name)
        elif record.kind == wire.OPEN_SESSION:
            opened[record.payload.rstrip(b"\0").decode()] += 1
        elif record.kind not in SEQUENCER_KINDS:
            raise Finding("invented", f"record {sequence} is of kind {record.kind}")
    for name, sequence in ledger.acked.items():
        at = sequence - ledger.last - 1
        if at >= len(records) or (records[at].session, records[at].number) != name:
            raise Finding("lost", f"{name} was acknowledged as record {sequence}; the log ends at"
                                  f" {last}")
    for sequence, seen in ledger.seen.items():
        at = sequence - ledger.last - 1
        if at >= len(records) or records[at].data != seen:
            raise Finding("lost", f"record {sequence} had been released; the log ends at {last}")
    for name, count in opened.items():
        if count > ledger.opened[name] and name.startswith("operator/faults"):
            raise Finding("doubled", f"session {name} was opened {count} times")
    return records


def first_difference(ledger, data):
    mine, theirs = wire.records_of(ledger.truth), wire.records_of(data)
    for a, b in zip(mine, theirs):
        if a.data != b.data:
            return f"record {a.sequence} is not what it was"
    return f"the log ends at {len(theirs)}; {ledger.last} and more were acknowledged"


def check_disk(files, data, cache):
    """The segments hold the same records, by this suite's own reading."""
    found = read_journal(files, cache)
    if found.data != data[:len(found.data)] or len(found.data) < len(data):
        raise Finding("lost", f"the segments hold the records up to {found.last} only")


CACHED_MAX = 60


class OnDisk:
    """The records of all segments up to the first missing one."""

    def __init__(self):
        self.data, self.last = b"", 0


def has_earlier(files, first):
    """Whether a segment stands before the one that begins with `first`, by its name."""
    return any(re.fullmatch(r"journal/\d{20}\.seg", name) and int(name[8:28]) < first
               for name in files)


def read_journal(files, cache):
    found = OnDisk()
    for name in sorted(files):
        if not re.fullmatch(r"journal/\d{20}\.seg", name):
            continue
        key = (name, len(files[name]), zlib.crc32(files[name]))
        if key not in cache:
            if len(cache) > CACHED_MAX:
                cache.pop(next(other for other in cache if other != "identity"))
            segment = wire.read_segment(files[name])
            records = segment.records
            cache[key] = (
                segment.identity, segment.first, records[-1].sequence if records else segment.first - 1,
                b"".join(record.data for record in records), segment.is_valid)
        identity, first, last, data, is_valid = cache[key]
        if not is_valid or identity != cache.get("identity", identity) or int(name[8:28]) != first:
            continue
        if not found.data and not has_earlier(files, first):
            found.last = first - 1  # earlier segments are kept elsewhere, or lost
        if first == found.last + 1:
            found.data += data
            found.last = last
    return found


# --- balances and orders ---


class Model:
    """What the log comes to: every order rests, none trades."""

    def __init__(self):
        self.totals, self.orders = Counter(), {}

    def copy(self):
        made = Model()
        made.totals, made.orders = Counter(self.totals), dict(self.orders)
        return made

    def apply(self, records):
        for record in records:
            if record.kind == wire.ADJUST_BALANCE:
                account, asset, amount = wire.read_adjust(record.payload)
                self.totals[account, asset] += amount
            elif record.kind == wire.PLACE:
                account, _, price, quantity, order = wire.read_place(record.payload)
                self.orders[account, order] = price * quantity * TICK_LOT_UNITS
            elif record.kind == wire.CANCEL:
                self.orders.pop(wire.read_cancel(record.payload), None)
        return self


def units(text):
    whole, _, part = text.partition(".")
    return int(whole) * UNITS + int(part.ljust(8, "0"))


def check_accounts(world, model, names):
    """Balances and open orders, as `boursectl` shows them, are what the log comes to."""
    for account, name in enumerate(names, 1):
        shown = world.account(name)
        orders = {order["clOrdID"] for order in shown["orders"]}
        mine = {order for owner, order in model.orders if owner == account}
        if orders != mine:
            raise Finding("state", f"open orders of {name} differ in {sorted(orders ^ mine)[:5]}")
        held = sum(hold for (owner, _), hold in model.orders.items() if owner == account)
        for row in shown["balances"]:
            asset = ASSETS[row["asset"]]
            expected = (model.totals[account, asset], held if asset == 3 else 0)
            if (units(row["total"]), units(row["held"])) != expected:
                raise Finding("state", f"{name}: {row} is not {expected}")


# --- a refusal ---


def named_in(code, text):
    """The last good sequence that a refusal names; it ended with a status, and by itself."""
    if code is None or code < 0:
        raise Finding("died", f"by signal {-(code or 0)}:\n{text[-1500:]}")
    if code == 0:
        raise Finding("status", f"a start that was refused ended with 0:\n{text}")
    found = NAMED.search(text)
    lacking = NAMED_FIRST_LACKING.search(text)
    if not found and not lacking:
        raise Finding("unnamed", f"the refusal names no last good sequence:\n{text.strip()}")
    return int(next(filter(None, found.groups()))) if found else int(lacking[1]) - 1


def check_refusal(code, text, files, cache):
    """The refusal names the last good sequence, which is given."""
    named = named_in(code, text)
    good = read_journal(files, cache).last
    if named != good:
        raise Finding("misnamed", f"{named} is not the last good sequence {good}:\n{text.strip()}")
    return named


def check_latched(code, text, ledger, files, cache):
    """After a failed sync what is in the files may not be on the disk: what is named was durable,
    and all that was acknowledged is within it; where the fault could not be noted, what is named
    is the least that was."""
    named = named_in(code, text)
    good = read_journal(files, cache).last
    least = 0 if "the fault is not described" in text else ledger.last_acked
    if not least <= named <= good:
        raise Finding("misnamed", f"{named} is not between what was acknowledged, "
                                  f"{ledger.last_acked}, and what is there, {good}:\n{text}")


def check_kept(before, after, is_refused):
    """Nothing is gone: it is in its place, or set aside."""
    def is_somewhere(piece, name):
        return any(piece in data for other, data in after.items() if other != name)

    for name, data in before.items():
        now = after.get(name)
        if now == data or name.startswith("snapshots/") and not is_refused:
            continue
        if is_refused and now is not None:
            if name.startswith("journal/") and not is_somewhere(data.rstrip(b"\0"), name):
                raise Finding("changed", f"{name} was changed by a start that was refused")
            continue
        end = len(data.rstrip(b"\0"))
        if now is None:
            if end and not is_somewhere(data[:end], name):
                raise Finding("deleted", f"{name} with {end} bytes is gone")
        elif name.startswith("journal/"):
            start = first_differing(data, now, end)
            # What was cut is found aside whole, from where it was cut.
            if start < end and not is_somewhere(data[start // 8 * 8:end], name):
                raise Finding(
                    "deleted", f"{end - start} bytes of {name} from byte {start} on are gone")


def first_differing(one, other, end):
    """The first byte before `end` in which the two differ, or `end`."""
    first = 0
    while first < end:
        size = min(4096, end - first)
        if one[first:first + size] != other[first:first + size]:
            return next((first + i for i in range(size)
                         if one[first + i:first + i + 1] != other[first + i:first + i + 1]), end)
        first += size
    return end


# --- what could be known ---


def is_beyond_proof(files, first):
    """Whether nothing on the disk shows that there was a record `first`: no later record, mark or
    snapshot, no byte behind the last good record, and no file of another length. Then no start can
    know."""
    sizes = set()
    for name, data in files.items():
        snapshot = re.fullmatch(r"snapshots/(\d{20})\.snap", name)
        if snapshot and int(snapshot[1]) >= first:
            return False
        if name == "floor" and int.from_bytes(data[24:32], "little") >= first:
            return False
        audited = re.match(rb"\d{1,20}", data) if name == "audited" else None
        if audited and int(audited[0]) >= first:
            return False
        if not name.startswith("journal/"):
            continue
        if name.endswith(".seg"):
            sizes.add(len(data))
            if wire.evidence_in(data, first) or not data.strip(b"\0"):
                return False
            segment = wire.read_segment(data)
            if not segment.is_valid or looks_whole(data, segment.end):
                return False
        elif wire.evidence_in(data, first):
            return False
    return len(sizes) == 1


def looks_whole(data, at):
    """Whether what stands at the end of the good records has no sector that was never written, so
    that no power cut left it."""
    end = len(data.rstrip(b"\0"))
    if end <= at:
        return False
    length = int.from_bytes(data[at:at + 4], "little")
    length = length if wire.RECORD.size <= length <= wire.RECORD_BYTES_MAX else 8
    return all(
        data[max(at, start):min(at + length, start + 512)].strip(b"\0")
        for start in range(at // 512 * 512, at + length, 512))


def is_archived(files):
    """Whether the journal begins later than with the first record: segments that a snapshot stands
    for may be kept elsewhere, and nothing distinguishes those from lost ones."""
    return "journal/00000000000000000001.seg" not in files


def first_lacking(ledger, data):
    """The first acknowledged record that is not in the log."""
    records = wire.records_of(data)
    if data[:len(ledger.truth)] != ledger.truth:
        for mine, other in zip(wire.records_of(ledger.truth), records):
            if mine.data != other.data:
                return mine.sequence
        if len(records) < ledger.last:
            return len(records) + 1
    present = {record.sequence: record for record in records[ledger.last:]}
    lacking = [sequence for name, sequence in ledger.acked.items()
               if (present[sequence].session, present[sequence].number) != name
               ] if all(s in present for s in ledger.acked.values()) else [
        sequence for sequence in ledger.acked.values() if sequence not in present]
    lacking += [sequence for sequence in ledger.seen if sequence not in present]
    return min(lacking, default=len(records) + 1)
