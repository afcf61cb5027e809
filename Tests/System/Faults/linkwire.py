"""The bytes of the Link, of commands and of segments, as the Swift files draw them: LinkFrame.swift,
Record.swift, OrderCommands.swift, OperatorCommands.swift, SegmentFormat.swift. All that knows a
layout is here."""
import select
import socket
import struct
import time
from dataclasses import dataclass

from injector import Checksum

# --- the Link ---
VERSION = 1
HELLO, SUBMIT, SUBSCRIBE, QUERY, ASK_STATUS = 1, 3, 4, 5, 6
WELCOME, ACKS, VOIDS, SNAPSHOT, CHUNK, RECORDS, POSITION, SESSION, STATUS, ERROR = range(65, 75)
FRAME = struct.Struct("<IHH")
ENTRY = struct.Struct("<QIHH")
ACK = struct.Struct("<QQQHB5x")
SUBMIT_BYTES_MAX = 1 << 16

# --- commands ---
GENESIS, TICK, HASH_MARK, EPOCH_MARK, OPEN_SESSION = 1, 2, 3, 4, 10
ADJUST_BALANCE, PLACE, CANCEL = 28, 40, 41
BUY, LIMIT, GTC = 0, 0, 0


def text(value, size=40):
    return value.encode().ljust(size, b"\0")


def padded(data):
    return data + bytes(-len(data) % 8)


def audit(reason):
    return text("faults") + struct.pack("<H", len(reason)) + reason.encode()


def open_session(name):
    return text(name)


def adjust_balance(account, asset, amount, reason):
    return padded(
        struct.pack("<IHxx", account, asset) + amount.to_bytes(16, "little", signed=True)
        + audit(reason))


def place(account, instrument, price, quantity, client_id):
    """A limit buy that stays until it is cancelled."""
    return struct.pack(
        "<IHBBBB6xqqqqq16x40s", account, instrument, BUY, LIMIT, GTC, 0, price, quantity, 0, 0, 0,
        client_id.encode())


def cancel(account, instrument, client_id):
    return struct.pack("<IHxxQ40s", account, instrument, 0, client_id.encode())


def read_adjust(payload):
    account, asset = struct.unpack_from("<IH", payload)
    return account, asset, int.from_bytes(payload[8:24], "little", signed=True)


def read_place(payload):
    account, instrument = struct.unpack_from("<IH", payload)
    price, quantity = struct.unpack_from("<qq", payload, 16)
    return account, instrument, price, quantity, payload[72:112].rstrip(b"\0").decode()


def read_cancel(payload):
    account, = struct.unpack_from("<I", payload)
    return account, payload[16:56].rstrip(b"\0").decode()


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

    def __init__(self, path, name="operator/faults", seconds_max=5):
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise Closed(str(error)) from None
        self.buffer = bytearray()
        self.error = ""
        self.send(HELLO, struct.pack("<II", VERSION, 1) + text(name))
        kind, body = self.receive(seconds_max)
        if kind != WELCOME:
            raise Closed(f"no welcome but frame {kind}: {self.error}")
        self.epoch, = struct.unpack_from("<I", body, 4)
        self.released, = struct.unpack_from("<Q", body, 56)

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

    def open(self, name, seconds_max=5):
        """Opens a session; gives its acknowledgement."""
        self.submit(0, [(1, OPEN_SESSION, open_session(name))])
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            for ack in self.acks(0.2):
                return ack
        raise Closed("the session was not opened")

    def log(self, seconds_max=10):
        """All records that are released, from the first on, back to back, and the last of them."""
        self.send(SUBSCRIBE, struct.pack("<QQ", 1, 0))
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
