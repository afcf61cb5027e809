"""What a thief does who has the words of a wallet, and a signer that checks nothing: for what a
checker has to see."""
import json

from proxies import SignerProxy, line
from wallet_keys import HARDENED, secret, text

ACCOUNT = [84 + HARDENED, 1 + HARDENED, HARDENED]


class Thief:
    """Has the wallet's keys, and signs whatever spends its coins."""

    def __init__(self, node, words, count=8):
        self.node = node
        self.keys = [text(secret(words, [*ACCOUNT, branch, index]))
                     for branch in (0, 1) for index in range(count)]

    def sign(self, transaction):
        """The signed bytes of a transaction, as hex."""
        done = self.node.call("signrawtransactionwithkey", transaction, self.keys)
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
        with client:
            asked = json.loads(line(client))
            signed = self.thief.sign(asked["transaction"])
            txid = self.thief.node.call("decoderawtransaction", signed)["txid"]
            answer = {key: asked[key] for key in ("network", "asset", "withdrawals", "replaces")}
            answer |= {"transaction": txid, "bytes": signed}
            client.sendall(json.dumps({"signed": answer}).encode() + b"\n")
