// Goal: the plan of a host's tuning names what is missing and nothing that is so already; what it
// says, once done, leaves nothing to be done; and it writes nothing that is not ours.

import Checks
import Foundation
import HelperAPI
import JSON
import Testing

extension Machine {
    /// What is to be done for it.
    fileprivate var tuning: TunePlan {
        let group = CheckGroup("tune", seconds: 1, kinds: [], sources: TunePlan.sources(plan)) {
            _ in []
        }
        return TunePlan(
            CheckInput(
                now: Self.observation(20_000_000_000, now, group, plan),
                before: Self.observation(10_000_000_000, before, group, plan), plan: plan))
    }

    /// Its files after everything of a plan was done, by the agent and by its owner.
    fileprivate mutating func carryOut(_ tuning: TunePlan) {
        for request in tuning.items.flatMap(\.requests) { carryOut(request) }
        for file in tuning.files { now[file.path] = file.text }
        guard !tuning.boot.missing.isEmpty else { return }
        let names = tuning.boot.missing.map { $0.prefix { $0 != "=" } + "=" }
        let kept = (now["/proc/cmdline"] ?? "").split(whereSeparator: \.isWhitespace).filter {
            word in !names.contains { word.hasPrefix($0) }
        }
        let words = kept.map(String.init) + tuning.boot.missing
        now["/proc/cmdline"] = words.joined(separator: " ") + "\n"
        let folder = "/sys/devices/system/cpu"
        now["\(folder)/isolated"] = "\(plan.hotCPUs)\n"
        if now["\(folder)/nohz_full"] != nil { now["\(folder)/nohz_full"] = "\(plan.hotCPUs)\n" }
        // Interrupts that the kernel manages begin on other CPUs now.
        for (path, text) in now where path.hasSuffix("effective_affinity_list") {
            let cpus = CPUSet(list: text) ?? CPUSet([])
            if !cpus.intersection(plan.hotCPUs).isEmpty { now[path] = "0\n" }
        }
        guard var grub = now["/etc/default/grub"] else { return }
        for line in tuning.boot.lines {
            let name = line.prefix { $0 != "=" } + "="
            let lines = grub.split(separator: "\n").filter { !$0.hasPrefix(name) }.map(String.init)
            grub = (lines + [line]).map { $0 + "\n" }.joined()
        }
        now["/etc/default/grub"] = grub
    }

    private mutating func carryOut(_ request: HelperRequest) {
        switch request {
        case .irqAffinity(let irq, let cpus):
            now["/proc/irq/\(irq)/effective_affinity_list"] = "\(cpus.numbers[0])\n"
        case .rps(let nic, let queue, let cpus):
            now["/sys/class/net/\(nic)/queues/rx-\(queue)/rps_cpus"] = cpus.mask + "\n"
        case .xps(let nic, let queue, let cpus):
            now["/sys/class/net/\(nic)/queues/tx-\(queue)/xps_cpus"] = cpus.mask + "\n"
        case .channels(let nic, let count):
            let path = "/probe/ethtool/\(nic)/channels"
            now[path] = now[path]?.replacing(/(?m)^combined \d+/) { _ in "combined \(count)" }
        case .threadAffinity(let process, let thread, let cpus):
            let folder = "/proc/\(process)/task/\(thread)"
            now["\(folder)/status"] = now["\(folder)/status"]?
                .replacing(/Cpus_allowed_list:\t.*/) { _ in "Cpus_allowed_list:\t\(cpus)" }
            var words = (now["\(folder)/stat"] ?? "").split(separator: " ").map(String.init)
            words[38] = "\(cpus.numbers[0])"
            now["\(folder)/stat"] = words.joined(separator: " ")
        case .governor(let cpu, let name):
            now["/sys/devices/system/cpu/cpu\(cpu)/cpufreq/scaling_governor"] = name + "\n"
        case .energy(let cpu, let name):
            let folder = "/sys/devices/system/cpu/cpu\(cpu)/cpufreq"
            now["\(folder)/energy_performance_preference"] = name + "\n"
        case .wakeupLatency:
            for path in now.keys where path.contains("/cpuidle/") && path.hasSuffix("/time") {
                now[path] = before[path]
            }
        case .parameter(let name, let value):
            let known = HelperRequest.parameters.first { $0.name == name }
            now[known?.path ?? ""] = "\(value)\n"
        case .unit: preconditionFailure("tuning starts and stops nothing")
        case .workqueue(let cpus):
            now["/sys/devices/virtual/workqueue/cpumask"] = cpus.mask + "\n"
        case .hugePages(let mode):
            now["/sys/kernel/mm/transparent_hugepage/enabled"] = "always [\(mode)] never\n"
        case .serviceAddress, .armWatchdog, .health: Issue.record("\(request.line) is no tuning")
        }
    }
}

