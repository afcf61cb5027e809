// A primary's log, on the pipeline.

internal import Failover
internal import Journal
internal import Pipeline
internal import Platform
internal import Replication
internal import Synchronization
internal import Terms

/// The log of a process that leads.
final class PipelinePrimaryLog: PrimaryLog {
    private let parts: ReplicaParts
    private let work: WorkWatch
    private let shared: Mutex<PrimaryTerm>
    let identity: JournalIdentity
    let replica: ReplicaID
    let cluster: UInt64
    let process: ProcessNumber
    let first: UInt64
    let feed: any RecordFeed
    /// The peer joined, left or refused: a report is due.
    let hasChanged = Atomic<Bool>(false)

    init(
        _ parts: ReplicaParts, _ file: ReplicaFile, process: ProcessNumber, work: WorkWatch,
        term: PrimaryTerm
    ) {
        self.parts = parts
        self.work = work
        self.process = process
        identity = file.identity
        (replica, cluster) = (file.replica, file.cluster)
        first = file.first
        shared = Mutex(term)
        feed = parts.pipeline.sealedFeed
    }

    /// The term. Setting it wakes the replication thread.
    var term: PrimaryTerm {
        get { shared.withLock { $0 } }
        set {
            shared.withLock { $0 = newValue }
            feed.bell.ring()
        }
    }

    var commitPoint: UInt64 { parts.pipeline.released }
    var durable: UInt64 { parts.pipeline.durable }
    var end: UInt64 { parts.pipeline.applied }
    var hasProgress: Bool { work.hasProgress }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        try parts.history.records(from: sequence)
    }

    func snapshotFile(atMost: UInt64) -> SentSnapshot? { nil }

    func acknowledged(_ acknowledgement: PeerAcknowledgement) {
        parts.set.acknowledge(acknowledgement)
    }

    func echoed(epoch: UInt32, sentAt: BootTime) {
        if epoch == term.epoch { parts.set.echoed(sentAt: sentAt) }
    }

    func peerChanged() { hasChanged.store(true, ordering: .releasing) }
}
