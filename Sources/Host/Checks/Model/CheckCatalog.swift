// Every check there is.

/// All groups of checks, in the order in which they are shown.
public enum CheckCatalog {
    /// The groups.
    public static var groups: [CheckGroup] {
        [
            .units, .exchange, .wallet, .cluster, .threads, .isolation, .interrupts, .irqAffinity,
            .frequency, .settings, .network, .queues, .disks, .diskSettings, .diskTrend,
            .diskHealth, .memory, .time, .power, .devices, .kernel,
        ]
    }

    /// Every kind once, by number.
    public static var kinds: [CheckKind] {
        groups.flatMap(\.kinds).sorted { $0.number < $1.number }
    }

    /// The kinds, by name, that only an agent makes that takes part in its cluster.
    public static var ofRunningAgent: Set<String> { Set(CheckKind.clusterRoles.map(\.name)) }
}
