// Payments that pay the same withdrawals, and what is known of those that wait for their blocks.

internal import Deposits
internal import Nodes
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
        // A transfer, which pays none, is a set with those in whose place it is.
        Dictionary(grouping: payments) { payment in
            payment.value.withdrawals.first.map { SetKey.withdrawal($0) }
                ?? .transfer(first(payment.key, payments))
        }.values.map { PaymentSet($0.map { ($0.key, $0.value) }) }
    }

    /// The transfer with which a row of open ones begins, of which each replaces the one before.
    private static func first(
        _ id: TransactionID, _ payments: [TransactionID: OpenPayment]
    ) -> TransactionID {
        var id = id
        // Each is in an earlier record, so this ends.
        while let own = payments[id], let before = payments[own.replaces],
            before.withdrawals.isEmpty, before.sequence < own.sequence
        {
            id = own.replaces
        }
        return id
    }
}

/// What tells a set from all others.
private enum SetKey: Hashable {
    case withdrawal(WithdrawalID)
    case transfer(TransactionID)
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
    /// Each payment of which the chain has not all coins any more.
    private(set) var lost: [TransactionID: LostCoin] = [:]
    /// Payments that are in a block which was not read, as the node says.
    var buried: Set<TransactionID> = []
    /// Up to which height the chain was read when the newest payment of a set was first seen.
    private(set) var heights: [TransactionID: UInt64] = [:]
    /// Since when the oldest payment waits that no block has, nanoseconds since 1970; nil: none
    /// does.
    var since: Int64?

    /// A coin of a payment that something else has spent.
    struct LostCoin {
        var coin: OutPoint
        /// The height of the block that was seen to spend it by another transaction; nil: none was.
        var height: UInt64?
    }

    /// Notes which coin of a payment the chain has not any more; nil: none.
    mutating func note(_ id: TransactionID, _ coin: OutPoint?) {
        guard let coin else {
            lost[id] = nil
            return
        }
        lost[id] = LostCoin(coin: coin, height: lost[id]?.height)
    }

    /// Notes at which heights the kept blocks spend coins of lost payments by other transactions.
    mutating func see(_ reader: ChainReader, ids: (TransactionID) -> [TransactionID]) {
        guard !lost.isEmpty else { return }
        let spends = reader.spends
        for (id, one) in lost {
            let own = Set(ids(id))
            let seen = spends.first {
                $0.spend.transaction == one.coin.transaction && $0.spend.index == one.coin.output
                    && !own.contains($0.spend.spender)
            }
            if let seen {
                lost[id]?.height = seen.height
            } else if let height = one.height, height >= reader.keptFrom ?? 0 {
                // A reorganisation took that block away.
                lost[id]?.height = nil
            }
        }
    }

    /// Whether another transaction that is final has spent a coin of the payment.
    func isFinal(_ id: TransactionID, _ reader: ChainReader) -> Bool {
        guard let height = lost[id]?.height, let kept = reader.keptFrom else { return false }
        return height < kept
    }

    /// Whether the node takes no replacement of the set, whatever it pays: Litecoin's do not unless
    /// they are told to. One whose fee it calls too low is replaced once more.
    func replacesNothing(_ set: PaymentSet) -> Bool {
        kept[set.newest].map { !$0.contains("fee") } ?? false
    }

    /// Takes the sets that there are now, and forgets what it knows of others.
    mutating func take(
        _ sets: [PaymentSet], height: UInt64?, isInBlock: (TransactionID) -> Bool
    ) {
        let known = Set(sets.map(\.newest))
        // Of those of which something is known: what a block has needs nothing more.
        let mined = sets.filter {
            (bumpFaults[$0.newest] ?? kept[$0.newest] ?? spentElsewhere[$0.newest]) != nil
                && $0.ids.contains(where: isInBlock)
        }
        for set in mined {
            (bumpFaults[set.newest], kept[set.newest]) = (nil, nil)
            spentElsewhere[set.newest] = nil
            for id in set.ids { lost[id] = nil }
        }
        bumpTimes = bumpTimes.filter { known.contains($0.key) }
        bumpFaults = bumpFaults.filter { known.contains($0.key) }
        kept = kept.filter { known.contains($0.key) }
        lookTimes = lookTimes.filter { known.contains($0.key) }
        spentElsewhere = spentElsewhere.filter { known.contains($0.key) }
        let all = Set(sets.flatMap(\.ids))
        lost = lost.filter { all.contains($0.key) }
        buried.formIntersection(known)
        heights = heights.filter { known.contains($0.key) }
        if let height { for id in known where heights[id] == nil { heights[id] = height } }
        since =
            sets.sorted { $0.firstTime < $1.firstTime }
            .first { !$0.ids.contains(where: isInBlock) }?.firstTime
    }
}
