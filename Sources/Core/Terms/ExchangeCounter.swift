// What matchd reports of itself, by name.

/// The counters of a running matchd in their order: the keys of `boursectl status`, of what the
/// agent reports of the exchange, and of its metrics.
public enum ExchangeCounter: String, Hashable, Sendable, CaseIterable {
    case role, epoch, started, released, durable, applied, commands, syncs
    case syncP50Nanos, syncP99Nanos, connections, connectionsMax, followers, sessions
    case ingressFillPerMille, logFillPerMille, diskFreeBytes, diskReserveBytes, belowReserve
    case hashMark, peer, peerInSync, peerMatched, atRisk, gateWaitNanos
    case clockOffsetNanos, clockJumps, clockApart, clockLastJumpNanos, poisoned, evicted

    /// Those that the agent passes on: the others are of the moment, for a person who asks.
    public static var watched: [ExchangeCounter] {
        allCases.filter {
            ![.started, .sessions, .peer, .peerMatched, .clockLastJumpNanos].contains($0)
        }
    }
}
