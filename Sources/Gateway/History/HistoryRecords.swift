// What the history returns.

public import Engine
public import Terms

/// An order's last known state, open or ended.
public struct OrderRecord: Sendable {
    /// The order's last state.
    public var order: OrderView
    /// Why it ended before it was filled; nil while it is open, and for one that was filled.
    public var endReason: EndReason?
}

/// One account's side of a trade.
public struct AccountTrade: Hashable, Sendable {
    /// The trade's id, sequential within the instrument.
    public var id: TradeID
    /// The instrument.
    public var instrument: InstrumentID
    /// The account's order.
    public var order: OrderID
    /// The account.
    public var account: AccountID
    /// The account's side.
    public var side: Side
    /// Whether the account's order was the resting one.
    public var isMaker: Bool
    /// The price.
    public var price: Price
    /// The quantity.
    public var quantity: Quantity
    /// Price × quantity in the quote asset's smallest units.
    public var quoteAmount: Amount
    /// The fee; negative is a rebate.
    public var fee: Amount
    /// The asset of the fee.
    public var feeAsset: AssetID
    /// When, in nanoseconds since 1970 on the log's clock.
    public var time: Int64
}

/// A change of an account's balance other than a trade.
public struct Adjustment: Hashable, Sendable {
    /// Its origin.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// An operator's credit or debit.
        case booking = 0
        /// House fees that an operator transferred to the account or from it.
        case fees = 1
        /// A deposit of the wallet.
        case deposit = 2
    }

    /// The record's sequence in the log: unique, and in order.
    public var sequence: UInt64
    /// Its origin.
    public var kind: Kind
    /// The account.
    public var account: AccountID
    /// The asset.
    public var asset: AssetID
    /// The amount; negative is a debit.
    public var amount: Amount
    /// When, in nanoseconds since 1970 on the log's clock.
    public var time: Int64

    /// All fields, for projections and tests in this package.
    package init(
        sequence: UInt64, kind: Kind, account: AccountID, asset: AssetID, amount: Amount,
        time: Int64
    ) {
        (self.sequence, self.kind, self.account) = (sequence, kind, account)
        (self.asset, self.amount, self.time) = (asset, amount, time)
    }
}

/// A range of orders or trades. Times are in nanoseconds since 1970.
public struct HistoryRange: Hashable, Sendable {
    /// The lowest id, or nil. With it, or with `start`, the oldest that fit are returned, else the
    /// newest.
    public var fromID: UInt64?
    /// The earliest time, or nil.
    public var start: Int64?
    /// The latest time, or nil.
    public var end: Int64?
    /// Maximum number of rows, clamped to 1 … `limitMax`.
    public var limit: Int

    /// Maximum number of rows of one read.
    public static var limitMax: Int { 1_000 }

    /// This range.
    public init(
        fromID: UInt64? = nil, start: Int64? = nil, end: Int64? = nil, limit: Int = limitMax
    ) {
        (self.fromID, self.start, self.end) = (fromID, start, end)
        self.limit = min(max(limit, 1), Self.limitMax)
    }
}

/// Why history could not be opened, written or read.
public enum HistoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file follows another journal.
    case otherJournal(file: String, found: String, expected: String)
    /// The file was written by a newer version.
    case newerVersion(file: String, found: Int, known: Int)
    /// Records between the file's last one and the batch's first are missing.
    case gap(file: String, cursor: UInt64, first: UInt64)
    /// The file is not an intact database.
    case damaged(file: String, text: String)
    /// SQLite failed.
    case database(file: String, text: String)
    /// Too many reads wait; try again later.
    case busy
    /// History was closed.
    case closed

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .otherJournal(let file, let found, let expected):
            "\(file) is the history of journal \(found), and this exchange's is \(expected): "
                + "move the file away, and history is written anew from the log"
        case .newerVersion(let file, let found, let known):
            "\(file) has version \(found), and this gateway knows up to \(known): install the "
                + "version that wrote it, or move the file away to write history anew"
        case .gap(let file, let cursor, let first):
            "\(file) ends at record \(cursor), and the feed continues at \(first): follow the log "
                + "from \(cursor + 1), or move the file away"
        case .damaged(let file, let text):
            "\(file) is damaged (\(text)): the next start keeps it aside, and history is written "
                + "anew from the log"
        case .database(let file, let text): "\(file): \(text)"
        case .busy: "too many reads of history wait; try again"
        case .closed: "history is closed"
        }
    }
}
