// Goal: on recorded machines every check finds what is true there, and each fault changes its own
// check and no other.

import AgentAPI
import Checks
import Foundation
import HelperAPI
import Testing

@Suite struct CheckTests {
    /// The table of a machine in `Fixtures/NAME.txt`. BOURSE_RECORD=1 writes it anew: right only
    /// when each line was read and is true.
    private func expectGolden(_ name: String, _ machine: Machine) throws {
        let path = Machine.fixtures.appendingPathComponent("\(name).table")
        let table = machine.findings.map { $0.line + "\n" }.joined()
        if isRecording { try table.write(to: path, atomically: true, encoding: .utf8) }
        let golden = try String(contentsOf: path, encoding: .utf8)
        let (lines, old) = (table.split(separator: "\n"), golden.split(separator: "\n"))
        for line in lines where !old.contains(line) { Issue.record("new: \(line)") }
        for line in old where !lines.contains(line) { Issue.record("gone: \(line)") }
        #expect(table == golden)
    }

    @Test func `a host with everything set right has no alarm`() throws {
        try expectGolden("metal", .metal)
        #expect(Machine.metal.findings.filter { $0.state != .ok }.map(\.line) == [])
    }

    @Test func `an untuned virtual machine has the findings of its table`() throws {
        try expectGolden("vm", .vm)
    }

    @Test func `all faults together are all found`() throws {
        var machine = Machine.metal
        for fault in Fault.all where !fault.isAlone {
            let isChanged = fault.apply(to: &machine)
            #expect(isChanged, "nothing to change for \(fault.name)")
        }
        try expectGolden("faults", machine)
    }

    @Test func `a host of which nothing can be read has nothing that is ok`() throws {
        var machine = Machine.metal
        machine.now = [:]
        machine.before = [:]
        try expectGolden("silent", machine)
        #expect(machine.findings.filter { $0.state == .ok }.map(\.line) == [])
    }

    @Test func `a fault changes its own check, has its fix, and changes no other`() throws {
        let faults = Fault.all
        #expect(faults.count > 80)
        if isRecording { try record(faults) }
        let metal = Machine.metal
        let right = Dictionary(metal.findings.map { ($0.name, $0) }) { first, _ in first }
        for fault in faults {
            var machine = metal
            let isChanged = fault.apply(to: &machine)
            #expect(isChanged, "nothing to change for \(fault.name)")
            let found = machine.findings
            let own = found.first { $0.name == fault.name }
            #expect(own?.state.name == fault.state, "\(fault.name): \(own?.line ?? "none")")
            #expect(own?.fixLines == fault.fix, "\(fault.name)")
            #expect(own?.source.isEmpty == false, "\(fault.name)")
            if fault.isAlone { continue }
            let others = found.filter { $0.name != fault.name && right[$0.name] != $0 }
            #expect(others.map(\.line) == [], "\(fault.name) changes others")
            let names = Set(found.map(\.name))
            #expect(right.keys.filter { !names.contains($0) } == [], "\(fault.name) takes others")
        }
    }

    /// What is found of the watchdog where softdog is the first, in `soft`, and hardware the
    /// second, in `hard`; nil: there is none.
    private func watchdog(soft: String, hard: String?) throws -> Finding {
        var machine = Machine.metal
        let folder = "/sys/class/watchdog"
        machine.now["\(folder)/watchdog0/identity"] = "Software Watchdog\n"
        machine.now["\(folder)/watchdog0/state"] = soft + "\n"
        if let hard {
            machine.now["\(folder)/watchdog1/identity"] = "iTCO_wdt\n"
            machine.now["\(folder)/watchdog1/state"] = hard + "\n"
        }
        return try #require(machine.findings.first { $0.name == "kernel.watchdog" })
    }

    @Test func `an armed hardware watchdog counts behind one in software`() throws {
        for soft in ["active", "inactive"] {
            let found = try watchdog(soft: soft, hard: "active")
            #expect((found.state, found.text) == (.ok, "the watchdog iTCO_wdt is armed"))
        }
        let idle = try watchdog(soft: "active", hard: "inactive")
        #expect((idle.state, idle.text) == (.warning, "the hardware watchdog is not armed"))
        #expect(idle.source == "/sys/class/watchdog/watchdog1/state")
        #expect(idle.fixLines.first?.hasSuffix("WatchdogDevice=/dev/watchdog1") == true)
        let mute = try watchdog(soft: "active", hard: "?")
        #expect(mute.state == .unknown)
    }

    @Test func `a watchdog in software is no hardware watchdog`() throws {
        let idle = try watchdog(soft: "inactive", hard: nil)
        #expect((idle.state, idle.text) == (.warning, "there is no hardware watchdog"))
        let armed = try watchdog(soft: "active", hard: nil)
        #expect(armed.text == "the watchdog is software in the kernel that it should watch")
    }

