// What the stages of matchd share: three rings, and one cursor for each stage.
//
//   sockets ─► Link thread ─► requests ─► engine thread ─► log ─► journal thread ─► disk
//                   ▲                          │            │            │
//                   │                          ▼            ▼         durable
//                   └──────────────────────  answers, records, up to the release gate
//
// Every cursor has one writer, but for `senderPosition`: whoever holds `sender`. The engine thread
// never waits for a disk or a socket unless a ring is full, and the rings are as large as the
// longest stall that they have to cover.

import Histogram
import Link
import Platform
import Synchronization
import Terms

/// The shared memory of one pipeline.
final class Stages: Sendable {
    /// Link thread → engine thread.
    let requests: ByteRing
    /// Engine thread → journal thread and Link thread: whole records.
    let log: ByteRing
    /// Engine thread → Link thread.
    let answers: ByteRing

    /// Requests that the engine thread has taken, as a position.
    let requestsTaken = Cursor()
    /// Answers that the Link thread has taken, as a position.
    let answersTaken = Cursor()
    /// Records whose checksums are in, as a position: they may go to a peer. By the journal thread.
    let sealedPosition = Cursor()
    /// Records on this disk. By the journal thread.
    let durable: PointCursor
    /// The last record that the engine applied. By the engine thread.
    let applied: Cursor
    /// The last record that has passed the release gate. By the Link thread, once a turn.
    let released: Cursor
    /// Records before this position are not read by the Link thread any more.
    let retained = Cursor()
    /// Records before this position are not read by a peer's sender any more; all ones without one.
    let senderPosition = Cursor(.max)
    /// The sender's place in the ring.
    let sender = Mutex(SenderPlace())
    /// The epoch of the term. By the engine thread.
    let epoch: Cursor
    /// The epoch that the owner wants.
    let epochWanted = Atomic<UInt32>(0)
    /// The version of the rules in force. By the engine thread.
    let rules: Cursor
    /// The newest that the owner wants in force.
    let rulesWanted: Atomic<UInt32>
    /// How its first record is to be.
    let termWanted = Mutex(TermStart())
    /// The first record of the newest term that this process has begun; 0: none. By the engine
    /// thread.
    let termStart = Cursor()
    /// Whether the log comes from a primary, through a `StandbyIntake`. By the engine thread.
    let isFollowing: Atomic<Bool>
    /// Whether the owner wants this process to lead: nothing comes from a primary any more.
    let isLeadWanted = Atomic<Bool>(false)
    /// Whether the owner wants this process, whose log is held, to follow again.
    let isFollowWanted = Atomic<Bool>(false)
    /// Records before this position are applied; all ones while this process does not follow. By
    /// the engine thread.
    let enginePosition = Cursor(.max)
    /// Whether commands wait outside. By the owner.
    let isIntakeHeld = Atomic<Bool>(false)
    /// Whether all that was taken is in the log and nothing is added, not even by time: the last
    /// record is a hash mark. By the engine thread.
    let isLogHeld = Atomic<Bool>(false)
    /// What this matchd is: a raw `LinkServerRole`. By the owner.
    let role: Atomic<UInt32>
    /// Connections that have a command held back, by slot. By the engine thread.
    let held: [HeldFlag]
    /// Gateways that are bound to their names. By the Link thread.
    let gateways = GatewayNames()
    /// Bytes of the commands that are held back. By the engine thread.
    let heldBytes = Cursor()
    /// The host's clock compared with the log's.
    let clock = ClockReport()
    /// Commands refused because the process died twice with them.
    let poisoned = Cursor()
    /// Commands of writers so far.
    let commands = Cursor()
    /// The last hash mark's sequence.
    let hashMark = Cursor()
    /// Turns of the engine thread's loop: it is alive while this rises.
    let turns = Cursor()

    /// Wakes the engine thread: there are requests.
    let sequencerPark = Parking()
    /// Wakes the journal thread: there are records.
    let journalPark = Parking()
    /// Wakes the Link thread: something became durable, or may be answered.
    let linkBell: Doorbell
    /// Wake replication to a standby, and from a primary: more is sealed, durable, released or
    /// applied. Both threads run all the time.
    let sealedBell: Doorbell
    let standbyBell: Doorbell

    /// Set by the journal thread: free space is below the reserve.
    let isBelowReserve = Atomic<Bool>(false)
    /// The Link thread takes no more requests; what is in the ring is all there will be.
    let intakeClosed = Atomic<Bool>(false)
    /// The engine thread has written its last record.
    let logClosed = Atomic<Bool>(false)
    /// All of the log is on disk.
    let journalClosed = Atomic<Bool>(false)
    /// The owner wants the pipeline to end.
    let isStopping = Atomic<Bool>(false)
    /// A stage met a fault: nothing more is released.
    let hasFailed = Atomic<Bool>(false)
    /// How many followers were refused because the journal could not be read, and the last error.
    let unreadable = Mutex<(count: UInt64, error: SinkError?)>((0, nil))
    /// The owner's, for the first fault.
    private let onFault: @Sendable (SinkError) -> Void

    let syncStats = SyncStats()
    /// Samples of where commands spend their time; nil: none are taken.
    let trace: LatencyTrace?

    /// The end of the ring of commands, bytes, that only operators' requests may take.
    static var operatorRequestBytes: Int { 1 << 20 }

