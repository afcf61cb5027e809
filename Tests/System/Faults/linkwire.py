"""The bytes of the Link, of commands and of segments. Commands are laid out as the comments of the
Swift files draw them, read by `Layout`; LinkFrame.swift, Record.swift and SegmentFormat.swift are
followed here. All that knows a layout is in this file."""
import re
import select
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from injector import Checksum

SOURCES = Path(__file__).resolve().parents[3] / "Sources"


# --- the Link ---
SCHEMA = (SOURCES / "Log/Link/LinkFrame.swift").read_text()
VERSION = int(re.search(r"static var version: UInt32 \{ (\d+) \}", SCHEMA)[1])
# Where a welcome says what is released.
RELEASED_AT = int(re.search(r"//     welcome .*?(\d+) u64 released", SCHEMA, re.DOTALL)[1])
HELLO, SUBMIT, SUBSCRIBE, QUERY, ASK_STATUS = 1, 3, 4, 5, 6
WELCOME, ACKS, VOIDS, SNAPSHOT, CHUNK, RECORDS, POSITION, SESSION, STATUS, ERROR = range(65, 75)
FRAME = struct.Struct("<IHH")
ENTRY = struct.Struct("<QIHH")
ACK = struct.Struct("<QQQHB5x")
SUBMIT_BYTES_MAX = 1 << 16

# --- commands ---
GENESIS, TICK, HASH_MARK, EPOCH_MARK, SET_RULES, OPEN_SESSION, CLOSE_SESSION = (
    1, 2, 3, 4, 5, 10, 11)
ADJUST_BALANCE, PLACE, CANCEL = 28, 40, 41


def text(value, size=40):
    return value.encode().ljust(size, b"\0")


def padded(data):
    return data + bytes(-len(data) % 8)


class Layout:
    """Where the fields of a command are, by the table in the comment above its type."""

    FIELD = re.compile(r"(\d+)\s+(u8|u16|u32|u64|i32|i64|i128|text16|text40|text64)\s+(\w+)")

    def __init__(self, name, file):
        lines = (SOURCES / "Core/Wire" / file).read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if re.search(rf"struct {name}\b", line))
        first = at
        while lines[first - 1].startswith("///"):
            first -= 1
        self.fields = {}
        for offset, kind, field in self.FIELD.findall("\n".join(lines[first:at])):
            size = int(kind[4:]) if kind.startswith("text") else int(kind[1:]) // 8
            self.fields[field] = (int(offset), size, kind)
        self.size = max(offset + size for offset, size, _ in self.fields.values())

    def pack(self, **values):
        """The payload with these values, and zero in all other fields."""
        data = bytearray(self.size)
        for field, value in values.items():
            if field not in self.fields:
                continue
            offset, size, kind = self.fields[field]
            data[offset:offset + size] = (
                text(value, size) if kind.startswith("text")
                else value.to_bytes(size, "little", signed=kind.startswith("i")))
        return bytes(data)

    def read(self, payload, field):
        offset, size, kind = self.fields[field]
        data = payload[offset:offset + size]
        if kind.startswith("text"):
            return data.rstrip(b"\0").decode()
        return int.from_bytes(data, "little", signed=kind.startswith("i"))


ADJUST = Layout("AdjustBalance", "MoneyCommands.swift")
ORDER = Layout("Place", "OrderCommands.swift")
CANCELLING = Layout("Cancel", "OrderCommands.swift")


def open_session(name):
    return text(name)


def adjust_balance(account, asset, amount, reference, reason):
    audit = text("faults") + struct.pack("<H", len(reason)) + reason.encode()
    return padded(
        ADJUST.pack(account=account, asset=asset, amount=amount, reference=reference) + audit)


def place(account, instrument, price, quantity, client_id):
    """A limit buy that stays until it is cancelled: side, type and time in force are 0."""
    return padded(ORDER.pack(
        account=account, instrument=instrument, price=price, quantity=quantity, clOrdID=client_id))


def cancel(account, instrument, client_id):
    return padded(CANCELLING.pack(account=account, instrument=instrument, clOrdID=client_id))


def read_adjust(payload):
    return tuple(ADJUST.read(payload, field) for field in ("account", "asset", "amount"))


