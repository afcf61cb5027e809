// cluster init

import ArgumentParser
import Configuration
import Control
import Failover
import Glibc
import JSON
import Journal
import Link
import Platform
import Presentation
import Secrets
import Terms

struct ClusterInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Makes this host the first of a cluster.",
        discussion: """
            Run it on the host with the exchange, which goes on meanwhile and loses nothing. It \
            makes the cluster's certificate authority and this host's certificate, prints the \
            command that joins each of the other two hosts, and waits until both have joined. \
            Then it starts this host's member of etcd, writes the first record, of which this \
            host is the primary, and [cluster] into bourse.toml. Ctrl-C ends the waiting; the \
            command without options goes on where it was, and changes nothing where all is done.

            The authority's key (ca.key in /etc/bourse/cluster) stays on this host: keep a copy \
            apart. Between the hosts five TCP ports have to be open, 7410 to 7414,
            and 7415 for gateways on hosts of their own.

            JSON: {"host", "cluster", "joined", "record"}.

            EXAMPLE
              sudo boursectl cluster init --host a --address 10.0.0.1 \\
                --peer b=10.0.0.2 --witness w=10.0.0.3 \\
                --service-address 10.0.0.9/24 --interface eth0
            """)

    @OptionGroup var common: CommonOptions
    @Option(help: "This host's name in the cluster.") var host: String?
    @Option(help: "This host's IP address on the network between the hosts.") var address: String?
    @Option(help: ArgumentHelp("The other host with the exchange.", valueName: "name=address"))
    var peer: String?
    @Option(help: ArgumentHelp("The host that only votes.", valueName: "name=address"))
    var witness: String?
    @Option(
        help: ArgumentHelp(
            "The address that clients use, which the primary has.", valueName: "address/length"))
    var serviceAddress: String?
    @Option(help: "The network interface that has it.") var interface: String?
    @Option(help: "The first of the six ports between the hosts; default: 7410.")
    var port: UInt16?

    func run() throws {
        let setup = try ClusterSetup(common, verb: "init")
        let plan = try plan(setup)
        let own = plan.founder
        try setup.checkConfiguration(plan, host: own.name)
        guard let replica = try setup.replica(), try setup.journalIdentity() != nil else {
            throw CommandError(
                "there is no exchange on this host yet", repair: "begin it: sudo boursectl init")
        }
        let authority = CertificateAuthority(setup.files)
        try setup.files.make()
        try setup.keep(plan)
        let settings = try CommonOptions.settings(in: setup.configuration)
        try setup.keep(firstRecord: Journal.firstRecord(settings.journalDirectory))
        try authority.makeAuthority(cluster: plan.token)
        if !Directory.exists(setup.files.certificate) {
            let request = try authority.makeRequest(own.name)
            try authority.store(certificate: authority.sign(request: request, for: own))
        }
        let etcd = EtcdUnit(plan: plan, host: own, files: setup.files)
        try etcd.setUp()
        if let done = EtcdUnit.stopUnused() { Terminal.warn(done) }
        let hasBegun = Directory.exists(setup.files.etcdBegun)
        if !hasBegun {
            try ClusterJoins(setup: setup, plan: plan).takeAll(invite: [plan.peer, plan.witness])
        }
        try etcd.start()
        let record = try begin(plan, replica, setup, isRepeated: hasBegun)
        try etcd.noteBegun()
        try setup.writeConfiguration(plan, host: own.name)
        give(plan, record, setup)
    }

    /// The plan: a new one of the options, or the one that is kept, which they must not contradict.
    private func plan(_ setup: ClusterSetup) throws -> ClusterPlan {
        let kept = try setup.plan()
        guard host != nil || kept == nil else { return try founders(kept, setup) }
        guard let host, let address, let peer, let witness else {
            throw CommandError(
                "the three hosts are not all named",
                repair: "give --host a --address 10.0.0.1 --peer b=10.0.0.2 --witness w=10.0.0.3",
                code: .usage)
        }
        guard let peer = ClusterPlan.Member(peer), let witness = ClusterPlan.Member(witness) else {
            throw CommandError(
                "--peer and --witness are a name and an address",
                repair: "give them as b=10.0.0.2", code: .usage)
        }
        var plan = ClusterPlan(
            token: kept?.token ?? ClusterPlan.newToken(),
            founder: ClusterPlan.Member(name: host, address: address), peer: peer, witness: witness)
        plan.serviceAddress = serviceAddress ?? ""
        plan.serviceInterface = interface ?? ""
        if let port, !(1...ClusterPlan.Ports.firstMax ~= port) {
            throw CommandError("--port is 1 … \(ClusterPlan.Ports.firstMax)", code: .usage)
        }
        plan.ports.first = port ?? 7_410
        if let problem = plan.problem {
            throw CommandError(problem.text, repair: problem.repair, code: .usage)
        }
        guard let kept else { return plan }
        guard kept == plan else {
            throw CommandError(
                "\(setup.files.plan) has a cluster of other values",
                repair: "run `sudo boursectl cluster init` without options to go on with it; or "
                    + "move \(setup.files.directory) away to begin another one, where no host of "
                    + "it is in use")
        }
        return try founders(kept, setup)
    }

    private func founders(_ plan: ClusterPlan?, _ setup: ClusterSetup) throws -> ClusterPlan {
        guard let plan,
            Directory.exists(setup.files.authorityKey)
                || !Directory.exists(setup.files.authority)
        else {
            throw CommandError(
                "this host joined a cluster that \(plan?.founder.name ?? "another host") began",
                repair: "see it with: sudo boursectl cluster status")
        }
        return plan
    }

    /// Writes the first record, as soon as a majority of etcd takes it; the record that is there.
    private func begin(
        _ plan: ClusterPlan, _ replica: ReplicaFile, _ setup: ClusterSetup, isRepeated: Bool
    ) throws -> String {
        let etcd = EtcdProgram(urls: plan.members.map(plan.clientURL), files: setup.files)
        let urls = plan.members.map { ($0.name, plan.clientURL($0)) }
        var missing = urls.map(\.0)
        while !missing.isEmpty {
            missing = urls.filter { !etcd.health($0.1).isHealthy }.map(\.0)
            guard !missing.isEmpty else { break }
            Terminal.warn(
                "Waiting for etcd on \(missing.joined(separator: ", ")); see journalctl -u "
                    + "\(EtcdUnit.name) there (Ctrl-C and this command again is safe)")
            Clock.sleep(nanos: 2_000_000_000)
        }
        // A first record names this host alone in sync: the other one may have led since.
        guard try !isRepeated || etcd.value(EtcdProgram.Key.record) != nil else {
            throw CommandError(
                "etcd had a record, and lost it: a first one would not know who led since",
                repair: "on the host that status names: sudo boursectl cluster seed")
        }
        // What was released so far: a journal that ends below it later is an old image.
        let settings = try CommonOptions.settings(in: setup.configuration)
        let released =
            try (try? Exchange(settings: settings).status().released)
            ?? Journal.floor(JournalPlace(settings))
        let first = try ClusterRecord(
            founder: plan.founder.name, epoch: max(1, replica.promise),
            replica: "\(replica.replica)", replaces: replica.cluster)
        let found = try etcd.begin(record: first.text, floor: FloorText.text(released))
        _ = try ClusterRecord(etcd: found)
        return found
    }

    private func give(_ plan: ClusterPlan, _ record: String, _ setup: ClusterSetup) {
        common.out.give(
            [
                "host": .string(plan.founder.name), "cluster": .string(plan.token),
                "joined": .strings([plan.peer.name, plan.witness.name]),
                "record": JSONValue(parsing: record.utf8) ?? .null,
            ],
            text: [
                "The cluster of \(plan.founder.name), \(plan.peer.name) and the witness "
                    + "\(plan.witness.name) is set up; [cluster] is in \(setup.configuration).",
                "",
                "The exchange here goes on as it was. It takes its part when it starts again:",
                "  sudo systemctl restart bourse.target     here, then",
                "  sudo systemctl start bourse.target       on \(plan.peer.name)",
                "See it:             sudo boursectl cluster status",
                "Keep a copy apart:  \(setup.files.authorityKey)",
            ])
    }
}

extension ClusterRecord {
    /// A record that nobody swapped for another: this host alone leads and is in sync.
    init(
        founder: String, epoch: UInt32, replica: String, forced: ForcedStart? = nil,
        replaces: UInt64
    ) throws(CommandError) {
        guard let replica = ReplicaID(replica) else {
            throw CommandError("the replica of \(founder) is no id: \(replica)")
        }
        let host = HostName(founder)
        let run = SystemRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        self.init(
            epoch: epoch, primary: host, inSync: [InSyncReplica(host: host, replica: replica)],
            attempt: SwapAttempt(run: run, number: 1), forced: forced,
            replaces: replaces == 0 ? nil : replaces)
    }

    /// The record of etcd's text; throws where no agent follows it.
    init(etcd text: String) throws(CommandError) {
        do throws(RecordError) { try self.init(parsing: Array(text.utf8)) } catch {
            let repair =
                if case .newerVersion = error { "install that release here" } else {
                    "on the primary: sudo boursectl cluster seed; it was: \(text)"
                }
            throw CommandError("nobody leads by the record in etcd: \(error)", repair: repair)
        }
    }
}
