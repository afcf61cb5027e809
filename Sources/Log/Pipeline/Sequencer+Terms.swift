// How a term begins and is held, and how the engine thread follows a primary's log.

import Engine
import Glibc
import Link
import Platform
import Synchronization
import Terms
public import Wire

/// What the first record of a term says.
public struct TermStart: Hashable, Sendable {
    /// Why the term begins.
    public var cause: EpochCause
    /// The primary's replica.
    public var replica: (high: UInt64, low: UInt64) { (replicaHigh, replicaLow) }
    private var replicaHigh, replicaLow: UInt64
    /// The swap that made it primary; zero without a cluster.
    public var attempt: (run: UInt64, number: UInt64) { (attemptRun, attemptNumber) }
    private var attemptRun, attemptNumber: UInt64
    /// The newest format that the term may use.
    public var format: UInt32

    /// A start of these values.
    public init(
        cause: EpochCause = .raise, replica: (high: UInt64, low: UInt64) = (0, 0),
        attempt: (run: UInt64, number: UInt64) = (0, 0), format: UInt32 = Genesis.currentFormat
    ) {
        (self.cause, self.format) = (cause, format)
        (replicaHigh, replicaLow) = replica
        (attemptRun, attemptNumber) = attempt
    }
}

extension Sequencer {
    // MARK: Following

    /// Maximum bytes applied before the owner's requests are checked again.
    private static var followBytesMax: Int { 1 << 20 }

    /// Applies the released records of the primary, or all that came where this process is to lead;
    /// returns false if there was nothing to do.
    mutating func follow() -> Bool {
        let isLast = stages.isLeadWanted.load(ordering: .acquiring)
        let head = stages.log.head.now
        let limit = isLast ? UInt64.max : stages.released.now
        let before = engine.sequence
        var left = Self.followBytesMax
        while position < head, engine.sequence < limit, left > 0 {
            let (bytes, start) = unsafe stages.log.piece(position, head)
            var offset = 0
            while offset < bytes.count, engine.sequence < limit, left > 0 {
                let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
                if length == 0 { break }
                let record = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[offset..<offset + length])
                guard unsafe take(record: record) else { return false }
                offset += length
                left -= length
            }
            position = start + UInt64(offset)
        }
        stages.applied.advance(to: engine.sequence)
        stages.enginePosition.advance(to: position)
        if engine.sequence != before { stages.wakeReplication() }
        stages.epoch.advance(to: UInt64(engine.epoch))
        stages.rules.advance(to: UInt64(engine.rules))
        if isLast, position == head { beginLeading() }
        return engine.sequence != before || isLast
    }

    /// Applies a record of the primary; returns false if this engine has diverged from the
    /// primary's, which ends the process, or a fault was met before.
    private mutating func take(record: UnsafeRawBufferPointer) -> Bool {
        if stages.hasFailed.load(ordering: .relaxed) { return false }
        let sequence = engine.sequence + 1
        if voids.contains(sequence) {
            _ = unsafe engine.skip(record: record)
        } else {
            _ = unsafe engine.apply(record: record)
        }
        guard engine.sequence == sequence, !engine.hasDiverged else {
            stages.fail(
                SinkError(
                    """
                    this host's engine does not agree with the log's hash mark at record \
                    \(sequence): it has computed something else than the primary did; keep its \
                    state for the developers and add this host anew
                    """))
            return false
        }
        return true
    }

    /// Follows again, where the owner wants it and the log is held.
    mutating func followAgain() {
        guard stages.isFollowWanted.load(ordering: .acquiring),
            stages.isLogHeld.load(ordering: .relaxed)
        else { return }
        stages.isFollowWanted.store(false, ordering: .relaxed)
        stages.isLeadWanted.store(false, ordering: .relaxed)
        stages.isLogHeld.store(false, ordering: .releasing)
        isFollowing = true
        stages.enginePosition.advance(to: position)
        stages.isFollowing.store(true, ordering: .releasing)
    }

    private mutating func beginLeading() {
        let (host, monotonic) = LogClock.readHost()
        clock = LogClock(
            last: engine.timestamp, line: mark?.line, host: host, monotonic: monotonic)
        markTime = clock.now
        isFollowing = false
        // Others have written the log since: what is cached of sessions is old.
        sessions.removeAll()
        stages.enginePosition.advance(to: .max)
        raiseEpoch()
        stages.isFollowing.store(false, ordering: .releasing)
        stages.journalPark.unpark()
    }

    // MARK: Terms

    /// Begins the term that the owner wants, if it is a later one.
    mutating func raiseEpoch() {
        let wanted = stages.epochWanted.load(ordering: .acquiring)
        guard wanted > engine.epoch else { return }
        let term = stages.termWanted.withLock { $0 }
        let mark = EpochMark(
            priorEpoch: engine.epoch, cause: term.cause, replicaHigh: term.replica.high,
            replicaLow: term.replica.low, attemptHigh: term.attempt.run,
            attemptLow: term.attempt.number, commitPoint: stages.released.now,
            eventHash: engine.eventHash, formatLevel: term.format)
        let payload = mark.payloadBytes()
        unsafe payload.withUnsafeBytes { bytes in
            _ = unsafe append(
                kind: CommandKind.epochMark.rawValue, revision: 0, session: SessionID(0),
                number: 0, payload: bytes, epoch: wanted)
        }
        stages.termStart.advance(to: engine.sequence)
        stages.epoch.advance(to: UInt64(wanted))
    }

    /// Raises the rules to the version that the owner wants, as far as this engine knows it.
    mutating func raiseRules() {
        let wanted = min(stages.rulesWanted.load(ordering: .acquiring), engine.rulesKnown)
        guard wanted > engine.rules else { return }
        let payload = SetRules(version: wanted).payloadBytes()
        unsafe payload.withUnsafeBytes { bytes in
            _ = unsafe append(
                kind: CommandKind.setRules.rawValue, revision: 0, session: SessionID(0), number: 0,
                payload: bytes)
        }
        stages.rules.advance(to: UInt64(engine.rules))
    }

    // MARK: Holding

    /// Whether nothing is to be added to the log. A later term that is due ends that.
    func holds() -> Bool {
        stages.isIntakeHeld.load(ordering: .acquiring)
            && stages.epochWanted.load(ordering: .acquiring) <= engine.epoch
    }

    /// Whether the log is held; holds it once all that was taken until `end` is in it.
    mutating func isLogHeld(at end: UInt64) -> Bool {
        guard holds() else {
            stages.isLogHeld.store(false, ordering: .releasing)
            return false
        }
        if stages.isLogHeld.load(ordering: .relaxed) { return true }
        guard requestPosition == end, held.isEmpty else { return false }
        if sinceMark > 0 { markHash() }
        stages.isLogHeld.store(true, ordering: .releasing)
        stages.journalPark.unpark()
        return true
    }
}