extension TunePlan {
    /// Everything it says.
    fileprivate var table: String {
        var lines: [String] = []
        for item in items {
            lines.append("\(item.topic.rawValue) \(item.state.rawValue) \(item.name): \(item.text)")
            lines += item.requests.map { "  \($0.line)" } + item.advice.map { "  owner: \($0)" }
        }
        lines += boot.commands.map { "boot: \($0)" }
        for file in files {
            lines.append("file \(file.path)\(file.text == nil ? " goes" : "")")
            lines += (file.text ?? "").split(separator: "\n").map { "  \($0)" }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// What is left, as `state name`.
    fileprivate var left: [String] {
        items.filter { $0.state != .done && $0.state != .unknown }
            .map { "\($0.state.rawValue) \($0.name)" }
    }
}

@Suite struct TunePlanTests {
    private static let grub = """
        GRUB_TIMEOUT=5
        #GRUB_CMDLINE_LINUX="isolcpus=9"
        GRUB_CMDLINE_LINUX_DEFAULT='quiet rcu_nocbs=7'
        GRUB_CMDLINE_LINUX="console=ttyS0 isolcpus=nohz,5"

        """

    /// `metal` with four cores of two threads each in its tree, and no CPU declared.
    private static var undeclared: Machine {
        var machine = Machine.metal
        machine.plan.hotThreads = []
        for cpu in 0..<8 {
            let folder = "/sys/devices/system/cpu/cpu\(cpu)"
            machine.now["\(folder)/topology/thread_siblings_list"] = "\(cpu % 4),\(cpu % 4 + 4)\n"
            machine.now["\(folder)/cpufreq/scaling_governor"] = "performance\n"
            machine.now["\(folder)/cpufreq/energy_performance_preference"] = "performance\n"
        }
        return machine
    }

    private func expectGolden(_ name: String, _ plan: TunePlan) throws {
        let path = Machine.fixtures.appendingPathComponent("\(name).tune")
        if isRecording { try plan.table.write(to: path, atomically: true, encoding: .utf8) }
        #expect(try plan.table == String(contentsOf: path, encoding: .utf8))
    }

    @Test func `right settings stay, and only files are missing`() throws {
        let tuning = Machine.metal.tuning
        try expectGolden("metal", tuning)
        #expect(tuning.left.allSatisfy { $0.hasPrefix("change /etc/") }, "\(tuning.left)")
        #expect(tuning.boot.missing.isEmpty && tuning.boot.commands.isEmpty)
    }

    @Test func `the plan of an untuned virtual machine has all it lacks`() throws {
        var machine = Machine.vm
        machine.now["/etc/default/grub"] = Self.grub
        try expectGolden("vm", machine.tuning)
    }

    @Test(arguments: [Machine.metal, .vm])
    func `a plan that was carried out leaves nothing to be done`(machine: Machine) {
        var machine = machine
        machine.now["/etc/default/grub"] = Self.grub
        let first = machine.tuning
        #expect(!first.isDone)
        machine.carryOut(first)
        let second = machine.tuning
        #expect(second.left == [])
        #expect(second.isDone && second.boot.commands.isEmpty)
        #expect(second.files.map(\.text) == first.files.map(\.text))
    }

    @Test func `each fault that the agent can mend is in the plan, and gone when it is done`() {
        var count = 0
        for fault in Fault.all {
            var machine = Machine.metal
            machine.carryOut(machine.tuning)
            #expect(machine.tuning.left == [])
            guard fault.apply(to: &machine), HelperRequest(fault.fix.first ?? "") != nil else {
                continue
            }
            // What is counted is an effect, and its cause stands in the plan by another name; a
            // daemon that failed is no matter of tuning.
            let kind = fault.name.prefix { $0 != "/" }
            if ["cpu.irq-intrusion", "unit.state"].contains(kind) { continue }
            count += 1
            let tuning = machine.tuning
            let item = tuning.items.first { $0.name == fault.name }
            #expect(item?.state == .change, "\(fault.name)")
            #expect(item?.requests.map(\.line) == fault.fix, "\(fault.name)")
            machine.carryOut(tuning)
            #expect(machine.tuning.left == [], "\(fault.name)")
        }
        #expect(count >= 15, "\(count) faults can be mended by the agent")
    }

    @Test func `nothing that can be read is nothing that is done`() {
        for machine in [Machine.metal, .vm] {
            var machine = machine
            (machine.now, machine.before) = ([:], [:])
            let tuning = machine.tuning
            #expect(tuning.items.filter { $0.state == .done }.map(\.name) == [])
            #expect(tuning.files.isEmpty && tuning.boot.commands.isEmpty)
        }
    }

    // MARK: The kernel's command line

    @Test func `other arguments in grub's file and other isolated CPUs stay`() {
        var machine = Machine.vm
        machine.now["/sys/devices/system/cpu/nohz_full"] = "\n"
        machine.now["/etc/default/grub"] = Self.grub
        let boot = machine.tuning.boot
        #expect(
            boot.missing == [
                "isolcpus=managed_irq,domain,1", "nohz_full=1", "rcu_nocbs=1", "irqaffinity=0",
            ])
        #expect(
            boot.lines == [
                "GRUB_CMDLINE_LINUX=\"console=ttyS0 isolcpus=managed_irq,domain,nohz,1,5 "
                    + "nohz_full=1 irqaffinity=0\"",
                "GRUB_CMDLINE_LINUX_DEFAULT='quiet rcu_nocbs=1,7'",
            ])
    }

