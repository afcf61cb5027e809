// cluster test-fencing

import ArgumentParser
import Configuration
import JSON
import Platform
import Presentation

struct ClusterTestFencingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-fencing", abstract: "Tests what switches the other host's power off.",
        discussion: """
            Runs [cluster] fence_command with action=monitor and action=status, which switch \
            nothing, and shows how the other host's power is by it. Exit status 1: it does not \
            work, and a forced failover would stop there. Each host has its own command, for the \
            other one: give this on both, after each change of a device or a password.

            JSON: {"peer", "command", "power", "milliseconds"}; power: on or off.

            EXAMPLE
              sudo boursectl cluster test-fencing
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let (_, peer) = try ClusterPlace(common).member()
        let settings = try common.settings()
        guard let fencing = PeerFencing(settings, peer: peer.name) else {
            throw CommandError(
                "there is no command that switches \(peer.name) off: an operator has to",
                repair: "set [cluster] fence_command in \(settings.file): see bourse-cluster(7)")
        }
        try fencing.check()
        let begin = Clock.monotonicNanos()
        let power: PeerFencing.Power
        do throws(FencingError) {
            power = try fencing.test()
        } catch {
            throw CommandError(
                "\(error)", repair: "until it works, a forced failover needs --peer-is-off")
        }
        if power == .off, let place = ProofOptions.answering(settings) {
            throw CommandError(
                "\(fencing.command.path) says that the power of \(peer.name) is off, and "
                    + "\(peer.name) answers at \(place)",
                repair: "it names another machine's plug: correct [cluster] fence_command")
        }
        let nanos = Clock.monotonicNanos() - begin
        common.out.give(
            [
                "peer": .string(peer.name), "command": .string(fencing.command.path),
                "power": .string(power.rawValue), "milliseconds": .number(nanos / 1_000_000),
            ],
            text: [
                "\(fencing.command.path) works: the power of \(peer.name) is \(power.rawValue); it "
                    + "took \(Readable.duration(nanos: nanos))."
            ])
    }
}
