// One connection as the Link thread keeps it.

import Glibc
import Link
import Platform
import Synchronization
import Terms
import Wire

/// A connection. Only the Link thread uses it; a feeder has the descriptor for writing while it
/// runs.
final class LinkConnection {
    /// The progress of the greeting.
    enum Stage {
        /// Waits for `hello`.
        case greeting
        /// Waits for the proof that answers this challenge.
        case proving([UInt8])
        /// May submit, ask and subscribe.
        case ready
        /// Is closed once what is queued is sent.
        case closing
    }

    /// How it is fed from the log.
    enum Feed {
        case none
        /// Waits until its answers are sent and a feeder is free, then is fed from disk.
        case waiting(LinkSubscription, since: Int64)
        /// A thread feeds it from disk.
        case feeding(Feeder)
        /// From the ring, from this position on.
        case live(UInt64)
    }

    let descriptor: Int32
    let slot: Int
    let use: UInt32
    let key: LinkKey?
    /// What it may do; its greeting can lower it.
    var role: LinkRole
    /// Whether it is of matchd's own user or root.
    let isOwn: Bool
    /// What its sessions are called where it is bound to a name, and its number in `GatewayNames`.
    let writer: Text40?
    let gateway: UInt32
    var stage = Stage.greeting
    var feed = Feed.none
    var hello: LinkHello?
    var input = InputBuffer()
    var output = OutputBuffer()
    /// When it has to have greeted, or to be gone once it is closing.
    var deadline: Int64
    /// When it last sent a whole frame.
    var lastUsed: Int64
    /// When it last took queued bytes, or nothing was queued.
    var lastTaken: Int64
    /// What its feeder had sent when it was looked at last.
    var feederSent: UInt64 = 0
    /// The sessions that it submits in, the one of its last opening or taking over at the end.
    var sessions: [UInt32] = []
    /// Writers' names whose sessions it asked for, in order.
    var queries: [Text40] = []
    /// A whole frame of commands waits for room in the ring.
    var isBlocked = false
    var interest = Poller.Interest.readable

    /// Most sessions of one connection: a gateway has several, so that an instrument at work holds
    /// up no other.
    static var sessionsMax: Int { 32 }
    /// Most questions that wait for an answer.
    static var queriesMax: Int { 16 }

    init(
        _ newcomer: LinkNewcomer, slot: Int, use: UInt32, key: LinkKey?, role: LinkRole,
        isOwn: Bool, gateway: UInt32, now: Int64, deadline: Int64
    ) {
        (descriptor, writer, self.gateway) = (newcomer.socket, newcomer.writer, gateway)
        (self.slot, self.use) = (slot, use)
        (self.key, self.role, self.isOwn, self.deadline) = (key, role, isOwn, deadline)
        (lastUsed, lastTaken) = (now, now)
    }

    var caller: Caller {
        Caller(slot: slot, role: role, use: use, wantsAcks: hello?.wantsAcks ?? false)
    }

    var isReady: Bool { if case .ready = stage { true } else { false } }
    var isClosing: Bool { if case .closing = stage { true } else { false } }
    var isFeeding: Bool { if case .feeding = feed { true } else { false } }
    var isFollowing: Bool { if case .none = feed { false } else { true } }

    /// What admission looks at.
    var seat: LinkSeat {
        LinkSeat(role: role, isReady: isReady, isFollowing: isFollowing, lastUsed: lastUsed)
    }

    /// Sends the refusal, then closes the connection.
    func refuse(_ refusal: LinkRefusal) {
        guard !isClosing else { return }
        _ = output.append(.error(refusal))
        stage = .closing
        deadline = Clock.monotonicNanos() + 1_000_000_000
    }
}
