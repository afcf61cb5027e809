// The control socket's lines: both ways, and against what is no line.

import Control
import Failover
import JSON
import Terms
import Testing

@Suite("Control") struct ControlTests {
    static let orders: [MatchdAction] = [
        .follow(renewsReplica: true, isConfirmed: false, forced: nil),
        .follow(renewsReplica: false, isConfirmed: true, forced: ForcedStart(epoch: 7, from: 9)),
        .belong(to: .max),
        .promise,
        .lead(
            LeadTerms(
                attempt: SwapAttempt(run: .max, number: 3),
                requirement: ReplicaID(high: 1, low: .max), cause: .switchover, forced: nil)),
        .require(nil), .require(ReplicaID(high: 0, low: 2)),
        .raise(from: .max, attempt: SwapAttempt(run: 1, number: 2)),
        .openLink, .holdIntake, .resumeIntake, .seal, .end,
    ]

    static func report(_ state: MatchdState) -> MatchdReport {
        var report = MatchdReport(
            process: ProcessNumber(.max), state: state, epoch: .max,
            replica: ReplicaID(high: .max, low: 1), promise: 8, end: 12, endEpoch: 7, durable: 11,
            commitPoint: 10)
        (report.ordersRun, report.ordersDone) = (.max, 4)
        report.oldestWaiting = BootTime(nanos: 5)
        report.heardAt = BootTime(nanos: .max)
        report.isHandedOver = true
        report.reason = state == .stopped ? "cannot write \"x\": no space" : nil
        report.requirement = ReplicaID(high: 3, low: 4)
        report.peer = PeerReport(
            replica: ReplicaID(high: 3, low: 4), echoedAt: BootTime(nanos: 6), matched: 9,
            waitingSince: nil, promise: 8, lacksAcknowledged: true,
            level: LogLevel(format: 2, rules: .max))
        (report.version, report.level) = ("1.2.0", LogLevel(format: .max, rules: 3))
        report.logLevel = LogLevel(format: 2, rules: 1)
        report.gateways = (1...16).map { number in
            GatewayReport(
                name: String(repeating: "g", count: 26 + number / 10) + "\(number)",
                address: "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535", since: .max)
        }
        return report
    }

    static let states: [MatchdState] = [
        .recovered, .following(isConfirmed: true), .following(isConfirmed: false), .promised,
        .leading, .sealed, .stopped,
    ]

    @Test(arguments: orders)
    func `an order is the same after its line`(_ action: MatchdAction) throws {
        let order = MatchdOrder(
            run: 1 << 63, number: 2, process: ProcessNumber(3), epoch: 4, action: action)
        let line = order.json.compact
        #expect(line.utf8.count < ControlLine.bytesMax)
        #expect(MatchdOrder(try #require(ControlLine.json(line.utf8))) == order)
    }

    @Test(arguments: states)
    func `a report is the same after its line`(_ state: MatchdState) throws {
        let report = Self.report(state)
        let line = report.json.compact
        #expect(line.utf8.count < ControlLine.bytesMax)
        #expect(MatchdReport(try #require(ControlLine.json(line.utf8))) == report)
    }

    @Test
    func `a line with one byte changed is another value, or none, and never traps`() throws {
        let lines =
            Self.orders.map {
                MatchdOrder(
                    run: 1, number: 2, process: ProcessNumber(3), epoch: 4, action: $0
                ).json.compact
            } + Self.states.map { Self.report($0).json.compact }
        var (read, refused) = (0, 0)
        for line in lines {
            let bytes = Array(line.utf8)
            for place in bytes.indices {
                for flip: UInt8 in [1, 0x10, 0x80] {
                    var changed = bytes
                    changed[place] ^= flip
                    let json = ControlLine.json(changed)
                    let isRead =
                        json.flatMap(MatchdOrder.init(_:)) != nil
                        || json.flatMap(MatchdReport.init(_:)) != nil
                    if isRead { read += 1 } else { refused += 1 }
                }
                let cut = ControlLine.json(bytes[..<place])
                #expect(cut.flatMap(MatchdOrder.init(_:)) == nil)
                #expect(cut.flatMap(MatchdReport.init(_:)) == nil)
            }
        }
        #expect(read > 0 && refused > read)
    }

    @Test
    func `a line that is too long is none`() {
        let long = "{\"a\":\"" + String(repeating: "x", count: ControlLine.bytesMax) + "\"}"
        #expect(ControlLine.json(long.utf8) == nil)
    }

    @Test
    func `numbers beyond their range are refused, not cut`() throws {
        let order = MatchdOrder(
            run: 1, number: 2, process: ProcessNumber(3), epoch: 4, action: .promise)
        let text = order.json.compact.replacing("\"epoch\":4", with: "\"epoch\":4294967296")
        #expect(MatchdOrder(try #require(ControlLine.json(text.utf8))) == nil)
        let negative = order.json.compact.replacing("\"number\":2", with: "\"number\":-2")
        #expect(MatchdOrder(try #require(ControlLine.json(negative.utf8))) == nil)
    }
}
