// What a host of a cluster needs beside its exchange. Numbers 641 … 649.

import AgentAPI

extension CheckKind {
    static let clusterCertificate = CheckKind(
        641, "cluster.certificate", unit: "days", warning: 30, critical: 7, isWorseBelow: true,
        why: "Without a valid certificate this host reaches neither its peer nor etcd.")
    static let clusterRole = CheckKind(
        642, "cluster.role", why: "A host that neither leads nor follows takes over nothing.")
    static let clusterSync = CheckKind(
        643, "cluster.insync",
        why: "With one host in sync, its loss halts the exchange until an operator decides.")
    static let clusterArbiter = CheckKind(
        644, "cluster.arbiter",
        why: "Trading goes on without etcd, but no host takes over and none is removed or added.")
    static let clusterPeer = CheckKind(
        645, "cluster.peer",
        why:
            "Without the peer's agent a crash is followed after a silence, not at once, and orders "
            + "to pause reach one host alone.")
    static let clusterPause = CheckKind(
        646, "cluster.pause", why: "While claims are paused, no host takes over by itself.")
    static let clusterPrimary = CheckKind(
        647, "cluster.primary", why: "Without a primary no host acknowledges commands.")
    static let clusterFencing = CheckKind(
        648, "cluster.fencing",
        why: "A forced failover stops where the command that switches the other host off does.")

    /// What only an agent that takes part in the cluster knows.
    package static let clusterRoles: [CheckKind] = [
        .clusterPrimary, .clusterRole, .clusterSync, .clusterArbiter, .clusterPeer, .clusterPause,
    ]
}

extension CheckGroup {
    /// This host in its cluster: its certificate, and what its agent knows.
    static let cluster = CheckGroup(
        "cluster", seconds: 5,
        kinds: [.clusterCertificate] + CheckKind.clusterRoles + [.clusterFencing],
        sources: [
            "{certificate}", ClockReading.path, ClusterReading.path, FencingReading.path,
        ]
    ) { input in
        guard let path = input.plan.certificate else { return [] }
        let part = input.plan.hasGatewayAlone ? [] : state(input) + fencing(input)
        return certificate(input, path) + part
    }

    private static func fencing(_ input: CheckInput) -> [Finding] {
        guard input.plan.fencing != nil else { return [] }
        let source = FencingReading.path
        switch FencingReading(input.now.text(source) ?? "") {
        case nil: return [input.unknown(.clusterFencing, source: source)]
        case .trusted:
            return [
                Finding(
                    .clusterFencing, "", .ok, "fence_command is root's alone", source: source)
            ]
        case .fault(let reason):
            return [
                Finding(
                    .clusterFencing, "", .warning, "fence_command is not run: \(reason)",
                    source: source,
                    fix: .advice([
                        "correct [cluster] fence_command, or the program's owner and mode",
                        "sudo boursectl cluster test-fencing",
                    ]))
            ]
        }
    }

    private static func certificate(_ input: CheckInput, _ path: String) -> [Finding] {
        guard let text = input.now.text(path), let certificate = Certificate(pem: text.utf8),
            let now = input.now.clock?.realtimeNanos
        else { return [input.unknown(.clusterCertificate, source: path)] }
        let left = certificate.ends - now / 1_000_000_000
        let days = left < 0 ? -1 : left / 86_400
        let words =
            switch days {
            case ..<0: "the certificate of this host has expired"
            case 0: "the certificate of this host expires within a day"
            default: "the certificate of this host expires in \(some(days, "day"))"
            }
        return [
            input.finding(
                .clusterCertificate, value: days, words, source: path,
                fix: .advice([
                    "sudo boursectl cluster renew; on another host than the first one with a token "
                        + "of cluster invite NAME there, of a gateway's host with --gateway"
                ]))
        ]
    }

    private static func state(_ input: CheckInput) -> [Finding] {
        let source = ClusterReading.path
        let reading = ClusterReading(input.now.text(source) ?? "")
        func condition(
            _ kind: CheckKind, _ key: ClusterReading.Key, isGood: Bool = true, _ state: CheckState,
            good: String, bad: String, _ advice: [String]
        ) -> Finding {
            guard let flag = reading.flag(key) else { return input.unknown(kind, source: source) }
            return flag == isGood
                ? Finding(kind, "", .ok, good, source: source)
                : Finding(kind, "", state, bad, source: source, fix: .advice(advice))
        }
        func why(_ key: ClusterReading.Key) -> String { reading[key].map { ": \($0)" } ?? "" }
        let status = "sudo boursectl cluster status"
        let isOut = reading.flag(.peerOut) ?? false
        return [
            primary(input, reading), role(input, reading),
            condition(
                .clusterSync, .inSync, .critical, good: "both hosts are in sync",
                bad: isOut
                    ? "the other host is out until an operator adds it"
                    : "one host alone is in sync",
                isOut
                    ? ["find out why it was removed", "sudo boursectl standby add"]
                    : [status, "journalctl -u bourse-matchd.service -n 50 on the other host"]),
            condition(
                .clusterArbiter, .arbiter, .warning, good: "etcd answers",
                bad: "etcd does not answer\(why(.arbiterFault))",
                [status, "systemctl status bourse-etcd.service on all three hosts"]),
            condition(
                .clusterPeer, .peer, .warning, good: "the other host's agent is connected",
                bad: "no connection to the other host's agent\(why(.peerFault))",
                ["systemctl status bourse-agentd.service on the other host"]),
            condition(
                .clusterPause, .paused, isGood: false, .warning, good: "claims are not paused",
                bad: "claims are paused",
                ["sudo boursectl cluster resume, when the work is done"]),
        ]
    }

    private static func primary(_ input: CheckInput, _ reading: ClusterReading) -> Finding {
        let source = ClusterReading.path
        guard let leader = reading[.leader], let sentence = reading[.sentence] else {
            return input.unknown(.clusterPrimary, source: source)
        }
        guard leader == "-" else {
            return Finding(
                .clusterPrimary, "", .ok, "\(leader) acknowledges commands", source: source)
        }
        return Finding(
            .clusterPrimary, "", .critical,
            "no host that this one knows of acknowledges commands: this host \(sentence)",
            source: source,
            fix: .advice([
                "sudo boursectl cluster status, on both hosts: it names the verb that reopens"
            ]))
    }

    private static func role(_ input: CheckInput, _ reading: ClusterReading) -> Finding {
        let source = ClusterReading.path
        guard let role = reading[.role], let sentence = reading[.sentence] else {
            return input.unknown(.clusterRole, source: source)
        }
        let words = "\(role): this host \(sentence)"
        guard role == "starting" else {
            return Finding(.clusterRole, "", .ok, words, source: source)
        }
        return Finding(
            .clusterRole, "", .warning, words, source: source,
            fix: .advice(["journalctl -u bourse-matchd.service -u bourse-agentd.service -n 50"]))
    }
}
