// The log before it is released, for replication.

import Glibc
public import Platform
import Synchronization

/// Supplies sealed records as soon as they have checksums, before they are on this disk: a standby
/// that got released records only would wait for its own acknowledgement.
///
/// One thread uses it. Its cursor keeps the ring from overwriting what is not sent; a sender that
/// falls more than half a ring behind loses its place and reads the journal on disk until it has
/// caught up.
public final class SealedFeed: Sendable {
    /// Rings when something was sealed. Arm it before the last look, as `Doorbell` says.
    public let bell: Doorbell
    private let stages: Stages

    init(_ stages: Stages) {
        self.stages = stages
        bell = stages.sealedBell
    }

    /// The result of `take`.
    public enum Taken: Hashable, Sendable {
        /// Whole records of this many bytes, and the last one's sequence.
        case records(bytes: Int, last: UInt64)
        /// Nothing new.
        case none
        /// The place in the ring is lost, or was never there: read the journal on disk, then
        /// `attach` again.
        case behind
    }

    /// Takes a place behind the record `sequence`; false where the ring does not have what follows
    /// it any more, or the pipeline did not answer within `timeoutNanos`.
    public func attach(after sequence: UInt64, timeoutNanos: Int64 = 1_000_000_000) -> Bool {
        let version = stages.sender.withLock { sender in
            sender.wanted = sequence
            sender.version += 1
            sender.position = nil
            return sender.version
        }
        stages.linkBell.ring()
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while Clock.monotonicNanos() < deadline {
            let isFound = stages.sender.withLock { sender in
                sender.answered >= version ? sender.position != nil : nil
            }
            if let isFound { return isFound }
            Clock.sleep(nanos: 50_000)
        }
        detach()
        return false
    }

    /// Releases the place.
    public func detach() {
        stages.sender.withLock { sender in
            sender.position = nil
            sender.wanted = nil
            stages.senderPosition.advance(to: .max)
        }
    }

    /// Copies whole sealed records that follow those before into `room`, which holds the largest
    /// record at least.
    public func take(into room: UnsafeMutableRawBufferPointer) -> Taken {
        guard let position = stages.sender.withLock({ $0.position }) else { return .behind }
        let end = stages.sealedPosition.now
        guard position < end else { return .none }
        let (bytes, start) = unsafe stages.log.piece(position, end)
        let copied = min(bytes.count, room.count)
        unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[0..<copied]))
        // The place may have been withdrawn during the copy: then what was copied is invalid.
        let count: Int? = stages.sender.withLock { sender in
            guard sender.position == position else { return nil }
            let count = unsafe LinkServer.wholeRecords(
                UnsafeRawBufferPointer(rebasing: room[0..<copied]), copied)
            sender.position = start + UInt64(count)
            stages.senderPosition.advance(to: start + UInt64(count))
            return count
        }
        guard let count else { return .behind }
        guard count > 0 else { return .none }
        var last: UInt64 = 0
        var offset = 0
        while offset < count {
            unsafe last = room.load(fromByteOffset: offset + 8, as: UInt64.self)
            offset += Int(unsafe room.load(fromByteOffset: offset, as: UInt32.self))
        }
        return .records(bytes: count, last: last)
    }
}

/// The sender's place, between it and the Link thread.
struct SenderPlace {
    /// Attaches asked for, and answered.
    var version: UInt64 = 0
    var answered: UInt64 = 0
    /// The record behind which a place is wanted.
    var wanted: UInt64?
    /// The next record that is not taken; nil: no place.
    var position: UInt64?
}

extension LinkServer {
    /// Assigns the sender the place that it asked for, or withdraws its place if it is too far
    /// behind. To be called before `retained` advances.
    func placeSender() {
        stages.sender.withLock { sender in
            if sender.answered != sender.version {
                sender.answered = sender.version
                sender.position = sender.wanted.flatMap { sealedPosition(after: $0) }
                sender.wanted = nil
                stages.senderPosition.advance(to: sender.position ?? .max)
            } else if let position = sender.position,
                stages.log.head.now > position + UInt64(stages.log.size / 2)
            {
                sender.position = nil
                stages.senderPosition.advance(to: .max)
            }
        }
    }

    /// Where the record after `sequence` stands in the ring, or where it will.
    func sealedPosition(after sequence: UInt64) -> UInt64? {
        if sequence <= gate.point.sequence { return position(of: sequence + 1) }
        // Behind what is released: from there on record by record.
        var point = gate.point
        let end = stages.sealedPosition.now
        while point.sequence < sequence, point.position < end {
            let (bytes, start) = unsafe stages.log.piece(point.position, end)
            let length = Int(unsafe bytes.load(as: UInt32.self))
            unsafe point.sequence = bytes.load(fromByteOffset: 8, as: UInt64.self)
            point.position = start + UInt64(length)
        }
        return point.sequence == sequence ? point.position : nil
    }
}
