"""Somebody else who has the wallet's seed: derives its keys (BIP32, BIP39) without the product, and
spends its coins by the node alone."""
import hashlib
import hmac

from coincurve import PrivateKey

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HARDENED = 1 << 31
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def secret(words, path):
    """The private key of a path of indices."""
    seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    key, chain = int.from_bytes(node[:32], "big"), node[32:]
    for index in path:
        own = (b"\0" + key.to_bytes(32, "big") if index >= HARDENED
               else PrivateKey(key.to_bytes(32, "big")).public_key.format())
        node = hmac.digest(chain, own + index.to_bytes(4, "big"), "sha512")
        key, chain = (int.from_bytes(node[:32], "big") + key) % ORDER, node[32:]
    return key.to_bytes(32, "big")


def wallet_import_format(key):
    """A key as test networks' nodes take it."""
    body = b"\xef" + key + b"\x01"
    body += hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(body, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


def spend(node, words, place, outpoint, units, fee=1_000):
    """Spends an output of the key m/84'/1'/0'/`place` to the node's own wallet; returns the
    transaction's id, which waits for a block."""
    key = secret(words, [84 + HARDENED, 1 + HARDENED, HARDENED, *place])
    value = units - fee
    raw = node.call("createrawtransaction", [{"txid": outpoint[0], "vout": outpoint[1]}],
                    {node.call("getnewaddress"): f"{value // 10**8}.{value % 10**8:08}"})
    signed = node.call("signrawtransactionwithkey", raw, [wallet_import_format(key)])
    assert signed["complete"], signed
    return node.call("sendrawtransaction", signed["hex"])
