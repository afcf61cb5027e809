// Between the follower and the history: gathers records into batches.

public import Engine
public import Wire

/// Gathers the records of the feed into batches for a history. Owned by the engine replica's owner.
///
/// Call `add` after each record, `flush` when the records at hand are done and before a read that
/// must see them. While `isBackedUp`, take no more from the feed, and call `flush` again after a
/// while.
public struct HistoryFeed: Sendable {
    /// Rows after which a batch is handed on without waiting for `flush`.
    public static var batchRowsMax: Int { 4_096 }

    /// Where the batches go.
    public let history: History
    /// The last record that was handed to the history or is in the batch.
    public private(set) var sequence: UInt64
    /// Whether the history took no more: stop feeding until `flush` gives true.
    public private(set) var isBackedUp = false
    private var batch = HistoryBatch()

    /// A feed that goes on behind what the file held when it was opened.
    public init(_ history: History) {
        self.history = history
        sequence = history.openedAt
    }

    /// Takes the record that `engine` applied last; one that is in the history is passed over.
    public mutating func add(_ header: RecordHeader, _ engine: borrowing Engine) {
        if header.sequence <= sequence { return }
        batch.add(header, engine)
        sequence = header.sequence
        if batch.rows >= Self.batchRowsMax { flush() }
    }

    /// Hands on what is gathered. False when the history takes no more for now.
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