    @Test func `a file of grub's that is right lacks a reboot alone`() {
        var machine = Machine.vm
        machine.now["/etc/default/grub"] =
            "GRUB_CMDLINE_LINUX=\"isolcpus=domain,managed_irq,1 irqaffinity=0\"\n"
        let boot = machine.tuning.boot
        #expect(boot.missing == ["isolcpus=managed_irq,domain,1", "irqaffinity=0"])
        #expect(boot.lines == [] && boot.commands.suffix(2) == ["update-grub", "reboot"])
        #expect(boot.commands.first?.contains("/etc/default/grub.d/") == true)
    }

    @Test(arguments: [
        ("isolcpus=2-3", ["isolcpus=managed_irq,domain,2-3"]),
        ("isolcpus=domain,2-3", ["isolcpus=managed_irq,domain,2-3"]),
        ("isolcpus=domain,managed_irq,2", ["isolcpus=managed_irq,domain,2-3"]),
        ("isolcpus=domain,managed_irq,2-5", []),
        ("isolcpus=what,is=this", ["isolcpus=managed_irq,domain,what,is=this,2-3"]),
    ])
    func `flags and CPUs of isolcpus are both looked at`(word: String, missing: [String]) {
        var machine = Machine.metal
        let old = "isolcpus=domain,managed_irq,2-3"
        machine.now["/proc/cmdline"] = machine.now["/proc/cmdline"]?.replacing(old, with: word)
        #expect(machine.tuning.boot.missing == missing)
    }

