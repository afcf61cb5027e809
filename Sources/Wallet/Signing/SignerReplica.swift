// The log, as the signer follows it: the engine, and the coins.

public import Engine
public import Follower
public import Journal
public import Link
public import Payments
public import Wire

/// A replica of the engine with the wallet's coins, which the signer had followed before.
public final class SignerReplica: LogReplica {
    private var follower: Follower
    /// The coins: as of the last record, or later while the engine catches up with them.
    public private(set) var coins: CoinTable
    /// What the log has to have, in its order, before it is believed.
    private var awaited: [SeenRecord]
    /// The last record that the saved coins had seen.
    private let cached: SeenRecord
    /// Whether the saved coins are of another log: without them the log can be read from its start.
    public private(set) var hasOtherCoins = false
    /// Why this log is not the one that was followed before; nil: it is, as far as it was read.
    public private(set) var conflict: String?
    /// The log's journal.
    public let journal: JournalIdentity

    /// A replica that follows the server of this greeting, with coins that were saved before. Its
    /// log has to be of `journal`, where that is known, and to have the record `seen`, unless the
    /// coins had seen a later one: then that.
    public init(
        _ welcome: LinkWelcome, _ coins: CoinTable, journal known: JournalIdentity?,
        seen: SeenRecord
    ) {
        journal = JournalIdentity(high: welcome.journalHigh, low: welcome.journalLow)
        self.coins = coins
        cached = SeenRecord(sequence: coins.sequence, crc: coins.crc)
        awaited = [cached, seen].filter { $0.sequence > 0 && $0.sequence >= coins.sequence }
        awaited.sort { $0.sequence < $1.sequence }
        follower = Follower(welcome, snapshotAtMost: coins.sequence)
        if let known, known != journal {
            conflict = "matchd's journal is \(journal), and that of what was signed is \(known)"
        }
    }

    /// The state.
    public var engine: Engine { _read { yield follower.engine } }
    /// The last record applied.
    public var sequence: UInt64 { follower.engine.sequence }
    /// The frame that subscribes it to the log.
    public var subscription: LinkFrame { follower.subscription }
    /// Whether it has all that matchd last reported as released, and all that it has to have.
    public var isCaughtUp: Bool {
        follower.isCaughtUp && awaited.isEmpty && conflict == nil && !hasOtherCoins
    }
    /// The next record that the log has to have; nil: it has all.
    public var nextAwaited: UInt64? { awaited.first?.sequence }

    /// Takes a frame; see `Follower.receive`.
    public func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        if case .snapshot(let head) = frame { snapshot = SeenRecord(head) }
        let progress = unsafe try follower.receive(frame) { header, bytes, outcome, engine in
            pass(SeenRecord(sequence: header.sequence, crc: header.crc))
            unsafe coins.see(header, bytes, outcome, engine)
            unsafe each(header, bytes, outcome, engine)
        }
        if case .loaded = progress, let snapshot { pass(snapshot) }
        return progress
    }

    private var snapshot: SeenRecord?

    /// Notes that the log has a record.
    func pass(_ record: SeenRecord) {
        while let next = awaited.first, next.sequence <= record.sequence {
            let isOther = next != record
            if isOther, next == cached {
                hasOtherCoins = true
            } else if isOther, next.sequence == record.sequence {
                conflict =
                    "record \(record.sequence) of the log is another one than was followed before"
            } else if isOther {
                // A snapshot behind it may not pass it: the subscription begins before the coins.
                conflict = "record \(next.sequence) of the log did not come"
            }
            awaited.removeFirst()
        }
    }

    /// Continues on a new connection.
    public func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        try follower.reconnected(welcome)
    }
}

extension SeenRecord {
    init(_ snapshot: LinkSnapshot) {
        self.init(sequence: snapshot.sequence, crc: snapshot.crc)
    }
}
