// Custody.

import Engine
import Terms
import Wire

/// An account's deposit address on a chain.
struct SlowAddress: Equatable {
    var account: AccountID
    var network: NetworkID
    var index: Int
}

extension SlowExchange {
    func network(_ asset: AssetID, _ network: NetworkID) -> NetworkView? {
        networks.first { $0.asset == asset && $0.network == network }
    }

    func withdrawal(_ id: WithdrawalID) -> WithdrawalView? { withdrawals.first { $0.id == id } }

    private func change(_ id: WithdrawalID, _ body: (inout WithdrawalView) -> Void) {
        body(&withdrawals[withdrawals.firstIndex { $0.id == id }!])
    }

    /// Moves an account's amount between what is available and what is being withdrawn.
    private func withdraw(_ account: AccountID, _ asset: AssetID, _ units: Int128) {
        let key = BalanceKey(account: account, asset: asset)
        var balance = balance(account, asset)
        balance.available.units -= units
        balance.withdrawing.units += units
        balances[key] = balance
    }

    // MARK: Operators

    func setNetwork(_ c: SetNetwork) -> Outcome {
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if c.network.number == 0 || c.confirmations == 0 || c.approvals > 8
            || c.minimum.units < 1 || c.fee.units < 0 || c.approvalsAbove.units < 0
            || ![c.minimum, c.fee, c.approvalsAbove].allSatisfy({ isWithinRange($0.units) })
        {
            return .refused(.termsInvalid)
        }
        let approvers = operators.filter(\.approves).count
        let before = networks.first { $0.asset == c.asset && $0.network == c.network }
        if !operators.isEmpty, c.approvals > before?.approvals ?? 0,
            approvers <= Int(c.approvals), flaw != .networkOfTooMany
        {
            return .refused(.stateInvalid)
        }
        let others = networks.filter { $0.asset != c.asset || $0.network != c.network }
        if others.count == networks.count, networks.count >= 256 { return .refused(.tableFull) }
        networks = others + [NetworkView(c)]
        events.append(.networkChanged(c.asset, c.network))
        return Outcome(id: UInt64(c.network.number))
    }

    func decideWithdrawal(_ c: DecideWithdrawal) -> Outcome {
        let name = c.audit.operatorName
        if name.isEmpty { return .refused(.nameInvalid) }
        guard let found = withdrawal(c.withdrawal) else { return .refused(.withdrawalUnknown) }
        return decide(found, name, c.approves)
    }

    func decide(_ withdrawal: WithdrawalView, _ name: Text40, _ approves: Bool) -> Outcome {
        var found = withdrawal
        if !approves {
            return found.status == .signed ? .refused(.stateInvalid) : end(found, .refused)
        }
        if found.status != .requested { return .refused(.stateInvalid) }
        if name == found.requester, flaw != .requesterApproves {
            return .refused(.approvalInvalid)
        }
        if found.approvers.contains(name), flaw != .approvedTwiceByOne {
            return .refused(.approvalInvalid)
        }
        found.approvers.append(name)
        let isEnough = found.approvers.count == Int(found.approvals)
        if isEnough { found.status = .approved }
        change(found.id) { $0 = found }
        events.append(.withdrawalChanged(found.id, isEnough ? .approved : .requested))
        return Outcome(id: found.id.number)
    }

    func resumeWithdrawals(_ c: ResumeWithdrawals) -> Outcome {
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if !stopped.contains(c.asset) { return .refused(.stateInvalid) }
        stopped.removeAll { $0 == c.asset }
        events.append(.withdrawalsStopped(c.asset, isStopped: false))
        return Outcome(id: UInt64(c.asset.number))
    }

    // MARK: Traders

