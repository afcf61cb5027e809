// Payments that pay the same withdrawals, and what is known of those that wait for their blocks.

internal import Payments
internal import Terms
internal import UTXO

/// The open payments of the same withdrawals, of which each replaces the one before: one of them
/// becomes final.
struct PaymentSet {
    /// From the newest to the oldest; at least one.
    let ids: [TransactionID]
    /// What they pay, ascending.
    let withdrawals: [WithdrawalID]
    /// The log's record of the oldest one.
    let sequence: UInt64
    /// That record's time: nanoseconds since 1970.
    let firstTime: Int64
    /// The time of the newest one's record.
    let lastTime: Int64

    /// The payment that is to become final.
    var newest: TransactionID { ids[0] }

    private init(_ members: [(id: TransactionID, payment: OpenPayment)]) {
        let sorted = members.sorted { $0.payment.sequence > $1.payment.sequence }
        let (newest, oldest) = (sorted[0].payment, sorted[sorted.count - 1].payment)
        (ids, withdrawals) = (sorted.map(\.id), newest.withdrawals)
        (sequence, firstTime, lastTime) = (oldest.sequence, oldest.time, newest.time)
    }

    /// All sets. The engine lets payments that share a withdrawal share all of them.
    /// O(payments · log payments).
    static func all(_ payments: [TransactionID: OpenPayment]) -> [PaymentSet] {
        Dictionary(grouping: payments) { $0.value.withdrawals.first }
            .values.map { PaymentSet($0.map { ($0.key, $0.value) }) }
    }
}

/// What is known of the sets that wait for their blocks, beside the log: by the newest payment of
/// each. All of it comes again after a restart.
struct PaymentWaits {
    /// When a replacement may be tried again, monotonic.
    var bumpTimes: [TransactionID: Int64] = [:]
    /// Why there was no replacement.
    var bumpFaults: [TransactionID: String] = [:]
    /// Why the node keeps an older payment of the set.
    var kept: [TransactionID: String] = [:]
    /// When it is looked again whether coins are spent elsewhere, monotonic.
    var lookTimes: [TransactionID: Int64] = [:]
    /// Which coin another transaction of the chain has spent, in words.
    var spentElsewhere: [TransactionID: String] = [:]
    /// Each payment whose coin another transaction has spent, and up to which block the node's
    /// chain reached when that was first seen.
    var lost: [TransactionID: (coin: OutPoint, height: UInt64)] = [:]
    /// Since when the oldest payment waits that no block has, nanoseconds since 1970; nil: none
    /// does.
    var since: Int64?

    /// Notes which coin of a payment is spent elsewhere; nil: none.
    mutating func note(_ id: TransactionID, _ coin: OutPoint?, _ height: UInt64?) {
        guard let coin, let height else {
            lost[id] = nil
            return
        }
        lost[id] = (coin, lost[id].map { min($0.height, height) } ?? height)
    }

    /// Whether the node takes no replacement of the set, whatever it pays: Litecoin's do not unless
    /// they are told to. One whose fee it calls too low is replaced once more.
    func replacesNothing(_ set: PaymentSet) -> Bool {
        kept[set.newest].map { !$0.contains("fee") } ?? false
    }

    /// Takes the sets that there are now, and forgets what it knows of others.
    mutating func take(_ sets: [PaymentSet], isInBlock: (TransactionID) -> Bool) {
        let known = Set(sets.map(\.newest))
        bumpTimes = bumpTimes.filter { known.contains($0.key) }
        bumpFaults = bumpFaults.filter { known.contains($0.key) && !isInBlock($0.key) }
        kept = kept.filter { known.contains($0.key) && !isInBlock($0.key) }
        lookTimes = lookTimes.filter { known.contains($0.key) }
        spentElsewhere = spentElsewhere.filter { known.contains($0.key) }
        let all = Set(sets.flatMap(\.ids))
        lost = lost.filter { all.contains($0.key) }
        since =
            sets.sorted { $0.firstTime < $1.firstTime }
            .first { !$0.ids.contains(where: isInBlock) }?.firstTime
    }
}
