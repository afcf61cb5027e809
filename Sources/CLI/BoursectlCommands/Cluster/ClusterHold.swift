// cluster pause, cluster resume

import AgentAPI
import ArgumentParser
import JSON
import Presentation

struct ClusterPauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Keeps the hosts from taking over by themselves.",
        discussion: """
            For work on a host or on the network. Trading goes on, a standby that is lost is \
            still removed, and `failover` and `switchover` by an operator still work; but a \
            standby does not take over from a primary that is lost until `cluster resume`.

            JSON: {"host", "paused"}.
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws { try ClusterHolding.set(options, true) }
}

struct ClusterResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets the hosts take over by themselves again.",
        discussion: """
            Ends `cluster pause`: where the primary has been lost meanwhile, a standby in sync \
            takes over now.

            JSON: {"host", "paused"}.
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws { try ClusterHolding.set(options, false) }
}

/// Pausing and resuming.
enum ClusterHolding {
    static func set(_ options: ClusterOrderOptions, _ isPaused: Bool) throws {
        let order = try options.order()
        try order.give(isPaused ? .pause : .resume)
        let document = try order.await(isPaused ? "Pausing" : "Resuming") { now in
            now.isPaused == isPaused ? now : nil
        }
        var text = [
            isPaused
                ? "\(document.host) takes over from nobody until `boursectl cluster resume`."
                : "\(document.host) takes over by itself again where it is in sync."
        ]
        if let peer = document.peer, document.peerDocument?.isPaused != isPaused {
            text.append("Not known of \(peer): give the command there as well.")
        }
        options.common.out.give(
            ["host": .string(document.host), "paused": .bool(isPaused)], text: text)
    }
}
