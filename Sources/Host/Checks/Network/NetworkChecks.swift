// Interfaces and their traffic. Numbers 201 … 219.

import AgentAPI

extension CheckKind {
    static let link = CheckKind(
        201, "nic.link", why: "Without a link nobody reaches the exchange through this interface.")
    static let flaps = CheckKind(
        202, "nic.flaps", unit: "losses", warning: 1, critical: 3,
        why: "A link that comes and goes cuts connections each time: cable, optics or switch.")
    static let speed = CheckKind(
        203, "nic.speed", unit: "megabits-per-second",
        why: "A link that is slower than it should be fills earlier, and each packet takes longer.")
    static let duplex = CheckKind(
        204, "nic.duplex", why: "A half-duplex link collides and loses packets under load.")
    static let drops = CheckKind(
        205, "nic.drops", unit: "per-second", warning: 1, critical: 100,
        why: "A packet that is dropped is sent again, after hundreds of microseconds at best.")
    static let lineErrors = CheckKind(
        206, "nic.line-errors", unit: "per-minute", warning: 1, critical: 600,
        why: "Packets arrive damaged: the cable, the optics or the port is failing.")
    static let backlogDrops = CheckKind(
        211, "nic.softnet-dropped", unit: "per-second", warning: 1, critical: 100,
        why: "The kernel dropped packets because a CPU did not process them in time.")
    static let squeezes = CheckKind(
        212, "nic.softnet-squeezed", unit: "per-second", warning: 10, critical: 1_000,
        why: "A CPU had more packets than it may process at once, and left some for later.")
    static let retransmits = CheckKind(
        213, "nic.tcp-retransmits", unit: "per-mille", warning: 5, critical: 50,
        why: "A retransmitted segment is late by a whole timeout.")
    static let listenOverflows = CheckKind(
        214, "nic.listen-overflows", unit: "per-second", warning: 1, critical: 100,
        why: "Clients fail to connect because a daemon does not accept them in time.")
}

extension CheckGroup {
    /// Links, losses, and TCP.
    static let network = CheckGroup(
        "nic", seconds: 5,
        kinds: [
            .link, .flaps, .speed, .duplex, .drops, .lineErrors, .backlogDrops, .squeezes,
            .retransmits, .listenOverflows,
        ],
        sources: [
            "carrier", "operstate", "carrier_down_count", "speed", "duplex",
            "statistics/rx_dropped", "statistics/rx_missed_errors", "statistics/rx_fifo_errors",
            "statistics/tx_dropped", "statistics/rx_crc_errors", "statistics/rx_frame_errors",
            "statistics/tx_carrier_errors",
        ].map { "/sys/class/net/{nic}/\($0)" } + [
            SoftnetCounters.path, ProtocolCounters.snmp, ProtocolCounters.netstat,
        ] + CheckInput.virtualSources
    ) { input in
        let nics = input.now.nics(input.plan)
        let folder = "/sys/class/net"
        guard input.now.names(folder) != nil else {
            return [input.unknown(.link, source: folder)] + input.networkOfHost
        }
        return nics.flatMap { InterfaceCheck(input: input, nic: $0).findings } + input.networkOfHost
    }
}

private struct InterfaceCheck {
    let input: CheckInput
    let nic: HostPlan.Interface

    var findings: [Finding] {
        let folder = "/sys/class/net"
        guard input.now.names(folder)?.contains(nic.name) == true else {
            return [
                Finding(
                    .link, nic.name, .critical, "there is no interface \(nic.name)", source: folder,
                    fix: .advice(["ip link", "correct its name in bourse.toml, or put it back"]))
            ]
        }
        return [link, flaps, speed, duplex, drops, lineErrors].compactMap { $0 }
    }

    func path(_ file: String) -> String { "/sys/class/net/\(nic.name)/\(file)" }

    /// `carrier` cannot be read while the interface is down.
    var link: Finding {
        let fix = Fix.advice(["ip link set \(nic.name) up", "ethtool \(nic.name)"])
        switch (input.now.number(path("carrier")), input.now.text(path("operstate"))?.trimming) {
        case (1, _):
            return Finding(.link, nic.name, .ok, "\(nic.name) has a link", source: path("carrier"))
        case (0, _):
            return Finding(
                .link, nic.name, .critical, "\(nic.name) has no link", source: path("carrier"),
                fix: fix)
        case (nil, "down") where input.now.text(path("carrier")) == nil:
            return Finding(
                .link, nic.name, .critical, "\(nic.name) is down", source: path("operstate"),
                fix: fix)
        default: return input.unknown(.link, nic.name, source: path("carrier"))
        }
    }

