// Decides on one request: what was signed before, what the log says, what may leave.

internal import Addresses
public import EVM
public import Engine
internal import JSON
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
    let master: ExtendedPrivateKey
    /// What the assets of EVM chains are there.
    let assets: EVMAssetList
    let limits: [Text40: SpendingLimit]
    /// Cold storage that this host names: what goes there does not count.
    let pins: [ColdPin]
    /// The same of EVM chains.
    let evmPins: [EVMColdPin]
    var meter: SpendingMeter?
    /// What was used before it begins: by the list, and by what the log has beyond it.
    var past: SpendingMeter
    /// Payments of the log that the list lacks, before it begins.
    var logged: [TransactionID: LoggedPayment] = [:]
    /// Bytes of these, and from how many on those are forgotten that bind nothing.
    var (loggedBytes, loggedBytesNext) = (0, 1 << 20)
    /// The highest time of the records that were seen: a record that says less is no older.
    var stampMax = Int64.min
    /// What is to go into the list before anything else is signed.
    var adopting: [SignedEntry] = []
    /// Whether a public key of the log's is this seed's.
    var ownKeys: [String: Bool] = [:]

    /// A signer that has signed what `list` holds.
    public init(
        _ list: SignedList, master: ExtendedPrivateKey, limits: [SpendingLimit],
        assets: EVMAssetList = EVMAssetList(), pins: [ColdPin] = [], evmPins: [EVMColdPin] = []
    ) {
        (self.list, self.master, self.assets) = (list, master, assets)
        (self.pins, self.evmPins) = (pins, evmPins)
        let byChain = Dictionary(limits.map { ($0.chain, $0) }, uniquingKeysWith: { a, _ in a })
        self.limits = byChain
        past = list.meter { byChain[$0] }
    }

    /// Whether it has met the log; see `begin`.
    public var hasBegun: Bool { meter != nil }

    /// Meets a log that has everything which the list awaits: derives what is used of the limits,
    /// and writes the list anew, without what is closed in the log.
    ///
    /// Not where the log has a payment that is not settled, that this host signed and that the list
    /// lacks: such a list is an older copy, or was begun after something was signed, and may lack
    /// others that are not in the log. It returns what that means; nil: it has begun. What other
    /// hosts signed is adopted: `isOwn` says whether a replica id is this host's, nil where that is
    /// not known yet.
    public func begin(
        _ engine: borrowing Engine, _ coins: CoinTable, journal: JournalIdentity,
        now: SpendingMoment, isOwn: (UInt128) -> Bool? = { _ in true }
    ) -> String? {
        if let obstacle = obstacle(engine, coins, isOwn) { return obstacle }
        past.advance(to: now)
        meter = past
        let adopted = takeLogged(engine, coins)
        compact(engine, coins, journal, adding: adopted)
        return nil
    }

    /// Writes the list anew, without the entries whose withdrawals are all closed and with those
    /// that were adopted.
    func compact(
        _ engine: borrowing Engine, _ coins: CoinTable, _ journal: JournalIdentity?,
        adding adopted: [SignedEntry] = []
    ) {
        guard var meter else { return }
        let base = list.nextBase(&meter, SeenRecord(coins), journal) { limits[$0] }
        var kept: [SignedEntry] = []
        for entry in list.entries where Self.isOpen(entry, engine, coins) { kept.append(entry) }
        for entry in adopted
        where !list.has(entry.payment.transaction) && Self.isOpen(entry, engine, coins) {
            kept.append(entry)
        }
        _ = list.rewrite(base, kept)
        self.meter = meter
    }

    /// Whether the log has one of an entry's withdrawals as open, or the payment itself.
    static func isOpen(
        _ entry: SignedEntry, _ engine: borrowing Engine, _ coins: CoinTable
    ) -> Bool {
        if entry.payment.withdrawals.isEmpty { return isOpen(transfer: entry, engine, coins) }
        for id in entry.payment.withdrawals where engine.withdrawal(id) != nil { return true }
        return engine.payment(entry.payment.transaction) != nil
    }

    // MARK: Requests

    /// Answers a request; `engine` and `coins` are at the same record. Nothing that it signs leaves
    /// before the list has it.
    public func answer(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        now: SpendingMoment
    ) -> SigningAnswer {
        do throws(PaymentReviewError) {
            return try answered(request, engine, coins, now)
        } catch { return .refusal(error.refusal, error.text) }
    }

    private func answered(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SigningAnswer {
        keepAdopted(engine, coins, journal: list.base.journal)
        if let fault = list.fault { throw PaymentReviewError(.notKept, Self.notKept(fault)) }
        guard meter != nil else { throw PaymentReviewError(.behind, "the log is not read yet") }
        if let account = coins.account(request.network) {
            return try answer(request, of: account, engine, coins, now)
        }
        guard let chain = coins.coins(request.network) else {
            throw PaymentReviewError(.otherKey, "the log names no UTXO chain \(request.network)")
        }
        guard !request.withdrawals.isEmpty else {
            return try answer(transfer: request, of: chain, engine, coins, now)
        }
        let earlier = list.entries(paying: request.withdrawals)
        guard earlier.allSatisfy({ $0.chain == chain.chain }) else {
            throw PaymentReviewError(
                .signedBefore, "a withdrawal was signed before on another chain")
        }
        // What spends a coin that is gone can never be final.
        func isDead(_ entry: SignedEntry) -> Bool {
            entry.inputs.contains { chain.isGone($0) }
        }
        let live = earlier.filter { !isDead($0) }
        var replaced: Int64 = 0
        if !earlier.isEmpty {
            let transaction = try Self.transaction(request.transaction, on: chain.network)
            let verdict = EarlierSignatures.judge(
                transaction.id, spending: Set(transaction.inputs.map(\.outPoint)),
                paying: request.withdrawals, earlier, isDead: isDead)
            switch verdict {
            case .given(let entry): return try again(entry, live, request, engine, coins)
            case .free(let units): replaced = units
            }
        }
        if request.withdrawals.contains(where: { list.count(paying: $0) > Limits.replacementsMax })
        {
            return try lastAgain(live, request, engine, coins)
        }
        let reviewed = try review(request, engine, coins)
        return .signed(try sign(reviewed, replaced, on: chain.chain, engine, coins, now))
    }

    /// Reviews a request that was not signed before.
    func review(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable
    ) throws(PaymentReviewError) -> ReviewedPayment {
        try ReviewedPayment.review(request, engine, coins, key: master, pins: pins).get()
    }

    /// Signs what was reviewed, if limit and list have room for it.
    func sign(
        _ reviewed: ReviewedPayment, _ replaced: Int64, on chain: Text40,
        _ engine: borrowing Engine, _ coins: CoinTable, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> SignedPayment {
        let counted = max(0, reviewed.leaving - replaced)
        let limit = try admit(chain, counted, now)
        let request = reviewed.request
        let bytesMax = request.transaction.count + 2 + Self.witnessBytesMax * reviewed.inputs.count
        var entry = SignedEntry(
            chain: chain,
            payment: SignedPayment(
                network: request.network, asset: request.asset, withdrawals: request.withdrawals,
                replaces: request.replaces, transaction: .none,
                bytes: [UInt8](repeating: 0, count: min(bytesMax, Limits.transactionBytesMax))),
            inputs: reviewed.inputs, leaving: reviewed.leaving, counted: counted,
            time: meter?.time ?? 0, seen: SeenRecord(coins))
        // Before it is signed: what cannot be kept is not made.
        try makeRoom(for: entry, engine, coins)
        entry.payment = try reviewed.signed(with: master, random: SystemRandom.bytes(32))
        // It counts even where it is not known whether it was kept.
        meter?.take(chain, counted, refill: limit.refill)
        guard list.append(entry) else {
            throw PaymentReviewError(.notKept, Self.notKept(list.fault ?? ""))
        }
        return entry.payment
    }

    /// Bytes of an input's witness at most, BIP143: a signature of 72 and its kind, a key of 33,
    /// their lengths and their count.
    private static var witnessBytesMax: Int { 1 + 1 + 73 + 1 + 33 }

    /// Writes the list anew where that takes something out of it and room is needed.
    func makeRoom(
        for entry: SignedEntry, _ engine: borrowing Engine, _ coins: CoinTable
    ) throws(PaymentReviewError) {
        if list.hasRoom(for: entry) { return }
        var hasClosed = false
        for old in list.entries where !Self.isOpen(old, engine, coins) { hasClosed = true }
        // All that is closed goes: nothing is written again until more of them are.
        if hasClosed { compact(engine, coins, list.base.journal) }
        if let fault = list.fault { throw PaymentReviewError(.notKept, Self.notKept(fault)) }
        guard list.hasRoom(for: entry) else {
            throw PaymentReviewError(
                .notKept, "the list of what was signed is full: withdrawals have to be settled")
        }
    }

    static func notKept(_ fault: String) -> String {
        "what is signed cannot be kept: \(fault). Mend that, then restart the signer"
    }

    static func transaction(
        _ bytes: [UInt8], on network: UTXONetwork
    ) throws(PaymentReviewError) -> UTXOTransaction {
        do throws(UTXODecodingError) {
            return try UTXOTransaction(bytes, on: network, bytesMax: Limits.transactionBytesMax)
        } catch { throw PaymentReviewError(.malformed, "the transaction cannot be read: \(error)") }
    }

    /// Gives what was signed before; where it may not be paid any more, all of `live`, so that
    /// another payment conflicts with each of them.
    private func again(
        _ entry: SignedEntry, _ live: [SignedEntry], _ request: SigningRequest,
        _ engine: borrowing Engine, _ coins: CoinTable
    ) throws(PaymentReviewError) -> SigningAnswer {
        do throws(PaymentReviewError) {
            return .signed(try givenOfCoins(entry, request, engine, coins))
        } catch {
            let isSame = entry.payment.withdrawals == request.withdrawals
            switch error.refusal {
            case .behind, .malformed, .otherKey: throw error
            // Nor may anything else be paid to these.
            case .notPayable where isSame: throw error
            default: break
            }
        }
        let answer = SigningAnswer.earlier(live.map(\.payment))
        guard live.count <= SigningAnswer.earlierMax,
            answer.json.compact.utf8.count <= SigningAnswer.textBytesMax
        else {
            throw PaymentReviewError(
                .signedBefore,
                "these withdrawals were signed before, by \(live.count) payments "
                    + "that cannot be paid as they are: fewer of them have to be paid at once")
        }
        return answer
    }

    /// Gives the last one where no other may be signed any more.
    private func lastAgain(
        _ live: [SignedEntry], _ request: SigningRequest, _ engine: borrowing Engine,
        _ coins: CoinTable
    ) throws(PaymentReviewError) -> SigningAnswer {
        if let last = live.last, let payment = try? givenOfCoins(last, request, engine, coins) {
            return .signed(payment)
        }
        throw PaymentReviewError(
            .signedBefore,
            "a withdrawal was signed \(Limits.replacementsMax + 1) times, and is not "
                + "signed again")
    }

    /// What was signed before: as it is where the log has it, for then everybody does; else if it
    /// may still be paid, in the place of what is replaced now.
    func givenOfCoins(
        _ entry: SignedEntry, _ request: SigningRequest, _ engine: borrowing Engine,
        _ coins: CoinTable
    ) throws(PaymentReviewError) -> SignedPayment {
        var payment = entry.payment
        guard payment.network == request.network, payment.asset == request.asset else {
            throw PaymentReviewError(.signedBefore, "the log has given the chain another number")
        }
        if engine.payment(payment.transaction) != nil { return payment }
        try Self.checkOwn(entry)
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
        _ = try ReviewedPayment.review(before, engine, coins, key: master, isSigned: true).get()
        return payment
    }

    /// What another host signed and the log has dropped is not given again: only another payment
    /// that conflicts with it.
    static func checkOwn(_ entry: SignedEntry) throws(PaymentReviewError) {
        if entry.isAdopted {
            throw PaymentReviewError(.signedBefore, "another host signed it, and it was dropped")
        }
    }

    /// Goes on to this moment.
    func meterAdvance(to now: SpendingMoment) { meter?.advance(to: now) }

    /// The limits' time, ns since 1970; 0 before the signer has met the log.
    var meterTime: Int64 { meter?.time ?? 0 }

    /// Counts what is signed.
    func take(_ limit: Text40, _ units: Int64, refill: Int64) {
        meter?.take(limit, units, refill: refill)
    }

    /// Whether the limit has room for so many base units.
    func admit(
        _ chain: Text40, _ units: Int64, _ now: SpendingMoment
    ) throws(PaymentReviewError) -> (capacity: Int64, refill: Int64) {
        guard let limit = limits[chain]?.units else {
            throw PaymentReviewError(
                .limit, "\(chain) has no limit, so nothing of it is signed: [signerd] limits")
        }
        meter?.advance(to: now)
        switch meter?.verdict(chain, units, capacity: limit.capacity, refill: limit.refill) {
        case .fits: return limit
        case .later(let nanos):
            let minutes = max(1, (nanos - 1) / 60_000_000_000 + 1)
            throw PaymentReviewError(
                .limit, "the limit of \(chain) is used up: it fits in \(minutes) minutes")
        case .never, nil:
            throw PaymentReviewError(
                .limit, "it is more than the limit of \(chain): [signerd] limits")
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
