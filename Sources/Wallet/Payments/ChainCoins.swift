// The coins of one UTXO chain, and the payments that spend them.

public import Addresses
public import Keys
public import Terms
public import UTXO
internal import Wire

/// Which key a coin is paid to: `m/84'/coin'/0'/branch/index`.
public struct CoinPlace: Hashable, Sendable {
    /// BIP44's change level.
    public enum Branch: UInt32, Sendable {
        /// Customers' addresses.
        case deposits = 0
        /// What comes back of payments.
        case change = 1
    }

    /// Deposits or change.
    public var branch: Branch
    /// The index there, below 2^31.
    public var index: UInt32

    /// The key of an index.
    public init(branch: Branch, index: UInt32) { (self.branch, self.index) = (branch, index) }

    /// Where the change of a payment goes: each set of withdrawals has its own index, that of its
    /// first one, so that both sides of the signer's socket know it without asking.
    public static func change(of withdrawals: [WithdrawalID]) -> CoinPlace {
        CoinPlace(
            branch: .change,
            index: UInt32(truncatingIfNeeded: withdrawals.first?.number ?? 0) & 0x7FFF_FFFF)
    }
}

/// An output of the wallet's.
public struct WalletCoin: Hashable, Sendable {
    /// In base units.
    public var amount: Int64
    /// The key that spends it.
    public var place: CoinPlace
}

/// A payment that is signed and not settled.
public struct OpenPayment: Hashable, Sendable {
    /// What it pays, ascending.
    public var withdrawals: [WithdrawalID]
    /// The asset of these.
    public var asset: AssetID
    /// The payment that it replaces, or none.
    public var replaces: TransactionID
    /// The log's record that has it.
    public var sequence: UInt64
    /// That record's time: nanoseconds since 1970.
    public var time: Int64
    /// What it spends.
    public var inputs: [OutPoint]
    /// Its output that comes back; nil: none.
    public var change: UInt32?
    /// Its output in cold storage; nil: none.
    public var cold: TransferOutputs.ColdOutput?
    /// What the miner gets, in base units.
    public var fee: Int64
    /// The signed transaction, as nodes take it; empty in a table that keeps none.
    public var bytes: [UInt8]

    /// Its fee, as far as a signer would have signed it: what the log calls a payment need not be
    /// one. A table that keeps no bytes believes it.
    var credibleFee: Int64 {
        if bytes.isEmpty { return fee }
        let size = Int64(bytes.count)
        return min(fee, size * ReviewedPayment.feePerKilobyteMax / 1_000 + 1)
    }
}

/// The coins of a chain.
public struct ChainCoins: Sendable {
    /// Which chain it is, as `litecoin-regtest`.
    public let chain: Text40
    /// The extended public key of the wallet's account.
    public let key: String
    /// The chain.
    public let network: UTXONetwork
    /// All outputs of the wallet's keys that no settled payment has spent.
    public internal(set) var coins: [OutPoint: WalletCoin] = [:] { didSet { changes &+= 1 } }
    /// All outputs in cold storage that no settled transfer has spent.
    public internal(set) var cold: [OutPoint: ColdCoin] = [:] { didSet { changes &+= 1 } }
    /// The cold storages that the log named, up to `storagesMax`, in its order.
    public internal(set) var storages: [ColdStorage] = []
    /// How many of them there ever were.
    var storagesNamed: UInt32 = 0
    /// The payments that are not settled.
    public internal(set) var payments: [TransactionID: OpenPayment] = [:] {
        didSet { changes &+= 1 }
    }
    /// Goes on whenever coins or payments change.
    public private(set) var changes: UInt64 = 0
    /// Change of payments that were dropped and may be signed again: no coins, and not gone.
    var dropped: [OutPoint: WalletCoin] = [:]
    /// The same in cold storage.
    var droppedCold: [OutPoint: ColdCoin] = [:]
    /// Which payments of these would spend a coin: none is final once another one has spent it.
    var droppedSpenders: [OutPoint: Set<TransactionID>] = [:]
    /// Customers' addresses, once cold storage was named as an address; those that the log had
    /// then.
    var ownAddresses: DepositAddresses?
    /// Which payments spend a coin: more than one where they replace each other.
    private(set) var spenders: [OutPoint: Set<TransactionID>] = [:]

