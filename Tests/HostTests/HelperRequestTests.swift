// Goal: the root helper takes exactly the lines it prints, and no other.

import Checks
import HelperAPI
import Testing

@Suite struct HelperRequestTests {
    static let lines = [
        "irq-affinity 24 0-2,5", "rps eth0 3 0,2", "rps eth0 0 none", "xps enp1s0f0 1 7",
        "channels eth0 4", "thread-affinity 812 815 2", "governor 3 performance",
        "energy 3 balance_performance", "wakeup-latency 0", "wakeup-latency release",
        "parameter vm.swappiness 1", "workqueue 0-1", "huge-pages never",
        "service-address add 10.0.0.5/24 eth0", "service-address remove fd00::5/64 eth0",
        "service-address leave 10.0.0.5/24 eth0",
        "watchdog arm", "health nvme0n1", "unit start bourse-matchd.service",
        "unit stop bourse-snmp.service",
        "unit restart bourse-auditd.service",
    ]

    @Test(arguments: lines) func `a request is read and written the same`(line: String) {
        #expect(HelperRequest(line)?.line == line)
    }

    @Test(arguments: [
        "", " ", "irq-affinity", "irq-affinity 24", "irq-affinity 24 0 ", " irq-affinity 24 0",
        "irq-affinity  24 0", "irq-affinity 024 0", "irq-affinity -1 0", "irq-affinity 24 2-1",
        "irq-affinity 24 0,0", "irq-affinity 24 none", "irq-affinity 65536 0",
        "irq-affinity 24 4096",
        "IRQ-affinity 24 0", "rps ../x 0 1", "rps eth0/../../x 0 1", "rps .. 0 1", "rps -x 0 1",
        "channels eth0 0", "thread-affinity 1 1 0", "thread-affinity 0 5 0", "governor 0 Perf",
        "governor 0 a/b", "governor 0 performance\n", "wakeup-latency -1",
        "parameter kernel.panic 1", "parameter vm.swappiness 101", "parameter vm.stat_interval 0",
        "watchdog", "watchdog disarm", "watchdog arm 15", "huge-pages sometimes",
        "service-address add 10.0.0.5 eth0",
        "service-address add 10.0.0.5/24;x eth0", "service-address move 10.0.0.5/24 eth0",
        "health ../../etc", "reboot", "unit start bourse-agentd.service",
        "unit start bourse-matchd", "unit start sshd.service",
        "unit enable bourse-matchd.service", "health nvme0n1 nvme1n1",
    ])
    func `anything else is refused`(line: String) { #expect(HelperRequest(line) == nil) }

    @Test func `random and mutated lines never trap, and what is read is written the same`() {
        var random = SystemRandomNumberGenerator()
        var read = 0
        for _ in 0..<200_000 {
            var bytes = Array((Self.lines.randomElement(using: &random) ?? "").utf8)
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: at)
                default: bytes.append(contentsOf: bytes[at...])
                }
            }
            let line = String(decoding: bytes, as: UTF8.self)
            guard let request = HelperRequest(line) else { continue }
            read += 1
            #expect(request.line == line)
        }
        #expect(read > 1_000)
    }

    @Test func `sets of CPUs are read in both of the kernel's forms`() throws {
        #expect(CPUSet(list: "0-3,8\n")?.numbers == [0, 1, 2, 3, 8])
        #expect(CPUSet(list: "")?.numbers == [])
        #expect(CPUSet(list: "3-1") == nil)
        #expect(CPUSet(list: "1,") == nil)
        #expect(CPUSet(list: "0-9999") == nil)
        #expect(CPUSet(mask: "00000001,80000001")?.numbers == [0, 31, 32])
        #expect(CPUSet(mask: "x") == nil)
        #expect(CPUSet([0, 31, 32]).mask == "00000001,80000001")
        for _ in 0..<500 {
            let set = CPUSet((0..<Int.random(in: 0...40)).map { _ in Int.random(in: 0...200) })
            #expect(CPUSet(list: set.description) == set)
            #expect(CPUSet(mask: set.mask) == set)
        }
    }
}