def read_place(payload):
    return tuple(ORDER.read(payload, field) for field in (
        "account", "instrument", "price", "quantity", "clOrdID"))


def read_cancel(payload):
    return tuple(CANCELLING.read(payload, field) for field in ("account", "clOrdID"))


# --- records ---
RECORD = struct.Struct("<IIQqIIQHHI")


@dataclass(slots=True, frozen=True)
class Record:
    sequence: int
    time: int
    epoch: int
    session: int
    number: int
    kind: int
    data: bytes

    @property
    def payload(self):
        return self.data[RECORD.size:]


def record_at(data, at=0, checks=True):
    """The whole record that stands there, or None."""
    if at + RECORD.size > len(data):
        return None
    length, crc, sequence, time_, epoch, session, number, kind, _, _ = RECORD.unpack_from(data, at)
    if length < RECORD.size or length & 7 or at + length > len(data) or length > RECORD_BYTES_MAX:
        return None
    whole = bytes(data[at:at + length])
    if checks and Checksum.of(whole[8:]) != crc:
        return None
    return Record(sequence, time_, epoch, session, number, kind, whole)


RECORD_BYTES_MAX = 1 << 17

# --- segments ---
HEADER = struct.Struct("<QIIQQQqI")
HEADER_BYTES = 4096
# Bytes that its CRC covers, and where that stands, by the version of the layout.
HEADER_CHECKED = {1: 52, 2: 4092}
# A mark's tag: its length.
MARKS = {0x434E5953: 16, 0x324E5953: 24}


@dataclass(slots=True)
class Item:
    """A record or a mark where it stands."""

    offset: int
    length: int
    record: Record | None
    next: int  # the sequence that follows it


@dataclass
class Segment:
    """What can be read of a segment's bytes, up to the first thing that is no item."""

    items: list
    identity: tuple
    first: int
    end: int
    is_valid: bool

    @property
    def records(self):
        return [item.record for item in self.items if item.record]


def mark_at(data, at):
    """The length of a sync mark which stands there, and the sequence that follows, or None."""
    if at + 8 > len(data):
        return None
    tag, crc = struct.unpack_from("<II", data, at)
    length = MARKS.get(tag, len(data))
    if at + length > len(data) or Checksum.of(data[at + 8:at + length]) != crc:
        return None
    return length, struct.unpack_from("<Q", data, at + 8)[0]


def read_segment(data):
    is_valid = len(data) >= HEADER_BYTES and data[:7] == b"BOURSEJ"
    if is_valid:
        fields = HEADER.unpack_from(data)
        checked = HEADER_CHECKED.get(fields[1], 0)
        crc, = struct.unpack_from("<I", data, checked)
        is_valid = checked > 0 and Checksum.of(data[:checked]) == crc
    if not is_valid:
        return Segment([], (0, 0), 0, 0, False)
    items, at, expected = [], HEADER_BYTES, fields[5]
    while at + 8 <= len(data):
        mark = mark_at(data, at)
        if mark is not None:
            length, following = mark
            if following != expected:
                break  # whole, but of another place
            items.append(Item(at, length, None, following))
            at += length
            continue
        record = record_at(data, at)
        if record is None or record.sequence != expected:
            break
        expected += 1
        items.append(Item(at, len(record.data), record, expected))
        at += len(record.data)
    return Segment(items, (fields[3], fields[4]), fields[5], at, True)


def evidence_in(data, first):
    """Whether a good record from the sequence `first` on, or a mark behind one, stands anywhere."""
    for tag in MARKS:
        at = data.find(struct.pack("<I", tag))
        while at >= 0:
            mark = mark_at(data, at)
            if mark and first < mark[1] < first + (1 << 32):
                return True
            at = data.find(struct.pack("<I", tag), at + 1)
    # A record has its sequence at byte 8; few numbers can stand there.
    for at in range(HEADER_BYTES, len(data) - RECORD.size, 8):
        if data[at] and data[at + 8:at + 16] != bytes(8):
            sequence, = struct.unpack_from("<Q", data, at + 8)
            if first <= sequence < first + (1 << 20) and record_at(data, at):
                return True
    return False


# --- a connection ---


class Closed(Exception):
    """The daemon closed the connection, or is not there."""