    init(chain: Text40, key: String, network: UTXONetwork) {
        (self.chain, self.key, self.network) = (chain, key, network)
    }

    /// Whether no payment spends the coin, be it hot or cold.
    public func isFree(_ outPoint: OutPoint) -> Bool {
        amount(outPoint) != nil && spenders[outPoint] == nil
    }

    func isUnspent(_ outPoint: OutPoint) -> Bool { spenders[outPoint] == nil }

    func spenders(of outPoint: OutPoint) -> Set<TransactionID> { spenders[outPoint] ?? [] }

    /// Whether another payment that is final spent the coin, so that nothing else that spends it
    /// ever is.
    public func isGone(_ outPoint: OutPoint) -> Bool {
        amount(outPoint) == nil && dropped[outPoint] == nil && droppedCold[outPoint] == nil
    }

    /// The coin, also where it is the change of a payment that was dropped and may be signed again;
    /// nil: it is none of the wallet's, or gone.
    func everyCoin(_ outPoint: OutPoint) -> WalletCoin? { coins[outPoint] ?? dropped[outPoint] }

    /// The amount of such a coin, be it hot or cold.
    private func everyAmount(_ outPoint: OutPoint) -> Int64? {
        amount(outPoint) ?? dropped[outPoint]?.amount ?? droppedCold[outPoint]?.amount
    }

    /// Coins that no payment spends, those included that are the change of an open payment.
    public var free: [(outPoint: OutPoint, coin: WalletCoin)] {
        coins.lazy.filter { spenders[$0.key] == nil }.map { ($0.key, $0.value) }
    }

    /// What of these is not the change of an open payment, in base units.
    public var settledFree: Int128 {
        coins.reduce(0) {
            spenders[$1.key] == nil && payments[$1.key.transaction] == nil
                ? $0 + Int128($1.value.amount) : $0
        }
    }

    /// Everything that the wallet's keys have on the chain, in base units: coins that open payments
    /// spend count, and their change does not yet. `coldTotal` is beside it.
    public var total: Int128 {
        coins.reduce(0) { payments[$1.key.transaction] == nil ? $0 + Int128($1.value.amount) : $0 }
    }

    /// The payments of a set of withdrawals, in the order of the log. Transfers, which pay none,
    /// are of no set.
    public func payments(of withdrawals: [WithdrawalID]) -> [(TransactionID, OpenPayment)] {
        withdrawals.isEmpty
            ? []
            : payments.filter { $0.value.withdrawals == withdrawals }
                .map { ($0.key, $0.value) }.sorted { $0.1.sequence < $1.1.sequence }
    }

    /// The script of a key of the wallet's.
    public func script(_ place: CoinPlace) throws(KeyError) -> [UInt8] {
        guard let key = ExtendedPublicKey(key, isTest: network.isTest) else { throw .invalidText }
        return SpendKind.publicKeyHash.script(
            of: try key.descendant(place.branch.rawValue, place.index))
    }

    // MARK: What the log says

