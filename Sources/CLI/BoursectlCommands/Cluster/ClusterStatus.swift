// cluster status

import ArgumentParser
import Checks
import Configuration
import Glibc
import JSON
import Link
import Platform
import Presentation

struct ClusterStatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the hosts of the cluster and how they are.",
        discussion: """
            What does not answer is shown as unknown. Exit status 0: everything is as it should \
            be; 1: something is lost or unknown, as the last lines say.

            JSON: {"host", "cluster", "epoch", "primary", "floor", "hosts", "serviceAddress", \
            "serviceInterface", "serviceHere", "certificateExpires", "authorityExpires", \
            "problems"}; a host is {"name", "address", "role", "inSync", "etcd", "etcdLeader", \
            "lagRecords", "lagMilliseconds"}. A role is primary, standby, learner or witness; \
            etcd is healthy or unhealthy; unknown values are null.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var repeating: RepeatOptions

    func run() throws { try repeating.run(common, show) }

    private func show(_ out: Output) throws {
        let setup = try ClusterSetup(common, verb: "status")
        guard let plan = try setup.plan() else { throw CommandError.noCluster }
        let view = try ClusterView(plan, setup)
        out.give(view.json, text: view.text(out.ink))
        if !view.problems.isEmpty { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}

/// The cluster as this host sees it.
struct ClusterView {
    /// What is known of a host.
    struct Row {
        var member: ClusterPlan.Member
        var role: String?
        var isInSync: Bool?
        var etcd: EtcdProgram.Health
        var lagRecords: UInt64?
    }

    let plan: ClusterPlan
    let own: ClusterPlan.Member?
    private(set) var rows: [Row] = []
    private(set) var record: RecordedLeader?
    private(set) var floor: UInt64?
    private(set) var isServiceHere: Bool?
    private(set) var ends: (host: Int64?, authority: Int64?)
    /// What is not as it should be.
    private(set) var problems: [String] = []

    private static let daySeconds: Int64 = 86_400

    init(_ plan: ClusterPlan, _ setup: ClusterSetup) throws {
        self.plan = plan
        own = try setup.own(plan)
        ends = (
            try? CertificateAuthority.certificate(setup.files.certificate).ends,
            try? CertificateAuthority.certificate(setup.files.authority).ends
        )
        readRecord(EtcdProgram(urls: plan.members.map(plan.clientURL), files: setup.files))
        let status = own == plan.witness ? nil : Self.exchange(setup)
        for member in plan.members {
            let etcd = EtcdProgram(urls: [], files: setup.files)
            addRow(member, etcd.health(plan.clientURL(member)), status)
        }
        isServiceHere = Self.hasService(plan)
        judgeCertificates()
    }

    private static func exchange(_ setup: ClusterSetup) -> LinkStatus? {
        guard let settings = try? CommonOptions.settings(in: setup.configuration) else {
            return nil
        }
        return try? Exchange(settings: settings).status()
    }

    private mutating func readRecord(_ etcd: EtcdProgram) {
        do throws(CommandError) {
            guard let text = try etcd.value(EtcdProgram.Key.record) else {
                problems.append(
                    "there is no record yet: `sudo boursectl cluster init` on "
                        + "\(plan.founder.name) ends with it")
                return
            }
            record = RecordedLeader(JSONValue(parsing: text.utf8))
            if record == nil {
                problems.append("the record is damaged, or of a newer version: no host leads by it")
            }
            floor = try etcd.value(EtcdProgram.Key.floor).flatMap { UInt64($0) }
        } catch {
            problems.append(error.problem)
        }
    }

    private mutating func addRow(
        _ member: ClusterPlan.Member, _ health: EtcdProgram.Health, _ status: LinkStatus?
    ) {
        var row = Row(member: member, etcd: health)
        if !health.isHealthy {
            problems.append(
                "etcd on \(member.name) does not answer; there: systemctl status "
                    + EtcdUnit.name)
        }
        if member == plan.witness {
            row.role = "witness"
        } else if let record {
            let isInSync = record.inSync.contains(member.name)
            row.isInSync = isInSync
            row.role =
                member.name == record.primary ? "primary" : isInSync ? "standby" : "learner"
            if !isInSync {
                problems.append(
                    "\(member.name) is not in sync: should the primary be lost, an operator has "
                        + "to decide")
            }
            // Only the primary knows how far the other one is.
            if let status, own?.name == record.primary, member.name != record.primary,
                status.isPeerInSync
            {
                row.lagRecords = status.atRisk
            }
        }
        rows.append(row)
    }

    private mutating func judgeCertificates() {
        let now = Clock.realtimeNanos() / 1_000_000_000
        let files = [("this host's certificate", ends.host), ("the authority", ends.authority)]
        for (what, ends) in files {
            guard let ends else {
                problems.append("\(what) cannot be read")
                continue
            }
            let days = (ends - now) / Self.daySeconds
            if ends <= now {
                problems.append("\(what) has expired")
            } else if days < 30 {
                problems.append("\(what) expires in \(days) days")
            }
        }
    }

    /// Whether this host has the service address; nil: there is none, or it cannot be seen.
    private static func hasService(_ plan: ClusterPlan) -> Bool? {
        guard let address = InterfaceAddress(plan.serviceAddress)?.address,
            let done = try? Program.run(
                "/usr/bin/ip", ["-brief", "address", "show", "dev", plan.serviceInterface],
                secondsMax: 5), done.status == 0
        else { return nil }
        return done.output.split(separator: " ").contains { $0.hasPrefix("\(address)/") }
    }

    // MARK: Shown

    private static func time(_ seconds: Int64?) -> String? {
        seconds.map(CertificateAuthority.time)
    }

    var json: JSONValue {
        let hosts = rows.map { row -> JSONValue in
            [
                "name": .string(row.member.name), "address": .string(row.member.address),
                "role": .orNull(row.role), "inSync": row.isInSync.map { .bool($0) } ?? .null,
                "etcd": .string(row.etcd.isHealthy ? "healthy" : "unhealthy"),
                "etcdLeader": row.etcd.isLeader.map { .bool($0) } ?? .null,
                "lagRecords": row.lagRecords.map { .number($0) } ?? .null,
                "lagMilliseconds": .null,
            ]
        }
        return [
            "host": .orNull(own?.name), "cluster": .string(plan.token),
            "epoch": record.map { .number($0.epoch) } ?? .null,
            "primary": .orNull(record?.primary), "floor": floor.map { .number($0) } ?? .null,
            "hosts": .array(hosts), "serviceAddress": .string(plan.serviceAddress),
            "serviceInterface": .string(plan.serviceInterface),
            "serviceHere": isServiceHere.map { .bool($0) } ?? .null,
            "certificateExpires": .orNull(Self.time(ends.host)),
            "authorityExpires": .orNull(Self.time(ends.authority)),
            "problems": .strings(problems),
        ]
    }

    func text(_ ink: Ink) -> [String] {
        var table = Table([
            .words("HOST"), .words("ADDRESS"), .words("ROLE"), .words("IN SYNC"),
            .numbers("LAG"), .words("ETCD"),
        ])
        for row in rows {
            let name = row.member == own ? "\(row.member.name) (here)" : row.member.name
            let isWitness = row.member == plan.witness
            let isPrimary = row.member.name == record?.primary
            let etcd =
                row.etcd.isHealthy
                ? (row.etcd.isLeader == true ? "healthy, leader" : "healthy") : "no answer"
            table.add([
                name, row.member.address, row.role ?? "unknown",
                isWitness ? "-" : row.isInSync.map { $0 ? "yes" : "no" } ?? "unknown",
                isWitness || isPrimary
                    ? "-" : row.lagRecords.map { "\(Readable.count($0)) records" } ?? "unknown",
                etcd,
            ])
        }
        var facts = Facts()
        facts.add("epoch", record.map { "\($0.epoch)" } ?? "unknown")
        facts.add("floor", floor.map { "record \(Readable.count($0))" } ?? "unknown")
        if !plan.serviceAddress.isEmpty {
            let place = isServiceHere.map { $0 ? "here" : "not here" } ?? "unknown"
            facts.add("service", "\(plan.serviceAddress) on \(plan.serviceInterface), \(place)")
        }
        facts.add("certificate", "until \(Self.time(ends.host) ?? "unknown")")
        facts.add("authority", "until \(Self.time(ends.authority) ?? "unknown")")
        let head =
            problems.isEmpty ? [] : [""] + problems.map { "\(ink.bad("degraded:")) \($0)" }
        return table.lines(ink) + [""] + facts.lines(ink) + head
    }
}

/// What `cluster status` reads of the record.
struct RecordedLeader {
    /// The primary's term.
    let epoch: UInt32
    /// Who leads it.
    let primary: String
    /// Hosts in sync.
    let inSync: [String]

    /// Reads it; nil where it is none.
    init?(_ json: JSONValue?) {
        guard json?["version"]?.whole == 1,
            let epoch = json?["epoch"]?.whole.flatMap(UInt32.init(exactly:)),
            let primary = json?["primary"]?.text,
            let inSync = json?["insync"]?.rows({ $0["host"]?.text })
        else { return nil }
        (self.epoch, self.primary, self.inSync) = (epoch, primary, inSync)
    }
}
