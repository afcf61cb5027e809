// cluster invite; and taking joins, which `cluster init` does too

import ArgumentParser
import Configuration
import JSON
import Journal
import Link
import Platform
import Presentation

struct ClusterInviteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Makes a token for a host, and waits until it was used.",
        discussion: """
            Run it on the first host of the cluster, which has the authority's key. The token is \
            good for one host and an hour; the one before, if any, is no longer valid. The host \
            uses it with `cluster join`, or with `cluster renew` for a new certificate. With \
            --gateway it is for a host that has a gateway alone, of any new name: the host gets a \
            certificate that is good for a gateway's part in the exchange and nothing more, and \
            the key that seals API secrets.

            JSON: {"host", "joined"}.

            EXAMPLE
              sudo boursectl cluster invite b
              sudo boursectl cluster invite g1 --gateway
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The host's name in the cluster.") var host: String
    @Flag(help: "It is a host for a gateway alone.") var gateway = false

    func run() throws {
        let setup = try ClusterSetup(common, verb: "invite")
        guard var plan = try setup.plan() else { throw CommandError.noCluster }
        try takeJoins(&plan, setup)
        let member = try gateway ? gateway(plan, setup) : member(plan)
        guard Directory.exists(setup.files.authorityKey) else {
            throw CommandError(
                "this host does not have the authority's key",
                repair: "run it on \(plan.founder.name); where that host is lost, put the copy of "
                    + "its ca.key into \(setup.files.directory) here, for root alone to read")
        }
        try ClusterJoins(setup: setup, plan: plan).take(member)
        common.out.give(
            ["host": .string(host), "joined": .bool(true)], text: ["\(host) has what it needs."])
    }

    private func member(_ plan: ClusterPlan) throws -> ClusterPlan.Member {
        guard let member = plan.member(host), member != plan.founder else {
            throw CommandError(
                "\(host) is no other host of the cluster",
                repair: "they are \(plan.peer.name) and \(plan.witness.name); a host for a gateway "
                    + "alone is invited with --gateway", code: .usage)
        }
        return member
    }

    /// A new host for a gateway alone, of which only the name is known.
    private func gateway(
        _ plan: ClusterPlan, _ setup: ClusterSetup
    ) throws -> ClusterPlan.Member {
        try ClusterPlan.checkHostName(host)
        guard plan.member(host) == nil else {
            throw CommandError(
                "\(host) is a host of the cluster already",
                repair: "give the gateway's host a name of its own", code: .usage)
        }
        let settings = try CommonOptions.settings(in: setup.configuration)
        guard settings.gatewayd.name != LinkProtocol.writer(ofGateway: host) else {
            throw CommandError(
                "\(settings.gatewayd.name) is the name of this host's own gateway",
                repair: "give the gateway's host another name", code: .usage)
        }
        guard settings.cluster?.link.host.isEmpty == false else {
            throw CommandError(
                "this host's matchd takes no gateways of other hosts",
                repair: "give both hosts [cluster] link, here as "
                    + "\"\(ClusterPlan.place(plan.founder, plan.ports.link))\", on "
                    + "\(plan.peer.name) as \"\(ClusterPlan.place(plan.peer, plan.ports.link))\", "
                    + "and restart bourse-matchd on each", code: .configuration)
        }
        return ClusterPlan.Member(name: host, address: "")
    }

    /// Takes joins here from now on, where the owner has put the authority's key on this host.
    private func takeJoins(_ plan: inout ClusterPlan, _ setup: ClusterSetup) throws {
        guard Directory.exists(setup.files.authorityKey), let own = try setup.own(plan),
            own == plan.peer, host == plan.founder.name
        else { return }
        swap(&plan.founder, &plan.peer)
        try setup.keep(plan)
        try EtcdUnit(plan: plan, host: own, files: setup.files).noteBegun()
    }
}

extension CommandError {
    /// What needs a cluster, and there is none.
    static var noCluster: CommandError {
        CommandError(
            "this host is in no cluster",
            repair: "begin one on the first host: sudo boursectl cluster init --help")
    }
}

/// Invitations and the joins that come by them.
struct ClusterJoins {
    let setup: ClusterSetup
    let plan: ClusterPlan

    /// Invites those of the hosts that have not joined yet, and waits until all have.
    func takeAll(invite members: [ClusterPlan.Member]) throws {
        let invitations = try Invitations(file: setup.files.invitations)
        let missing = members.filter { !invitations.isDone($0.name) }
        guard !missing.isEmpty else { return }
        let server = try server()
        for member in missing { try invite(member) }
        try wait(server, for: missing)
    }

    /// Invites this host, whether it has joined or not, and waits until it has used its token.
    func take(_ member: ClusterPlan.Member) throws {
        let server = try server()
        try invite(member)
        try wait(server, for: [member])
    }

    private func server() throws -> JoinServer {
        let settings = try CommonOptions.settings(in: setup.configuration)
        let key = SealKeyFile(settings)
        return try JoinServer(
            plan: plan, files: setup.files,
            gifts: JoinServer.Gifts(
                journal: try setup.journalIdentity().map { "\($0)" } ?? "",
                firstRecord: try Journal.firstRecord(settings.journalDirectory),
                configuration: try TextFile.read(setup.configuration) ?? "",
                sealKey: key.exists ? try key.bytes() : []))
    }

    private func invite(_ member: ClusterPlan.Member) throws {
        let now = Clock.realtimeNanos() / 1_000_000_000
        let (invitation, secret) = Invitation.make(for: member.name, now: now)
        try Invitations.change(setup.files.invitations) { try $0.put(invitation) }
        let token = JoinToken(
            founder: plan.founder.name,
            place: ClusterPlan.place(plan.founder, plan.ports.join),
            fingerprint: CertificateAuthority.fingerprint(
                try CertificateAuthority.certificate(setup.files.authority)), secret: secret)
        guard plan.member(member.name) != nil else {
            return Terminal.warn(
                "On \(member.name), with the packages bourse-gateway and boursectl, within an "
                    + "hour:\n  sudo boursectl cluster join \(token.text) --host \(member.name) "
                    + "--gateway")
        }
        let package = member == plan.witness ? "bourse-witness" : "bourse and bourse-etcd"
        Terminal.warn(
            "On \(member.name) (\(member.address)), with the package \(package), within an hour:\n"
                + "  sudo boursectl cluster join \(token.text) --host \(member.name) "
                + "--address \(member.address)")
    }

    private func wait(_ server: JoinServer, for members: [ClusterPlan.Member]) throws {
        var missing = members.map(\.name)
        Terminal.warn("Waiting for \(missing.joined(separator: " and ")); Ctrl-C is safe.")
        while !missing.isEmpty {
            guard let words = server.serveOne() else { continue }
            let invitations = try Invitations(file: setup.files.invitations)
            missing = members.map(\.name).filter { !invitations.isDone($0) }
            // What a stranger sends must not control this terminal.
            Terminal.warn(
                Table.printable(words)
                    + (missing.isEmpty
                        ? "" : " Waiting for \(missing.joined(separator: " and "))."))
        }
    }
}
