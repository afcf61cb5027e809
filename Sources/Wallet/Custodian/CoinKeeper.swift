// The wallet's coins, as a session's replica goes on. One owner at a time.

public import Engine
public import Payments
public import Wire

/// Keeps the coins of the log that a session follows.
public final class CoinKeeper {
    /// The coins.
    public private(set) var table: CoinTable
    /// Whether the log has another record than the last one that the coins had seen: they are of
    /// another log, and nothing may be planned with them.
    public private(set) var isOfOtherLog = false

    /// Coins that are known up to some record.
    public init(_ table: CoinTable = CoinTable()) { self.table = table }

    /// Forgets all of them: the log is read from its start.
    public func forget() { (table, isOfOtherLog) = (CoinTable(), false) }

    /// Takes a record that the replica has applied.
    public func see(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) {
        if header.sequence == table.sequence, header.crc != table.crc { isOfOtherLog = true }
        unsafe table.see(header, record, outcome, engine)
    }
}
