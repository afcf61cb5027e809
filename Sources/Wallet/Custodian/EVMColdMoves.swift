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

    /// For how long withdrawals may keep coins from going before it is said.
    static let payableNanos: Int64 = 300_000_000_000
    /// How often what goes is halved at most.
    static let halvingsMax = 32
    /// After so long without a refusal more is tried again.
    static let halvingNanos: Int64 = 86_400_000_000_000

    /// When the next transfer is planned, monotonic.
    var planTime: Int64 = 0
    /// Which asset is looked at next.
    var turn = 0
    /// Since when a withdrawal can be paid and is not, monotonic; nil: none is.
    var payableTime: Int64?
    /// By how many halvings what goes of an asset is less than what is too much, as the signer's
    /// limit has no room for more, and since when, monotonic.
    private var parts: [AssetID: (halvings: Int, since: Int64)] = [:]
    /// Signed transactions that an operator brought.
    var imports: [[UInt8]] = []
    /// Why they wait, as it was last said.
    var saidWait: String?
    /// The accounts of cold storage, as of the node's last block.
    var accounts: [ColdAccountReport] = []
    /// That block.
    var tip: BlockID?
    /// What became of final transfers that are not settled yet; at most `outcomesMax`.
    private(set) var outcomes: [TransactionID: ColdOutcome] = [:]
    static let outcomesMax = 256
    /// Until when an asset rests, monotonic.
    private var rests: [AssetID: Int64] = [:]
    /// How many transfers of an asset in a row moved nothing.
    private var failures: [AssetID: Int] = [:]
    /// Why there is no transfer of an asset whose account has too much.
    private(set) var problems: [AssetID: String] = [:]

    /// Whether an asset rests.
    func isResting(_ asset: AssetID) -> Bool { rests[asset] ?? 0 > Clock.monotonicNanos() }

    /// By how many halvings what goes of an asset is less than what is too much.
    func halvings(_ asset: AssetID) -> Int {
        guard let part = parts[asset], Clock.monotonicNanos() - part.since < Self.halvingNanos
        else { return 0 }
        return part.halvings
    }

    /// The signer's limit has no room for what was to go of an asset: half of it is tried next.
    mutating func halve(_ asset: AssetID) {
        let count = min(halvings(asset) + 1, Self.halvingsMax)
        parts[asset] = (count, Clock.monotonicNanos())
    }

    /// What became of a transfer is known; what is beyond the bound is found out again.
    mutating func remember(_ id: TransactionID, _ outcome: ColdOutcome) {
        if outcomes.count >= Self.outcomesMax { outcomes = [:] }
        outcomes[id] = outcome
    }

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
