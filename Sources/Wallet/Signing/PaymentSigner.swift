// Decides on one request: what was signed before, what the log says, what may leave.

internal import Addresses
public import Engine
public import Journal
public import Keys
public import Payments
internal import Platform
internal import Terms
internal import UTXO

/// Signs payments: with the master key, the list of what it signed, and the limits. One owner at a
/// time.
public final class PaymentSigner {
    /// What it signed.
    public let list: SignedList
    private let master: ExtendedPrivateKey
    private let limits: [Text16: SpendingLimit]
    private var meter: SpendingMeter?

    /// A signer that has signed what `list` holds.
    public init(_ list: SignedList, master: ExtendedPrivateKey, limits: [SpendingLimit]) {
        (self.list, self.master) = (list, master)
        self.limits = Dictionary(limits.map { ($0.asset, $0) }, uniquingKeysWith: { a, _ in a })
    }

    /// Whether it has met the log; see `begin`.
    public var hasBegun: Bool { meter != nil }

    /// Meets a log that has everything which the list awaits: derives what is used of the limits,
    /// and writes the list anew, without what is closed in the log.
    ///
    /// Not where the log has a payment that is not settled and that the list lacks: such a list is
    /// an older copy, or was begun after something was signed, and may lack others that are not in
    /// the log. It returns what that means; nil: it has begun.
    public func begin(
        _ engine: borrowing Engine, _ coins: CoinTable, journal: JournalIdentity,
        now: SpendingMoment
    ) -> String? {
        let known = Set(list.entries.map(\.payment.transaction))
        var unknown: TransactionID?
        engine.forEachPayment {
            let isOurs = coins.coins($0.network)?.payments[$0.id] != nil
            if isOurs, !known.contains($0.id) { unknown = $0.id }
        }
        if let unknown {
            return "the log has the payment \(unknown.hex), and the list of what was signed lacks "
                + "it: is it an older copy? Restore the newest one, or wait until that payment is "
                + "settled or dropped"
        }
        var meter = SpendingMeter(time: list.base.time, used: list.base.used)
        for entry in list.entries.dropFirst(list.base.entryCount) {
            let asset = entry.payment.asset
            let refill = limit(asset, engine)?.refill ?? 0
            meter.replay(asset, entry.counted, at: entry.time, refill: refill)
        }
        meter.advance(to: now)
        self.meter = meter
        compact(engine, SeenRecord(sequence: coins.sequence, crc: coins.crc), journal)
        return nil
    }

    /// Writes the list anew, without the entries whose withdrawals are all closed.
    private func compact(
        _ engine: borrowing Engine, _ seen: SeenRecord, _ journal: JournalIdentity?
    ) {
        guard var meter else { return }
        var base = SignedBase(identity: list.base.identity)
        (base.journal, base.seen, base.time) = (journal, seen, meter.time)
        for asset in meter.assets {
            let used = meter.used(asset, refill: limit(asset, engine)?.refill ?? 0)
            if used > 0 { base.used[asset] = used }
        }
        var kept: [SignedEntry] = []
        for entry in list.entries where Self.isOpen(entry, engine) { kept.append(entry) }
        _ = list.rewrite(base, kept)
        self.meter = meter
    }

    /// Whether the log has one of an entry's withdrawals as open.
    private static func isOpen(_ entry: SignedEntry, _ engine: borrowing Engine) -> Bool {
        for id in entry.payment.withdrawals where engine.withdrawal(id) != nil { return true }
        return false
    }

    private func limit(
        _ asset: AssetID, _ engine: borrowing Engine
    ) -> (capacity: Int64, refill: Int64)? {
        guard let view = engine.asset(asset) else { return nil }
        return limits[view.code]?.units(scale: view.scale)
    }

    // MARK: Requests

    /// Answers a request; `engine` and `coins` are at the same record. Nothing that it signs leaves
    /// before the list has it.
    public func answer(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        now: SpendingMoment
    ) -> SigningAnswer {
        do throws(PaymentReviewError) {
            return .signed(try payment(request, engine, coins, now))
        } catch { return .refusal(error.refusal, error.text) }
    }

