// A replica of the engine, fed by the committed log over the Link.

public import Engine
import Journal
public import Link
import Terms
public import Wire

/// What a follower finds wrong. It stops there: a replica that skips or guesses is none.
public enum FollowerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A record's CRC does not fit its bytes.
    case damaged(sequence: UInt64)
    /// The feed has a gap: another record was expected.
    case gap(expected: UInt64, found: UInt64)
    /// The log's hash mark is not this replica's.
    case diverged(sequence: UInt64)
    /// The server has another journal than before.
    case otherJournal
    /// The log begins with a record that no engine can be made from.
    case genesis
    /// The snapshot does not load, or its hash is another.
    case snapshot(sequence: UInt64)
    /// The server is of an earlier term than one that was seen.
    case staleEpoch(seen: UInt32, found: UInt32)
    /// The server's log has another record where this replica's last one stands.
    case forked(String)
    /// A frame came that has no place here.
    case unexpected(String)

    /// What it is and what to do.
    public var description: String {
        switch self {
        case .damaged(let sequence):
            "record \(sequence) came damaged over the Link: its CRC does not fit; reconnect"
        case .gap(let expected, let found):
            "the feed goes on at record \(found) where \(expected) was due; reconnect"
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

/// What a frame did to a follower.
public enum FollowerProgress: Hashable, Sendable {
    /// Nothing that concerns it, or a part of something.
    case none
    /// A snapshot was loaded: the engine is at this sequence.
    case loaded(UInt64)
    /// Records were applied.
    case applied
    /// All that was released when the server wrote this is applied, up to this sequence.
    case caughtUp(UInt64)
}

/// Keeps an engine replica from the frames of a Link. Sans-IO: the owner moves the bytes.
///
/// Begin with the server's `welcome`, send `subscription`, give every frame to `receive`. After a
/// lost connection call `reconnected` with the new welcome and send `subscription` again: it goes
/// on where it was. One owner at a time.
public struct Follower: ~Copyable {
    /// The replica. Between calls it stands after the last record that was given to `each`.
    public private(set) var engine: Engine
    /// The journal's identity, first half.
    public let journalHigh: UInt64
    /// The journal's identity, second half.
    public let journalLow: UInt64
    /// The last record that the server had released, as far as it said.
    public private(set) var released: UInt64
    /// The highest epoch seen: this replica never goes back to a lower one.
    public private(set) var epochMax: UInt32
    /// The CRC of the engine's last record; 0 where it is not known.
    var lastCRC: UInt32 = 0
    /// Highest sequence of the snapshot that a first subscription takes.
    let snapshotAtMost: UInt64
    /// Whether nothing came yet: the first subscription asks for a snapshot.
    var isFresh = true
    var voids: Set<UInt64> = []
    var snapshot: LinkSnapshot?
    var chunks: [UInt8] = []
    var hasFailed = false

    /// Maximum bytes of a snapshot that it takes: 8 GiB.
    public static var snapshotBytesMax: UInt64 { 8 << 30 }

    /// A replica that holds nothing yet. It begins with the newest snapshot of at most
    /// `snapshotAtMost`, and the log from there; where there is none, with the whole log. Its
    /// limits are those of the snapshot, or of the log's first record.
    public init(_ welcome: LinkWelcome, snapshotAtMost: UInt64 = .max) {
        engine = Engine(limits: .small)
        journalHigh = welcome.journalHigh
        journalLow = welcome.journalLow
        released = welcome.released
        epochMax = welcome.epoch
        self.snapshotAtMost = snapshotAtMost
    }

    /// What to send after a welcome.
    public var subscription: LinkFrame {
        isFresh
            ? .subscribe(LinkSubscription(snapshotAtMost: snapshotAtMost))
            : .subscribe(
                LinkSubscription(
                    from: engine.sequence + 1, epoch: engine.epoch, crc: lastCRC))
    }

    /// Goes on with a new connection. Throws `staleEpoch` where the server's term is over: connect
    /// to the primary.
    public mutating func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        guard welcome.journalHigh == journalHigh, welcome.journalLow == journalLow else {
            throw .otherJournal
        }
        try see(welcome.epoch)
        released = max(released, welcome.released)
        snapshot = nil
        chunks = []
    }

    /// Takes a frame. `each` is called after every record that was applied, with its header, its
    /// bytes, what came of it, and the engine, whose events are those of this record.
    ///
    /// A voided record is given too, with the outcome that says so. Frames that are none of a
    /// follower's (acks, status, session) do nothing.
    public mutating func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        precondition(!hasFailed, "a follower that failed takes nothing more")
        do throws(FollowerError) {
            return unsafe try take(frame, each)
        } catch {
            // A torn feed is healed by a new connection; a diverged or forked engine is not.
            switch error {
            case .diverged, .forked: hasFailed = true
            default: break
            }
            throw error
        }
    }

    /// Takes the epoch of the server's term, which never goes back.
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
            return engine.sequence >= released ? .caughtUp(engine.sequence) : .none
        case .voids(let sequences):
            voids = Set(sequences)
            return .none
        case .snapshot(let head):
            guard isFresh, snapshot == nil, head.count <= Self.snapshotBytesMax,
                head.sequence <= snapshotAtMost
            else { throw .unexpected("a snapshot that was not asked for") }
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
        // After a reconnection the server may begin a little early.
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
            engine = Engine(limits: genesis.limits)
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
