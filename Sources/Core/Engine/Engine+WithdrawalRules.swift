// What customers may withdraw, and where to. RULES.md, "What customers may withdraw".

internal import Slabs
public import Terms
internal import Wire

extension Engine {
    // MARK: Operators

    mutating func setWithdrawalPolicy(_ c: SetWithdrawalPolicy) -> Outcome {
        if c.addressDelay > Limits.withdrawalWaitMax || c.keyFreeze > Limits.withdrawalWaitMax {
            return .refused(.termsInvalid)
        }
        withdrawalRules.addressDelay = c.addressDelay
        withdrawalRules.keyFreeze = c.keyFreeze
        events.append(
            .withdrawalPolicyChanged(addressDelay: c.addressDelay, keyFreeze: c.keyFreeze))
        return Outcome()
    }

    mutating func setWithdrawalLimits(_ c: SetWithdrawalLimits) -> Outcome {
        if c.account.number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        if !areLimitsValid(c) { return .refused(.termsInvalid) }
        let row = LimitsRow(account: c.account.number, tier: c.tier, asset: c.asset.number)
        if !c.isEmpty, withdrawalRules.limits[row] == nil,
            withdrawalRules.limits.count >= Limits.withdrawalLimitsMax
        {
            return .refused(.tableFull)
        }
        withdrawalRules.set(row, c.isEmpty ? nil : WithdrawalLimitsView(c))
        events.append(.withdrawalLimitsChanged(c.account, c.asset))
        return Outcome(id: UInt64(c.account.number))
    }

    func areLimitsValid(_ c: SetWithdrawalLimits) -> Bool {
        if let tier = c.tier, c.account.number > 0 || UInt32(tier) >= limits.feeTiers {
            return false
        }
        return [c.amountMax, c.dayAmountMax, c.monthAmountMax].allSatisfy {
            0...Limits.amountUnitsMax ~= $0.units
        }
    }

    mutating func setWithdrawalTerms(_ c: SetWithdrawalTerms) -> Outcome {
        if c.account.number != 0, !hasAccount(c.account) { return .refused(.accountUnknown) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        let key = NetworkKey(asset: c.asset.number, network: c.network.number)
        if custody.networks[key] == nil { return .refused(.networkUnknown) }
        if !areTermsValid(c) { return .refused(.termsInvalid) }
        let row = row(c)
        if c.minimum > .zero, withdrawalRules.terms[row] == nil,
            withdrawalRules.terms.count >= Limits.withdrawalTermsMax
        {
            return .refused(.tableFull)
        }
        withdrawalRules.set(row, c.minimum > .zero ? WithdrawalTermsView(c) : nil)
        events.append(.withdrawalTermsChanged(c.account, c.asset, c.network))
        return Outcome(id: UInt64(c.account.number))
    }

    func row(_ c: SetWithdrawalTerms) -> TermsRow {
        TermsRow(
            whose: LimitsRow(account: c.account.number, tier: c.tier, asset: c.asset.number),
            network: c.network.number)
    }

    /// Whether it is an account's or a tier's, and amounts that a network can have; what removes a
    /// row has no minimum.
    func areTermsValid(_ c: SetWithdrawalTerms) -> Bool {
        if (c.account.number > 0) == (c.tier != nil) { return false }
        if let tier = c.tier, UInt32(tier) >= limits.feeTiers { return false }
        if c.minimum == .zero, c.fee != .zero { return false }
        return [c.minimum, c.fee].allSatisfy { 0...Limits.amountUnitsMax ~= $0.units }
    }

    mutating func addWithdrawalAddress(_ c: AddWithdrawalAddress) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if !custody.hasNetwork(c.network.number) { return .refused(.networkUnknown) }
        if c.address.isEmpty { return .refused(.addressInvalid) }
        let account = c.account.number
        if withdrawalRules.entry(account, c.network, c.address, c.tag) != nil {
            return .refused(.referenceDuplicate)
        }
        let own = withdrawalRules.book(account).count
        if own >= Limits.bookEntriesOfAccountMax
            || withdrawalRules.entryCount >= Limits.bookEntriesMax
        {
            return .refused(.tableFull)
        }
        withdrawalRules.add(
            BookEntryView(
                c, addedTime: timestamp,
                usableTime: time(timestamp, after: withdrawalRules.addressDelay)))
        events.append(.addressBookChanged(c.account, c.network, isAdded: true))
        return Outcome(id: UInt64(account))
    }

