// What replication needs of a standby's log.

public import Journal
public import Pipeline
public import Platform

/// A standby's log. `ReplicationClient`'s thread calls all of it; `promise` also comes from the
/// thread that carries out orders. An error ends replication for good, a full disk only the
/// connection: the next one calls again.
///
/// Records are checked before they are passed: whole, with right CRCs, in order of sequence and
/// time, with an epoch that rises only at an EPOCH record.
public protocol StandbyLog: AnyObject, Sendable {
    /// The journal; nil if none was begun, as on a learner with an empty disk.
    var identity: JournalIdentity? { get }
    /// The etcd cluster that this host's replica belongs to; 0: not known.
    var cluster: UInt64 { get }
    /// The first record that the journal has, or will have: 1, or the one behind the snapshot that
    /// it began with.
    var first: UInt64 { get }
    /// The last record that was appended, durable or not; `LogPoint.start` where there is none.
    /// Where the journal begins behind a snapshot and has no record yet: the snapshot's.
    var last: LogPoint { get }
    /// That record's time.
    var lastTimestamp: Int64 { get }
    /// The last record that is on disk.
    var durable: UInt64 { get }
    /// Rings when `durable` advanced, when room became free, and after a fault.
    var bell: Doorbell { get }
    /// Why the log takes nothing more, such as a full disk or a failed sync; nil while it works.
    var failure: SinkError? { get }

    /// Begins an empty journal of this identity, before the first record or snapshot.
    func begin(_ identity: JournalIdentity) throws(SinkError)
    /// Takes whole records that follow `last`. Returns false, and takes none, if there is no room:
    /// the call is repeated when the bell has rung. At least `ReplicationOptions`'s window
    /// fits when all is durable.
    func append(_ records: UnsafeRawBufferPointer) throws(SinkError) -> Bool
    /// Makes all durable, then durably cuts what is behind `last`; what is cut is kept aside, as
    /// are snapshots of later records. `isForced`: released records may be cut, by a forced
    /// failover. On return `last` and `durable` are the new end. It may end the process instead,
    /// whose successor makes the cut.
    func cut(after last: UInt64, reason: String, isForced: Bool) throws(SinkError)
    /// A reader of the records from `sequence` on, as far as they are durable.
    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader

    /// A snapshot file of `bytes` bytes comes, whose last record is `point`; it will stand for all
    /// records up to there. What came of an earlier one is dropped.
    func beginSnapshot(_ point: LogPoint, bytes: Int) throws(SinkError)
    /// The file's next bytes.
    func snapshot(_ bytes: UnsafeRawBufferPointer) throws(SinkError)
    /// The file is whole: check it, set the journal there is aside, and begin anew behind it. On
    /// return `first`, `last`, `lastTimestamp` and `durable` are as of the snapshot.
    func adoptSnapshot() throws(SinkError)

    /// Followers, the auditor and snapshots may see up to `visible`; the sync marks may say that
    /// the records up to `released` of this journal were released. Neither decreases except by a
    /// cut.
    func show(visible: UInt64, released: UInt64)
    /// Makes the promise durable: no epoch below `epoch` is followed any more.
    func promise(_ epoch: UInt32) throws(SinkError)
}