class Link:
    """A connection to matchd as a writer and follower."""

    def __init__(self, path, name="operator/faults", seconds_max=30):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise Closed(str(error)) from None
        self.buffer = bytearray()
        self.error = ""
        hello = struct.pack("<II", VERSION, 1) + text(name)
        if VERSION > 1:  # no epoch seen; writer, follower and by its name the wallet; no process
            hello += struct.pack("<IIQ", 0, 3 | (16 if name.startswith("wallet/") else 0), 0)
        self.send(HELLO, hello)
        kind, body = self.receive(seconds_max)
        if kind != WELCOME:
            raise Closed(f"no welcome but frame {kind}: {self.error}")
        self.epoch, = struct.unpack_from("<I", body, 4)
        self.released, = struct.unpack_from("<Q", body, RELEASED_AT)

    def close(self):
        self.socket.close()

    def send(self, kind, body):
        body = padded(body)
        try:
            self.socket.sendall(FRAME.pack(FRAME.size + len(body), kind, 0) + body)
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, seconds_max):
        """The next frame, or (None, b"") when none comes in time."""
        deadline = time.monotonic() + seconds_max
        while True:
            if len(self.buffer) >= FRAME.size:
                length, kind, _ = FRAME.unpack_from(self.buffer)
                if len(self.buffer) >= length:
                    body = bytes(self.buffer[FRAME.size:length])
                    del self.buffer[:length]
                    if kind == ERROR:
                        code, count = struct.unpack_from("<HH", body)
                        self.error = body[4:4 + count].decode()
                        raise Closed(f"error {code}: {self.error}")
                    return kind, body
            left = deadline - time.monotonic()
            if not select.select([self.socket], [], [], max(0, left))[0]:
                return None, b""
            try:
                got = self.socket.recv(1 << 18)
            except OSError as error:
                raise Closed(str(error)) from None
            if not got:
                raise Closed("closed by matchd")
            self.buffer += got

    def submit(self, session, entries):
        """Sends commands: (number, kind, payload)."""
        body, count = b"", 0
        for number, kind, payload in entries:
            entry = ENTRY.pack(number, len(payload), kind, 0) + payload
            if len(body) + len(entry) + 16 > SUBMIT_BYTES_MAX:
                self.send(SUBMIT, struct.pack("<II", session, count) + body)
                body, count = b"", 0
            body += entry
            count += 1
        self.send(SUBMIT, struct.pack("<II", session, count) + body)

    def acks(self, seconds_max):
        """Acknowledgements that come next: (session, number, sequence, id, refusal, status)."""
        kind, body = self.receive(seconds_max)
        if kind != ACKS:
            return []
        session, count = struct.unpack_from("<II", body)
        return [(session, *ACK.unpack_from(body, 8 + i * ACK.size)) for i in range(count)]

    def open(self, name, seconds_max=30):
        """Opens a session; gives its acknowledgement."""
        self.submit(0, [(1, OPEN_SESSION, open_session(name))])
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            for ack in self.acks(0.2):
                return ack
        raise Closed("the session was not opened")

    def log(self, seconds_max=60):
        """All records that are released, from the first on, back to back, and the last of them."""
        self.send(SUBSCRIBE, struct.pack("<QQ", 1, 0) + bytes(8 if VERSION > 1 else 0))
        runs, last, deadline = [], 0, time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            kind, body = self.receive(max(0, deadline - time.monotonic()))
            if kind == RECORDS:
                runs.append(body)
                last = max(last, last_of(body))
            elif kind == POSITION:
                last = max(last, struct.unpack_from("<Q", body)[0])
            if last >= self.released and kind in (RECORDS, POSITION):
                return b"".join(runs), last
        raise Closed(f"the log did not come up to {self.released}")


def last_of(run):
    """The sequence of the last record of a run."""
    at = last = 0
    while at + RECORD.size <= len(run):
        length, _, last = struct.unpack_from("<IIQ", run, at)
        if length < RECORD.size:
            raise Closed("the feed holds no whole records")
        at += length
    return last


def records_of(data):
    """Whole records back to back; ends at the first that is not."""
    records, at = [], 0
    while at < len(data):
        record = record_at(data, at)
        if record is None:
            break
        records.append(record)
        at += len(record.data)
    return records
