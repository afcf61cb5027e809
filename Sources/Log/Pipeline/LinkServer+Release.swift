// What connections get: only what has passed the release gate.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

extension LinkServer {
    /// Gives out the answers that have passed the gate.
    func release() {
        let position = releasable(stages.durablePosition.now)
        if position != releasedPosition {
            index.append(releasedPosition)
            releasedPosition = position
        }
        released = gateNow
        let end = stages.answers.head.now
        while answerPosition < end {
            let (bytes, start) = unsafe stages.answers.piece(answerPosition, end)
            var offset = 0
            while offset < bytes.count {
                let answer = unsafe Answer(bytes, at: offset)
                guard answer.gate <= released else { break }
                give(answer)
                offset += Answer.size
            }
            answerPosition = start + UInt64(offset)
            if offset < bytes.count { break }
        }
        stages.answersTaken.advance(to: answerPosition)
    }

    /// How far into the ring the gate is open, where `durable` is how far it is on disk here. Only
    /// where peers hold it back do the records have to be looked at.
    func releasable(_ durable: UInt64) -> UInt64 {
        let peers = gate.replicator.durable
        guard peers != .max else { return durable }
        var position = releasedPosition
        while position < durable {
            let (bytes, start) = unsafe stages.log.piece(position, durable)
            var offset = 0
            while offset < bytes.count {
                let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
                if length == 0 { break }
                let sequence = unsafe bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
                if sequence > peers { return start + UInt64(offset) }
                offset += length
            }
            position = start + UInt64(offset)
        }
        return position
    }

    @inline(__always) func give(_ answer: Answer) {
        guard let connection = connections[answer.caller.slot],
            connection.caller == answer.caller
        else { return }
        if answer.isSession {
            guard !connection.queries.isEmpty else { return }
            let name = connection.queries.removeFirst()
            send(
                connection,
                .session(
                    LinkSession(
                        name: name, id: SessionID(UInt32(truncatingIfNeeded: answer.id)),
                        lastNumber: answer.number)))
        } else if !connection.output.append(answer) {
            drop(connection)
        }
    }

    // MARK: The feed

    /// Whether a follower can be given more now.
    var isFeedDue: Bool {
        connections.contains { connection in
            switch connection?.feed {
            case .live(let position):
                position < releasedPosition
                    && connection!.output.count < OutputBuffer.softLimit
            case .waiting: connection!.output.count == 0 && feeders < Self.feedersMax
            case .feeding(let feeder): feeder.state.load(ordering: .relaxed) != .running
            default: false
            }
        }
    }

    /// Gives followers what they have not got, from the ring where it still has it, and says which
    /// part of the ring may be used again.
    func feed() {
        let size = UInt64(stages.log.size)
        let now = Clock.monotonicNanos()
        let isBeat = now > heartbeat
        if isBeat { heartbeat = now + Self.heartbeatNanos }
        var keep = releasedPosition - min(releasedPosition, size / 4)
        for case let connection? in connections {
            switch connection.feed {
            case .none: break
            case .waiting(let from, let atMost): startFeeder(connection, from, atMost)
            case .feeding(let feeder): finishFeeder(connection, feeder)
            case .live(let position):
                let next = feed(connection, position, isBeat)
                if next + size / 2 < releasedPosition {
                    // Too slow for the ring: the disk has it as well.
                    connection.feed = .waiting(from: sequence(at: next), atMost: 0)
                } else {
                    connection.feed = .live(next)
                    keep = min(keep, next)
                }
            }
        }
        index.forget(before: keep)
        stages.retained.advance(to: keep)
    }

    /// Gives one follower records from `position` on; gives where it stands then.
    func feed(_ connection: LinkConnection, _ position: UInt64, _ isBeat: Bool) -> UInt64 {
        var next = position
        while next < releasedPosition, connection.output.count < OutputBuffer.softLimit {
            let (bytes, start) = unsafe stages.log.piece(next, releasedPosition)
            let count = unsafe Self.wholeRecords(bytes, LinkProtocol.frameBytesMax / 2)
            if count > 0 {
                let run = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<count])
                guard unsafe connection.output.append(records: run) else { break }
            }
            next = start + UInt64(count)
        }
        if next == releasedPosition, next != position || isBeat {
            _ = connection.output.append(
                .position(released: sequenceBefore(), time: Clock.realtimeNanos()))
        }
        return next
    }

    /// Bytes of the whole records at the start of `bytes`, at most about `most`, up to the mark
    /// where the ring's end is passed over.
    static func wholeRecords(_ bytes: UnsafeRawBufferPointer, _ most: Int) -> Int {
        var offset = 0
        while offset < bytes.count {
            let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
            if length == 0 || offset + length > most { break }
            offset += length
        }
        return offset
    }

    /// The last record before `releasedPosition`, as far as is known for sure: the gate may have
    /// moved on since.
    func sequenceBefore() -> UInt64 { min(released, gateNow) }

    /// The sequence of the record at a position that is released, or of the next one to come.
    func sequence(at position: UInt64) -> UInt64 {
        guard position < releasedPosition else { return released + 1 }
        let (bytes, _) = unsafe stages.log.piece(position, releasedPosition)
        return unsafe bytes.load(fromByteOffset: 8, as: UInt64.self)
    }

    /// Where the record of `sequence` stands in the ring, or where the next one will; nil when the
    /// ring does not have it any more.
    func position(of sequence: UInt64) -> UInt64? {
        var position: UInt64?
        for candidate in index.all.reversed()
        where candidate < releasedPosition && self.sequence(at: candidate) <= sequence {
            position = candidate
            break
        }
        guard var position else { return nil }
        var last: UInt64 = 0
        while position < releasedPosition {
            let (bytes, start) = unsafe stages.log.piece(position, releasedPosition)
            var offset = 0
            while offset < bytes.count {
                let length = Int(unsafe bytes.load(fromByteOffset: offset, as: UInt32.self))
                if length == 0 { break }
                unsafe last = bytes.load(fromByteOffset: offset + 8, as: UInt64.self)
                if last == sequence { return start + UInt64(offset) }
                offset += length
            }
            position = start + UInt64(offset)
        }
        return last + 1 == sequence ? position : nil
    }

    // MARK: Feeders

    func startFeeder(_ connection: LinkConnection, _ from: UInt64, _ atMost: UInt64) {
        guard connection.output.count == 0, feeders < Self.feedersMax, !connection.isClosing else {
            return
        }
        if from > 0, let position = position(of: from) {
            connection.feed = .live(position)
            return
        }
        // Nothing was written since the start: what comes next is the ring's first record.
        if from > 0, releasedPosition == 0, from == released + 1 {
            connection.feed = .live(0)
            return
        }
        let feeder = Feeder(connection.descriptor, stages, history, gate)
        do throws(SystemError) {
            _ = try PinnedThread.start(name: "feeder") { feeder.run(from: from, atMost: atMost) }
            connection.feed = .feeding(feeder)
            feeders += 1
        } catch {
            connection.refuse(LinkRefusal(.unavailable, error.description))
        }
    }

    func finishFeeder(_ connection: LinkConnection, _ feeder: Feeder) {
        switch feeder.state.load(ordering: .acquiring) {
        case .running: break
        case .failed:
            feeders -= 1
            connection.feed = .none
            drop(connection)
        case .done:
            feeders -= 1
            connection.feed = .waiting(
                from: feeder.next.load(ordering: .relaxed), atMost: 0)
        }
    }
}
