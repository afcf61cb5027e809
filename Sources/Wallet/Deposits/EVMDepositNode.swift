// An EVM chain as `ChainReader` sees chains: its deposits are outputs in units of the ledger.

internal import Addresses
public import EVM
public import Nodes
public import Terms

/// How a coin is counted.
public struct EVMUnits: Hashable, Sendable {
    /// Its decimals on its chain: 18 of native coin, and what a token's contract says.
    public var decimals: UInt8
    /// Its asset's decimals in the ledger. What is below its smallest unit is credited to nobody.
    public var scale: UInt8

    /// A coin's decimals.
    public init(decimals: UInt8, scale: UInt8) {
        (self.decimals, self.scale) = (decimals, scale)
    }
}

extension EVMHolding {
    /// What an output of a deposit to it has as its script: the address, and behind it the token's.
    public var script: [UInt8] {
        switch coin {
        case .native: holder.bytes
        case .token(let token): holder.bytes + token.bytes
        }
    }

    /// The holding of such a script; nil for any other bytes.
    public init?(script: [UInt8]) {
        guard let holder = EVMAddress(bytes: Array(script.prefix(20))) else { return nil }
        if script.count == 20 {
            self.init(holder, .native)
        } else {
            guard let token = EVMAddress(bytes: Array(script.dropFirst(20))) else { return nil }
            self.init(holder, .token(token))
        }
    }
}

/// What of a block cannot be explained, and where.
public struct EVMBlockAnomaly: Hashable, Sendable {
    /// The block.
    public var block: BlockID
    /// Its height.
    public var height: UInt64
    /// What it is.
    public var anomaly: EVMAnomaly
}

/// A node of an EVM chain whose blocks have deposits as outputs. One owner at a time, who keeps
/// `watch` and `units` as the log has them; what changes them has the blocks read again.
public final class EVMDepositNode<Node: EVMChainNode>: ChainNode {
    /// Maximum anomalies that are kept until they are taken.
    public static var anomaliesMax: Int { 1_000 }

    /// Whose deposits are looked for. Tokens are those of `units`.
    public var watch: EVMWatch {
        didSet { watch.tokens = Self.tokens(units) }
    }
    /// The coins that are credited, and how they are counted.
    public var units: [EVMCoin: EVMUnits] {
        didSet { watch.tokens = Self.tokens(units) }
    }
    /// Whether there is no more time for a block: it is then read on at the next call.
    public var isLate: () -> Bool = { false }
    /// What each block may have changed of customers' holdings, by height: of all blocks at that
    /// height that were read. Whoever has looked at them calls `forget`.
    public private(set) var touched: [UInt64: Set<EVMHolding>] = [:]
    /// Transactions of the account that pays in the blocks that were read, the newest last; at most
    /// `paidMax`.
    public private(set) var paid: [TransactionID] = []
    private let node: Node
    private var reader = EVMBlockReader()
    private var anomalies: [EVMBlockAnomaly] = []

    /// Maximum transactions of the account that pays that are remembered.
    public static var paidMax: Int { 256 }

    /// The deposits of a node's chain.
    public init(_ node: Node, _ watch: EVMWatch, units: [EVMCoin: EVMUnits]) {
        (self.node, self.watch, self.units) = (node, watch, units)
        self.watch.tokens = Self.tokens(units)
    }

    private static func tokens(_ units: [EVMCoin: EVMUnits]) -> Set<EVMAddress> {
        Set(
            units.keys.compactMap { coin in
                if case .token(let address) = coin { address } else { nil }
            })
    }

    /// Whose an output's script is.
    public func account(_ script: [UInt8]) -> AccountID? {
        EVMHolding(script: script).flatMap { watch.addresses.account($0.holder) }
    }

    /// What could not be explained since the last call, the oldest first; of a block that was read
    /// again it comes again.
    public func takeAnomalies() -> [EVMBlockAnomaly] {
        defer { anomalies = [] }
        return anomalies
    }

    /// Where its chain ends.
    public func tip() throws(NodeError) -> ChainTip { try node.tip() }

    /// The block at a height.
    public func block(at height: UInt64) throws(NodeError) -> BlockID? {
        try node.block(at: height)
    }

    /// A block with its deposits.
    public func block(_ id: BlockID) throws(NodeError) -> ChainBlock {
        guard let findings = try reader.read(id, node, watch, also: looked, isLate: isLate)
        else {
            throw .unreachable("no more time for block \(id.hex): it is read on at the next look")
        }
        touched[findings.height, default: []].formUnion(findings.touched)
        for id in findings.paid where !paid.contains(id) { paid.append(id) }
        paid.removeFirst(max(0, paid.count - Self.paidMax))
        var outputs: [ChainOutput] = []
        for deposit in findings.deposits {
            guard let units = units[deposit.holding.coin] else { continue }
            guard let amount = units.amount(of: deposit) else {
                note(.outOfRange(deposit.holding), findings)
                continue
            }
            outputs.append(
                ChainOutput(
                    transaction: deposit.transaction, index: deposit.output,
                    script: deposit.holding.script, units: amount))
        }
        for anomaly in findings.anomalies {
            note(anomaly, findings)
            if let output = output(anomaly, of: findings.block) { outputs.append(output) }
        }
        return ChainBlock(
            id: findings.block, height: findings.height, parent: findings.parent, outputs: outputs,
            own: findings.own)
    }

    /// Native coin of which every change is to be explained, as a contract may pass it on without a
    /// transaction that says so. Each costs two questions a block, so that of many addresses none
    /// is looked at; see `lookedMax`.
    private var looked: Set<EVMHolding> {
        guard units[.native] != nil, watch.addresses.count <= Self.lookedMax else { return [] }
        return Set(watch.addresses.list.map { EVMHolding($0, .native) })
    }

    /// Maximum addresses of which each block's balances are compared.
    public static var lookedMax: Int { 64 }

    /// What a balance shows and no transaction does: it came by an internal call. It has no name of
    /// its own, so the block's is taken, and the address' index in the place of the output.
    private func output(_ anomaly: EVMAnomaly, of block: BlockID) -> ChainOutput? {
        guard case .surplus(let holding, let rest) = anomaly, holding.coin == .native,
            let index = watch.addresses.index(of: holding.holder), let units = units[.native],
            let transaction = TransactionID(hex: block.hex),
            let amount = (try? rest.amount(decimals: units.decimals, scale: units.scale))?.amount
        else { return nil }
        return ChainOutput(
            transaction: transaction, index: index, script: holding.script, units: amount.units)
    }

    /// Forgets what blocks up to a height have changed.
    public func forget(through height: UInt64) { touched = touched.filter { $0.key > height } }

    private func note(_ anomaly: EVMAnomaly, _ findings: EVMFindings) {
        guard anomalies.count < Self.anomaliesMax else { return }
        anomalies.append(
            EVMBlockAnomaly(block: findings.block, height: findings.height, anomaly: anomaly))
    }
}

extension EVMUnits {
    /// A deposit in units of the ledger, rounded down; nil where it is beyond what it holds.
    fileprivate func amount(of deposit: EVMDeposit) -> Int128? {
        (try? deposit.units.amount(decimals: decimals, scale: scale))?.amount.units
    }
}
