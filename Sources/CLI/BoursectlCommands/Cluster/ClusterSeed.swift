// cluster seed

import AgentAPI
import ArgumentParser
import JSON
import Platform
import Presentation

struct ClusterSeedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed", abstract: "Makes a lost etcd anew while both hosts are there.",
        discussion: """
            For an etcd of whose three members two have lost their data, with both hosts of the \
            exchange up. It is given on the primary; where nobody leads, on the host whose journal \
            has everything: the command compares both, and refuses on the other one. Nothing is \
            lost. The new etcd begins with this host alone; the others then join again. Members \
            that only do not run are started instead.

            It asks for this host's name to be typed; --yes-name NAME gives it beforehand. JSON: \
            {"host", "epoch", "milliseconds"}.
            """)

    @OptionGroup var options: ClusterOrderOptions
    @Option(help: ArgumentHelp("This host's name, in place of typing it.", valueName: "name"))
    var yesName: String?

    func run() throws {
        let order = try options.order()
        let before = try order.document()
        let remake = try EtcdRemake(options.common, before, isForced: false)
        guard remake.isNeeded else {
            throw CommandError(
                "a majority of etcd answers: it is not lost",
                repair: "see: sudo boursectl cluster status")
        }
        try order.checkMayClaim(before)
        try check(before)
        try remake.checkMembers()
        for line in remake.statement { Terminal.warn(line) }
        _ = try HostNameConfirmation.check(
            before.host, given: yesName,
            asking: "Type this host's name, \(before.host), to go on: ",
            without: CommandError(
                "confirmation needs a terminal", repair: "add --yes-name \(before.host)",
                code: .usage))
        let begin = Clock.monotonicNanos()
        let done = try remake.awaitLead(order, "Leading by a new etcd", by: remake.run())
        let nanos = Clock.monotonicNanos() - begin
        options.common.out.give(
            [
                "host": .string(done.host), "epoch": .number(done.epoch),
                "milliseconds": .number(nanos / 1_000_000),
            ],
            text: [
                "\(done.host) leads epoch \(done.epoch) by a new etcd; it took "
                    + "\(Readable.duration(nanos: nanos))."
            ])
        for line in remake.advice { Terminal.warn(line) }
    }

    /// Throws unless this host has everything.
    private func check(_ document: ClusterDocument) throws(CommandError) {
        let (host, peer) = (document.host, document.peer ?? "the other host")
        guard document.isPeerReachable == true, let other = document.peerDocument else {
            throw CommandError(
                "the agent of \(peer) does not answer, so nobody knows what \(peer) has",
                repair: "start it there; where \(peer) is lost: sudo boursectl "
                    + (document.leads ? "standby remove --force" : "failover \(host)"))
        }
        guard !document.leads else { return }
        guard !other.leads else {
            throw CommandError("\(peer) leads", repair: "there: sudo boursectl cluster seed")
        }
        guard let hasAll = document.hasAllOf(other) else {
            throw CommandError(
                "matchd gives no report on \(document.end == nil ? host : peer)",
                repair: "there: systemctl start bourse-matchd")
        }
        guard hasAll else {
            throw CommandError(
                "\(peer) has records that \(host) lacks",
                repair: "there: sudo boursectl cluster seed")
        }
    }
}
