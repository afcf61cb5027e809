"""Blocks of thousands of transactions on a regtest chain: made by hand, since a wallet would take
minutes for each."""
import hashlib
import struct

# What anybody spends: a witness program of the script that is true (OP_1), and what it pays.
SCRIPT = bytes([0x51])
ANYBODY = bytes([0, 32]) + hashlib.sha256(SCRIPT).digest()
FEE = 200


def varint(number):
    return (bytes([number]) if number < 0xFD else b"\xfd" + struct.pack("<H", number)
            if number <= 0xFFFF else b"\xfe" + struct.pack("<I", number))


def string(data):
    return varint(len(data)) + data


def double_hash(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def spend(outputs_spent, paid):
    """A transaction that spends outputs that are anybody's, and pays (script, units); its id as the
    next one names it, and its bytes."""
    inputs = varint(len(outputs_spent)) + b"".join(
        txid + struct.pack("<I", index) + b"\0" + b"\xfd\xff\xff\xff"
        for txid, index in outputs_spent)
    outputs = varint(len(paid)) + b"".join(
        struct.pack("<q", units) + string(script) for script, units in paid)
    witness = b"".join(varint(1) + string(SCRIPT) for _ in outputs_spent)
    head, tail = struct.pack("<i", 2), struct.pack("<I", 0)
    return (double_hash(head + inputs + outputs + tail),
            head + b"\0\1" + inputs + outputs + witness + tail)


class FullBlocks:
    """Adds blocks of `count` transactions with two outputs each to a node's chain; the second one
    pays to a key of its own, as a customer's withdrawal elsewhere would."""

    def __init__(self, node, count):
        self.node, self.count = node, count
        units = 20_000_000
        descriptor = node.call("getdescriptorinfo", f"raw({ANYBODY.hex()})")["descriptor"]
        (address,) = node.call("deriveaddresses", descriptor)
        coin = node.call("sendtoaddress", address, f"{(units * 3) // 10 ** 8 + 40}")
        node.mine()
        outputs = node.transaction(coin)["vout"]
        index = next(one["n"] for one in outputs if one["scriptPubKey"]["hex"] == ANYBODY.hex())
        have = round(float(outputs[index]["value"]) * 10 ** 8)
        each = (have - 1_000_000) // count
        txid, raw = spend([(bytes.fromhex(coin)[::-1], index)], [(ANYBODY, each)] * count)
        self.add([raw])
        self.coins = [(txid, number, each) for number in range(count)]

    def add(self, raws):
        self.node.call("generateblock", self.node.home, [raw.hex() for raw in raws])

    def mine(self):
        """One block."""
        coins, raws = [], []
        for number, (txid, index, units) in enumerate(self.coins):
            paid = hashlib.sha256(txid + struct.pack("<I", number)).digest()[:20]
            # What is left has to last for some hundred blocks.
            away = 600
            new, raw = spend(
                [(txid, index)], [(ANYBODY, units - away - FEE), (bytes([0, 20]) + paid, away)])
            coins.append((new, 0, units - away - FEE))
            raws.append(raw)
        self.add(raws)
        self.coins = coins
