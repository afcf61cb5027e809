// What the sequencer writes by itself, and sessions.

public import Terms

/// The log's first record.
///
///      0  u32  format      version of the log's format: 1
///      4  u32 × 7          `EngineLimits`, in the order of its fields
///     32  u64 × 2          the journal's random identity
public struct Genesis: CommandPayload {
    /// `CommandKind.genesis`
    public static var kind: CommandKind { .genesis }
    /// The version of the format that this code writes.
    public static var currentFormat: UInt32 { 1 }
    /// The version of the log's format.
    public var format: UInt32
    /// How much every replica holds.
    public var limits: EngineLimits
    /// The journal's random identity, first half.
    public var journalHigh: UInt64
    /// The journal's random identity, second half.
    public var journalLow: UInt64

    /// A first record of this format.
    public init(limits: EngineLimits, journalHigh: UInt64, journalLow: UInt64) {
        format = Self.currentFormat
        self.limits = limits
        self.journalHigh = journalHigh
        self.journalLow = journalLow
    }

    public func encode(into w: inout WireWriter) {
        w.integer(format)
        w.integer(limits.assets)
        w.integer(limits.instruments)
        w.integer(limits.accounts)
        w.integer(limits.openOrders)
        w.integer(limits.apiKeys)
        w.integer(limits.sessions)
        w.integer(limits.feeTiers)
        w.integer(journalHigh)
        w.integer(journalLow)
    }

    public init(from r: inout WireReader) {
        format = r.integer()
        limits = EngineLimits(
            assets: r.integer(), instruments: r.integer(), accounts: r.integer(),
            openOrders: r.integer(), apiKeys: r.integer(), sessions: r.integer(),
            feeTiers: r.integer())
        journalHigh = r.integer()
        journalLow = r.integer()
    }
}

/// A tick of the clock; the record's own timestamp is the time. No payload.
public struct Tick: CommandPayload {
    /// `CommandKind.tick`
    public static var kind: CommandKind { .tick }
    /// A tick.
    public init() {}
    public func encode(into w: inout WireWriter) {}
    public init(from r: inout WireReader) {}
}

/// The running event hash after the record before this one.
///
///      0  u64  eventHash
public struct HashMark: CommandPayload {
    /// `CommandKind.hashMark`
    public static var kind: CommandKind { .hashMark }
    /// The hash over all events so far.
    public var eventHash: UInt64
    /// A mark of this hash.
    public init(eventHash: UInt64) { self.eventHash = eventHash }
    public func encode(into w: inout WireWriter) { w.integer(eventHash) }
    public init(from r: inout WireReader) { eventHash = r.integer() }
}

/// A primary's term begins; the record's header has the new epoch. No payload.
public struct EpochMark: CommandPayload {
    /// `CommandKind.epochMark`
    public static var kind: CommandKind { .epochMark }
    /// A mark.
    public init() {}
    public func encode(into w: inout WireWriter) {}
    public init(from r: inout WireReader) {}
}

/// A writer's new incarnation. The engine gives it a new session id and closes the one that the
/// same name had before, so that nothing of an earlier incarnation can enter the log afterwards.
/// The record has session 0 and number 0; the outcome's `id` is the new session.
///
///      0  text40  name
public struct OpenSession: CommandPayload {
    /// `CommandKind.openSession`
    public static var kind: CommandKind { .openSession }
    /// The writer, as `gateway/1` or `operator/alice`.
    public var name: Text40
    /// A session of that name.
    public init(name: Text40) { self.name = name }
    public func encode(into w: inout WireWriter) { w.text(name) }
    public init(from r: inout WireReader) { name = r.text() }
}
