// How far the log is released.

import Platform
import Synchronization

/// A position in the log behind a record.
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

/// How far the log is released: what is durable here and on the peer that is required. It never
/// goes back. The Link thread advances it once a turn; nothing sent in that turn is beyond it.
struct ReleaseGate {
    /// The end of what is released.
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
