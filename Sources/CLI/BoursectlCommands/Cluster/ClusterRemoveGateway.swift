// cluster remove-gateway

import AgentAPI
import ArgumentParser
import Configuration
import JSON
import Link
import Platform
import Presentation

struct ClusterRemoveGatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-gateway",
        abstract: "Refuses a gateway on a host of its own from now on.",
        discussion: """
            Give it on both hosts of the exchange, also where one of them, etcd or the gateway is \
            away: each keeps a list of its own, in /etc/bourse/cluster/gateways.removed, and on \
            this one the gateway's connection ends at once. It prints the command for the other \
            host. All certificates of that name that were made until now are refused, over \
            restarts and failovers; nothing is restarted. Its clients' orders stay. An invitation \
            that was not used yet is no longer valid, where this is the first host. `cluster \
            invite NAME --gateway` gives a new certificate, which is good. \
            The gateway's host keeps the key that seals API secrets: where it was broken into, \
            clients need new ones.

            A name that no gateway is known by here is removed all the same, and the reply says \
            so: it may be misspelt.

            JSON: {"gateway", "time", "elsewhere", "known"}; known: whether a gateway of that name \
            was invited, is connected or was removed before; null: this host cannot tell.

            EXAMPLE
              sudo boursectl cluster remove-gateway g1
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The gateway's name, as it was invited.") var name: String
    @Option(
        help: ArgumentHelp(
            "When it was removed on the other host, in seconds since 1970; without it: now.",
            valueName: "seconds"))
    var time: Int64?

    func run() throws {
        let setup = try ClusterSetup(common, verb: "remove-gateway")
        guard let plan = try setup.plan() else { throw CommandError.noCluster }
        guard let own = try setup.own(plan), let other = plan.peer(of: own.name) else {
            throw CommandError(
                "this host takes no gateways",
                repair: "give it on \(plan.founder.name) and on \(plan.peer.name)", code: .usage)
        }
        let now = Clock.realtimeNanos() / 1_000_000_000
        try check(plan, now)
        let known = KnownGateways(setup)
        let isKnown = known.isKnown(name)
        let time = try keep(time ?? now + Self.clockSeconds, now, setup.files)
        let elsewhere = "sudo boursectl cluster remove-gateway \(name) --time \(time)"
        common.out.give(
            [
                "gateway": .string(name), "time": .number(time), "elsewhere": .string(elsewhere),
                "known": isKnown.map { .bool($0) } ?? .null,
            ],
            text: (isKnown == false ? [known.words(name)] : []) + [
                "\(own.name) refuses certificates of \(name) that were made until "
                    + "\(CertificateAuthority.time(time)).",
                "On \(other.name) as well:", "  \(elsewhere)",
            ])
        // The other host's command is printed by now, whatever becomes of this.
        try Invitations.change(setup.files.invitations) { try $0.withdraw(name) }
    }

    /// The clocks of the hosts may differ by so much: a certificate that the first host signed a
    /// moment ago, by its clock, is refused as well.
    private static let clockSeconds: Int64 = 5
    /// And so far ahead of this host's the other's may be when its command is given here.
    private static let aheadSecondsMax: Int64 = 300

    private func check(_ plan: ClusterPlan, _ now: Int64) throws(CommandError) {
        try ClusterPlan.checkHostName(name)
        guard plan.member(name) == nil else {
            throw CommandError(
                "\(name) is a host of the cluster, and no host for a gateway alone", code: .usage)
        }
        if let time, !(0...now + Self.aheadSecondsMax).contains(time) {
            throw CommandError(
                "\(time) is no time that has passed, nor near, by this host's clock",
                repair: "give the seconds that the other host printed; or set the clock",
                code: .usage)
        }
    }

    /// Gives the time that counts: an earlier removal may have a later one.
    private func keep(
        _ time: Int64, _ now: Int64, _ files: ClusterFiles
    ) throws(CommandError) -> Int64 {
        var removed = try files.readRemovedGateways()
        if removed.times.count >= RemovedGateways.countMax {
            // What was made before then has expired by itself.
            removed.forget(before: now - Int64(CertificateAuthority.hostDays + 1) * 86_400)
        }
        try files.keep(removed, adding: [name: time])
        return max(time, removed.times[name] ?? time)
    }
}

/// The gateways on hosts of their own that a host knows by name.
private struct KnownGateways {
    /// Those that were invited from here, that are connected, or that were removed.
    private var names: Set<String> = []
    /// Whether these are all: this host takes joins, and its agent answers.
    private var isWhole: Bool

    /// An agent that hangs must not hold up a removal.
    private static let agentNanosMax: Int64 = 2_000_000_000

    init(_ setup: ClusterSetup) {
        let invitations = try? Invitations(file: setup.files.invitations)
        let settings = try? CommonOptions.settings(in: setup.configuration)
        let agent = settings.map {
            HostAgent(socket: $0.agent.socket, nanosMax: Self.agentNanosMax)
        }
        let document = try? agent?.ask { (agent) throws(AgentError) in try agent.cluster() }
        let hosts = (try? setup.plan())?.members.map(\.name) ?? []
        isWhole = Directory.exists(setup.files.authorityKey) && invitations != nil
            && document != nil
        names.formUnion(invitations?.all.map(\.host) ?? [])
        names.formUnion((try? setup.files.readRemovedGateways())?.times.map(\.key) ?? [])
        for seen in [document, document?.peerDocument] {
            names.formUnion(seen?.gateways.map(\.name) ?? [])
            names.formUnion(seen?.removedGateways?.map(\.name) ?? [])
        }
        names.subtract(hosts)
    }

    /// Whether it is one of them; nil: there may be others.
    func isKnown(_ name: String) -> Bool? {
        names.contains(name) ? true : isWhole ? false : nil
    }

    /// What an operator should read where it is none of them.
    func words(_ name: String) -> String {
        "No gateway \(name) is known: none was invited from here, is connected or was removed "
            + "before. Known: \(names.isEmpty ? "none" : names.sorted().joined(separator: ", "))."
    }
}

extension ClusterFiles {
    /// The gateways that were removed here.
    func readRemovedGateways() throws(CommandError) -> RemovedGateways {
        do throws(SystemError) { return try RemovedGateways(file: removedGateways) } catch {
            throw CommandError(
                "the list of removed gateways cannot be read: \(error)",
                repair: "copy \(removedGateways) from the other host: until then no gateway comes "
                    + "in")
        }
    }

    /// Adds names, with the times until which their certificates are refused, and keeps all.
    func keep(_ removed: RemovedGateways, adding times: [String: Int64]) throws(CommandError) {
        var removed = removed
        for (name, time) in times where !removed.add(name, at: time) {
            throw CommandError(
                "\(RemovedGateways.countMax) gateways were removed, the most that are kept",
                repair: "take out of \(removedGateways) those whose certificates have ended")
        }
        try TextFile.write(removed.text, to: removedGateways, mode: 0o644)
    }
}
