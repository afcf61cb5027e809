// A join of a host for a gateway alone.

import Configuration
import JSON
import Journal
import Platform
import Presentation
import Secrets

/// Makes a host one of a gateway that follows the exchange's two hosts.
struct GatewayJoin {
    let setup: ClusterSetup
    let token: JoinToken
    /// This host's name, and its gateway's.
    let host: String

    /// Joins; gives what to print.
    func run() throws(CommandError) -> (json: JSONValue, text: [String]) {
        try ClusterPlan.checkHostName(host)
        try checkRole()
        let authority = CertificateAuthority(setup.files)
        let client = try JoinClient(token, files: setup.files)
        var request = JoinRequest(
            secret: token.secret, host: host, address: "",
            request: try authority.makeRequest(host))
        request.journal = try journal()
        let reply = try client.ask(request)
        guard reply.plan.member(host) == nil else {
            throw CommandError(
                "\(host) is a host of the cluster itself", repair: "join without --gateway",
                code: .usage)
        }
        try configure(reply)
        try authority.store(certificate: reply.certificate, isGateway: true)
        try TextFile.write("\(host)\n", to: setup.files.gateway, mode: 0o644)
        try allowKey()
        // The plan is last: with it this host has everything.
        try setup.keep(reply.plan)
        client.finish()
        let hosts = "\(reply.plan.founder.name) and \(reply.plan.peer.name)"
        return (
            [
                "host": .string(host), "role": .string("gateway"),
                "cluster": .string(reply.plan.token),
            ],
            [
                "\(host) has joined as a gateway's host: it follows \(hosts).",
                "Set where clients reach it, [gatewayd] listen in \(setup.configuration), then:",
                "  sudo systemctl start bourse.target",
            ]
        )
    }

    /// Throws where this host has another part in a cluster: its certificate, which etcd uses too,
    /// would be replaced by one that is good for a gateway alone.
    private func checkRole() throws(CommandError) {
        let files = setup.files
        var name: String?
        if try TextFile.read(setup.configuration) != nil {
            name = try CommonOptions.settings(in: setup.configuration).cluster?.host
        }
        if name == nil { name = try files.readHostName() }
        if name == nil, Directory.exists(files.etcdBegun) || Directory.exists(files.authorityKey) {
            name = "a host"
        }
        guard let name else { return }
        throw CommandError(
            "this host is \(name) of a cluster, and no host for a gateway alone",
            repair: "join from another host")
    }

    private func journal() throws(CommandError) -> String {
        try setup.journalIdentity().map { "\($0)" } ?? ""
    }

    /// Writes bourse.toml, or what is missing in it, and the key that seals API secrets.
    private func configure(_ reply: JoinReply) throws(CommandError) {
        let values = [
            ("gatewayd.name", "\"gateway/\(host)\""),
            ("gatewayd.hosts", "\"\(reply.plan.gatewayHosts)\""),
            ("cluster.directory", "\"\(setup.files.directory)\""),
            ("agent.units", "\"bourse-gatewayd.service\""),
        ]
        let text: String
        if let before = try TextFile.read(setup.configuration) {
            text = values.reduce(before) { TOMLEdit.set($1.0, to: $1.1, in: $0) }
        } else {
            let installed = ConfigurationOverride.installed.map { ($0.key, $0.value) }
            text = Settings.text(
                overriding: Dictionary(installed + values, uniquingKeysWith: { $1 }))
        }
        let settings = try ClusterSetup.parsed(text, setup.configuration)
        try TextFile.write(text, to: setup.configuration, mode: 0o644)
        try CommandError.wrapping { () throws(SystemError) in
            try Directory.create(settings.secretsDirectory, mode: 0o700)
        }
        guard !reply.sealKey.isEmpty else { return }
        let key = SealKeyFile(settings)
        if !key.exists { try key.createEncrypted(reply.sealKey) }
        guard try isEqual(key.bytes(), reply.sealKey) else {
            throw CommandError(
                "this host has another key that seals API secrets than the exchange",
                repair: "keep \(key.encrypted) elsewhere, and join again")
        }
    }

    /// Lets the gateway read this host's key. On a host of the exchange it may not: there the key
    /// is the host's, and the gateway is what clients reach.
    private func allowKey() throws(CommandError) {
        let directory = "/etc/systemd/system/bourse-gatewayd.service.d"
        guard setup.configuration == ClusterSetup.installed,
            Directory.exists("/run/systemd/system")
        else { return }
        try CommandError.wrapping { () throws(SystemError) in
            try Directory.create(directory, mode: 0o755)
        }
        try TextFile.write(
            "# By boursectl cluster join: the gateway's certificate, which this host has alone.\n"
                + "[Service]\nSupplementaryGroups=\(ClusterFiles.group)\n",
            to: "\(directory)/cluster.conf", mode: 0o644)
        _ = try Systemctl.run(["daemon-reload"])
    }
}
