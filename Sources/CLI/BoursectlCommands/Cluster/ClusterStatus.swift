// cluster status

import ArgumentParser
import Presentation

struct ClusterStatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the hosts of the cluster and how they are.",
        discussion: """
            It asks this host's agent, etcd and the files here; what does not answer is shown as \
            unknown, with its reason. Exit status 0: everything is as it should be; 1: something \
            is lost or unknown, as the lines `degraded` say. While the hosts run different \
            versions, these are shown, with what each knows of the log's format and rules and \
            what the log uses. Gateways on hosts of their own are shown while they are connected, \
            with the host that they follow.

            JSON: {"host", "cluster", "epoch", "primary", "inSync", "recordSource", "floor", \
            "logLevel", "hosts", "agent", "changes", "lastChange", "gateways", "serviceAddress", \
            "serviceInterface", "serviceHere", "certificateExpires", "authorityExpires", \
            "reopening", "problems"}; a host is {"name", "address", "role", \
            "inSync", "etcd", "etcdLeader", "lagRecords", "lagMilliseconds", "version", "level"}, \
            a level {"format", "rules"}, the agent \
            {"role", "epoch", "sentence", "paused", "peerOut", "end", "released", "etcdFault", \
            "matchdFault"}, a change {"time", "epoch", "what", "why"}, lastChange, of \
            the primary, {"number", "time", "from", "to", "epoch", "cause", "why", \
            "pauseMilliseconds"}, a gateway {"name", "address", "host", "since"}. A role is \
            primary, standby, learner or witness; etcd is healthy or unhealthy; recordSource is \
            etcd, agent (as it last knew it) or member (as this host's member of etcd last knew \
            it); reopening is {"verb", "loses"} where nobody \
            acknowledges commands and an operator has to decide. Unknown values are null.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var repeating: RepeatOptions

    func run() throws { try repeating.run(common, show) }

    private func show(_ out: Output) throws {
        let view = try ClusterView(ClusterPlace(common))
        out.give(view.json, text: view.text(out.ink))
        if !view.problems.isEmpty { throw ExitCode(CommandError.Code.failed.rawValue) }
    }
}
