// /proc/irq: where each interrupt fires, "SMP IRQ affinity" in the kernel's documentation.

import HelperAPI

/// Where an interrupt fires.
enum InterruptAffinity: Hashable, Sendable {
    /// The kernel does not show it.
    case missing
    /// It cannot be parsed.
    case unreadable
    /// On these CPUs.
    case cpus(CPUSet)

    /// The files that are read, as patterns.
    static let sources = [
        "/proc/irq/*/effective_affinity_list", "/proc/irq/*/smp_affinity_list",
    ]

    /// Where an interrupt fires by the kernel's word.
    static func effectivePath(_ interrupt: String) -> String {
        "/proc/irq/\(interrupt)/effective_affinity_list"
    }
}

extension Observation {
    /// Where an interrupt fires, by its number. One that was moved shows its old CPU until it next
    /// fires: then it is where it was asked to be.
    func affinity(of interrupt: String) -> InterruptAffinity {
        guard let text = text(InterruptAffinity.effectivePath(interrupt)) else { return .missing }
        guard let cpus = CPUSet(list: text) else { return .unreadable }
        if let asked = self.text("/proc/irq/\(interrupt)/smp_affinity_list")
            .flatMap({ CPUSet(list: $0) }), !cpus.subtracting(asked).isEmpty
        {
            return .cpus(asked)
        }
        return .cpus(cpus)
    }
}
