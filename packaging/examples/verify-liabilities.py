#!/usr/bin/env python3
"""Checks that an account is part of the total that an exchange says it owes.

    verify-liabilities.py PROOF ROOT

PROOF is what the exchange gave its customer, ROOT what it published. It needs nothing but Python
and is short enough to be read. Compare the root's hash with what others got."""
import hashlib
import json
import re
import sys

MAXIMUM = 2**127 - 1


def units(text):
    """An amount in base units: no sign, so that nothing can hide what others have."""
    if not (isinstance(text, str) and re.fullmatch(r"0|[1-9][0-9]{0,38}", text, re.ASCII)
            and int(text) <= MAXIMUM):
        raise ValueError("an amount is wrong")
    return int(text)


def count(value, bytes_max=8):
    if type(value) is not int or not 0 <= value < 256**bytes_max:
        raise ValueError("a number is wrong")
    return value


def digest(text):
    if not (isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text)):
        raise ValueError("a hash is wrong")
    return bytes.fromhex(text)


def text(value, bytes_max):
    if not (isinstance(value, str) and re.fullmatch(f"[ -~]{{0,{bytes_max}}}", value)):
        raise ValueError("a text is wrong")
    return value.encode()


def hashed(tag, *parts):
    return hashlib.sha256(b"bourse.pol." + tag + b"".join(parts)).digest()


def wide(amount):
    return amount.to_bytes(16, "big")


def check(proof, root):
    """Raises ValueError where the account is not part of the root's total."""
    if proof["version"] != 1 or root["version"] != 1:
        raise ValueError("this is of another version")
    if proof["asset"] != root["asset"] or proof["sequence"] != root["sequence"]:
        raise ValueError("the proof is of another asset or time than the root")
    name, total = text(proof["account"], 40), units(proof["units"])
    node = hashed(b"leaf1", bytes([len(name)]), name, digest(proof["nonce"]), wide(total))
    place, nodes = count(proof["place"]), count(root["accounts"])
    siblings = [(units(one["sum"]), digest(one["hash"])) for one in proof["siblings"]]
    if place >= nodes:
        raise ValueError("the place is behind the last account")
    while nodes > 1:
        # The last one of an odd number has no sibling, and goes up as it is.
        if place % 2 == 1 or place + 1 < nodes:
            if not siblings:
                raise ValueError("nodes are missing")
            beside, own = siblings.pop(0), (total, node)
            left, right = (beside, own) if place % 2 == 1 else (own, beside)
            node = hashed(b"node1", wide(left[0]), left[1], wide(right[0]), right[1])
            total = left[0] + right[0]
            if total > MAXIMUM:
                raise ValueError("the sums are too large")
        place, nodes = place // 2, (nodes + 1) // 2
    if siblings:
        raise ValueError("there are nodes too many")
    top = hashed(b"root1", text(root["asset"], 16).ljust(16, b"\0"),
                 bytes([count(root["scale"], 1)]), count(root["sequence"]).to_bytes(8, "big"),
                 count(root["accounts"]).to_bytes(8, "big"), wide(total), node)
    if total != units(root["total"]) or top != digest(root["hash"]):
        raise ValueError("the proof does not lead to the root")


def main(proof, root):
    try:
        with open(proof, encoding="utf-8") as one, open(root, encoding="utf-8") as other:
            proof, root = json.load(one), json.load(other)
        check(proof, root)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        sys.exit(f"WRONG: {error}")
    print(f"{proof['account']} with {proof['units']} is part of {root['total']} (units of "
          f"10^-{root['scale']} {root['asset']}) that {root['accounts']} accounts have, at record "
          f"{root['sequence']}.\nCompare the root's hash with what others got: {root['hash']}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
