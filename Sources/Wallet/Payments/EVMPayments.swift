// The payments of an EVM chain's hot account, as the log says, and its nonces.
//
// A nonce is to an account what a coin is to a UTXO wallet: of all transactions that have it, one
// at most is ever final. So it is named like a coin, and the rules of coins hold for it: another
// transaction of the same withdrawals has to share it with each earlier one that is not dead, and
// what has a nonce that another final transaction used is dead. Which nonce is next says the log
// alone: the lowest that no payment uses. A transaction that was signed and never got into the log
// leaves its nonce free, and the payment that takes it conflicts with it.

public import Addresses
public import EVM
internal import Engine
internal import Keys
public import Terms
public import UTXO
internal import Wire

extension OutPoint {
    /// A nonce of an account, as a coin: the account's 20 bytes and the nonce, in the place of a
    /// transaction's name. No hash is such a name by chance: four of its bytes are zero.
    public init(_ account: EVMAddress, nonce: UInt64) {
        let high = account.bytes.prefix(12).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        let low = account.bytes.suffix(8).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        self.init(TransactionID(high: high, low: low << 64 | UInt128(nonce)), 0)
    }

    /// The account and the nonce of such a coin; of any other it is some account that has no key.
    var accountAndNonce: (account: EVMAddress, nonce: UInt64)? {
        let words = [transaction.high, transaction.low >> 64]
        let bytes = words.enumerated().flatMap { index, word in
            let count = index == 0 ? 12 : 8
            return (0..<count).map { UInt8(truncatingIfNeeded: word >> (8 * (count - 1 - $0))) }
        }
        return EVMAddress(bytes: bytes).map { ($0, UInt64(truncatingIfNeeded: transaction.low)) }
    }
}

extension SignedEVMTransaction {
    /// What the log calls it.
    public var id: TransactionID {
        guard let id = TransactionID(hex: hash.hexText) else {
            preconditionFailure("a hash has 32 bytes")
        }
        return id
    }
}

/// A payment of an EVM chain that is signed and not settled.
public struct EVMOpenPayment: Hashable, Sendable {
    /// What it pays, ascending; none: it is a transfer, which pays nobody.
    public var withdrawals: [WithdrawalID]
    /// The asset of these.
    public var asset: AssetID
    /// The payment that it replaces, or none.
    public var replaces: TransactionID
    /// The log's record that has it.
    public var sequence: UInt64
    /// What its withdrawals get, in units of the ledger.
    public var amount: Int128
    /// Whether it is in the log once more after it was dropped.
    public var isAgain = false
    /// Whether the log says of a transfer to or from cold storage that it moved nothing: it says
    /// the opposite each time that it is dropped and taken again. At first it moves what it says.
    public var isVoid = false
    /// The signed transaction.
    public var signed: SignedEVMTransaction

    /// Its place among the account's transactions.
    public var nonce: UInt64 { signed.transaction.nonce }
    /// The most that the chain may take for it, in units of an asset with so many decimals, rounded
    /// up.
    func feeMax(scale: UInt8) -> Int128 {
        Self.units(EVMWord(signed.transaction.feeMax), scale: scale)
    }

    /// The same of a sweep: the signer signs none that costs more.
    static func sweepFeeMax(scale: UInt8) -> Int128 { units(EVMCeiling.gasGift, scale: scale) }

    private static func units(_ most: EVMWord, scale: UInt8) -> Int128 {
        guard let (whole, rest) = try? most.amount(decimals: EVMAsset.nativeDecimals, scale: scale)
        else { return Limits.amountUnitsMax }
        return whole.units + (rest > .zero ? 1 : 0)
    }

    /// The account's nonce, as a coin: of all with the same one, one can be final.
    public var coin: OutPoint { OutPoint(signed.sender, nonce: nonce) }
}

