// standby remove

import AgentAPI
import ArgumentParser
import Platform
import Presentation

struct StandbyRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Goes on without the other host.",
        discussion: """
            Given on the primary. The other host stays out until `standby add`; it goes on \
            copying the log. Should the primary be lost meanwhile, the other one does not take \
            over by itself.

            Without a majority of etcd nothing is removed, as nobody could say that the other \
            host does not lead. --force makes etcd anew, of this host alone, with the same proof \
            as `failover`, [cluster] fence_command included; the other hosts then join again.

            JSON: {"host", "inSync", "milliseconds"}.
            """)

    @OptionGroup var options: ClusterOrderOptions
    @Flag(help: "Make etcd anew where its majority is lost.") var force = false
    @OptionGroup var proof: ProofOptions

    func run() throws {
        let order = try options.order()
        let before = try order.document()
        let remake = try EtcdRemake(options.common, before, isForced: false)
        let isLost = remake.isNeeded
        if !isLost || before.leads { try order.checkPrimary(before, "standby remove") }
        let peer = before.peer ?? "the other host"
        if isLost { return try makeAnew(order, before, remake) }
        let begin = Clock.monotonicNanos()
        try order.give(.standbyRemove)
        let done = try order.await("Removing \(peer)", given: (.standbyRemove, before)) { now in
            now.inSync == [before.host] && now.isPeerOut ? now : nil
        }
        StandbyReport.give(options, done, begin, "\(done.host) goes on without \(peer)")
    }

    /// Goes on alone by a new etcd.
    private func makeAnew(
        _ order: ClusterOrder, _ before: ClusterDocument, _ remake: EtcdRemake
    ) throws {
        guard before.leads || remake.isUnfinished else {
            throw CommandError(
                "\(before.host) does not lead: it \(before.sentence)",
                repair: "to lead here: sudo boursectl failover \(before.host)")
        }
        guard force else {
            throw CommandError(
                "etcd has no majority: \(before.etcdFault?.prefix(300) ?? "")",
                repair: "start its members again; where they are lost, with their hosts off: "
                    + "sudo boursectl standby remove --force")
        }
        try proof.check(before, order, remake, statement: remake.statement)
        let begin = Clock.monotonicNanos()
        let done = try remake.awaitLead(order, "Going on alone", by: remake.run())
        StandbyReport.give(
            options, done, begin, "\(done.host) leads epoch \(done.epoch) alone, by a new etcd")
        for line in remake.advice { Terminal.warn(line) }
    }
}
