// The rules of withdrawals in canonical form: waiting times; address books by account, each in the
// order of the log; changes of keys by account; limits and counted hours by account and asset. From
// rules 3 on. Terms by account, tier, asset and chain: from rules 4 on.

internal import Terms
internal import Wire

extension Engine {
    func writeWithdrawalRules(_ out: inout SnapshotSink) {
        out.writer.integer(withdrawalRules.addressDelay)
        out.writer.integer(withdrawalRules.keyFreeze)
        out.writer.integer(withdrawalRules.sweptRow.account)
        out.writer.integer(withdrawalRules.sweptRow.asset)
        out.writer.reserved(2)
        out.count(withdrawalRules.entryCount)
        for (_, book) in withdrawalRules.books.sorted(by: { $0.key < $1.key }) {
            for entry in book { write(entry, &out) }
        }
        out.count(withdrawalRules.keyChanges.count)
        for (account, time) in withdrawalRules.keyChanges.sorted(by: { $0.key < $1.key }) {
            out.writer.integer(UInt64(account))
            out.writer.integer(time)
            out.endPart()
        }
        out.count(withdrawalRules.limits.count)
        for (_, view) in withdrawalRules.limits.sorted(by: { $0.key < $1.key }) {
            out.writer.integer(view.account.number)
            out.writer.integer(view.asset.number)
            out.writer.integer(view.tier.map { $0 + 1 } ?? 0)
            out.writer.integer(UInt64(view.dayCountMax))
            out.writer.integer(view.amountMax.units)
            out.writer.integer(view.dayAmountMax.units)
            out.writer.integer(view.monthAmountMax.units)
            out.endPart()
        }
        out.count(withdrawalRules.counted.count)
        for row in withdrawalRules.order {
            let hours = withdrawalRules.counted[row] ?? CountedHours()
            out.writer.integer(row.account)
            out.writer.integer(row.asset)
            out.writer.integer(UInt16(hours.hours.count))
            for one in hours.hours {
                out.writer.integer(one.hour)
                out.writer.integer(UInt64(one.count))
                out.writer.integer(one.units)
            }
            out.endPart()
        }
    }

    private func write(_ v: BookEntryView, _ out: inout SnapshotSink) {
        out.writer.integer(v.account.number)
        out.writer.integer(v.network.number)
        out.writer.reserved(2)
        out.writer.text(v.address)
        out.writer.text(v.tag)
        out.writer.text(v.label)
        out.writer.integer(v.addedTime)
        out.writer.integer(v.usableTime)
        out.endPart()
    }

    mutating func readWithdrawalRules(_ r: inout WireReader) -> Bool {
        withdrawalRules.addressDelay = r.integer()
        withdrawalRules.keyFreeze = r.integer()
        let swept = WithdrawalRow(account: r.integer(), asset: r.integer())
        r.reserved(2)
        withdrawalRules.restore(sweptRow: swept)
        guard r.isValid, withdrawalRules.addressDelay <= Limits.withdrawalWaitMax,
            withdrawalRules.keyFreeze <= Limits.withdrawalWaitMax,
            isRow(swept) || swept == WithdrawalRow(account: 0, asset: 0),
            let entries = r.count(most: Limits.bookEntriesMax)
        else { return false }
        for _ in 0..<entries where !readBookEntry(&r) { return false }
        guard let changes = r.count(most: Int(accounts.count)) else { return false }
        for _ in 0..<changes {
            let account: UInt64 = r.integer()
            let time: Int64 = r.integer()
            r.endPart()
            guard r.isValid, let account = UInt32(exactly: account),
                hasAccount(AccountID(account)), 0...timestamp ~= time,
                withdrawalRules.keyChanges.updateValue(time, forKey: account) == nil
            else { return false }
        }
        guard let rows = r.count(most: Limits.withdrawalLimitsMax) else { return false }
        for _ in 0..<rows where !readLimits(&r) { return false }
        guard let counted = r.count(most: Limits.withdrawalCountsMax) else { return false }
        for _ in 0..<counted where !readCounted(&r) { return false }
        return r.isValid && checkWithdrawalRules() == nil
    }

