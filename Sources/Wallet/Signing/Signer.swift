// The signer: follows the log, and answers once it has all of it.

public import EVM
public import Follower
internal import Journal
public import Keys
public import Link
public import Payments
internal import Platform
public import Terms

/// Why the signer cannot go on.
public enum SignerFaultError: Error, Sendable, CustomStringConvertible {
    /// Its list.
    case list(SignedListError)
    /// The log is not the one that it followed before.
    case otherLog(String)
    /// Its replica failed.
    case replica(CommandSessionError)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .list(let error): error.description
        case .otherLog(let what):
            "\(what): it signs by no other log. Where the log was cut on purpose, and everything "
                + "that was signed is final on its chain: move the state directory and signer.id "
                + "aside, and begin anew"
        case .replica(let error): "the log cannot be followed: \(error)"
        }
    }
}

/// A signer of one state directory. One owner at a time.
public final class Signer {
    /// Decides, and keeps what was signed.
    public let payments: PaymentSigner
    /// Why there is no connection; nil: there is one.
    public private(set) var linkError: String? = "not connected yet"
    /// Why the list does not fit the log; nil: it does, or it is not known yet.
    public private(set) var obstacle: String?
    private var beginTime: Int64 = 0
    private let place: SignerPlace
    private let connect: (Text40, Int64) throws(LinkError) -> LinkClient
    private let report: (_ isFault: Bool, String) -> Void
    private var session: CommandSession<SignerReplica>?
    private var connectTime: Int64 = 0
    private var saveTime: Int64
    private var savedSequence: UInt64 = 0
    /// Where it goes on, until it is connected.
    private var state: FollowedState?

    /// Attempts to connect begin no earlier than this after the last one.
    private static let retryNanos: Int64 = 1_000_000_000
    /// The log's state is saved so often: a start reads what came since then.
    private static let saveNanos: Int64 = 600_000_000_000

    /// A signer with the list at `place`. `connect` gets a name and the nanoseconds that it may
    /// take; `report` gets a line about what an operator should know.
    public init(
        _ place: SignerPlace, master: ExtendedPrivateKey, limits: [SpendingLimit],
        assets: EVMAssetList = EVMAssetList(), pins: [ColdPin] = [], evmPins: [EVMColdPin] = [],
        connect: @escaping (Text40, Int64) throws(LinkError) -> LinkClient,
        report: @escaping (_ isFault: Bool, String) -> Void
    ) throws(SignedListError) {
        (self.place, self.connect, self.report) = (place, connect, report)
        payments = PaymentSigner(
            try SignedList(place), master: master, limits: limits, assets: assets, pins: pins,
            evmPins: evmPins)
        saveTime = Clock.monotonicNanos() + Self.saveNanos
        state = FollowedState(place.followedFile)
        if state == nil, Directory.exists(place.followedFile) {
            report(
                true,
                "\(place.followedFile) is not whole, or of another version: the log is read from "
                    + "its first record")
        }
        if let state, payments.list.position < state.list {
            throw .damaged(
                path: place.listFile,
                detail: "has not come as far as \(place.followedFile) says: it is an older copy")
        }
        if payments.list.tornBytes > 0 {
            report(
                true,
                "the last write to \(place.listFile) was cut off before it was durable: its "
                    + "\(payments.list.tornBytes) bytes are in \(place.tornFile)")
        }
    }

    /// The last record of the log that it has; 0: none.
    public var sequence: UInt64 { session?.replica.sequence ?? 0 }

    /// Whether it has everything that the log has, and so answers.
    public var isReady: Bool {
        session?.isCaughtUp == true && payments.hasBegun && payments.list.fault == nil
    }

    /// Follows the log for `nanos`, and connects before where that is due.
    public func follow(nanos: Int64) throws(SignerFaultError) {
        if session == nil { try connectIfDue() }
        guard let session else { return Clock.sleep(nanos: nanos) }
        do throws(CommandSessionError) {
            try session.follow(nanos: nanos, untilRecord: session.isCaughtUp)
            linkError = session.linkError.map { "\($0)" }
        } catch {
            if session.hasEnded { throw Self.fault(error) }
            linkError = Self.text(error)
        }
        let replica = session.replica
        if let conflict = replica.conflict { throw .otherLog(conflict) }
        payments.keepAdopted(replica.engine, replica.coins, journal: replica.journal)
        guard session.isCaughtUp else { return }
        if !payments.hasBegun { begin(replica) }
        if Clock.monotonicNanos() >= saveTime { saveState() }
    }