    init(
        requestBytes: Int, logBytes: Int, answerBytes: Int, connections: Int, sequence: UInt64,
        epoch: UInt32, rules: UInt32, role: LinkServerRole, isFollowing: Bool,
        trace: LatencyTrace?,
        onFault: @escaping @Sendable (SinkError) -> Void
    ) throws(SystemError) {
        self.onFault = onFault
        precondition(
            requestBytes >= 2 * Self.operatorRequestBytes, "gateways have room for a whole frame")
        self.trace = trace
        linkBell = try Doorbell()
        sealedBell = try Doorbell()
        standbyBell = try Doorbell()
        requests = ByteRing(size: requestBytes)
        log = ByteRing(size: logBytes)
        answers = ByteRing(size: answerBytes)
        durable = PointCursor(sequence: sequence)
        applied = Cursor(sequence)
        released = Cursor(sequence)
        self.isFollowing = Atomic(isFollowing)
        self.epoch = Cursor(UInt64(epoch))
        self.rules = Cursor(UInt64(rules))
        // Without a peer all that the engine knows.
        rulesWanted = Atomic(isFollowing ? 0 : .max)
        self.role = Atomic(role.rawValue)
        held = (0..<connections).map { _ in HeldFlag() }
    }

    /// Wakes replication in both directions.
    func wakeReplication() {
        sealedBell.ring()
        standbyBell.ring()
    }

    /// Ends the pipeline after a fault, and gives the first one to the owner. Any thread.
    func fail(_ fault: SinkError) {
        guard !hasFailed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        onFault(fault)
        linkBell.ring()
        wakeReplication()
        sequencerPark.unpark()
    }
}

/// Which connection of a slot has commands held back. It names the connection, not the slot: the
/// next connection in the slot must not inherit the flag. The engine thread sets it.
package final class HeldFlag: Sendable {
    /// A raw `Caller`; 0: none.
    private let caller = Atomic<UInt32>(0)

    /// No connection is flagged.
    package init() {}

    /// Whether this connection is flagged.
    package func isHolding(_ raw: UInt32) -> Bool { caller.load(ordering: .acquiring) == raw }

    /// Flags this connection; an earlier one of the slot is gone.
    package func hold(_ raw: UInt32) { caller.store(raw, ordering: .releasing) }

    /// Clears this connection's flag.
    package func free(_ raw: UInt32) {
        if caller.load(ordering: .relaxed) == raw { caller.store(0, ordering: .releasing) }
    }
}

/// The host's clock compared with the log's, at the engine thread's last reading.
final class ClockReport: Sendable {
    /// The host's clock minus the log's, ns.
    let offset = Atomic<Int64>(0)
    /// The log's time minus CLOCK_BOOTTIME, ns.
    let line = Atomic<Int64>(0)
    /// Jumps of the host's clock.
    let jumps = Atomic<UInt64>(0)
    /// The last of them, ns.
    let lastJump = Atomic<Int64>(0)
    /// Whether the host's clock is too far away to be followed.
    let isApart = Atomic<Bool>(false)

    func publish(_ clock: LogClock) {
        offset.store(clock.offset, ordering: .relaxed)
        line.store(clock.line, ordering: .relaxed)
        jumps.store(clock.jumps, ordering: .relaxed)
        lastJump.store(clock.lastJump, ordering: .relaxed)
        isApart.store(clock.isApart, ordering: .relaxed)
    }
}

/// How long group commits take: the last 1,024 to 2,047, as percentiles.
final class SyncStats: Sendable {
    /// Median, ns.
    let p50 = Atomic<UInt64>(0)
    /// 99th percentile, ns.
    let p99 = Atomic<UInt64>(0)
    /// Group commits since the start.
    let count = Atomic<UInt64>(0)
    /// Free bytes on the journal's disk.
    let diskFree = Atomic<UInt64>(0)

    /// The journal thread's side.
    struct Recorder {
        let stats: SyncStats
        /// The latest, fewer than 1,024, and the 1,024 before them.
        var (latest, before) = (Self.empty, Self.empty)
        var published: Int64 = 0

        /// Two significant digits; a commit longer than a minute counts as a minute.
        private static var empty: Histogram<UInt32> {
            Histogram(highestTrackableValue: nanosMax, numberOfSignificantValueDigits: .two)
        }

        private static var nanosMax: UInt64 { 60_000_000_000 }

        /// How often the percentiles are computed, which takes as long as a short write.
        static var publishNanos: Int64 { 250_000_000 }

        init(_ stats: SyncStats) { self.stats = stats }

        /// Takes one duration, which ended now.
        mutating func record(nanos: UInt64, at now: Int64) {
            latest.record(min(nanos, Self.nanosMax))
            let total = stats.count.load(ordering: .relaxed) + 1
            stats.count.store(total, ordering: .relaxed)
            if now - published >= Self.publishNanos || total < 16 { publish(at: now) }
            guard latest.totalCount == 1_024 else { return }
            swap(&latest, &before)
            latest.reset()
        }

        private mutating func publish(at now: Int64) {
            published = now
            var all = before
            all.add(latest)
            stats.p50.store(all.valueAtPercentile(50), ordering: .relaxed)
            stats.p99.store(all.valueAtPercentile(99), ordering: .relaxed)
        }
    }
}
