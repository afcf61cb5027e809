// A chain's withdrawals on their way out: what is planned, signed, and given to the node.

internal import Addresses
internal import Nodes
public import Payments
internal import Platform
internal import Terms
internal import UTXO

/// Whoever signs payments.
public protocol SignatureSource {
    /// The answer to a request, or why there is none.
    func answer(_ request: SigningRequest) -> Result<SigningAnswer, SignerAbsenceError>
}

/// Why the signer gave no answer.
public struct SignerAbsenceError: Error {
    /// In words.
    public let text: String

    /// An absence.
    public init(text: String) { self.text = text }
}

/// What is remembered of a chain's payments beside the log; all of it comes again after a restart.
struct Payouts {
    /// How long approved withdrawals wait for others, so that one transaction pays them.
    static let batchNanos: Int64 = 1_000_000_000
    /// How long a refusal rests before it is asked again.
    static let retryNanos: Int64 = 3_000_000_000
    /// How long it rests where no transfer is worth its fee.
    static let transferRestNanos: Int64 = 300_000_000_000
    /// How long it is believed what the signer's limit has room for.
    static let transferMostNanos: Int64 = 3_600_000_000_000
    /// How long the log rests after it refused a payment: each try is a record.
    static let refusedNanos: Int64 = 30_000_000_000
    /// How long a coin is believed to be absent.
    static let absentNanos: Int64 = 600_000_000_000
    /// How long a withdrawal is left out that cannot be paid, so that the others go on.
    static let leaveNanos: Int64 = 60_000_000_000
    /// How often the node is given a payment that is in no block.
    static let broadcastNanos: Int64 = 30_000_000_000
    /// Payments that one look gives to the node.
    static let broadcastsMax = 16
    /// How long a replacement rests that could not be made: each try may be a record.
    static let bumpRetryNanos: Int64 = 30_000_000_000
    /// How often it is looked whether the coins of such a payment are spent elsewhere.
    static let foreignLookNanos: Int64 = 5_000_000_000
    /// Payments that one look examines which the node refuses.
    static let foreignLooksMax = 4
    /// How long a node's fee rate is good for.
    static let feeNanos: Int64 = 30_000_000_000
    /// Transactions that were signed and that the log does not take.
    static let conflictsMax = 64
    /// Coins that the chain does not have.
    static let absentMax = 10_000

    var report = PayoutReport()
    /// When the next payment may be planned, monotonic; nil: nothing waits.
    var planTime: Int64?
    /// Maximum withdrawals of the next payment: less after a refusal, which one of them may cause.
    var payeesMax = Limits.payeesMax
    /// A withdrawal that cannot be paid, until when it is left out, and why.
    struct LeftOut {
        var until: Int64
        var condition: PayoutCondition
        var text: String
    }

    private var leftOut: [WithdrawalID: LeftOut] = [:]
    /// The transactions of coins.
    var previous = PreviousKeeper()
    /// Why a transaction is not kept that a pruned node may forget.
    var keepFault: String?
    /// Coins that the chain does not have, and until when that is believed.
    var absent: [OutPoint: Int64] = [:]
    /// When an open payment is given to the node again, monotonic.
    var broadcastTimes: [TransactionID: Int64] = [:]
    /// What is known of payments that wait for their blocks.
    var waits = PaymentWaits()
    /// When it is looked again whether a block has a transfer that was dropped, monotonic.
    var adoptTime: Int64 = 0
    /// When the next transfer may be planned, monotonic.
    var transferTime: Int64 = 0
    /// Why there was none.
    var transferFault: (PayoutCondition, String)?
    /// Where nothing was to be moved: the coins' changes then, and until when that is believed,
    /// monotonic.
    var transferRest: (changes: UInt64, until: Int64)?
    /// What the signer's limit had room for, in base units, and until when that is believed.
    var transferMost: (units: Int64, until: Int64)?
    /// The last transfer that was open, and what it paid for 1,000 virtual bytes.
    var transferPaid: (id: TransactionID, perKilobyte: Int128)?
    /// How long more is here than the ceiling of cold storage, and nothing moves.
    var ceilingWatch = CeilingWatch()
    /// When a transfer that can never be final may be dropped again, monotonic.
    var endTime: Int64 = 0
    /// What the wallet can spend that is no change of an open payment, in base units, and how many
    /// coins it can spend.
    var (settledFree, freeCount) = (Int128(0), 0)
    /// Why the node does not take a payment.
    var refusals: [TransactionID: String] = [:]
    private var conflicts: [TransactionID: EarlierTransaction] = [:]
    private var fee: (perKilobyte: Int64, until: Int64)?

    /// What miners ask for, as the node says now or said a moment ago.
    mutating func feeRate(_ node: some PaymentNode) throws(NodeError) -> UTXOFeeRate {
        let now = Clock.monotonicNanos()
        if fee.map({ $0.until < now }) ?? true {
            fee = (try node.feePerKilobyte(), now + Self.feeNanos)
        }
        let asked = min(max(fee?.perKilobyte ?? 0, 0), PaymentProposal.feePerKilobyteMax)
        guard let rate = UTXOFeeRate(perKilobyte: asked) else {
            preconditionFailure("the ceiling is a rate")
        }
        return rate
    }

