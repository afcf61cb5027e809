"""Devices of cold storage, by embit: keys that no program of the exchange knows, their descriptor,
and what they sign."""
from embit import bip32, descriptor, networks, psbt

REGTEST = dict(networks.NETWORKS["regtest"], bech32="rltc", p2sh=b"\x3a")
PATH = "m/48h/1h/0h/2h"


class ColdDevices:
    """`threshold` of `count` devices; without a threshold one device of one key."""

    def __init__(self, threshold=None, count=1, first=0):
        self.roots = [
            bip32.HDKey.from_seed(bytes([70 + first + index]) * 32, version=REGTEST["xprv"])
            for index in range(count)]
        keys = ",".join(self.key(root) for root in self.roots)
        body = f"wsh(sortedmulti({threshold},{keys}))" if threshold else f"wpkh({keys})"
        self.parsed = descriptor.Descriptor.from_string(body)
        self.descriptor = body

    @staticmethod
    def key(root):
        public = root.derive(PATH).to_public().to_base58()
        return f"[{root.my_fingerprint.hex()}{PATH[1:]}]{public}/0/*"

    def address(self, index):
        return self.parsed.derive(index).address(REGTEST)

    def sign(self, source, target, device=0):
        """One device signs a file, and writes another."""
        read = psbt.PSBT.parse(source.read_bytes())
        count = read.sign_with(self.roots[device])
        assert count == len(read.inputs), f"{count} of {len(read.inputs)} inputs"
        target.write_bytes(read.serialize())
        return target
