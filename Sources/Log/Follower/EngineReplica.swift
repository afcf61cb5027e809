// A replica of the engine for one program.

public import Engine
public import Link
public import Wire

/// The state of the exchange as the log tells it. One owner at a time.
public final class EngineReplica: LogReplica {
    private var follower: Follower
    /// Whether it has every record that matchd last reported as released.
    public var isCaughtUp: Bool { follower.isCaughtUp }

    /// A replica that follows the server of this greeting. It begins with the newest snapshot of at
    /// most `snapshotAtMost`; with 0 it applies the whole log.
    public init(_ welcome: LinkWelcome, snapshotAtMost: UInt64 = .max) {
        follower = Follower(welcome, snapshotAtMost: snapshotAtMost)
    }

    /// The state.
    public var engine: Engine { _read { yield follower.engine } }
    /// The last record applied.
    public var sequence: UInt64 { follower.engine.sequence }
    /// The frame that subscribes it to the log.
    public var subscription: LinkFrame { follower.subscription }

    /// Takes a frame; see `Follower.receive`.
    public func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        unsafe try follower.receive(frame, each)
    }

    /// Continues on a new connection.
    public func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        try follower.reconnected(welcome)
    }
}
