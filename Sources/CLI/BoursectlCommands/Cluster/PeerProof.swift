// The proof that the other host is off: by the owner's fencing command, or an operator's word.

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import Platform
import Presentation

/// The operator's proof that the other host is off.
struct ProofOptions: ParsableArguments {
    @Flag(help: "States that the other host's power is off, with --yes-name.") var peerIsOff = false
    @Option(help: ArgumentHelp("This host's name again, in place of typing it.", valueName: "name"))
    var yesName: String?

    /// Throws where the other host is not proven off. `statement` is what an operator has to know
    /// before; `remake` is given where etcd is made anew. The agent gets the proof, for the reason
    /// of the change that follows.
    func check(
        _ document: ClusterDocument, _ order: ClusterOrder, _ remake: EtcdRemake? = nil,
        statement: [String]
    ) throws(CommandError) {
        try order.checkMayClaim(document)
        let peer = document.peer ?? "the other host"
        let fencing = PeerFencing(order.settings, peer: peer)
        try remake?.checkMembers(sparesPeer: fencing != nil)
        let proof: String
        if let fencing {
            try fencing.check()
            try checkIdle(document, peer)
            proof = try fence(by: fencing, document, order.settings, statement)
            try Self.checkSilent(order.settings, peer, isFenced: true)
            try remake?.checkMembers()
        } else {
            try Self.checkSilent(order.settings, peer, isFenced: false)
            for line in statement { Terminal.warn(line) }
            proof = try ask(document.host, peer)
            // Whoever answers has had time to come back.
            try Self.checkSilent(order.settings, peer, isFenced: false)
        }
        order.note(proof: proof)
    }

    /// The operator's word alone.
    private func ask(_ host: String, _ peer: String) throws(CommandError) -> String {
        let isGiven = try HostNameConfirmation.check(
            host, given: yesName,
            asking: "By typing this host's name, \(host), you state that the power of "
                + "\(peer) is off: ",
            without: CommandError(
                "this needs a terminal: what only \(peer) has would be lost",
                repair: "switch its power off, then add --peer-is-off --yes-name \(host)",
                code: .usage))
        guard peerIsOff || !isGiven else {
            throw CommandError(
                "what only \(peer) has would be lost, and nothing says that it is off",
                repair: "switch its power off, then add --peer-is-off", code: .usage)
        }
        return "the power of \(peer) is off, as the operator states"
    }

    /// The owner's command; where it cannot say how the power is, the operator's explicit word.
    private func fence(
        by fencing: PeerFencing, _ document: ClusterDocument, _ settings: Settings,
        _ statement: [String]
    ) throws(CommandError) -> String {
        let (host, peer) = (document.host, fencing.peer)
        guard geteuid() == 0 else {
            throw CommandError("only root runs \(fencing.command.path)", repair: "use sudo")
        }
        for line in statement { Terminal.warn(line) }
        if let place = Self.answering(settings) {
            Terminal.warn("\(peer) answers at \(place): it runs.")
        }
        _ = try HostNameConfirmation.check(
            host, given: yesName,
            asking: "By typing this host's name, \(host), you have \(fencing.command.path) switch "
                + "the power of \(peer) off: ",
            without: CommandError(
                "this needs a terminal: \(peer) would be switched off, and what only it has lost",
                repair: "add --yes-name \(host)", code: .usage))
        do throws(FencingError) {
            return try fencing.switchOff()
        } catch {
            guard peerIsOff, !error.isOn else {
                throw CommandError(
                    "\(peer) is not proven off, and nothing was promoted: \(error)",
                    repair: error.isOn
                        ? "it may name another machine's plug: correct [cluster] fence_command; "
                            + "to do without it, set it to \"\""
                        : "see: sudo boursectl cluster test-fencing. Or switch the power off by "
                            + "hand, see that it is off, and add --peer-is-off")
            }
            Terminal.warn("\(error). It goes on by --peer-is-off.")
            return "the power of \(peer) is off, as the operator states; "
                + "\(fencing.command.path) could not say so"
        }
    }

    /// Throws where the other host's agent is connected and leads: its power is not to be cut for
    /// what `switchover` does.
    private func checkIdle(_ document: ClusterDocument, _ peer: String) throws(CommandError) {
        guard document.isPeerReachable == true, let other = document.peerDocument, other.leads,
            other.matchdFault == nil
        else { return }
        throw CommandError(
            "\(peer) leads epoch \(other.epoch), and its agent is connected: it is not lost",
            repair: "there: sudo boursectl switchover; or, if it is to lead no more, there: "
                + "systemctl stop bourse.target")
    }

    /// Throws where something answers at the other host's places.
    private static func checkSilent(
        _ settings: Settings, _ peer: String, isFenced: Bool
    ) throws(CommandError) {
        guard let place = answering(settings) else { return }
        guard !isFenced else {
            throw CommandError(
                "\(peer) answers at \(place), though its power is said to be off",
                repair:
                    "it is not, or fence_command names another machine's plug: correct that, and "
                    + "see what is off now")
        }
        throw CommandError(
            "\(peer) answers at \(place): it is not off",
            repair: "switch its power off; or, if it is to lead no more, there: "
                + "systemctl stop bourse.target")
    }

    /// Where something answers at the other host's places; nil: nowhere.
    static func answering(_ settings: Settings) -> String? {
        guard let cluster = settings.cluster else { return nil }
        for place in ["\(cluster.peerReplication)", "\(cluster.peerAgent)"] {
            guard let socket = try? TCPSocket.connect(place, timeoutNanos: 1_000_000_000) else {
                continue
            }
            _ = close(socket)
            return place
        }
        return nil
    }
}
