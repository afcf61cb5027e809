// Carries out the helper's requests: reads the setting, changes it, reads it back, and returns the
// request that undoes it.

import Glibc
public import HelperAPI
import Platform

/// Why a request failed.
public enum HelperError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is not allowed, or not possible on this host; nothing was changed.
    case refused(String)
    /// The change was tried and did not take effect.
    case failed(String)

    /// One line, as in the reply.
    public var description: String {
        switch self {
        case .refused(let why): "refused \(why)"
        case .failed(let why): "failed \(why)"
        }
    }
}

/// The result of a request.
public struct HelperAnswer: Hashable, Sendable {
    /// The request that restores the old setting; nil: nothing was changed.
    public var undo: HelperRequest?
    /// What was read, for requests that read.
    public var lines: [String] = []
}

/// Changes settings of the running kernel. Nothing it does outlives a reboot.
public final class HostChanger {
    /// Where `/proc` and `/sys` begin: empty on a real host, a directory in tests.
    let root: String
    /// Open for as long as the latency bound holds: the kernel drops it on close.
    private var wakeupLatency: (file: File, micros: Int)?
    private var serviceAddress = ServiceAddress()

    /// A changer of the host, or of a tree that looks like one.
    public init(root: String = "") { self.root = root }

    /// Whether a setting lasts only as long as this process.
    public var holdsSomething: Bool { wakeupLatency != nil }

    /// Carries out one request.
    public func perform(_ request: HelperRequest) throws(HelperError) -> HelperAnswer {
        switch request {
        case .irqAffinity(let irq, let cpus):
            return try change(
                "/proc/irq/\(irq)/smp_affinity_list", to: cpus, read: CPUSet.init(list:),
                write: \.description
            ) { .irqAffinity(irq: irq, cpus: $0) }
        case .rps(let nic, let queue, let cpus):
            return try change(
                "/sys/class/net/\(nic)/queues/rx-\(queue)/rps_cpus", to: cpus,
                read: CPUSet.init(mask:), write: \.mask
            ) { .rps(nic: nic, queue: queue, cpus: $0) }
        case .xps(let nic, let queue, let cpus):
            return try change(
                "/sys/class/net/\(nic)/queues/tx-\(queue)/xps_cpus", to: cpus,
                read: CPUSet.init(mask:), write: \.mask
            ) { .xps(nic: nic, queue: queue, cpus: $0) }
        case .workqueue(let cpus):
            return try change(
                "/sys/devices/virtual/workqueue/cpumask", to: cpus, read: CPUSet.init(mask:),
                write: \.mask
            ) { .workqueue(cpus: $0) }
        case .governor(let cpu, let name):
            let directory = "/sys/devices/system/cpu/cpu\(cpu)/cpufreq"
            try offered(name, in: "\(directory)/scaling_available_governors")
            return try change("\(directory)/scaling_governor", to: name) {
                .governor(cpu: cpu, name: $0)
            }
        case .energy(let cpu, let name):
            let directory = "/sys/devices/system/cpu/cpu\(cpu)/cpufreq"
            try offered(name, in: "\(directory)/energy_performance_available_preferences")
            return try change("\(directory)/energy_performance_preference", to: name) {
                .energy(cpu: cpu, name: $0)
            }
        case .parameter(let name, let value): return try parameter(name, value)
        case .hugePages(let mode):
            return try change(
                "/sys/kernel/mm/transparent_hugepage/enabled", to: mode, read: Self.chosen,
                write: \.self
            ) { .hugePages(mode: $0) }
        case .channels(let nic, let count):
            let old = try NetworkDevice.setChannels(nic, count)
            return HelperAnswer(undo: old == count ? nil : .channels(nic: nic, count: old))
        case .threadAffinity(let process, let thread, let cpus):
            return try moveThread(process, thread, cpus)
        case .wakeupLatency(let micros): return try holdLatency(micros)
        case .serviceAddress(let change, let address, let nic):
            return try serviceAddress.make(change, address, nic)
        case .armWatchdog: return try armWatchdog()
        case .health(let disk): return try Self.health(of: disk)
        case .unit:
            throw .refused("daemons are controlled by the service manager, not by the helper")
        }
    }

    /// What a disk says of its health, which may take it seconds. Any thread.
    static func health(of disk: String) throws(HelperError) -> HelperAnswer {
        HelperAnswer(undo: nil, lines: try SMARTHealth.read(disk))
    }

    // MARK: Files of one value

