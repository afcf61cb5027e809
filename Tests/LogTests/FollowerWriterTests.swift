// A writer's commands get into the log exactly once, whatever the connection does.

import Follower
import Link
import Terms
import Testing
import Wire

/// matchd as a writer sees it, without a socket: numbers are checked as the sequencer does, what is
/// sent may be lost with the connection, and the log may be seen late.
private struct FakeLog {
    var session = SessionID(0)
    var last: UInt64 = 0
    var records: [(RecordHeader, [UInt8], Outcome)] = []
    var isBelowReserve = false
    /// Whether a payload is refused without a record.
    var refuses: ([UInt8]) -> Bool = { _ in false }

    /// Takes what a writer sent; gives the acknowledgements that it gets.
    mutating func take(_ out: inout LinkEncoder) throws -> [LinkAck] {
        var decoder = LinkDecoder()
        decoder.receive(out.take())
        var acks: [LinkAck] = []
        while let frame = try decoder.next() {
            guard case .submit(let submit) = frame else { continue }
            var entries: [(LinkEntry, [UInt8])] = []
            unsafe submit.forEach { entry, payload in entries.append((entry, unsafe Array(payload)))
            }
            for (entry, payload) in entries {
                if let ack = take(submit.session, entry, payload) { acks.append(ack) }
            }
        }
        return acks
    }

    mutating func take(_ id: SessionID, _ entry: LinkEntry, _ payload: [UInt8]) -> LinkAck? {
        func ack(_ refusal: Refusal, _ sequence: UInt64, id outcome: UInt64 = 0) -> LinkAck {
            LinkAck(
                session: id, number: entry.number, sequence: sequence,
                id: sequence == 0 ? UInt64(records.count) : outcome,
                refusal: refusal, status: .new)
        }
        if id.number == 0 {
            session = SessionID(session.number + 1)
            last = 0
            append(id, 0, entry.kind, payload, Outcome(id: UInt64(session.number)))
            return ack(.none, UInt64(records.count), id: UInt64(session.number))
        }
        guard id == session else { return ack(.sessionUnknown, 0) }
        if entry.number <= last { return ack(.duplicateCommand, 0) }
        if isBelowReserve, entry.kind != CommandKind.cancel.rawValue {
            return ack(.diskReserve, 0)
        }
        if entry.number > last + 1 { return ack(.sessionGap, 0) }
        if refuses(payload) { return ack(.poisoned, 0) }
        last = entry.number
        append(id, entry.number, entry.kind, payload, Outcome(id: entry.number))
        return nil
    }

    mutating func append(
        _ id: SessionID, _ number: UInt64, _ kind: UInt16, _ payload: [UInt8], _ outcome: Outcome
    ) {
        var header = RecordHeader(
            sequence: UInt64(records.count + 1), timestamp: 1, session: id, number: number,
            kind: .tick)
        header.kind = kind
        header.length = UInt32(RecordHeader.size + payload.count)
        var bytes = [UInt8](repeating: 0, count: RecordHeader.size)
        unsafe bytes.withUnsafeMutableBytes { unsafe header.write(to: $0) }
        records.append((header, bytes + payload, outcome))
    }
}

private func show(_ log: FakeLog, from: Int, to writer: inout WriterSession<Int>) -> [(
    Int, Outcome
)] {
    var done: [(Int, Outcome)] = []
    for (header, bytes, outcome) in log.records[from...] {
        var out = LinkEncoder()
        let resolved = unsafe bytes.withUnsafeBytes {
            unsafe writer.applied(header, $0, outcome, &out)
        }
        #expect(out.isEmpty)
        done += resolved.map { ($0.tag, $0.outcome) }
    }
    return done
}

