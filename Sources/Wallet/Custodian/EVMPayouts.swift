// An EVM chain's withdrawals on their way out: what is remembered of them beside the log.

internal import EVM
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO

/// What a chain says of a transaction of the wallet's in a final block.
enum EVMPaymentOutcome: Hashable {
    /// It moved what it was to move; with what its gas cost.
    case paid(EVMWord)
    /// It is final and moved nothing but its gas: it was reverted, or the token did not move.
    case failed(EVMWord, String)
    /// The node contradicts itself, or a token moved something else. Nobody can say yet.
    case unclear(String)
}

/// What the log needs before it takes a transaction that an operator wants adopted.
struct AdoptionWait: Hashable {
    /// The asset of the withdrawal that it pays; nil: it waits for something else.
    let asset: AssetID?
    /// Whether withdrawals of that asset have to go on.
    let isForResuming: Bool
    /// The same in words.
    let text: String
}

/// What is remembered of a chain's payments beside the log; all of it comes again after a restart.
struct EVMPayouts {
    /// How long a refusal rests before it is asked again.
    static let retryNanos: Int64 = 3_000_000_000
    /// How long the log rests after it refused a payment: each try is a record.
    static let refusedNanos: Int64 = 30_000_000_000
    /// How long a withdrawal is left out that cannot be paid, so that the others go on.
    static let leaveNanos: Int64 = 60_000_000_000
    /// How often the node is given a payment that is in no block.
    static let broadcastNanos: Int64 = 30_000_000_000
    /// How often a payment that no block that was read has is looked for by its receipt.
    static let receiptNanos: Int64 = 5_000_000_000
    /// Payments that are open at once: nodes keep few waiting transactions of one account.
    static let openMax = 16
    /// Of these, transfers of coins for gas to customers' addresses.
    static let giftsMax = 4
    /// Blocks that a payment waits for before its fee is raised.
    static let bumpBlocks: Int64 = 10
    /// Transactions that may be waited for to be adopted.
    static let adoptingMax = 16

    var report = PayoutReport()
    /// How many transactions the account had sent by the node's last block.
    var count: UInt64 = 0
    /// The node's block after which these were counted.
    var countTip: BlockID?
    /// Nonces of open payments that the chain has, though it has none of these payments: since
    /// when, monotonic.
    var taken: [OutPoint: Int64] = [:]
    /// A nonce that nobody uses while payments with later ones wait for it, and since when,
    /// monotonic.
    var gap: (nonce: UInt64, since: Int64)?
    /// A nonce that is free by the log and used on the chain, by nothing that the log knows, and
    /// since when, monotonic.
    var used: (nonce: UInt64, since: Int64)?
    /// Since when all payments that may be open are, while withdrawals wait, monotonic; nil: they
    /// are not.
    var fullTime: Int64?
    /// Whether a withdrawal waits for nothing but its turn.
    var isPayable = false
    /// What an operator wants adopted.
    var adopting: Set<TransactionID> = []
    /// Of these, final ones that the log does not take yet, and what it needs first.
    var adoptionWaits: [TransactionID: AdoptionWait] = [:]
    /// When the next payment may be planned, monotonic.
    var planTime: Int64 = 0
    /// When an open payment is given to the node again, monotonic.
    var broadcastTimes: [TransactionID: Int64] = [:]
    /// When an open payment was first given to it and no block had it, monotonic.
    var firstTimes: [TransactionID: Int64] = [:]
    /// When a payment is looked for by its receipt, monotonic.
    var receiptTimes: [TransactionID: Int64] = [:]
    /// Why the node does not take a payment.
    var refusals: [TransactionID: String] = [:]
    /// Why the signer signs no higher fee for a transfer that no block has for long.
    var unraised: [TransactionID: String] = [:]
    /// Payments whose nonce the node says is used, by a transaction of a block that was not read.
    var elsewhere: Set<TransactionID> = []
    /// Dropped payments that a block has all the same, final or not.
    var buried: Set<TransactionID> = []
    /// A payment that is final and was not seen to pay.
    struct Failure {
        var text: String
        /// Whether receipt and balance say that it did not.
        var isSure: Bool
        /// Until when that is believed, monotonic.
        var until: Int64
    }