    mutating func sign(_ c: SignWithdrawals, at sequence: UInt64, _ time: Int64, keepsBytes: Bool) {
        // What the log took without being a transaction of this chain pays nothing, and is never
        // final; an operator drops it.
        guard let transaction = try? UTXOTransaction(c.bytes, on: network),
            transaction.id == c.transaction
        else { return }
        let inputs = transaction.inputs.map(\.outPoint)
        var place = CoinPlace.change(of: c.withdrawals)
        let isTransfer = c.withdrawals.isEmpty
        let outputs =
            isTransfer
            ? outputs(ofTransfer: transaction, id: c.transaction, replaces: c.replaces) : nil
        let cold = outputs?.cold
        // One that was dropped, is final, and pays nobody who waits any more.
        if isTransfer, let change = dropped.first(where: { $0.key.transaction == c.transaction }) {
            place = change.value.place
        }
        let script = try? script(place)
        let change = transaction.outputs.firstIndex { $0.script == script }
        let spent = inputs.reduce(Int128(0)) { $0 + Int128(everyAmount($1) ?? 0) }
        let paid = transaction.outputs.reduce(Int128(0)) { $0 + Int128($1.amount) }
        payments[c.transaction] = OpenPayment(
            withdrawals: c.withdrawals, asset: c.asset, replaces: c.replaces, sequence: sequence,
            time: time, inputs: inputs, change: change.map { UInt32($0) }, cold: cold,
            fee: Int64(clamping: max(0, spent - paid)),
            bytes: keepsBytes ? c.bytes : [])
        link(c.transaction, inputs)
        for input in inputs { forgetDropped(c.transaction, spending: input) }
        if let change {
            let outPoint = OutPoint(c.transaction, UInt32(change))
            coins[outPoint] = WalletCoin(
                amount: transaction.outputs[change].amount, place: place)
            dropped[outPoint] = nil
        }
        if let cold {
            let outPoint = OutPoint(c.transaction, cold.output)
            (self.cold[outPoint], droppedCold[outPoint]) = (cold.coin, nil)
            use(cold.coin)
        }
    }

    mutating func link(_ id: TransactionID, _ inputs: [OutPoint]) {
        for input in inputs { spenders[input, default: []].insert(id) }
    }

    /// A payment is final: what it spends is gone, and so are the payments in its place.
    mutating func settle(_ id: TransactionID) {
        guard let payment = payments[id] else { return }
        // These conflict with it, so neither they nor their change ever are.
        for (other, _) in payments(of: payment.withdrawals) where other != id {
            drop(other, isFinal: true)
        }
        for other in transfers(against: id) { drop(other, isFinal: true) }
        remove(id)
        var ended: Set<TransactionID> = []
        for input in payment.inputs {
            (coins[input], dropped[input]) = (nil, nil)
            (cold[input], droppedCold[input]) = (nil, nil)
            ended.formUnion(droppedSpenders.removeValue(forKey: input) ?? [])
        }
        guard !ended.isEmpty else { return }
        // They never are: nothing that they would bring is a coin some day.
        dropped = dropped.filter { !ended.contains($0.key.transaction) }
        droppedCold = droppedCold.filter { !ended.contains($0.key.transaction) }
        droppedSpenders = droppedSpenders.compactMapValues {
            let rest = $0.subtracting(ended)
            return rest.isEmpty ? nil : rest
        }
    }

    /// A payment is not to become final: what it spends is free again, and its change is no coin.
    /// Unless `isFinal`, somebody may have its bytes, and it may be signed again.
    mutating func drop(_ id: TransactionID, isFinal: Bool = false) {
        guard let payment = remove(id) else { return }
        if let change = payment.change {
            let coin = coins.removeValue(forKey: OutPoint(id, change))
            if !isFinal, let coin { dropped[OutPoint(id, change)] = coin }
        }
        if let output = payment.cold?.output {
            let coin = cold.removeValue(forKey: OutPoint(id, output))
            if !isFinal, let coin { droppedCold[OutPoint(id, output)] = coin }
        }
        guard !isFinal, isDropped(id) else { return }
        for input in payment.inputs { droppedSpenders[input, default: []].insert(id) }
    }

    /// A payment that was dropped is in the log again.
    private mutating func forgetDropped(_ id: TransactionID, spending input: OutPoint) {
        guard droppedSpenders[input]?.remove(id) != nil else { return }
        if droppedSpenders[input]?.isEmpty == true { droppedSpenders[input] = nil }
    }

    @discardableResult
    private mutating func remove(_ id: TransactionID) -> OpenPayment? {
        guard let payment = payments.removeValue(forKey: id) else { return nil }
        for input in payment.inputs {
            spenders[input]?.remove(id)
            if spenders[input]?.isEmpty == true { spenders[input] = nil }
        }
        return payment
    }
}
