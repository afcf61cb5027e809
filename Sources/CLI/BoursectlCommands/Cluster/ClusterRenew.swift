// cluster renew

import ArgumentParser
import Checks
import JSON
import Platform
import Presentation

struct ClusterRenewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "Renews this host's certificate.",
        discussion: """
            On the first host it needs nothing. On another one it needs a token, which `cluster \
            invite` makes on the first host and waits until it is used. Nothing is restarted: \
            etcd, matchd and the agent read the new certificate at their next connection. The \
            host's key stays.

            JSON: {"host", "expires"}.

            EXAMPLE
              sudo boursectl cluster renew
              sudo boursectl cluster renew TOKEN
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The token, on another host than the first.") var token: String?

    func run() throws {
        let setup = try ClusterSetup(common, verb: "renew")
        guard let plan = try setup.plan() else { throw CommandError.noCluster }
        let authority = CertificateAuthority(setup.files)
        let own: ClusterPlan.Member
        if Directory.exists(setup.files.authorityKey) {
            own = plan.founder
            try authority.store(
                certificate: authority.sign(
                    request: authority.makeRequest(own.name), for: own))
        } else {
            own = try renewByToken(plan, setup, authority)
        }
        let ends = try CertificateAuthority.certificate(setup.files.certificate).ends
        let text = CertificateAuthority.time(ends)
        common.out.give(
            ["host": .string(own.name), "expires": .string(text)],
            text: ["The certificate of \(own.name) is good until \(text)."])
    }

    private func renewByToken(
        _ plan: ClusterPlan, _ setup: ClusterSetup, _ authority: CertificateAuthority
    ) throws -> ClusterPlan.Member {
        let gateway = try setup.gateway()
        guard let own = try gateway ?? setup.own(plan) else {
            throw CommandError("\(setup.files.etcd) does not say which host this is")
        }
        let invite =
            "sudo boursectl cluster invite \(own.name)"
            + (gateway == nil ? "" : " --gateway")
        guard let text = token else {
            throw CommandError(
                "a token is needed: \(plan.founder.name) has the authority's key",
                repair: "there: \(invite); then here: "
                    + "sudo boursectl cluster renew TOKEN", code: .usage)
        }
        guard let token = JoinToken(text) else {
            throw CommandError(
                "this is no token", repair: "copy the whole token that the first host printed",
                code: .usage)
        }
        let kept = try CertificateAuthority.certificate(setup.files.authority)
        guard CertificateAuthority.fingerprint(kept) == token.fingerprint else {
            throw CommandError(
                "the token is another cluster's",
                repair: "get one on \(plan.founder.name): \(invite)")
        }
        let client = try JoinClient(token, files: setup.files)
        var request = JoinRequest(
            secret: token.secret, host: own.name, address: own.address,
            request: try authority.makeRequest(own.name))
        request.isRenewal = true
        try authority.store(
            certificate: client.ask(request).certificate, isGateway: gateway != nil)
        client.finish()
        return own
    }
}

extension ClusterSetup {
    /// The gateway that this host is for alone, of which only the name is known; nil: it is a host
    /// of the cluster.
    func gateway() throws(CommandError) -> ClusterPlan.Member? {
        try files.readGateway().map { ClusterPlan.Member(name: $0, address: "") }
    }

    /// Which host of the plan this is: the member's settings say it.
    func own(_ plan: ClusterPlan) throws(CommandError) -> ClusterPlan.Member? {
        try files.readHostName().flatMap { plan.member($0) }
    }
}
