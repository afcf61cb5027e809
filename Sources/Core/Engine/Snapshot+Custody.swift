// Custody's part of the state, in canonical form: last withdrawal; networks by asset and chain;
// chains by network; assets that are stopped; addresses by chain and index; withdrawals by id;
// payments by the log's record.

internal import Terms
internal import Wire

extension Engine {
    func writeCustody(_ out: inout SnapshotSink) {
        out.writer.integer(custody.lastWithdrawal)
        out.count(custody.networks.count)
        for network in custody.networks.sorted(by: { $0.key < $1.key }).map(\.value) {
            write(network, &out)
        }
        out.count(custody.chains.count)
        for chain in custody.chains.sorted(by: { $0.key < $1.key }).map(\.value) {
            write(chain, &out)
        }
        out.count(custody.stopped.count)
        for asset in custody.stopped.sorted() {
            out.writer.integer(asset)
            out.endPart()
        }
        let chains = custody.addresses.sorted { $0.key < $1.key }
        out.count(chains.count)
        for (network, accounts) in chains {
            out.writer.integer(UInt64(network))
            out.count(accounts.count)
            for account in accounts {
                out.writer.integer(account)
                out.endPart()
            }
        }
        out.count(custody.withdrawals.count)
        for withdrawal in custody.withdrawals.values.sorted(by: { $0.id < $1.id }) {
            write(withdrawal, &out)
        }
        out.count(custody.payments.count)
        for payment in custody.payments.values.sorted(by: { $0.sequence < $1.sequence }) {
            write(payment, &out)
        }
    }

    private func write(_ v: NetworkView, _ out: inout SnapshotSink) {
        out.writer.integer(v.asset.number)
        out.writer.integer(v.network.number)
        out.flag(v.takesDeposits)
        out.flag(v.takesWithdrawals)
        out.writer.integer(v.approvals)
        out.writer.reserved(1)
        out.writer.integer(UInt64(v.confirmations))
        out.writer.integer(v.minimum.units)
        out.writer.integer(v.fee.units)
        out.writer.integer(v.approvalsAbove.units)
        out.writer.text(v.name)
        out.endPart()
    }

    private func write(_ v: ChainView, _ out: inout SnapshotSink) {
        out.writer.integer(v.network.number)
        out.writer.integer(v.firstBlock)
        out.writer.integer(v.record)
        out.writer.text(v.chain)
        out.writer.string(v.key)
        out.writer.integer(v.checkedHeight)
        out.writer.integer(v.checkedBlock.high)
        out.writer.integer(v.checkedBlock.low)
        out.writer.integer(v.finalHeight)
        out.writer.integer(v.finalBlock.high)
        out.writer.integer(v.finalBlock.low)
        out.endPart()
    }

    private func write(_ v: WithdrawalView, _ out: inout SnapshotSink) {
        out.writer.integer(v.id.number)
        out.writer.integer(v.account.number)
        out.writer.integer(v.asset.number)
        out.writer.integer(v.network.number)
        out.writer.choice(v.status)
        out.writer.integer(v.approvals)
        out.writer.integer(UInt16(v.approvers.count))
        // Before rules 3 neither was remembered, and the bytes were reserved.
        out.writer.flag(v.wasSigned)
        out.writer.flag(v.isCounted)
        out.writer.reserved(2)
        out.writer.integer(v.amount.units)
        out.writer.integer(v.fee.units)
        out.writer.text(v.address)
        out.writer.text(v.tag)
        out.writer.text(v.clientID)
        out.writer.text(v.requester)
        out.writer.integer(v.createdTime)
        for name in v.approvers { out.writer.text(name) }
        out.endPart()
    }

    private func write(_ v: PaymentView, _ out: inout SnapshotSink) {
        out.writer.transaction(v.id)
        out.writer.transaction(v.replaces)
        out.writer.integer(v.sequence)
        out.writer.integer(v.asset.number)
        out.writer.integer(v.network.number)
        out.writer.integer(UInt32(v.withdrawals.count))
        for id in v.withdrawals { out.writer.integer(id.number) }
        out.endPart()
    }

    mutating func readCustody(_ r: inout WireReader) -> Bool {
        custody.lastWithdrawal = r.integer()
        guard custody.lastWithdrawal <= sequence, let networks = r.count(most: Limits.networksMax)
        else { return false }
        if networks > 0 { custody.reserve() }
        for _ in 0..<networks where !readNetwork(&r) { return false }
        guard let known = r.count(most: Limits.networksMax) else { return false }
        for _ in 0..<known where !readChain(&r) { return false }
        guard let stopped = r.count(most: Int(assetsUsed)) else { return false }
        for _ in 0..<stopped {
            let number: UInt16 = r.integer()
            r.endPart()
            guard r.isValid, asset(AssetID(number)) != nil else { return false }
            custody.stopped.insert(number)
        }
        guard let chains = r.count(most: Limits.networksMax) else { return false }
        for _ in 0..<chains where !readAddresses(&r) { return false }
        guard let withdrawals = r.count(most: Limits.withdrawalsMax) else { return false }
        for _ in 0..<withdrawals where !readWithdrawal(&r) { return false }
        guard let payments = r.count(most: Limits.transactionsMax) else { return false }
        var last: UInt64 = 0
        for _ in 0..<payments where !readPayment(&r, &last) { return false }
        return r.isValid
    }

