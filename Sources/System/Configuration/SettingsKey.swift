// The schema of the configuration file: every key once, with its default, range and explanation.

import Platform
import Terms

/// One key of the configuration file.
struct SettingsKey {
    /// The table it stands in.
    var table: String
    /// Its name there.
    var field: String
    /// The default, as written in a file.
    var literal: String
    /// Its meaning, for the comments in the file.
    var note: String
    /// Sets a value; returns what is wrong with it, or nil.
    var set: @Sendable (inout Settings, TOMLValue) -> String?

    /// The key with its table.
    var name: String { "\(table).\(field)" }

    /// All of them, in the order of the file.
    static var all: [SettingsKey] {
        exchange + limits + matchd + auditd + gatewayd + walletd + signerd + agent + snmp
            + cluster
    }

    /// Keys of earlier versions, and what to do about one that is still in a file.
    static var gone: [String: String] {
        [
            "gatewayd.threads":
                "this key was removed; it had no effect, as a gateway is one event loop around "
                + "its replica: remove the line"
        ]
    }

    private static var exchange: [SettingsKey] {
        [
            .text("exchange", "state", "\".\"", "The state directory.") { settings, value in
                guard !value.isEmpty else { return "expected a directory" }
                settings.state = value
                return nil
            },
            .text(
                "exchange", "secrets", "\"secrets\"",
                "The directory of keys, accessible to its owner only."
            ) { settings, value in
                guard !value.isEmpty else { return "expected a directory" }
                settings.secretsDirectory = value
                return nil
            },
        ]
    }

    private static var limits: [SettingsKey] {
        let limits = EngineLimits.standard
        func key(
            _ field: String, _ path: any WritableKeyPath<EngineLimits, UInt32> & Sendable,
            most: Int64, _ note: String
        ) -> SettingsKey {
            .integer(
                "limits", field, Int64(limits[keyPath: path]), in: 1...most, note
            ) { $0.limits[keyPath: path] = UInt32($1) }
        }
        return [
            key(
                "assets", \.assets, most: 10_000,
                "Maximum sizes of the engine's tables, for a new journal. An existing journal "
                    + "keeps its\nown, which `boursectl limits raise` raises.\nAssets."
            ),
            key("instruments", \.instruments, most: 10_000, "Instruments."),
            key("accounts", \.accounts, most: 1_048_576, "Customer accounts."),
            key("open_orders", \.openOrders, most: 16_000_000, "Open orders over all instruments."),
            key("api_keys", \.apiKeys, most: 1_048_576, "API keys."),
            key("sessions", \.sessions, most: 65_535, "Sessions of writers."),
            key("fee_tiers", \.feeTiers, most: 1_024, "Fee tiers."),
            key(
                "order_limits", \.orderLimits, most: 1_048_576,
                "Rows of order limits: one per account (or the default) and instrument."),
            key(
                "references", \.references, most: 268_435_456,
                "Remembered references of bookings and outputs of deposits; none is booked twice."),
            key(
                "turn_steps", \.turnSteps, most: 65_536,
                "Maximum steps of one turn of the engine; longer work continues in further turns."),
        ]
    }

