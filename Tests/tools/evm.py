#!/usr/bin/env python3
"""An EVM node for tests: a chain in memory (py-evm) behind JSON-RPC 2.0.

Its first block and its accounts are the same at each start, so that it is a network by name,
`ethereum-regtest`. Blocks appear on request only. It answers as Geth does where the wallet asks:
states and logs by a block's hash, side chains by their hashes, the codes of errors.

    .venv-test-evm/bin/python Tests/tools/evm.py [--port N] [--store FILE]

Without a port it takes a free one and prints `listening on PORT`. With a file the chain outlives
the process, whenever it is killed: its blocks are there again, what was pending is lost.

Beside Ethereum's methods:

    evm_mine(count)                 blocks, of which the first holds what is pending; their hashes
    evm_hold(flag)                  whether blocks leave out what was broadcast, as too cheap
    evm_snapshot(), evm_revert(id)  a reorganisation: blocks above the snapshot leave the chain
    test_deploy(name)               deploys contracts/NAME.vy; its address. Takes a block
    test_call(to, signature, arguments, value)    a transaction of the first account
    test_send(words, path, to, value)             one of a key of a backup's words, into a block
    test_sign(words, path, fields)                signs one with such a key, and does nothing else
    test_decode(raw)                              what a signed transaction says, and who signed it
    test_load(file)                               takes the chain of another node's file
    eth_sendTransaction             from the accounts that the node has the keys of
"""
import argparse
import json
import os
import pickle
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import vyper
from eth._utils.address import generate_contract_address
from eth.abc import BlockHeaderAPI
from eth.exceptions import HeaderNotFound, Revert, VMError
from eth_abi import encode
from eth_account import Account
from eth_tester import PyEVMBackend
from eth_utils import ValidationError, decode_hex, function_signature_to_4byte_selector
from eth_utils import to_checksum_address

CONTRACTS = Path(__file__).resolve().parent / "contracts"
CHAIN_ID = 31337
GENESIS_SECONDS = 1_700_000_000
GAS_MAX = 5_000_000
CALL_GAS_MAX = 30_000_000
BODY_BYTES_MAX = 4 << 20


