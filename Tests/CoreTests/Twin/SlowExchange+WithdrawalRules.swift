// What customers may withdraw, and where to.

import Engine
import Terms
import Wire

/// An account and an asset.
struct SlowRow: Hashable, Comparable {
    var account: AccountID
    var asset: AssetID

    static func < (a: SlowRow, b: SlowRow) -> Bool {
        a.account.number == b.account.number
            ? a.asset.number < b.asset.number : a.account.number < b.account.number
    }
}

/// A request that limits count.
struct SlowCounted {
    var withdrawal: WithdrawalID
    var hour: Int64
    var units: Int128
    /// It was refused or canceled.
    var isGivenBack = false
}

extension SlowExchange {
    private var hour: Int64 { timestamp / 1_000_000_000 / 3_600 }

    private func later(_ seconds: UInt32) -> Int64 { timestamp + Int64(seconds) * 1_000_000_000 }

    // MARK: Operators

    func setWithdrawalPolicy(_ c: SetWithdrawalPolicy) -> Outcome {
        let most: UInt32 = 90 * 24 * 3_600
        if c.addressDelay > most || c.keyFreeze > most { return .refused(.termsInvalid) }
        (addressDelay, keyFreeze) = (c.addressDelay, c.keyFreeze)
        events.append(
            .withdrawalPolicyChanged(addressDelay: c.addressDelay, keyFreeze: c.keyFreeze))
        return Outcome()
    }

    func setWithdrawalLimits(_ c: SetWithdrawalLimits) -> Outcome {
        if account(c.account) == nil, c.account.number > 0 { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        let amounts = [c.amountMax, c.dayAmountMax, c.monthAmountMax]
        if amounts.contains(where: { $0.units < 0 || !isWithinRange($0.units) }) {
            return .refused(.termsInvalid)
        }
        if let tier = c.tier, c.account.number != 0 || UInt32(tier) >= limits.feeTiers {
            return .refused(.termsInvalid)
        }
        let others = withdrawalLimits.filter {
            $0.account != c.account || $0.tier != c.tier || $0.asset != c.asset
        }
        let isNone = c.dayCountMax == 0 && amounts.allSatisfy { $0.units == 0 }
        if !isNone, others.count == withdrawalLimits.count, others.count >= 16_384 {
            return .refused(.tableFull)
        }
        withdrawalLimits = isNone ? others : others + [WithdrawalLimitsView(c)]
        events.append(.withdrawalLimitsChanged(c.account, c.asset))
        return Outcome(id: UInt64(c.account.number))
    }

    func setWithdrawalTerms(_ c: SetWithdrawalTerms) -> Outcome {
        if account(c.account) == nil, c.account.number > 0 { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if network(c.asset, c.network) == nil { return .refused(.networkUnknown) }
        if c.account.number > 0, c.tier != nil { return .refused(.termsInvalid) }
        if c.account.number == 0, UInt32(c.tier ?? .max) >= limits.feeTiers {
            return .refused(.termsInvalid)
        }
        if c.minimum.units < 0 || !isWithinRange(c.minimum.units) || c.fee.units < 0
            || !isWithinRange(c.fee.units)
        {
            return .refused(.termsInvalid)
        }
        let others = withdrawalTerms.filter {
            $0.account != c.account || $0.tier != c.tier || $0.asset != c.asset
                || $0.network != c.network
        }
        if c.minimum.units == 0, c.fee.units > 0 { return .refused(.termsInvalid) }
        let isNew = others.count == withdrawalTerms.count
        if c.minimum.units > 0, isNew, others.count >= 16_384 { return .refused(.tableFull) }
        withdrawalTerms = c.minimum.units == 0 ? others : others + [WithdrawalTermsView(c)]
        events.append(.withdrawalTermsChanged(c.account, c.asset, c.network))
        return Outcome(id: UInt64(c.account.number))
    }

    /// The network's terms with what the account pays.
    func network(
        _ asset: AssetID, _ network: NetworkID, for account: AccountID
    ) -> NetworkView? {
        guard var view = self.network(asset, network) else { return nil }
        let rows = withdrawalTerms.filter {
            $0.asset == asset && ($0.network == network || flaw == .termsOfAnyChain)
        }
        let own = rows.first { $0.account == account && $0.account.number > 0 }
        let tier = rows.first {
            $0.tier != nil && $0.tier == self.account(account)?.view.tier
        }
        let row = flaw == .tierBeforeAccount ? tier ?? own : own ?? tier
        if let row, flaw != .ownTermsIgnored { (view.minimum, view.fee) = (row.minimum, row.fee) }
        return view
    }

    func addWithdrawalAddress(_ c: AddWithdrawalAddress) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if !networks.contains(where: { $0.network == c.network }) {
            return .refused(.networkUnknown)
        }
        if c.address.isEmpty { return .refused(.addressInvalid) }
        if entry(c.account, c.network, c.address, c.tag) != nil {
            return .refused(.referenceDuplicate)
        }
        if book.count(where: { $0.account == c.account }) >= 64 || book.count >= 65_536 {
            return .refused(.tableFull)
        }
        let delay = flaw == .newAddressAtOnce ? 0 : addressDelay
        book.append(BookEntryView(c, addedTime: timestamp, usableTime: later(delay)))
        events.append(.addressBookChanged(c.account, c.network, isAdded: true))
        return Outcome(id: UInt64(c.account.number))
    }

    func removeWithdrawalAddress(_ c: RemoveWithdrawalAddress) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        guard let found = entry(c.account, c.network, c.address, c.tag) else {
            return .refused(.addressNotListed)
        }
        book.removeAll { $0 == found }
        events.append(.addressBookChanged(c.account, c.network, isAdded: false))
        return Outcome(id: UInt64(c.account.number))
    }