    private static var matchd: [SettingsKey] {
        let mebibyte: Int64 = 1 << 20
        return [
            .text("matchd", "socket", "\"run/match.sock\"", "The Unix socket of the Link.") {
                guard !$1.isEmpty else { return "expected a path" }
                $0.matchd.socket = $1
                return nil
            },
            .text(
                "matchd", "listen", "\"\"",
                "TCP address of the Link for programs that have link_key, as \"10.0.0.1:7400\",\n"
                    + "in the clear; empty: none. For gateways on other hosts: [cluster] link."
            ) {
                guard !$1.isEmpty else { return nil }
                guard let address = ListenAddress($1) else { return addressExpected }
                $0.matchd.listen = address
                return nil
            },
            .text(
                "matchd", "link_key", "\"\"",
                "File with the key that authenticates TCP clients; required with `listen`."
            ) {
                $0.matchd.linkKey = $1.isEmpty ? nil : $1
                return nil
            },
            names(
                "gateway_users",
                "Who may use the socket: root and matchd's own user without restriction, and the\n"
                    + "users and groups (as %name) listed here, separated by commas. They also "
                    + "need the\nsocket's file permissions.\n"
                    + "Users of gateways, as \"bourse-gateway\": place and cancel orders.",
                \.gatewayUsers),
            names(
                "operator_users",
                "Operators, as \"alice, %bourse-admin\": everything that boursectl can do.",
                \.operatorUsers),
            names(
                "wallet_users",
                "Users of wallets, as \"bourse-wallet\": deposits, no orders.",
                \.walletUsers),
            names(
                "observer_users", "Users that may read the log and the status, but change nothing.",
                \.observerUsers),
            .integer(
                "matchd", "cpu", -1, in: -1...1_023,
                "CPU that the engine thread is pinned to; -1: not pinned."
            ) { $0.matchd.cpu = $1 < 0 ? nil : Int($1) },
            .text(
                "matchd", "idle", "\"park\"",
                "What the engine thread does when idle: \"spin\" (lowest latency, uses a whole "
                    + "CPU),\n\"yield\" or \"park\"."
            ) {
                guard let idle = IdleStrategy(rawValue: $1) else {
                    return "expected \"spin\", \"yield\" or \"park\""
                }
                $0.matchd.idle = idle
                return nil
            },
            .integer(
                "matchd", "segment_mib", 64, in: 1...4_096, "Size of a journal segment, MiB."
            ) { $0.matchd.segmentBytes = Int($1 * mebibyte) },
            .integer(
                "matchd", "reserve_mib", 256, in: 0...1_048_576,
                "Free disk space below which only cancels are accepted, MiB."
            ) { $0.matchd.reserveBytes = Int($1 * mebibyte) },
            ring(mebibyte),
            .integer(
                "matchd", "hash_every", 65_536, in: 1...1_000_000_000,
                "Commands between two hash marks in the log."
            ) { $0.matchd.hashEvery = UInt64($1) },
        ]
    }

    private static func names(
        _ field: String, _ note: String,
        _ path: any WritableKeyPath<Settings.Matchd, [String]> & Sendable
    ) -> SettingsKey {
        names("matchd", field, note) { $0.matchd[keyPath: path] = $1 }
    }

    /// Users and groups.
    static func names(
        _ table: String, _ field: String, _ note: String,
        _ take: @escaping @Sendable (inout Settings, [String]) -> Void
    ) -> SettingsKey {
        .text(table, field, "\"\"", note) { settings, value in
            let names = value.split(separator: ",", omittingEmptySubsequences: false).map {
                String($0.drop { $0 == " " }.prefix { $0 != " " })
            }
            let isList = names.joined() == value.filter { $0 != "," && $0 != " " }
            guard value.isEmpty || isList && names.allSatisfy({ !$0.isEmpty && $0 != "%" }) else {
                return "expected names of users, and of groups as %name, separated by commas"
            }
            take(&settings, value.isEmpty ? [] : names)
            return nil
        }
    }

    private static func ring(_ mebibyte: Int64) -> SettingsKey {
        var key = SettingsKey.integer(
            "matchd", "ring_mib", 64, in: 1...4_096,
            "Memory between sequencer, journal and Link, MiB; a power of two."
        ) { $0.matchd.ringBytes = Int($1 * mebibyte) }
        let set = key.set
        key.set = { settings, value in
            if let problem = set(&settings, value) { return problem }
            guard case .integer(let number) = value, number & (number - 1) == 0 else {
                return "expected a power of two, as 16, 32 or 64"
            }
            return nil
        }
        return key
    }