/// The payments of a chain.
public struct EVMPayments: Sendable {
    /// Which chain it is, as `ethereum`.
    public let chain: Text40
    /// The extended public key of the wallet's account.
    public let key: String
    /// The chain.
    public let network: EVMNetwork
    /// The account that pays.
    public let hot: EVMAddress
    /// The payments of the account that are not settled, transfers among them.
    public internal(set) var payments: [TransactionID: EVMOpenPayment] = [:]
    /// Transfers from other accounts that are not settled: sweeps of customers' addresses.
    public internal(set) var sweeps: [TransactionID: EVMOpenPayment] = [:]
    /// Of accounts from which the log has a settled transfer, the nonce of the next one.
    var swept: [EVMAddress: UInt64] = [:]
    /// What the wallet has of each asset by the log, in units of the ledger: credited deposits,
    /// less what settled payments and the chain took.
    public internal(set) var held: [AssetID: Int128] = [:]
    /// Payments of withdrawals that were settled of late, the newest last: what they brought to a
    /// customer's address is a deposit, and may not be credited yet.
    public internal(set) var settled: [TransactionID] = []
    /// Transfers of the account that were settled of late, the newest last, but for those that were
    /// payments before: a payment with such a name was not dropped and is not void, but final.
    public internal(set) var transferred: [TransactionID] = []
    /// Payments and sweeps that were dropped and whose nonce no final transaction has: somebody may
    /// have their bytes, so one may be final some day, or is so already.
    public internal(set) var dropped: [TransactionID: EVMOpenPayment] = [:]
    /// Every address that the log ever named as cold storage of an asset of the chain, the oldest
    /// first, but for the account that pays: what is there stays known. At most `coldMax`; further
    /// ones are not used, and nothing goes there.
    public internal(set) var cold: [EVMAddress] = []
    /// What settled transfers brought to cold storage, less what others took from there, in each
    /// coin's smallest unit; what is there beside that is not of this log.
    var coldHeld: [EVMCoin: EVMWord] = [:]
    /// All nonces below it are of final transactions.
    var spentBelow: UInt64 = 0
    /// Nonces of final transactions above it.
    var spentAbove: Set<UInt64> = []
    /// The lowest nonce above all that the log ever had.
    public internal(set) var nonceEnd: UInt64 = 0

    /// Maximum of `settled`: more than the payments of one block that are not settled.
    static let settledMax = Limits.transactionsMax
    /// Whether something was forgotten that may matter still, as a table was full: from then on
    /// nothing is signed. A log of the wallet's own comes nowhere near that.
    public internal(set) var hasForgotten = false

    /// From so many of `dropped` on, of the account that pays and of all others apart, nothing with
    /// another nonce is signed: what has one of theirs makes room once it is final.
    public static let droppedMax = 256
    /// Maximum of `dropped`, whatever the log says: beyond it the oldest is forgotten.
    static let droppedEnd = Limits.transactionsMax
    /// Maximum of `spentAbove`. A chain's nonces are final one after the other, so more than there
    /// are open payments are of a log that is not the wallet's. With so many only the lowest nonce
    /// that is not final is signed; beyond it they are forgotten.
    public static let spentMax = Limits.transactionsMax
    /// Maximum of `cold`: of each all balances are read at each final block.
    public static let coldMax = 16

    init?(chain: Text40, key: String) {
        guard let network = EVMNetwork.named("\(chain)"),
            let addresses = try? EVMDepositAddresses(key: key)
        else { return nil }
        (self.chain, self.key, self.network) = (chain, key, network)
        hot = addresses.hot
    }

    /// Whether a transaction with the nonce is final.
    public func isSpent(_ nonce: UInt64) -> Bool {
        nonce < spentBelow || spentAbove.contains(nonce)
    }

    /// Whether a nonce, as a coin, is of a final transaction of this account, or of another one of
    /// the wallet's.
    public func isSpent(_ coin: OutPoint) -> Bool {
        guard coin.output == 0, let (account, nonce) = coin.accountAndNonce,
            coin == OutPoint(account, nonce: nonce)
        else { return false }
        return account == hot ? isSpent(nonce) : nonce < nextNonce(of: account)
    }

    /// The nonce of the next transfer from another account of the wallet's, as far as the log has
    /// them settled.
    public func nextNonce(of account: EVMAddress) -> UInt64 { swept[account] ?? 0 }

    /// Whether a payment of the log has the nonce, final or not.
    public func isUsed(_ nonce: UInt64) -> Bool {
        isSpent(nonce) || payments.values.contains { $0.nonce == nonce }
    }

    /// The nonce of the next payment: the lowest that none has. O(open payments).
    public var nextNonce: UInt64 {
        let open = Set(payments.values.map(\.nonce))
        var nonce = spentBelow
        while open.contains(nonce) || spentAbove.contains(nonce) { nonce += 1 }
        return nonce
    }

