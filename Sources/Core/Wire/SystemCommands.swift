// The sequencer's own commands, and sessions.

public import Terms

/// The log's first record.
///
///      0  u32  format      version of the log's format: 2
///      4  u32  rules       initial version of the engine's rules
///      8  u32 × 10         `EngineLimits`, in the order of its fields
///     48  u64 × 2          the journal's random identity
///     64  u64 × 2          random and secret: the keys of the engine's hashes
public struct Genesis: CommandPayload {
    public static var kind: CommandKind { .genesis }
    /// The format version that this code writes.
    public static var currentFormat: UInt32 { 2 }
    /// The version of the log's format.
    public var format: UInt32
    /// The initial version of the engine's rules.
    public var rules: UInt32
    /// The engine limits of every replica.
    public var limits: EngineLimits
    /// The journal's random identity, first half.
    public var journalHigh: UInt64
    /// The journal's random identity, second half.
    public var journalLow: UInt64
    /// Key of the engine's hashes, first half: without it nobody can choose texts that collide.
    public var hashKeyHigh: UInt64
    /// Key of the engine's hashes, second half.
    public var hashKeyLow: UInt64

    /// A first record of this format.
    public init(
        rules: UInt32 = SetRules.current, limits: EngineLimits, journalHigh: UInt64,
        journalLow: UInt64, hashKeyHigh: UInt64, hashKeyLow: UInt64
    ) {
        format = Self.currentFormat
        (self.rules, self.limits, self.journalHigh) = (rules, limits, journalHigh)
        (self.journalLow, self.hashKeyHigh, self.hashKeyLow) = (journalLow, hashKeyHigh, hashKeyLow)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(format)
        w.integer(rules)
        limits.encode(into: &w)
        w.integer(journalHigh)
        w.integer(journalLow)
        w.integer(hashKeyHigh)
        w.integer(hashKeyLow)
    }

    public init(from r: inout WireReader) {
        format = r.integer()
        rules = r.integer()
        limits = EngineLimits(from: &r)
        journalHigh = r.integer()
        journalLow = r.integer()
        hashKeyHigh = r.integer()
        hashKeyLow = r.integer()
    }
}

extension Genesis {
    /// The first record of a log from its bytes; nil if they are not one, or no engine can have its
    /// limits.
    public init?(record bytes: UnsafeRawBufferPointer) {
        guard let header = unsafe RecordHeader(bytes), header.kind == Self.kind.rawValue,
            header.sequence == 1
        else { return nil }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: bytes[RecordHeader.size...])
        guard case .genesis(let genesis) = unsafe Command(kind: .genesis, payload: payload),
            genesis.limits.isReasonable
        else { return nil }
        self = genesis
    }
}

extension LogLevel {
    /// What this code knows.
    public static var current: LogLevel {
        LogLevel(format: Genesis.currentFormat, rules: SetRules.current)
    }
    /// What any log that this code reads may use.
    public static var oldest: LogLevel { LogLevel(format: 2, rules: 1) }
}

extension EngineLimits {
    /// Writes the limits: ten u32 in the order of the fields.
    public func encode(into w: inout WireWriter) {
        w.integer(assets)
        w.integer(instruments)
        w.integer(accounts)
        w.integer(openOrders)
        w.integer(apiKeys)
        w.integer(sessions)
        w.integer(feeTiers)
        w.integer(orderLimits)
        w.integer(references)
        w.integer(turnSteps)
    }

    /// Reads what `encode` wrote.
    public init(from r: inout WireReader) {
        self.init(
            assets: r.integer(), instruments: r.integer(), accounts: r.integer(),
            openOrders: r.integer(), apiKeys: r.integer(), sessions: r.integer(),
            feeTiers: r.integer(), orderLimits: r.integer(), references: r.integer(),
            turnSteps: r.integer())
    }
}

/// A tick of the clock; the record's own timestamp is the time. No payload.
public struct Tick: CommandPayload {
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
    public static var kind: CommandKind { .hashMark }
    /// The hash over all events so far.
    public var eventHash: UInt64
    /// A mark of this hash.
    public init(eventHash: UInt64) { self.eventHash = eventHash }
    public func encode(into w: inout WireWriter) { w.integer(eventHash) }
    public init(from r: inout WireReader) { eventHash = r.integer() }
}

/// Why a primary's term began.
@frozen public enum EpochCause: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// The log's first term.
    case genesis = 0
    /// The same host started again.
    case restart = 1
    /// The standby took over from a primary that was lost.
    case failover = 2
    /// A planned switchover.
    case switchover = 3
    /// The primary raised its own epoch because a peer had promised a higher one.
    case raise = 4
    /// An operator forced it; commands may have been cut.
    case forced = 5
}

