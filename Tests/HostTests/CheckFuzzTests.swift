// Goal: whatever a file holds, no check traps, raises an alarm without knowing, or clears one.

import AgentAPI
import Checks
import Testing

@Suite struct CheckFuzzTests {
    /// Texts that no file of the kernel has.
    static let garbage = [
        "", "\n", " \n", "\0\u{1}\u{fffd}\n", "garbage", ": :\n= =\n- -\n", "☃ ☃☃ ☃\n",
        "x1 y2 z3 a4 b5 c6 d7\n", ",,,,,,,,,,,,,\n", "[\n]\n", "[]", "()", "0x", "-\n", "+\n",
        ".\n",
        String(repeating: "A", count: 100_000), String(repeating: "\n", count: 10_000),
        String(repeating: "q ", count: 20_000) + "\n",
    ]

    /// Numbers at and beyond the ends, and words that are nearly right.
    static let numbers = [
        "0", "-1", "1", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "18446744073709551615", "99999999999999999999999999999999", "0x7fffffffffffffff", "4096",
        "0-4095", "0-4294967295", "3-1", "ffffffff", "1.5", "-0.000000001", "1e308", "nan",
    ]

    /// Texts in which anything may stand: a line is a source that is slow, a word an argument, a
    /// list that is not there is not set.
    private static let free = ["/probe/hung", "/proc/cmdline", "/etc/default/irqbalance"]

    /// A machine before a file is replaced: what each group sees and finds.
    private struct Baseline {
        let plan: HostPlan
        let groups: [(group: CheckGroup, now: Observation, before: Observation, found: [Finding])]

        init(_ machine: Machine) {
            plan = machine.plan
            groups = CheckCatalog.groups.map { group in
                let now = Machine.observation(20_000_000_000, machine.now, group, machine.plan)
                let before = Machine.observation(
                    10_000_000_000, machine.before, group, machine.plan)
                let input = CheckInput(now: now, before: before, plan: machine.plan)
                return (group, now, before, group.run(input))
            }
        }

        /// What the groups that read a file find when it holds something else, with what they
        /// found before.
        func replacing(
            _ path: String, _ text: String, isOld: Bool = false
        ) -> [(was: Finding, now: Finding?)] {
            groups.flatMap { group, now, before, found in
                guard now.text(path) != nil else { return [(was: Finding, now: Finding?)]() }
                var (now, before) = (now, before)
                if isOld { before.set(path, text) } else { now.set(path, text) }
                let input = CheckInput(now: now, before: before, plan: plan)
                let new = Dictionary(group.run(input).map { ($0.name, $0) }) { first, _ in first }
                return found.map { ($0, new[$0.name]) }
            }
        }
    }

    /// An empty list of CPUs is one.
    private static func isEmptyList(_ path: String, _ text: String) -> Bool {
        ["/isolated", "/nohz_full", "/effective_affinity_list", "/cpulist"]
            .contains { path.hasSuffix($0) }
            && text.allSatisfy(\.isWhitespace)
    }

    private static func paths(_ machine: Machine) -> [String] {
        machine.now.keys.filter { !$0.hasSuffix("/.keep") }.sorted()
    }

    @Test func `garbage raises no alarm on a healthy host`() {
        let machine = Machine.metal
        let baseline = Baseline(machine)
        var unknown = 0
        for path in Self.paths(machine) where !Self.free.contains(path) {
            var isNoticed = false
            for text in Self.garbage {
                if Self.isEmptyList(path, text) { continue }
                for (was, now) in baseline.replacing(path, text) {
                    isNoticed = isNoticed || now != was
                    guard let now else { continue }
                    if now.state == .unknown { unknown += 1 }
                    #expect(!now.state.isAlarm, "\(path) is \(text.prefix(20)): \(now.line)")
                    #expect(now.text.utf8.count < 400, "\(path): \(now.name)")
                }
            }
            // Files that name a thing, or are only there.
            let silent = [
                "/ro", "_label", "/identity", "/operstate", "features", "msi_irqs", "/name",
                "nvme0n1/device/numa_node", "default_smp_affinity", "available_clocksource",
                "sys_vendor", "cpu/online", "/task/812", "/task/814", "/task/816", "_min", "_alarm",
                "_max",
                "_crit", "state0/time", "state1/time", "state2/time", "/etc/bourse/targets/",
            ]
            let isSilent = silent.contains { path.contains($0) }
            #expect(isNoticed || isSilent, "nobody notices what is in \(path)")
        }
        #expect(unknown > 2_000)
    }

    @Test func `garbage clears no alarm`() {
        var machine = Machine.metal
        for fault in Fault.all where !fault.isAlone { _ = fault.apply(to: &machine) }
        let baseline = Baseline(machine)
        for path in Self.paths(machine) where !Self.free.contains(path) {
            for text in Self.garbage where !Self.isEmptyList(path, text) {
                for (was, now) in baseline.replacing(path, text) where was.state.isAlarm {
                    let isWell = now?.state == .ok
                    #expect(!isWell, "\(path) is \(text.prefix(20)): \(now?.line ?? "")")
                }
            }
        }
    }

    @Test func `numbers at their ends, and damaged texts, trap nothing`() {
        var random = SystemRandomNumberGenerator()
        var rounds = 0
        for machine in [Machine.metal, .vm] {
            let baseline = Baseline(machine)
            for path in Self.paths(machine) {
                for number in Self.numbers {
                    let text = machine.now[path] ?? ""
                    let all = text.replacing(/\d+/) { _ in number }
                    let one = text.replacing(/\d+/, maxReplacements: 1) { _ in number }
                    for text in [number, number + "\n", all, one] {
                        rounds += baseline.replacing(path, text).count
                        _ = baseline.replacing(path, text, isOld: true)
                    }
                }
                for _ in 0..<20 {
                    var bytes = Array((machine.now[path] ?? "").utf8)
                    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                        let at = Int.random(in: bytes.indices, using: &random)
                        switch Int.random(in: 0...3, using: &random) {
                        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                        case 1: bytes.remove(at: at)
                        case 2: bytes.removeLast(bytes.count - at)
                        default: bytes.insert(contentsOf: bytes[at...].prefix(40), at: at)
                        }
                    }
                    rounds += baseline.replacing(path, String(decoding: bytes, as: UTF8.self)).count
                }
            }
        }
        #expect(rounds > 50_000)
    }

    @Test func `a missing file leaves nothing ok that needs it, and changes nothing else`() {
        let machine = Machine.metal
        let right = machine.findings
        for path in Self.paths(machine)
        where path.hasPrefix("/proc/sys") || path.hasPrefix("/probe") {
            var blind = machine
            blind.now[path] = nil
            let found = blind.findings
            for finding in found where finding.source == path { #expect(finding.state != .ok) }
            let critical = found.filter { $0.state == .critical }.map(\.kind.name)
            #expect(critical == (path == "/probe/exchange" ? ["exchange.answers"] : []), "\(path)")
            #expect(found.count <= right.count)
        }
    }
}
