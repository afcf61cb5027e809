// Reads what EVM nodes answer: total and bounded, nil for whatever is not what it should be.

internal import Addresses
internal import EVM
public import JSON
internal import Terms

extension JSONValue {
    /// 32 bytes behind `0x`, as digits.
    private var hashDigits: Substring? {
        guard let text, text.utf8.count == 66, text.hasPrefix("0x") else { return nil }
        return text.dropFirst(2)
    }

    var evmBlockID: BlockID? { hashDigits.flatMap { BlockID(hex: $0) } }

    var evmTransactionID: TransactionID? { hashDigits.flatMap { TransactionID(hex: $0) } }

    var evmAddress: EVMAddress? { evmData(count: 20).flatMap { EVMAddress(bytes: $0) } }

    var evmWord: EVMWord? { text.flatMap { try? EVMHex.quantity($0) } }

    var evmUInt64: UInt64? { text.flatMap { try? EVMHex.uint64($0) } }

    /// A block's height.
    var evmHeight: UInt64? { evmUInt64.flatMap { $0 <= Limits.blockMax ? $0 : nil } }

    func evmData(count: Int) -> [UInt8]? { text.flatMap { try? EVMHex.data($0, count: count) } }

    func evmData(countMax: Int) -> [UInt8]? {
        text.flatMap { try? EVMHex.data($0, countMax: countMax) }
    }
}

extension EVMBlock {
    /// Reads a block with its transactions, as `eth_getBlockByHash` gives it; nil for anything
    /// else.
    public init?(answer json: JSONValue) {
        guard let id = json["hash"]?.evmBlockID, let height = json["number"]?.evmHeight,
            let parent = json["parentHash"]?.evmBlockID,
            let transactions = json["transactions"]?.rows(EVMBlockTransaction.init(answer:)),
            Set(transactions.map(\.id)).count == transactions.count
        else { return nil }
        self.init(id: id, height: height, parent: parent, transactions: transactions)
    }
}

extension EVMBlockTransaction {
    /// Reads a transaction of a block; nil for anything else.
    init?(answer json: JSONValue) {
        guard let id = json["hash"]?.evmTransactionID, let sender = json["from"]?.evmAddress,
            let value = json["value"]?.evmWord, let to = json["to"], let input = json["input"]?.text
        else { return nil }
        let destination = to.evmAddress
        guard destination != nil || to == .null else { return nil }
        // Of other calls, which may be long, nothing is looked at.
        let transfer = (try? EVMHex.data(input, count: 68))
            .flatMap { try? TokenTransfer(decoding: $0) }
        self.init(
            id: id, sender: sender, destination: destination, value: value, tokenTransfer: transfer)
    }
}

extension SignedEVMTransaction {
    /// Reads a transaction with its signature; nil for anything else.
    init?(answer json: JSONValue, chainID: UInt64) {
        guard let nonce = json["nonce"]?.evmUInt64, let gas = json["gas"]?.evmUInt64,
            let to = json["to"]?.evmAddress, let value = json["value"]?.evmWord,
            let data = json["input"]?.evmData(countMax: EVMTransaction.dataBytesMax),
            let r = json["r"]?.evmWord, let s = json["s"]?.evmWord, let v = json["v"]?.evmUInt64
        else { return nil }
        let (fee, parity): (EVMFee, UInt64)
        switch json["type"]?.evmUInt64 ?? 0 {
        case 0:
            // EIP-155.
            guard let price = json["gasPrice"]?.evmUInt64, chainID <= EVMTransaction.chainIDMax,
                v >= 35 + 2 * chainID
            else { return nil }
            (fee, parity) = (.legacy(gasPrice: price), v - 35 - 2 * chainID)
        case 2:
            guard let most = json["maxFeePerGas"]?.evmUInt64,
                let priority = json["maxPriorityFeePerGas"]?.evmUInt64
            else { return nil }
            (fee, parity) = (
                .dynamic(most: most, priority: priority), json["yParity"]?.evmUInt64 ?? v
            )
        default: return nil
        }
        guard
            let transaction = try? EVMTransaction(
                chainID: chainID, nonce: nonce, fee: fee, gasLimit: gas, destination: to,
                value: value, data: data),
            let signed = SignedEVMTransaction(transaction, r: r, s: s, parity: parity)
        else { return nil }
        self = signed
    }
}

extension EVMReceipt {
    /// Reads a receipt, as `eth_getTransactionReceipt` gives it; nil for anything else.
    public init?(answer json: JSONValue) {
        guard let transaction = json["transactionHash"]?.evmTransactionID,
            let block = json["blockHash"]?.evmBlockID,
            // Receipts from before Byzantium have none; nobody reads blocks that old.
            let status = json["status"]?.evmUInt64, status <= 1,
            let gas = json["gasUsed"]?.evmUInt64, let price = json["effectiveGasPrice"]?.evmUInt64,
            let logs = json["logs"]?.rows(TransferLog.reading)
        else { return nil }
        var transfers: [EVMLoggedTransfer] = []
        for (index, log) in logs.enumerated() {
            guard case .transfer(let transfer) = log, let index = UInt32(exactly: index) else {
                continue
            }
            transfers.append(EVMLoggedTransfer(index: index, log: transfer))
        }
        self.init(
            transaction: transaction, block: block, isSuccess: status == 1,
            gasCost: EVMWord(UInt128(gas) * UInt128(price)), transfers: transfers)
    }
}

extension EVMTransferNotice {
    /// Reads a log, as `eth_getLogs` gives them.
    enum Reading {
        case notice(EVMTransferNotice, BlockID)
        /// It is a log of something else, or was taken back with its block.
        case other
    }

    /// Nil where it is no log.
    static func reading(_ json: JSONValue) -> Reading? {
        guard let transaction = json["transactionHash"]?.evmTransactionID,
            let block = json["blockHash"]?.evmBlockID, let log = TransferLog.reading(json)
        else { return nil }
        guard case .transfer(let transfer) = log, json["removed"]?.flag != true else {
            return .other
        }
        return .notice(EVMTransferNotice(transaction: transaction, log: transfer), block)
    }
}

extension TransferLog {
    /// A log: a transfer, or something else.
    enum Reading {
        case transfer(TransferLog)
        case other
    }

    /// Nil where it is no log. A log has at most four topics.
    static func reading(_ json: JSONValue) -> Reading? {
        guard let token = json["address"]?.evmAddress,
            let topics = json["topics"]?.rows({ $0.evmData(count: 32) }), topics.count <= 4,
            let text = json["data"]?.text
        else { return nil }
        guard let data = try? EVMHex.data(text, count: 32),
            let transfer = try? TransferLog(token: token, topics: topics, data: data)
        else { return .other }
        return .transfer(transfer)
    }
}
