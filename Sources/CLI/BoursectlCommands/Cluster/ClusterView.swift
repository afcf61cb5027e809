// The cluster as this host sees it: by its agent, by etcd, by its files.

import AgentAPI
import Checks
import Configuration
import Control
import Failover
import JSON
import Platform
import Presentation
package import Terms

/// What `cluster status` knows.
struct ClusterView {
    /// What is known of a host.
    struct Row {
        var member: ClusterPlan.Member
        var role: String?
        var isInSync: Bool?
        var etcd: EtcdProgram.Health
        var lagRecords: UInt64?
        var lagMilliseconds: Int64?
    }

    /// Where the record is known from.
    enum RecordSource: String {
        /// A majority of etcd.
        case etcd
        /// This host's agent, as it last knew it.
        case agent
        /// This host's member of etcd, as it last knew it.
        case member
    }

    let place: ClusterPlace
    var plan: ClusterPlan { place.plan }
    private(set) var rows: [Row] = []
    private(set) var document: ClusterDocument?
    private(set) var record: RecordedLeader?
    private(set) var source: RecordSource?
    private(set) var floor: UInt64?
    private(set) var isServiceHere: Bool?
    private(set) var ends: (host: Int64?, authority: Int64?)
    /// What lets a halted exchange go on; nil: nothing is needed.
    private(set) var reopening: Reopening?
    /// What is not as it should be.
    private(set) var problems: [String] = []

    /// The last change of the primary that either agent knows.
    var lastChange: ClusterHandover? {
        documents.compactMap(\.primaryChanges.last)
            .max { $0.epoch < $1.epoch }
    }

    /// What the agents of the hosts with the exchange say, as far as they answer.
    private var documents: [ClusterDocument] {
        [document, document?.peerDocument].compactMap { $0 }
    }

    /// The gateways on hosts of their own, and which host each is connected to, of those hosts that
    /// answer.
    var gateways: [(gateway: ClusterGateway, host: String)] {
        documents.filter { $0.host == document?.host || document?.isPeerReachable == true }
            .flatMap { document in document.gateways.map { ($0, document.host) } }
            .sorted { ($0.0.name, $0.1) < ($1.0.name, $1.1) }
    }

    /// What that host's agent says.
    func known(_ host: String) -> ClusterDocument? { documents.first { $0.host == host } }

    /// What the log uses, as the host that leads says.
    var logLevel: LogLevel? { documents.lazy.compactMap(\.logLevel).first }

    /// The releases of both hosts, where they differ; nil: they are the same.
    var versions: String? {
        HostRelease.text(
            documents.compactMap { document in
                guard let version = document.version, let level = document.level else { return nil }
                return HostRelease(host: document.host, version: version, level: level)
            }, log: logLevel)
    }

    private static let daySeconds: Int64 = 86_400

    init(_ place: ClusterPlace) throws {
        self.place = place
        ends = (
            try? CertificateAuthority.certificate(place.files.certificate).ends,
            try? CertificateAuthority.certificate(place.files.authority).ends
        )
        if !place.isWitness { askAgent() }
        let etcd = EtcdProgram(urls: plan.members.map(plan.clientURL), files: place.files)
        let healths = etcd.healths(etcd.urls)
        readRecord(etcd, healths)
        for member in plan.members {
            addRow(member, healths[plan.clientURL(member)] ?? .init(isHealthy: false))
        }
        isServiceHere = Self.hasService(plan)
        judgeRoles()
        judgeCertificates()
        judgeRemoved()
        reopening = Reopening(
            Reopening.Known(
                host: place.own?.name, isWitness: place.isWitness, document: document,
                hasMajority: source == .etcd && record != nil,
                isPrimaryThere: isPrimaryThere(),
                exchange: [plan.founder.name, plan.peer.name]))
        if let reopening {
            problems.append(
                "nobody acknowledges commands. \(reopening.verb). Loses: \(reopening.loss)")
        }
    }

    /// Whether a host takes its peer's connections: it leads, whoever else can be reached. Of this
    /// one its agent says it, if that answers.
    private func isPrimaryThere() -> Bool {
        [plan.founder, plan.peer].contains {
            ($0 != place.own || document == nil) && plan.takesPeer($0)
        }
    }

    // MARK: Asking

    private mutating func askAgent() {
        guard let agent = place.agent else {
            problems.append("the settings here cannot be read: what the agent knows is unknown")
            return
        }
        do throws(CommandError) {
            document = try agent.ask { (agent) throws(AgentError) in try agent.cluster() }
        } catch {
            problems.append(
                error.problem + (error.repair.isEmpty ? "" : "; \(error.repair)"))
        }
    }

    /// The record, of the best source that there is.
    private mutating func readRecord(
        _ etcd: EtcdProgram, _ healths: [String: EtcdProgram.Health]
    ) {
        if healths.values.contains(where: \.isHealthy), read(etcd, isLocal: false) {
            source = .etcd
            return
        }
        if let document, let epoch = document.recordEpoch, let primary = document.primary {
            record = RecordedLeader(epoch: epoch, primary: primary, inSync: document.inSync)
            (source, floor) = (.agent, document.floor)
        } else if let own = place.own {
            let member = EtcdProgram(urls: [plan.clientURL(own)], files: place.files)
            if read(member, isLocal: true) { source = .member }
        }
        problems.append(
            "etcd has no majority: trading goes on where it does, and nobody changes roles"
                + (source == nil ? "" : "; what the record says here may be old")
                + (document?.isPeerReachable == true
                    ? "; where the data of two members is lost: sudo boursectl cluster seed" : ""))
    }

