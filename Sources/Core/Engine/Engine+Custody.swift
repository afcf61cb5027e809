// Custody: RULES.md, "Custody". Every amount has one owner: an account's `withdrawing` from the
// request on, the house's `inTransit` from the signing on, the outside and the fees from the
// settlement on.

internal import Slabs
internal import Terms
internal import Wire

extension Engine {
    // MARK: Operators

    mutating func setNetwork(_ c: SetNetwork) -> Outcome {
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if !areTermsValid(c) { return .refused(.termsInvalid) }
        let key = NetworkKey(asset: c.asset.number, network: c.network.number)
        // What does not ask for more than before makes nothing worse.
        let isMore = c.approvals > custody.networks[key]?.approvals ?? 0
        if !operators.isEmpty, isMore, !canApprove(c.approvals) { return .refused(.stateInvalid) }
        if custody.networks[key] == nil, custody.networks.count >= Limits.networksMax {
            return .refused(.tableFull)
        }
        if custody.networks.isEmpty { custody.reserve() }
        custody.networks[key] = NetworkView(c)
        events.append(.networkChanged(c.asset, c.network))
        return Outcome(id: UInt64(c.network.number))
    }

    /// Whether a network can have these terms.
    func areTermsValid(_ c: SetNetwork) -> Bool {
        let most = Limits.amountUnitsMax
        return c.network.number > 0 && c.confirmations > 0 && !c.name.isEmpty
            && c.approvals <= Limits.approvalsMax && 1...most ~= c.minimum.units
            && 0...most ~= c.fee.units && 0...most ~= c.approvalsAbove.units
    }

    mutating func decideWithdrawal(_ c: DecideWithdrawal) -> Outcome {
        if c.audit.operatorName.isEmpty { return .refused(.nameInvalid) }
        guard let withdrawal = custody.withdrawals[c.withdrawal.number] else {
            return .refused(.withdrawalUnknown)
        }
        return decide(withdrawal, by: c.audit.operatorName, approves: c.approves)
    }

    mutating func decide(
        _ withdrawal: WithdrawalView, by name: Text40, approves: Bool
    ) -> Outcome {
        if !approves {
            if withdrawal.status == .signed { return .refused(.stateInvalid) }
            return release(withdrawal, .refused)
        }
        if withdrawal.status != .requested { return .refused(.stateInvalid) }
        if name == withdrawal.requester || withdrawal.approvers.contains(name) {
            return .refused(.approvalInvalid)
        }
        let isLast = withdrawal.approvers.count + 1 >= Int(withdrawal.approvals)
        custody.change(withdrawal.id.number) {
            $0.approvers.append(name)
            if isLast { $0.status = .approved }
        }
        events.append(.withdrawalChanged(withdrawal.id, isLast ? .approved : .requested))
        return Outcome(id: withdrawal.id.number)
    }

    mutating func resumeWithdrawals(_ c: ResumeWithdrawals) -> Outcome {
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        if custody.stopped.remove(c.asset.number) == nil { return .refused(.stateInvalid) }
        events.append(.withdrawalsStopped(c.asset, isStopped: false))
        return Outcome(id: UInt64(c.asset.number))
    }

    // MARK: Traders