    /// Begins to sign, where the list fits the log.
    private func begin(_ replica: SignerReplica) {
        guard Clock.monotonicNanos() >= beginTime else { return }
        beginTime = Clock.monotonicNanos() + Self.retryNanos
        let before = obstacle
        obstacle = payments.begin(
            replica.engine, replica.coins, journal: replica.journal, now: Self.now,
            isOwn: { replica.isOwn($0) })
        if let obstacle {
            if obstacle != before { report(true, "signs nothing: \(obstacle)") }
            return
        }
        report(false, "has followed the log up to record \(replica.sequence)")
        if let fault = payments.list.fault { report(true, "signs nothing: \(fault)") }
    }

    /// The present.
    static var now: SpendingMoment {
        SpendingMoment(host: Clock.realtimeNanos(), monotonic: Clock.monotonicNanos())
    }

    private func connectIfDue() throws(SignerFaultError) {
        let now = Clock.monotonicNanos()
        guard now >= connectTime, let name = Text40("signer/main") else { return }
        defer { connectTime = Clock.monotonicNanos() + Self.retryNanos }
        let payments = payments
        do throws(CommandSessionError) {
            session = try unsafe CommandSession(
                name, connect: connect,
                replica: { [state] welcome in
                    SignerReplica(welcome, state, payments)
                }, replicaNanosMax: 0, lost: { [report] in report(true, "\($0); reconnecting") },
                see: { _, _, _, _ in })
        } catch {
            if case .replica = error { throw Self.fault(error) }
            let text = Self.text(error)
            if text != linkError { report(true, "\(text); trying again") }
            linkError = text
            return
        }
        (linkError, state) = (nil, nil)
        savedSequence = session?.replica.coins.sequence ?? 0
        if savedSequence > 0 { report(false, "goes on behind record \(savedSequence) of the log") }
    }

    /// A log that has another record in the place of the last one that was followed is another log.
    private static func fault(_ error: CommandSessionError) -> SignerFaultError {
        if case .replica(.forked(let why)) = error { return .otherLog(why) }
        return .replica(error)
    }

    private static func text(_ error: CommandSessionError) -> String {
        if case .link(let error) = error { "\(error)" } else { "\(error)" }
    }

    // MARK: Requests

    /// Answers a request.
    public func answer(_ request: SigningRequest) -> SigningAnswer {
        guard let session, session.isCaughtUp else { return .refusal(.behind, behind) }
        guard payments.hasBegun else {
            return obstacle.map { .refusal(.notKept, $0) } ?? .refusal(.behind, behind)
        }
        let replica = session.replica
        guard replica.sequence >= request.sequence else {
            return .refusal(.behind, "the log is followed up to record \(replica.sequence)")
        }
        return payments.answer(request, replica.engine, replica.coins, now: Self.now)
    }

    private var behind: String {
        guard let session else { return "matchd is away: \(linkError ?? "not connected yet")" }
        if let error = session.linkError { return "matchd is away: \(error)" }
        let awaited = session.replica.nextAwaited.map { ", and \($0) is awaited" } ?? ""
        return "the log is followed up to record \(session.replica.sequence)\(awaited)"
    }

    // MARK: The log's state

    /// Saves the log's state, so that the next start need not read the whole log. Without it it
    /// does.
    public func saveState() {
        saveTime = Clock.monotonicNanos() + Self.saveNanos
        // One that has not begun has not adopted what that state has seen.
        guard let replica = session?.replica, replica.isCaughtUp, payments.hasBegun,
            replica.coins.sequence > savedSequence
        else { return }
        payments.keepAdopted(replica.engine, replica.coins, journal: replica.journal)
        guard payments.list.fault == nil else { return }
        do throws(SystemError) {
            try FollowedState.save(
                replica.engine, replica.coins, of: replica.journal, payments.list.position,
                place.followedFile)
            savedSequence = replica.coins.sequence
        } catch { report(true, "the log's state is not saved: \(error)") }
    }
}
