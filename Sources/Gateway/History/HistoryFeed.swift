// Between the follower and the history: gathers records into batches.

public import Engine
public import Wire

/// Gathers the records of the feed into batches for a history. Owned by the engine replica's owner.
///
/// Call `add` after each record, and `flush` after the records at hand and before a read that must
/// see them. While `isBackedUp`, stop feeding and call `flush` again after a while.
public struct HistoryFeed: Sendable {
    /// Rows after which a batch is passed on without waiting for `flush`.
    public static var batchRowsMax: Int { 4_096 }

    /// Where the batches go.
    public let history: History
    /// The last record passed to the history or in the batch.
    public private(set) var sequence: UInt64
    /// Whether the history is full: stop feeding until `flush` returns true.
    public private(set) var isBackedUp = false
    private var batch = HistoryBatch()

    /// A feed that continues after the last record in the file when it was opened.
    public init(_ history: History) {
        self.history = history
        sequence = history.openedAt
    }

    /// Takes the record that `engine` applied last; one that is in the history is skipped.
    /// `credit` is its command where that credits a deposit: the event does not say which.
    public mutating func add(
        _ header: RecordHeader, _ engine: borrowing Engine, credit: CreditDeposit? = nil
    ) {
        if header.sequence <= sequence { return }
        batch.add(header, engine, credit: credit)
        sequence = header.sequence
        if batch.rows >= Self.batchRowsMax { flush() }
    }

    /// Passes on what is gathered. False when the history takes no more for now.
    @discardableResult
    public mutating func flush() -> Bool {
        if history.append(batch) {
            if !batch.isEmpty { batch = HistoryBatch() }
            isBackedUp = false
        } else {
            isBackedUp = true
        }
        return !isBackedUp
    }
}