    private func entry(
        _ account: AccountID, _ network: NetworkID, _ address: Text64, _ tag: Text40
    ) -> BookEntryView? {
        book.first {
            ($0.account == account || flaw == .bookOfAnybody) && $0.address == address
                && ($0.network == network || flaw == .bookOfAnyChain) && $0.tag == tag
        }
    }

    // MARK: Requests

    func keysChanged(_ account: AccountID) {
        if rules < 3 || flaw == .firstChangeFreezes && keyChanges[account] != nil { return }
        keyChanges[account] = timestamp
    }

    /// Until when a change of keys freezes.
    func thaw(_ account: AccountID) -> Int64? {
        keyChanges[account].map { $0 + Int64(keyFreeze) * 1_000_000_000 }
    }

    func isAgainstRules(_ c: RequestWithdrawal) -> Refusal? {
        if c.requester.isEmpty {
            let key = keys.first { $0.keyID == c.keyID }
            guard let key, key.account == c.account || flaw == .keyOfAnother,
                key.permissions.rawValue & 4 == 4
            else { return .apiKeyUnknown }
            if timestamp < thaw(c.account) ?? 0 { return .withdrawalsFrozen }
            if key.permissions.rawValue & 8 == 0 {
                guard let known = entry(c.account, c.network, c.address, c.tag) else {
                    return .addressNotListed
                }
                if timestamp < known.usableTime { return .addressDelayed }
            }
        } else if !c.keyID.isEmpty {
            return .termsInvalid
        }
        guard let limits = limits(c.account, c.asset) else { return nil }
        if isAbove(limits, c) { return .withdrawalLimit }
        if !isCounting(limits) || !c.requester.isEmpty { return nil }
        lookForRoom()
        return hasRoom(SlowRow(account: c.account, asset: c.asset)) ? nil : .tableFull
    }

    private func isCounting(_ limits: WithdrawalLimitsView) -> Bool {
        limits.dayCountMax > 0 || limits.dayAmountMax.units > 0 || limits.monthAmountMax.units > 0
    }

