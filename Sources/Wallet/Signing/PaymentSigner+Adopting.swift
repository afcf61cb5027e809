// What another host's signer signed binds this one as its own signatures do, and counts against its
// limits: each payment of the log that this seed has signed goes into the list.
//
// The log may hold any bytes, so only what has the signatures of the wallet's keys is taken. What
// this host itself signed and the list lacks is not taken while the log has it: such a list is an
// older copy, and may lack others that no log has.

internal import Addresses
internal import EVM
public import Engine
public import Journal
internal import Keys
public import Payments
internal import Terms
internal import UTXO
public import Wire

/// A payment of the log that the list lacks, until the signer begins.
struct LoggedPayment {
    /// Whether it is what the log says.
    enum Proof {
        /// Its signatures were not looked at.
        case unknown
        /// It is: this seed signed it, for these withdrawals.
        case proved
        /// It is not.
        case none
    }

    /// As the list would hold it; `leaving` and what follows are of no use where it is not proved.
    var entry: SignedEntry
    /// The replica id of the host that led when it came into the log.
    let leader: UInt128
    /// Whether it is what the log says.
    var proof: Proof
}

extension PaymentSigner {
    /// Bytes of payments that may wait for the signer to begin: what a list can hold.
    static var loggedBytesMax: Int { SignedList.bytesMax }

    /// Takes a record that `engine` and `coins` have just seen. Call `keepAdopted` before anything
    /// is signed. O(1) for all but payments that the list lacks.
    public func see(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine, _ coins: CoinTable, now: () -> SpendingMoment
    ) {
        stampMax = max(stampMax, header.timestamp)
        guard header.kind == CommandKind.signWithdrawals.rawValue, outcome.refusal == .none else {
            return
        }
        let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
        guard
            case .signWithdrawals(let c)? = unsafe Command(
                kind: .signWithdrawals, payload: payload)
        else { return }
        see(c, engine, coins, now: now)
    }

    /// Takes a payment that the log has now.
    func see(
        _ c: SignWithdrawals, _ engine: borrowing Engine, _ coins: CoinTable,
        now: () -> SpendingMoment
    ) {
        // What pays nobody is the wallet's own, and binds no withdrawal; what it brings to cold
        // storage that this host does not name counts.
        let isTransfer = c.withdrawals.isEmpty
        if isTransfer {
            let leaves = coins.coins(c.network)?.leaves(c.transaction, of: c.asset, engine, pins)
            guard leaves == true else { return }
        }
        guard list.fault == nil, !list.has(c.transaction),
            !list.forgotten.contains(c.transaction) || !hasBegun,
            !adopting.contains(where: { $0.payment.transaction == c.transaction }),
            let chain = coins.coins(c.network)?.chain ?? coins.account(c.network)?.chain
        else { return }
        var entry = SignedEntry(
            chain: chain,
            payment: SignedPayment(
                network: c.network, asset: c.asset, withdrawals: c.withdrawals,
                replaces: c.replaces, transaction: c.transaction, bytes: c.bytes),
            inputs: [], leaving: 0, counted: 0, time: max(stampMax, past.time),
            seen: SeenRecord(coins))
        entry.isAdopted = true
        // The log has its withdrawals as open now: a payment that pays somebody else binds others,
        // which the log hides.
        let pays = isTransfer || pays(c, engine, coins)
        if hasBegun {
            guard pays, let proved = proved(entry, coins) else { return }
            let moment = now()
            var counted = counted(proved)
            meterAdvance(to: moment)
            counted.time = min(counted.time, meterTime)
            count(counted)
            adopting.append(counted)
            return
        }
        // Who logs a forged twin first hides nothing with it.
        if logged[c.transaction] != nil {
            if isProved(c.transaction, coins) { return }
            loggedBytes -= logged[c.transaction]?.entry.payment.bytes.count ?? 0
        }
        var payment = LoggedPayment(
            entry: entry, leader: coins.leader, proof: pays ? .unknown : .none)
        // What the list has seen has counted.
        if pays, coins.sequence > list.seen.sequence {
            let now = now().host
            if mayCount(entry, now: now), let proved = proved(entry, coins) {
                (payment.entry, payment.proof) = (self.counted(proved), .proved)
                countPast(payment.entry, now: now)
            }
        }
        logged[c.transaction] = payment
        loggedBytes += c.bytes.count
        if loggedBytes > loggedBytesNext { prune(engine, coins) }
    }

