// Goal: the tree is walked in order, and each event is sent once, in order, whatever happens to its
// receivers. That SNMP gives the right values, Tests/System/SNMP shows.

import AgentAPI
import DevicePoller
import JSON
import SNMP
import Subagent
import Testing

@Suite struct MIBViewTests {
    private func id(_ numbers: UInt32...) -> ObjectID { ObjectID(numbers) }

    @Test func `a view finds a value and the next one`() {
        let view = MIBView([
            (id(1, 3, 2), .gauge(2)), (id(1, 3), .gauge(1)), (id(1, 10), .gauge(4)),
            (id(1, 3, 2, 0), .gauge(3)), (id(1, 3), .gauge(9)),
        ])
        #expect(view.entries.map(\.value) == [.gauge(1), .gauge(2), .gauge(3), .gauge(4)])
        #expect(view[id(1, 3, 2)] == .gauge(2))
        #expect(view[id(1, 3, 1)] == nil)
        #expect(view[id(1)] == nil)
        #expect(view[id(2)] == nil)
        #expect(view.next(after: id())?.value == .gauge(1))
        #expect(view.next(after: id(1, 3))?.value == .gauge(2))
        #expect(view.next(after: id(1, 3, 2))?.value == .gauge(3))
        #expect(view.next(after: id(1, 4))?.value == .gauge(4))
        #expect(view.next(after: id(1, 10)) == nil)
        #expect(MIBView().next(after: id(1)) == nil)
    }

    @Test func `a name that is longer than names may be is left out`() {
        let numbers = [UInt32](repeating: 1, count: ObjectID.numbersMax)
        let view = MIBView([(ObjectID(numbers), .gauge(1)), (ObjectID(numbers + [1]), .gauge(2))])
        #expect(view.entries.map(\.value) == [.gauge(1)])
    }
}

@Suite struct AgentStateTests {
    private func view(_ checks: [(String, Int64)]) throws -> MIBView {
        let rows = checks.map { subject, since in
            """
            {"name":"a/\(subject)","kind":7,"subject":"\(subject)","state":"warning","value":null,
            "unit":"","warning":null,"critical":null,"since":\(since),"seen":0,"failures":1,
            "text":"\(subject)","source":"","why":"","changes":[],"advice":[]}
            """
        }
        let text = """
            {"host":"h","version":"v","time":0,"started":0,"worst":"ok","sequence":5,"dropped":0,
            "exchange":{"running":false},"units":[],"threads":[],"queues":[],"disks":[],
            "directories":[],"checks":[\(rows.joined(separator: ","))],"more":[1]}
            """
        let json = try #require(JSONValue(parsing: Array(text.utf8)))
        let state = try #require(AgentState(json))
        return BourseMIB(enterprise: 9).view(
            of: state, age: 0, isBelieved: true, sent: 4, version: "w")
    }

    private func changed(_ since: Int64) throws -> [UInt8] {
        let name = ObjectID([1, 3, 6, 1, 4, 1, 9, 1, 1, 6, 1, 10, 7, 1, 97])
        guard case .octets(let bytes) = try view([("a", since)])[name] else { return [] }
        return bytes
    }

    @Test(
        arguments: [
            (0, [1970, 1, 1, 0, 0, 0, 0]),
            (951_782_399_999_999_999, [2000, 2, 28, 23, 59, 59, 9]),
            (951_782_400_000_000_000, [2000, 2, 29, 0, 0, 0, 0]),
            (951_868_800_000_000_000, [2000, 3, 1, 0, 0, 0, 0]),
            (1_709_251_199_000_000_000, [2024, 2, 29, 23, 59, 59, 0]),
            (1_798_761_599_500_000_000, [2026, 12, 31, 23, 59, 59, 5]),
            (4_107_542_400_000_000_000, [2100, 3, 1, 0, 0, 0, 0]),
            (-1, [1969, 12, 31, 23, 59, 59, 9]),
        ] as [(Int64, [Int])])
    func `dates are those of the calendar`(nanos: Int64, parts: [Int]) throws {
        let bytes = try changed(nanos).map { Int($0) }
        #expect(bytes.count == 11)
        #expect([bytes[0] << 8 | bytes[1]] + bytes[2..<8] == parts)
        #expect(bytes[8...] == [43, 0, 0])
    }

