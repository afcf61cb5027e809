// Reading this host as the agent does, without the agent.

import Checks
import Configuration
import Platform

/// This host, or the recorded tree of one.
struct HostReading {
    /// What the owner declared.
    let plan: HostPlan
    /// The root of the host's files: empty for this host. In a tree probes are files as well.
    let root: String

    /// Maximum size of a file; a longer one is left out.
    private static let fileBytesMax = 2 << 20

    /// The tuning of the host. This host is read twice, a second apart, to determine rates.
    func tuning() -> TunePlan {
        let sources = TunePlan.sources(plan)
        var before: Observation?
        if root.isEmpty {
            before = observation(sources)
            Clock.sleep(nanos: 1_000_000_000)
        }
        return TunePlan(CheckInput(now: observation(sources), before: before, plan: plan))
    }

    /// An observation of these sources.
    func observation(_ sources: [String]) -> Observation {
        Observation(
            time: Clock.monotonicNanos(), sources: sources, plan: plan, text: text,
            names: { try? Directory.names(in: root + $0) })
    }

    private func text(_ path: String) -> String? {
        if root.isEmpty, path.hasPrefix("/probe/") {
            if path == UnitStatus.path { return units() }
            guard let (nic, topic) = EthernetReading.subject(path) else { return nil }
            let text = try? Host.ethernet(nic, topic)
            return text?.isEmpty == false ? text : nil
        }
        return (try? File.text(of: root + path, bytesMax: Self.fileBytesMax)) ?? nil
    }

    /// The units as systemd reports them; nil where systemd cannot be reached.
    private func units() -> String? {
        guard let bus = try? SystemBus(timeoutNanos: 5_000_000_000) else { return nil }
        let lines = plan.watchedUnits.compactMap { unit in
            (try? bus.state(of: unit)).map { UnitStatus(unit, $0).line }
        }
        return lines.isEmpty ? nil : lines.joined()
    }
}