    private mutating func readBookEntry(_ r: inout WireReader) -> Bool {
        let account = AccountID(r.integer())
        let network = NetworkID(r.integer())
        r.reserved(2)
        let entry = BookEntryView(
            AddWithdrawalAddress(
                account: account, network: network, address: r.text(), tag: r.text(),
                label: r.text(), audit: Audit(operatorName: Text40(), reason: "")),
            addedTime: r.integer(), usableTime: r.integer())
        r.endPart()
        guard r.isValid, hasAccount(account), custody.hasNetwork(network.number),
            !entry.address.isEmpty, 0...timestamp ~= entry.addedTime,
            entry.usableTime >= entry.addedTime
        else { return false }
        withdrawalRules.add(entry)
        return true
    }

    private mutating func readLimits(_ r: inout WireReader) -> Bool {
        let account = AccountID(r.integer())
        let asset = AssetID(r.integer())
        let tier: UInt16 = r.integer()
        let count: UInt64 = r.integer()
        let terms = SetWithdrawalLimits(
            account: account, tier: tier > 0 ? tier - 1 : nil, asset: asset,
            dayCountMax: UInt32(clamping: count),
            amountMax: r.owned(), dayAmountMax: r.owned(), monthAmountMax: r.owned(),
            audit: Audit(operatorName: Text40(), reason: ""))
        r.endPart()
        guard r.isValid, account.number == 0 || hasAccount(account), self.asset(asset) != nil,
            !terms.isEmpty, areLimitsValid(terms)
        else { return false }
        withdrawalRules.set(
            LimitsRow(account: account.number, tier: terms.tier, asset: asset.number),
            WithdrawalLimitsView(terms))
        return true
    }

    func writeWithdrawalTerms(_ out: inout SnapshotSink) {
        out.count(withdrawalRules.terms.count)
        for (_, view) in withdrawalRules.terms.sorted(by: { $0.key < $1.key }) {
            out.writer.integer(view.account.number)
            out.writer.integer(view.asset.number)
            out.writer.integer(view.tier.map { $0 + 1 } ?? 0)
            out.writer.integer(view.network.number)
            out.writer.reserved(6)
            out.writer.integer(view.minimum.units)
            out.writer.integer(view.fee.units)
            out.endPart()
        }
    }

    mutating func readWithdrawalTerms(_ r: inout WireReader) -> Bool {
        guard let rows = r.count(most: Limits.withdrawalTermsMax) else { return false }
        for _ in 0..<rows {
            let account = AccountID(r.integer())
            let asset = AssetID(r.integer())
            let tier: UInt16 = r.integer()
            let network = NetworkID(r.integer())
            r.reserved(6)
            let terms = SetWithdrawalTerms(
                account: account, tier: tier > 0 ? tier - 1 : nil, asset: asset, network: network,
                minimum: r.owned(), fee: r.owned(),
                audit: Audit(operatorName: Text40(), reason: ""))
            r.endPart()
            let key = NetworkKey(asset: asset.number, network: network.number)
            guard r.isValid, account.number == 0 || hasAccount(account),
                custody.networks[key] != nil, terms.minimum > .zero, areTermsValid(terms),
                withdrawalRules.terms[row(terms)] == nil
            else { return false }
            withdrawalRules.set(row(terms), WithdrawalTermsView(terms))
        }
        return r.isValid
    }

    private mutating func readCounted(_ r: inout WireReader) -> Bool {
        let (account, number): (UInt32, UInt16) = (r.integer(), r.integer())
        let count: UInt16 = r.integer()
        guard r.isValid, hasAccount(AccountID(account)), asset(AssetID(number)) != nil,
            count > 0, Int(count) <= CountedHours.most
        else { return false }
        var hours = CountedHours()
        for _ in 0..<count {
            let hour: Int64 = r.integer()
            let requests: UInt64 = r.integer()
            let one = CountedHour(
                hour: hour, count: UInt32(clamping: requests), units: r.integer())
            guard r.isValid, hours.restore(one) else { return false }
        }
        r.endPart()
        let row = WithdrawalRow(account: account, asset: number)
        return r.isValid && withdrawalRules.restore(row, hours)
    }

    private func isRow(_ row: WithdrawalRow) -> Bool {
        hasAccount(AccountID(row.account)) && asset(AssetID(row.asset)) != nil
    }
}
