"""What an attacker between the wallet's parts changes: every field of every message, found by
walking the message itself, so that a field that is added later is attacked as well."""
import copy
import dataclasses
import struct
from dataclasses import dataclass, field

# --- JSON ---

NUMBERS = [0, -1, 1, 2**16, 2**32, 2**63, 2**64, 1.5, "1", None, [], {}]


def paths(value, path=()):
    """Each place of a JSON value, itself included."""
    yield path
    if isinstance(value, dict | list):
        for key in (value if isinstance(value, dict) else range(len(value))):
            yield from paths(value[key], (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def changed(value, path, new):
    """A copy with another value at a place; `...` removes it."""
    if not path:
        return copy.deepcopy(new)
    made = copy.deepcopy(value)
    place = at(made, path[:-1])
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return made


def others(value):
    """Other values for one of a message's fields: near it, far from it, and of another type."""
    match value:
        case bool():
            yield from (not value, 0, "true", None)
        case int() | float():
            yield from (value + 1, value - 1, -value, value * 2)
            yield from NUMBERS
        case str():
            yield from ("", value[:-1], value[:-2], value + "0", value + "00", value.upper(),
                        value[::-1], "zz" + value[2:], 7, None, [value])
            for place in (0, len(value) // 2, len(value) - 1):
                if value:
                    other = "0" if value[place] != "0" else "1"
                    yield value[:place] + other + value[place + 1:]
        case list():
            yield from ([], value[::-1], value + value[-1:], value[:-1], value * 2, None, {}, "x")
            if value and isinstance(value[-1], int):
                yield from (value + [value[-1] + 1], [one + 1 for one in value], [0, *value])
        case dict():
            yield from ({}, [], None, value | {"more": 1}, value | {"": {}})
        case None:
            yield from (0, "", False, {})


def messages(value):
    """A JSON message with one place changed at a time: (path, message)."""
    for path in paths(value):
        here = at(value, path)
        for other in others(here):
            if other != here or type(other) is not type(here):
                yield path, changed(value, path, other)
        if path and isinstance(at(value, path[:-1]), dict):
            yield path, changed(value, path, ...)


# --- transactions ---


def size(count):
    if count < 0xFD:
        return bytes([count])
    return b"\xfd" + struct.pack("<H", count)


@dataclass
class Input:
    transaction: bytes
    index: int
    script: bytes = b""
    sequence: int = 0xFFFF_FFFD


@dataclass
class Output:
    amount: int
    script: bytes


@dataclass
class Transaction:
    """An unsigned transaction, as walletd asks for it."""

    version: int = 2
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    lock: int = 0

    @classmethod
    def read(cls, data):
        """The transaction of these bytes, whose witnesses (BIP144) are left out."""
        place, made = 4, cls(struct.unpack_from("<i", data)[0])

        def take(count):
            nonlocal place
            place += count
            return data[place - count:place]

        def count():
            first = take(1)[0]
            return first if first < 0xFD else struct.unpack("<H", take(2))[0]

        if data[4:6] == b"\0\1":
            place = 6
        for _ in range(count()):
            spent, index = take(32), struct.unpack("<I", take(4))[0]
            made.inputs.append(Input(spent, index, take(count()), struct.unpack("<I", take(4))[0]))
        for _ in range(count()):
            amount = struct.unpack("<q", take(8))[0]
            made.outputs.append(Output(amount, take(count())))
        made.lock, = struct.unpack_from("<I", data, len(data) - 4)
        return made

    @property
    def bytes(self):
        def u32(value):
            return struct.pack("<I", value & 0xFFFF_FFFF)

        made = u32(self.version) + size(len(self.inputs))
        for one in self.inputs:
            made += one.transaction + u32(one.index)
            made += size(len(one.script)) + one.script + u32(one.sequence)
        made += size(len(self.outputs))
        for one in self.outputs:
            made += struct.pack("<q", one.amount) + size(len(one.script)) + one.script
        return made + u32(self.lock)

    @property
    def places(self):
        """What it spends, as a ledger names it."""
        return [(one.transaction[::-1].hex(), one.index) for one in self.inputs]


def transactions(tx, thief, coins):
    """A transaction with one thing changed at a time: (what, transaction). Each field of it and of
    its inputs and outputs, by machine; and what a thief would want: `thief` is a script, `coins`
    are outpoints that are to be spent beside or in place of its own."""
    def copies(what, body):
        made = copy.deepcopy(tx)
        body(made)
        return what, made

    for whole, rows in ((tx, "inputs"), (tx, "outputs")):
        count = len(getattr(whole, rows))
        for i in range(count):
            for part in dataclasses.fields(getattr(tx, rows)[i]):
                now = getattr(getattr(tx, rows)[i], part.name)
                for new in values(now, thief):
                    yield copies(f"{rows}[{i}].{part.name}", lambda made: setattr(
                        getattr(made, rows)[i], part.name, new))
            yield copies(f"{rows}[{i}] left out", lambda made: getattr(made, rows).pop(i))
            yield copies(f"{rows}[{i}] twice", lambda made: getattr(made, rows).append(
                copy.deepcopy(getattr(made, rows)[i])))
            for j in range(i):
                for part in dataclasses.fields(getattr(tx, rows)[i]):
                    yield copies(f"{rows}[{i}] and [{j}] exchange {part.name}",
                                 lambda made: exchange(getattr(made, rows), i, j, part.name))
        yield copies(f"{rows} left out", lambda made: getattr(made, rows).clear())
    for part in dataclasses.fields(tx):
        now = getattr(tx, part.name)
        if isinstance(now, int):
            for new in values(now, thief):
                yield copies(part.name, lambda made: setattr(made, part.name, new))
    for i, output in enumerate(tx.outputs):
        for part in (1, output.amount // 2, output.amount - 1):
            def split(made, i=i, part=part):
                made.outputs[i].amount -= part
                made.outputs.append(Output(part, thief))
            yield copies(f"a part of outputs[{i}] to the thief", split)
    for coin in coins:
        spent = bytes.fromhex(coin[0])[::-1]
        yield copies("a further coin for the miner", lambda made: made.inputs.append(
            Input(spent, coin[1])))
        yield copies("a further coin for the thief", lambda made: (
            made.inputs.append(Input(spent, coin[1])),
            made.outputs.append(Output(1_000_000, thief))))
        yield copies("another coin in place of the first", lambda made: made.inputs.__setitem__(
            0, Input(spent, coin[1])))


def exchange(rows, i, j, name):
    one, other = getattr(rows[i], name), getattr(rows[j], name)
    setattr(rows[i], name, other)
    setattr(rows[j], name, one)


def values(now, thief):
    if isinstance(now, int):
        found = [now + 1, now - 1, 0, 1, 2**31 - 1, now ^ 1 << 20]
    else:
        found = [thief, b"", now[:-1], now + b"\0"]
        found += [bytes([now[0] ^ 1]) + now[1:], now[:-1] + bytes([now[-1] ^ 1])] if now else []
    return [one for one in found if one != now]


# --- records ---

RECORD = struct.Struct("<IIQqIIQHHI")
WORD = 8


def words(payload):
    """A payload with one eight bytes of it changed at a time: (offset, payload). Whatever fields
    there are, each of them is in such a word."""
    for place in range(0, len(payload) - len(payload) % WORD, WORD):
        for offset, bit in ((0, 1), (4, 1)):
            made = bytearray(payload)
            made[place + offset] ^= bit
            yield place + offset, bytes(made)