    private func hasRoom(_ row: SlowRow) -> Bool {
        counted[row] != nil || counted.count < 65_536
    }

    /// Of the next 32 rows those go whose month is over.
    private func lookForRoom() {
        let rows = counted.keys.sorted()
        let next = rows.filter { lookedAt == nil || $0 > lookedAt! }.prefix(32)
        lookedAt = next.last == rows.last ? nil : next.last
        for row in next where counted[row]!.allSatisfy({ $0.hour < hour - 720 }) {
            counted[row] = nil
        }
    }

    /// Whether a customer asks for what the book has not, or not yet.
    func goesAnywhere(_ c: RequestWithdrawal) -> Bool {
        guard c.requester.isEmpty, flaw != .anywhereUnasked else { return false }
        let usable = book.filter { $0.account == c.account && $0.usableTime <= timestamp }
        return !usable.contains {
            ($0.network, $0.address, $0.tag) == (c.network, c.address, c.tag)
        }
    }

    private func limits(_ account: AccountID, _ asset: AssetID) -> WithdrawalLimitsView? {
        let rows = withdrawalLimits.filter { $0.asset == asset }
        let tier = flaw == .everyTierIsTheFirst ? 0 : self.account(account)?.view.tier
        return rows.first { $0.account == account && $0.tier == nil }
            ?? rows.first { $0.tier == tier && tier != nil }
            ?? rows.first { $0.account.number == 0 && $0.tier == nil }
    }

    private func isAbove(_ limits: WithdrawalLimitsView, _ c: RequestWithdrawal) -> Bool {
        func isMore(_ units: Int128, than most: Amount) -> Bool {
            most.units > 0 && units > most.units
        }
        let used = counted(c.account, c.asset)
        return isMore(c.amount.units, than: limits.amountMax)
            || isMore(used.dayAmount.units + c.amount.units, than: limits.dayAmountMax)
            || isMore(used.monthAmount.units + c.amount.units, than: limits.monthAmountMax)
            || limits.dayCountMax > 0 && used.dayCount + 1 > UInt64(limits.dayCountMax)
    }

    /// The requests of the present hour and the 24 before; and all of each day whose last hour with
    /// one is within 720 hours.
    func counted(_ account: AccountID, _ asset: AssetID) -> WithdrawalCountView {
        let own = counted[SlowRow(account: account, asset: asset)] ?? []
        let back: Int64 = flaw == .dayIsShort ? 23 : 24
        let day = own.filter { $0.hour >= hour - back }
        let month = own.filter { one in
            own.filter { $0.hour / 24 == one.hour / 24 }.map(\.hour).max()! >= hour - 720
        }
        return WithdrawalCountView(
            dayCount: UInt64(day.count { !$0.isGivenBack }),
            dayAmount: Amount(units: Self.sum(day)),
            monthAmount: Amount(units: Self.sum(month)))
    }

    private static func sum(_ all: [SlowCounted]) -> Int128 {
        all.filter { !$0.isGivenBack }.reduce(0) { $0 + $1.units }
    }

    func count(_ c: RequestWithdrawal, as id: WithdrawalID) -> Bool {
        let row = SlowRow(account: c.account, asset: c.asset)
        guard let limits = limits(c.account, c.asset), isCounting(limits), hasRoom(row),
            flaw != .requestIsNotCounted
        else { return false }
        counted[row, default: []].append(
            SlowCounted(withdrawal: id, hour: hour, units: c.amount.units))
        return true
    }

    func uncount(_ view: WithdrawalView) {
        let row = SlowRow(account: view.account, asset: view.asset)
        for index in (counted[row] ?? []).indices
        where counted[row]![index].withdrawal == view.id {
            if flaw == .onlyThisHourIsGivenBack, counted[row]![index].hour < hour { return }
            counted[row]![index].isGivenBack = true
        }
    }
}
