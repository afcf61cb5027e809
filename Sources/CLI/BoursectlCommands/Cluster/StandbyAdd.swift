// standby add

import AgentAPI
import ArgumentParser
import Platform

struct StandbyAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Lets the other host come in sync again.",
        discussion: """
            Given on the primary, after `standby remove` or after the standby was lost three \
            times within ten minutes. It waits until the other host has everything and counts: \
            from then on nothing is acknowledged that it does not have.

            JSON: {"host", "inSync", "milliseconds"}.
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws {
        let order = try options.order()
        let before = try order.document()
        try order.checkPrimary(before, "standby add")
        let peer = before.peer ?? "the other host"
        if let fault = before.etcdFault {
            throw CommandError(
                "etcd does not answer, so \(peer) cannot be added: \(fault.prefix(300))",
                repair: "a majority of its three members has to run: see `boursectl cluster status`"
            )
        }
        let begin = Clock.monotonicNanos()
        try order.give(.standbyAdd)
        let done = try order.await("Adding \(peer)", given: (.standbyAdd, before)) { now in
            now.isPairInSync ? now : nil
        }
        StandbyReport.give(options, done, begin, "\(peer) is in sync with \(done.host)")
    }
}