    /// Whether a payment that replaces none may have the nonce: one that none has, and no further
    /// than the next one behind all that ever were, since nobody could use one beyond a gap.
    public func mayUse(_ nonce: UInt64) -> Bool { !isUsed(nonce) && nonce <= nonceEnd }

    /// Why nothing is signed at all any more; nil: nothing was forgotten.
    public var loss: String? {
        guard hasForgotten else { return nil }
        return "more of its payments were dropped, or are final out of their order, than are "
            + "remembered, so nothing of \(chain) is signed: this log is not the wallet's"
    }

    /// Why nothing is signed that has a nonce, as a coin, which no open payment has; nil: it may
    /// be. What is signed and has no room here would be forgotten, and paid twice some day.
    public func obstacle(to coin: OutPoint) -> String? {
        if let loss { return loss }
        let account = coin.accountAndNonce?.account
        if account == hot, spentAbove.count >= Self.spentMax,
            coin.accountAndNonce?.nonce != spentBelow
        {
            return
                "\(spentAbove.count) nonces are final above nonce \(spentBelow), which nobody has "
                + "used: that one comes first"
        }
        let others = dropped.values.filter { ($0.signed.sender == hot) == (account == hot) }
        guard others.count >= Self.droppedMax, !others.contains(where: { $0.coin == coin }) else {
            return nil
        }
        return
            "\(others.count) payments are dropped and may be final all the same: what has one of "
            + "their nonces has to be final first"
    }

    /// The payments of a set of withdrawals, in the order of the log. Transfers, which pay none,
    /// are of no set.
    public func payments(of withdrawals: [WithdrawalID]) -> [(TransactionID, EVMOpenPayment)] {
        withdrawals.isEmpty
            ? []
            : payments.filter { $0.value.withdrawals == withdrawals }
                .map { ($0.key, $0.value) }.sorted { $0.1.sequence < $1.1.sequence }
    }

    /// Whether a payment is a transfer to an address that was ever named as cold storage.
    public func isToCold(_ payment: EVMOpenPayment) -> Bool {
        guard payment.withdrawals.isEmpty, payment.signed.sender == hot,
            let moved = payment.signed.transaction.movement
        else { return false }
        return cold.contains(moved.receiver)
    }

    /// Whether a payment is a transfer from an address that was ever named as cold storage.
    public func isFromCold(_ payment: EVMOpenPayment) -> Bool {
        cold.contains(payment.signed.sender) && payment.signed.transaction.movement != nil
    }

    /// What the log brought to cold storage of a coin and did not take from there, in its smallest
    /// unit.
    public func coldUnits(_ coin: EVMCoin) -> EVMWord { coldHeld[coin] ?? .zero }

    /// What the wallet has of an asset outside of cold storage by the log, less what open payments
    /// pay, in units of the ledger, of `scale` decimals.
    public func hotUnits(_ asset: AssetID, _ listed: EVMAsset, scale: UInt8) -> Int128 {
        let cold =
            (try? (coldHeld[listed.coin] ?? .zero).amount(decimals: listed.decimals, scale: scale))?
            .amount.units ?? Limits.amountUnitsMax
        return payments.values.filter { $0.asset == asset }.reduce(
            (held[asset] ?? 0).subtractingClamped(cold)
        ) { $0.subtractingClamped($1.amount) }
    }

    // MARK: What the log says

    /// Takes the cold storage that the log has of the chain's assets now.
    mutating func learnCold(_ number: NetworkID, _ engine: borrowing Engine) {
        var named: [EVMAddress] = []
        engine.forEachColdStorage { storage in
            guard storage.network == number,
                let address = try? EVMAddress(destination: storage.descriptor)
            else { return }
            named.append(address)
        }
        for address in named
        where address != hot && !cold.contains(address) && cold.count < Self.coldMax {
            cold.append(address)
        }
    }

