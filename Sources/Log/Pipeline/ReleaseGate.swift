// What may leave matchd.

import Platform
import Synchronization

/// A place in the log: behind a record.
struct RingPoint: Hashable, Sendable {
    /// The record; 0 before the first.
    var sequence: UInt64
    /// Where the next one goes, in the log ring.
    var position: UInt64
}

/// How far the log is durable: one thread advances it, any may read both halves of one moment.
final class PointCursor: Sendable {
    private let version = Atomic<UInt64>(0)
    private let sequence: Atomic<UInt64>
    private let position = Atomic<UInt64>(0)

    init(sequence: UInt64) { self.sequence = Atomic(sequence) }

    /// The point, and all that was written before it.
    var now: RingPoint {
        while true {
            let before = version.load(ordering: .acquiring)
            let point = RingPoint(
                sequence: sequence.load(ordering: .relaxed),
                position: position.load(ordering: .relaxed))
            atomicMemoryFence(ordering: .acquiring)
            if before & 1 == 0, version.load(ordering: .relaxed) == before { return point }
        }
    }

    /// Sets the point. By its one writer only.
    func advance(to point: RingPoint) {
        let next = version.load(ordering: .relaxed)
        version.store(next + 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        sequence.store(point.sequence, ordering: .relaxed)
        position.store(point.position, ordering: .relaxed)
        version.store(next + 2, ordering: .releasing)
    }
}

/// Who has to have a record before it may leave. The owner changes it while the pipeline runs; a
/// change takes effect at one sequence, which it is given.
///
/// Safe to use from several threads. Without a peer the set holds this host alone for ever.
public final class InSyncSet: Sendable {
    /// What the gate waits for, beside this host's disk.
    public enum Rule: Sendable, Hashable {
        /// Nothing.
        case alone
        /// The peer has the record durable and matched, in this epoch.
        case peer(epoch: UInt32)
        /// It is shut: nothing more leaves.
        case held
    }

    private struct State {
        var rule = Rule.alone
        /// Changes of the rule so far.
        var version: UInt64 = 0
        /// The last change that the Link thread has taken.
        var taken: UInt64 = 0
        /// The last record that was released when it took that change.
        var boundary: UInt64 = 0
        /// The last record that the peer has, in the epoch of the rule.
        var matched: UInt64 = 0
        var peer = ""
        /// Wakes the Link thread.
        var bell: Doorbell?
    }
    private let state: Mutex<State>

    /// A set that begins with this rule.
    public init(_ rule: Rule = .alone) {
        var state = State()
        state.rule = rule
        self.state = Mutex(state)
    }

    /// Changes the rule, and waits until it is in force; gives the last record that was released
    /// under the old one, or nil where the pipeline did not take it within `timeoutNanos`: then it
    /// may take effect at any time.
    ///
    /// An acknowledgement counts only when it comes after the change that requires the peer.
    public func change(
        to rule: Rule, peer: String = "", timeoutNanos: Int64 = 1_000_000_000
    ) -> UInt64? {
        let version = state.withLock { state in
            state.rule = rule
            state.peer = peer
            state.matched = 0
            state.version += 1
            state.bell?.ring()
            return state.version
        }
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while Clock.monotonicNanos() < deadline {
            let boundary = state.withLock { $0.taken >= version ? $0.boundary : nil }
            if let boundary { return boundary }
            Clock.sleep(nanos: 50_000)
        }
        return nil
    }

    /// The peer has all up to `sequence` durable and matched, as a process of `epoch` says. What is
    /// of another epoch, or no more than before, counts for nothing.
    public func acknowledge(epoch: UInt32, sequence: UInt64) {
        state.withLock { state in
            guard state.rule == .peer(epoch: epoch), sequence > state.matched else { return }
            state.matched = sequence
            state.bell?.ring()
        }
    }

    /// What the peer has: nil where it is not in the set.
    var peer: (name: String, matched: UInt64)? {
        state.withLock { state in
            if case .peer = state.rule { (state.peer, state.matched) } else { nil }
        }
    }

    func attach(_ bell: Doorbell) { state.withLock { $0.bell = bell } }

    /// The last record that may leave as far as this set goes. By the Link thread, once a turn,
    /// with what it has released.
    func limit(released: UInt64) -> UInt64 {
        state.withLock { state in
            if state.taken != state.version {
                state.taken = state.version
                state.boundary = released
            }
            return switch state.rule {
            case .alone: .max
            // What has left stays out.
            case .peer: max(released, state.matched)
            case .held: released
            }
        }
    }
}

/// How far the log has left: what is durable here and on every peer in the in-sync set. It never
/// goes back. The Link thread advances it once a turn, and everything that leaves in that turn, to
/// whomever, ends there.
struct ReleaseGate {
    /// What has left.
    private(set) var point: RingPoint

    init(sequence: UInt64) { point = RingPoint(sequence: sequence, position: 0) }

    /// Opens up to what is durable here and at most to the record `limit`.
    mutating func advance(durable: RingPoint, limit: UInt64, log: ByteRing) {
        guard durable.position > point.position else { return }
        if durable.sequence <= limit {
            point = durable
            return
        }
        while point.position < durable.position {
            let (bytes, start) = unsafe log.piece(point.position, durable.position)
            var offset = 0
            while offset < bytes.count {
                let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
                if length == 0 { break }
                let sequence = unsafe bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
                if sequence > limit { return }
                offset += length
                point = RingPoint(sequence: sequence, position: start + UInt64(offset))
            }
            point.position = start + UInt64(offset)
        }
    }
}
