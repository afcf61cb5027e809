// What connections get: only what has passed the release gate.

import Failover
import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

extension LinkServer {
    /// Opens the gate as far as possible, and sends the answers that have passed it.
    func release() {
        let before = gate.point.position
        let durable = stages.durable.now
        let limit = options.inSync.limit(
            released: gate.point.sequence, at: BootTime(nanos: now))
        gate.advance(durable: durable, limit: limit, log: stages.log)
        let released = gate.point.sequence
        if gate.point.position != before {
            index.append(before)
            stages.released.advance(to: released)
            stages.wakeReplication()
            if stages.isFollowing.load(ordering: .relaxed) { stages.sequencerPark.unpark() }
            stages.trace?.release(gate.point.position)
        }
        if durable.sequence == released {
            heldSince = 0
        } else if heldSince == 0 || gate.point.position != before {
            heldSince = now
        }
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

    @inline(__always) func give(_ answer: Answer) {
        guard let connection = connections[answer.caller.slot], connection.caller == answer.caller
        else { return }
        if answer.kind == .opening, answer.refusal == Refusal.none.rawValue {
            own(connection, UInt32(truncatingIfNeeded: answer.id))
        }
        if answer.kind == .session {
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
                position < gate.point.position && connection!.output.count < OutputBuffer.softLimit
            case .waiting: connection!.output.count == 0 && mayFeed(connection!.role)
            case .feeding(let feeder): feeder.state.load(ordering: .relaxed) != .running
            default: false
            }
        }
    }

    /// Sends followers the released records that they lack, from the ring while it still has them,
    /// and frees the part of the ring that nobody needs (`retained`). Who has all gets the position
    /// now and then, but for gateways of other hosts while this one is out of its lease: by the
    /// silence they leave it.
    func feed() {
        let size = UInt64(stages.log.size)
        let isBeat = now > heartbeat
        if isBeat { heartbeat = now + options.heartbeatNanos }
        var keep = gate.point.position - min(gate.point.position, size / 4)
        for case let connection? in connections {
            var isNew = false
            if case .waiting(let wanted, _) = connection.feed {
                startFeeder(connection, wanted)
                isNew = true
            }
            switch connection.feed {
            case .none, .waiting: break
            case .feeding(let feeder): finishFeeder(connection, feeder)
            case .live(let position):
                // A follower that has just gone live gets the position at once, for which it may
                // wait, and its records before `retained` lets the ring overwrite them.
                let next = feed(
                    connection, position, isNew || isBeat && !isHeldBack(connection))
                if next + size / 2 < gate.point.position {
                    // Too slow for the ring: it continues from the disk.
                    connection.feed = .waiting(unchecked(from: sequence(at: next)), since: now)
                } else {
                    connection.feed = .live(next)
                    keep = min(keep, next)
                }
            }
        }
        relieveFeeders()
        placeSender()
        index.forget(before: keep)
        if keep > stages.retained.now, stages.isFollowing.load(ordering: .relaxed) {
            stages.wakeReplication()
        }
        stages.retained.advance(to: keep)
    }