    private func change<Value: Equatable>(
        _ path: String, to wanted: Value, read: (String) -> Value?, write: (Value) -> String,
        undo: (Value) -> HelperRequest
    ) throws(HelperError) -> HelperAnswer {
        guard let old = read(try text(path)) else {
            throw .failed("\(path) cannot be parsed; nothing was changed")
        }
        guard old != wanted else { return HelperAnswer() }
        do throws(SystemError) {
            try File(root + path, .write).set(Array("\(write(wanted))\n".utf8))
        } catch {
            throw .failed(
                path.hasPrefix("/proc/irq/") && error.code == EIO
                    ? "the driver manages this interrupt itself; it follows the isolated CPUs of "
                        + "the kernel's command line (isolcpus=managed_irq)" : error.description)
        }
        let now = read(try text(path))
        guard now == wanted else {
            throw .failed("\(path) accepted \(write(wanted)) but now reads \(try text(path))")
        }
        return HelperAnswer(undo: undo(old))
    }

    private func change(
        _ path: String, to name: String, undo: (String) -> HelperRequest
    ) throws(HelperError) -> HelperAnswer {
        try change(path, to: name, read: { $0 }, write: \.self, undo: undo)
    }

    /// The first line of a file.
    private func text(_ path: String) throws(HelperError) -> String {
        String(decoding: try bytes(path).prefix { $0 != 0x0A }, as: UTF8.self)
    }

    private func bytes(_ path: String) throws(HelperError) -> [UInt8] {
        do throws(SystemError) {
            return try File(root + path, .read).read(count: 4_096)
        } catch {
            throw error.isMissing
                ? .refused("this host has no \(path)") : .failed(error.description)
        }
    }

    private func offered(_ name: String, in path: String) throws(HelperError) {
        let names = try text(path).split(separator: " ").map(String.init)
        guard names.contains(name) else {
            throw .refused("\(name) is not among \(names.joined(separator: ", "))")
        }
    }

    private func parameter(_ name: String, _ value: Int) throws(HelperError) -> HelperAnswer {
        guard let known = HelperRequest.parameters.first(where: { $0.name == name }) else {
            throw .refused("the helper does not set \(name)")
        }
        return try change(known.path, to: value, read: { Int($0) }, write: { String($0) }) {
            .parameter(name: name, value: $0)
        }
    }

    /// The word that is chosen of several, or the only one.
    private static func chosen(_ text: String) -> String? {
        KernelChoice.chosen(in: text) ?? (text.contains(" ") ? nil : text)
    }

    // MARK: Threads and latency

    /// Moves a thread of a unit of the exchange; no other.
    private func moveThread(
        _ process: Int, _ thread: Int, _ cpus: CPUSet
    ) throws(HelperError) -> HelperAnswer {
        // A line for each hierarchy, cgroups(7); systemd's is the unified one.
        let groups = try bytes("/proc/\(process)/cgroup").split(separator: 0x0A)
        let group =
            groups.map { String(decoding: $0, as: UTF8.self) }.first { $0.hasPrefix("0::") } ?? ""
        let place = group.dropFirst(3)
        guard place.hasPrefix("/bourse.slice/bourse-"), place.hasSuffix(".service"),
            place.count(where: { $0 == "/" }) == 2
        else {
            throw .refused("process \(process) is no daemon of the exchange")
        }
        guard Directory.exists("\(root)/proc/\(process)/task/\(thread)") else {
            throw .refused("process \(process) has no thread \(thread)")
        }
        return try attempt { () throws(SystemError) in
            let old = CPUSet(try Host.affinity(thread: Int32(thread)))
            guard old != cpus else { return .success(HelperAnswer()) }
            try Host.setAffinity(thread: Int32(thread), cpus.numbers)
            guard CPUSet(try Host.affinity(thread: Int32(thread))) == cpus else {
                return .failure(.failed("not every CPU of \(cpus) is available to this thread"))
            }
            return .success(
                HelperAnswer(undo: .threadAffinity(process: process, thread: thread, cpus: old)))
        }
    }

    /// pm_qos(7) "cpu_dma_latency": holds as long as the file is open.
    private func holdLatency(_ micros: Int) throws(HelperError) -> HelperAnswer {
        let old = wakeupLatency?.micros ?? -1
        guard old != micros else { return HelperAnswer() }
        if micros < 0 {
            wakeupLatency = nil
        } else {
            do throws(SystemError) {
                let file = try File("\(root)/dev/cpu_dma_latency", .write)
                let value = UInt32(micros)
                try file.set((0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
                wakeupLatency = (file, micros)
            } catch {
                throw error.isMissing
                    ? .refused("this host has no /dev/cpu_dma_latency") : .failed(error.description)
            }
        }
        return HelperAnswer(undo: .wakeupLatency(micros: old))
    }
}

/// Returns what `body` does; a failed system call is a failed request.
func attempt<Value>(
    _ body: () throws(SystemError) -> Result<Value, HelperError>
) throws(HelperError) -> Value {
    let result: Result<Value, HelperError>
    do throws(SystemError) {
        result = try body()
    } catch { throw .failed(error.description) }
    return try result.get()
}
