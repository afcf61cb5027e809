// The log on disk, for followers that begin before what the ring holds.

/// Reads the journal and the snapshots beside it. Used by threads that feed followers, several at a
/// time.
public protocol LogArchive: Sendable {
    /// The newest snapshot that is whole, of a sequence of at most `atMost`; nil where there is
    /// none.
    func snapshot(atMost: UInt64) -> ArchivedSnapshot?
    /// A reader of the records from `sequence` on.
    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader
}

/// A snapshot on disk, read piece by piece: followers that begin at the same time share it, and
/// none of them holds it in memory.
public struct ArchivedSnapshot: Sendable {
    /// The last record in it.
    public var sequence: UInt64
    /// That record's time.
    public var time: Int64
    /// That record's epoch.
    public var epoch: UInt32
    /// That record's CRC; 0 where it is not known.
    public var crc: UInt32
    /// Its state's hash.
    public var stateHash: UInt64
    /// Bytes of what `Engine(snapshot:)` takes.
    public var count: Int
    /// Returns `count` bytes from an offset, or throws.
    public var read: @Sendable (_ offset: Int, _ count: Int) throws(SinkError) -> [UInt8]

    /// A snapshot.
    public init(
        sequence: UInt64, time: Int64, epoch: UInt32, crc: UInt32 = 0, stateHash: UInt64,
        count: Int,
        read: @escaping @Sendable (_ offset: Int, _ count: Int) throws(SinkError) -> [UInt8]
    ) {
        (self.sequence, self.time, self.epoch, self.crc) = (sequence, time, epoch, crc)
        (self.stateHash, self.count, self.read) = (stateHash, count, read)
    }
}

/// Reads records in order.
public protocol RecordReader: AnyObject {
    /// Calls `body` with whole records that follow those before, of a sequence of at most `upTo`,
    /// about `bytesMax` bytes at most; false when there is none yet.
    func next(
        upTo: UInt64, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(SinkError) -> Bool
}
