// What `cluster pause` and `cluster resume` share.

import AgentAPI
import JSON
import Platform
import Presentation

/// Pausing and resuming.
enum ClusterHolding {
    /// How long the other host's agent is waited for.
    private static let peerNanosMax: Int64 = 3_000_000_000

    static func set(_ options: ClusterOrderOptions, _ isPaused: Bool) throws {
        let order = try options.order()
        let verb = isPaused ? ClusterVerb.pause : .resume
        let before = try order.document()
        try order.give(verb)
        let what = isPaused ? "Pausing" : "Resuming"
        let document = try order.await(what, given: (verb, before)) { now in
            now.isPaused == isPaused ? now : nil
        }
        let isKnown = isKnownToPeer(order, isPaused)
        options.common.out.give(
            [
                "host": .string(document.host), "paused": .bool(isPaused),
                "peerKnows": .bool(isKnown),
            ],
            text: [
                isPaused
                    ? "\(document.host) takes over from nobody until `boursectl cluster resume`."
                    : "\(document.host) takes over by itself again where it is in sync."
            ])
        if !isKnown, let peer = document.peer {
            Terminal.warn(
                "\(peer) does not know yet: it hears it from \(document.host). Should "
                    + "\(document.host) be lost before that, \(peer) "
                    + (isPaused ? "is not paused" : "stays paused")
                    + ": give the command there as well when it is back.")
        }
    }

    /// Whether the other host's agent has taken it over, which takes it a moment.
    private static func isKnownToPeer(_ order: ClusterOrder, _ isPaused: Bool) -> Bool {
        let deadline = Clock.monotonicNanos() + peerNanosMax
        while let now = try? order.document(), now.isPeerReachable == true {
            if now.peerDocument?.isPaused == isPaused { return true }
            guard Clock.monotonicNanos() < deadline else { return false }
            Clock.sleep(nanos: 20_000_000)
        }
        return false
    }
}
