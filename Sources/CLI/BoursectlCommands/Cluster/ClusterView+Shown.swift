// The cluster as text and as JSON.

import AgentAPI
import JSON
import Platform
import Presentation
import Terms

extension ClusterView {
    /// Changes that are shown, the last of all that the agent keeps.
    private static let changesShown = 8

    private static func time(_ seconds: Int64?) -> String? {
        seconds.map(CertificateAuthority.time)
    }

    /// For programs.
    var json: JSONValue {
        let hosts = rows.map { row -> JSONValue in
            [
                "name": .string(row.member.name), "address": .string(row.member.address),
                "role": .orNull(row.role), "inSync": row.isInSync.map { .bool($0) } ?? .null,
                "etcd": .string(row.etcd.isHealthy ? "healthy" : "unhealthy"),
                "etcdLeader": row.etcd.isLeader.map { .bool($0) } ?? .null,
                "lagRecords": row.lagRecords.map { .number($0) } ?? .null,
                "lagMilliseconds": .orNull(row.lagMilliseconds),
                "version": .orNull(known(row.member.name)?.version),
                "level": Self.json(known(row.member.name)?.level),
            ]
        }
        return [
            "host": .orNull(place.own?.name), "cluster": .string(plan.token),
            "epoch": record.map { .number($0.epoch) } ?? .null,
            "primary": .orNull(record?.primary),
            "inSync": record.map { .strings($0.inSync) } ?? .null,
            "recordSource": .orNull(source?.rawValue),
            "floor": floor.map { .number($0) } ?? .null,
            "logLevel": Self.json(logLevel),
            "hosts": .array(hosts), "agent": document.map(Self.json) ?? .null,
            "changes": .array(
                (document?.changes ?? []).map { change -> JSONValue in
                    [
                        "time": .string(Readable.time(change.time)),
                        "epoch": .number(change.epoch), "what": .string(change.what),
                        "why": .string(change.why),
                    ]
                }),
            "lastChange": lastChange.map(Self.json) ?? .null,
            "gateways": .array(
                gateways.map { gateway, host -> JSONValue in
                    [
                        "name": .string(gateway.name), "address": .string(gateway.address),
                        "host": .string(host), "since": .string(Readable.time(gateway.since)),
                    ]
                }),
            "serviceAddress": .string(plan.serviceAddress),
            "serviceInterface": .string(plan.serviceInterface),
            "serviceHere": isServiceHere.map { .bool($0) } ?? .null,
            "certificateExpires": .orNull(Self.time(ends.host)),
            "authorityExpires": .orNull(Self.time(ends.authority)),
            "reopening": reopening.map {
                ["verb": .string($0.verb), "loses": .string($0.loss)]
            } ?? .null,
            "problems": .strings(problems),
        ]
    }

    private static func json(_ level: LogLevel?) -> JSONValue {
        level.map { ["format": .number($0.format), "rules": .number($0.rules)] } ?? .null
    }

    private static func json(_ change: ClusterHandover) -> JSONValue {
        [
            "number": .number(change.number), "time": .string(Readable.time(change.time)),
            "from": .orNull(change.from), "to": .string(change.to),
            "epoch": .number(change.epoch), "cause": .orNull(change.cause),
            "why": .orNull(change.why),
            "pauseMilliseconds": .orNull(change.pauseNanos.map { $0 / 1_000_000 }),
        ]
    }

    private static func json(_ document: ClusterDocument) -> JSONValue {
        [
            "role": .string(document.role), "epoch": .number(document.epoch),
            "sentence": .string(document.sentence), "paused": .bool(document.isPaused),
            "peerOut": .bool(document.isPeerOut),
            "end": document.end.map { .number($0) } ?? .null,
            "released": document.released.map { .number($0) } ?? .null,
            "etcdFault": .orNull(document.etcdFault), "matchdFault": .orNull(document.matchdFault),
        ]
    }

    /// For people: what is wrong stands above the changes, which a small terminal has no room for.
    func text(_ ink: Ink) -> [String] {
        var lines = hosts.lines(ink) + [""] + facts.lines(ink)
        if !gateways.isEmpty { lines += [""] + gatewayTable.lines(ink) }
        if !problems.isEmpty { lines.append("") }
        lines += problems.map { "\(ink.bad("degraded:")) \(Table.printable($0))" }
        guard let document, !document.changes.isEmpty else { return lines }
        var changes = Table([
            .words("CHANGE HERE"), .numbers("EPOCH"), .words("WHAT"), .words("WHY"),
        ])
        for change in document.changes.suffix(Self.changesShown).reversed() {
            changes.add([
                Readable.time(change.time, digits: 3), "\(change.epoch)", change.what, change.why,
            ])
        }
        return lines + [""] + changes.lines(ink)
    }

    private var hosts: Table {
        var table = Table([
            .words("HOST"), .words("ADDRESS"), .words("ROLE"), .words("IN SYNC"),
            .numbers("LAG"), .words("ETCD"),
        ])
        for row in rows {
            let name = row.member == place.own ? "\(row.member.name) (here)" : row.member.name
            let isWitness = row.member == plan.witness
            let isPrimary = row.member.name == record?.primary
            let etcd =
                row.etcd.isHealthy
                ? (row.etcd.isLeader == true ? "healthy, leader" : "healthy") : "no answer"
            table.add([
                name, row.member.address, row.role ?? "unknown",
                isWitness ? "-" : row.isInSync.map { $0 ? "yes" : "no" } ?? "unknown",
                isWitness || isPrimary ? "-" : Self.lag(row), etcd,
            ])
        }
        return table
    }

    private var gatewayTable: Table {
        var table = Table([
            .words("GATEWAY"), .words("ADDRESS"), .words("CONNECTED TO"), .words("SINCE"),
        ])
        for (gateway, host) in gateways {
            table.add([
                gateway.name, gateway.address, host, Readable.time(gateway.since, digits: 0),
            ])
        }
        return table
    }

    private static func lag(_ row: Row) -> String {
        guard let records = row.lagRecords else { return "unknown" }
        let time = row.lagMilliseconds.map { ", \($0) ms" } ?? ""
        return "\(Readable.count(records)) records\(time)"
    }

    private var facts: Facts {
        var facts = Facts()
        let old = source == .etcd ? "" : " (as last known)"
        facts.add("as of", Readable.time(Clock.realtimeNanos(), digits: 0))
        facts.add("epoch", record.map { "\($0.epoch)\(old)" } ?? "unknown")
        facts.add("floor", floor.map { "record \(Readable.count($0))\(old)" } ?? "unknown")
        if !place.isWitness {
            facts.add("here", document.map { "\($0.role): \($0.sentence)" } ?? "unknown")
        }
        if let versions { facts.add("versions", versions) }
        if let lastChange {
            facts.add(
                "last change", "\(Readable.time(lastChange.time, digits: 0)), \(lastChange.text)")
        }
        if !plan.serviceAddress.isEmpty {
            let place = isServiceHere.map { $0 ? "here" : "not here" } ?? "unknown"
            facts.add("service", "\(plan.serviceAddress) on \(plan.serviceInterface), \(place)")
        }
        facts.add("certificate", "until \(Self.time(ends.host) ?? "unknown")")
        facts.add("authority", "until \(Self.time(ends.authority) ?? "unknown")")
        return facts
    }
}
