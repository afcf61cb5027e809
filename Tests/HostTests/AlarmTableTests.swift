// Goal: an alarm is reported once when it begins and once when it ends, and nothing else is;
// unknown is never treated as ok.

import AgentAPI
import Checks
import HelperAPI
import JSON
import Testing

extension CheckKind {
    fileprivate static let sample = CheckKind(
        9_001, "test.sample", unit: "percent", warning: 80, critical: 90, why: "It is a test.")
    fileprivate static let spare = CheckKind(
        9_002, "test.spare", unit: "percent", warning: 20, critical: 10, isWorseBelow: true,
        why: "It is a test.")
}

@Suite struct AlarmTableTests {
    private let input = CheckInput(now: Observation(time: 1), before: nil, plan: HostPlan())

    private func finding(_ value: Int64, _ subject: String = "a") -> Finding {
        input.finding(.sample, subject, value: value, "\(value) of 100", source: "/there")
    }

    @Test(arguments: [
        (79 as Int64, CheckState.ok), (80, .warning), (89, .warning), (90, .critical),
        (1_000, .critical),
    ])
    func `a value changes state at its thresholds`(value: Int64, state: CheckState) {
        #expect(finding(value).state == state)
        let spare = input.finding(.spare, value: 100 - value, "", source: "")
        #expect(spare.state == state)
    }

    @Test func `a configured threshold overrides the kind's own`() {
        var plan = HostPlan()
        plan.thresholds["test.sample"] = Thresholds(warning: nil, critical: 50)
        let input = CheckInput(now: Observation(time: 1), before: nil, plan: plan)
        #expect(input.finding(.sample, value: 49, "", source: "").state == .ok)
        #expect(input.finding(.sample, value: 50, "", source: "").state == .critical)
    }