    /// Sends one follower records from `position` on; returns the next position.
    func feed(_ connection: LinkConnection, _ position: UInt64, _ isBeat: Bool) -> UInt64 {
        var next = position
        while next < gate.point.position, connection.output.count < OutputBuffer.softLimit {
            let (bytes, start) = unsafe stages.log.piece(next, gate.point.position)
            let count = unsafe Self.wholeRecords(bytes, LinkProtocol.frameBytesMax / 2)
            if count > 0 {
                let run = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<count])
                guard unsafe connection.output.append(records: run) else { break }
            }
            next = start + UInt64(count)
        }
        if next == gate.point.position, next != position || isBeat {
            _ = connection.output.append(
                .position(released: gate.point.sequence, time: logTime, epoch: epoch))
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

    /// The sequence of the record at a position that is released, or of the next one to come.
    func sequence(at position: UInt64) -> UInt64 {
        guard position < gate.point.position else { return gate.point.sequence + 1 }
        let (bytes, _) = unsafe stages.log.piece(position, gate.point.position)
        return unsafe bytes.load(fromByteOffset: 8, as: UInt64.self)
    }

    /// Where the record of `sequence` stands in the ring, or where the next one will; nil when the
    /// ring does not have it any more.
    func position(of sequence: UInt64) -> UInt64? {
        var position: UInt64?
        for candidate in index.all.reversed()
        where candidate < gate.point.position && self.sequence(at: candidate) <= sequence {
            position = candidate
            break
        }
        guard var position else { return nil }
        var last: UInt64 = 0
        while position < gate.point.position {
            let (bytes, start) = unsafe stages.log.piece(position, gate.point.position)
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

    /// Whether a follower of this role may have a feeder now.
    func mayFeed(_ role: LinkRole) -> Bool {
        if role == .observer, feeders(of: { $0 == .observer }) >= Self.observerFeedersMax {
            return false
        }
        return feeders < Self.feedersMax
    }

    /// The log from a record on whose predecessor needs no check.
    func unchecked(from sequence: UInt64) -> LinkSubscription {
        LinkSubscription(from: sequence, epoch: 0, crc: 0)
    }

    func startFeeder(_ connection: LinkConnection, _ wanted: LinkSubscription) {
        guard connection.output.count == 0, !connection.isClosing else { return }
        if wanted.from > 0, wanted.crc == 0, let position = position(of: wanted.from) {
            connection.feed = .live(position)
            return
        }
        // Nothing was written since the start: what comes next is the ring's first record.
        if wanted.from > 0, wanted.crc == 0, gate.point.position == 0,
            wanted.from == gate.point.sequence + 1
        {
            connection.feed = .live(0)
            return
        }
        guard mayFeed(connection.role) else { return }
        let feeder = Feeder(connection.descriptor, stages, history, options)
        do throws(SystemError) {
            _ = try PinnedThread.start(name: "feeder") { feeder.run(wanted) }
            connection.feed = .feeding(feeder)
            connection.feederSent = 0
        } catch { connection.refuse(LinkRefusal(.unavailable, error.description)) }
    }

    func finishFeeder(_ connection: LinkConnection, _ feeder: Feeder) {
        let state = feeder.state.load(ordering: .acquiring)
        if state == .running { return }
        connection.feed = .none
        switch state {
        case .running: break
        case .failed: drop(connection)
        case .stalled:
            evicted += 1
            _ = connection.output.append(feeder.unsent)
            connection.refuse(Self.stalled)
        case .forked: connection.refuse(Self.forked)
        case .unreadable:
            let problem = feeder.problem.map { "\($0)" } ?? "it failed"
            connection.refuse(
                LinkRefusal(
                    .unavailable,
                    "the log can't be read back from there: \(problem); `boursectl journal verify` "
                        + "shows all of it"))
        case .done:
            let next = feeder.next.load(ordering: .relaxed)
            connection.feed = .waiting(unchecked(from: next), since: now)
        }
    }

    static var forked: LinkRefusal {
        LinkRefusal(
            .forked,
            """
            the log has another record where the follower's last one stands: its state is of a \
            branch that was cut; start it afresh
            """)
    }

    /// When a follower has waited for a feeder for some time, ends the slowest feeder below
    /// `feederRateMin`: eight that just make progress must not keep all others out.
    func relieveFeeders() {
        let window = options.stallNanos / 2
        guard now - compared >= window else { return }
        let nanos = Int128(now - compared)
        compared = now
        let isWaited = connections.contains { connection in
            guard case .waiting(_, let since) = connection?.feed else { return false }
            return now - since >= window && !mayFeed(connection!.role)
        }
        var slowest: (feeder: Feeder, sent: UInt64)?
        for case let connection? in connections {
            guard case .feeding(let feeder) = connection.feed else { continue }
            let sent = feeder.sent.load(ordering: .relaxed)
            let moved = sent - connection.feederSent
            // One that has just begun is not judged yet.
            let isNew = connection.feederSent == 0
            connection.feederSent = sent
            if !isNew, moved < slowest?.sent ?? .max { slowest = (feeder, moved) }
        }
        if isWaited, let slowest,
            Int128(slowest.sent) * 1_000_000_000 < Int128(Self.feederRateMin) * nanos
        {
            slowest.feeder.isCancelled.store(true, ordering: .relaxed)
        }
    }
}