    private static var auditd: [SettingsKey] {
        [
            .integer(
                "auditd", "snapshot_every", 1_000_000, in: 1_000...1_000_000_000_000,
                "Commands between two snapshots …"
            ) { $0.auditd.snapshotEvery = UInt64($1) },
            .integer(
                "auditd", "snapshot_seconds", 3_600, in: 1...604_800,
                "… and the maximum seconds between them, if anything changed."
            ) { $0.auditd.snapshotSeconds = Int($1) },
            .integer(
                "auditd", "snapshots_keep", 4, in: 2...1_000, "Number of snapshots to keep."
            ) { $0.auditd.snapshotsKeep = Int($1) },
        ]
    }

    private static var gatewayd: [SettingsKey] {
        [
            .text(
                "gatewayd", "listen", "\"127.0.0.1:8080\"",
                "Address that serves HTTP and WebSocket."
            ) {
                guard let address = ListenAddress($1) else { return addressExpected }
                $0.gatewayd.listen = address
                return nil
            },
            .text(
                "gatewayd", "tls_certificate", "\"\"",
                "The certificate that clients see, a PEM file with those that lead to its "
                    + "authority.\nA new one is taken by `systemctl reload bourse-gatewayd`. "
                    + "Empty: they speak plain\nHTTP."
            ) {
                $0.gatewayd.tlsCertificate = $1.isEmpty ? nil : $1
                return nil
            },
            .text(
                "gatewayd", "tls_key", "\"\"",
                "Its private key, a PEM file that bourse-gateway may read and others may not."
            ) {
                $0.gatewayd.tlsKey = $1.isEmpty ? nil : $1
                return nil
            },
            .flag(
                "gatewayd", "plain_http", false,
                "Whether clients elsewhere than on this host may speak plain HTTP, as behind a "
                    + "proxy\nthat speaks TLS for it. Whoever is between can read what they "
                    + "send, and send it\nagain."
            ) { $0.gatewayd.takesPlainHTTP = $1 },
            .text(
                "gatewayd", "name", "\"gateway/1\"",
                "The gateway's name in the log, unique to each gateway."
            ) {
                guard let name = Text40($1), !name.isEmpty, $1.utf8.count <= 36,
                    !$1.contains("#"), !["operator/", "wallet/"].contains(where: $1.hasPrefix)
                else {
                    return "expected 1 to 36 printable ASCII characters without #, not the name of "
                        + "an operator's or a wallet's"
                }
                $0.gatewayd.name = name
                return nil
            },
            .text("gatewayd", "state", "\".\"", "The gateway's own directory: lock and history.") {
                guard !$1.isEmpty else { return "expected a directory" }
                $0.gatewayd.state = $1
                return nil
            },
            .text(
                "gatewayd", "hosts", "\"\"",
                "On a host without matchd: the two hosts of the exchange, whose matchd it "
                    + "follows\nby TLS, as \"a=10.0.0.1:7415 b=10.0.0.2:7415\", with the files "
                    + "in [cluster]\ndirectory; `boursectl cluster join` writes this. Empty: this "
                    + "host's matchd."
            ) {
                let words = $1.split(separator: " ").map(String.init)
                let hosts = words.compactMap(Settings.Gatewayd.MatchdHost.init)
                guard hosts.count == words.count, hosts.count <= 2,
                    Set(hosts.map(\.name)).count == hosts.count
                else {
                    return "expected two hosts with their addresses, as \"a=10.0.0.1:7415 "
                        + "b=10.0.0.2:7415\""
                }
                $0.gatewayd.hosts = hosts
                return nil
            },
            .text(
                "gatewayd", "proxies", "\"\"",
                "Proxies in front of it, as \"10.0.0.5 10.1.0.0/16\": the client that limits count "
                    + "is\nthen the last address in X-Forwarded-For that is none of these."
            ) {
                let words = $1.split(separator: " ")
                let ranges = words.compactMap { AddressRange($0) }
                guard ranges.count == words.count, ranges.count <= 64,
                    !ranges.contains(where: \.isAll)
                else {
                    return "expected up to 64 addresses, not all of them, as \"10.0.0.5 "
                        + "10.1.0.0/16\""
                }
                $0.gatewayd.proxies = ranges
                return nil
            },
            .integer(
                "gatewayd", "connections", 4_096, in: 1...1_000_000,
                "Maximum client connections, streams included; further ones are closed at once."
                    + "\nOne by TLS takes about 64 KiB besides what client_memory_mib counts."
            ) { $0.gatewayd.connections = Int($1) },
            .integer(
                "gatewayd", "connections_per_address", 2_048, in: 1...1_000_000,
                "Maximum client connections from one address."
            ) { $0.gatewayd.connectionsPerAddress = Int($1) },
            .integer(
                "gatewayd", "client_memory_mib", 256, in: 16...1_048_576,
                "Maximum memory for request bodies and for unsent replies and stream messages, "
                    + "MiB.\nAbove it all requests but those of orders get status 503, and the "
                    + "connections\nwhose data has waited longest are closed."
            ) { $0.gatewayd.clientMemoryBytes = Int($1) << 20 },
            // The heaviest request weighs 250: a limit below that would always reject it.
            .integer(
                "gatewayd", "weight_per_minute", 600_000, in: 1_000...1_000_000_000,
                "Request weight per minute and address. Above it: status 429; above twice as "
                    + "much:\n418 for two minutes. exchangeInfo shows this limit and the next two; "
                    + "each gateway\ncounts separately, from its start."
            ) { $0.gatewayd.weightPerMinute = Int($1) },
            .integer(
                "gatewayd", "orders_per_10_seconds", 100_000, in: 1...1_000_000_000,
                "New orders per account in 10 seconds."
            ) { $0.gatewayd.ordersPer10Seconds = Int($1) },
            .integer(
                "gatewayd", "orders_per_day", 100_000_000, in: 1...1_000_000_000_000,
                "New orders per account in a day (UTC)."
            ) { $0.gatewayd.ordersPerDay = Int($1) },
        ]
    }