    func assignAddress(_ c: AssignAddress) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if !networks.contains(where: { $0.network == c.network }) {
            return .refused(.networkUnknown)
        }
        let ofChain = addresses.filter { $0.network == c.network }
        if let known = ofChain.first(where: { $0.account == c.account }) {
            return Outcome(id: UInt64(known.index))
        }
        let index = ofChain.count + 1
        addresses.append(SlowAddress(account: c.account, network: c.network, index: index))
        events.append(
            .addressAssigned(account: c.account, network: c.network, index: UInt32(index)))
        return Outcome(id: UInt64(index))
    }

    func requestWithdrawal(_ c: RequestWithdrawal) -> Outcome {
        if rules < 3, !c.keyID.isEmpty { return .refused(.malformed) }
        if isPast(c.deadline) { return .refused(.deadlinePassed) }
        if isKilled { return .refused(.venueKilled) }
        guard let owner = account(c.account) else { return .refused(.accountUnknown) }
        if owner.view.isKilled { return .refused(.accountKilled) }
        if !countMessage(c.account) { return .refused(.messageRate) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        guard let terms = network(c.asset, c.network, for: c.account) else {
            return .refused(.networkUnknown)
        }
        if c.address.isEmpty { return .refused(.addressInvalid) }
        if c.amount < terms.minimum || !isWithinRange(c.amount.units) {
            return .refused(.amountInvalid)
        }
        if terms.fee > c.feeMost, flaw != .feeNotAgreed { return .refused(.termsInvalid) }
        if !terms.takesWithdrawals || stopped.contains(c.asset) && flaw != .stopIgnored {
            return .refused(.withdrawalsStopped)
        }
        let reference = SlowReference.withdrawal(c.account, c.clientID)
        if !c.clientID.isEmpty, flaw != .withdrawalDoubled {
            if references.contains(reference) { return .refused(.referenceDuplicate) }
            if references.count >= Int(limits.references) / 4 * 3 { return .refused(.tableFull) }
        }
        if rules > 2, let refusal = isAgainstRules(c) { return .refused(refusal) }
        if withdrawals.count >= 16_384
            || withdrawals.filter({ $0.account == c.account }).count >= 64
        {
            return .refused(.tableFull)
        }
        let total = c.amount.units + terms.fee.units
        if balance(c.account, c.asset).available.units < total {
            return .refused(.insufficientFunds)
        }
        if !c.clientID.isEmpty { remember(reference) }
        withdraw(c.account, c.asset, total)
        lastWithdrawal += 1
        let isCounted = rules > 2 && count(c, as: WithdrawalID(lastWithdrawal))
        let isHigh = c.amount > terms.approvalsAbove
        let needed = isHigh || rules > 2 && goesAnywhere(c) ? terms.approvals : 0
        var view = WithdrawalView(
            id: WithdrawalID(lastWithdrawal), c, status: needed > 0 ? .requested : .approved,
            approvals: needed, fee: terms.fee, createdTime: timestamp)
        view.isCounted = isCounted
        withdrawals.append(view)
        events.append(.withdrawalChanged(view.id, view.status))
        return Outcome(id: lastWithdrawal)
    }

    func cancelWithdrawal(_ c: CancelWithdrawal) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        guard let found = withdrawal(c.withdrawal), found.account == c.account else {
            return .refused(.withdrawalUnknown)
        }
        let wasSigned = found.wasSigned && flaw != .customerTakesSignedBack
        return found.status == .signed || wasSigned
            ? .refused(.stateInvalid) : end(found, .canceled)
    }

    /// Gives the money back.
    private func end(_ view: WithdrawalView, _ status: WithdrawalStatus) -> Outcome {
        let fee = flaw == .feeNotGivenBack ? 0 : view.fee.units
        withdraw(view.account, view.asset, -(view.amount.units + fee))
        withdrawals.removeAll { $0.id == view.id }
        if flaw != .canceledStillCounts { uncount(view) }
        events.append(.withdrawalChanged(view.id, status))
        return Outcome(id: view.id.number)
    }

    // MARK: The wallet

    func noteDeposit(_ c: NoteDeposit) -> Outcome {
        if account(c.account) == nil { return .refused(.accountUnknown) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if network(c.asset, c.network) == nil { return .refused(.networkUnknown) }
        if c.amount.units < 1 || !isWithinRange(c.amount.units) {
            return .refused(.amountInvalid)
        }
        let output = SlowReference.output(
            flaw == .outputOfAnyChain ? NetworkID(1) : c.network, c.asset, high: c.transaction.high,
            low: c.transaction.low, output: c.output)
        let before = SlowReference.output(
            NetworkID(0), c.asset, high: c.transaction.high, low: c.transaction.low,
            output: c.output)
        if references.contains(output) || references.contains(before) {
            return .refused(.referenceDuplicate)
        }
        events.append(.depositNoted(DepositNoted(c)))
        return Outcome(id: UInt64(c.account.number))
    }

    func signWithdrawals(_ c: SignWithdrawals) -> Outcome {
        let isTransfer = c.withdrawals.count == 0
        if isTransfer, rules <= 2, flaw != .transferBeforeItsRules { return .refused(.malformed) }
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        guard let terms = network(c.asset, c.network) else { return .refused(.networkUnknown) }
        let ids = c.withdrawals.map(\.number)
        if c.transaction == .none || c.bytes.isEmpty || ids != Set(ids).sorted() {
            return .refused(.termsInvalid)
        }
        if payments.contains(where: { $0.id == c.transaction })
            || references.contains(.settled(c.network, c.transaction)) && flaw != .settledAgain
        {
            return .refused(.referenceDuplicate)
        }
        let isFirst = c.replaces == .none
        if !isFirst {
            guard let before = payments.first(where: { $0.id == c.replaces }) else {
                return .refused(.transactionUnknown)
            }
            let isOther =
                isTransfer
                ? !before.withdrawals.isEmpty
                : before.withdrawals != c.withdrawals || before.asset != c.asset
            if isOther || before.network != c.network { return .refused(.termsInvalid) }
        }
        for id in c.withdrawals {
            let found = withdrawal(id)
            if found?.asset != c.asset || found?.network != c.network {
                return .refused(.withdrawalUnknown)
            }
        }
        if isTransfer {
            let others = payments.filter { $0.withdrawals.isEmpty }
            if others.count > 1_023 { return .refused(.tableFull) }
        } else if isFirst {
            if isKilled { return .refused(.venueKilled) }
            let all = c.withdrawals.map { withdrawal($0)! }
            if all.contains(where: { account($0.account)!.view.isKilled }) {
                return .refused(.accountKilled)
            }
            let isReady = all.allSatisfy {
                $0.status == .approved || flaw == .replacedIsPaidAgain && $0.status == .signed
            }
            if !isReady { return .refused(.stateInvalid) }
        } else if payments.filter({ $0.withdrawals == c.withdrawals }).count > 15 {
            return .refused(.tableFull)
        }
        if isFirst, !isTransfer, !terms.takesWithdrawals || stopped.contains(c.asset) {
            if flaw != .stopIgnoredInSigning { return .refused(.withdrawalsStopped) }
        }
        if payments.count >= 4_096 { return .refused(.tableFull) }
        if isFirst { for id in c.withdrawals { carry(id, .signed) } }
        payments.append(
            PaymentView(
                id: c.transaction, asset: c.asset, network: c.network, replaces: c.replaces,
                sequence: sequence, withdrawals: c.withdrawals))
        events.append(.transactionSigned(c.transaction))
        return Outcome(id: UInt64(c.withdrawals.count))
    }

    /// Between an account's withdrawals and what is in transit.
    private func carry(_ id: WithdrawalID, _ status: WithdrawalStatus) {
        let view = withdrawal(id)!
        let units = (status == .signed ? 1 : -1) * (view.amount.units + view.fee.units)
        withdraw(view.account, view.asset, -units)
        post(view.account, view.asset, available: -units)
        houses[Int(view.asset.number) - 1].inTransit.units += units
        change(id) { $0.status = status }
        if status == .approved, rules > 2 { change(id) { $0.wasSigned = true } }
        events.append(.withdrawalChanged(id, status))
    }

    func settleTransaction(_ c: SettleTransaction) -> Outcome {
        guard let payment = payments.first(where: { $0.id == c.transaction }) else {
            return .refused(.transactionUnknown)
        }
        if assetOrNil(c.costAsset) == nil { return .refused(.assetUnknown) }
        let house = Int(c.costAsset.number) - 1
        if c.cost.units < 0 || !isWithinRange(c.cost.units)
            || houses[house].external.units + c.cost.units > Limits.amountUnitsMax
            || houses[house].chain.units - c.cost.units < -Limits.amountUnitsMax
        {
            return .refused(.amountInvalid)
        }
        if references.count >= Int(limits.references) { return .refused(.tableFull) }
        remember(.settled(payment.network, payment.id))
        for id in payment.withdrawals {
            let view = withdrawal(id)!
            let index = Int(view.asset.number) - 1
            houses[index].inTransit.units -= view.amount.units + view.fee.units
            houses[index].external.units += view.amount.units
            houses[index].fees.units += view.fee.units
            events.append(.withdrawalChanged(id, .settled))
        }
        withdrawals.removeAll { payment.withdrawals.contains($0.id) }
        if payment.isTransfer, flaw == .transfersEndTogether {
            payments.removeAll(where: \.isTransfer)
        }
        payments.removeAll {
            flaw == .replacedSurvives || payment.withdrawals.isEmpty
                ? $0.id == payment.id : !Set($0.withdrawals).isDisjoint(with: payment.withdrawals)
        }
        houses[house].external.units += c.cost.units
        if flaw == .costIsCharged {
            houses[house].fees.units -= c.cost.units
        } else {
            houses[house].chain.units -= c.cost.units
        }
        events.append(.transactionSettled(c.transaction))
        return Outcome(id: UInt64(payment.withdrawals.count))
    }

    func dropTransaction(_ c: DropTransaction) -> Outcome {
        guard let payment = payments.first(where: { $0.id == c.transaction }) else {
            return .refused(.transactionUnknown)
        }
        payments.removeAll { $0.id == c.transaction }
        for id in payment.withdrawals
        where !payments.contains(where: { $0.withdrawals.contains(id) }) {
            if flaw != .droppedStaysInTransit { carry(id, .approved) }
        }
        events.append(.transactionDropped(c.transaction))
        return Outcome()
    }

    // MARK: Chains

    func chain(_ network: NetworkID) -> ChainView? { chains.first { $0.network == network } }

    func setColdStorage(_ c: SetColdStorage) -> Outcome {
        let isKnown = networks.contains { $0.asset == c.asset && $0.network == c.network }
        if !isKnown, flaw != .coldForNobody { return .refused(.networkUnknown) }
        let (ceiling, target) = (c.ceiling.units, c.target.units)
        let isValid = ceiling > 0 && ceiling <= 1 << 120 && target >= 0 && target <= ceiling
        if c.descriptor != "", !isValid { return .refused(.termsInvalid) }
        let isKept = c.descriptor == "" && flaw == .coldIsKept
        if !isKept { coldStorages.removeAll { $0.asset == c.asset && $0.network == c.network } }
        if c.descriptor != "" { coldStorages.append(ColdStorageView(c)) }
        events.append(.coldStorageChanged(c.asset, c.network))
        return Outcome(id: UInt64(c.network.number))
    }

    func setChain(_ c: SetChain) -> Outcome {
        if c.network.number == 0 || c.chain.isEmpty || c.key.isEmpty || c.firstBlock < 1
            || c.firstBlock > 1 << 53
        {
            return .refused(.termsInvalid)
        }
        let others = chains.filter { $0.network != c.network }
        if others.contains(where: { $0.chain == c.chain && $0.key == c.key }),
            flaw != .chainTwice
        {
            return .refused(.referenceDuplicate)
        }
        if let known = chain(c.network) {
            let hasAddresses = addresses.contains { $0.network == c.network }
            let isOther = known.chain != c.chain || known.key != c.key
            if hasAddresses, isOther, flaw != .keyIsReplaced { return .refused(.stateInvalid) }
        } else if others.count >= 256 {
            return .refused(.tableFull)
        }
        var view = ChainView(c, record: sequence)
        if flaw == .readAgainIsForgotten, let known = chain(c.network) {
            view.check(known.checkedHeight, known.checkedBlock, .credited)
        }
        chains = (others + [view]).sorted { $0.network < $1.network }
        events.append(.chainChanged(c.network))
        return Outcome(id: UInt64(c.network.number))
    }

    func checkBlock(_ c: CheckBlock) -> Outcome {
        guard let at = chains.firstIndex(where: { $0.network == c.network }) else {
            return .refused(.networkUnknown)
        }
        if c.block == .none || c.height > 1 << 53 { return .refused(.termsInvalid) }
        let isLater = c.height > chains[at].checkedHeight && c.height >= chains[at].firstBlock
        if !isLater, flaw != .blockGoesBack { return .refused(.stateInvalid) }
        if c.chainRecord != chains[at].record, flaw != .checkOfBefore {
            return .refused(.stateInvalid)
        }
        let known = addresses.count { $0.network == c.network }
        if c.addresses < known, flaw != .addressesIgnored { return .refused(.stateInvalid) }
        let final = chains[at].finalHeight
        if c.stage == .final, c.height < final, flaw != .finalGoesBack {
            return .refused(.stateInvalid)
        }
        if c.height == final, c.block != chains[at].finalBlock, flaw != .finalIsReplaced {
            return .refused(.stateInvalid)
        }
        chains[at].check(c.height, c.block, c.stage)
        events.append(.blockChecked(c.network, c.stage, height: c.height, c.block))
        return Outcome(id: UInt64(c.network.number))
    }

    func stopWithdrawals(_ c: StopWithdrawals) -> Outcome {
        if assetOrNil(c.asset) == nil { return .refused(.assetUnknown) }
        if !stopped.contains(c.asset) {
            stopped.append(c.asset)
            events.append(.withdrawalsStopped(c.asset, isStopped: true))
        }
        return Outcome(id: UInt64(c.asset.number))
    }
}
