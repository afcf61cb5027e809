// The agent's knowledge in the text format of OpenMetrics 1.0
// (https://prometheus.io/docs/specs/om/open_metrics_spec/).

import AgentAPI

/// A text of metrics, family by family.
struct OpenMetrics {
    /// Its media type.
    static var kind: String { "application/openmetrics-text; version=1.0.0; charset=utf-8" }

    enum Family: String {
        case gauge, counter, info
    }

    private var text = ""
    private var name = ""
    private var family = Family.gauge

    /// Begins a family; its samples follow.
    mutating func begin(_ name: String, _ family: Family, _ help: String) {
        (self.name, self.family) = (name, family)
        text += "# TYPE \(name) \(family.rawValue)\n# HELP \(name) \(Self.escaped(help))\n"
    }

    /// Adds a sample of the family.
    mutating func add(_ value: String, _ labels: (String, String)...) {
        let suffix =
            switch family {
            case .gauge: ""
            case .counter: "_total"
            case .info: "_info"
            }
        text += name + suffix
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    /// The whole text.
    var whole: String { text + "# EOF\n" }

    /// Nanoseconds as seconds, exactly.
    static func seconds(nanos: Int64) -> String {
        let digits = String(abs(nanos % 1_000_000_000))
        return "\(nanos < 0 ? "-" : "")\(abs(nanos / 1_000_000_000))."
            + String(repeating: "0", count: 9 - digits.utf8.count) + digits
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension AgentCore {
    /// Everything that is a number, as OpenMetrics text.
    var metrics: String {
        let state = state
        var out = OpenMetrics()
        out.begin("bourse_agent", .info, "The agent and its host.")
        out.add("1", ("host", options.host), ("version", options.version))
        out.begin("bourse_agent_round_seconds", .gauge, "How long the last round took.")
        out.add(OpenMetrics.seconds(nanos: state.roundNanos))
        out.begin("bourse_events", .counter, "Alarms raised and cleared.")
        out.add("\(state.sequence)")
        out.add(state.checks)
        out.add(state.tables.exchange)
        if let cluster { out.add(cluster.document) }
        out.add(state.tables.chains)
        out.add(state.tables.units)
        out.add(state.tables.disks)
        out.add(state.tables.directories)
        out.add(state.tables.threads)
        return out.whole
    }
}

extension OpenMetrics {
    fileprivate mutating func add(_ checks: [ReportedCheck]) {
        begin("bourse_check_state", .gauge, "1 ok, 2 warning, 3 critical, 4 unknown.")
        for check in checks { add("\(check.state.rawValue)", ("check", check.name)) }
        begin("bourse_check_value", .gauge, "What the check measured.")
        for check in checks {
            guard let value = check.value else { continue }
            add("\(value)", ("check", check.name), ("unit", check.unit))
        }
        begin("bourse_check_failures", .counter, "How often the check has failed.")
        for check in checks { add("\(check.failures)", ("check", check.name)) }
    }

    fileprivate mutating func add(_ exchange: ExchangeCounters?) {
        begin("bourse_exchange_running", .gauge, "Whether matchd answers.")
        add(exchange == nil ? "0" : "1")
        for counter in exchange?.all ?? [] {
            let value: String
            switch counter.value {
            case .number(let number): value = "\(number)"
            case .flag(let flag): value = flag ? "1" : "0"
            case .text: continue
            }
            let snake = counter.name.reduce(into: "") { name, letter in
                name += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
            }
            begin(
                "bourse_exchange_\(snake)",
                ["commands", "syncs"].contains(counter.name) ? .counter : .gauge,
                "\(counter.name) of boursectl status.")
            add(value)
        }
    }

    /// Numbers that are not known are left out.
    fileprivate mutating func add(_ cluster: ClusterDocument) {
        let last = cluster.primaryChanges.last
        let flags: [(String, String, Bool?)] = [
            ("leads", "Whether this host leads.", cluster.leads),
            ("in_sync", "Whether both hosts are in sync.", cluster.isPairInSync),
            ("paused", "Whether claims are paused.", cluster.isPaused),
            ("arbiter_answers", "Whether a majority of etcd answers.", cluster.etcdFault == nil),
            ("peer_answers", "Whether the peer's agent is connected.", cluster.isPeerReachable),
            ("service_address", "Whether this host has it.", cluster.isServiceHere),
        ]
        let numbers: [(String, String, String?)] = [
            ("epoch", "The epoch that it leads or follows.", "\(cluster.epoch)"),
            ("lag_records", "Records that the standby lacks.", cluster.lagRecords.map { "\($0)" }),
            (
                "lag_seconds", "How long the oldest of them waits.",
                cluster.lagNanos.map(Self.seconds)
            ),
            (
                "at_risk_records", "Acknowledged records that are on this host alone, at most.",
                cluster.atRiskRecords.map { "\($0)" }
            ),
            (
                "last_change_timestamp_seconds", "When the primary changed last.",
                last.map { Self.seconds(nanos: $0.time) }
            ),
            (
                "last_change_pause_seconds", "How long no command was acknowledged in it.",
                last?.pauseNanos.map(Self.seconds)
            ),
        ]
        for (name, help, value) in flags.map({ ($0, $1, $2.map { $0 ? "1" : "0" }) }) + numbers {
            guard let value else { continue }
            begin("bourse_cluster_\(name)", .gauge, help)
            add(value)
        }
        begin("bourse_cluster_role", .gauge, "1 with the label of this host's role.")
        add("1", ("host", cluster.host), ("role", cluster.role))
        begin("bourse_cluster_etcd_member_up", .gauge, "Whether a member of etcd takes part.")
        for member in cluster.etcd { add(member.fault == nil ? "1" : "0", ("member", member.name)) }
        begin("bourse_cluster_changes", .counter, "How often the primary has changed.")
        add("\(last?.number ?? 0)")
    }

    /// Numbers of chains that are not known are left out.
    fileprivate mutating func add(_ chains: [HostTables.Chain]) {
        begin("bourse_chain_sound", .gauge, "Whether deposits of the chain come in.")
        for chain in chains {
            add(chain.isSound ? "1" : "0", ("chain", chain.name), ("asset", chain.asset))
        }
        let gauges: [(String, String, (HostTables.Chain) -> Int64?)] = [
            ("tip_block", "Where its node's chain ends.", { $0.tip }),
            ("read_block", "The last block read.", { $0.read }),
            ("credited_block", "The last block with all deposits credited.", { $0.credited }),
            ("pending_deposits", "Deposits that are seen and not credited.", { $0.pending }),
            ("approved_withdrawals", "Withdrawals approved and not signed.", { $0.approved }),
            ("open_payments", "Payments that are signed and not final.", { $0.open }),
            ("free_units", "What can be spent now, in base units of the asset.", { $0.free }),
            ("total_units", "What is on the chain, in base units of the asset.", { $0.total }),
            ("cold_units", "What is in cold storage, in base units of the asset.", { $0.cold }),
            ("ceiling_units", "Above this hot coins go to cold storage.", { $0.ceiling }),
            ("target_units", "What stays hot when they do.", { $0.target }),
            ("hot_percent", "Hot coins in percent of the ceiling.", { $0.hotPercent }),
        ]
        for (name, help, value) in gauges {
            begin("bourse_chain_\(name)", .gauge, help)
            for chain in chains {
                guard let value = value(chain) else { continue }
                add("\(value)", ("chain", chain.name), ("asset", chain.asset))
            }
        }
    }

    fileprivate mutating func add(_ units: [HostTables.Unit]) {
        begin("bourse_unit_active", .gauge, "Whether systemd says that the unit is active.")
        for unit in units { add(unit.active == "active" ? "1" : "0", ("unit", unit.name)) }
        begin("bourse_unit_restarts", .counter, "How often systemd started the unit again.")
        for unit in units { add("\(unit.restarts)", ("unit", unit.name)) }
        begin("bourse_unit_memory_bytes", .gauge, "Memory of the unit.")
        for unit in units {
            guard let bytes = unit.memoryBytes else { continue }
            add("\(bytes)", ("unit", unit.name))
        }
        begin("bourse_unit_cpu_seconds", .counter, "CPU time of the unit.")
        for unit in units {
            guard let nanos = unit.cpuNanos else { continue }
            add(Self.seconds(nanos: nanos), ("unit", unit.name))
        }
    }

    fileprivate mutating func add(_ disks: [HostTables.Disk]) {
        let gauges: [(String, KeyPath<HostTables.Disk, Int64?>, String)] = [
            ("write_micros", \.writeMicros, "Average of a write in the last round."),
            ("flush_micros", \.flushMicros, "Average of a flush in the last round."),
            ("busy_percent", \.busyPercent, "Share of the last round in which it worked."),
            ("temperature_celsius", \.temperature, "Its temperature."),
            ("used_percent", \.healthPercentUsed, "How much of its life is used up."),
        ]
        for (name, value, help) in gauges {
            begin("bourse_disk_\(name)", .gauge, help)
            for disk in disks {
                guard let value = disk[keyPath: value] else { continue }
                add("\(value)", ("disk", disk.disk))
            }
        }
    }

    fileprivate mutating func add(_ directories: [HostTables.DirectorySpace]) {
        let gauges: [(String, String, KeyPath<HostTables.DirectorySpace, Int64>)] = [
            ("bytes", "bytes", \.bytes), ("free_bytes", "freeBytes", \.freeBytes),
            ("inodes", "inodes", \.inodes), ("free_inodes", "freeInodes", \.freeInodes),
        ]
        for (name, member, value) in gauges {
            begin("bourse_directory_\(name)", .gauge, "\(member) of its file system.")
            for directory in directories {
                add(
                    "\(directory[keyPath: value])", ("directory", directory.name),
                    ("path", directory.path))
            }
        }
    }

    fileprivate mutating func add(_ threads: [HostTables.Thread]) {
        begin("bourse_thread_switches", .counter, "How often the thread left its CPU.")
        for thread in threads {
            for (kind, count) in [
                ("voluntary", thread.voluntary), ("nonvoluntary", thread.nonvoluntary),
            ] {
                add(
                    "\(count)", ("unit", thread.unit), ("thread", thread.thread),
                    ("tid", "\(thread.tid)"), ("kind", kind))
            }
        }
    }
}