    @Test func `an argument that the kernel did not apply is reported`() {
        var machine = Machine.metal
        machine.now["/sys/devices/system/cpu/isolated"] = "2\n"
        let item = machine.tuning.items.first { $0.name == "isolcpus" }
        #expect(item?.state == .owner)
        #expect(item?.text.contains("did not apply it") == true)
    }

    // MARK: The engine's CPU

    @Test func `a CPU is proposed that fits, and none where there are two`() {
        func said(_ machine: Machine) -> TunePlan.Item? {
            machine.tuning.items.first { $0.name == "matchd.cpu" }
        }
        var machine = Self.undeclared
        #expect(said(machine)?.text.contains("CPU 3 would do") == true)
        #expect(said(machine)?.text.contains("it is isolated already") == true)
        machine.now["/sys/devices/system/cpu/isolated"] = "\n"
        machine.now["/sys/devices/system/node/node0/cpulist"] = "0-1,4-5\n"
        #expect(said(machine)?.advice.first == "boursectl init --cpu 1")
        #expect(said(machine)?.text.contains("its core has CPU 5 as well") == true)
        #expect(said(machine)?.text.contains("on the node of eth0") == true)
        #expect(machine.tuning.boot.commands.isEmpty, "none is declared: nothing is isolated")
        #expect(!machine.tuning.files.contains { $0.unit != nil })

        var two = Machine.vm
        two.plan.hotThreads = []
        #expect(said(two)?.state == .done)
        #expect(said(two)?.text.contains("none can be spared") == true)
    }

    @Test(arguments: [(0, "CPU 0 is declared"), (9, "is not online")])
    func `a CPU that does not fit is reported`(cpu: Int, text: String) {
        var machine = Machine.vm
        machine.plan.hotThreads[0].cpu = cpu
        let item = machine.tuning.items.first { $0.name == "matchd.cpu" }
        #expect(item?.state == .owner && item?.text.contains(text) == true)
    }

    // MARK: Files

    @Test func `files of ours go with what they were for, those of others stay`() {
        var machine = Machine.metal
        machine.carryOut(machine.tuning)
        let unit = "/etc/systemd/system/bourse-gatewayd.service.d/50-tune.conf"
        #expect(machine.now[unit]?.contains("CPUAffinity=0-1,4-7\n") == true)
        let agent = "/etc/systemd/system/bourse-agentd.service.d/50-tune.conf"
        machine.now[agent] = "[Service]\nCPUAffinity=1\n"
        machine.plan.hotThreads = []
        let files = machine.tuning.files.filter { $0.unit != nil }
        #expect(files.contains { $0.path == unit && $0.text == nil && !$0.isDone })
        #expect(!files.contains { $0.path == agent })
    }

    @Test func `the engine's memory is bound to its node where there are several`() {
        var machine = Machine.metal
        machine.now["/sys/devices/system/node/node0/cpulist"] = "0-1,4-5\n"
        machine.now["/sys/devices/system/node/node1/cpulist"] = "2-3,6-7\n"
        let file = machine.tuning.files.first { $0.unit == "bourse-matchd.service" }
        let wanted = "[Service]\nCPUAffinity=0-1,4-7\nNUMAPolicy=bind\nNUMAMask=1\n"
        #expect(file?.text?.hasSuffix(wanted) == true)
        let files = Machine.metal.tuning.files
        let one = files.first { $0.unit == "bourse-matchd.service" }
        #expect(one?.text?.hasSuffix("[Service]\nCPUAffinity=0-1,4-7\n") == true)
    }

    @Test func `a unit of somebody else's is not touched`() {
        var machine = Machine.metal
        machine.plan.units += ["ssh.service", "bourse-x/../../ssh.service"]
        #expect(machine.tuning.files.allSatisfy { !$0.path.contains("ssh") })
    }
}