    private func payment(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SignedPayment {
        if let fault = list.fault { throw PaymentReviewError(.notKept, Self.notKept(fault)) }
        guard meter != nil else { throw PaymentReviewError(.behind, "the log is not read yet") }
        let earlier = list.entries(paying: request.withdrawals)
        var replaced: Int64 = 0
        if !earlier.isEmpty {
            switch try judge(request, earlier, coins) {
            case .given(let entry): return try again(entry, request, engine, coins)
            case .free(let units): replaced = units
            }
        }
        let reviewed = try ReviewedPayment.review(request, engine, coins, key: master).get()
        let counted = max(0, reviewed.leaving - replaced)
        let limit = try admit(request.asset, counted, engine, now)
        let payment = try reviewed.signed(with: master, random: SystemRandom.bytes(32))
        let entry = SignedEntry(
            payment: payment, inputs: reviewed.inputs, leaving: reviewed.leaving, counted: counted,
            time: meter?.time ?? 0,
            seen: SeenRecord(sequence: coins.sequence, crc: coins.crc))
        if !list.hasRoom(for: entry) {
            var hasClosed = false
            for old in list.entries where !Self.isOpen(old, engine) { hasClosed = true }
            if hasClosed { compact(engine, entry.seen, list.base.journal) }
            guard list.fault == nil, list.hasRoom(for: entry) else {
                throw PaymentReviewError(
                    .notKept, "the list of what was signed is full: withdrawals have to be settled")
            }
        }
        // It counts even where it is not known whether it was kept.
        meter?.take(request.asset, counted, refill: limit.refill)
        guard list.append(entry) else {
            throw PaymentReviewError(.notKept, Self.notKept(list.fault ?? ""))
        }
        return payment
    }

    private static func notKept(_ fault: String) -> String {
        "what is signed cannot be kept: \(fault). Mend that, then restart the signer"
    }

    private func judge(
        _ request: SigningRequest, _ earlier: [SignedEntry], _ coins: CoinTable
    ) throws(PaymentReviewError) -> EarlierSignatures {
        guard
            earlier.allSatisfy({
                $0.payment.network == request.network && $0.payment.asset == request.asset
            })
        else {
            throw PaymentReviewError(
                .signedBefore, "a withdrawal was signed before on another network")
        }
        guard let network = coins.coins(request.network)?.network else {
            throw PaymentReviewError(.otherKey, "the log names no UTXO chain \(request.network)")
        }
        let transaction = try Self.transaction(request.transaction, on: network)
        return EarlierSignatures.judge(
            transaction.id, spending: Set(transaction.inputs.map(\.outPoint)),
            paying: request.withdrawals, earlier)
    }

    private static func transaction(
        _ bytes: [UInt8], on network: UTXONetwork
    ) throws(PaymentReviewError) -> UTXOTransaction {
        do throws(UTXODecodingError) {
            return try UTXOTransaction(bytes, on: network, bytesMax: Limits.transactionBytesMax)
        } catch { throw PaymentReviewError(.malformed, "the transaction cannot be read: \(error)") }
    }

    /// Gives what was signed before: as it is where the log has it, for then everybody does; else
    /// if it may still be paid, in the place of what is replaced now.
    private func again(
        _ entry: SignedEntry, _ request: SigningRequest, _ engine: borrowing Engine,
        _ coins: CoinTable
    ) throws(PaymentReviewError) -> SignedPayment {
        var payment = entry.payment
        if engine.payment(payment.transaction) != nil { return payment }
        guard let network = coins.coins(request.network)?.network else {
            throw PaymentReviewError(.otherKey, "the log names no UTXO chain \(request.network)")
        }
        var transaction = try Self.transaction(payment.bytes, on: network)
        for index in transaction.inputs.indices { transaction.inputs[index].witness = [] }
        if payment.withdrawals == request.withdrawals { payment.replaces = request.replaces }
        let before = SigningRequest(
            network: payment.network, asset: payment.asset, sequence: request.sequence,
            withdrawals: payment.withdrawals, replaces: payment.replaces,
            transaction: transaction.bytes)
        _ = try ReviewedPayment.review(before, engine, coins, key: master).get()
        return payment
    }

    /// Whether the limit has room for so many base units.
    private func admit(
        _ asset: AssetID, _ units: Int64, _ engine: borrowing Engine, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> (capacity: Int64, refill: Int64) {
        guard let view = engine.asset(asset), limits[view.code] != nil else {
            throw PaymentReviewError(
                .limit, "the asset has no limit, so nothing of it is signed: [signerd] limits")
        }
        guard let limit = limit(asset, engine) else {
            throw PaymentReviewError(
                .limit, "the limit of \(view.code) is none in its \(view.scale) decimals")
        }
        meter?.advance(to: now)
        switch meter?.verdict(asset, units, capacity: limit.capacity, refill: limit.refill) {
        case .fits: return limit
        case .later(let nanos):
            let minutes = max(1, (nanos - 1) / 60_000_000_000 + 1)
            throw PaymentReviewError(
                .limit, "the limit of \(view.code) is used up: it fits in \(minutes) minutes")
        case .never, nil:
            throw PaymentReviewError(
                .limit, "it is more than the limit of \(view.code): [signerd] limits")
        }
    }
}

extension SigningAnswer {
    /// A refusal whose words are not too long.
    static func refusal(_ refusal: SigningRefusal, _ text: String) -> SigningAnswer {
        var words = text
        if words.utf8.count > wordsBytesMax {
            words = String(decoding: text.utf8.prefix(wordsBytesMax - 10), as: UTF8.self) + "…"
        }
        return .refused(refusal, words)
    }
}
