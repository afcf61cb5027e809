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
        let parts = path.split(separator: "/")
        if root.isEmpty, parts.first == "probe" {
            if path == UnitStatus.path { return units() }
            guard parts.count == 4, parts[1] == "ethtool" else { return nil }
            let text = try? Host.ethernet(String(parts[2]), String(parts[3]))
            return text?.isEmpty == false ? text : nil
        }
        guard let file = try? File(root + path, .read) else { return nil }
        var bytes: [UInt8] = []
        while bytes.count <= Self.fileBytesMax {
            // Files that the kernel generates arrive in pieces.
            guard let piece = try? file.read(count: 16_384, at: bytes.count) else { return nil }
            if piece.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece
        }
        return nil
    }

    /// The units as systemd reports them; nil where systemd cannot be reached.
    private func units() -> String? {
        guard let bus = try? SystemBus(timeoutNanos: 5_000_000_000) else { return nil }
        let lines = (plan.units + ["irqbalance.service"]).compactMap { unit -> String? in
            guard let load = try? bus.text(unit, "LoadState", .unit),
                let active = try? bus.text(unit, "ActiveState", .unit),
                let sub = try? bus.text(unit, "SubState", .unit)
            else { return nil }
            let process = try? bus.number(unit, "MainPID", .service, isNarrow: true)
            return UnitStatus(unit, load: load, active: active, sub: sub, process: process ?? 0)
                .line
        }
        return lines.isEmpty ? nil : lines.joined()
    }
}