    /// Whether there is an answer.
    private mutating func read(_ etcd: EtcdProgram, isLocal: Bool) -> Bool {
        do throws(CommandError) {
            guard let text = try etcd.value(EtcdProgram.Key.record, isLocal: isLocal) else {
                if !isLocal {
                    problems.append(
                        place.isRemakeUnfinished
                            ? "the new etcd has no record: what made it was interrupted; give it "
                                + "again"
                            : Directory.exists(place.files.etcdBegun)
                                ? "etcd has lost its record: nobody changes roles; sudo boursectl "
                                    + "cluster seed, on the primary"
                                : "there is no record yet: `sudo boursectl cluster init` on "
                                    + "\(plan.founder.name) ends with it")
                }
                return !isLocal
            }
            do throws(RecordError) {
                let found = try ClusterRecord(parsing: Array(text.utf8))
                record = RecordedLeader(
                    epoch: found.epoch, primary: found.primary.text,
                    inSync: found.inSync.map(\.host.text))
            } catch {
                problems.append(
                    "nobody changes roles by the record, for \(error); where it is damaged: sudo "
                        + "boursectl cluster seed, on the primary")
            }
            floor = try etcd.value(EtcdProgram.Key.floor, isLocal: isLocal).flatMap { UInt64($0) }
            return true
        } catch {
            return false
        }
    }

    private mutating func addRow(_ member: ClusterPlan.Member, _ health: EtcdProgram.Health) {
        var row = Row(member: member, etcd: health)
        if !health.isHealthy {
            problems.append(
                "etcd on \(member.name) does not answer; there: systemctl status \(EtcdUnit.name)")
        }
        if member == plan.witness {
            row.role = "witness"
        } else if let record {
            let isInSync = record.inSync.contains(member.name)
            row.isInSync = isInSync
            row.role =
                member.name == record.primary ? "primary" : isInSync ? "standby" : "learner"
            addLag(&row, record)
        }
        rows.append(row)
    }

    /// The standby's lag, as the primary's agent knows it, or the standby's own of what it knows.
    private func addLag(_ row: inout Row, _ record: RecordedLeader) {
        guard let document, row.member.name != record.primary else { return }
        let known = [document, document.peerDocument].compactMap { $0 }
        if let primary = known.first(where: { $0.host == record.primary }) {
            row.lagRecords = primary.lagRecords
            row.lagMilliseconds = primary.lagNanos.map { $0 / 1_000_000 }
        } else if let own = known.first(where: { $0.host == row.member.name }) {
            row.lagRecords = own.lagRecords
        }
    }

    // MARK: Judging

    private mutating func judgeRoles() {
        for known in [document, document?.peerDocument] {
            guard let known, known.isBarred else { continue }
            problems.append(
                "\(known.host) claims nothing, as its [cluster] watchdog is required and the "
                    + "machine's is \(known.watchdog ?? "unknown"); there: sudo boursectl explain "
                    + "kernel.watchdog")
        }
        if let document {
            if let fault = document.matchdFault { problems.append("matchd here: \(fault)") }
            if let fault = document.etcdFault {
                problems.append("the agent here gets no answer of etcd: \(fault.prefix(300))")
            }
            if document.sentence.hasPrefix("takes no role") {
                problems.append("\(document.host) \(document.sentence)")
            }
            if document.isPaused {
                problems.append(
                    "\(document.host) makes no claims: sudo boursectl cluster resume")
            }
            if document.isPeerOut, let peer = document.peer {
                problems.append("\(peer) is out: sudo boursectl standby add")
            }
            if document.isPeerReachable == false, let peer = document.peer {
                problems.append(
                    "the agent of \(peer) does not answer: \(document.peerFault ?? "not yet")")
            }
        }
        guard let record else { return }
        for row in rows where row.isInSync == false {
            problems.append(
                "\(row.member.name) is not in sync: should \(record.primary) be lost, an operator "
                    + "has to decide")
        }
        if let document, document.host == record.primary, !document.leads {
            problems.append(
                "\(document.host) is the primary by the record, and does not lead: it "
                    + document.sentence)
        }
    }

    /// A gateway that is removed on one host alone may connect to the other.
    private mutating func judgeRemoved() {
        for here in documents {
            guard let other = documents.first(where: { $0.host != here.host }),
                let known = other.removedGateways
            else { continue }
            for one in here.removedGateways ?? []
            where !known.contains(where: { $0.name == one.name && $0.time >= one.time }) {
                problems.append(
                    "\(one.name) is removed on \(here.host) and not on \(other.host); there: sudo "
                        + "boursectl cluster remove-gateway \(one.name) --time \(one.time)")
            }
        }
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
}

/// The release that a host runs, with what it knows of logs.
package struct HostRelease: Hashable {
    package var host, version: String
    package var level: LogLevel

    package init(host: String, version: String, level: LogLevel) {
        (self.host, self.version, self.level) = (host, version, level)
    }

    /// Both releases, and what the log uses; nil: there is nothing to show, as both are the same
    /// and the log uses all that they know, or they are not known.
    package static func text(_ hosts: [HostRelease], log: LogLevel?) -> String? {
        guard hosts.count == 2 else { return nil }
        let (first, second) = (hosts[0], hosts[1])
        let lags = log.map { $0 != first.level.common(second.level) } ?? false
        guard first.version != second.version || first.level != second.level || lags else {
            return nil
        }
        let words = hosts.map { "\($0.host) \($0.version) (\($0.level))" }
        return words.joined(separator: ", ") + (log.map { "; the log: \($0)" } ?? "")
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

    init(epoch: UInt32, primary: String, inSync: [String]) {
        (self.epoch, self.primary, self.inSync) = (epoch, primary, inSync)
    }
}