    /// Whether a payment of `logged` is what the log says. What is proved later than it was seen
    /// has not counted.
    private func isProved(_ id: TransactionID, _ coins: CoinTable) -> Bool {
        guard var payment = logged[id] else { return false }
        if payment.proof == .unknown {
            if var entry = proved(payment.entry, coins) {
                entry.counted = 0
                entry.token?.counted = 0
                (payment.entry, payment.proof) = (entry, .proved)
            } else {
                payment.proof = .none
            }
            logged[id] = payment
        }
        return payment.proof == .proved
    }

    /// Whether a payment pays the withdrawals that the log has it under, and nobody else.
    private func pays(
        _ c: SignWithdrawals, _ engine: borrowing Engine, _ coins: CoinTable
    ) -> Bool {
        if let chain = coins.coins(c.network) {
            return chain.pays(c.bytes, c.withdrawals, of: c.asset, c.network, engine)
        }
        return coins.account(c.network)?.pays(
            c.bytes, c.withdrawals, of: c.asset, c.network, engine, assets) ?? false
    }

    /// Forgets those whose withdrawals are all closed: they bind nothing.
    private func prune(_ engine: borrowing Engine, _ coins: CoinTable) {
        var kept: [TransactionID: LoggedPayment] = [:]
        for (id, payment) in logged where Self.isOpen(payment.entry, engine, coins) {
            kept[id] = payment
        }
        logged = kept
        loggedBytes = kept.values.reduce(0) { $0 + $1.entry.payment.bytes.count }
        // Twice as many before it is looked again, so that a record costs O(1) in the mean.
        loggedBytesNext = max(1 << 20, 2 * loggedBytes)
    }

    /// Why the list does not fit the log; nil: it does. `isOwn` says whether a host of this replica
    /// id is this one; nil: it is not known yet.
    func obstacle(
        _ engine: borrowing Engine, _ coins: CoinTable, _ isOwn: (UInt128) -> Bool?
    ) -> String? {
        if loggedBytes > Self.loggedBytesMax { prune(engine, coins) }
        if loggedBytes > Self.loggedBytesMax {
            return "the log has more payments of open withdrawals than the list can hold"
        }
        var why: String?
        engine.forEachPayment { open in
            let isOurs =
                coins.coins(open.network)?.payments[open.id] != nil
                || coins.account(open.network)?.payments[open.id] != nil
            guard why == nil, isOurs, !list.has(open.id) else { return }
            if open.isTransfer {
                why = obstacle(transfer: open.id, coins, isOwn)
                return
            }
            let other = logged[open.id].map { isOwn($0.leader) }
            switch other {
            case .some(.some(false)) where !list.forgotten.contains(open.id):
                // What can never be final binds nothing.
                if isProved(open.id, coins) || Self.isDead(open.id, open.network, coins) { return }
                why =
                    "the log has the payment \(open.id.hex), and its bytes are not what this seed "
                    + "signed for its withdrawals: wait until it is settled or dropped"
            case .some(.none):
                why = "it is not known yet which host signed the payment \(open.id.hex)"
            default:
                why =
                    "the log has the payment \(open.id.hex), and the list of what was signed "
                    + "lacks it: is it an older copy? Restore the newest one, or wait until that "
                    + "payment is settled or dropped"
            }
        }
        return why
    }

    /// The same of one transfer. It pays nobody: its coins or its nonce alone keep it from being
    /// made twice. One of this host's own that counts is in the list.
    private func obstacle(
        transfer id: TransactionID, _ coins: CoinTable, _ isOwn: (UInt128) -> Bool?
    ) -> String? {
        guard let leader = logged[id]?.leader, !list.forgotten.contains(id), isProved(id, coins)
        else { return nil }
        switch isOwn(leader) {
        case .some(false): return nil
        case .none: return "it is not known yet which host signed the transfer \(id.hex)"
        case .some(true):
            return
                "the log has the transfer \(id.hex) to cold storage, and the list of what was "
                + "signed lacks it: is it an older copy? Restore the newest one, or wait until "
                + "that transfer is settled or dropped"
        }
    }

