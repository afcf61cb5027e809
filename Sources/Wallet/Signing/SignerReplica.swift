// The log, as the signer follows it: the engine, and the coins.
//
// It has applied every record itself: from the first one, or from the state that it wrote. A
// snapshot is somebody else's word, and is never taken.

public import Engine
public import Follower
public import Journal
public import Link
public import Payments
internal import Terms
public import Wire

/// A replica of the engine with the wallet's coins, which the signer follows.
public final class SignerReplica: LogReplica {
    private var follower: Follower
    /// The coins, as of the last record.
    public private(set) var coins = CoinTable(keepsBytes: false)
    /// The record that the log has to have before it is believed; nil: it has it.
    private var awaited: SeenRecord?
    /// Why this log is not the one that was followed before; nil: it is, as far as it was read.
    public private(set) var conflict: String?
    /// The log's journal.
    public let journal: JournalIdentity
    private let payments: PaymentSigner
    /// What matchd said of itself last.
    private var server: (role: LinkServerRole, epoch: UInt32)

    /// A replica that follows the server of this greeting, from `state` on where it is of this
    /// journal, else from the first record. `payments` sees the log's payments; the log has to be
    /// of its list's journal, where that is known, and to have the last record that the list has
    /// seen.
    package init(_ welcome: LinkWelcome, _ state: FollowedState?, _ payments: PaymentSigner) {
        self.payments = payments
        server = (welcome.role, welcome.epoch)
        let (known, seen) = (payments.list.base.journal, payments.list.seen)
        journal = JournalIdentity(high: welcome.journalHigh, low: welcome.journalLow)
        follower = Follower(welcome, snapshotAtMost: 0)
        if let state, state.journal == journal {
            let isLoaded = unsafe state.engine.withUnsafeBytes {
                unsafe follower.resume($0, crc: state.coins.crc)
            }
            if isLoaded, follower.engine.sequence == state.coins.sequence {
                coins = state.coins
            } else {
                follower = Follower(welcome, snapshotAtMost: 0)
            }
        }
        awaited = seen.sequence > 0 && seen.sequence >= coins.sequence ? seen : nil
        if let known, known != journal {
            conflict = "matchd's journal is \(journal), and that of what was signed is \(known)"
        }
        pass()
    }

    /// The state.
    public var engine: Engine { _read { yield follower.engine } }
    /// The last record applied.
    public var sequence: UInt64 { follower.engine.sequence }
    /// The frame that subscribes it to the log.
    public var subscription: LinkFrame { follower.subscription }
    /// Whether it has all that matchd last reported as released, and the record that it has to
    /// have.
    public var isCaughtUp: Bool {
        follower.isCaughtUp && awaited == nil && conflict == nil
    }
    /// Whether a host that led has this one's matchd: in a pair the leader is one of the two, and
    /// matchd says whether it leads the term of the log's last record. Nil: that is not known now.
    func isOwn(_ leader: UInt128) -> Bool? {
        switch server.role {
        case .standalone: true
        case .primary: coins.epoch == server.epoch ? leader == coins.leader : nil
        case .standby: coins.epoch == server.epoch ? leader != coins.leader : nil
        case .sealed: nil
        }
    }
    /// The record that the log has to have still; nil: none.
    public var nextAwaited: UInt64? { awaited?.sequence }

    /// Takes a frame; see `Follower.receive`.
    public func receive(
        _ frame: LinkFrame,
        _ each: (RecordHeader, UnsafeRawBufferPointer, Outcome, borrowing Engine) -> Void
    ) throws(FollowerError) -> FollowerProgress {
        switch frame {
        case .snapshot, .chunk: throw .unexpected("a snapshot, which the signer asks nobody for")
        default: break
        }
        return unsafe try follower.receive(frame) { header, bytes, outcome, engine in
            unsafe coins.see(header, bytes, outcome, engine)
            unsafe payments.see(header, bytes, outcome, engine, coins) { Signer.now }
            unsafe checkSeal(header, bytes, outcome)
            pass()
            unsafe each(header, bytes, outcome, engine)
        }
    }

    /// Checks what an operator signed once more: matchd did before it took it, and is not believed.
    private func checkSeal(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome
    ) {
        if conflict == nil, outcome.refusal != .voided,
            unsafe !SealCheck.isSound(header, record, of: (journal.high, journal.low))
        {
            conflict = "record \(header.sequence) has a signature of an operator that is none"
        }
    }

    /// Compares the last record with the one that the log has to have.
    private func pass() {
        guard let next = awaited, next.sequence == coins.sequence else { return }
        if !next.isSame(as: SeenRecord(coins)) {
            conflict =
                "the log up to record \(next.sequence) is another one than was followed before"
        }
        awaited = nil
    }

    /// Continues on a new connection.
    public func reconnected(_ welcome: LinkWelcome) throws(FollowerError) {
        try follower.reconnected(welcome)
        server = (welcome.role, welcome.epoch)
    }
}
