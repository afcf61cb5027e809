// Cold storage of a UTXO chain, as the log says: which descriptors it named, and which coins the
// wallet's own transfers brought there.
//
// A coin is in cold storage only if a transfer of the log paid it there. What others pay to such an
// address is none: nobody looks for it.

internal import Addresses
public import Keys
public import Terms
public import UTXO

/// A descriptor that the log named for a chain.
public struct ColdStorage: Hashable, Sendable {
    /// What coins know it by: descriptors are counted from 0 on, in the order of the log.
    public let number: UInt32
    /// As the log has it; where it was written in several ways, the last one.
    public internal(set) var text: String
    /// The same, read.
    public internal(set) var descriptor: ColdDescriptor
    /// The index of the address that the next transfer pays; of an address always 0.
    public internal(set) var next: UInt32 = 0 { didSet { derive() } }
    /// The scripts of that index and of `ChainCoins.earlierMax` before it: each is derived once,
    /// and not anew for each output of the log.
    private(set) var scripts: [UInt32: [UInt8]] = [:]

    init(number: UInt32, text: String, descriptor: ColdDescriptor) {
        (self.number, self.text, self.descriptor) = (number, text, descriptor)
        derive()
    }

    private mutating func derive() {
        let first = next - min(next, ChainCoins.earlierMax)
        scripts = scripts.filter { first...next ~= $0.key }
        for index in first...next where scripts[index] == nil {
            scripts[index] = try? descriptor.script(index)
        }
    }

    /// Whether another descriptor has the same addresses.
    func isSame(_ other: ColdDescriptor) -> Bool {
        guard descriptor != other else { return true }
        return descriptor.hasIndices == other.hasIndices
            && ([0, 1] as [UInt32]).allSatisfy { index in
                guard let script = try? descriptor.script(index) else { return false }
                return script == (try? other.script(index))
            }
    }
}

/// An output in cold storage.
public struct ColdCoin: Hashable, Sendable {
    /// In base units.
    public var amount: Int64
    /// The number of its descriptor.
    public var storage: UInt32
    /// The index of its address there.
    public var index: UInt32
}

/// What a transfer's outputs are: the wallet's own, each of these at most once.
public struct TransferOutputs: Hashable, Sendable {
    /// The output that stays with the wallet's keys.
    public var change: UInt32?
    /// The output that is in cold storage, and what it is there.
    public var cold: ColdOutput?
    /// Whether there are others: what they pay is lost.
    public var hasOthers = false

    /// An output in cold storage.
    public struct ColdOutput: Hashable, Sendable {
        /// Its place among the outputs.
        public var output: UInt32
        /// The coin.
        public var coin: ColdCoin
    }
}

extension ChainCoins {
    /// Maximum descriptors that are known at once. For a further one the oldest is forgotten that
    /// has no coins, of those first that were never paid: one that is named again begins with its
    /// first address. Where each has coins nothing goes to the new one.
    public static let storagesMax = 32

    /// Maximum outputs of a transfer: one in each place.
    static let transferOutputsMax = 2

    /// How many addresses before the next one a transaction may pay that spends coins of cold
    /// storage: so many transfers may go there while it is signed.
    public static let earlierMax: UInt32 = 64

    /// The cold storage of a number.
    public func storage(_ number: UInt32) -> ColdStorage? {
        storages.first { $0.number == number }
    }

    /// The cold storage that the log names with these words now; nil: none, or one that nobody can
    /// read, or one too many.
    public func storage(named text: String) -> ColdStorage? {
        storages.first { $0.text == text }
    }

    /// Why nothing goes to the cold storage that the log names with these words, in words; nil: it
    /// may.
    public func objection(toStorage text: String) -> String? {
        if storage(named: text) != nil { return nil }
        let read: ColdDescriptor
        do throws(ColdDescriptorError) { read = try ColdDescriptor(text, on: network) } catch {
            return "\(error)"
        }
        if isOwn(read) || storages.count < Self.storagesMax {
            return "it is the wallet's own: what is there is not out of its reach"
        }
        return "\(Self.storagesMax) others have coins: bring back what one of them has "
            + "(boursectl wallet cold export), then name this one again"
    }