/// A primary's term begins; the record's header has the new epoch. The first record of each term.
///
///      0  u32     priorEpoch
///      4  u8      cause
///      5  3       reserved
///      8  u64 × 2 replica        the primary's replica id
///     24  u64 × 2 attempt        of the swap that made it primary; zero without a cluster
///     40  u64     commitPoint    the last sequence known to be released
///     48  u64     eventHash      after the record before this one
///     56  u32     formatLevel    the lower of the two hosts'; the oldest if one is not known
///     60  4       reserved
public struct EpochMark: CommandPayload {
    public static var kind: CommandKind { .epochMark }
    /// The epoch before.
    public var priorEpoch: UInt32
    /// Why the term began.
    public var cause: EpochCause
    /// The primary's replica id, first half.
    public var replicaHigh: UInt64
    /// The primary's replica id, second half.
    public var replicaLow: UInt64
    /// The attempt of the swap, first half.
    public var attemptHigh: UInt64
    /// The attempt of the swap, second half.
    public var attemptLow: UInt64
    /// The last sequence that was known to be released.
    public var commitPoint: UInt64
    /// The hash over all events before this record.
    public var eventHash: UInt64
    /// The format that every host of the cluster can read: the term uses no later one.
    public var formatLevel: UInt32

    /// A mark of these values.
    public init(
        priorEpoch: UInt32, cause: EpochCause, replicaHigh: UInt64 = 0, replicaLow: UInt64 = 0,
        attemptHigh: UInt64 = 0, attemptLow: UInt64 = 0, commitPoint: UInt64, eventHash: UInt64,
        formatLevel: UInt32 = Genesis.currentFormat
    ) {
        (self.priorEpoch, self.cause, self.replicaHigh) = (priorEpoch, cause, replicaHigh)
        (self.replicaLow, self.attemptHigh, self.attemptLow) = (replicaLow, attemptHigh, attemptLow)
        (self.commitPoint, self.eventHash, self.formatLevel) = (commitPoint, eventHash, formatLevel)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(priorEpoch)
        w.choice(cause)
        w.reserved(3)
        w.integer(replicaHigh)
        w.integer(replicaLow)
        w.integer(attemptHigh)
        w.integer(attemptLow)
        w.integer(commitPoint)
        w.integer(eventHash)
        w.integer(formatLevel)
        w.reserved(4)
    }

    public init(from r: inout WireReader) {
        priorEpoch = r.integer()
        cause = r.choice(.genesis)
        r.reserved(3)
        replicaHigh = r.integer()
        replicaLow = r.integer()
        attemptHigh = r.integer()
        attemptLow = r.integer()
        commitPoint = r.integer()
        eventHash = r.integer()
        formatLevel = r.integer()
        r.reserved(4)
    }
}

/// Sets the engine's rules from the next record on. Replaying an old log gives the old hashes: a
/// release that changes a command's effect has both versions until no supported log needs the old.
/// A matchd without a peer writes it as it starts, one of two once the other one, in sync, knows
/// the version as well: until then the exchange can go back to the release before.
///
///      0  u32  version
///      4  4    reserved
public struct SetRules: CommandPayload {
    public static var kind: CommandKind { .setRules }
    /// The newest version that this code knows.
    public static var current: UInt32 { 4 }
    /// The rules that are being built: no log uses them yet, and they may still change.
    public static var next: UInt32 { 5 }
    /// The version from the next record on.
    public var version: UInt32
    /// The rules of this version.
    public init(version: UInt32) { self.version = version }
    public func encode(into w: inout WireWriter) {
        w.integer(version)
        w.reserved(4)
    }
    public init(from r: inout WireReader) {
        version = r.integer()
        r.reserved(4)
    }
}

/// Opens a writer's new incarnation. The engine assigns a new session id and closes the name's
/// previous session, so that no command of an earlier incarnation can enter the log afterwards. If
/// the table is full, it closes the operator's session that was idle longest, if for at least an
/// hour. The record has session 0 and number 0; the outcome's `id` is the new session.
///
///      0  text40  name
public struct OpenSession: CommandPayload {
    public static var kind: CommandKind { .openSession }
    /// The prefix of operators' session names.
    public static var operatorPrefix: String { "operator/" }
    /// The writer, as `gateway/1` or `operator/alice`.
    public var name: Text40
    /// A session of that name.
    public init(name: Text40) { self.name = name }
    public func encode(into w: inout WireWriter) { w.text(name) }
    public init(from r: inout WireReader) { name = r.text() }
}

/// Closes a session, once its writer has seen all its commands in the log, and frees the name. The
/// record has session 0 and number 0: it is not a command of the session.
///
///      0  u32  session
///      4  4    reserved
public struct CloseSession: CommandPayload {
    public static var kind: CommandKind { .closeSession }
    /// The session.
    public var session: SessionID
    /// An end of this session.
    public init(session: SessionID) { self.session = session }
    public func encode(into w: inout WireWriter) {
        w.integer(session.number)
        w.reserved(4)
    }
    public init(from r: inout WireReader) {
        session = SessionID(r.integer())
        r.reserved(4)
    }
}