    /// Gives the node the open payments that no block has, those first that it never had.
    /// `isInBlock` says which one a block has that was read.
    ///
    /// Of several that pay the same withdrawals it gets the newest, and an older one only where it
    /// does not take that: one of them is enough, and nodes refuse those that were replaced.
    mutating func broadcast(
        _ payments: [TransactionID: OpenPayment], _ node: some PaymentNode,
        isInBlock: (TransactionID) -> Bool
    ) {
        broadcastTimes = broadcastTimes.filter { payments[$0.key] != nil }
        refusals = refusals.filter { payments[$0.key] != nil }
        let sets = PaymentSet.all(payments)
        // Whatever was said of others of a set: one of them is in a block.
        for set in sets where refusals[set.newest] != nil && set.ids.contains(where: isInBlock) {
            refusals[set.newest] = nil
        }
        let now = Clock.monotonicNanos()
        // Of the same time parents go before the payments that spend their change.
        let due =
            sets
            .filter { now >= broadcastTimes[$0.newest] ?? 0 && !$0.ids.contains(where: isInBlock) }
            .sorted {
                (broadcastTimes[$0.newest] ?? 0, $0.sequence)
                    < (broadcastTimes[$1.newest] ?? 0, $1.sequence)
            }
        for set in due.prefix(Self.broadcastsMax) {
            broadcastTimes[set.newest] = now + Self.broadcastNanos
            var why: String?
            for id in set.ids {
                guard let payment = payments[id] else { continue }
                do throws(NodeError) {
                    let isBuried = try node.broadcast(payment.bytes)
                    if isBuried {
                        waits.buried.insert(set.newest)
                    } else {
                        waits.buried.remove(set.newest)
                    }
                    refusals[set.newest] =
                        isBuried
                        ? "it is in a block that was not read: boursectl wallet rescan, from there"
                        : nil
                    // Why it keeps an older one.
                    waits.kept[set.newest] = why
                    break
                } catch {
                    broadcastTimes[set.newest] = now + Self.retryNanos
                    guard case .refused = error else { return }
                    // What it says of the newest one.
                    if id == set.newest { (why, refusals[id]) = ("\(error)", "\(error)") }
                }
            }
        }
    }

    /// What is said of an answer of the signer's that is not what it says.
    static func notGenuine(_ payment: SignedPayment) -> String {
        "its answer \(payment.transaction.hex) is no signed payment of what it names: is it "
            + "bourse-signerd that listens at [signerd] socket?"
    }

    // MARK: What cannot be paid as it was planned

    /// The log does not take a transaction, and never will as it is: what pays its withdrawals has
    /// to spend a coin of it. False: there are too many such.
    mutating func conflict(with payment: SignedPayment, on chain: ChainCoins) -> Bool {
        guard conflicts.count < Self.conflictsMax || conflicts[payment.transaction] != nil,
            let transaction = try? UTXOTransaction(payment.bytes, on: chain.network)
        else { return false }
        conflicts[payment.transaction] = EarlierTransaction(
            withdrawals: Set(payment.withdrawals),
            inputs: Set(transaction.inputs.map(\.outPoint)))
        return true
    }

    /// The transactions with which a payment of any of these has to conflict.
    mutating func conflicts(
        _ waiting: Set<WithdrawalID>, _ coins: ChainCoins
    ) -> [EarlierTransaction] {
        conflicts = conflicts.filter { _, conflict in
            !conflict.withdrawals.isDisjoint(with: waiting)
                && !conflict.inputs.contains { coins.isGone($0) }
        }
        return Array(conflicts.values)
    }

    /// A payment of these is refused, for one of them or for all: fewer are tried next, and the one
    /// that is left is left out for a while.
    mutating func refused(
        _ withdrawals: [WithdrawalID], _ condition: PayoutCondition, _ text: String
    ) {
        if withdrawals.count > 1 {
            payeesMax = withdrawals.count / 2
        } else if let one = withdrawals.first {
            leftOut[one] = LeftOut(
                until: Clock.monotonicNanos() + Self.leaveNanos, condition: condition,
                text: "withdrawal \(one.number): \(text)")
        }
    }

    /// The withdrawals that are left out now.
    mutating func leavesOut(_ waiting: Set<WithdrawalID>) -> Set<WithdrawalID> {
        let now = Clock.monotonicNanos()
        leftOut = leftOut.filter { $0.value.until > now && waiting.contains($0.key) }
        return Set(leftOut.keys)
    }

    /// Why the oldest of these is left out; nil: none is.
    var leftOutReport: (PayoutCondition, String)? {
        leftOut.min { $0.key < $1.key }.map { ($0.value.condition, $0.value.text) }
    }

    /// The coins that the chain does not have, as far as that is known.
    mutating func absentCoins() -> Set<OutPoint> {
        let now = Clock.monotonicNanos()
        absent = absent.filter { $0.value > now }
        return Set(absent.keys)
    }
}