    @Test func `long subjects stay distinct, and texts are cut between characters`() throws {
        let long = String(repeating: "é", count: 200)
        let view = try view([(long + "a", 0), (long + "b", 0), (long + "a", 1)])
        let column = ObjectID([1, 3, 6, 1, 4, 1, 9, 1, 1, 6, 1, 12])
        let rows = view.entries.filter { $0.name.numbers.starts(with: column.numbers) }
        #expect(rows.count == 2)
        for row in rows {
            #expect(row.name.numbers.count == column.numbers.count + 1 + 1 + 96)
            #expect(row.value == .octets(Array(String(repeating: "é", count: 127).utf8)))
        }
    }
}

@Suite struct NotificationQueueTests {
    private func event(_ sequence: UInt64) -> AlarmEvent {
        let text = """
            {"sequence":\(sequence),"time":1,"raised":true,"name":"a","kind":1,"subject":"",
            "state":"critical","value":null,"text":""}
            """
        guard let json = JSONValue(parsing: Array(text.utf8)), let event = AlarmEvent(json) else {
            preconditionFailure("an event")
        }
        return event
    }

    private func events(_ range: ClosedRange<UInt64>, first: UInt64 = 1) -> AlarmEvents {
        AlarmEvents(first: first, last: range.upperBound, events: range.map(event))
    }

    @Test func `one notification is on its way at a time, until it is acknowledged`() {
        var queue = NotificationQueue(NotificationCursor())
        #expect(queue.next() == nil)
        queue.take(events(1...2), after: 0)
        #expect(queue.asksAfter == 2)
        let first = queue.next()
        #expect(first?.notice == .alarm(event(1)))
        #expect(queue.next() == nil)
        #expect(queue.answered(first?.token ?? 0, isTaken: false) == nil)
        let again = queue.next()
        #expect(again?.notice == .alarm(event(1)))
        // An answer to the one before comes late.
        #expect(queue.answered(first?.token ?? 0, isTaken: true) == nil)
        #expect(queue.answered(again?.token ?? 0, isTaken: true)?.sequence == 1)
        #expect(queue.next()?.notice == .alarm(event(2)))
        queue.sessionEnded()
        #expect(queue.next()?.notice == .alarm(event(2)))
    }

    @Test func `a repeated reply adds nothing`() {
        var queue = NotificationQueue(NotificationCursor())
        queue.take(events(1...2), after: 0)
        queue.take(events(1...2), after: 0)
        #expect(send(&queue) == [.alarm(event(1)), .alarm(event(2))])
    }

    /// Sends all there is.
    private func send(_ queue: inout NotificationQueue) -> [Notification] {
        var sent: [Notification] = []
        while let (token, notice) = queue.next() {
            sent.append(notice)
            _ = queue.answered(token, isTaken: true)
        }
        return sent
    }

    @Test func `gaps are reported`() {
        var queue = NotificationQueue(NotificationCursor())
        queue.take(events(3...3, first: 3), after: 0)
        #expect(send(&queue) == [.lost(first: 1, last: 2), .alarm(event(3))])
        queue.take(AlarmEvents(first: 8, last: 7, events: []), after: 3)
        #expect(send(&queue) == [.lost(first: 4, last: 7)])
        #expect(queue.cursor.sequence == 7)
        queue.take(AlarmEvents(first: 1, last: 2, events: []), after: 7)
        #expect(queue.asksAfter == 0)
        #expect(send(&queue) == [.lost(first: 0, last: 0)])
        #expect(queue.cursor.sequence == 0)
    }

