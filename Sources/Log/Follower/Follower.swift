// A replica of the engine, fed by the committed log over the Link.

public import Engine
import Journal
public import Link
import Terms
public import Wire

/// A follower's fault. It stops there: a replica must not skip or guess.
public enum FollowerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A record's CRC does not fit its bytes.
    case damaged(sequence: UInt64)
    /// The feed has a gap: another record was expected.
    case gap(expected: UInt64, found: UInt64)
    /// The log's hash mark differs from this replica's hash.
    case diverged(sequence: UInt64)
    /// The server's journal is another one than before.
    case otherJournal
    /// The log's first record is not one to make an engine from.
    case genesis
    /// The snapshot does not load, or has another hash.
    case snapshot(sequence: UInt64)
    /// The server's term is earlier than one already seen.
    case staleEpoch(seen: UInt32, found: UInt32)
    /// The server's log has another record in place of this replica's last one.
    case forked(String)
    /// An unexpected frame.
    case unexpected(String)

    /// The fault, and what to do.
    public var description: String {
        switch self {
        case .damaged(let sequence):
            "record \(sequence) came damaged over the Link: its CRC does not fit; reconnect"
        case .gap(let expected, let found):
            "the feed continues at record \(found) where \(expected) was due; reconnect"
        case .diverged(let sequence):
            """
            this replica's events differ from the log's at the hash mark of record \(sequence): \
            both daemons must be of the same version; run `boursectl journal rehearse`
            """
        case .otherJournal:
            "matchd has another journal than this replica began with; restart this daemon"
        case .genesis:
            "the log does not begin as this version knows it; both daemons must be of one version"
        case .snapshot(let sequence):
            "the snapshot of record \(sequence) does not load here: are both of the same version?"
        case .staleEpoch(let seen, let found):
            "matchd is of epoch \(found), and epoch \(seen) was seen already: its term is over"
        case .forked(let what): what
        case .unexpected(let what): "unexpected on the Link: \(what)"
        }
    }
}

/// The effect of a frame on a follower.
public enum FollowerProgress: Hashable, Sendable {
    /// None, or a part of a snapshot.
    case none
    /// A snapshot was loaded: the engine is at this sequence.
    case loaded(UInt64)
    /// Records were applied.
    case applied
    /// All records released when the server wrote this, up to this sequence, are applied.
    case caughtUp(UInt64)
}

/// Maintains an engine replica from the frames of a Link. Sans-IO: the owner moves the bytes.
///
/// Begin with the server's `welcome`, send `subscription`, pass every frame to `receive`. After a
/// lost connection call `reconnected` with the new welcome and send `subscription` again: it
/// continues from there. One owner at a time.
public struct Follower: ~Copyable {
    /// The replica. Between calls it is at the last record passed to `each`.
    public private(set) var engine: Engine
    /// The journal's identity, first half.
    public let journalHigh: UInt64
    /// The journal's identity, second half.
    public let journalLow: UInt64
    /// The server's last released record, as reported.
    public private(set) var released: UInt64
    /// The highest epoch seen: this replica never goes back to a lower one.
    public private(set) var epochMax: UInt32
    /// The CRC of the engine's last record; 0 if unknown.
    var lastCRC: UInt32 = 0
    /// Highest sequence of a first subscription's snapshot.
    let snapshotAtMost: UInt64
    /// Whether it is still empty: the first subscription requests a snapshot.
    var isFresh = true
    var voids: Set<UInt64> = []
    var snapshot: LinkSnapshot?
    var chunks: [UInt8] = []
    /// The fault that it stopped at.
    var failure: FollowerError?
    /// Whether the server reported on this connection how far it has released.
    var hasPosition = false

    /// Maximum bytes of a snapshot: 8 GiB.
    public static var snapshotBytesMax: UInt64 { 8 << 30 }

    /// An empty replica. It begins with the newest snapshot of at most `snapshotAtMost` and the log
    /// from there; without one, with the whole log. Its limits are those of the snapshot, or of the
    /// log's first record. `rulesKnown`: see `Engine`.
    public init(
        _ welcome: LinkWelcome, snapshotAtMost: UInt64 = .max,
        rulesKnown: UInt32 = SetRules.current
    ) {
        engine = Engine(limits: .small, rulesKnown: rulesKnown)
        journalHigh = welcome.journalHigh
        journalLow = welcome.journalLow
        released = welcome.released
        epochMax = welcome.epoch
        self.snapshotAtMost = snapshotAtMost
    }

    /// Goes on from a state of its own instead: what `Engine.writeSnapshot` gave, and the CRC of
    /// its last record. Before the first subscription. False where it does not load: it is empty
    /// then.
    public mutating func resume(_ snapshot: UnsafeRawBufferPointer, crc: UInt32) -> Bool {
        guard isFresh, engine.sequence == 0 else { return false }
        var own = unsafe Engine(snapshot: snapshot)
        guard let loaded = own.take() else { return false }
        epochMax = max(epochMax, loaded.epoch)
        engine = loaded
        (lastCRC, isFresh) = (crc, false)
        return true
    }

