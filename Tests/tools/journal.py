"""Reads and writes journal segments as `Sources/Log/Journal/SegmentFormat.swift` draws them, so that
a test can go on with a journal in matchd's place, or alter what matchd wrote and seal it again."""
import os
import struct
from dataclasses import dataclass
from pathlib import Path

HEADER = struct.Struct("<QIIQQQqIIQQQI")  # of a segment; its CRC ends the block
MARK = struct.Struct("<QQ")              # of a sync mark: next sequence, commit point
RECORD = struct.Struct("<IIQqIIQHHI")    # of a record
BLOCK_BYTES = 4096
SYNC_TAG = 0x324E5953
MARK_BYTES = 24
TICK, HASH_MARK, OPEN_ACCOUNT, PLACE = 2, 3, 24, 40


def _table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


TABLE = tuple(_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass
class Record:
    """A record where it stands."""

    path: Path
    offset: int
    data: bytes

    def __post_init__(self):
        (self.length, self.crc, self.sequence, self.time, self.epoch, self.session, self.number,
         self.kind, self.revision, _) = RECORD.unpack_from(self.data)

    @property
    def payload(self):
        return self.data[RECORD.size:]

    def replace(self, payload):
        """Writes another payload in its place, under a checksum that is right."""
        data = seal(self.data[:RECORD.size] + payload)
        assert len(data) == self.length
        with open(self.path, "r+b") as file:
            file.seek(self.offset)
            file.write(data)


def seal(record):
    """A record with its CRC."""
    return record[:4] + struct.pack("<I", crc32c(record[8:])) + record[8:]


class Journal:
    """The segments of a state directory, read once; then to be gone on with by `add` and `flush`."""

    def __init__(self, state):
        self.directory = Path(state) / "journal"
        self.records = []
        for self.path in sorted(self.directory.glob("*.seg")):
            self._read()
        self.pending = bytearray()

    def _read(self):
        data = self.path.read_bytes()
        self.identity = HEADER.unpack_from(data)[3:5]
        self.size, self.offset = len(data), BLOCK_BYTES
        while self.offset + MARK_BYTES <= self.size:
            length, = struct.unpack_from("<I", data, self.offset)
            if length == 0:
                break
            if length == SYNC_TAG:
                self.offset += MARK_BYTES
                continue
            record = Record(self.path, self.offset, data[self.offset:self.offset + length])
            assert seal(record.data) == record.data, "the journal is sound before it is altered"
            self.records.append(record)
            self.offset += length
        self.last, self.time, self.epoch = record.sequence, record.time, record.epoch
        self.crc = record.crc

    def age(self, nanos):
        """Sets back the time of every record of a journal of one segment."""
        for record in self.records:
            data = bytearray(record.data)
            data[16:24] = (record.time - nanos).to_bytes(8, "little", signed=True)
            with open(record.path, "r+b") as file:
                file.seek(record.offset)
                file.write(seal(bytes(data)))

    def of_kind(self, kind):
        return [record for record in self.records if record.kind == kind]

    def add(self, kind, payload=b"", count=1):
        """Adds commands of the sequencer itself; nothing of them is in the file before `flush`."""
        for _ in range(count):
            self.last += 1
            self.time += 1000
            head = RECORD.pack(
                RECORD.size + len(payload), 0, self.last, self.time, self.epoch, 0, 0, kind, 0, 0
            )
            record = seal(head + payload)
            if self.offset + len(self.pending) + len(record) + MARK_BYTES > self.size:
                self._roll()
            self.pending += record
            self.crc, = struct.unpack_from("<I", record, 4)

    def flush(self, is_marked=True, released=None):
        """Writes what was added, and a sync mark: it is durable, and released up to there or all."""
        if is_marked:
            following = MARK.pack(self.last + 1, self.last if released is None else released)
            self.pending += struct.pack("<II", SYNC_TAG, crc32c(following)) + following
        with open(self.path, "r+b") as file:
            file.seek(self.offset)
            file.write(self.pending)
        self.offset += len(self.pending)
        self.pending = bytearray()

    @property
    def end(self):
        """Where it ends, to be cut off there again."""
        return self.offset, self.last, self.time, self.crc

    def cut(self, end):
        """Takes back what was written behind `end` in the same segment, as a cut does."""
        written = self.offset
        self.offset, self.last, self.time, self.crc = end
        with open(self.path, "r+b") as file:
            file.seek(self.offset)
            file.write(bytes(written - self.offset))

    def _roll(self):
        self.last -= 1
        self.flush()
        self.last += 1
        head = HEADER.pack(
            int.from_bytes(b"BOURSEJ1", "little"), 2, BLOCK_BYTES, *self.identity, self.last,
            self.time - 1000, self.epoch, self.crc, self.size, 0, 0, 1,
        ).ljust(BLOCK_BYTES - 4, b"\0")
        aside = self.directory / "segment.new"
        with open(aside, "wb") as file:
            file.write(head + struct.pack("<I", crc32c(head)))
            file.truncate(self.size)
        self.path = self.directory / f"{self.last:020}.seg"
        os.rename(aside, self.path)
        self.offset = BLOCK_BYTES
