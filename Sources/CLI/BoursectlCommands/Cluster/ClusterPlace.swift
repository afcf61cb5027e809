// Where a host's part of a cluster is: its settings, its plan, its certificates.

import AgentAPI
import Configuration
import Glibc
import JSON
import Journal
import Platform

/// A host's part of a cluster, installed or run by hand.
struct ClusterPlace {
    /// Its settings; nil: there are none, as on a witness, or they cannot be read.
    let settings: Settings?
    /// Its files.
    let files: ClusterFiles
    /// The plan.
    let plan: ClusterPlan
    /// This host; nil: nothing here names it.
    let own: ClusterPlan.Member?

    /// The place that these options name. Throws where there is no cluster.
    init(_ common: CommonOptions) throws(CommandError) {
        let configuration =
            (try? common.configurationFile()) ?? common.config ?? ClusterSetup.installed
        settings = try? CommonOptions.settings(in: configuration)
        files = ClusterFiles(
            directory: settings?.cluster?.directory
                ?? Directory.join(Directory.parent(of: configuration) ?? "/", "cluster"))
        guard let plan = try files.readPlan() else {
            throw settings?.cluster.map { CommandError.lostDisk($0) } ?? .noCluster
        }
        if let gateway = try files.readGateway() {
            throw CommandError(
                "this host, \(gateway), has a gateway alone and no part in who leads",
                repair: "give the command on \(plan.founder.name) or \(plan.peer.name); what the "
                    + "gateway does here: journalctl -u bourse-gatewayd", code: .usage)
        }
        self.plan = plan
        let named: String?
        if let name = settings?.cluster?.host {
            named = name
        } else {
            named = try files.readHostName()
        }
        own = named.flatMap { plan.member($0) }
    }

    /// Whether this is the witness.
    var isWitness: Bool { own == plan.witness }

    /// This host's agent; nil where none runs: the witness has none.
    var agent: HostAgent? {
        settings.map {
            HostAgent(socket: $0.agent.socket, nanosMax: HostAgent.clusterNanosMax)
        }
    }

    /// Throws on the witness, which has no part in the exchange.
    func member() throws(CommandError) -> (own: ClusterPlan.Member, peer: ClusterPlan.Member) {
        guard let own, let peer = plan.peer(of: own.name) else {
            throw CommandError(
                "this host has no part in the exchange",
                repair: "give the command on \(plan.founder.name) or \(plan.peer.name)")
        }
        return (own, peer)
    }
}

extension ClusterPlace {
    /// Throws where the journal here is another exchange's than the cluster's.
    func checkJournal(_ settings: Settings) throws(CommandError) {
        guard let kept = try? File(files.firstRecord, .read),
            let first = try? kept.read(count: kept.size()),
            let found = try? Journal.firstRecord(settings.journalDirectory), found != first
        else { return }
        throw CommandError(
            "the journal here is another exchange's than this cluster's",
            repair:
                "with the cluster's primary running: sudo boursectl rejoin, which sets it aside "
                + "and takes the cluster's")
    }
}

extension CommandError {
    /// A host that is in a cluster by its settings, and has nothing of it: nothing may begin anew.
    static func lostDisk(_ cluster: Settings.Cluster) -> CommandError {
        CommandError(
            "\(cluster.host) is a host of a cluster, and has no journal or no part in it: its disk "
                + "was lost",
            repair: "where \(cluster.peer) has the exchange: there `sudo boursectl cluster invite "
                + "\(cluster.host)`, here the join that it prints. Where no host has it, restore a "
                + "backup of one of them, and see there: sudo boursectl cluster status")
    }
}

extension ClusterPlan {
    /// Whether a host takes its peer's connections: it leads.
    func takesPeer(_ member: Member) -> Bool {
        let address = Self.place(member, ports.replication)
        guard let socket = try? TCPSocket.connect(address, timeoutNanos: 1_000_000_000) else {
            return false
        }
        _ = close(socket)
        return true
    }
}

extension ClusterFiles {
    /// The plan that is kept here; nil: none.
    func readPlan() throws(CommandError) -> ClusterPlan? {
        guard let text = try TextFile.read(plan) else { return nil }
        guard let json = JSONValue(parsing: text.utf8), let plan = ClusterPlan(json) else {
            throw CommandError(
                "\(plan) is damaged, or of a newer version",
                repair: "restore it from another host of the cluster, where it is the same")
        }
        return plan
    }

    /// The name of the gateway that this host is for alone; nil: it is a host of the cluster.
    func readGateway() throws(CommandError) -> String? {
        try TextFile.read(gateway).map { String($0.prefix { $0 != "\n" }) }
    }

    /// The name of this host, by the settings of its member of etcd; nil: they are missing.
    func readHostName() throws(CommandError) -> String? {
        let text = try TextFile.read(etcd) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("ETCD_NAME=") }
            .map { String($0.dropFirst(10)) }
    }
}
