// What is remembered of an EVM chain's cold storage beside the log.

public import JSON
internal import Platform
internal import Terms

/// What is remembered of transfers to and from cold storage; all of it comes again after a restart.
struct EVMColdMoves {
    /// Transfers from cold storage that may wait to be taken.
    static let importsMax = 16
    /// How long an asset rests of which a transfer could not be made.
    static let refusedNanos: Int64 = 60_000_000_000
    /// How long one rests after a transfer that moved nothing: each costs gas.
    static let failedNanos: Int64 = 600_000_000_000

    /// When the next transfer is planned, monotonic.
    var planTime: Int64 = 0
    /// Signed transactions that an operator brought.
    var imports: [[UInt8]] = []
    /// The accounts of cold storage, as of the node's last block.
    var accounts: [ColdAccountReport] = []
    /// That block.
    var tip: BlockID?
    /// Until when an asset rests, monotonic.
    private var rests: [AssetID: Int64] = [:]
    /// How many transfers of an asset in a row moved nothing.
    private var failures: [AssetID: Int] = [:]
    /// Why there is no transfer of an asset whose account has too much.
    private(set) var problems: [AssetID: String] = [:]

    /// Whether an asset rests.
    func isResting(_ asset: AssetID) -> Bool { rests[asset] ?? 0 > Clock.monotonicNanos() }

    /// No transfer of an asset can be made now.
    mutating func fail(_ asset: AssetID, _ text: String, for nanos: Int64 = refusedNanos) {
        problems[asset] = text
        rests[asset] = Clock.monotonicNanos() + nanos
    }

    /// A transfer of an asset is final and moved nothing, or nobody knows what: the next one waits
    /// for twice as long each time, up to a day.
    mutating func failAgain(_ asset: AssetID, _ text: String) {
        let count = min((failures[asset] ?? 0) + 1, 8)
        failures[asset] = count
        fail(asset, text, for: Self.failedNanos << (count - 1))
    }

    /// A transfer of an asset is made, or there is nothing to be moved.
    mutating func succeed(_ asset: AssetID) { problems[asset] = nil }

    /// A transfer of an asset is final and moved what it was to move.
    mutating func bring(_ asset: AssetID) { (failures[asset], problems[asset]) = (nil, nil) }
}

/// An account of cold storage, for whoever makes a transaction of it.
public struct ColdAccountReport: Hashable, Sendable {
    /// The asset's code in the log.
    public var asset: String
    /// The account.
    public var address: String
    /// The nonce of its next transaction, as the node and the log's open ones say.
    public var nonce: UInt64
    /// What a transaction is to offer now per gas, in wei; nil: gas is dearer than the wallet pays.
    public var fee: Int64?
    /// What of that a block's producer gets, in wei.
    public var priority: Int64?

    /// As JSON.
    public var json: JSONValue {
        [
            "asset": .string(asset), "address": .string(address), "nonce": .number(nonce),
            "fee": .orNull(fee), "priority": .orNull(priority),
        ]
    }
}
