// cluster join

import ArgumentParser
import Configuration
import Glibc
import JSON
import Journal
import Link
import Platform
import Presentation

struct ClusterJoinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Makes this host the second of a cluster, its witness, or a gateway's.",
        discussion: """
            `cluster init` on the first host prints the whole command. This host's key is made \
            here and stays here; the first host signs a certificate for it. The second host gets \
            the exchange's settings (unless it has a bourse.toml), its journal's identity and the \
            key that seals API secrets; it starts as a standby. The witness gets a member of etcd \
            and nothing of the exchange. A host for a gateway alone gets a certificate for that \
            gateway, the key that seals API secrets, and a bourse.toml that names the two hosts. \
            The command can be repeated.

            JSON: {"host", "role", "cluster"}.

            EXAMPLE
              sudo boursectl cluster join TOKEN --host b --address 10.0.0.2
              sudo boursectl cluster join TOKEN --host g1 --gateway
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The token that the first host printed.") var token: String
    @Option(help: "This host's name in the cluster.") var host: String
    @Option(help: "This host's IP address on the network between the hosts.")
    var address: String?
    @Flag(help: "This host is for a gateway alone.") var gateway = false
    @Flag(help: "Begin this host's member of etcd anew: its data is old, as of a restored disk.")
    var replaceMember = false

    func run() throws {
        let setup = try ClusterSetup(common, verb: "join")
        guard let token = JoinToken(token) else {
            throw CommandError(
                "this is no join token", repair: "copy the whole line that the first host printed",
                code: .usage)
        }
        try checkOther(token, setup)
        try setup.files.make()
        if gateway {
            let joined = try GatewayJoin(setup: setup, token: token, host: host).run()
            return common.out.give(joined.json, text: joined.text)
        }
        if let name = try setup.files.readGateway() {
            throw CommandError(
                "this host, \(name), has a gateway alone",
                repair: "join from another host; or, where the gateway is given up: "
                    + "mv \(setup.files.directory) \(setup.files.directory).old")
        }
        guard let address else {
            throw CommandError(
                "this host's address is missing",
                repair: "give --address, or --gateway on a host for a gateway alone", code: .usage)
        }
        let authority = CertificateAuthority(setup.files)
        let plan: ClusterPlan
        do throws(CommandError) {
            plan = try ask(token, address, setup, authority)
        } catch {
            // The first host may have ended its waiting; what it had to give may be here already.
            guard error.code == .notRunning, let kept = try joined(setup, address) else {
                throw error
            }
            plan = kept
        }
        guard let own = plan.member(host) else {
            throw CommandError("\(host) is no host of this cluster")
        }
        if let done = EtcdUnit.stopUnused() { Terminal.warn(done) }
        try EtcdUnit(plan: plan, host: own, files: setup.files).start()
        give(plan, own)
    }

    /// Refuses where this host is in another cluster already.
    private func checkOther(_ token: JoinToken, _ setup: ClusterSetup) throws {
        guard try setup.plan() != nil else { return }
        let kept = try CertificateAuthority.certificate(setup.files.authority)
        guard CertificateAuthority.fingerprint(kept) == token.fingerprint else {
            throw CommandError(
                "this host is in another cluster already",
                repair: "where it is given up: systemctl disable --now \(EtcdUnit.name); "
                    + "mv \(setup.files.directory) \(setup.files.directory).old; "
                    + "rm -r \(setup.files.etcdData)")
        }
        guard token.founder != host else {
            throw CommandError(
                "this is the host that takes joins",
                repair: "run the command on the other host")
        }
    }

    /// Gets everything from the first host, and puts it into this one's files.
    private func ask(
        _ token: JoinToken, _ address: String, _ setup: ClusterSetup,
        _ authority: CertificateAuthority
    ) throws(CommandError) -> ClusterPlan {
        let client = try JoinClient(token, files: setup.files)
        var request = JoinRequest(
            secret: token.secret, host: host, address: address,
            request: try authority.makeRequest(host))
        request.memberToken = replaceMember ? "" : try setup.files.etcdToken()
        request.journal = try setup.journalIdentity().map { "\($0)" } ?? ""
        let reply = try client.ask(request)
        guard let own = reply.plan.member(host) else {
            throw CommandError("the first host has no \(host) in its cluster")
        }
        try setup.checkConfiguration(reply.plan, host: host)
        if own != reply.plan.witness { try fill(reply, own, setup) }
        try authority.store(certificate: reply.certificate)
        // With its data lost, the first host has replaced the member, or etcd has not begun.
        if reply.isAdded, let kept = try setup.files.setEtcdAside() {
            Terminal.warn("What this host's member of etcd had is kept in \(kept).")
        }
        try EtcdUnit(plan: reply.plan, host: own, files: setup.files).setUp(
            isAdded: reply.isAdded, members: reply.isAdded ? reply.etcdMembers : nil)
        // The plan is last: with it this host has everything.
        try setup.keep(reply.plan)
        client.finish()
        return reply.plan
    }

    /// The plan of a host that has everything; nil where something lacks.
    private func joined(_ setup: ClusterSetup, _ address: String) throws -> ClusterPlan? {
        guard let plan = try setup.plan(), plan.member(host)?.address == address,
            Directory.exists(setup.files.certificate)
        else { return nil }
        return plan
    }

    /// Puts the exchange's settings, seal key and identity into this host's files.
    private func fill(
        _ reply: JoinReply, _ own: ClusterPlan.Member, _ setup: ClusterSetup
    ) throws(CommandError) {
        guard let identity = JournalIdentity(reply.journal) else {
            throw CommandError("the first host has no journal")
        }
        if let found = try setup.journalIdentity(), found != identity {
            throw CommandError.otherJournal("\(found)", wanted: "\(identity)")
        }
        if try TextFile.read(setup.configuration) == nil {
            try TextFile.write(
                StandbySettings.text(reply.configuration, reply.plan, own),
                to: setup.configuration, mode: 0o644)
        }
        try setup.writeConfiguration(reply.plan, host: host)
        let settings = try CommonOptions.settings(in: setup.configuration)
        let directories = [
            (settings.secretsDirectory, 0o700 as UInt32),
            (settings.secretsDirectory + "/snmp", 0o700),
        ]
        for (path, mode) in directories {
            try CommandError.wrapping { () throws(SystemError) in
                try Directory.create(path, mode: mode)
            }
        }
        if let targets = settings.snmp.targets {
            try CommandError.wrapping { () throws(SystemError) in
                try Directory.create(targets, mode: 0o755)
            }
        }
        if !reply.sealKey.isEmpty {
            let key = SealKeyFile(settings)
            if !key.exists { try key.createEncrypted(reply.sealKey) }
            guard try key.bytes() == reply.sealKey else {
                throw CommandError(
                    "this host has another key that seals API secrets than the first one",
                    repair: "keep \(key.encrypted) elsewhere, and join again")
            }
        }
        guard let removed = RemovedGateways(text: reply.removedGateways) else {
            throw CommandError("the first host's list of removed gateways is damaged")
        }
        try setup.files.keep(setup.files.readRemovedGateways(), adding: removed.times)
        try setup.keep(firstRecord: reply.firstRecord)
        try setup.beginStandby(reply.firstRecord)
    }

    /// What the gateway here needs that is on the first host alone.
    private static var missingFiles: [String] {
        guard let gatewayd = try? Settings.load(path: ClusterSetup.installed).gatewayd,
            let certificate = gatewayd.tlsCertificate, let key = gatewayd.tlsKey
        else { return [] }
        let missing = [certificate, key].filter { !Directory.exists($0) }
        guard !missing.isEmpty else { return [] }
        return [
            "Its gateway needs the certificate that clients see as well: put "
                + "\(missing.joined(separator: " and ")) here, from the first host"
        ]
    }

    private func give(_ plan: ClusterPlan, _ own: ClusterPlan.Member) {
        let isWitness = own == plan.witness
        common.out.give(
            [
                "host": .string(own.name), "role": .string(isWitness ? "witness" : "standby"),
                "cluster": .string(plan.token),
            ],
            text: [
                "\(own.name) has joined as \(isWitness ? "the witness" : "the second host"); "
                    + "\(EtcdUnit.name) is started."
            ]
                + (isWitness
                    ? []
                    : [
                        "When `cluster init` on \(plan.founder.name) has ended, start the exchange "
                            + "here: sudo systemctl start bourse.target"
                    ] + Self.missingFiles))
    }
}

/// The settings of a second host, from those of the first.
package enum StandbySettings {
    /// The first host's bourse.toml for this one: the same exchange, another gateway, and this
    /// host's addresses in place of the first's. What is of a host's own hardware is left out.
    package static func text(
        _ text: String, _ plan: ClusterPlan, _ own: ClusterPlan.Member
    ) -> String {
        guard let first = try? Settings.parse(Array(text.utf8), file: ClusterSetup.installed) else {
            return Settings.text(
                overriding: Dictionary(
                    ConfigurationOverride.installed.map { ($0.key, $0.value) },
                    uniquingKeysWith: { $1 }))
        }
        var values = [("gatewayd.name", "\"gateway/\(own.name)\"")]
        let places = [
            ("gatewayd.listen", Optional(first.gatewayd.listen)),
            ("matchd.listen", first.matchd.listen),
        ]
        for case (let key, let place?) in places where place.host == plan.founder.address {
            let here = ListenAddress(host: own.address, port: place.port)
            values.append((key, "\"\(here)\""))
        }
        if first.matchd.cpu != nil { values.append(("matchd.cpu", "-1")) }
        if !first.agent.interfaces.isEmpty { values.append(("agent.interfaces", "\"\"")) }
        if !first.agent.protectedDisks.isEmpty { values.append(("agent.protected_disks", "\"\"")) }
        return values.reduce(text) { TOMLEdit.set($1.0, to: $1.1, in: $0) }
    }
}