class RPCError(Exception):
    """An error of a method: its code, and its words."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.error = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


def quantity(number):
    return hex(number)


def data(value):
    return "0x" + bytes(value).hex()


def number(text):
    if not isinstance(text, str) or not text.startswith("0x"):
        raise RPCError(-32602, "invalid argument: no quantity")
    return int(text, 16)


class Chain:
    """The chain, and what is asked of it. One caller at a time."""

    def __init__(self, store=None):
        parameters = PyEVMBackend.generate_genesis_params({"timestamp": GENESIS_SECONDS})
        self.backend = PyEVMBackend(genesis_parameters=parameters)
        type(self.backend.chain).chain_id = CHAIN_ID
        self.keys = {key.public_key.to_canonical_address(): key
                     for key in self.backend.account_keys}
        self.first = next(iter(self.keys))
        self.snapshots = {}
        self.compiled = {}
        # What was broadcast and is in no block, by sender and nonce; it does not outlive the process.
        self.pool = {}
        self.holds = False
        self.store = store and Path(store)
        if self.store and self.store.exists():
            self.load(self.store)

    @property
    def values(self):
        """Everything that the chain keeps, by its keys."""
        return self.chain.chaindb.db.wrapped_db.kv_store

    def load(self, store):
        """Goes on with the chain of a file; what was pending is lost."""
        saved = pickle.loads(Path(store).read_bytes())
        self.values.update(saved["values"])
        self.snapshots = saved["snapshots"]
        self.backend.revert_to_snapshot(saved["head"])
        self.pool = {}

    def save(self):
        """Puts the chain into its file, whole or not at all."""
        if not self.store:
            return
        new = self.store.with_suffix(".new")
        new.write_bytes(pickle.dumps({
            "values": dict(self.values), "snapshots": self.snapshots,
            "head": self.backend.take_snapshot(),
        }))
        os.replace(new, self.store)

    @property
    def chain(self):
        return self.backend.chain

    # Blocks

    @property
    def height(self):
        """The last block: py-evm's own head is the one that is being made."""
        return self.chain.get_block().number - 1

    def header(self, place):
        """The header of a block parameter, EIP-1898."""
        if isinstance(place, dict):
            if "blockNumber" in place:
                return self.header(place["blockNumber"])
            try:
                header = self.chain.get_block_header_by_hash(decode_hex(place["blockHash"]))
            except HeaderNotFound:
                raise RPCError(-32000, "header for hash not found") from None
            if place.get("requireCanonical") and not self.is_canonical(header):
                raise RPCError(-32000, "hash is not currently canonical")
            return header
        if place in ("latest", "safe", "finalized", "pending", None):
            return self.chain.get_canonical_block_header_by_number(self.height)
        height = 0 if place == "earliest" else number(place)
        if height > self.height:
            raise RPCError(-32000, "header not found")
        return self.chain.get_canonical_block_header_by_number(height)

    def is_canonical(self, header: BlockHeaderAPI):
        if header.block_number > self.height:
            return False
        return self.chain.get_canonical_block_hash(header.block_number) == header.hash

    def state(self, place):
        return self.chain.get_vm(at_header=self.header(place)).state

    def block_json(self, header, is_full):
        block = self.chain.get_block_by_header(header)
        transactions = [self.transaction_json(block, index) if is_full else data(one.hash)
                        for index, one in enumerate(block.transactions)]
        return {
            "number": quantity(header.block_number), "hash": data(header.hash),
            "parentHash": data(header.parent_hash), "timestamp": quantity(header.timestamp),
            "stateRoot": data(header.state_root), "miner": data(header.coinbase),
            "baseFeePerGas": quantity(header.base_fee_per_gas),
            "gasUsed": quantity(header.gas_used), "gasLimit": quantity(header.gas_limit),
            "transactions": transactions, "uncles": [],
        }

    def transaction_json(self, block, index):
        transaction = block.transactions[index]
        kind = getattr(transaction, "type_id", None) or 0
        return {
            "hash": data(transaction.hash), "blockHash": data(block.hash),
            "blockNumber": quantity(block.number), "transactionIndex": quantity(index),
            "type": quantity(kind), "nonce": quantity(transaction.nonce),
            "from": data(transaction.sender),
            "to": data(transaction.to) if transaction.to else None,
            "value": quantity(transaction.value), "gas": quantity(transaction.gas),
            "gasPrice": quantity(self.price(block.header, transaction)),
            "input": data(transaction.data),
        } | self.signature_json(transaction, kind)

    @staticmethod
    def signature_json(transaction, kind):
        parts = {"r": quantity(transaction.r), "s": quantity(transaction.s)}
        if kind == 0:
            return parts | {"v": quantity(transaction.v)}
        return parts | {
            "v": quantity(transaction.y_parity), "yParity": quantity(transaction.y_parity),
            "maxFeePerGas": quantity(transaction.max_fee_per_gas),
            "maxPriorityFeePerGas": quantity(transaction.max_priority_fee_per_gas),
        }

    @staticmethod
    def price(header, transaction):
        if getattr(transaction, "type_id", None) != 2:
            return transaction.gas_price
        base = header.base_fee_per_gas
        return base + min(transaction.max_priority_fee_per_gas,
                          transaction.max_fee_per_gas - base)

    def receipts(self, block):
        """The receipts of a block's transactions, with logs numbered over the block."""
        rows, before, logs = [], 0, 0
        for index, receipt in enumerate(block.get_receipts(self.chain.chaindb)):
            transaction = block.transactions[index]
            place = {
                "transactionHash": data(transaction.hash), "transactionIndex": quantity(index),
                "blockHash": data(block.hash), "blockNumber": quantity(block.number),
            }
            entries = []
            for log in receipt.logs:
                topics = [data(topic.to_bytes(32, "big")) for topic in log.topics]
                entries.append(place | {
                    "address": data(log.address), "topics": topics, "data": data(log.data),
                    "logIndex": quantity(logs), "removed": False,
                })
                logs += 1
            rows.append(place | {
                "from": data(transaction.sender),
                "to": data(transaction.to) if transaction.to else None,
                "status": quantity(int.from_bytes(receipt.state_root, "big")),
                "gasUsed": quantity(receipt.gas_used - before),
                "cumulativeGasUsed": quantity(receipt.gas_used),
                "effectiveGasPrice": quantity(self.price(block.header, transaction)),
                "logs": entries,
            })
            before = receipt.gas_used
        return rows

    def find(self, transaction):
        """The block of a transaction on the chain, and its place there."""
        for height in range(self.height, 0, -1):
            block = self.chain.get_canonical_block_by_number(height)
            for index, one in enumerate(block.transactions):
                if one.hash == transaction:
                    return block, index
        return None, None

    # Ethereum's methods

    def eth_chainId(self):
        return quantity(CHAIN_ID)

    def eth_syncing(self):
        return False

    def eth_blockNumber(self):
        return quantity(self.height)

    def eth_getBlockByNumber(self, place, is_full=False):
        try:
            return self.block_json(self.header(place), is_full)
        except RPCError as error:
            if error.error["code"] == -32000:
                return None
            raise

    def eth_getBlockByHash(self, block, is_full=False):
        try:
            return self.block_json(self.header({"blockHash": block}), is_full)
        except RPCError:
            return None

    def eth_getTransactionByHash(self, transaction):
        block, index = self.find(decode_hex(transaction))
        return None if block is None else self.transaction_json(block, index)

    def eth_getTransactionReceipt(self, transaction):
        block, index = self.find(decode_hex(transaction))
        return None if block is None else self.receipts(block)[index]

    def eth_getBlockReceipts(self, place):
        place = {"blockHash": place} if isinstance(place, str) and len(place) == 66 else place
        return self.receipts(self.chain.get_block_by_header(self.header(place)))

    def eth_getLogs(self, wanted):
        if "blockHash" in wanted:
            headers = [self.header({"blockHash": wanted["blockHash"]})]
        else:
            first = self.header(wanted.get("fromBlock")).block_number
            last = self.header(wanted.get("toBlock")).block_number
            headers = [self.header(quantity(height)) for height in range(first, last + 1)]
        addresses = wanted.get("address", [])
        addresses = {one.lower() for one in
                     ([addresses] if isinstance(addresses, str) else addresses)}
        topics = [None if one is None else [one] if isinstance(one, str) else one
                  for one in wanted.get("topics", [])]

        def fits(log):
            if addresses and log["address"] not in addresses:
                return False
            return len(topics) <= len(log["topics"]) and all(
                wish is None or topic in wish for wish, topic in zip(topics, log["topics"]))

        return [log for header in headers
                for receipt in self.receipts(self.chain.get_block_by_header(header))
                for log in receipt["logs"] if fits(log)]

    def eth_getBalance(self, address, place="latest"):
        return quantity(self.state(place).get_balance(decode_hex(address)))

    def eth_getCode(self, address, place="latest"):
        return data(self.state(place).get_code(decode_hex(address)))

    def eth_getTransactionCount(self, address, place="latest"):
        if place == "pending":
            sender = decode_hex(address)
            nonce = self.chain.get_vm().state.get_nonce(sender)
            while (sender, nonce) in self.pool:
                nonce += 1
            return quantity(nonce)
        return quantity(self.state(place).get_nonce(decode_hex(address)))

    def eth_call(self, call, place="latest"):
        vm = self.chain.get_vm(at_header=self.header(place))
        receiver = decode_hex(call["to"])
        sender = decode_hex(call.get("from", "0x" + "00" * 20))
        result = vm.execute_bytecode(
            origin=sender, gas_price=0, gas=number(call.get("gas", hex(CALL_GAS_MAX))),
            to=receiver, sender=sender, value=number(call.get("value", "0x0")),
            data=decode_hex(call.get("data", call.get("input", "0x"))),
            code=vm.state.get_code(receiver))
        if result.is_error:
            if isinstance(result.error, Revert):
                raise RPCError(3, "execution reverted", data(result.output))
            raise RPCError(-32000, str(result.error) or type(result.error).__name__)
        return data(result.output)

    def eth_gasPrice(self):
        return quantity(self.chain.get_block().header.base_fee_per_gas + 10 ** 9)

    def eth_maxPriorityFeePerGas(self):
        return quantity(10 ** 9)

    def eth_feeHistory(self, count, place="latest", percentiles=()):
        count = count if isinstance(count, int) else number(count)
        last = self.header(place).block_number
        heights = range(max(0, last - count + 1), last + 1)
        headers = [self.header(quantity(height)) for height in heights]
        if last == self.height:
            following = self.chain.get_block().header.base_fee_per_gas
        else:
            following = self.header(quantity(last + 1)).base_fee_per_gas
        return {
            "oldestBlock": quantity(heights[0]),
            "baseFeePerGas": [quantity(one.base_fee_per_gas) for one in headers]
                             + [quantity(following)],
            "gasUsedRatio": [one.gas_used / one.gas_limit for one in headers],
            "reward": [[quantity(10 ** 9)] * len(percentiles or ()) for _ in headers],
        }

    def eth_estimateGas(self, call, place="latest"):
        vm = self.chain.get_vm(at_header=self.header(place))
        receiver, sender = decode_hex(call["to"]), decode_hex(call.get("from", "0x" + "00" * 20))
        code, value = vm.state.get_code(receiver), number(call.get("value", "0x0"))
        payload = decode_hex(call.get("data", "0x"))
        if value > vm.state.get_balance(sender):
            raise RPCError(-32000, "insufficient funds for transfer")
        words = 21_000 + sum(16 if byte else 4 for byte in payload)
        if not code:
            return quantity(words)
        result = vm.execute_bytecode(
            origin=sender, gas_price=0, gas=CALL_GAS_MAX, to=receiver, sender=sender, value=value,
            data=payload, code=code)
        if result.is_error:
            raise RPCError(3, "execution reverted", data(result.output))
        # What a call leaves of its gas counts, and a sixty-fourth that it may not pass on.
        return quantity(words + (CALL_GAS_MAX - result.get_gas_remaining()) * 65 // 64)

    def eth_accounts(self):
        return [data(one) for one in self.keys]

    def eth_sendRawTransaction(self, raw):
        raw = decode_hex(raw)
        wanted = self.chain.get_vm().get_transaction_builder().decode(raw)
        if any(one.hash == wanted.hash for one in [
                *self.chain.get_block().transactions, *self.pool.values()]):
            raise RPCError(-32000, "already known")
        following = self.state("latest").get_nonce(wanted.sender)
        if wanted.nonce < following:
            raise RPCError(-32000, f"nonce too low: next nonce {following},"
                                   f" tx nonce {wanted.nonce}")
        cost = wanted.gas * wanted.max_fee_per_gas + wanted.value
        if cost > self.state("latest").get_balance(wanted.sender):
            raise RPCError(-32000, "insufficient funds for gas * price + value")
        other = self.pool.get((wanted.sender, wanted.nonce))
        if other and 10 * wanted.max_fee_per_gas < 11 * other.max_fee_per_gas:
            raise RPCError(-32000, "replacement transaction underpriced")
        self.pool[wanted.sender, wanted.nonce] = wanted
        return data(wanted.hash)

    def fill(self):
        """Puts into the block that is being made what it takes of the pool."""
        for key in sorted(self.pool, key=lambda key: key[1]):
            wanted = self.pool[key]
            if wanted.nonce < self.chain.get_vm().state.get_nonce(wanted.sender):
                del self.pool[key]
                continue
            try:
                self.backend.send_raw_transaction(wanted.encode())
            except (ValidationError, VMError):
                continue
            del self.pool[key]

    def eth_sendTransaction(self, wanted):
        sender = decode_hex(wanted.get("from", data(self.first)))
        if sender not in self.keys:
            raise RPCError(-32000, "unknown account")
        fields = {
            "chainId": CHAIN_ID, "type": 2,
            "nonce": self.chain.get_vm().state.get_nonce(sender),
            "gas": number(wanted.get("gas", hex(GAS_MAX))),
            "value": number(wanted.get("value", "0x0")),
            "data": wanted.get("data", wanted.get("input", "0x")),
            "maxFeePerGas": 10 * 10 ** 9, "maxPriorityFeePerGas": 10 ** 9,
        }
        if wanted.get("to"):
            fields["to"] = to_checksum_address(wanted["to"])
        signed = Account.sign_transaction(fields, self.keys[sender].to_bytes())
        return data(self.backend.send_raw_transaction(signed.raw_transaction))

    # What tests do

    def evm_mine(self, count=1):
        count = count if isinstance(count, int) else number(count)
        if not self.holds:
            self.fill()
        # Each with random bytes: a block that left the chain does not come back by itself.
        mined = [data(one) for one in self.backend.mine_blocks(count)]
        self.save()
        return mined

    def evm_hold(self, flag):
        self.holds = flag

    def evm_snapshot(self):
        name = quantity(len(self.snapshots) + 1)
        self.snapshots[name] = self.backend.take_snapshot()
        self.save()
        return name

    def evm_revert(self, name):
        if name not in self.snapshots:
            return False
        self.backend.revert_to_snapshot(self.snapshots[name])
        self.save()
        return True

    def test_load(self, store):
        self.load(store)
        self.save()

    def test_deploy(self, name):
        if name not in self.compiled:
            source = (CONTRACTS / f"{Path(name).name}.vy").read_text()
            self.compiled[name] = vyper.compile_code(source, output_formats=["bytecode"])
        made = self.eth_sendTransaction({"data": self.compiled[name]["bytecode"]})
        self.evm_mine()
        block, index = self.find(decode_hex(made))
        if self.receipts(block)[index]["status"] != "0x1":
            raise RPCError(-32000, f"{name} was not deployed")
        transaction = block.transactions[index]
        return data(generate_contract_address(transaction.sender, transaction.nonce))

    def test_call(self, contract, signature, arguments=(), value="0x0"):
        kinds = [one for one in signature[signature.index("(") + 1:-1].split(",") if one]
        words = [number(one) if kind.startswith("uint") else one
                 for kind, one in zip(kinds, arguments, strict=True)]
        call = function_signature_to_4byte_selector(signature) + encode(kinds, words)
        return self.eth_sendTransaction({"to": contract, "data": data(call), "value": value})

    @staticmethod
    def account(words, path):
        Account.enable_unaudited_hdwallet_features()
        return Account.from_mnemonic(words, account_path=path)

    def test_send(self, words, path, to, value):
        account = self.account(words, path)
        signed = account.sign_transaction({
            "chainId": CHAIN_ID, "type": 2, "gas": 21_000, "value": number(value),
            "nonce": self.chain.get_vm().state.get_nonce(decode_hex(account.address)),
            "to": to_checksum_address(to), "maxFeePerGas": 10 * 10 ** 9,
            "maxPriorityFeePerGas": 10 ** 9,
        })
        return data(self.backend.send_raw_transaction(signed.raw_transaction))

    def test_sign(self, words, path, fields):
        kind = {"type": 2} if "maxFeePerGas" in fields else {}
        signed = self.account(words, path).sign_transaction(
            kind | fields | {"to": to_checksum_address(fields["to"])})
        return data(signed.raw_transaction)

    def test_decode(self, raw):
        wanted = self.chain.get_vm().get_transaction_builder().decode(decode_hex(raw))
        kind = getattr(wanted, "type_id", None) or 0
        return {
            "hash": data(wanted.hash), "type": quantity(kind), "from": data(wanted.sender),
            "chainId": quantity(getattr(wanted, "chain_id", None) or 0),
            "nonce": quantity(wanted.nonce), "gas": quantity(wanted.gas),
            "to": data(wanted.to) if wanted.to else None, "value": quantity(wanted.value),
            "input": data(wanted.data),
            "maxFeePerGas": quantity(wanted.max_fee_per_gas if kind == 2 else wanted.gas_price),
            "accessList": len(wanted.access_list) if kind else 0,
        }

    # Requests

    def answer(self, request):
        """The response to one request."""
        head = {"jsonrpc": "2.0", "id": request.get("id") if isinstance(request, dict) else None}
        try:
            method = request["method"]
            if not method.startswith(("eth_", "evm_", "test_")) or not hasattr(self, method):
                raise RPCError(-32601, f"the method {method} does not exist/is not available")
            return head | {"result": getattr(self, method)(*request.get("params", []))}
        except RPCError as error:
            return head | {"error": error.error}
        except (ValidationError, VMError) as error:
            return head | {"error": {"code": -32000, "message": str(error)}}
        except Exception as error:  # a test's request may be anything
            message = f"{type(error).__name__}: {error}"
            return head | {"error": {"code": -32602, "message": message}}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, store):
        super().__init__(("127.0.0.1", port), Handler)
        self.chain = Chain(store)
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        count = min(int(self.headers.get("content-length") or 0), BODY_BYTES_MAX)
        try:
            request = json.loads(self.rfile.read(count))
        except ValueError:
            error = {"code": -32700, "message": "parse error"}
            return self.reply({"jsonrpc": "2.0", "id": None, "error": error})
        with self.server.lock:
            if isinstance(request, list):
                self.reply([self.server.chain.answer(one) for one in request])
            else:
                self.reply(self.server.chain.answer(request))

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description="An EVM node for tests.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: any free one")
    parser.add_argument("--store", help="the file of the chain")
    options = parser.parse_args()
    port = options.port
    server = Server(port, options.store)
    if not port:
        print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
