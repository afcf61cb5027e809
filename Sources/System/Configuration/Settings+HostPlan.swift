// What the configuration declares about its host: one reading for the agent and for boursectl.

import AgentAPI
public import Checks

extension Settings {
    /// What the checks of the host hold it to.
    public var hostPlan: HostPlan {
        var plan = HostPlan()
        plan.units = agent.units
        plan.interfaces = agent.interfaces.map {
            HostPlan.Interface(name: $0.name, channels: $0.channels)
        }
        plan.protectedDisks = Set(agent.protectedDisks)
        plan.off = Set(agent.off)
        for threshold in agent.thresholds {
            plan.thresholds[threshold.kind] = Thresholds(
                warning: threshold.warning, critical: threshold.critical)
        }
        if let cpu = matchd.cpu {
            plan.hotThreads = [
                HostPlan.HotThread(unit: "bourse-matchd.service", thread: "engine", cpu: cpu)
            ]
        }
        plan.directories = [
            ("state", state), ("journal", journalDirectory),
            ("snapshots", snapshotsDirectory), ("history", historyDirectory),
        ]
        return plan
    }
}
