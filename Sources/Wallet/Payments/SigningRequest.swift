// What the wallet asks the signer, and what the signer answers: one JSON text each.

public import JSON
public import Terms

/// A transaction that is to be signed, and what it is said to pay.
///
/// The signer believes none of it: it derives from the log what has to be paid, and signs where
/// the transaction pays that and nothing else.
public struct SigningRequest: Hashable, Sendable {
    /// Maximum bytes of its text.
    public static let textBytesMax =
        4 * Limits.transactionBytesMax + 2 * PreviousTransactions.totalBytesMax

    /// The chain.
    public var network: NetworkID
    /// The asset of the withdrawals.
    public var asset: AssetID
    /// The last record of the log that the asker knows: the signer has to know as many.
    public var sequence: UInt64
    /// What is paid, ascending; up to `Limits.payeesMax`. None: it is a transfer of the wallet's
    /// own coins, on an EVM chain.
    public var withdrawals: [WithdrawalID]
    /// Of a transfer, the index of the customer's address that it goes from or to; 0: it has none.
    public var index: UInt32
    /// The payment of the same withdrawals that it is to replace, or none.
    public var replaces: TransactionID
    /// The unsigned transaction, as nodes take it; up to `Limits.transactionBytesMax`.
    public var transaction: [UInt8]
    /// The transactions that its inputs spend from, each once and without witnesses: they prove
    /// what the inputs spend. Up to `PreviousTransactions.totalBytesMax` bytes in all.
    public var previous: [[UInt8]]

    /// A request.
    public init(
        network: NetworkID, asset: AssetID, sequence: UInt64, withdrawals: [WithdrawalID],
        replaces: TransactionID = .none, transaction: [UInt8], previous: [[UInt8]] = [],
        index: UInt32 = 0
    ) {
        self.index = index
        (self.network, self.asset, self.sequence) = (network, asset, sequence)
        (self.withdrawals, self.replaces) = (withdrawals, replaces)
        (self.transaction, self.previous) = (transaction, previous)
    }

    /// As JSON.
    public var json: JSONValue {
        let json: JSONValue = [
            "network": .number(network.number), "asset": .number(asset.number),
            "sequence": .number(sequence),
            "withdrawals": .array(withdrawals.map { .number($0.number) }),
            "replaces": .string(replaces.hex), "transaction": .string(transaction.hexText),
            "previous": .strings(previous.map(\.hexText)),
        ]
        guard index > 0, case .object(let members) = json else { return json }
        return .object(members + [.init("index", .number(index))])
    }

    /// From JSON; nil where a field is missing or out of its range.
    public init?(_ json: JSONValue) {
        guard let network = json["network"]?.count.flatMap(UInt16.init(exactly:)),
            let asset = json["asset"]?.count.flatMap(UInt16.init(exactly:)),
            let sequence = json["sequence"]?.count,
            let withdrawals = readWithdrawals(json["withdrawals"]),
            let replaces = json["replaces"]?.text.flatMap(TransactionID.init(hex:)),
            let transaction = readTransaction(json["transaction"]),
            let previous = (json["previous"] ?? .array([])).rows({
                $0.text.flatMap { hexBytes($0) }
            }),
            previous.reduce(0, { $0 + $1.count }) <= PreviousTransactions.totalBytesMax,
            let index = (json["index"] ?? .number(0)).count.flatMap(UInt32.init(exactly:))
        else { return nil }
        self.init(
            network: NetworkID(network), asset: AssetID(asset), sequence: sequence,
            withdrawals: withdrawals, replaces: replaces, transaction: transaction,
            previous: previous, index: index)
    }
}

/// A signed transaction that pays withdrawals, or none.
public struct SignedPayment: Hashable, Sendable {
    /// The chain.
    public var network: NetworkID
    /// The asset of the withdrawals.
    public var asset: AssetID
    /// What is paid, ascending.
    public var withdrawals: [WithdrawalID]
    /// The payment that it replaces, or none.
    public var replaces: TransactionID
    /// The transaction.
    public var transaction: TransactionID
    /// Its signed bytes, as nodes take them; up to `Limits.transactionBytesMax`.
    public var bytes: [UInt8]

    /// A signed transaction.
    public init(
        network: NetworkID, asset: AssetID, withdrawals: [WithdrawalID],
        replaces: TransactionID = .none, transaction: TransactionID, bytes: [UInt8]
    ) {
        (self.network, self.asset, self.withdrawals) = (network, asset, withdrawals)
        (self.replaces, self.transaction, self.bytes) = (replaces, transaction, bytes)
    }

