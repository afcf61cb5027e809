// Goal: everything that interrupted a CPU is named and counted, and nothing else.

import Checks
import Testing

@Suite struct CPUIntrusionTests {
    private func suspects(_ machine: Machine, on cpu: Int) -> [CPUIntrusion]? {
        func observation(_ files: [String: String]) -> Observation {
            var seen = Observation(time: 0)
            for path in CPUIntrusion.sources { if let text = files[path] { seen.set(path, text) } }
            return seen
        }
        return CPUIntrusion.all(
            on: cpu, from: observation(machine.before), to: observation(machine.now))
    }

    @Test func `a device, a softirq and the hypervisor are named, and counted`() throws {
        let quiet = try #require(suspects(.metal, on: 2))
        let known = Set(quiet.map(\.name))
        #expect(!known.contains { $0.hasPrefix("interrupt ") }, "no device came in: \(known)")
        var machine = Machine.metal
        for name in ["cpu.irq-intrusion/cpu2", "cpu.softirq-intrusion/cpu2", "cpu.steal"] {
            let fault = try #require(Fault.all.first { $0.name == name })
            let isChanged = fault.apply(to: &machine)
            #expect(isChanged)
        }
        let loud = try #require(suspects(machine, on: 2))
        #expect(loud.first == CPUIntrusion(name: "interrupt 50 (eth0-TxRx-0)", count: 4_400))
        #expect(loud.contains(CPUIntrusion(name: "softirq NET_RX", count: 108)))
        #expect(zip(loud, loud.dropFirst()).allSatisfy { $0.count >= $1.count })
        #expect(!loud.contains { $0.name.hasPrefix("the hypervisor") }, "that was CPU 3")
        let other = try #require(suspects(machine, on: 3))
        #expect(other.contains(CPUIntrusion(name: "the hypervisor (ticks)", count: 6)))
        #expect(!other.contains { $0.name == "softirq NET_RX" })
    }

    @Test func `a table that cannot be read, or has no such CPU, names nothing`() {
        #expect(suspects(.metal, on: 8) == nil)
        for path in ["/proc/interrupts", "/proc/softirqs"] {
            var machine = Machine.metal
            machine.now[path] = "garbage\n"
            #expect(suspects(machine, on: 2) == nil, "\(path)")
        }
    }

    @Test func `a counter that was reset is no intrusion`() throws {
        var machine = Machine.metal
        (machine.before, machine.now) = (machine.now, machine.before)
        #expect(try #require(suspects(machine, on: 0)).isEmpty)
    }
}