    /// Whether an open payment spends what is gone.
    private static func isDead(
        _ id: TransactionID, _ network: NetworkID, _ coins: CoinTable
    ) -> Bool {
        if let chain = coins.coins(network), let payment = chain.payments[id] {
            return payment.inputs.contains { chain.isGone($0) }
        }
        guard let account = coins.account(network), let payment = account.payments[id] else {
            return false
        }
        return account.isSpent(payment.nonce)
    }

    /// What of the log's payments is to be in the list from now on: those of open withdrawals, in
    /// the order of the log.
    func takeLogged(_ engine: borrowing Engine, _ coins: CoinTable) -> [SignedEntry] {
        prune(engine, coins)
        var all: [SignedEntry] = []
        for id in Array(logged.keys) where !list.forgotten.contains(id) && isProved(id, coins) {
            if let entry = logged[id]?.entry { all.append(entry) }
        }
        (logged, loggedBytes) = ([:], 0)
        return all.sorted { $0.seen.sequence < $1.seen.sequence }
    }

    /// Brings what was adopted into the list. Where it cannot be kept nothing is signed: the list's
    /// `fault` says why.
    public func keepAdopted(
        _ engine: borrowing Engine, _ coins: CoinTable, journal: JournalIdentity?
    ) {
        guard hasBegun, !adopting.isEmpty, list.fault == nil else { return }
        let entries = adopting
        adopting = []
        // Each addition is two writes that are synced; one file of many is two as well.
        guard entries.count <= 4, entries.allSatisfy(list.hasRoom) else {
            compact(engine, coins, journal, adding: entries)
            return
        }
        for entry in entries where list.hasRoom(for: entry) {
            guard list.append(entry) else { return }
        }
        let isWhole = entries.allSatisfy { list.has($0.payment.transaction) }
        if !isWhole { compact(engine, coins, journal, adding: entries) }
    }

    // MARK: What it is worth

    /// The entry with what it spends and takes out, once its signatures are proved; nil: it is not
    /// signed by this seed, or spends what is gone already.
    private func proved(_ entry: SignedEntry, _ coins: CoinTable) -> SignedEntry? {
        let payment = entry.payment
        var entry = entry
        if let chain = coins.coins(payment.network), isOwn(chain) {
            guard
                let found = chain.signatures(
                    payment.bytes, of: payment.transaction, paying: payment.withdrawals)
            else { return nil }
            (entry.inputs, entry.leaving) = (found.inputs, found.leaving)
        } else if let account = coins.account(payment.network), isOwn(account) {
            guard let signed = try? SignedEVMTransaction(decoding: payment.bytes),
                signed.id == payment.transaction, signed.sender == account.hot,
                signed.transaction.chainID == account.network.chainID,
                !account.isSpent(signed.transaction.nonce)
            else { return nil }
            entry.inputs = [OutPoint(account.hot, nonce: signed.transaction.nonce)]
            entry.leaving =
                signed.transaction.costMax.flatMap {
                    EVMSpending.units($0, decimals: EVMAsset.nativeDecimals)
                } ?? .max
            entry.token = token(signed.transaction, on: account.network)
        } else {
            return nil
        }
        entry.counted = entry.leaving
        return entry
    }

    /// What leaves of a token that the signer's list names.
    private func token(_ transaction: EVMTransaction, on network: EVMNetwork) -> TokenSpending? {
        for asset in assets.assets where asset.network == network {
            guard case .token(let contract) = asset.coin, contract == transaction.destination,
                let transfer = try? TokenTransfer(decoding: transaction.data),
                let limit = EVMSpending.limitName(asset)
            else { continue }
            let units = EVMSpending.units(transfer.amount, decimals: asset.decimals) ?? .max
            return TokenSpending(limit: limit, leaving: units, counted: units)
        }
        return nil
    }