    /// Payments that are final and were not seen to pay.
    var failures: [TransactionID: Failure] = [:]
    /// The nonce that a withdrawal's payment has to have: that of one that was signed before and is
    /// not in the log.
    var nonces: [WithdrawalID: UInt64] = [:]
    /// Withdrawals that cannot be paid, until when they are left out, and why.
    private var leftOut: [WithdrawalID: (until: Int64, condition: PayoutCondition, text: String)] =
        [:]

    /// Forgets what concerns payments that are open no more.
    mutating func keep(_ open: Set<TransactionID>, waiting: Set<WithdrawalID>) {
        let now = Clock.monotonicNanos()
        broadcastTimes = broadcastTimes.filter { open.contains($0.key) }
        firstTimes = firstTimes.filter { open.contains($0.key) }
        receiptTimes = receiptTimes.filter { open.contains($0.key) }
        refusals = refusals.filter { open.contains($0.key) }
        unraised = unraised.filter { open.contains($0.key) }
        failures = failures.filter { open.contains($0.key) }
        elsewhere = elsewhere.filter { open.contains($0) }
        buried = buried.filter { open.contains($0) }
        adoptionWaits = adoptionWaits.filter { adopting.contains($0.key) }
        nonces = nonces.filter { waiting.contains($0.key) }
        leftOut = leftOut.filter { $0.value.until > now && waiting.contains($0.key) }
    }

    /// A withdrawal cannot be paid now: the others go on.
    mutating func leave(
        _ id: WithdrawalID, _ condition: PayoutCondition, _ text: String,
        for nanos: Int64 = leaveNanos
    ) {
        leftOut[id] = (
            Clock.monotonicNanos() + nanos, condition,
            "withdrawal \(id.number): \(text)"
        )
    }

    /// Whether a withdrawal is left out now.
    func isLeftOut(_ id: WithdrawalID) -> Bool { leftOut[id] != nil }

    /// Why the oldest is left out; nil: none is.
    var leftOutReport: (PayoutCondition, String)? {
        leftOut.min { $0.key < $1.key }.map { ($0.value.condition, $0.value.text) }
    }

    /// A payment is final and was not seen to pay.
    mutating func fail(_ id: TransactionID, _ text: String, isSure: Bool) {
        failures[id] = Failure(
            text: text, isSure: isSure, until: Clock.monotonicNanos() + Self.leaveNanos)
    }

    /// Whether a payment is settled once it is final: one that failed is looked at again now and
    /// then, and does not hold up in between what is behind it.
    func isToBeSettled(_ id: TransactionID) -> Bool {
        failures[id].map { $0.until <= Clock.monotonicNanos() } ?? true
    }

    /// Whether it is time to look for a payment by its receipt.
    mutating func looksForReceipt(_ id: TransactionID) -> Bool {
        let now = Clock.monotonicNanos()
        guard now >= receiptTimes[id] ?? 0 else { return false }
        receiptTimes[id] = now + Self.receiptNanos
        return true
    }
}

extension EVMGasPrices {
    /// What a payment is to offer now, within the ceiling; nil: blocks take more than that.
    var fee: (most: UInt64, priority: UInt64)? {
        guard nextBaseFee < EVMCeiling.feePerGas else { return nil }
        let priority = min(max(priorityFee, Self.priorityMin), EVMCeiling.priorityPerGas)
        // Twice the base fee: it takes six full blocks to rise so far.
        let wished = UInt128(nextBaseFee) * 2 + UInt128(priority)
        let most = UInt64(min(wished, UInt128(EVMCeiling.feePerGas)))
        return (most, min(priority, most))
    }

    /// A priority fee below this is not offered, wei per gas: there may be no blocks to go by.
    private static var priorityMin: UInt64 { 100_000_000 }
}
