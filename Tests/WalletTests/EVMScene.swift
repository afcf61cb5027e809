// A block of an EVM chain in memory, and what a node says around it.

import Addresses
import Deposits
public import EVM
import Keys
import Nodes
import Terms
import Testing

/// One block that is put together, with the balances before and after it.
struct EVMScene: EVMChainNode {
    static let parent = BlockID(high: 9, low: 1)
    static let id = BlockID(high: 9, low: 2)
    static let accounts = [AccountID(5), AccountID(6), AccountID(7)]

    var watch: EVMWatch
    var transactions: [EVMBlockTransaction] = []
    var receipts: [TransactionID: EVMReceipt] = [:]
    var balances: [EVMHolding: EVMBalances] = [:]
    /// A node that gives other answers.
    var isOtherBlock = false

    /// Three customers with an address each, and two tokens.
    init() throws {
        var addresses = try EVMDepositAddresses(try evmAccountKey())
        try addresses.update(Self.accounts)
        watch = EVMWatch(addresses: addresses, tokens: [Self.token(1), Self.token(2)])
    }

    static func token(_ number: UInt8) -> EVMAddress { address(0x70, number) }
    static func stranger(_ number: UInt8 = 1) -> EVMAddress { address(0x51, number) }

    private static func address(_ kind: UInt8, _ number: UInt8) -> EVMAddress {
        EVMAddress(bytes: [kind] + [UInt8](repeating: number, count: 19))!
    }

    /// The address of a customer, from 1.
    func customer(_ index: UInt32) -> EVMAddress {
        guard let address = try? watch.addresses.address(index) else {
            preconditionFailure("an address of each index")
        }
        return address
    }

    /// A transaction with its receipt; gives its id.
    @discardableResult
    mutating func add(
        from sender: EVMAddress = stranger(), to destination: EVMAddress?, _ value: EVMWord = .zero,
        call: TokenTransfer? = nil, isSuccess: Bool = true, gas: UInt128 = 21,
        logs: [TransferLog] = [], at place: Int = 0
    ) -> TransactionID {
        let id = TransactionID(high: 3, low: UInt128(transactions.count + 1))
        transactions.append(
            EVMBlockTransaction(
                id: id, sender: sender, destination: destination, value: value,
                tokenTransfer: call))
        let transfers = logs.enumerated().map {
            EVMLoggedTransfer(index: UInt32($0.offset + place), log: $0.element)
        }
        receipts[id] = EVMReceipt(
            transaction: id, block: Self.id, isSuccess: isSuccess, gasCost: EVMWord(gas),
            transfers: transfers)
        return id
    }

    mutating func balance(
        _ holder: EVMAddress, _ coin: EVMCoin, _ before: EVMWord?, _ after: EVMWord?
    ) {
        balances[EVMHolding(holder, coin)] = EVMBalances(before: before, after: after)
    }

    mutating func balance(_ holder: EVMAddress, _ before: EVMWord?, _ after: EVMWord?) {
        balance(holder, .native, before, after)
    }

    func read(also: Set<EVMHolding> = []) throws(NodeError) -> EVMFindings {
        try EVMBlockReader.read(Self.id, self, watch, also: also)
    }

    // MARK: The node

    func tip() -> ChainTip { ChainTip(height: 7, block: Self.id) }
    func block(at height: UInt64) -> BlockID? { height == 7 ? Self.id : nil }

    func block(_ id: BlockID) -> EVMBlock {
        EVMBlock(id: id, height: 7, parent: Self.parent, transactions: transactions)
    }

    func transfers(in block: BlockID, of tokens: [EVMAddress]) -> [EVMTransferNotice] {
        var found = transactions.flatMap { transaction in
            receipts[transaction.id]!.transfers.filter { tokens.contains($0.log.token) }
                .map { EVMTransferNotice(transaction: transaction.id, log: $0.log) }
        }
        if isOtherBlock, !found.isEmpty { found[0].transaction = TransactionID(high: 8, low: 8) }
        return found
    }

    func receipt(
        _ transaction: TransactionID, in block: BlockID
    ) throws(NodeError) -> EVMReceipt {
        guard let receipt = receipts[transaction] else {
            throw .malformed(method: "eth_getTransactionReceipt", "is of another block")
        }
        return receipt
    }

    func balance(_ holding: EVMHolding, after block: BlockID) throws(NodeError) -> EVMWord? {
        guard let balances = balances[holding] else {
            throw .refused(method: "eth_getBalance", code: -32_000, message: "not in the scene")
        }
        return block == Self.id ? balances.after : balances.before
    }
}

/// A transfer's log; the data and topics as the chain has them.
func transferLog(
    _ token: EVMAddress, _ from: EVMAddress, _ to: EVMAddress, _ amount: EVMWord
) throws -> TransferLog {
    let zeros = [UInt8](repeating: 0, count: 12)
    return try TransferLog(
        token: token, topics: [TransferLog.topic, zeros + from.bytes, zeros + to.bytes],
        data: amount.bytes)
}

/// The key of `m/44'/60'/0'` of the phrase that test chains are started with.
func evmAccountKey() throws -> ExtendedPublicKey {
    let words = "test test test test test test test test test test test junk"
    return try ExtendedPrivateKey(seed: try Mnemonic(reading: secret(words)).seed())
        .descendant(.hardened(44), .hardened(60), .hardened(0)).publicKey
}

extension EVMWord: ExpressibleByIntegerLiteral {
    /// A number of at most 128 bits.
    public init(integerLiteral value: UInt128) { self.init(value) }
}

extension RLPItem {
    /// A number, of a literal that could be of either kind.
    static func number(_ value: Int) -> RLPItem { .number(UInt64(value)) }
}
