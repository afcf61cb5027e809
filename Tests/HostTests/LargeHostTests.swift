// Goal: a large host is read like a small one: 128 CPUs, 600 interrupts, 128 queues, 24 disks.

import Agent
import AgentAPI
import Checks
import JSON
import Testing

@Suite struct LargeHostTests {
    /// Makes `tree` a large host's, with counters in every column.
    private func fill(_ tree: Scratch) throws {
        let (cpus, interrupts, queues) = (0..<128, 0..<600, 0..<64)
        func table(_ rows: [String]) -> String {
            let columns = cpus.map { "\(1_000_000 + $0)".padded(11) }.joined()
            let head = cpus.map { "CPU\($0)".padded(11) }.joined()
            return ([head] + rows.map { $0.replacing("COUNTS", with: columns) })
                .joined(separator: "\n") + "\n"
        }
        try tree.write(
            "proc/interrupts",
            table(interrupts.map { "\($0):COUNTS  IR-PCI-MSI  \($0)-edge  eth0-TxRx-\($0)" }))
        try tree.write("proc/softirqs", table(["NET_RX", "BLOCK"].map { "\($0):COUNTS" }))
        for irq in interrupts {
            try tree.write("proc/irq/\(irq)/effective_affinity_list", "\(irq % 128)\n")
        }
        try tree.write("sys/devices/system/cpu/online", "0-127\n")
        for cpu in cpus {
            let folder = "sys/devices/system/cpu/cpu\(cpu)"
            try tree.write("\(folder)/cpufreq/scaling_governor", "performance\n")
            try tree.write("\(folder)/topology/thread_siblings_list", "\(cpu)\n")
            for state in 0..<4 { try tree.write("\(folder)/cpuidle/state\(state)/time", "1\n") }
        }
        for queue in queues {
            let folder = "sys/class/net/eth0"
            try tree.write("\(folder)/device/msi_irqs/\(queue)", "msi\n")
            try tree.write("\(folder)/queues/rx-\(queue)/rps_cpus", "0\n")
            try tree.write("\(folder)/queues/tx-\(queue)/xps_cpus", "0\n")
        }
        for disk in 0..<24 {
            try tree.write("sys/block/nvme\(disk)n1/queue/scheduler", "[none]\n")
            try tree.write("sys/block/nvme\(disk)n1/device/numa_node", "0\n")
        }
    }

    @Test func `each queue of a large host has its interrupt and its CPU`() throws {
        let tree = try Scratch()
        try fill(tree)
        let options = AgentOptions(version: "1", plan: HostPlan())
        let state = options.runChecksOnce(rounds: 1, reader: HostReader(root: tree.path))
        for queue in 0..<64 {
            let wanted = #""queue":"rx-\#(queue)","irq":\#(queue),"cpus":"\#(queue)""#
            #expect(state.json.compact.contains(wanted))
        }
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        String(repeating: " ", count: max(1, width - utf8.count)) + self
    }
}