    mutating func assignAddress(_ c: AssignAddress) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        let (account, network) = (c.account.number, c.network.number)
        if !custody.hasNetwork(network) { return .refused(.networkUnknown) }
        if let index = custody.addressIndex(account, network) { return Outcome(id: UInt64(index)) }
        if custody.addressCount >= Limits.addressesMax { return .refused(.tableFull) }
        let index = custody.assign(account, network)
        events.append(.addressAssigned(account: c.account, network: c.network, index: index))
        return Outcome(id: UInt64(index))
    }

    mutating func requestWithdrawal(_ c: RequestWithdrawal) -> Outcome {
        // Before rules 3 there was no place for a key.
        if !c.keyID.isEmpty, rules < 3 { return .refused(.malformed) }
        if c.deadline != 0, timestamp > c.deadline { return .refused(.deadlinePassed) }
        if isKilled { return .refused(.venueKilled) }
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if accounts.slots[c.account.number].isKilled { return .refused(.accountKilled) }
        let rate = countMessage(c.account)
        if rate != .none { return .refused(rate) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        guard let network = network(c.asset, c.network, for: c.account) else {
            return .refused(.networkUnknown)
        }
        if c.address.isEmpty { return .refused(.addressInvalid) }
        if c.amount < network.minimum || c.amount.units > Limits.amountUnitsMax {
            return .refused(.amountInvalid)
        }
        if network.fee > c.feeMost { return .refused(.termsInvalid) }
        if !network.takesWithdrawals || custody.stopped.contains(c.asset.number) {
            return .refused(.withdrawalsStopped)
        }
        let reference = ReferenceHash.of(account: c.account, withdrawal: c.clientID, hashKey)
        if !c.clientID.isEmpty {
            if references.contains(reference) { return .refused(.referenceDuplicate) }
            // The rest is for what comes in: nobody stops deposits by asking and cancelling.
            if references.count >= references.capacity / 4 * 3 { return .refused(.tableFull) }
        }
        if rules >= 3, let refusal = withdrawalRefusal(of: c) { return .refused(refusal) }
        if custody.withdrawals.count >= Limits.withdrawalsMax
            || custody.openCount(c.account.number) >= Limits.withdrawalsOfAccountMax
        {
            return .refused(.tableFull)
        }
        let total = c.amount.units + network.fee.units
        if ledger.available(c.account.number, c.asset.number) < total {
            return .refused(.insufficientFunds)
        }
        if !c.clientID.isEmpty { references.insert(reference) }
        ledger.withdraw(c.account.number, c.asset.number, total)
        let isCounted = rules >= 3 && countWithdrawal(c)
        custody.lastWithdrawal += 1
        let id = WithdrawalID(custody.lastWithdrawal)
        let isAsked =
            c.amount > network.approvalsAbove || rules >= 3 && !isDestinationExpected(of: c)
        let approvals = isAsked ? network.approvals : 0
        let status: WithdrawalStatus = approvals == 0 ? .approved : .requested
        var view = WithdrawalView(
            id: id, c, status: status, approvals: approvals, fee: network.fee,
            createdTime: timestamp)
        view.isCounted = isCounted
        custody.open(view)
        events.append(.withdrawalChanged(id, status))
        return Outcome(id: id.number)
    }

    mutating func cancelWithdrawal(_ c: CancelWithdrawal) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        guard let withdrawal = custody.withdrawals[c.withdrawal.number],
            withdrawal.account == c.account
        else { return .refused(.withdrawalUnknown) }
        // What paid it may be final all the same: it is not its customer's to take back.
        if withdrawal.status == .signed || withdrawal.wasSigned { return .refused(.stateInvalid) }
        return release(withdrawal, .canceled)
    }

    /// Ends a withdrawal that nothing pays, and gives its money back, and to its customer's limits
    /// what they counted.
    private mutating func release(
        _ withdrawal: WithdrawalView, _ status: WithdrawalStatus
    ) -> Outcome {
        ledger.withdraw(
            withdrawal.account.number, withdrawal.asset.number, -withdrawal.total.units)
        if withdrawal.isCounted { uncount(withdrawal) }
        custody.close(withdrawal.id.number)
        events.append(.withdrawalChanged(withdrawal.id, status))
        return Outcome(id: withdrawal.id.number)
    }

    // MARK: The wallet

    mutating func noteDeposit(_ c: NoteDeposit) -> Outcome {
        if !hasAccount(c.account) { return .refused(.accountUnknown) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        let key = NetworkKey(asset: c.asset.number, network: c.network.number)
        if custody.networks[key] == nil { return .refused(.networkUnknown) }
        if !(1...Limits.amountUnitsMax ~= c.amount.units) { return .refused(.amountInvalid) }
        if isCredited(c.asset, c.network, c.transaction, c.output)
            || isCredited(c.asset, NetworkID(0), c.transaction, c.output)
        {
            return .refused(.referenceDuplicate)
        }
        events.append(.depositNoted(DepositNoted(c)))
        return Outcome(id: UInt64(c.account.number))
    }

    mutating func signWithdrawals(_ c: SignWithdrawals) -> Outcome {
        // A transfer; before rules 3 there were none.
        if c.withdrawals.isEmpty, rules < 3 { return .refused(.malformed) }
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        let key = NetworkKey(asset: c.asset.number, network: c.network.number)
        guard let network = custody.networks[key] else { return .refused(.networkUnknown) }
        if c.transaction == .none || c.bytes.isEmpty
            || zip(c.withdrawals, c.withdrawals.dropFirst()).contains(where: { $0 >= $1 })
        {
            return .refused(.termsInvalid)
        }
        let reference = ReferenceHash.of(settled: c.transaction, on: c.network, hashKey)
        if custody.payments[c.transaction] != nil || references.contains(reference) {
            return .refused(.referenceDuplicate)
        }
        let isFirst = c.replaces == .none
        if !isFirst {
            guard let replaced = custody.payments[c.replaces] else {
                return .refused(.transactionUnknown)
            }
            if replaced.withdrawals != c.withdrawals || replaced.network != c.network
                || replaced.asset != c.asset && !c.withdrawals.isEmpty
            {
                return .refused(.termsInvalid)
            }
        }
        for id in c.withdrawals {
            guard let withdrawal = custody.withdrawals[id.number],
                withdrawal.asset == c.asset, withdrawal.network == c.network
            else { return .refused(.withdrawalUnknown) }
        }
        if let first = c.withdrawals.first {
            if isFirst {
                if let refusal = refusal(ofSigning: c.withdrawals, network) {
                    return .refused(refusal)
                }
            } else if custody.payers(first.number).count > Limits.replacementsMax {
                return .refused(.tableFull)
            }
        } else if custody.transferCount >= Limits.transfersMax {
            return .refused(.tableFull)
        }
        if custody.payments.count >= Limits.transactionsMax { return .refused(.tableFull) }
        if isFirst {
            for id in c.withdrawals { move(id.number, to: .signed) }
        }
        custody.pay(
            PaymentView(
                id: c.transaction, asset: c.asset, network: c.network, replaces: c.replaces,
                sequence: sequence, withdrawals: c.withdrawals))
        events.append(.transactionSigned(c.transaction))
        return Outcome(id: UInt64(c.withdrawals.count))
    }

    /// Why withdrawals that are open cannot be signed for the first time.
    private func refusal(ofSigning ids: [WithdrawalID], _ network: NetworkView) -> Refusal? {
        if isKilled { return .venueKilled }
        let all = ids.compactMap { custody.withdrawals[$0.number] }
        if all.contains(where: { accounts.slots[$0.account.number].isKilled }) {
            return .accountKilled
        }
        if all.contains(where: { $0.status != .approved }) { return .stateInvalid }
        let isStopped = custody.stopped.contains(network.asset.number)
        return isStopped || !network.takesWithdrawals ? .withdrawalsStopped : nil
    }

    /// Takes a withdrawal's money from its account into transit, or back.
    private mutating func move(_ id: UInt64, to status: WithdrawalStatus) {
        guard let withdrawal = custody.withdrawals[id] else {
            preconditionFailure("a payment pays what is open")
        }
        let units = withdrawal.total.units
        ledger.transit(
            withdrawal.account.number, withdrawal.asset.number,
            status == .signed ? units : -units)
        let isDropped = status == .approved && rules >= 3
        custody.change(id) {
            $0.status = status
            if isDropped { $0.wasSigned = true }
        }
        events.append(.withdrawalChanged(withdrawal.id, status))
    }

    mutating func settleTransaction(_ c: SettleTransaction) -> Outcome {
        guard let payment = custody.payments[c.transaction] else {
            return .refused(.transactionUnknown)
        }
        if asset(c.costAsset) == nil { return .refused(.assetUnknown) }
        if !(0...Limits.amountUnitsMax ~= c.cost.units) || !canCost(c.costAsset, c.cost.units) {
            return .refused(.amountInvalid)
        }
        if references.isFull { return .refused(.tableFull) }
        references.insert(.of(settled: c.transaction, on: payment.network, hashKey))
        for withdrawal in custody.settle(payment) {
            ledger.settle(
                withdrawal.asset.number, amount: withdrawal.amount.units,
                fee: withdrawal.fee.units)
            events.append(.withdrawalChanged(withdrawal.id, .settled))
        }
        ledger.payChain(c.costAsset.number, c.cost.units)
        events.append(.transactionSettled(c.transaction))
        return Outcome(id: UInt64(payment.withdrawals.count))
    }

    /// Whether the chain's cost keeps the house's balances within their range.
    private func canCost(_ asset: AssetID, _ units: Int128) -> Bool {
        let house = ledger.house[Int(asset.number)]
        return house.external.units + units <= Limits.amountUnitsMax
            && house.chain.units - units >= -Limits.amountUnitsMax
    }

    mutating func dropTransaction(_ c: DropTransaction) -> Outcome {
        if custody.payments[c.transaction] == nil { return .refused(.transactionUnknown) }
        for id in custody.drop(c.transaction) { move(id.number, to: .approved) }
        events.append(.transactionDropped(c.transaction))
        return Outcome()
    }

    mutating func stopWithdrawals(_ c: StopWithdrawals) -> Outcome {
        if asset(c.asset) == nil { return .refused(.assetUnknown) }
        if custody.stopped.insert(c.asset.number).inserted {
            events.append(.withdrawalsStopped(c.asset, isStopped: true))
        }
        return Outcome(id: UInt64(c.asset.number))
    }
}

