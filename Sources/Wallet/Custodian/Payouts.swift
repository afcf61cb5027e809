// A chain's withdrawals on their way out: what is planned, signed, and given to the node.

internal import Addresses
internal import Engine
internal import Nodes
public import Payments
internal import Platform
internal import Terms
internal import UTXO

/// Whoever signs payments.
public protocol SignatureSource {
    /// The answer to a request; `failure` says why there is none.
    func answer(_ request: SigningRequest) -> Result<SigningAnswer, SignerAbsence>
}

/// Why the signer gave no answer.
public struct SignerAbsence: Error {
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
    /// How often the node is given a payment that is in no block.
    static let broadcastNanos: Int64 = 30_000_000_000
    /// Payments that one look gives to the node.
    static let broadcastsMax = 16
    /// How long a node's fee rate is good for.
    static let feeNanos: Int64 = 30_000_000_000
    /// Transactions that were signed and that the log does not take.
    static let conflictsMax = 64

    /// A transaction that was signed and never got into the log.
    struct Conflict {
        var withdrawals: Set<WithdrawalID>
        var inputs: Set<OutPoint>
    }

    var report = PayoutReport()
    /// When the next payment may be planned, monotonic; nil: nothing waits.
    var planTime: Int64?
    /// When an open payment is given to the node again, monotonic.
    var broadcastTimes: [TransactionID: Int64] = [:]
    /// Why the node does not take a payment.
    var refusals: [TransactionID: String] = [:]
    var conflicts: [TransactionID: Conflict] = [:]
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

    /// Gives the node the open payments that no block has. `isInBlock` says which one has.
    mutating func broadcast(
        _ payments: [TransactionID: OpenPayment], _ node: some PaymentNode,
        isInBlock: (TransactionID) -> Bool
    ) {
        broadcastTimes = broadcastTimes.filter { payments[$0.key] != nil }
        refusals = refusals.filter { payments[$0.key] != nil && !isInBlock($0.key) }
        let now = Clock.monotonicNanos()
        // Parents before the payments that spend their change.
        let due = payments.filter { now >= broadcastTimes[$0.key] ?? 0 && !isInBlock($0.key) }
            .sorted { $0.value.sequence < $1.value.sequence }
        for (id, payment) in due.prefix(Self.broadcastsMax) {
            broadcastTimes[id] = now + Self.broadcastNanos
            do throws(NodeError) {
                try node.broadcast(payment.bytes)
                refusals[id] = nil
            } catch {
                if case .refused = error { refusals[id] = "\(error)" }
                broadcastTimes[id] = now + Self.retryNanos
            }
        }
    }

    /// The transactions with which a payment of any of these has to conflict.
    mutating func conflicts(_ waiting: Set<WithdrawalID>, _ coins: ChainCoins) -> [Set<OutPoint>] {
        conflicts = conflicts.filter { _, conflict in
            // Where another payment that is final has spent a coin of it, it can never be final.
            !conflict.withdrawals.isDisjoint(with: waiting)
                && conflict.inputs.allSatisfy { coins.coins[$0] != nil }
        }
        return conflicts.values.map(\.inputs)
    }
}