    /// `amount` is what its withdrawals get.
    mutating func sign(_ c: SignWithdrawals, _ amount: Int128, at sequence: UInt64) {
        // What the log took without being a transaction of the wallet pays nothing, and is never
        // final; an operator drops it.
        guard let signed = try? SignedEVMTransaction(decoding: c.bytes), signed.id == c.transaction,
            signed.transaction.chainID == network.chainID
        else { return }
        let payment = EVMOpenPayment(
            withdrawals: c.withdrawals, asset: c.asset, replaces: c.replaces, sequence: sequence,
            amount: amount, signed: signed)
        guard signed.sender == hot else {
            // Whose it is was the signer's to check: of an account that is not the wallet's it
            // concerns no other one.
            if c.withdrawals.isEmpty, sweeps.count < Limits.transfersMax {
                sweeps[c.transaction] = again(payment, c.transaction)
            }
            return
        }
        payments[c.transaction] = again(payment, c.transaction)
        // Below 2^64 − 1, as every nonce is.
        nonceEnd = max(nonceEnd, signed.transaction.nonce + 1)
    }

    /// A payment as the log takes it, which may have been dropped before.
    private mutating func again(_ payment: EVMOpenPayment, _ id: TransactionID) -> EVMOpenPayment {
        guard let before = dropped.removeValue(forKey: id) else { return payment }
        var payment = payment
        (payment.isAgain, payment.isVoid) = (true, !before.isVoid)
        return payment
    }

    /// A payment is final: so is its nonce, and those of the same withdrawals end with it.
    mutating func settle(_ c: SettleTransaction) {
        let id = c.transaction
        if let sweep = sweeps.removeValue(forKey: id) {
            take(c.cost.units, of: c.costAsset)
            let account = sweep.signed.sender
            if swept[account] != nil || swept.count < Limits.addressesMax {
                swept[account] = max(nextNonce(of: account), sweep.nonce + 1)
            } else {
                hasForgotten = true
            }
            dropped = dropped.filter { $0.value.coin != sweep.coin }
            if !sweep.isVoid, cold.contains(account), let moved = sweep.signed.transaction.movement
            {
                let there = coldHeld[moved.coin] ?? .zero
                coldHeld[moved.coin] = there.subtracting(moved.units)
            }
            return
        }
        guard let payment = payments.removeValue(forKey: id) else { return }
        take(c.cost.units, of: c.costAsset)
        take(payment.amount, of: payment.asset)
        for (other, _) in payments(of: payment.withdrawals) { payments[other] = nil }
        if spentAbove.count < Self.spentMax || payment.nonce == spentBelow {
            spentAbove.insert(payment.nonce)
        } else if !isSpent(payment.nonce) {
            hasForgotten = true
        }
        while spentAbove.remove(spentBelow) != nil { spentBelow += 1 }
        dropped = dropped.filter { $0.value.coin != payment.coin }
        // What a transfer brings to a customer's address stays the wallet's.
        if payment.withdrawals.isEmpty {
            if !payment.isVoid, isToCold(payment), let moved = payment.signed.transaction.movement,
                coldHeld[moved.coin] != nil || coldHeld.count < EVMAssetList.assetsMax
            {
                coldHeld[moved.coin] = (coldHeld[moved.coin] ?? .zero).adding(moved.units) ?? .max
            }
            if payment.isAgain { return }
            transferred.append(id)
            if transferred.count > Self.settledMax { transferred.removeFirst() }
            return
        }
        settled.append(id)
        if settled.count > Self.settledMax { settled.removeFirst() }
    }

    private mutating func take(_ units: Int128, of asset: AssetID) {
        held[asset] = (held[asset] ?? 0).subtractingClamped(units)
    }

    /// A deposit on this chain is credited.
    mutating func credit(_ c: CreditDeposit) {
        held[c.asset] = (held[c.asset] ?? 0).subtractingClamped(-c.amount.units)
    }

    /// A payment or a sweep is not to become final: its nonce is free again. Somebody may have its
    /// bytes: the next one with that nonce conflicts with it.
    mutating func drop(_ id: TransactionID) {
        guard let payment = payments.removeValue(forKey: id) ?? sweeps.removeValue(forKey: id),
            !isSpent(payment.coin)
        else { return }
        dropped[id] = payment
        if dropped.count > Self.droppedEnd,
            let oldest = dropped.min(by: { $0.value.sequence < $1.value.sequence })
        {
            dropped[oldest.key] = nil
            hasForgotten = true
        }
    }
}

extension Int128 {
    /// The difference, or the nearest number that there is.
    fileprivate func subtractingClamped(_ other: Int128) -> Int128 {
        let (difference, isOver) = subtractingReportingOverflow(other)
        return isOver ? (other > 0 ? .min : .max) : difference
    }
}