    @Test func `the queue is bounded`() {
        var queue = NotificationQueue(NotificationCursor())
        var asked: UInt64 = 0
        while let after = queue.asksAfter {
            queue.take(events((after + 1)...(after + 500)), after: after)
            asked += 500
        }
        #expect(asked <= UInt64(NotificationQueue.waitingMax))
        _ = send(&queue)
        #expect(queue.asksAfter == asked)
    }

    @Test func `the first role is stored, and only a change is sent`() {
        var queue = NotificationQueue(NotificationCursor())
        #expect(queue.take(role: .unknown, epoch: 0) == nil)
        #expect(queue.take(role: .standalone, epoch: 1)?.role == .standalone)
        #expect(queue.take(role: .standalone, epoch: 1) == nil)
        #expect(send(&queue).isEmpty)
        _ = queue.take(role: .primary, epoch: 2)
        _ = queue.take(role: .unknown, epoch: 0)
        _ = queue.take(role: .standby, epoch: 3)
        #expect(send(&queue) == [.role(former: .standalone, now: .standby, epoch: 3)])
        #expect(queue.cursor.epoch == 3)
        #expect(send(&queue).isEmpty)
    }

    @Test(arguments: [ExchangeRole?.none, .standby])
    func `a cursor decodes to what was encoded, or not at all`(role: ExchangeRole?) {
        var cursor = NotificationCursor()
        cursor.sequence = 12
        cursor.role = role
        cursor.epoch = role == nil ? 0 : 7
        #expect(NotificationCursor(cursor.text) == cursor)
        for count in 0..<(cursor.text.count - 1) {
            #expect(NotificationCursor(String(cursor.text.prefix(count))) == nil)
        }
    }
}

@Suite struct DeviceRoundTests {
    private let column: [UInt32] = [1, 3, 6, 1, 4, 1, 318, 5]

    private func round(_ kind: String = "pdu", ports: [UInt32] = []) -> DeviceRound {
        DeviceRound(
            DevicePlan(
                kind: kind, ports: ports, walks: kind == "pdu" ? [("load", column)] : []))
    }

    private func name(_ instance: UInt32...) -> ObjectID { ObjectID(column + instance) }

    @Test func `a column is read to its end`() {
        var round = round()
        #expect(round.question?.names == [name()])
        #expect(round.question?.isWalk == true)
        round.take(name(1), .integer(-5))
        round.take(name(2, 7), .octets(Array("a\nb\u{7F}é".utf8)))
        round.answered()
        #expect(round.question?.names == [name(2, 7)])
        round.take(name(3), .counter64(.max))
        round.take(ObjectID([1, 3, 6, 1, 4, 1, 318, 6, 1]), .integer(1))
        round.take(name(4), .integer(1))
        round.answered()
        #expect(round.question == nil)
        #expect(
            round.lines == ["load.1 -5", "load.2.7 a b é", "load.3 18446744073709551615"])
    }

    @Test func `a round ends with a device that repeats itself, never ends or returns nothing`() {
        var circle = round()
        circle.take(name(2), .integer(1))
        circle.answered()
        circle.take(name(1), .integer(1))
        circle.answered()
        #expect(circle.question == nil)
        var silent = round()
        silent.answered()
        #expect(silent.question == nil)
        var endless = round()
        var instance: UInt32 = 0
        while endless.question != nil {
            instance += 1
            endless.take(name(instance), .gauge(instance))
            endless.answered()
            if instance > 10_000 { break }
        }
        #expect(endless.lines.count == DevicePlan.rowsMax)
    }

    @Test func `values that were not requested are skipped`() {
        var round = round("switch", ports: [1, 2])
        var asked = 0
        while let question = round.question {
            #expect(!question.isWalk)
            #expect(question.names.count <= 16)
            asked += question.names.count
            round.take(name(9), .integer(9))
            for name in question.names { round.take(name, .gauge(1)) }
            round.answered()
        }
        #expect(asked == 22)
        #expect(round.lines.count == 22)
        #expect(round.lines.contains("ifOperStatus.2 1"))
    }
}