    static var addressExpected: String {
        "expected host:port or [IPv6 address]:port, as \"127.0.0.1:8080\""
    }

    static func text(
        _ table: String, _ field: String, _ literal: String, _ note: String,
        _ take: @escaping @Sendable (inout Settings, String) -> String?
    ) -> SettingsKey {
        SettingsKey(table: table, field: field, literal: literal, note: note) { settings, value in
            guard case .string(let text) = value else {
                return "expected a string in quotes, as \(literal), not \(value.kindName)"
            }
            guard !text.utf8.contains(0) else { return "expected a string without a zero byte" }
            return take(&settings, text)
        }
    }

    static func flag(
        _ table: String, _ field: String, _ initial: Bool, _ note: String,
        _ take: @escaping @Sendable (inout Settings, Bool) -> Void
    ) -> SettingsKey {
        SettingsKey(
            table: table, field: field, literal: String(initial), note: note
        ) { settings, value in
            guard case .boolean(let isOn) = value else {
                return "expected true or false, not \(value.kindName)"
            }
            take(&settings, isOn)
            return nil
        }
    }

    static func integer(
        _ table: String, _ field: String, _ initial: Int64, in range: ClosedRange<Int64>,
        _ note: String, _ take: @escaping @Sendable (inout Settings, Int64) -> Void
    ) -> SettingsKey {
        SettingsKey(
            table: table, field: field, literal: String(initial), note: note
        ) { settings, value in
            guard case .integer(let number) = value else {
                return "expected a whole number, as \(initial), not \(value.kindName)"
            }
            guard range.contains(number) else {
                return
                    "\(number) is out of range: expected \(range.lowerBound) … \(range.upperBound)"
            }
            take(&settings, number)
            return nil
        }
    }
}