    private mutating func readNetwork(_ r: inout WireReader) -> Bool {
        let asset = AssetID(r.integer())
        let network = NetworkID(r.integer())
        let (takesDeposits, takesWithdrawals) = (r.flag(), r.flag())
        let approvals: UInt8 = r.integer()
        r.reserved(1)
        let confirmations = UInt32(clamping: r.integer(UInt64.self))
        let terms = SetNetwork(
            asset: asset, network: network, takesDeposits: takesDeposits,
            takesWithdrawals: takesWithdrawals, approvals: approvals,
            confirmations: confirmations, minimum: r.owned(), fee: r.owned(),
            approvalsAbove: r.owned(), name: r.text(),
            audit: Audit(operatorName: Text40(), reason: ""))
        r.endPart()
        guard r.isValid, self.asset(asset) != nil, areTermsValid(terms) else { return false }
        custody.networks[NetworkKey(asset: asset.number, network: network.number)] =
            NetworkView(terms)
        return true
    }

    private mutating func readChain(_ r: inout WireReader) -> Bool {
        let network = NetworkID(r.integer())
        let (firstBlock, record): (UInt64, UInt64) = (r.integer(), r.integer())
        let terms = SetChain(
            network: network, firstBlock: firstBlock, chain: r.text(),
            key: r.string(most: Limits.chainKeyBytesMax),
            audit: Audit(operatorName: Text40(), reason: ""))
        let height: UInt64 = r.integer()
        let block = BlockID(high: r.integer(), low: r.integer())
        let finalHeight: UInt64 = r.integer()
        let final = BlockID(high: r.integer(), low: r.integer())
        r.endPart()
        guard r.isValid, areTermsValid(terms), custody.chains[network.number] == nil,
            !isElsewhere(terms), 1...sequence ~= record,
            height <= Limits.blockMax, (height == 0) == (block == .none),
            height == 0 || height >= terms.firstBlock,
            finalHeight <= Limits.blockMax, (finalHeight == 0) == (final == .none),
            finalHeight >= height, finalHeight == 0 || finalHeight >= terms.firstBlock,
            finalHeight != height || final == block
        else { return false }
        var chain = ChainView(terms, record: record)
        if height > 0 { chain.check(height, block, .credited) }
        if finalHeight > 0 { chain.check(finalHeight, final, .final) }
        custody.chains[network.number] = chain
        return true
    }

    /// Where coins are kept that the host does not need, by asset and chain. From rules 3 on.
    func writeColdStorage(_ out: inout SnapshotSink) {
        out.count(custody.cold.count)
        for (_, view) in custody.cold.sorted(by: { $0.key < $1.key }) {
            out.writer.integer(view.asset.number)
            out.writer.integer(view.network.number)
            out.writer.reserved(4)
            out.writer.integer(view.ceiling.units)
            out.writer.integer(view.target.units)
            out.writer.string(view.descriptor)
            out.endPart()
        }
    }

    mutating func readColdStorage(_ r: inout WireReader) -> Bool {
        guard let rows = r.count(most: Limits.networksMax) else { return false }
        for _ in 0..<rows {
            let (asset, network) = (AssetID(r.integer()), NetworkID(r.integer()))
            r.reserved(4)
            let terms = SetColdStorage(
                asset: asset, network: network, ceiling: Amount(units: r.integer()),
                target: Amount(units: r.integer()),
                descriptor: r.string(most: Limits.coldKeyBytesMax),
                audit: Audit(operatorName: Text40(), reason: ""))
            r.endPart()
            let key = NetworkKey(asset: asset.number, network: network.number)
            guard r.isValid, custody.networks[key] != nil, areTermsValid(terms),
                custody.cold.updateValue(ColdStorageView(terms), forKey: key) == nil
            else { return false }
        }
        return true
    }

    private mutating func readAddresses(_ r: inout WireReader) -> Bool {
        let network: UInt64 = r.integer()
        guard let network = UInt16(exactly: network), custody.hasNetwork(network),
            let count = r.count(most: Limits.addressesMax - custody.addressCount), count > 0
        else { return false }
        for _ in 0..<count {
            let account: UInt32 = r.integer()
            r.endPart()
            guard r.isValid, hasAccount(AccountID(account)),
                custody.addressIndex(account, network) == nil
            else { return false }
            _ = custody.assign(account, network)
        }
        return true
    }