    /// Whether it has every record that the server last reported as released, and the server has
    /// reported it on this connection.
    public var isCaughtUp: Bool { hasPosition && engine.sequence >= released }

    /// What to send after a welcome.
    public var subscription: LinkFrame {
        isFresh
            ? .subscribe(LinkSubscription(snapshotAtMost: snapshotAtMost))
            : .subscribe(
                LinkSubscription(from: engine.sequence + 1, epoch: engine.epoch, crc: lastCRC))
    }

    /// Continues on a new connection. Throws `staleEpoch` if the server's term is over: connect to
    /// the primary.
    public mutating func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        guard welcome.journalHigh == journalHigh, welcome.journalLow == journalLow else {
            throw .otherJournal
        }
        if let failure { throw failure }
        try see(welcome.epoch)
        released = max(released, welcome.released)
        hasPosition = false
        snapshot = nil
        chunks = []
    }

    /// Takes a frame. `each` is called after every applied record, with its header, its bytes, its
    /// outcome, and the engine, whose events are those of this record.
    ///
    /// Voided records are passed too, with the outcome `voided`. Frames that do not concern a
    /// follower (acks, status, session) have no effect. After `diverged` and `forked` it takes
    /// nothing more, and throws the same again.
    public mutating func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        if let failure { throw failure }
        do throws(FollowerError) {
            return unsafe try take(frame, each)
        } catch {
            // A new connection repairs a torn feed, but not a diverged or forked engine.
            switch error {
            case .diverged, .forked: failure = error
            default: break
            }
            throw error
        }
    }

    /// Records the epoch of the server's term, which never goes back.
    mutating func see(_ epoch: UInt32) throws(FollowerError) {
        guard epoch >= epochMax else { throw .staleEpoch(seen: epochMax, found: epoch) }
        epochMax = epoch
    }

    mutating func take(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        switch frame {
        case .records(let run):
            isFresh = false
            unsafe try run.forEach { (header, bytes) throws(FollowerError) in
                unsafe try apply(header, bytes, each)
            }
            return .applied
        case .position(let released, _, let epoch):
            try see(epoch)
            self.released = max(self.released, released)
            hasPosition = true
            return engine.sequence >= released ? .caughtUp(engine.sequence) : .none
        case .voids(let sequences):
            voids = Set(sequences)
            return .none
        case .snapshot(let head):
            guard isFresh, snapshot == nil, head.count <= Self.snapshotBytesMax,
                head.sequence <= snapshotAtMost
            else { throw .unexpected("a snapshot that was not requested") }
            snapshot = head
            chunks = []
            chunks.reserveCapacity(Int(head.count))
            return head.count == 0 ? try load(head) : .none
        case .chunk(let bytes):
            guard let head = snapshot, UInt64(chunks.count + bytes.count) <= head.count else {
                throw .unexpected("a part of no snapshot")
            }
            chunks.append(contentsOf: bytes)
            return UInt64(chunks.count) == head.count ? try load(head) : .none
        case .acks, .session, .status, .welcome, .challenge: return .none
        case .error(let refusal):
            if refusal.code == .forked { throw .forked(refusal.text) }
            throw .unexpected(refusal.text)
        case .hello, .proof, .submit, .subscribe, .query, .askStatus:
            throw .unexpected("a client's frame")
        }
    }

    mutating func load(_ head: LinkSnapshot) throws(FollowerError) -> FollowerProgress {
        let bytes = chunks
        (snapshot, chunks) = (nil, [])
        var restored: Engine?
        unsafe bytes.withUnsafeBytes { unsafe restored = Engine(snapshot: $0) }
        guard let loaded = restored.take() else { throw .snapshot(sequence: head.sequence) }
        guard loaded.sequence == head.sequence, loaded.stateHash() == head.stateHash else {
            throw .snapshot(sequence: head.sequence)
        }
        engine = loaded
        lastCRC = head.crc
        isFresh = false
        return .loaded(head.sequence)
    }

    mutating func apply(
        _ header: RecordHeader, _ bytes: UnsafeRawBufferPointer,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) {
        // After a reconnection the server may begin with earlier records.
        guard header.sequence > engine.sequence else { return }
        guard header.sequence == engine.sequence + 1 else {
            throw .gap(expected: engine.sequence + 1, found: header.sequence)
        }
        guard unsafe CRC32C.record(bytes) == header.crc else {
            throw .damaged(sequence: header.sequence)
        }
        guard header.epoch >= engine.epoch else {
            throw .staleEpoch(seen: engine.epoch, found: header.epoch)
        }
        if header.sequence == 1 {
            guard let genesis = unsafe Genesis(record: bytes),
                genesis.format == Genesis.currentFormat
            else { throw .genesis }
            engine = Engine(limits: genesis.limits, rulesKnown: engine.rulesKnown)
        }
        let outcome =
            if voids.contains(header.sequence) {
                unsafe engine.skip(record: bytes)
            } else {
                unsafe engine.apply(record: bytes)
            }
        guard !engine.hasDiverged else { throw .diverged(sequence: header.sequence) }
        lastCRC = header.crc
        epochMax = max(epochMax, header.epoch)
        unsafe each(header, bytes, outcome, engine)
    }
}
