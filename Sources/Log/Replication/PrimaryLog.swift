// What replication needs of a primary's log, and what it reports to it.

public import Failover
public import Journal
public import Pipeline
public import Platform
public import Terms
internal import Wire

/// A primary's term, as replication needs it.
public struct PrimaryTerm: Hashable, Sendable {
    /// The term's epoch.
    public var epoch: UInt32
    /// The record's last forced failover.
    public var forced: ForcedStart?
    /// The replica that the gate requires.
    public var requirement: ReplicaID?
    /// The last record of a primary that is sealed; 0: it is not.
    public var sealedEnd: UInt64
    /// What the log uses: who knows less of logs cannot follow.
    public var level = LogLevel.oldest

    /// That term.
    public init(
        epoch: UInt32, forced: ForcedStart? = nil, requirement: ReplicaID? = nil,
        sealedEnd: UInt64 = 0
    ) {
        self.epoch = epoch
        self.forced = forced
        self.requirement = requirement
        self.sealedEnd = sealedEnd
    }
}

/// A primary's log. `ReplicationServer`'s thread calls all of it. Only the readers, which read the
/// disk, and `RecordFeed.attach` may block.
public protocol PrimaryLog: AnyObject, Sendable {
    /// The journal.
    var identity: JournalIdentity { get }
    /// This host's replica.
    var replica: ReplicaID { get }
    /// The etcd cluster that it belongs to; 0: not known.
    var cluster: UInt64 { get }
    /// This process.
    var process: ProcessNumber { get }
    /// The term as it is now. A higher epoch ends the peer's connection, so that it joins anew.
    var term: PrimaryTerm { get }
    /// The last record that was released.
    var commitPoint: UInt64 { get }
    /// The last record on this disk.
    var durable: UInt64 { get }
    /// The last record of the log, durable or not, sealed or not.
    var end: UInt64 { get }
    /// Whether no work has waited on engine or disk for too long: `BeaconRule.hasProgress`.
    var hasProgress: Bool { get }
    /// The log before it is on this disk: `Pipeline.sealedFeed`.
    var feed: any RecordFeed { get }
    /// The first record on disk.
    var first: UInt64 { get }
    /// A reader of the records on disk from `sequence` on.
    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader
    /// The newest whole snapshot of a sequence of at most `atMost`; nil where there is none.
    func snapshotFile(atMost: UInt64) -> SentSnapshot?

    /// The peer has these records: for `PeerRequirement.acknowledge`. In order.
    func acknowledged(_ acknowledgement: PeerAcknowledgement)
    /// A beacon of `epoch` that was sent at that time came back: for `ReleaseLease.echoed`, if it
    /// is this term's.
    func echoed(epoch: UInt32, sentAt: BootTime)
    /// `ReplicationServer.peer` changed in more than a time or a sequence: the peer joined, left,
    /// refused, or lacks records. The agent is to be informed.
    func peerChanged()
}

/// Records before they are on disk. One thread uses it; see `SealedFeed`, which is one.
public protocol RecordFeed: Sendable {
    /// Rings when there is more, when records were released, and when the term changed.
    var bell: Doorbell { get }
    /// Takes a place behind the record `sequence`; returns false if what follows it is not in
    /// memory.
    func attach(after sequence: UInt64) -> Bool
    /// Releases the place.
    func detach()
    /// Copies whole records that follow those before.
    func take(into room: UnsafeMutableRawBufferPointer) -> SealedFeed.Taken
}

extension SealedFeed: RecordFeed {
    /// Takes a place behind the record `sequence`; returns false if the ring does not have what
    /// follows it any more, or the pipeline did not answer within 20 ms.
    public func attach(after sequence: UInt64) -> Bool {
        attach(after: sequence, timeoutNanos: 20_000_000)
    }
}

/// A snapshot file on disk, whole, read piece by piece.
public struct SentSnapshot: Sendable {
    /// The last record in it.
    public var point: LogPoint
    /// Bytes of the file, header included.
    public var bytes: Int
    /// Returns `count` bytes from an offset, or throws.
    public var read: @Sendable (_ offset: Int, _ count: Int) throws(SinkError) -> [UInt8]

    /// That file.
    public init(
        point: LogPoint, bytes: Int,
        read: @escaping @Sendable (_ offset: Int, _ count: Int) throws(SinkError) -> [UInt8]
    ) {
        self.point = point
        self.bytes = bytes
        self.read = read
    }
}