    mutating func removeWithdrawalAddress(_ c: RemoveWithdrawalAddress) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        guard
            let entry = withdrawalRules.entry(c.account.number, c.network, c.address, c.tag)
        else { return .refused(.addressNotListed) }
        withdrawalRules.remove(entry)
        events.append(.addressBookChanged(c.account, c.network, isAdded: false))
        return Outcome(id: UInt64(c.account.number))
    }

    /// The log's time so many seconds later than one.
    private func time(_ time: Int64, after seconds: UInt32) -> Int64 {
        let (later, isOver) = time.addingReportingOverflow(Int64(seconds) * 1_000_000_000)
        return isOver ? .max : later
    }

    // MARK: Requests

    /// A key of the account was added or revoked. The time of that is kept, not that of the thaw:
    /// so a freeze that was set too long ends once the policy is shorter.
    mutating func freezeWithdrawals(_ account: AccountID) {
        if rules >= 3 { withdrawalRules.keyChanges[account.number] = timestamp }
    }

    /// Why a request is against the rules; nil: it is not.
    mutating func withdrawalRefusal(of c: RequestWithdrawal) -> Refusal? {
        if c.requester.isEmpty {
            if let refusal = keyRefusal(of: c) { return refusal }
        } else if !c.keyID.isEmpty {
            return .termsInvalid
        }
        guard let limits = withdrawalLimits(c.account, c.asset) else { return nil }
        if limits.amountMax > .zero, c.amount > limits.amountMax { return .withdrawalLimit }
        if !limits.counts { return nil }
        let row = WithdrawalRow(account: c.account.number, asset: c.asset.number)
        let used = withdrawalRules.count(row, at: hour)
        let isTooOften = limits.dayCountMax > 0 && used.dayCount >= UInt64(limits.dayCountMax)
        if isTooOften || isAbove(limits.dayAmountMax, used.dayAmount, c.amount)
            || isAbove(limits.monthAmountMax, used.monthAmount, c.amount)
        {
            return .withdrawalLimit
        }
        // A full table must not keep operators from paying customers out.
        if !c.requester.isEmpty { return nil }
        withdrawalRules.sweep(at: hour)
        return withdrawalRules.hasRoom(row) ? nil : .tableFull
    }

    /// Hours of the log's clock.
    private var hour: Int64 { timestamp / CountedHour.nanos }

    private func isAbove(_ most: Amount, _ used: Amount, _ amount: Amount) -> Bool {
        most > .zero && used.units + amount.units > most.units
    }

    /// Why a customer's key does not withdraw to there now.
    private func keyRefusal(of c: RequestWithdrawal) -> Refusal? {
        guard let key = keys.find(c.keyID), key.account == c.account,
            key.permissions.contains(.withdraw)
        else { return .apiKeyUnknown }
        if let thaw = withdrawalThaw(c.account), timestamp < thaw { return .withdrawalsFrozen }
        if key.permissions.contains(.withdrawAnywhere) { return nil }
        guard
            let entry = withdrawalRules.entry(c.account.number, c.network, c.address, c.tag)
        else { return .addressNotListed }
        return timestamp < entry.usableTime ? .addressDelayed : nil
    }

    /// Whether operators know where it goes: one of them asks, or the account's book has it, and it
    /// waits no more. What else customers' keys may do is only as good as the gateway, which names
    /// the key: who has the gateway names any.
    func isDestinationExpected(of c: RequestWithdrawal) -> Bool {
        if !c.requester.isEmpty { return true }
        let entry = withdrawalRules.entry(c.account.number, c.network, c.address, c.tag)
        return entry.map { $0.usableTime <= timestamp } ?? false
    }

    /// Counts a request that was taken; an operator's only where there is room. Returns whether it
    /// is counted.
    mutating func countWithdrawal(_ c: RequestWithdrawal) -> Bool {
        guard let limits = withdrawalLimits(c.account, c.asset), limits.counts else {
            return false
        }
        let row = WithdrawalRow(account: c.account.number, asset: c.asset.number)
        guard withdrawalRules.hasRoom(row) else { return false }
        withdrawalRules.count(row, units: c.amount.units, at: hour)
        return true
    }

    /// Takes back that a request was counted, as nothing left by it.
    mutating func uncount(_ withdrawal: WithdrawalView) {
        withdrawalRules.uncount(
            WithdrawalRow(account: withdrawal.account.number, asset: withdrawal.asset.number),
            units: withdrawal.amount.units, at: withdrawal.createdTime / CountedHour.nanos)
    }

    // MARK: What always holds

    /// No table exceeds its limit, and no destination is in a book twice.
    func checkWithdrawalRules() -> String? {
        var entries = 0
        for (account, book) in withdrawalRules.books {
            entries += book.count
            let places = Set(book.map { ["\($0.address)", "\($0.tag)", "\($0.network.number)"] })
            if book.isEmpty || book.count > Limits.bookEntriesOfAccountMax
                || places.count != book.count
                || book.contains(where: { $0.account.number != account })
            {
                return "the address book of account \(account) is wrong"
            }
        }
        if entries != withdrawalRules.entryCount || entries > Limits.bookEntriesMax {
            return "\(entries) destinations are counted as \(withdrawalRules.entryCount)"
        }
        if withdrawalRules.limits.count > Limits.withdrawalLimitsMax
            || withdrawalRules.terms.count > (rules < 4 ? 0 : Limits.withdrawalTermsMax)
            || withdrawalRules.counted.count > Limits.withdrawalCountsMax
        {
            return "a table of withdrawals is too long"
        }
        let order = withdrawalRules.order
        if order.count != withdrawalRules.counted.count
            || zip(order, order.dropFirst()).contains(where: { $0 >= $1 })
            || order.contains(where: { withdrawalRules.counted[$0] == nil })
        {
            return "the order of the counted rows is wrong"
        }
        for (row, hours) in withdrawalRules.counted
        where hours.hours.count > CountedHours.most || hours.hours.last?.hour ?? .max > hour {
            return "withdrawals of account \(row.account) are counted wrongly"
        }
        return nil
    }
}

