// The keys of `[agent]`.

extension SettingsKey {
    static var agent: [SettingsKey] { agentPlaces + agentPolicy + agentPlan }

    private static var agentPlaces: [SettingsKey] {
        [
            .text(
                "agent", "listen", "\"127.0.0.1:9467\"",
                "Loopback address that serves HTTP to browsers and monitoring; empty: none."
            ) {
                $0.agent.listen = nil
                guard !$1.isEmpty else { return nil }
                guard let address = ListenAddress($1) else { return addressExpected }
                guard address.isLoopback else {
                    return "expected a loopback address, as \"127.0.0.1:9467\": whoever reaches "
                        + "it reads everything"
                }
                $0.agent.listen = address
                return nil
            },
            .text(
                "agent", "health", "\"\"",
                "Address that serves only the roles of a cluster to load balancers, as\n"
                    + "\"10.0.0.1:7415\" with /health/primary; empty: none."
            ) {
                $0.agent.health = nil
                guard !$1.isEmpty else { return nil }
                guard let address = ListenAddress($1) else { return addressExpected }
                $0.agent.health = address
                return nil
            },
            .path("agent", "socket", "\"run/agent.sock\"", "The agent's Unix socket.") {
                $0.agent.socket = $1
            },
            .path("agent", "state", "\"agent\"", "Directory of the agent's events and changes.") {
                $0.agent.state = $1
            },
            .path(
                "agent", "helper", "\"/run/bourse-helper/helper.sock\"",
                "The root helper's Unix socket."
            ) { $0.agent.helper = $1 },
        ]
    }

    private static var agentPolicy: [SettingsKey] {
        [
            .words(
                "agent", "allow", "\"\"",
                "What the agent may change, as \"irq-affinity rps governor\": verbs of the root "
                    + "helper,\nand \"unit\" to start a daemon that failed; empty: nothing."
            ) {
                $0.agent.allow = $1
                return nil
            },
            .flag(
                "agent", "automatic", false,
                "Whether it makes these changes by itself; if false, only on request."
            ) { $0.agent.isAutomatic = $1 },
        ]
    }

    private static var agentPlan: [SettingsKey] {
        [
            .words(
                "agent", "interfaces", "\"\"",
                "Network interfaces of the exchange, optionally with their number of queues, as\n"
                    + "\"eth0:4 eth1\"; empty: all that have a device."
            ) { settings, words in
                settings.agent.interfaces = words.compactMap(interface)
                return settings.agent.interfaces.count == words.count
                    ? nil : "expected names with or without a number of queues, as \"eth0:4 eth1\""
            },
            .words(
                "agent", "protected_disks", "\"\"",
                "Disks whose write cache survives a power failure, as \"nvme0n1\"."
            ) {
                $0.agent.protectedDisks = $1
                return nil
            },
            .words(
                "agent", "thresholds", "\"\"",
                "Thresholds of checks (warning:critical) that replace the defaults, as\n"
                    + "\"disk.space=80:90 cpu.steal=1:10\"; an empty side: never."
            ) { settings, words in
                settings.agent.thresholds = words.compactMap(threshold)
                guard settings.agent.thresholds.count == words.count else {
                    return "expected a check's kind with two whole numbers, as \"disk.space=80:90\""
                }
                let kinds = Set(settings.agent.thresholds.map(\.kind))
                return kinds.count == words.count ? nil : "a kind is listed twice"
            },
            .words("agent", "off", "\"\"", "Kinds of checks to disable, as \"cpu.smt\".") {
                $0.agent.off = $1
                return nil
            },
            .words(
                "agent", "units",
                "\"bourse-matchd.service bourse-auditd.service bourse-gatewayd.service\"",
                "The units of the exchange."
            ) { settings, words in
                settings.agent.units = words
                return words.allSatisfy(isUnit)
                    ? nil : "expected names of services, as \"bourse-matchd.service\""
            },
        ]
    }

    private static func interface(_ word: String) -> Settings.Agentd.Interface? {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, !parts[0].isEmpty, parts[0].utf8.count <= 15 else { return nil }
        guard parts.count == 2 else { return Settings.Agentd.Interface(name: word, channels: nil) }
        guard let channels = Int(parts[1]), 1...4_096 ~= channels else { return nil }
        return Settings.Agentd.Interface(name: String(parts[0]), channels: channels)
    }

    private static func threshold(_ word: String) -> Settings.Agentd.Threshold? {
        let sides = word.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty else { return nil }
        let numbers = sides[1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2, numbers.allSatisfy({ $0.isEmpty || Int64($0) != nil }) else {
            return nil
        }
        return Settings.Agentd.Threshold(
            kind: String(sides[0]), warning: Int64(numbers[0]), critical: Int64(numbers[1]))
    }

    private static func isUnit(_ word: String) -> Bool {
        word.hasSuffix(".service") && word.utf8.count <= 128
            && word.utf8.allSatisfy {
                0x30...0x39 ~= $0 || 0x41...0x5A ~= $0 || 0x61...0x7A ~= $0 || $0 == 0x2E
                    || $0 == 0x5F || $0 == 0x2D || $0 == 0x40
            }
    }

    /// A key that holds a path, which must not be empty.
    private static func path(
        _ table: String, _ field: String, _ literal: String, _ note: String,
        _ take: @escaping @Sendable (inout Settings, String) -> Void
    ) -> SettingsKey {
        .text(table, field, literal, note) {
            guard !$1.isEmpty else { return "expected a path" }
            take(&$0, $1)
            return nil
        }
    }

    /// A key that holds words separated by spaces, at most `wordsMax`, none of them twice.
    private static func words(
        _ table: String, _ field: String, _ literal: String, _ note: String,
        _ take: @escaping @Sendable (inout Settings, [String]) -> String?
    ) -> SettingsKey {
        .text(table, field, literal, note) { settings, text in
            let words = text.split(separator: " ").map(String.init)
            guard words.count <= wordsMax else { return "expected at most \(wordsMax) words" }
            guard Set(words).count == words.count else { return "a word is listed twice" }
            return take(&settings, words)
        }
    }

    private static var wordsMax: Int { 256 }
}