    /// The entry with what of it counts: of payments of the very same withdrawals that all conflict
    /// the dearest one, as with the signer's own.
    private func counted(_ proved: SignedEntry) -> SignedEntry {
        var entry = proved
        let ids = entry.payment.withdrawals
        // Of transfers that share coins two may be final: each counts in full.
        if ids.isEmpty { return entry }
        var earlier = list.entries(paying: ids)
        earlier += adopting.filter { $0.payment.withdrawals == ids }
        // A payment of the same withdrawals in the log replaces one before it.
        var before = entry.payment.replaces
        while let other = logged[before], other.proof == .proved,
            earlier.count <= Limits.replacementsMax
        {
            earlier.append(other.entry)
            before = other.entry.payment.replaces
        }
        let verdict = EarlierSignatures.judge(
            entry.payment.transaction, spending: Set(entry.inputs), paying: ids, earlier,
            isDead: { _ in false })
        guard case .free(let replaced) = verdict, replaced > 0 else { return entry }
        entry.counted = max(0, entry.leaving - replaced)
        if var token = entry.token {
            let replaced = EarlierSignatures.replaced(
                token.limit, earlier.filter { $0.payment.withdrawals == ids })
            token.counted = max(0, token.leaving - replaced)
            entry.token = token
        }
        return entry
    }

    /// Whether something of a payment may still count: within the time in which two full buckets,
    /// one of each host, refill. So a start does not prove the signatures of a whole log.
    private func mayCount(_ entry: SignedEntry, now: Int64) -> Bool {
        let (passed, isFar) = now.subtractingReportingOverflow(entry.time)
        guard !isFar else { return true }
        let tokens = "\(entry.chain):"
        for (name, limit) in limits where name == entry.chain || "\(name)".hasPrefix(tokens) {
            guard let units = limit.units else { continue }
            let most = 2 * Int128(units.capacity) * SpendingMeter.hourNanos
            if units.refill <= 0 || Int128(passed) * Int128(units.refill) < most { return true }
        }
        return false
    }

    /// Counts what was signed before the signer began, at the time of its record and never later
    /// than now: a log's clock refills nothing.
    private func countPast(_ entry: SignedEntry, now: Int64) {
        let time = min(entry.time, now)
        for (name, units) in Self.amounts(entry) {
            let refill = limits[name]?.units?.refill ?? 0
            past.replay(name, units, at: time, refill: refill)
            if let most = mostUsed(name) { past.clamp(name, to: most, refill: refill) }
        }
    }

    private func count(_ entry: SignedEntry) {
        for (name, units) in Self.amounts(entry) {
            let refill = limits[name]?.units?.refill ?? 0
            meter?.take(name, units, at: entry.time, refill: refill)
            if let most = mostUsed(name) { meter?.clamp(name, to: most, refill: refill) }
        }
    }

    /// Two hosts have signed no more than two full buckets: whatever the log says beyond that does
    /// not stop this one any longer.
    private func mostUsed(_ limit: Text40) -> Int128? {
        limits[limit]?.units.map { 2 * Int128($0.capacity) }
    }

    /// What counts, by limit.
    private static func amounts(_ entry: SignedEntry) -> [(Text40, Int64)] {
        [(entry.chain, entry.counted)] + (entry.token.map { [($0.limit, $0.counted)] } ?? [])
    }

    // MARK: Whose keys

    /// Whether the account of a chain is this seed's.
    private func isOwn(_ chain: ChainCoins) -> Bool {
        isOwn(chain.key) {
            try? master.descendant(
                .hardened(84), .hardened(chain.network.coinType), .hardened(0)
            ).publicKey.text(isTest: chain.network.isTest)
        }
    }

    private func isOwn(_ account: EVMPayments) -> Bool {
        isOwn(account.key) {
            try? master.descendant(
                .hardened(44), .hardened(EVMNetwork.coinType), .hardened(0)
            ).publicKey.text(isTest: false)
        }
    }

    private func isOwn(_ key: String, _ derived: () -> String?) -> Bool {
        if let known = ownKeys[key] { return known }
        let isOwn = derived() == key
        if ownKeys.count < Limits.networksMax { ownKeys[key] = isOwn }
        return isOwn
    }
}