// MARK: Reading

extension Engine {
    /// Seconds that a new destination of an address book waits.
    public var addressDelay: UInt32 { withdrawalRules.addressDelay }

    /// Seconds for which an account's own requests are refused after a change of its keys.
    public var keyFreeze: UInt32 { withdrawalRules.keyFreeze }

    /// An account's address book, in the order of the log.
    public borrowing func addressBook(_ account: AccountID) -> [BookEntryView] {
        withdrawalRules.book(account.number)
    }

    /// When an account's own requests are taken again under the present policy, on the log's clock;
    /// nil where its keys never changed under rules that freeze.
    public borrowing func withdrawalThaw(_ account: AccountID) -> Int64? {
        withdrawalRules.keyChanges[account.number].map {
            time($0, after: withdrawalRules.keyFreeze)
        }
    }

    /// The limits that count for an account: its own row, else its tier's, else that of all.
    /// Account 0: that of all.
    public borrowing func withdrawalLimits(
        _ account: AccountID, _ asset: AssetID
    ) -> WithdrawalLimitsView? {
        let tier = hasAccount(account) ? accounts.slots[account.number].tier : nil
        return withdrawalRules.limits(account.number, tier: tier, asset.number)
    }

    /// The limits that count for accounts of a tier that have no row of their own.
    public borrowing func withdrawalLimits(
        tier: UInt16, _ asset: AssetID
    ) -> WithdrawalLimitsView? { withdrawalRules.limits(0, tier: tier, asset.number) }

    /// An asset's network with the minimum and the fee that count for an account: by its own row,
    /// else by its tier's, else those of the network.
    public borrowing func network(
        _ asset: AssetID, _ network: NetworkID, for account: AccountID
    ) -> NetworkView? {
        let tier = hasAccount(account) ? accounts.slots[account.number].tier : nil
        return self.network(asset, network, account.number, tier: tier)
    }

    /// An asset's network with the minimum and the fee that count for accounts of a tier that have
    /// no row of their own.
    public borrowing func network(
        _ asset: AssetID, _ network: NetworkID, tier: UInt16
    ) -> NetworkView? { self.network(asset, network, 0, tier: tier) }

    private borrowing func network(
        _ asset: AssetID, _ network: NetworkID, _ account: UInt32, tier: UInt16?
    ) -> NetworkView? {
        let key = NetworkKey(asset: asset.number, network: network.number)
        guard var view = custody.networks[key] else { return nil }
        if let own = withdrawalRules.terms(account, tier: tier, key) {
            (view.minimum, view.fee) = (own.minimum, own.fee)
        }
        return view
    }

    /// The row of terms that counts for an account: its own, else its tier's; nil: those of the
    /// network count.
    public borrowing func withdrawalTerms(
        _ account: AccountID, _ asset: AssetID, _ network: NetworkID
    ) -> WithdrawalTermsView? {
        let tier = hasAccount(account) ? accounts.slots[account.number].tier : nil
        return withdrawalRules.terms(
            account.number, tier: tier,
            NetworkKey(asset: asset.number, network: network.number))
    }

    /// The row of terms that counts for accounts of a tier that have none of their own.
    public borrowing func withdrawalTerms(
        tier: UInt16, _ asset: AssetID, _ network: NetworkID
    ) -> WithdrawalTermsView? {
        withdrawalRules.terms(
            0, tier: tier, NetworkKey(asset: asset.number, network: network.number))
    }

    /// All rows of terms, by account, tier, asset and chain. O(rows × log).
    public borrowing func forEachWithdrawalTerms(_ body: (WithdrawalTermsView) -> Void) {
        for row in withdrawalRules.terms.sorted(by: { $0.key < $1.key }) { body(row.value) }
    }

    /// All rows of limits, by account, tier and asset. O(rows × log).
    public borrowing func forEachWithdrawalLimits(_ body: (WithdrawalLimitsView) -> Void) {
        for row in withdrawalRules.limits.sorted(by: { $0.key < $1.key }) { body(row.value) }
    }

    /// What the limits of an account count of an asset at the log's present time.
    public borrowing func withdrawalCount(
        _ account: AccountID, _ asset: AssetID
    ) -> WithdrawalCountView {
        withdrawalRules.count(
            WithdrawalRow(account: account.number, asset: asset.number),
            at: timestamp / CountedHour.nanos)
    }
}
