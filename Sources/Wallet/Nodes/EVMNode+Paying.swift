// What a payment on an EVM chain is made with, how it is broadcast, and what became of it.

public import Addresses
public import EVM
internal import JSON
public import Terms

/// What gas cost of late, in the native coin's smallest unit.
public struct EVMGasPrices: Hashable, Sendable {
    /// What the next block takes from everybody per gas (EIP-1559).
    public var nextBaseFee: UInt64
    /// What the producers of the last blocks got beside it: the median of their medians.
    public var priorityFee: UInt64
}

/// What a node made of a transaction that it was given.
public enum EVMBroadcast: Hashable, Sendable {
    /// It passes it on.
    case taken
    /// It has it already.
    case known
    /// Another transaction with this nonce is in the chain, or this one itself.
    case nonceUsed
    /// It does not take it, in its words.
    case refused(String)
}

extension EVMNode {
    /// Blocks of which prices are looked at.
    private static var priceBlocks: Int { 20 }

    /// How many transactions an account has sent: the nonce of its next one. `isPending` counts
    /// those that wait in this node as well. `eth_getTransactionCount`.
    public func transactionCount(
        of account: EVMAddress, isPending: Bool = false
    ) throws(NodeError) -> UInt64 {
        let method = "eth_getTransactionCount"
        let account = JSONValue.string(EVMHex.text(account.bytes))
        guard
            let count = try client.call(method, account, isPending ? "pending" : "latest").evmUInt64
        else { throw .malformed(method: method, "is no number of 64 bits") }
        return count
    }

    /// How many transactions an account had sent up to a block of the node's chain.
    public func transactionCount(
        of account: EVMAddress, after block: BlockID
    ) throws(NodeError) -> UInt64 {
        let method = "eth_getTransactionCount"
        let place: JSONValue = [
            "blockHash": .string("0x" + block.hex), "requireCanonical": .bool(true),
        ]
        let account = JSONValue.string(EVMHex.text(account.bytes))
        guard let count = try client.call(method, account, place).evmUInt64 else {
            throw .malformed(method: method, "is no number of 64 bits")
        }
        return count
    }

    /// A transaction with its signature, as it was broadcast; nil: the node does not know it, or it
    /// is of a kind that the wallet does not (it makes a contract, or has an access list).
    /// `eth_getTransactionByHash`; that it is that one shows its hash.
    public func transaction(_ id: TransactionID) throws(NodeError) -> SignedEVMTransaction? {
        let json = try client.call("eth_getTransactionByHash", .string("0x" + id.hex))
        guard let signed = SignedEVMTransaction(answer: json, chainID: network.chainID),
            TransactionID(hex: signed.hash.hexText) == id
        else { return nil }
        return signed
    }

    /// What gas cost in the last blocks: `eth_feeHistory`.
    public func gasPrices() throws(NodeError) -> EVMGasPrices {
        let method = "eth_feeHistory"
        let count = EVMHex.text(EVMWord(UInt128(Self.priceBlocks)))
        let json = try client.call(method, .string(count), "latest", .array([.number(50)]))
        guard let fees = json["baseFeePerGas"]?.rows(\.evmUInt64), let next = fees.last,
            let rewards = json["reward"]?.rows({ $0.rows(\.evmUInt64)?.first }),
            rewards.count <= Self.priceBlocks
        else { throw .malformed(method: method, "lacks base fees or rewards") }
        // Of no blocks there is none: a fee of zero is taken where blocks are not full.
        let median = rewards.isEmpty ? 0 : rewards.sorted()[rewards.count / 2]
        return EVMGasPrices(nextBaseFee: next, priorityFee: median)
    }

    /// What gas a call would use now, of `most` at most; an error of the contract's is `refused`.
    /// `eth_estimateGas`.
    public func gas(
        from sender: EVMAddress, to destination: EVMAddress, value: EVMWord, data: [UInt8],
        most: UInt64
    ) throws(NodeError) -> UInt64 {
        let method = "eth_estimateGas"
        let json: JSONValue = [
            "from": .string(EVMHex.text(sender.bytes)),
            "to": .string(EVMHex.text(destination.bytes)),
            "value": .string(EVMHex.text(value)), "data": .string(EVMHex.text(data)),
            "gas": .string("0x" + String(most, radix: 16)),
        ]
        guard let gas = try client.call(method, json).evmUInt64 else {
            throw .malformed(method: method, "is no number of 64 bits")
        }
        return gas
    }

    /// Gives the node a transaction: `eth_sendRawTransaction`. The same one may be given again.
    public func broadcast(_ signed: SignedEVMTransaction) throws(NodeError) -> EVMBroadcast {
        let method = "eth_sendRawTransaction"
        do throws(NodeError) {
            let json = try client.call(method, .string(EVMHex.text(signed.bytes)))
            guard json.evmData(count: 32) == signed.hash else {
                throw NodeError.malformed(method: method, "is another transaction's hash")
            }
            return .taken
        } catch {
            guard case .refused(_, _, let message) = error else { throw error }
            // Geth's words, and those of clients that have others.
            let words = message.lowercased()
            if words.contains("already known") || words.contains("alreadyknown")
                || words.contains("already imported")
            {
                return .known
            }
            if words.contains("nonce too low") || words.contains("oldnonce") { return .nonceUsed }
            return .refused(message)
        }
    }

    /// The receipt of a transaction on the node's chain, whatever block it is in; nil: it is in
    /// none. `eth_getTransactionReceipt`.
    public func receipt(_ transaction: TransactionID) throws(NodeError) -> EVMReceipt? {
        let method = "eth_getTransactionReceipt"
        let json = try client.call(method, .string("0x" + transaction.hex))
        if json == .null { return nil }
        guard let receipt = EVMReceipt(answer: json), receipt.transaction == transaction else {
            throw .malformed(method: method, "is not of that transaction, or cannot be read")
        }
        return receipt
    }
}
