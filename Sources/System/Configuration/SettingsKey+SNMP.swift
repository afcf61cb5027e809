// The keys of `bourse-snmp` and `bourse-poller`.

extension SettingsKey {
    static var snmp: [SettingsKey] {
        [
            path(
                "agentx", "/var/agentx/master",
                "Where snmpd listens for subagents: a Unix socket, or as \"tcp:localhost:705\"."
            ) { $0.snmp.agentx = $1 },
            path("agent_socket", "/run/bourse-agent/agent.sock", "The host agent's Unix socket.") {
                $0.snmp.agentSocket = $1
            },
            path(
                "state", "/var/lib/bourse-snmp",
                "Directory of the subagent's state: the number of the last event sent."
            ) { $0.snmp.state = $1 },
            .integer(
                "snmp", "poll_seconds", 1, in: 1...60,
                "Seconds between two polls of the host agent."
            ) { $0.snmp.pollSeconds = Int($1) },
            .integer(
                "snmp", "enterprise", 32_473, in: 1...4_294_967_295,
                "The owner's enterprise number, the parent of BOURSE-MIB; set-enterprise sets it\n"
                    + "in the MIB and the monitoring files. 32473 is reserved for documentation."
            ) { $0.snmp.enterprise = UInt32($1) },
            .text(
                "snmp", "targets", "\"\"",
                "Directory with a file for each UPS, PDU, switch or sensor to read over SNMPv3,\n"
                    + "as ups1.toml; empty: none."
            ) {
                $0.snmp.targets = $1.isEmpty ? nil : $1
                return nil
            },
            .integer(
                "snmp", "target_seconds", 10, in: 1...3_600,
                "Seconds between two rounds of reading these devices."
            ) { $0.snmp.targetSeconds = Int($1) },
            path(
                "readings", "/run/bourse-snmp/targets",
                "Directory of the readings, for the host agent."
            ) { $0.snmp.readings = $1 },
        ]
    }

    private static func path(
        _ field: String, _ initial: String, _ note: String,
        _ take: @escaping @Sendable (inout Settings, String) -> Void
    ) -> SettingsKey {
        .text("snmp", field, "\"\(initial)\"", note) { settings, value in
            guard !value.isEmpty else { return "expected a path" }
            take(&settings, value)
            return nil
        }
    }
}

extension Settings {
    /// Settings of `bourse-snmp` and `bourse-poller`.
    public struct SNMP: Hashable, Sendable {
        /// The master agent's address: an absolute path, or as `tcp:localhost:705`.
        public var agentx = "/var/agentx/master"
        /// The host agent's Unix socket.
        public var agentSocket = "/run/bourse-agent/agent.sock"
        /// The directory of the subagent's state.
        public var state = "/var/lib/bourse-snmp"
        /// Seconds between two polls of the host agent, 1 … 60.
        public var pollSeconds = 1
        /// The enterprise number that is the parent of BOURSE-MIB.
        public var enterprise: UInt32 = 32_473
        /// The directory with a file for each device to read; nil: none.
        public var targets: String?
        /// Seconds between two rounds of reading them, 1 … 3,600.
        public var targetSeconds = 10
        /// The directory of their readings.
        public var readings = "/run/bourse-snmp/targets"

        /// The defaults.
        public init() {}

        /// Makes relative paths absolute, below `state`.
        mutating func resolve(below directory: String) {
            if !agentx.contains(":") { agentx = Path.join(directory, agentx) }
            agentSocket = Path.join(directory, agentSocket)
            state = Path.join(directory, state)
            targets = targets.map { Path.join(directory, $0) }
            readings = Path.join(directory, readings)
        }
    }
}
