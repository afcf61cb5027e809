// The wallet's coins, as a session's replica goes on. One owner at a time.

public import Engine
public import Payments
public import Wire

/// Keeps the coins of the log that a session follows.
public final class CoinKeeper {
    /// The coins.
    public private(set) var table: CoinTable

    /// Coins that are known up to some record.
    public init(_ table: CoinTable = CoinTable()) { self.table = table }

    /// Takes a record that the replica has applied.
    public func see(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) {
        unsafe table.see(header, record, outcome, engine)
    }
}
