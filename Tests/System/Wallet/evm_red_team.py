"""EVM transactions as an attacker writes them: one field changed at a time, and the whole in
another form. The encoding (RLP) is written here, so that what no library would write is written as well."""
import dataclasses
from dataclasses import dataclass, field

TRANSFER = bytes.fromhex("a9059cbb")
# Of tokens: approve, transferFrom, increaseAllowance, and one that nobody has.
SELECTORS = [bytes.fromhex(one) for one in ("095ea7b3", "23b872dd", "39509351", "00000000")]


def rlp(item):
    """The bytes of an item: bytes, or a list of items."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else head(0x80, len(item)) + item
    body = b"".join(map(rlp, item))
    return head(0xC0, len(body)) + body


def head(first, count):
    if count < 56:
        return bytes([first + count])
    size = small(count)
    return bytes([first + 55 + len(size)]) + size


def small(number):
    """A number without zeros in front, as numbers are written."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def items(data):
    """The items of a list's bytes."""
    def take(place):
        first = data[place]
        if first < 0x80:
            return data[place:place + 1], place + 1
        base = 0x80 if first < 0xC0 else 0xC0
        count, place = first - base, place + 1
        if count > 55:
            size = count - 55
            count, place = int.from_bytes(data[place:place + size], "big"), place + size
        body = data[place:place + count]
        return body if base == 0x80 else items(data[place - 1:place + count]), place + count

    found, place = [], 1 if data[0] < 0xF8 else 1 + data[0] - 0xF7
    while place < len(data):
        one, place = take(place)
        found.append(one)
    return found


@dataclass
class EVMTransaction:
    """One of EIP-1559 before it is signed, as walletd asks for it."""

    chain: int
    nonce: int
    priority: int
    most: int
    gas: int
    to: bytes
    value: int = 0
    data: bytes = b""
    access: list = field(default_factory=list)

    @classmethod
    def read(cls, data):
        assert data[0] == 2, data
        rows = items(data[1:])
        return cls(*(int.from_bytes(one, "big") for one in rows[:5]), rows[5],
                   int.from_bytes(rows[6], "big"), rows[7], rows[8])

    @property
    def items(self):
        return [*map(small, (self.chain, self.nonce, self.priority, self.most, self.gas)),
                self.to, small(self.value), self.data, self.access]

    @property
    def bytes(self):
        return b"\2" + rlp(self.items)

    @property
    def fields(self):
        """As the node's `test_sign` takes it."""
        return {"chainId": hex(self.chain), "nonce": hex(self.nonce), "gas": hex(self.gas),
                "maxPriorityFeePerGas": hex(self.priority), "maxFeePerGas": hex(self.most),
                "to": "0x" + self.to.hex(), "value": hex(self.value),
                "data": "0x" + self.data.hex()}


def token_call(receiver, amount, selector=TRANSFER):
    """The call of a token's transfer."""
    return selector + receiver.rjust(32, b"\0") + amount.to_bytes(32, "big")


def numbers(now):
    found = [now + 1, now - 1, 0, 1, now * 2, now // 2, now ^ 1 << 20, 2**31 - 1, 2**32, 2**63,
             2**64 - 1, 2**64, 2**128, 2**255, 2**256 - 1, 2**256]
    return [one for one in dict.fromkeys(found) if one >= 0 and one != now]


def addresses(now, known):
    found = [*known, b"", bytes(20), now[:-1], now + b"\0", b"\0" + now, now[::-1],
             bytes([now[0] ^ 1]) + now[1:], now[:-1] + bytes([now[-1] ^ 1])]
    return [one for one in found if one != now]


def calls(now, thief, known):
    """Other data than a transaction's: of a transfer each part, and of none a transfer."""
    found = [b"", now + b"\0", now + bytes(32), now + now, token_call(thief, 1),
             *(token_call(thief, 2**255, selector) for selector in SELECTORS), bytes(4_096),
             bytes(4_097)]
    if len(now) == 68:
        receiver, amount = now[16:36], int.from_bytes(now[36:], "big")
        found += [now[:-1], now[:36], now[:4], now[4:]]
        found += [token_call(one, amount) for one in [thief, bytes(20), *known]]
        found += [token_call(receiver, one) for one in numbers(amount) if one < 2**256]
        found += [token_call(receiver, amount, selector) for selector in SELECTORS]
        # Zeros in front of an address that are none: contracts may ignore them.
        found += [token_call(b"\1" + bytes(11) + receiver, amount),
                  token_call(b"\1" + receiver, amount)]
    return [one for one in found if one != now]


def evm_transactions(tx, thief, known):
    """A transaction with one thing changed at a time: (what, bytes). `thief` and `known` are
    addresses. What can be signed and is harmless comes last, as a signer gives few of one nonce."""
    def made(**fields):
        return dataclasses.replace(tx, **fields).bytes

    for new in addresses(tx.to, [thief, *known]):
        yield f"to {new.hex()}", made(to=new)
        yield f"a call of {new.hex()}", made(to=new, value=0, data=token_call(thief, 1))
    for new in numbers(tx.value):
        yield f"value {new}", made(value=new)
    for new in calls(tx.data, thief, known):
        yield f"data {new[:80].hex()}", made(data=new)
        yield f"no value and data {new[:80].hex()}", made(data=new, value=0)
    for new in ([[thief, []]], [[tx.to, [bytes(32)]]], [[]], b"\1"):
        yield f"access list {new}", made(access=new)
    yield from forms(tx)
    for name in ("chain", "gas", "priority", "most", "nonce"):
        for new in numbers(getattr(tx, name)):
            yield f"{name} {new}", made(**{name: new})
    yield "both fees", made(most=tx.most * 2, priority=tx.most * 2)


def forms(tx):
    """The same in other forms, and what is none."""
    rows, plain = tx.items, [small(tx.nonce), small(tx.most), small(tx.gas), tx.to,
                             small(tx.value), tx.data]
    yield "legacy", rlp([*plain, small(tx.chain), b"", b""])
    yield "legacy, of every chain", rlp(plain)
    yield "of EIP-2930", b"\1" + rlp([rows[0], rows[1], rows[3], *rows[4:]])
    for kind in (0, 3, 4, 0x7F):
        yield f"of type {kind}", bytes([kind]) + rlp(rows)
    yield "of no type", rlp(rows)
    yield "with more behind it", tx.bytes + b"\0"
    yield "twice", tx.bytes * 2
    yield "signed already", b"\2" + rlp([*rows, b"\1", b"\1" * 32, b"\1" * 32])
    body = b"".join(map(rlp, rows))
    yield "a longer length", b"\2" + b"\xf9" + len(body).to_bytes(2, "big") + body
    for place, one in enumerate(rows):
        yield f"item {place} left out", b"\2" + rlp(rows[:place] + rows[place + 1:])
        yield f"item {place} twice", b"\2" + rlp([*rows[:place], one, *rows[place:]])
        yield f"item {place} in a list", b"\2" + rlp([*rows[:place], [one], *rows[place + 1:]])
        if isinstance(one, bytes):
            longer = b"\0" + one
            yield f"item {place} with a zero", b"\2" + rlp(
                [*rows[:place], longer, *rows[place + 1:]])
