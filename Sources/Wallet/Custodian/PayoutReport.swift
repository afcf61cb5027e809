// What the wallet says of a chain's withdrawals.

public import JSON
public import Terms
public import UTXO

/// How the withdrawals of a chain stand.
public enum PayoutCondition: String, Hashable, Sendable, CaseIterable {
    /// None waits.
    case idle = "nothing to pay"
    /// They are being paid.
    case paying
    /// An operator, or the wallet itself, stopped them.
    case stopped
    /// The chain is not in step with its node: nothing new is signed.
    case waiting = "waits for the chain"
    /// The owner's screening service holds one back.
    case held = "held by screening"
    /// The owner's screening service does not answer.
    case noScreening = "no screening"
    /// The signer does not answer.
    case noSigner = "no signer"
    /// The signer refuses.
    case signerRefuses = "signer refuses"
    /// The log refuses what was signed.
    case logRefuses = "log refuses"
    /// The free coins are too little.
    case short = "not enough coins"
    /// The log says something else of a coin than the chain, or nobody can say what it is.
    case coinsDiffer = "coins differ"
    /// A withdrawal cannot be paid as it is.
    case unpayable
    /// The node does not take a payment.
    case nodeRefuses = "node refuses"
    /// Another transaction of the chain has spent the coins of a payment, which can never be final.
    case spentElsewhere = "coins spent elsewhere"
    /// A payment waits for a block for long, or could not be replaced for a higher fee.
    case slow
    /// A payment is final and did not pay.
    case failed
    /// The chain has a transaction of the wallet's account that the log does not have.
    case foreign = "foreign transaction"
    /// What customers paid in cannot be brought to the account that pays.
    case notSwept = "not swept"
    /// Coins cannot be brought to cold storage, or merged.
    case notMoved = "not moved"

    /// Whether nobody has to do something.
    public var isSound: Bool { self == .idle || self == .paying || self == .stopped }

    /// Whether it is what the screening service said last, and is found anew at each look.
    var isOfScreening: Bool { self == .held || self == .noScreening }
}

/// A payment of which another transaction, in a block, has spent a coin.
public struct LostPayment: Hashable, Sendable {
    /// The payment.
    public var transaction: TransactionID
    /// The coin.
    public var coin: OutPoint
    /// Whether that is as final as a deposit: it was seen so many blocks ago.
    public var isFinal: Bool

    /// As JSON.
    public var json: JSONValue {
        [
            "transaction": .string(transaction.hex),
            "coin": .string("\(coin.transaction.hex):\(coin.output)"), "isFinal": .bool(isFinal),
        ]
    }
}

/// The withdrawals of a chain, as the wallet last saw them.
public struct PayoutReport: Hashable, Sendable {
    /// How they stand.
    public var condition = PayoutCondition.idle
    /// The same in words, and what to do; empty where it is nothing.
    public var text = ""
    /// Withdrawals that are approved and not signed.
    public var approved = 0
    /// Payments that are signed and not final.
    public var open = 0
    /// What the wallet can spend now, in base units.
    public var free: Int64 = 0
    /// What the wallet has on the chain, in base units.
    public var total: Int64 = 0

    /// What is to be known of the wallet's own transfers; empty: nothing.
    public var remark = ""
    /// Payments of which another transaction of the chain has spent a coin.
    public var lost: [LostPayment] = []

    /// As JSON.
    public var json: JSONValue {
        [
            "condition": .string(condition.rawValue), "isSound": .bool(condition.isSound),
            "text": .string(text), "approved": .number(approved), "open": .number(open),
            "free": .number(free), "total": .number(total),
            "remark": .string(remark), "lost": .array(lost.map(\.json)),
        ]
    }
}
