// One connection as the Link thread keeps it.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// A connection. Only the Link thread uses it; a feeder has the descriptor for writing while it
/// runs.
final class LinkConnection {
    /// How far the greeting is.
    enum Stage {
        /// Waits for `hello`.
        case greeting
        /// Waits for the proof that answers this challenge.
        case proving([UInt8])
        /// May submit, ask and subscribe.
        case ready
        /// Gets what is still to be sent, then is closed.
        case closing
    }

    /// What it gets of the log.
    enum Feed {
        case none
        /// Waits until its answers are sent, then is fed from disk.
        case waiting(from: UInt64, atMost: UInt64)
        /// A thread feeds it from disk.
        case feeding(Feeder)
        /// From the ring, from this position on.
        case live(UInt64)
    }

    let descriptor: Int32
    let slot: Int
    let use: UInt32
    let key: LinkKey?
    let role: LinkRole
    var stage = Stage.greeting
    var feed = Feed.none
    var hello: LinkHello?
    var input = InputBuffer()
    var output = OutputBuffer()
    /// When it has to have greeted, or to be gone once it is closing.
    var deadline: Int64
    /// The session of its last submission.
    var session: UInt32 = 0
    /// Writers' names whose sessions it asked for, in order.
    var queries: [Text40] = []
    /// A whole frame of commands waits for room in the ring.
    var isBlocked = false
    var interest = Poller.Interest.readable
    /// It is over, except that a feeder's thread still has the descriptor.
    var isAbandoned = false

    /// Most questions that wait for an answer.
    static var queriesMax: Int { 16 }

    init(
        _ descriptor: Int32, slot: Int, use: UInt32, key: LinkKey?, role: LinkRole, deadline: Int64
    ) {
        self.descriptor = descriptor
        self.slot = slot
        self.use = use
        self.key = key
        self.role = role
        self.deadline = deadline
    }

    var caller: Caller {
        Caller(slot: slot, use: use, wantsAcks: hello?.wantsAcks ?? false)
    }

    var isReady: Bool { if case .ready = stage { true } else { false } }
    var isClosing: Bool { if case .closing = stage { true } else { false } }
    var isFeeding: Bool { if case .feeding = feed { true } else { false } }

    /// Says what is wrong; the connection is closed once that is sent.
    func refuse(_ refusal: LinkRefusal) {
        guard !isClosing else { return }
        _ = output.append(.error(refusal))
        stage = .closing
        deadline = Clock.monotonicNanos() + 1_000_000_000
    }
}

/// Sends a follower what lies on disk, in a thread of its own, because disks and slow readers take
/// their time. It owns the writing side of the connection until it is done.
final class Feeder: Sendable {
    enum State: Int, AtomicRepresentable {
        case running
        case done
        case failed
    }

    let state = Atomic<State>(.running)
    /// Once it is done: the sequence that comes next.
    let next = Atomic<UInt64>(0)
    let isCancelled = Atomic<Bool>(false)
    private let descriptor: Int32
    private let stages: Stages
    private let history: any LogHistory
    private let gate: ReleaseGate

    /// Records behind the release gate where the ring can take over.
    static var nearMax: UInt64 { 4096 }
    /// How long a follower may take nothing before it is given up.
    static var stallNanosMax: Int64 { 60_000_000_000 }

    init(_ descriptor: Int32, _ stages: Stages, _ history: any LogHistory, _ gate: ReleaseGate) {
        self.descriptor = descriptor
        self.stages = stages
        self.history = history
        self.gate = gate
    }

    func run(from: UInt64, atMost: UInt64) {
        let result = feed(from: from, atMost: atMost)
        if let result { next.store(result, ordering: .relaxed) }
        state.store(result == nil ? .failed : .done, ordering: .releasing)
        stages.linkBell.ring()
    }

    private var released: UInt64 {
        gate.released(durable: stages.durable.now, applied: stages.applied.now)
    }

    /// Sends a snapshot where `from` is 0, then the log until it is near the release gate. Gives
    /// the sequence that comes next, or nil when the connection or the disk failed.
    private func feed(from: UInt64, atMost: UInt64) -> UInt64? {
        var next = from
        if from == 0 {
            next = 1
            if let snapshot = history.snapshot(atMost: min(atMost, released)) {
                guard send(snapshot) else { return nil }
                next = snapshot.sequence + 1
            }
        }
        guard next + Self.nearMax <= released || from == 0 || next <= released else { return next }
        guard let reader = try? history.records(from: next) else { return nil }
        var waited = 0
        while next <= released {
            var isSent = true
            var last = next - 1
            // A run may pass this by one record, and the longest have half a frame.
            let got = unsafe try? reader.next(
                upTo: released, bytesMax: LinkProtocol.frameBytesMax / 4
            ) {
                records in
                _ = unsafe LinkRecords.forEachRecord(records) { header, _ in last = header.sequence
                }
                isSent = unsafe self.send(records: records)
            }
            guard let got, isSent else { return nil }
            if got, last >= next {
                next = last + 1
                waited = 0
            } else {
                // The file may show a record a moment later than the gate does.
                waited += 1
                guard waited < 5000 else { return nil }
                usleep(1000)
            }
            if next + Self.nearMax > released { break }
        }
        return next
    }

    private func send(_ snapshot: HistorySnapshot) -> Bool {
        var encoder = LinkEncoder()
        encoder.append(
            .snapshot(
                LinkSnapshot(
                    sequence: snapshot.sequence, time: snapshot.time, epoch: snapshot.epoch,
                    stateHash: snapshot.stateHash, count: UInt64(snapshot.body.count))))
        var offset = 0
        while offset < snapshot.body.count {
            let end = min(offset + LinkProtocol.chunkBytesMax, snapshot.body.count)
            encoder.append(.chunk(Array(snapshot.body[offset..<end])))
            guard send(&encoder) else { return false }
            offset = end
        }
        return send(&encoder)
    }

    private func send(records: UnsafeRawBufferPointer) -> Bool {
        guard let run = unsafe LinkRecords(Array(records)) else { return false }
        var encoder = LinkEncoder()
        encoder.append(.records(run))
        return send(&encoder)
    }

    /// Sends all of it; waits for a slow reader, but not for ever.
    private func send(_ encoder: inout LinkEncoder) -> Bool {
        var deadline = Clock.monotonicNanos() + Self.stallNanosMax
        while !encoder.isEmpty {
            if isCancelled.load(ordering: .relaxed) { return false }
            var isGone = false
            unsafe encoder.drain { bytes in
                let sent = unsafe Glibc.send(
                    descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                if sent > 0 { return sent }
                isGone = errno != EAGAIN && errno != EINTR
                return 0
            }
            if isGone { return false }
            guard !encoder.isEmpty else { return true }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            if unsafe poll(&entry, 1, 100) > 0 {
                deadline = Clock.monotonicNanos() + Self.stallNanosMax
            } else if Clock.monotonicNanos() > deadline {
                return false
            }
        }
        return true
    }
}
