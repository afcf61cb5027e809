"""A real Litecoin node on a regtest chain of its own, and what its chain itself says."""
import base64
import json
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from exchange import ROOT, free_port

LITECOIN = ROOT / ".build" / "litecoin"
READY_SECONDS_MAX = 120
COIN = 100_000_000


class NodeFault(Exception):
    """The node did not do what a test needs."""


class LitecoinNode:
    """One node; its wallet mines and pays. `end` it."""

    def __init__(self, folder, *options):
        self.options = options
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = None
        self.start()
        self.call("createwallet", "miner")
        self.home = self.call("getnewaddress")
        self.mine(101)

    @property
    def cookie(self):
        return self.folder / "regtest" / ".cookie"

    @property
    def setting(self):
        """How walletd reaches it, as [walletd] nodes says it."""
        return f"litecoin-regtest=http://127.0.0.1:{self.port},{self.cookie}"

    def start(self):
        library = LITECOIN / "usr/lib/x86_64-linux-gnu"
        program = LITECOIN / "usr/lib/litecoin/litecoind"
        if not program.exists():
            raise NodeFault("litecoind is missing: `make prerequisites-test` unpacks it")
        # The loader of its own root; and it ends with this process.
        self.process = subprocess.Popen(
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", str(library / "ld-linux-x86-64.so.2"),
             "--library-path", str(library), str(program), "-regtest", f"-datadir={self.folder}",
             f"-rpcport={self.port}", "-listen=0", "-fallbackfee=0.0001", "-printtoconsole=0",
             # MWEB would be active from block 432 on, and the miner of regtest cannot begin it.
             # To make the 1,000 keys of the default takes two seconds.
             "-keypool=5", "-wallet=miner", "-vbparams=mweb:4000000000:4000000001", *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            try:
                return self.call("getblockcount")
            except (NodeFault, OSError):
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def flush(self):
        """Writes its chain to its disk."""
        self.call("gettxoutsetinfo")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def call(self, method, *parameters):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/",
            json.dumps({"id": 1, "method": method, "params": parameters}).encode())
        login = base64.b64encode(self.cookie.read_bytes()).decode()
        request.add_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.loads(response.read(), parse_float=str)["result"]
        except urllib.error.HTTPError as error:
            raise NodeFault(f"{method}: {error.read().decode()}") from None

    def mine(self, count=1):
        # To a new address each time: a block like one that was invalidated is not taken.
        return self.call("generatetoaddress", count, self.call("getnewaddress"))

    def elsewhere(self):
        """A new address that is not the node's own, so that its wallet does not broadcast again
        what pays it."""
        key = secrets.token_bytes(32).hex()
        # BIP340's key of an address is its program: any 32 bytes below the field's size will do.
        descriptor = self.call("getdescriptorinfo", f"raw(5120{key})")["descriptor"]
        (address,) = self.call("deriveaddresses", descriptor)
        return address

    def pay(self, address, units):
        """Pays base units; returns the transaction's id."""
        return self.call("sendtoaddress", address, f"{units // COIN}.{units % COIN:08}")

    def refusal(self, method, *parameters):
        """Why the node refuses a call; fails where it does not."""
        try:
            self.call(method, *parameters)
        except NodeFault as fault:
            return str(fault)
        raise AssertionError(f"{method} was taken")

    def fee(self, txid):
        """What a transaction on the chain gives to the miner, in base units."""
        return self.amounts(txid, "in") - self.amounts(txid, "out")

    def amounts(self, txid, side):
        """The sum of a transaction's inputs or outputs, in base units."""
        transaction = self.transaction(txid)
        if side == "out":
            outputs = transaction["vout"]
        else:
            outputs = [self.transaction(one["txid"])["vout"][one["vout"]]
                       for one in transaction["vin"]]
        return sum(round(float(output["value"]) * COIN) for output in outputs)

    def transaction(self, txid):
        """A transaction of the chain, decoded; it reads blocks until it finds it."""
        for height in range(self.height, 0, -1):
            block = self.call("getblock", self.call("getblockhash", height), 2)
            for transaction in block["tx"]:
                if transaction["txid"] == txid:
                    return transaction
        raise NodeFault(f"{txid} is not on the chain")

    @property
    def height(self):
        return self.call("getblockcount")

    def paid(self, addresses, confirmations=1):
        """What the chain has for these addresses, by address: lists of (transaction, output, base
        units), each with that many confirmations at least. It reads every block."""
        found = {address: [] for address in addresses}
        scripts = {self.call("validateaddress", one)["scriptPubKey"]: one for one in addresses}
        for height in range(1, self.height - confirmations + 2):
            block = self.call("getblock", self.call("getblockhash", height), 2)
            for transaction in block["tx"]:
                for output in transaction["vout"]:
                    address = scripts.get(output["scriptPubKey"]["hex"])
                    if address:
                        units = round(float(output["value"]) * COIN)
                        found[address].append((transaction["txid"], output["n"], units))
        return found
