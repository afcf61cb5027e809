// A primary's log: a real journal, and a small memory of records before they are on disk.

import Failover
import Journal
import Pipeline
import Platform
import Replication
import Synchronization
import Terms
import Testing
import Wire

/// Records in memory: what `SealedFeed` is to the pipeline's ring, with the same rule for who falls
/// behind.
final class MemoryFeed: RecordFeed {
    struct State {
        var records: [[UInt8]] = []
        var bytes = 0
        /// The sequence of the first one that is there.
        var first: UInt64 = 1
        var place: UInt64?
        var attached = 0
        var lost = 0
    }

    let bell: Doorbell
    let state: Mutex<State>
    private let size: Int

    init(size: Int, next: UInt64) throws {
        bell = try Doorbell()
        self.size = size
        var state = State()
        state.first = next
        self.state = Mutex(state)
    }

    /// The next record stands in memory with a bit turned.
    let damagesNext = Atomic<Bool>(false)

    /// Forgets all that is in memory.
    func clear() {
        state.withLock { state in
            state.first += UInt64(state.records.count)
            (state.records, state.bytes, state.place) = ([], 0, nil)
        }
    }

    func put(_ whole: [UInt8]) {
        var record = whole
        if damagesNext.exchange(false, ordering: .acquiringAndReleasing) { record[50] ^= 4 }
        state.withLock { state in
            state.records.append(record)
            state.bytes += record.count
            while state.bytes > size {
                state.bytes -= state.records.removeFirst().count
                state.first += 1
            }
            // More than half of it behind.
            if let place = state.place {
                let behind = state.first + UInt64(state.records.count) - place
                if behind > UInt64(state.records.count / 2), state.bytes > size / 2 {
                    state.place = nil
                    state.lost += 1
                }
            }
        }
        bell.ring()
    }

    func attach(after sequence: UInt64) -> Bool {
        state.withLock { state in
            let end = state.first + UInt64(state.records.count)
            guard sequence + 1 >= state.first, sequence < end else { return false }
            state.place = sequence + 1
            state.attached += 1
            return true
        }
    }

    func detach() { state.withLock { $0.place = nil } }

    func take(into room: UnsafeMutableRawBufferPointer) -> SealedFeed.Taken {
        state.withLock { state in
            guard let place = state.place else { return .behind }
            guard place >= state.first else {
                state.place = nil
                return .behind
            }
            var index = Int(place - state.first)
            var count = 0
            while index < state.records.count, count + state.records[index].count <= room.count {
                let record = state.records[index]
                unsafe UnsafeMutableRawBufferPointer(rebasing: room[count...])
                    .copyBytes(from: record)
                count += record.count
                index += 1
            }
            guard count > 0 else { return .none }
            state.place = state.first + UInt64(index)
            return .records(bytes: count, last: state.first + UInt64(index) - 1)
        }
    }
}

/// What a primary heard.
struct PrimaryHeard {
    var gate: PeerRequirement
    var acknowledgements: [PeerAcknowledgement] = []
    var echoes: [(epoch: UInt32, sentAt: BootTime)] = []
    var changes = 0
}

/// A primary's log over a disk.
final class TestPrimaryLog: PrimaryLog {
    let disk: ReplicaDisk
    let process: ProcessNumber
    let memory: MemoryFeed
    let writer: JournalWriter
    private let owned: Mutex<PrimaryTerm>
    let heard: Mutex<PrimaryHeard>
    private let counter: Atomic<UInt64>
    private let works = Atomic<Bool>(true)
    let snapshot = Mutex<SentSnapshot?>(nil)
    let firstKept = Atomic<UInt64>(1)
    var cluster: UInt64 { disk.cluster }

    init(
        _ disk: ReplicaDisk, epoch: UInt32, forced: ForcedStart? = nil, process: UInt64 = 1,
        memory size: Int = 1 << 20, commit: UInt64 = 0
    ) throws {
        self.disk = disk
        self.process = ProcessNumber(process)
        writer = try disk.open()
        memory = try MemoryFeed(size: size, next: writer.lastSequence + 1)
        owned = Mutex(PrimaryTerm(epoch: epoch, forced: forced))
        var gate = PeerRequirement(released: max(commit, writer.commitPoint))
        gate.begin(epoch: epoch, requiring: nil)
        heard = Mutex(PrimaryHeard(gate: gate))
        counter = Atomic(writer.lastSequence)
        if epoch > writer.last.epoch { try add(1, epoch: epoch) }
    }

    /// Appends records: to memory first, as they are sealed, then to the disk unless `isDurable` is
    /// false.
    func add(_ count: Int, epoch: UInt32? = nil, salt: UInt64 = 0, isDurable: Bool = true) throws {
        for _ in 0..<count {
            let next = end + 1
            let epoch = epoch ?? term.epoch
            let record =
                next == 1
                ? makeGenesis()
                : epoch > writer.last.epoch
                    ? makeEpochMark(next, epoch: epoch, salt: salt)
                    : makeRecord(next, epoch: epoch, salt: salt)
            counter.store(next, ordering: .releasing)
            memory.put(record)
            unsafe try withBytes(record) { bytes throws(JournalError) in
                unsafe try writer.append(bytes)
            }
        }
        if isDurable { try sync() }
    }

    func sync() throws {
        try writer.sync()
        release()
    }

    func set(_ change: (inout PrimaryTerm) -> Void) {
        owned.withLock { change(&$0) }
        memory.bell.ring()
    }

    func setProgress(_ works: Bool) { self.works.store(works, ordering: .releasing) }

    /// The gate requires this replica, or none.
    func require(_ replica: ReplicaID?) {
        set { $0.requirement = replica }
        heard.withLock { $0.gate.require(replica) }
        release()
    }

    func release() {
        let durable = writer.durableSequence
        let released = heard.withLock { $0.gate.release(durable: durable) }
        writer.noteCommit(released)
        memory.bell.ring()
    }

    // MARK: PrimaryLog

    var identity: JournalIdentity { ReplicaDisk.identity }
    var replica: ReplicaID { disk.replica }
    var term: PrimaryTerm { owned.withLock { $0 } }
    var commitPoint: UInt64 { heard.withLock { $0.gate.released } }
    var durable: UInt64 { writer.durableSequence }
    var end: UInt64 { counter.load(ordering: .acquiring) }
    var hasProgress: Bool { works.load(ordering: .acquiring) }
    var feed: any RecordFeed { memory }
    var first: UInt64 { firstKept.load(ordering: .acquiring) }

    func records(from sequence: UInt64) throws(SinkError) -> any RecordReader {
        DiskReader(disk.place.directory, sequence)
    }

    func snapshotFile(atMost: UInt64) -> SentSnapshot? {
        snapshot.withLock { $0.flatMap { $0.point.sequence <= atMost ? $0 : nil } }
    }

    func acknowledged(_ acknowledgement: PeerAcknowledgement) {
        heard.withLock {
            $0.acknowledgements.append(acknowledgement)
            $0.gate.acknowledge(acknowledgement)
        }
        release()
    }

    func echoed(epoch: UInt32, sentAt: BootTime) {
        heard.withLock { $0.echoes.append((epoch, sentAt)) }
    }

    func peerChanged() { heard.withLock { $0.changes += 1 } }

    /// How many beacons came back, once those that were on their way have arrived.
    func settledEchoes() -> Int {
        var count = -1
        eventually {
            let before = count
            count = heard.withLock { $0.echoes.count }
            if count != before { Clock.sleep(nanos: 200_000_000) }
            return count == before
        }
        return count
    }
}