    /// Whether an output is in cold storage, or was in a transfer that was dropped.
    public func isCold(_ outPoint: OutPoint) -> Bool {
        cold[outPoint] != nil || droppedCold[outPoint] != nil
    }

    /// The script of a coin in cold storage.
    public func script(_ coin: ColdCoin) throws(KeyError) -> [UInt8] {
        guard let storage = storage(coin.storage) else { throw .invalidText }
        if let known = storage.scripts[coin.index] { return known }
        return try storage.descriptor.script(coin.index)
    }

    /// The script that the next transfer to a cold storage pays.
    public func nextScript(_ storage: ColdStorage) throws(KeyError) -> [UInt8] {
        if let known = storage.scripts[storage.next] { return known }
        return try storage.descriptor.script(storage.next)
    }

    /// Coins in cold storage that no transfer spends, those included of transfers that are open.
    public var freeCold: [(outPoint: OutPoint, coin: ColdCoin)] {
        cold.lazy.filter { isUnspent($0.key) }.map { ($0.key, $0.value) }
    }

    /// What is in cold storage, in base units: coins that open transfers spend count, and what
    /// these bring there does not yet.
    public var coldTotal: Int128 {
        cold.reduce(0) { payments[$1.key.transaction] == nil ? $0 + Int128($1.value.amount) : $0 }
    }

    /// The amount of a coin, be it hot or cold; nil: it is none of the wallet's.
    public func amount(_ outPoint: OutPoint) -> Int64? {
        coins[outPoint]?.amount ?? cold[outPoint]?.amount
    }

    /// The transfers that are open, in the order of the log.
    public var transfers: [(id: TransactionID, transfer: OpenPayment)] {
        payments.filter { $0.value.withdrawals.isEmpty }.map { ($0.key, $0.value) }
            .sorted { $0.transfer.sequence < $1.transfer.sequence }
    }

    /// Whether the log had a transaction that was dropped, and that may be signed again.
    public func isDropped(_ id: TransactionID) -> Bool {
        dropped.keys.contains { $0.transaction == id }
            || droppedCold.keys.contains { $0.transaction == id }
    }

    /// The transactions that were dropped and would bring something.
    public var droppedTransactions: Set<TransactionID> {
        Set(dropped.keys.map(\.transaction)).union(droppedCold.keys.map(\.transaction))
    }

    /// The wallet's own outputs of a transaction that was dropped.
    public func outputs(ofDropped id: TransactionID) -> [UInt32] {
        let all = Array(dropped.keys) + Array(droppedCold.keys)
        return all.filter { $0.transaction == id }.map(\.output).sorted()
    }

    /// What the outputs of a transfer are that the log has next. It pays the next address of a cold
    /// storage, or the one that it paid before it was dropped, or the one of the open transfer that
    /// it replaces. One that spends coins of cold storage was signed a while ago: it may pay one of
    /// the `earlierMax` addresses before the next as well. What has more outputs than
    /// `transferOutputsMax` pays others. O(inputs).
    public func outputs(
        ofTransfer transaction: UTXOTransaction, id: TransactionID,
        replaces: TransactionID = .none
    ) -> TransferOutputs {
        var found = TransferOutputs()
        guard transaction.outputs.count <= Self.transferOutputsMax else {
            found.hasOthers = true
            return found
        }
        let own = try? script(.change(of: []))
        let isFromCold = transaction.inputs.contains { cold[$0.outPoint] != nil }
        for (index, output) in transaction.outputs.enumerated() {
            let place = UInt32(clamping: index)
            if output.script == own, found.change == nil {
                found.change = place
            } else if found.cold == nil,
                let coin = coldCoin(
                    output, OutPoint(id, place), replaces: replaces, isFromCold: isFromCold)
            {
                found.cold = TransferOutputs.ColdOutput(output: place, coin: coin)
            } else {
                found.hasOthers = true
            }
        }
        return found
    }