// MARK: What always holds

extension Engine {
    /// What accounts have in withdrawal and the house has in transit is what open withdrawals say,
    /// and each signed one is paid by a transaction. O(accounts × assets + withdrawals).
    func checkCustody() -> String? {
        let transfers = custody.payments.values.count { $0.isTransfer }
        if transfers != custody.transferCount {
            return "\(transfers) payments pay nothing, counted as \(custody.transferCount)"
        }
        for payment in custody.payments.values {
            for id in payment.withdrawals
            where !custody.payers(id.number).contains(payment.id) {
                return "payment \(payment.id.hex) pays withdrawal \(id.number) unknown to it"
            }
        }
        var held: [BalancePlace: Int128] = [:]
        var inTransit: [UInt16: Int128] = [:]
        for withdrawal in custody.withdrawals.values {
            let id = withdrawal.id.number
            let (account, asset) = (withdrawal.account.number, withdrawal.asset.number)
            let place = BalancePlace(account: account, asset: asset)
            let isSigned = withdrawal.status == .signed
            let before = (isSigned ? inTransit[asset] : held[place]) ?? 0
            let (sum, overflow) = before.addingReportingOverflow(withdrawal.total.units)
            if overflow { return "withdrawals are of more than there can be" }
            if isSigned { inTransit[asset] = sum } else { held[place] = sum }
            let payers = custody.payers(id)
            if payers.isEmpty == (withdrawal.status == .signed) {
                return "withdrawal \(id) is \(withdrawal.status), paid by \(payers.count)"
            }
        }
        if assetsUsed == 0 { return nil }
        for asset in 1...assetsUsed {
            let code = assets[Int(asset)].code
            let transit = ledger.house[Int(asset)].inTransit.units
            if transit != inTransit[asset] ?? 0 {
                return "\(transit) units of \(code) are in transit, "
                    + "withdrawals say \(inTransit[asset] ?? 0)"
            }
            for account in 0...accounts.count {
                let own = ledger.balance(account, asset).withdrawing.units
                let said = held[BalancePlace(account: account, asset: asset)] ?? 0
                if own != said {
                    return "account \(account) withdraws \(own) units of \(code), its "
                        + "withdrawals say \(said)"
                }
            }
        }
        return nil
    }
}

/// An account's balance of an asset.
private struct BalancePlace: Hashable {
    let account: UInt32
    let asset: UInt16
}
