"""The keys of a wallet's words, and a signer that checks nothing: for what a thief would do, so that
a checker can be shown to see it. BIP39, BIP32 and BIP84, in Python alone; the node signs."""
import hashlib
import hmac
import json

from proxies import SignerProxy

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
HARDENED = 0x8000_0000
# The prefix of private keys of test networks.
WIF_TEST = 0xEF


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def public(secret):
    """The compressed public key."""
    sum_, power = None, G
    while secret:
        if secret & 1:
            sum_ = add(sum_, power)
        power, secret = add(power, power), secret >> 1
    return bytes([2 + (sum_[1] & 1)]) + sum_[0].to_bytes(32, "big")


def child(secret, code, index):
    data = (b"\0" + secret.to_bytes(32, "big") if index & HARDENED else public(secret))
    made = hmac.new(code, data + index.to_bytes(4, "big"), hashlib.sha512).digest()
    return (int.from_bytes(made[:32], "big") + secret) % N, made[32:]


class SeedKeys:
    """The account m/84'/1'/0' of words: of Litecoin's regtest, as of Bitcoin's."""

    def __init__(self, words):
        seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
        master = hmac.new(b"Bitcoin seed", seed, hashlib.sha512).digest()
        account = int.from_bytes(master[:32], "big"), master[32:]
        for index in (84, 1, 0):
            account = child(*account, index | HARDENED)
        self.branches = [child(*account, branch) for branch in (0, 1)]

    def wif(self, branch, index):
        """A key as a node takes it."""
        secret, _ = child(*self.branches[branch], index)
        raw = bytes([WIF_TEST]) + secret.to_bytes(32, "big") + b"\1"
        raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
        number, text = int.from_bytes(raw, "big"), ""
        while number:
            number, digit = divmod(number, 58)
            text = ALPHABET[digit] + text
        return text


class Thief:
    """Has the wallet's keys, and signs whatever spends its coins."""

    def __init__(self, node, words, count=8):
        keys = SeedKeys(words)
        self.node = node
        self.wifs = [keys.wif(branch, index) for branch in (0, 1) for index in range(count)]

    def sign(self, transaction):
        """The signed bytes of a transaction, as hex."""
        done = self.node.call("signrawtransactionwithkey", transaction, self.wifs)
        assert done["complete"], done
        return done["hex"]

    def steal(self, coin, amount, there, fee=20_000):
        """Spends a coin of the wallet's; gives the transaction's id."""
        whole = f"{(amount - fee) // 10**8}.{(amount - fee) % 10**8:08}"
        made = self.node.call(
            "createrawtransaction", [{"txid": coin[0], "vout": coin[1]}], [{there: whole}])
        return self.node.call("sendrawtransaction", self.sign(made))


class LooseSigner(SignerProxy):
    """At the signer's socket, and asks nobody: the planted flaw that a checker has to see."""

    def __init__(self, path, thief):
        self.thief = thief
        super().__init__(path, "")

    def _serve(self, client):
        from proxies import line
        with client:
            asked = json.loads(line(client))
            signed = self.thief.sign(asked["transaction"])
            txid = self.thief.node.call("decoderawtransaction", signed)["txid"]
            answer = {key: asked[key] for key in ("network", "asset", "withdrawals", "replaces")}
            answer |= {"transaction": txid, "bytes": signed}
            client.sendall(json.dumps({"signed": answer}).encode() + b"\n")
