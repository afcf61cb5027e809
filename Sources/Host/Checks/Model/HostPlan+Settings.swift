// From a configuration to the plan of its host: one reading for the agent and for boursectl.

import AgentAPI
public import Configuration

extension HostPlan {
    /// The unit that follows the chains.
    static var walletUnit: String { "bourse-walletd.service" }

    /// The unit that signs payments.
    static var signerUnit: String { "bourse-signerd.service" }

    /// The plan that a configuration declares.
    public init(_ settings: Settings) {
        self.init()
        let agent = settings.agent
        units = agent.units
        // An owner who names a chain's node wants it followed.
        if !settings.walletd.nodes.isEmpty, !units.contains(Self.walletUnit) {
            units.append(Self.walletUnit)
        }
        // Without limits the signer signs nothing, and its unit need not run.
        if !settings.signerd.limits.isEmpty, !units.contains(Self.signerUnit) {
            units.append(Self.signerUnit)
        }
        wallet = settings.walletd.status
        interfaces = agent.interfaces.map { Interface(name: $0.name, channels: $0.channels) }
        protectedDisks = Set(agent.protectedDisks)
        off = Set(agent.off)
        for threshold in agent.thresholds {
            thresholds[threshold.kind] = Thresholds(
                warning: threshold.warning, critical: threshold.critical)
        }
        if let cpu = settings.matchd.cpu {
            hotThreads = [HotThread(unit: "bourse-matchd.service", thread: "engine", cpu: cpu)]
        }
        directories = [
            ("state", settings.state), ("journal", settings.journalDirectory),
            ("snapshots", settings.snapshotsDirectory), ("history", settings.historyDirectory),
        ]
        devices = settings.snmp.targets.map {
            Devices(targets: $0, readings: settings.snmp.readings)
        }
        hasGatewayAlone = settings.gatewayFiles != nil
        certificate = settings.cluster?.certificateFile ?? settings.gatewayFiles?.certificate
        requiresWatchdog = settings.cluster?.watchdog == .required
        fencing = settings.cluster?.fencing?.path
    }
}