private func opened(_ log: inout FakeLog) throws -> WriterSession<Int> {
    var writer = WriterSession<Int>(name: try #require(Text40("w")), capacity: 8)
    var out = LinkEncoder()
    writer.connected(&out)
    for ack in try log.take(&out) { #expect(writer.acked(ack, &out).isEmpty) }
    #expect(writer.canSubmit)
    return writer
}

@Test func `a writer's commands are resolved in order by the log`() throws {
    var log = FakeLog()
    var writer = try opened(&log)
    var out = LinkEncoder()
    for tag in 1...3 {
        let isTaken = writer.submit(MassCancel(account: AccountID(1)), tag: tag, &out)
        #expect(isTaken)
    }
    #expect(try log.take(&out).isEmpty)
    let done = show(log, from: 0, to: &writer)
    #expect(done.map(\.0) == [1, 2, 3])
    #expect(writer.inFlight == 0)
}

@Test func `what is in flight is bounded`() throws {
    var log = FakeLog()
    var writer = try opened(&log)
    var out = LinkEncoder()
    for tag in 1...8 {
        let isTaken = writer.submit(MassCancel(account: AccountID(1)), tag: tag, &out)
        #expect(isTaken)
    }
    let isTaken = writer.submit(MassCancel(account: AccountID(1)), tag: 9, &out)
    #expect(!isTaken)
    #expect(writer.inFlight == 8)
}

@Test func `what a lost connection swallowed is sent again, and nothing twice`() throws {
    var random = LinkFuzz()
    var log = FakeLog()
    var writer = try opened(&log)
    var out = LinkEncoder()
    var seen = 0
    var done: [Int] = []
    var tag = 0
    for _ in 0..<2_000 {
        switch random.below(5) {
        case 0:
            writer.disconnected()
            // Part of what was sent never arrives.
            _ = out.take()
            writer.connected(&out)
        case 1: for ack in try log.take(&out) { #expect(writer.acked(ack, &out).isEmpty) }
        case 2:
            done += show(log, from: seen, to: &writer).map(\.0)
            seen = log.records.count
        default:
            if writer.submit(MassCancel(account: AccountID(1)), tag: tag + 1, &out) { tag += 1 }
        }
    }
    writer.disconnected()
    writer.connected(&out)
    _ = try log.take(&out)
    done += show(log, from: seen, to: &writer).map(\.0)
    #expect(done == Array(1...tag), "\(random.replay)")
    #expect(log.last == UInt64(tag))
    #expect(tag > 100)
}

@Test func `below the disk reserve orders are refused and cancels go through`() throws {
    var log = FakeLog()
    var writer = try opened(&log)
    var out = LinkEncoder()
    log.isBelowReserve = true
    let account = AccountID(1)
    let instrument = InstrumentID(1)
    let place = Place(account: account, instrument: instrument, side: .buy, type: .limit)
    let cancel = Cancel(account: account, instrument: instrument, order: OrderID(1))
    let taken = [
        writer.submit(cancel, tag: 1, &out), writer.submit(place, tag: 2, &out),
        writer.submit(cancel, tag: 3, &out), writer.submit(place, tag: 4, &out),
        writer.submit(cancel, tag: 5, &out),
    ]
    #expect(taken == [true, true, true, true, true])
    var refused: [Int] = []
    while !out.isEmpty {
        for ack in try log.take(&out) {
            for one in writer.acked(ack, &out) {
                #expect(one.outcome.refusal == .diskReserve)
                refused.append(one.tag)
            }
        }
    }
    #expect(refused.sorted() == [2, 4])
    #expect(show(log, from: 0, to: &writer).map(\.0) == [1, 3, 5])
    #expect(writer.inFlight == 0)
    // The numbers of those that were refused are used by those that follow.
    #expect(log.last == 3)
    log.isBelowReserve = false
    let isTaken = writer.submit(place, tag: 6, &out)
    #expect(isTaken)
    _ = try log.take(&out)
    #expect(log.last == 4)
}

@Test func `a later incarnation ends the earlier one, whose commands stay distinct`() throws {
    var log = FakeLog()
    var first = try opened(&log)
    var out = LinkEncoder()
    _ = first.submit(MassCancel(account: AccountID(1)), tag: 1, &out)
    _ = try log.take(&out)
    _ = first.submit(MassCancel(account: AccountID(1)), tag: 2, &out)
    let late = out.take()
    let second = try opened(&log)
    #expect(second.state == .open(SessionID(2)))
    let done = show(log, from: 0, to: &first)
    #expect(done.map(\.0) == [1, 2])
    #expect(done[0].1.refusal == .none)
    #expect(done[1].1.refusal == .sessionUnknown)
    #expect(first.state == .replaced)
    #expect(!first.canSubmit)
    // What of the first one arrives now does not enter the log.
    let before = log.records.count
    var decoder = LinkDecoder()
    decoder.receive(late)
    guard case .submit(let submit) = try decoder.next() else {
        Issue.record("a submission was sent")
        return
    }
    unsafe submit.forEach { entry, payload in
        let ack = log.take(submit.session, entry, unsafe Array(payload))
        #expect(ack?.refusal == .sessionUnknown)
    }
    #expect(log.records.count == before)
    first.reopen(&out)
    for ack in try log.take(&out) { _ = first.acked(ack, &out) }
    #expect(first.state == .open(SessionID(3)))
}

@Test func `what is refused without a record leaves its number to what comes behind`() throws {
    var random = LinkFuzz()
    for round in 0..<200 {
        var log = FakeLog()
        var writer = try opened(&log)
        var out = LinkEncoder()
        var seen = 0
        var logged: [Int] = []
        var refused: [Int] = []
        var tag = 0
        // Commands of an even tag are poison.
        log.refuses = { payload in
            unsafe payload.withUnsafeBytes { unsafe $0.load(as: UInt32.self) & 1 == 0 }
        }
        for _ in 0..<200 {
            switch random.below(6) {
            case 0:
                writer.disconnected()
                _ = out.take()
                writer.connected(&out)
            case 1:
                for ack in try log.take(&out) {
                    for one in writer.acked(ack, &out) {
                        #expect(one.outcome.refusal == .poisoned)
                        refused.append(one.tag)
                    }
                }
            case 2:
                logged += show(log, from: seen, to: &writer).map(\.0)
                seen = log.records.count
            default:
                let next = random.below(3) == 0 ? tag / 2 * 2 + 2 : tag / 2 * 2 + 3
                let command = MassCancel(account: AccountID(UInt32(next)))
                if next > tag, writer.submit(command, tag: next, &out) { tag = next }
            }
        }
        writer.disconnected()
        _ = out.take()
        writer.connected(&out)
        while !out.isEmpty {
            for ack in try log.take(&out) { refused += writer.acked(ack, &out).map(\.tag) }
        }
        logged += show(log, from: seen, to: &writer).map(\.0)
        #expect(writer.inFlight == 0, "round \(round), \(random.replay)")
        #expect(logged == logged.sorted() && logged.allSatisfy { $0 & 1 == 1 })
        #expect(refused.allSatisfy { $0 & 1 == 0 })
        #expect(Set(logged).count == logged.count && Set(refused).count == refused.count)
        #expect(log.last == UInt64(logged.count))
    }
}

@Test func `a session unknown to matchd resolves its flights, and is reopened`() throws {
    var log = FakeLog()
    var writer = try opened(&log)
    var out = LinkEncoder()
    for tag in 1...2 { _ = writer.submit(MassCancel(account: AccountID(1)), tag: tag, &out) }
    _ = try log.take(&out)
    // It is closed behind the writer's back; what is in the log it has not seen yet.
    for tag in 3...4 { _ = writer.submit(MassCancel(account: AccountID(1)), tag: tag, &out) }
    log.session = SessionID(99)
    for ack in try log.take(&out) {
        #expect(ack.refusal == .sessionUnknown)
        #expect(writer.acked(ack, &out).isEmpty, "the log is not seen that far")
    }
    #expect(!writer.canSubmit && writer.inFlight == 4)
    var done: [(Int, Refusal)] = []
    for (header, bytes, outcome) in log.records {
        let resolved = unsafe bytes.withUnsafeBytes {
            unsafe writer.applied(header, $0, outcome, &out)
        }
        done += resolved.map { ($0.tag, $0.outcome.refusal) }
    }
    #expect(done.map(\.0) == [1, 2, 3, 4])
    #expect(done.map(\.1) == [.none, .none, .sessionUnknown, .sessionUnknown])
    for ack in try log.take(&out) { _ = writer.acked(ack, &out) }
    #expect(writer.state == .open(SessionID(100)) && writer.canSubmit)
}

@Test func `what was given up is resolved by the session that ends it, as the log has it`() throws {
    var random = LinkFuzz()
    var givenUp = 0
    for round in 0..<200 {
        var log = FakeLog()
        var writer = try opened(&log)
        var out = LinkEncoder()
        var seen = 0
        var done: [Int: Refusal] = [:]
        var tag = 0
        func show(_ end: Int) throws {
            for (header, bytes, outcome) in log.records[seen..<end] {
                let resolved = unsafe bytes.withUnsafeBytes {
                    unsafe writer.applied(header, $0, outcome, &out)
                }
                for one in resolved {
                    #expect(done[one.tag] == nil, "\(random.replay)")
                    done[one.tag] = one.outcome.refusal
                }
            }
            seen = end
        }
        func take() throws {
            for ack in try log.take(&out) {
                for one in writer.acked(ack, &out) {
                    #expect(done[one.tag] == nil, "\(random.replay)")
                    done[one.tag] = one.outcome.refusal
                }
            }
            if writer.state == .replaced { writer.reopen(&out) }
        }
        for _ in 0..<200 {
            switch random.below(10) {
            case 0:
                writer.disconnected()
                _ = out.take()
                writer.connected(&out)
            case 1, 2: try take()
            case 3, 4: try show(seen + random.below(log.records.count - seen + 1))
            case 5 where random.below(3) == 0:
                if writer.inFlight > 0 { givenUp += 1 }
                writer.abandon(&out)
                if writer.isAbandoned, random.below(2) == 0 {
                    // matchd ends the connection for what was sent.
                    writer.disconnected()
                    _ = out.take()
                    writer.connected(&out)
                }
            default:
                let command = MassCancel(account: AccountID(UInt32(tag + 1)))
                if writer.submit(command, tag: tag + 1, &out) { tag += 1 }
            }
        }
        writer.disconnected()
        _ = out.take()
        writer.connected(&out)
        for _ in 0..<4 {
            try take()
            try show(log.records.count)
        }
        #expect(writer.inFlight == 0 && !writer.isAbandoned, "round \(round), \(random.replay)")
        #expect(done.count == tag)
        var logged: [Int] = []
        for (header, bytes, _) in log.records where header.kind == CommandKind.massCancel.rawValue {
            logged.append(
                unsafe bytes.withUnsafeBytes {
                    Int(unsafe $0.load(fromByteOffset: RecordHeader.size, as: UInt32.self))
                })
        }
        #expect(logged == done.filter { $0.value == .none }.keys.sorted(), "\(random.replay)")
    }
    #expect(givenUp > 100)
}