    /// As JSON.
    public var json: JSONValue {
        [
            "network": .number(network.number), "asset": .number(asset.number),
            "withdrawals": .array(withdrawals.map { .number($0.number) }),
            "replaces": .string(replaces.hex), "transaction": .string(transaction.hex),
            "bytes": .string(bytes.hexText),
        ]
    }

    /// From JSON; nil where a field is missing or out of its range.
    public init?(_ json: JSONValue) {
        guard let network = json["network"]?.count.flatMap(UInt16.init(exactly:)),
            let asset = json["asset"]?.count.flatMap(UInt16.init(exactly:)),
            let withdrawals = readWithdrawals(json["withdrawals"]),
            let replaces = json["replaces"]?.text.flatMap(TransactionID.init(hex:)),
            let id = json["transaction"]?.text.flatMap(TransactionID.init(hex:)),
            let bytes = readTransaction(json["bytes"])
        else { return nil }
        self.init(
            network: NetworkID(network), asset: AssetID(asset), withdrawals: withdrawals,
            replaces: replaces, transaction: id, bytes: bytes)
    }
}

/// Why the signer does not sign.
public enum SigningRefusal: String, Hashable, Sendable, CaseIterable {
    /// The request cannot be read.
    case malformed
    /// The signer has not followed the log up to the request's record, or to where it was before
    /// its own restart: ask again.
    case behind
    /// The log has no such chain, or one of another key than the signer's.
    case otherKey = "other key"
    /// A withdrawal is not one that may be paid now.
    case notPayable = "not payable"
    /// The transaction spends what is not the wallet's, or what another payment spends.
    case coins
    /// What the inputs spend is not proved by the transactions that they spend from, or these say
    /// something else of a coin than the log.
    case unproved
    /// The transaction pays something else than the withdrawals and the wallet's own change.
    case outputs
    /// The transaction's fee is above its ceiling.
    case fee
    /// Other bytes that pay one of the withdrawals were signed before.
    case signedBefore = "signed before"
    /// The chain's limit is used up; it refills with time.
    case limit
    /// It is more than the limit has for cold storage, or what is used of it never comes back.
    case aboveLimit = "above the limit"
    /// What the signer has to remember cannot be written.
    case notKept = "not kept"
}

/// What the signer answers.
public enum SigningAnswer: Hashable, Sendable {
    /// Maximum bytes of its text.
    public static let textBytesMax = 32 * Limits.transactionBytesMax
    /// Maximum bytes of a refusal's words.
    public static let wordsBytesMax = 1_000

    /// A signed transaction: the one asked for, or one that was signed before for some of the same
    /// withdrawals and is to go into the log in its place.
    case signed(SignedPayment)
    /// None. These were signed before for some of the same withdrawals, never got into the log, and
    /// cannot any more as they are: another transaction has to spend a coin of each of them. 1 to
    /// `earlierMax`.
    case earlier([SignedPayment])
    /// None, and why, in words.
    case refused(SigningRefusal, String)

    /// Maximum earlier transactions of an answer.
    public static let earlierMax = 16

    /// As JSON.
    public var json: JSONValue {
        switch self {
        case .signed(let payment): ["signed": payment.json]
        case .earlier(let payments): ["earlier": .array(payments.map(\.json))]
        case .refused(let refusal, let words):
            ["refused": .string(refusal.rawValue), "text": .string(words)]
        }
    }

    /// From JSON; nil where it cannot be read.
    public init?(_ json: JSONValue) {
        if let signed = json["signed"] {
            guard let payment = SignedPayment(signed) else { return nil }
            self = .signed(payment)
        } else if let earlier = json["earlier"] {
            guard let payments = earlier.rows(SignedPayment.init),
                1...Self.earlierMax ~= payments.count
            else { return nil }
            self = .earlier(payments)
        } else {
            guard let refusal = json["refused"]?.text.flatMap(SigningRefusal.init(rawValue:)),
                let words = json["text"]?.text, words.utf8.count <= Self.wordsBytesMax
            else { return nil }
            self = .refused(refusal, words)
        }
    }
}

private func readWithdrawals(_ json: JSONValue?) -> [WithdrawalID]? {
    guard let numbers = json?.rows(\.count), numbers.count <= Limits.payeesMax,
        zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 })
    else { return nil }
    return numbers.map { WithdrawalID($0) }
}

private func readTransaction(_ json: JSONValue?) -> [UInt8]? {
    guard let text = json?.text, 2...2 * Limits.transactionBytesMax ~= text.utf8.count else {
        return nil
    }
    return hexBytes(text)
}