    @Test func `an alarm is raised once, reported again when it escalates, and cleared once`() {
        var table = AlarmTable()
        var reported: [String] = []
        for (time, value) in [(1, 10), (2, 85), (3, 86), (4, 95), (5, 84), (6, 10), (7, 10)] {
            for event in table.take([finding(Int64(value))], of: [.sample], at: Int64(time)) {
                reported.append(
                    "\(event.sequence) \(event.time) \(event.isRaised) \(event.state.name)")
            }
        }
        #expect(
            reported == [
                "1 2 true warning", "2 4 true critical", "3 5 true warning", "4 6 false ok",
            ])
        #expect(table.entries["test.sample/a"]?.failures == 3)
        #expect(table.entries["test.sample/a"]?.since == 6)
        #expect(table.entries["test.sample/a"]?.seen == 7)
    }

    @Test func `unknown neither raises nor clears`() {
        var table = AlarmTable()
        let blind = input.unknown(.sample, "a", source: "/there")
        #expect(table.take([blind], of: [.sample], at: 1).isEmpty)
        #expect(table.worst == .unknown)
        #expect(table.take([finding(95)], of: [.sample], at: 2).count == 1)
        #expect(table.take([blind], of: [.sample], at: 3).isEmpty)
        #expect(table.raised == ["test.sample/a"])
        #expect(table.take([finding(5)], of: [.sample], at: 4).map(\.isRaised) == [false])
    }

    @Test func `a subject that goes takes its alarm with it, and only its own group's`() {
        var table = AlarmTable()
        _ = table.take([finding(95, "a"), finding(95, "b")], of: [.sample], at: 1)
        #expect(table.take([], of: [.spare], at: 2).isEmpty)
        let events = table.take([finding(95, "b")], of: [.sample], at: 3)
        #expect(events.map(\.name) == ["test.sample/a"])
        #expect(events.map(\.isRaised) == [false])
        #expect(table.sorted.map(\.finding.subject) == ["b"])
    }

    @Test func `an alarm that stood before a restart is not raised again, but is cleared`() {
        var table = AlarmTable(sequence: 41, raised: ["test.sample/a"])
        #expect(table.take([finding(95)], of: [.sample], at: 1).isEmpty)
        let events = table.take([finding(5)], of: [.sample], at: 2)
        #expect(events.map(\.sequence) == [42])
        #expect(events.map(\.isRaised) == [false])
    }

    /// The events of checks that go up and down each second, or as the hold lets them.
    @Test(
        arguments: [
            [95, 10], [95, 85], [10, 85, 95, 85], [95, nil], [95, 10, nil, 10],
            [95] + [10, 10, 10],
            [95] + Array(repeating: 10, count: 11), [95] + Array(repeating: 85, count: 61),
            [95] + Array(repeating: 10, count: 601), [95] + Array(repeating: nil, count: 601),
        ] as [[Int64?]])
    func `a check that flaps makes few events, the first at once`(values: [Int64?]) throws {
        let second: Int64 = 1_000_000_000
        var table = AlarmTable()
        var events: [AlarmEvent] = []
        let begin = 1_000_000 * second
        for step in 0..<7_200 {
            let found = values[step % values.count].map { [finding($0)] } ?? []
            events += table.take(found, of: [.sample], at: begin + Int64(step) * second)
        }
        let first = try #require(values.firstIndex { $0 ?? 0 >= 80 })
        #expect(events.first?.time == begin + Int64(first) * second)
        for hour in [0, 1] as [Int64] {
            let count = events.count { ($0.time - begin) / (3_600 * second) == hour }
            #expect(count < 40)
        }
        #expect(events.map(\.sequence) == Array(1...UInt64(events.count)))
        // At rest it is cleared within the longest hold, and reported at once after a calm while.
        var rest: [AlarmEvent] = []
        for step in 7_200..<10_000 {
            rest += table.take([finding(10)], of: [.sample], at: begin + Int64(step) * second)
        }
        #expect(table.raised.isEmpty)
        #expect(rest.count <= 1 && rest.allSatisfy { !$0.isRaised })
        var after: [Bool] = []
        for (step, value) in [95, 10].enumerated() {
            let time = begin + Int64(10_000 + step) * second
            after += table.take([finding(Int64(value))], of: [.sample], at: time).map(\.isRaised)
        }
        #expect(after == [true, false])
    }

    @Test func `it keeps at most so many checks, and counts what found no place`() {
        var table = AlarmTable()
        let many = (0..<AlarmTable.entriesMax + 3).map { finding(1, "s\($0)") }
        _ = table.take(many, of: [.sample], at: 1)
        #expect(table.entries.count == AlarmTable.entriesMax)
        #expect(table.dropped == 3)
    }

    @Test func `a day of minutes is kept, each with its worst`() {
        var table = AlarmTable()
        let minute: Int64 = 60_000_000_000
        for step in 0..<Int64(AlarmTable.minutesMax + 5) {
            _ = table.take([finding(95)], of: [.sample], at: step * minute)
            _ = table.take([finding(10)], of: [.sample], at: step * minute + 1)
        }
        let history = table.history("test.sample/a")
        #expect(history.count == AlarmTable.minutesMax)
        #expect(history.first?.minute == 5)
        #expect(history.allSatisfy { $0.state == .critical && $0.value == 95 })
    }

    @Test func `a report decodes to what was encoded`() throws {
        var table = AlarmTable()
        var bad = finding(95)
        bad.fix = .change([.irqAffinity(irq: 24, cpus: CPUSet([0, 2, 3]))])
        let events = table.take([bad, finding(1, "b")], of: [.sample], at: 7)
        for entry in table.sorted {
            let check = entry.reported(HostPlan())
            let text = check.json.compact
            #expect(JSONValue(parsing: text.utf8).flatMap(ReportedCheck.init) == check)
        }
        let first = try #require(events.first)
        #expect(JSONValue(parsing: first.json.compact.utf8).flatMap(AlarmEvent.init) == first)
    }

    @Test func `kinds have unique numbers and names`() {
        let kinds = CheckCatalog.kinds
        #expect(Set(kinds.map(\.number)).count == kinds.count)
        #expect(Set(kinds.map(\.name)).count == kinds.count)
        for kind in kinds {
            #expect(kind.why.hasSuffix("."), "\(kind.name)")
            #expect(kind.name.contains("."), "\(kind.name)")
        }
    }
}
