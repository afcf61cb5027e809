// cluster pause

import ArgumentParser

struct ClusterPauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Keeps the hosts from taking over by themselves.",
        discussion: """
            For work on a host or on the network. Trading goes on, a standby that is lost is \
            still removed, and `failover` and `switchover` by an operator still work; but a \
            standby does not take over from a primary that is lost until `cluster resume`.

            JSON: {"host", "paused", "peerKnows"}; peerKnows: the other host's agent has it too.
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws { try ClusterHolding.set(options, true) }
}
