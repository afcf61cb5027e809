// matchd's status by the names of its counters.

public import Terms

extension LinkStatus {
    /// A counter's value.
    public enum CounterValue: Hashable, Sendable {
        /// A number.
        case number(Int128)
        /// A condition.
        case flag(Bool)
        /// A moment, nanoseconds since 1970.
        case time(Int64)
        /// A word.
        case text(String)
    }

    /// The value of a counter.
    public subscript(counter: ExchangeCounter) -> CounterValue {
        switch counter {
        case .role: .text("\(role)")
        case .epoch: .number(Int128(epoch))
        case .started: .time(started)
        case .released: .number(Int128(released))
        case .durable: .number(Int128(durable))
        case .applied: .number(Int128(applied))
        case .commands: .number(Int128(commands))
        case .syncs: .number(Int128(syncs))
        case .syncP50Nanos: .number(Int128(syncP50))
        case .syncP99Nanos: .number(Int128(syncP99))
        case .connections: .number(Int128(connections))
        case .connectionsMax: .number(Int128(connectionsMax))
        case .followers: .number(Int128(followers))
        case .sessions: .number(Int128(sessions))
        case .ingressFillPerMille: .number(Int128(ingressFill))
        case .logFillPerMille: .number(Int128(logFill))
        case .diskFreeBytes: .number(Int128(diskFree))
        case .diskReserveBytes: .number(Int128(diskReserve))
        case .belowReserve: .flag(isBelowReserve)
        case .hashMark: .number(Int128(hashMark))
        case .peer: .text("\(peer)")
        case .peerInSync: .flag(isPeerInSync)
        case .peerMatched: .number(Int128(peerMatched))
        case .atRisk: .number(Int128(atRisk))
        case .gateWaitNanos: .number(Int128(gateWaitNanos))
        case .clockOffsetNanos: .number(Int128(clockOffset))
        case .clockJumps: .number(Int128(clockJumps))
        case .clockApart: .flag(isClockApart)
        case .clockLastJumpNanos: .number(Int128(clockLastJump))
        case .poisoned: .number(Int128(poisoned))
        case .evicted: .number(Int128(evicted))
        }
    }
}
