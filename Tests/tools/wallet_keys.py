"""The private keys of a wallet's words, so that a test can spend its coins as a thief would.
BIP39 without a passphrase, BIP32, and the node's own text of a key."""
import hashlib
import hmac

from coincurve import PrivateKey

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HARDENED = 1 << 31
DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def secret(words, path):
    """The 32 bytes of the key at a path, from its first index."""
    seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
    part = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for index in path:
        key, code = part[:32], part[32:]
        data = b"\0" + key if index >= HARDENED else PrivateKey(key).public_key.format()
        part = hmac.digest(code, data + index.to_bytes(4, "big"), "sha512")
        number = (int.from_bytes(part[:32], "big") + int.from_bytes(key, "big")) % ORDER
        part = number.to_bytes(32, "big") + part[32:]
    return part[:32]


def text(key, version=0xEF):
    """A key as nodes of test networks read it (WIF), for a compressed public key."""
    data = bytes([version]) + key + b"\1"
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = DIGITS[digit] + digits
    return digits


def deposit_key(words, index):
    """The key of a deposit address on a test network, as nodes read it."""
    return text(secret(words, [84 + HARDENED, 1 + HARDENED, HARDENED, 0, index]))
