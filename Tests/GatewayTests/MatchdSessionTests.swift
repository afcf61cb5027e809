// Goal: a lane that matchd refuses costs its instruments no order, is retried at the next
// connection and is logged once per change; what the log has not shown is sent again.

import Gateway
import Link
import SpotAPI
import Terms
import Testing
import Wire

/// A session without a socket: what it sends is read here, and matchd's replies are made here.
private struct SessionUnderTest {
    let log = CollectedLog()
    let session: MatchdSession

    init(capacity: Int = 64) {
        session = MatchdSession(
            name: TestVenue.text("gateway/test"), capacity: capacity, log: log.logger)
    }

    /// The commands sent since the last call, as `session: number kind name`.
    func sent() throws -> [String] {
        var decoder = LinkDecoder()
        unsafe session.takeOutput().withUnsafeBytes { unsafe decoder.receive($0) }
        var sent: [String] = []
        while let frame = try decoder.next() {
            guard case .submit(let submit) = frame else { continue }
            unsafe submit.forEach { entry, payload in
                guard let kind = CommandKind(rawValue: entry.kind),
                    let command = unsafe Command(kind: kind, payload: payload)
                else {
                    Issue.record("no command: \(entry)")
                    return
                }
                let name = if case .openSession(let open) = command { " \(open.name)" } else { "" }
                sent.append("\(submit.session.number): \(entry.number) \(kind)\(name)")
            }
        }
        return sent
    }

    func connect() { session.welcomed(.subscribe(LinkSubscription(snapshotAtMost: 0))) }

    /// matchd opens lane `lane` of this attempt as session `id`, or refuses it.
    func reply(lane: UInt64, attempt: UInt64 = 1, id: UInt64 = 0, _ refusal: Refusal = .none) {
        let answers = session.acked([
            LinkAck(
                session: SessionID(0), number: lane << 32 + attempt,
                sequence: refusal == .none ? 7 : 0, id: id, refusal: refusal, status: .new)
        ])
        #expect(answers.isEmpty, "no client waits for a lane")
    }

    /// Submits a cancel for an instrument.
    func cancel(_ instrument: UInt16) throws(APIError) {
        let cancel = Cancel(
            account: AccountID(1), instrument: InstrumentID(instrument), order: OrderID(1))
        try session.submit(cancel, .atOnce, deadline: .max) { _ in }
    }
}

@Suite struct MatchdSessionTests {
    @Test func `refused lanes share the first one, and the log says so once per change`() throws {
        let test = SessionUnderTest()
        test.connect()
        test.session.open(instruments: 3)
        #expect(
            try test.sent() == [
                "0: 1 openSession gateway/test", "0: 4294967297 openSession gateway/test#2",
                "0: 8589934593 openSession gateway/test#3",
            ])
        test.reply(lane: 0, id: 11)
        #expect(!test.session.isOpen)
        test.reply(lane: 1, .tableFull)
        test.reply(lane: 2, id: 13)
        #expect(test.session.isOpen)
        for _ in 0..<3 { try test.session.checkLanes() }
        #expect(test.log.lines.count == 1)
        #expect(test.log.lines[0].contains("matchd refused 1 of the sessions gateway/test#…"))
        for instrument in [1, 2, 3] as [UInt16] { try test.cancel(instrument) }
        #expect(try test.sent() == ["11: 1 cancel", "11: 2 cancel", "13: 1 cancel"])
    }

    @Test func `a refused lane is retried at the next connection, and logged again if it fails`()
        throws
    {
        let test = SessionUnderTest()
        test.connect()
        test.session.open(instruments: 2)
        test.reply(lane: 0, id: 11)
        test.reply(lane: 1, .tableFull)
        try test.session.checkLanes()
        for (lines, refusal) in [(2, Refusal.tableFull), (2, .none)] {
            test.session.closed()
            #expect(!test.session.isOpen)
            #expect(throws: APIError.matchingUnavailable) { try test.cancel(2) }
            _ = try test.sent()
            test.connect()
            #expect(try test.sent() == ["0: 4294967297 openSession gateway/test#2"])
            try test.session.checkLanes()
            test.reply(lane: 1, id: 12, refusal)
            try test.session.checkLanes()
            #expect(test.log.lines.count == lines)
        }
        try test.cancel(2)
        #expect(try test.sent() == ["12: 1 cancel"])
    }

    @Test func `a first lane that is refused ends the gateway`() {
        let test = SessionUnderTest()
        test.connect()
        test.reply(lane: 0, .tableFull)
        let error = #expect(throws: MatchdSessionError.self) { try test.session.checkLanes() }
        guard case .fatal(let text) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("matchd refused the session gateway/test (tableFull)"))
    }

    @Test func `one lane has at most half of what the others leave, a single one all`() throws {
        for (refusal, most) in [(Refusal.none, [4, 2]), (.tableFull, [8])] {
            let test = SessionUnderTest(capacity: 8)
            test.connect()
            test.session.open(instruments: 2)
            test.reply(lane: 0, id: 11)
            test.reply(lane: 1, id: 12, refusal)
            for (index, count) in most.enumerated() {
                for _ in 0..<count { try test.cancel(UInt16(index + 1)) }
                #expect(throws: APIError.overloaded) { try test.cancel(UInt16(index + 1)) }
            }
        }
    }

    @Test func `commands that the log has not shown are sent again under their numbers`() throws {
        let test = SessionUnderTest()
        test.connect()
        test.reply(lane: 0, id: 11)
        try test.cancel(1)
        try test.cancel(1)
        test.session.closed()
        test.connect()
        #expect(try test.sent() == ["11: 1 cancel", "11: 2 cancel"])
        let answers = test.session.acked([
            LinkAck(
                session: SessionID(11), number: 2, sequence: 0, id: 9, refusal: .diskReserve,
                status: .new)
        ])
        #expect(answers.count == 1)
        #expect(throws: APIError(.diskReserve)) { try answers.first?.result.get() }
    }
}
