// cluster resume

import ArgumentParser

struct ClusterResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets the hosts take over by themselves again.",
        discussion: """
            Ends `cluster pause`: where the primary has been lost meanwhile, a standby in sync \
            takes over now.

            JSON: {"host", "paused", "peerKnows"}; peerKnows: the other host's agent has it too.
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws { try ClusterHolding.set(options, false) }
}