    var flaps: Finding {
        let source = path("carrier_down_count")
        let fix = Fix.advice(["ethtool -m \(nic.name)", "check cable, optics and switch port"])
        switch input.growth({ $0.number(source) }) {
        case .unreadable: return input.unknown(.flaps, nic.name, source: source)
        case .first:
            return input.unknown(
                .flaps, nic.name, source: source, "\(source) was read once: no change known yet")
        case .by(let count):
            return input.finding(
                .flaps, nic.name, value: count,
                "\(nic.name) lost its link \(times(count)) since the last round", source: source,
                fix: fix)
        }
    }

    /// Nothing is found of a speed that is neither declared nor known.
    var speed: Finding? {
        let source = path("speed")
        let value = input.now.number(source)
        guard let wanted = nic.speed else {
            guard let value, value > 0 else { return nil }
            return Finding(
                .speed, nic.name, .ok, value: value, "\(nic.name) runs at \(value) Mb/s",
                source: source)
        }
        guard let value, value > 0 else { return input.unknown(.speed, nic.name, source: source) }
        return Finding(
            .speed, nic.name, value < wanted ? .critical : .ok, value: value,
            "\(nic.name) runs at \(value) Mb/s and is declared for \(wanted)", source: source,
            fix: value < wanted
                ? .advice(["ethtool -s \(nic.name) speed \(wanted) autoneg on"]) : nil)
    }

    /// The interfaces of virtual machines have no duplex.
    var duplex: Finding? {
        let source = path("duplex")
        switch input.now.text(source)?.trimming {
        case "full":
            return Finding(.duplex, nic.name, .ok, "\(nic.name) runs full-duplex", source: source)
        case "half":
            return Finding(
                .duplex, nic.name, .critical, "\(nic.name) runs half-duplex", source: source,
                fix: .advice(["ethtool -s \(nic.name) duplex full autoneg on"]))
        case "unknown" where input.isVirtual: return nil
        default: return input.unknown(.duplex, nic.name, source: source)
        }
    }

    var drops: Finding {
        let files = ["rx_dropped", "rx_missed_errors", "rx_fifo_errors", "tx_dropped"]
        return input.rate(
            .drops, nic.name, source: path("statistics/rx_dropped"),
            fix: .advice([
                "ethtool -S \(nic.name) | grep -i drop",
                "ethtool -G \(nic.name) rx \(nic.ring ?? 4_096)",
            ]), of: { sum(files, $0) }, { "\(nic.name) dropped \(some($0, "packet")) a second" })
    }

    var lineErrors: Finding {
        let files = ["rx_crc_errors", "rx_frame_errors", "tx_carrier_errors"]
        return input.rate(
            .lineErrors, nic.name, over: 60, source: path("statistics/rx_crc_errors"),
            fix: .advice(["ethtool -m \(nic.name)", "replace cable or optics, then the port"]),
            of: { sum(files, $0) },
            { "\(nic.name) received \(some($0, "damaged packet")) a minute" })
    }

    private func sum(_ files: [String], _ seen: Observation) -> Int64? {
        Observation.sum(files.map { seen.number(path("statistics/\($0)")) })
    }
}

extension CheckInput {
    fileprivate var networkOfHost: [Finding] {
        let softnet = SoftnetCounters.path
        return [
            rate(
                .backlogDrops, source: softnet,
                fix: .advice(["sysctl -w net.core.netdev_max_backlog=10000"]),
                of: { $0.softnet?.dropped },
                { "the kernel dropped \(some($0, "packet")) a second from the backlogs of CPUs" }),
            rate(
                .squeezes, source: softnet, fix: .advice(["sysctl -w net.core.netdev_budget=600"]),
                of: { $0.softnet?.squeezed },
                { "CPUs left packets for later \(times($0)) a second" }), retransmits,
            rate(
                .listenOverflows, source: ProtocolCounters.netstat,
                fix: .advice(["ss -ltn", "sysctl -w net.core.somaxconn=4096"]),
                of: { $0.counter("ListenOverflows", of: "TcpExt", at: ProtocolCounters.netstat) },
                { "\(some($0, "connection")) a second found a full listen queue" }),
        ]
    }

    /// Relative to segments sent, or to a hundred where there were fewer: one of three proves
    /// nothing.
    private var retransmits: Finding {
        let source = ProtocolCounters.snmp
        func counter(_ name: String) -> Growth {
            growth { $0.counter(name, of: "Tcp", at: source) }
        }
        switch (counter("RetransSegs"), counter("OutSegs")) {
        case (.by(let again), .by(let sent)):
            let share = Int128(again) * 1_000 / Int128(max(sent, 100))
            let value = Int64(clamping: share)
            return finding(
                .retransmits, value: value, "\(value) ‰ of TCP segments were retransmitted",
                source: source,
                fix: .advice(["ss -ti | grep -B1 retrans", "see nic.drops and nic.line-errors"]))
        case (.unreadable, _), (_, .unreadable): return unknown(.retransmits, source: source)
        default:
            return unknown(.retransmits, source: source, "\(source) was read once: no rate yet")
        }
    }
}