    private mutating func readWithdrawal(_ r: inout WireReader) -> Bool {
        let id: UInt64 = r.integer()
        let account = AccountID(r.integer())
        let (asset, network) = (AssetID(r.integer()), NetworkID(r.integer()))
        let status = r.choice(WithdrawalStatus.requested)
        let approvals: UInt8 = r.integer()
        let approvers: UInt16 = r.integer()
        let (wasSigned, isCounted) = (r.flag(), r.flag())
        r.reserved(2)
        let (amount, fee) = (r.owned(), r.owned())
        let request = RequestWithdrawal(
            account: account, asset: asset, network: network, amount: amount, address: r.text(),
            tag: r.text(), clientID: r.text(), requester: r.text())
        var view = WithdrawalView(
            id: WithdrawalID(id), request, status: status, approvals: approvals, fee: fee,
            createdTime: r.integer())
        (view.wasSigned, view.isCounted) = (wasSigned, isCounted)
        guard r.isValid, approvers <= approvals, approvals <= Limits.approvalsMax,
            !wasSigned || rules >= 3 && status != .requested, !isCounted || rules >= 3
        else { return false }
        for _ in 0..<approvers { view.approvers.append(r.text()) }
        r.endPart()
        let names = Set(view.approvers + [view.requester])
        guard r.isValid, !view.approvers.contains(where: \.isEmpty), hasAccount(account),
            id >= 1, id <= custody.lastWithdrawal,
            custody.withdrawals[id] == nil, status.rawValue <= WithdrawalStatus.signed.rawValue,
            (approvers < approvals) == (status == .requested), !view.address.isEmpty,
            custody.networks[NetworkKey(asset: asset.number, network: network.number)] != nil,
            custody.openCount(account.number) < Limits.withdrawalsOfAccountMax,
            names.count == view.approvers.count + 1, view.createdTime >= 0,
            view.createdTime <= timestamp,
            amount.units > 0
        else { return false }
        custody.open(view)
        return true
    }

    /// `last` is the record of the payment before.
    private mutating func readPayment(_ r: inout WireReader, _ last: inout UInt64) -> Bool {
        let (id, replaces) = (r.transaction(), r.transaction())
        let sequence: UInt64 = r.integer()
        let (asset, network) = (AssetID(r.integer()), NetworkID(r.integer()))
        let count: UInt32 = r.integer()
        guard r.isValid, count <= UInt32(Limits.payeesMax), count > 0 || rules >= 3, id != .none,
            custody.payments[id] == nil, id != replaces, sequence > last,
            sequence <= self.sequence
        else { return false }
        last = sequence
        var withdrawals: [WithdrawalID] = []
        for _ in 0..<count { withdrawals.append(WithdrawalID(r.integer())) }
        r.endPart()
        let isPaid = withdrawals.allSatisfy {
            let withdrawal = custody.withdrawals[$0.number]
            return withdrawal?.status == .signed && withdrawal?.asset == asset
                && withdrawal?.network == network
        }
        let isAscending = zip(withdrawals, withdrawals.dropFirst()).allSatisfy { $0 < $1 }
        guard r.isValid, isPaid, isAscending else { return false }
        if withdrawals.isEmpty {
            return readTransfer(
                PaymentView(
                    id: id, asset: asset, network: network, replaces: replaces,
                    sequence: sequence, withdrawals: []))
        }
        // Another payment of any of them is of the same set, which this one then replaced; what it
        // replaced may have been dropped since.
        let others = withdrawals.map { custody.payers($0.number) }
        guard others.allSatisfy({ $0 == others[0] }), others[0].count <= Limits.replacementsMax
        else { return false }
        if let first = others[0].first {
            guard replaces != .none, custody.payments[first]?.withdrawals == withdrawals else {
                return false
            }
        }
        if let replaced = custody.payments[replaces], replaced.withdrawals != withdrawals {
            return false
        }
        custody.pay(
            PaymentView(
                id: id, asset: asset, network: network, replaces: replaces, sequence: sequence,
                withdrawals: withdrawals))
        return true
    }

    private mutating func readTransfer(_ transfer: PaymentView) -> Bool {
        let key = NetworkKey(asset: transfer.asset.number, network: transfer.network.number)
        guard custody.networks[key] != nil, custody.transferCount < Limits.transfersMax else {
            return false
        }
        // What it replaced may have ended since.
        if let replaced = custody.payments[transfer.replaces],
            !replaced.isTransfer || replaced.network != transfer.network
        {
            return false
        }
        custody.pay(transfer)
        return true
    }
}