    /// Writes the fixes of the faults as they are found.
    private func record(_ faults: [Fault]) throws {
        let blocks = Fault.text.split(separator: "\n\n")
        precondition(blocks.count == faults.count + 1, "each fault stands behind an empty line")
        let texts = zip(blocks.dropFirst(), faults).map { block, fault in
            var machine = Machine.metal
            _ = fault.apply(to: &machine)
            let own = machine.findings.first { $0.name == fault.name }
            return block.split(separator: "\n").filter { !$0.hasPrefix("  fix ") }.map(String.init)
                + (own?.fixLines ?? []).map { "  fix " + $0 }
        }
        let text =
            ([String(blocks[0])] + texts.map { $0.joined(separator: "\n") })
            .joined(separator: "\n\n") + "\n"
        try text.write(to: Fault.path, atomically: true, encoding: .utf8)
        if faults.map(\.fix) != Fault.parse(text).map(\.fix) {
            Issue.record("recorded: read the changes, then run without BOURSE_RECORD")
        }
    }

    @Test func `without a watchdog a host is in alarm, and critical where one is required`() {
        for (isRequired, state) in [(false, CheckState.warning), (true, .critical)] {
            var machine = Machine.vm
            machine.plan.requiresWatchdog = isRequired
            let found = machine.findings.first { $0.kind.name == "kernel.watchdog" }
            #expect(found?.state == state)
        }
    }

    @Test func `every kind is in alarm on some machine, and no two share a group's name`() {
        var alarms = Set(Machine.vm.findings.filter(\.state.isAlarm).map(\.kind.name))
        for fault in Fault.all {
            var machine = Machine.metal
            _ = fault.apply(to: &machine)
            alarms.formUnion(machine.findings.filter(\.state.isAlarm).map(\.kind.name))
        }
        for kind in CheckCatalog.kinds {
            #expect(alarms.contains(kind.name), "\(kind.name) is dead")
        }
        #expect(Set(CheckCatalog.groups.map(\.name)).count == CheckCatalog.groups.count)
        for group in CheckCatalog.groups {
            let kinds = Set(group.kinds.map(\.name))
            for machine in [Machine.metal, .vm] {
                for finding in machine.findings(of: group) {
                    #expect(kinds.contains(finding.kind.name), "\(group.name): \(finding.name)")
                }
            }
        }
    }

    @Test func `names are unique, texts are one sentence, and the helper accepts the requests`() {
        var all = [Machine.metal, .vm].map(\.findings)
        for fault in Fault.all {
            var machine = Machine.metal
            _ = fault.apply(to: &machine)
            all.append(machine.findings)
        }
        for findings in all {
            #expect(Set(findings.map(\.name)).count == findings.count)
            for finding in findings {
                #expect(!finding.text.isEmpty && !finding.text.contains("\n"), "\(finding.name)")
                #expect(finding.text.utf8.count < 400 && !finding.text.hasSuffix("."))
                if finding.state == .ok { #expect(finding.fix == nil, "\(finding.name)") }
                guard case .change(let requests) = finding.fix else { continue }
                for request in requests { #expect(HelperRequest(request.line) == request) }
            }
        }
    }

    @Test func `a counter has no rate when it is read once, or was reset`() {
        let metal = Machine.metal
        var fresh = metal
        fresh.before = [:]
        let rates = Set(fresh.findings.filter { $0.state == .unknown }.map(\.kind.name))
        let counted: Set<String> = [
            "cpu.preemption", "cpu.run-delay", "cpu.smt-sibling", "cpu.steal", "cpu.throttling",
            "cpu.irq-intrusion", "cpu.softirq-intrusion", "cpu.kernel-interrupts", "cpu.deep-idle",
            "nic.flaps", "nic.drops", "nic.line-errors", "nic.softnet-dropped",
            "nic.softnet-squeezed", "nic.tcp-retransmits", "nic.listen-overflows",
            "nic.queue-drops", "disk.write-latency", "disk.flush-latency", "disk.request-errors",
            "disk.full-within", "memory.swap-in", "memory.oom-kills", "time.step",
            "gear.port-errors",
        ]
        #expect(rates == counted)
        // Every counter of the machine is back at a lower number.
        var restarted = metal
        restarted.before = metal.now
        for path in restarted.before.keys where path.contains("interrupts") || path.contains("stat")
        {
            let text = restarted.before[path] ?? ""
            restarted.before[path] = text.replacing(/\b\d{2,}\b/) { "9" + $0.output }
        }
        let lower = restarted.findings.filter { counted.contains($0.kind.name) }
        #expect(lower.filter(\.state.isAlarm).map(\.line) == [])
        #expect(lower.contains { $0.kind.name == "cpu.kernel-interrupts" && $0.state == .unknown })
    }

    @Test(arguments: [
        ("cpu.kernel-interrupts/cpu2", 2 as Int64), ("cpu.run-delay/bourse-matchd/engine", 0),
        ("cpu.smt-sibling/cpu2", 0), ("disk.write-latency/nvme0n1", 50),
        ("disk.flush-latency/nvme0n1", 40), ("nic.tcp-retransmits", 0), ("time.step", 0),
        ("disk.full-within/journal", 437), ("exchange.gate-wait", 12), ("cpu.deep-idle/cpu3", 0),
    ])
    func `a value is what the two observations give`(name: String, value: Int64) {
        #expect(Machine.metal.findings.first { $0.name == name }?.value == value)
    }
}