    /// What an output is in cold storage; nil: nothing.
    private func coldCoin(
        _ output: UTXOTransaction.TransactionOutput, _ place: OutPoint, replaces: TransactionID,
        isFromCold: Bool
    ) -> ColdCoin? {
        func coin(_ storage: UInt32, _ index: UInt32) -> ColdCoin {
            ColdCoin(amount: output.amount, storage: storage, index: index)
        }
        for before in [droppedCold[place], payments[replaces]?.cold?.coin] {
            if let before, (try? script(before)) == output.script {
                return coin(before.storage, before.index)
            }
        }
        for storage in storages where storage.scripts[storage.next] == output.script {
            return coin(storage.number, storage.next)
        }
        guard isFromCold else { return nil }
        for storage in storages {
            // The next one was looked at.
            if let index = storage.scripts.first(where: { $0.value == output.script })?.key {
                return coin(storage.number, index)
            }
        }
        return nil
    }

    // MARK: What the log says

    /// The log names cold storage of the chain, which has addresses of these accounts. What nobody
    /// can read is none, and what is the wallet's own neither: its coins would count twice.
    mutating func name(storage text: String, owners: [AccountID]) {
        guard let read = try? ColdDescriptor(text, on: network) else { return }
        if let known = storages.firstIndex(where: { $0.isSame(read) }) {
            (storages[known].text, storages[known].descriptor) = (text, read)
            return
        }
        if !read.hasIndices {
            if ownAddresses == nil { ownAddresses = try? DepositAddresses(key: key, on: network) }
            try? ownAddresses?.update(owners)
        }
        if isOwn(read) { return }
        if storages.count >= Self.storagesMax {
            var used = Set(cold.values.map(\.storage))
            used.formUnion(droppedCold.values.map(\.storage))
            used.formUnion(payments.values.compactMap { $0.cold?.coin.storage })
            let unused = storages.indices.filter { !used.contains(storages[$0].number) }
            guard let place = unused.first(where: { storages[$0].next == 0 }) ?? unused.first
            else { return }
            storages.remove(at: place)
        }
        storages.append(ColdStorage(number: storagesNamed, text: text, descriptor: read))
        storagesNamed &+= 1
    }

    /// Whether the wallet takes what goes there for its own: as a customer's deposit, or as change.
    private func isOwn(_ read: ColdDescriptor) -> Bool {
        // By keys, not by how they are written: the branches of customers' addresses and of change.
        // That no other key of the wallet's is named sees who names it.
        for branch in [CoinPlace.Branch.deposits, .change] {
            guard let account = ExtendedPublicKey(key, isTest: network.isTest),
                let own = try? account.descendant(branch.rawValue, 0).key
            else { continue }
            if read.keys.contains(where: { (try? $0.key(0)) == own }) { return true }
        }
        guard !read.hasIndices, let there = try? read.script(0) else { return false }
        return there == (try? script(.change(of: []))) || ownAddresses?.account(there) != nil
    }

    /// An address of a cold storage is used up.
    mutating func use(_ coin: ColdCoin) {
        guard let place = storages.firstIndex(where: { $0.number == coin.storage }),
            storages[place].descriptor.hasIndices, coin.index >= storages[place].next
        else { return }
        storages[place].next = min(coin.index, Self.indexMax - 1) + 1
    }

    /// The highest index of an address.
    private static var indexMax: UInt32 { 0x7FFF_FFFF }

    /// Transfers that can never be final once `id` is: they spend a coin that it spends.
    func transfers(against id: TransactionID) -> [TransactionID] {
        var others: Set<TransactionID> = []
        for input in payments[id]?.inputs ?? [] { others.formUnion(spenders(of: input)) }
        return others.filter { $0 != id && payments[$0]?.withdrawals.isEmpty == true }.sorted()
    }
}
