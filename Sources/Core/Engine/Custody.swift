// Custody's tables: networks, deposit addresses, open withdrawals and what pays them.

internal import Terms

/// An asset's network.
struct NetworkKey: Hashable, Comparable {
    let asset: UInt16
    let network: UInt16

    static func < (a: NetworkKey, b: NetworkKey) -> Bool {
        (a.asset, a.network) < (b.asset, b.network)
    }
}

/// An account on a chain.
struct AddressKey: Hashable {
    let account: UInt32
    let network: UInt16
}

/// Everything that custody keeps beside the ledger. Bounded by `Limits`; rules 2.
struct Custody: ~Copyable {
    var networks: [NetworkKey: NetworkView] = [:]
    var chains: [UInt16: ChainView] = [:]
    /// Where coins are kept that the host does not need; rules 3.
    var cold: [NetworkKey: ColdStorageView] = [:]
    /// Assets whose withdrawals are stopped.
    var stopped: Set<UInt16> = []
    var lastWithdrawal: UInt64 = 0
    private(set) var withdrawals: [UInt64: WithdrawalView] = [:]
    /// Open withdrawals of each account that has any.
    private var counts: [UInt32: Int] = [:]
    private(set) var payments: [TransactionID: PaymentView] = [:]
    /// How many payments pay no withdrawal.
    private(set) var transferCount = 0
    /// The transactions that pay a signed withdrawal, by its id.
    private var payers: [UInt64: [TransactionID]] = [:]
    /// Deposit addresses: each chain's accounts in the order of their indices, from 1.
    private(set) var addresses: [UInt16: [UInt32]] = [:]
    private var indices: [AddressKey: UInt32] = [:]

    /// Takes the memory of withdrawals and payments, with the first network, so that no table grows
    /// in the middle of a turn.
    mutating func reserve() {
        withdrawals.reserveCapacity(Limits.withdrawalsMax)
        counts.reserveCapacity(Limits.withdrawalsMax)
        payers.reserveCapacity(Limits.withdrawalsMax)
        payments.reserveCapacity(Limits.transactionsMax)
        indices.reserveCapacity(Limits.addressesMax)
    }

    /// Bytes of full tables: a dictionary has up to three times the places that it needs.
    static var bytesMax: Int {
        let places = 3
        let address = MemoryLayout<AddressKey>.stride + 2 * MemoryLayout<UInt32>.stride
        let approvers = Int(Limits.approvalsMax) * MemoryLayout<Text40>.stride
        let withdrawal =
            MemoryLayout<WithdrawalView>.stride + 4 * MemoryLayout<UInt64>.stride
            + MemoryLayout<[TransactionID]>.stride
        let payer = (Limits.replacementsMax + 1) * MemoryLayout<TransactionID>.stride
        let payment = MemoryLayout<PaymentView>.stride + MemoryLayout<TransactionID>.stride
        let paid = Limits.payeesMax * MemoryLayout<WithdrawalID>.stride
        return Limits.addressesMax * places * address
            + Limits.withdrawalsMax * (places * withdrawal + approvers + payer)
            + Limits.transactionsMax * (places * payment + paid)
    }

    /// Whether the chain is one of some asset's.
    func hasNetwork(_ network: UInt16) -> Bool {
        networks.contains { $0.key.network == network }
    }

    // MARK: Addresses

    var addressCount: Int { indices.count }

    func addressIndex(_ account: UInt32, _ network: UInt16) -> UInt32? {
        indices[AddressKey(account: account, network: network)]
    }

    /// Gives the next index. The caller has checked that there is room and none yet.
    mutating func assign(_ account: UInt32, _ network: UInt16) -> UInt32 {
        addresses[network, default: []].append(account)
        let index = UInt32(addresses[network, default: []].count)
        indices[AddressKey(account: account, network: network)] = index
        return index
    }

    // MARK: Withdrawals

    func openCount(_ account: UInt32) -> Int { counts[account] ?? 0 }

    mutating func open(_ withdrawal: WithdrawalView) {
        withdrawals[withdrawal.id.number] = withdrawal
        counts[withdrawal.account.number, default: 0] += 1
    }

    mutating func change(_ id: UInt64, _ body: (inout WithdrawalView) -> Void) {
        guard var withdrawal = withdrawals[id] else {
            preconditionFailure("what changes is open")
        }
        body(&withdrawal)
        withdrawals[id] = withdrawal
    }

    /// Takes an operator's approvals back of what still needs others. O(withdrawals).
    mutating func disown(_ name: Text40) {
        for (id, withdrawal) in withdrawals
        where withdrawal.status == .requested && withdrawal.approvers.contains(name) {
            change(id) { $0.approvers.removeAll { $0 == name } }
        }
    }

    /// Takes all approvals back of what still needs others. O(withdrawals).
    mutating func disownAll() {
        for (id, withdrawal) in withdrawals
        where withdrawal.status == .requested && !withdrawal.approvers.isEmpty {
            change(id) { $0.approvers = [] }
        }
    }

    @discardableResult
    mutating func close(_ id: UInt64) -> WithdrawalView {
        guard let withdrawal = withdrawals.removeValue(forKey: id) else {
            preconditionFailure("what is closed is open")
        }
        let account = withdrawal.account.number
        let left = openCount(account) - 1
        counts[account] = left == 0 ? nil : left
        payers[id] = nil
        return withdrawal
    }

    // MARK: Payments

    /// The transactions that pay a withdrawal: the first one and its replacements.
    func payers(_ id: UInt64) -> [TransactionID] { payers[id] ?? [] }

    mutating func pay(_ payment: PaymentView) {
        payments[payment.id] = payment
        if payment.isTransfer { transferCount += 1 }
        for withdrawal in payment.withdrawals {
            payers[withdrawal.number, default: []].append(payment.id)
        }
    }

    /// Closes what a payment pays, and ends the payments of the same set; gives the withdrawals. A
    /// transfer ends alone.
    mutating func settle(_ payment: PaymentView) -> [WithdrawalView] {
        guard let first = payment.withdrawals.first else {
            _ = drop(payment.id)
            return []
        }
        for id in payers(first.number) { payments[id] = nil }
        return payment.withdrawals.map { close($0.number) }
    }

    /// Ends a transaction; gives the withdrawals that nothing pays any more.
    mutating func drop(_ id: TransactionID) -> [WithdrawalID] {
        guard let payment = payments.removeValue(forKey: id) else { return [] }
        if payment.isTransfer { transferCount -= 1 }
        var unpaid: [WithdrawalID] = []
        for withdrawal in payment.withdrawals {
            let left = payers(withdrawal.number).filter { $0 != id }
            payers[withdrawal.number] = left.isEmpty ? nil : left
            if left.isEmpty { unpaid.append(withdrawal) }
        }
        return unpaid
    }
}
