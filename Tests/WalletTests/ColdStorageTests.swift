// Goal: what the wallet's own transfers bring to cold storage is known by the log alone, and stays
// the wallet's whatever becomes of them.

import Addresses
import Engine
import Keys
import Payments
import Slabs
import Terms
import Testing
import UTXO
import Wire

extension PaymentVenue {
    /// A descriptor of one key that is not the wallet's.
    static func descriptor(_ account: UInt32 = 0) throws -> String {
        let other = try ExtendedPrivateKey(
            seed: try Mnemonic(
                reading: secret(
                    [String](repeating: "abandon", count: 11).joined(separator: " ") + " about")
            ).seed())
        let key = try other.descendant(.hardened(84), .hardened(1), .hardened(account))
        return "wpkh(\(key.publicKey.text(isTest: true))/0/*)"
    }

    @discardableResult
    func setCold(
        _ descriptor: String, ceiling: Int64 = 50_000_000, target: Int64 = 20_000_000
    ) throws -> Outcome {
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        return apply(
            .setColdStorage(
                SetColdStorage(
                    asset: Self.asset, network: Self.network,
                    ceiling: Amount(units: Int128(ceiling)), target: Amount(units: Int128(target)),
                    descriptor: descriptor, audit: audit)))
    }

    var coins: ChainCoins {
        get throws { try #require(table.coins(Self.network)) }
    }

    func transfer(
        rate: Int64 = 5_000, merging: ConsolidationTerms = ConsolidationTerms(),
        inputsMax: Int = 200, isInBlock: (TransactionID) -> Bool = { _ in true }
    ) throws -> TransferProposal {
        var conditions = PaymentConditions(
            feeRate: try #require(UTXOFeeRate(perKilobyte: rate)), seed: 0)
        conditions.inputsMax = inputsMax
        let found = engine.network(Self.asset, Self.network)
        return TransferProposal(
            try #require(found), engine, table, conditions, merging: merging,
            isInBlock: isInBlock)
    }

    func transferRequest(
        merging: ConsolidationTerms = ConsolidationTerms()
    ) throws -> SigningRequest {
        guard case .request(let request) = try transfer(merging: merging) else {
            throw NoRequest()
        }
        return try proved(request)
    }

    /// Logs a transaction without a signature, as a transfer.
    @discardableResult
    func log(
        _ transaction: UTXOTransaction, replaces: TransactionID = .none
    ) -> Outcome {
        apply(
            .signWithdrawals(
                SignWithdrawals(
                    asset: Self.asset, network: Self.network, transaction: transaction.id,
                    replaces: replaces, withdrawals: [], bytes: transaction.bytes)))
    }

    /// A transaction of these coins to these scripts.
    func transaction(
        _ coins: [OutPoint], _ outputs: [(units: Int64, script: [UInt8])]
    ) -> UTXOTransaction {
        UTXOTransaction(
            inputs: coins.map {
                UTXOTransaction.TransactionInput(
                    outPoint: $0, sequence: PaymentPlan.replaceable)
            },
            outputs: outputs.map {
                UTXOTransaction.TransactionOutput(amount: $0.units, script: $0.script)
            }, lockTime: 0)
    }
}

@Suite struct ColdStorageTests {
    @Test func `what is above the ceiling goes to cold storage, and stays the wallet's`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 30_000_000) }
        #expect(try venue.transfer() == .nothing)
        try #require(try venue.setCold(try PaymentVenue.descriptor()).refusal == .none)
        let request = try venue.transferRequest()
        let transfer = try venue.pay(request)
        let open = try #require(try venue.coins.payments[transfer.transaction])
        let coin = try #require(open.cold?.coin)
        // All above the target, of which the fee is.
        #expect(coin.amount == 70_000_000 - open.fee)
        #expect(coin.storage == 0 && coin.index == 0)
        #expect(try venue.coins.total == 90_000_000)
        #expect(try venue.coins.coldTotal == 0)
        #expect(try venue.coins.transfers.map(\.id) == [transfer.transaction])
        // One at a time.
        #expect(try venue.transfer() == .nothing)
        try venue.settle(transfer.transaction)
        #expect(try venue.coins.total == 20_000_000)
        #expect(try venue.coins.coldTotal == Int128(coin.amount))
        #expect(try venue.coins.freeCold.map(\.coin) == [coin])
        // Up to the ceiling nothing is moved, and the next one has an address of its own.
        try venue.deposit(1, 30_000_000)
        #expect(try venue.transfer() == .nothing)
        try venue.deposit(1, 1)
        let next = try venue.pay(try venue.transferRequest())
        #expect(try venue.coins.payments[next.transaction]?.cold?.coin.index == 1)
        let books = try #require(
            Reconciliation(PaymentVenue.asset, venue.engine) { _ in
                (try? venue.coins).map { $0.total + $0.coldTotal }
            })
        #expect(books.difference == 0)
    }

    @Test func `what was dropped keeps its address, and what is final ends all against it`() throws
    {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 30_000_000) }
        try venue.setCold(try PaymentVenue.descriptor())
        let first = try venue.pay(try venue.transferRequest())
        let bytes = try UTXOTransaction(first.bytes, on: venue.chain)
        try venue.must(.dropTransaction(DropTransaction(transaction: first.transaction)))
        #expect(try venue.coins.isDropped(first.transaction))
        #expect(try venue.coins.cold.isEmpty && venue.coins.transfers.isEmpty)
        #expect(try venue.coins.total == 90_000_000)
        let second = try venue.pay(try venue.transferRequest())
        #expect(try venue.coins.payments[second.transaction]?.cold?.coin.index == 1)
        // The first one comes again, with the address that it had.
        #expect(venue.log(bytes).refusal == .none)
        #expect(try venue.coins.payments[first.transaction]?.cold?.coin.index == 0)
        #expect(try !venue.coins.isDropped(first.transaction))
        try venue.settle(first.transaction)
        // The other one spends the same coins: it never is.
        #expect(try venue.coins.transfers.isEmpty)
        #expect(try venue.coins.cold.map(\.value.index) == [0])
        #expect(try venue.coins.coins.count == 1)
        #expect(try !venue.coins.isDropped(second.transaction))
        let gone = try venue.coins
        #expect(gone.isGone(OutPoint(second.transaction, 0)))
        #expect(bytes.inputs.allSatisfy { gone.isGone($0.outPoint) })
    }

    @Test func `cold coins are spent by transfers, to the wallet and to cold storage`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 30_000_000) }
        try venue.setCold(try PaymentVenue.descriptor())
        let first = try venue.pay(try venue.transferRequest())
        try venue.settle(first.transaction)
        let (place, coin) = try #require(try venue.coins.freeCold.first)
        let own = try venue.coins.script(.change(of: []))
        let storage = try #require(try venue.coins.storage(0))
        let back = venue.transaction(
            [place],
            [(10_000_000, own), (coin.amount - 10_001_000, try venue.coins.nextScript(storage))])
        #expect(venue.log(back).refusal == .none)
        #expect(try venue.coins.freeCold.map(\.outPoint) == [OutPoint(back.id, 1)])
        #expect(try venue.coins.coldTotal == Int128(coin.amount))
        #expect(try venue.coins.payments[back.id]?.fee == 1_000)
        try venue.settle(back.id)
        #expect(try venue.coins.total == 30_000_000)
        #expect(try venue.coins.coldTotal == Int128(coin.amount - 10_001_000))
        #expect(try venue.coins.cold.map(\.value.index) == [1])
        let known = try venue.coins
        #expect(known.isGone(place) && known.amount(OutPoint(back.id, 1)) != nil)
    }

    @Test func `an output to an address that is not the next one is none of the wallet's`() throws {
        let venue = try PaymentVenue()
        let from = try venue.deposit(1, 30_000_000)
        try venue.setCold(try PaymentVenue.descriptor())
        let descriptor = try #require(try venue.coins.storage(0)?.descriptor)
        let other = venue.transaction([from], [(29_000_000, try descriptor.script(1))])
        #expect(try venue.coins.outputs(ofTransfer: other, id: other.id).hasOthers)
        #expect(venue.log(other).refusal == .none)
        #expect(try venue.coins.cold.isEmpty)
        // A transfer that replaces another one may pay its address.
        let zero = venue.transaction([from], [(29_000_000, try descriptor.script(0))])
        #expect(venue.log(zero).refusal == .none)
        let again = venue.transaction([from], [(28_000_000, try descriptor.script(0))])
        #expect(try venue.coins.outputs(ofTransfer: again, id: again.id).hasOthers)
        #expect(venue.log(again, replaces: zero.id).refusal == .none)
        #expect(try venue.coins.cold.values.map(\.index) == [0, 0])
        #expect(try venue.coins.storage(0)?.next == 1)
    }

    @Test func `an address is the same for every transfer`() throws {
        let venue = try PaymentVenue()
        let (a, b) = (try venue.deposit(1, 30_000_000), try venue.deposit(1, 30_000_000))
        let address = "\(venue.address(9))"
        try venue.setCold(address)
        let script = try UTXODestination(address, on: venue.chain).script
        for coin in [a, b] {
            #expect(venue.log(venue.transaction([coin], [(29_000_000, script)])).refusal == .none)
        }
        #expect(try venue.coins.cold.values.map(\.index) == [0, 0])
    }

    @Test func `what was dropped ends with what is final in its place`() throws {
        let venue = try PaymentVenue()
        for _ in 0..<3 { try venue.deposit(1, 30_000_000) }
        try venue.setCold(try PaymentVenue.descriptor())
        let first = try venue.pay(try venue.transferRequest())
        try venue.must(.dropTransaction(DropTransaction(transaction: first.transaction)))
        let second = try venue.pay(try venue.transferRequest())
        #expect(try venue.coins.droppedTransactions == [first.transaction])
        let saved = try #require(CoinTable(saved: venue.table.saved))
        #expect(saved.saved == venue.table.saved)
        try venue.settle(second.transaction)
        #expect(try venue.coins.droppedTransactions.isEmpty)
        #expect(try !venue.coins.isDropped(first.transaction))
    }

    @Test func `more than two outputs are no transfer`() throws {
        let venue = try PaymentVenue()
        let from = try venue.deposit(1, 30_000_000)
        try venue.setCold(try PaymentVenue.descriptor())
        let script = try venue.coins.nextScript(try #require(try venue.coins.storage(0)))
        let many = venue.transaction([from], [(1_000, script), (1_000, script), (1_000, script)])
        let found = try venue.coins.outputs(ofTransfer: many, id: many.id)
        #expect(found.hasOthers && found.cold == nil)
        #expect(venue.log(many).refusal == .none)
        #expect(try venue.coins.cold.isEmpty)
    }

    @Test func `descriptors are known by their addresses, and thirty-two at once`() throws {
        let venue = try PaymentVenue()
        let from = try venue.deposit(1, 30_000_000)
        let first = try PaymentVenue.descriptor()
        try venue.setCold(first)
        // Without a descriptor, and with one that nobody can read, there is no new one.
        try venue.setCold("")
        try venue.setCold("wpkh(nonsense)")
        #expect(try venue.coins.storages.map(\.text) == [first])
        #expect(try venue.coins.storage(named: "wpkh(nonsense)") == nil)
        let script = try venue.coins.nextScript(try #require(try venue.coins.storage(0)))
        #expect(venue.log(venue.transaction([from], [(29_000_000, script)])).refusal == .none)
        // One with coins is never forgotten; of the others the oldest is.
        for account in 1..<40 { try venue.setCold(try PaymentVenue.descriptor(UInt32(account))) }
        #expect(
            try venue.coins.storages.map(\.number) == [0] + (9..<40).map { UInt32($0) })
        try venue.setCold(first)
        #expect(try venue.coins.storages.count == ChainCoins.storagesMax)
        #expect(try venue.coins.storage(named: first)?.next == 1)
        let again = try #require(CoinTable(saved: venue.table.saved))
        #expect(again.saved == venue.table.saved)
    }

    @Test func `a chain that is set later knows what was named before`() throws {
        let venue = try PaymentVenue(accounts: 0)
        let text = try PaymentVenue.descriptor()
        try venue.setCold(text)
        let found = venue.engine.chain(PaymentVenue.network)
        let view = try #require(found)
        let other = try venue.master.descendant(.hardened(84), .hardened(1), .hardened(5))
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        try venue.must(
            .setChain(
                SetChain(
                    network: view.network, firstBlock: 1, chain: view.chain,
                    key: other.publicKey.text(isTest: true), audit: audit)))
        #expect(try venue.coins.storage(named: text)?.next == 0)
    }

    @Test(arguments: 0..<20) func `coins are what a table made by hand says`(seed: UInt64) throws {
        let venue = try PaymentVenue()
        var (random, twin) = (SplitMix64(seed: seed), ColdTwin())
        try venue.setCold(try PaymentVenue.descriptor())
        let own = try venue.coins.script(.change(of: []))
        for step in 0..<120 {
            let known = try venue.coins
            switch random.next() % 6 {
            case 0:
                let units = Int64(random.next() % 1_000_000) + 10_000
                twin.hot[try venue.deposit(1, units)] = units
            case 1, 2:
                // From any coins that there are, to both sides or one.
                let all = (twin.hot.merging(twin.cold) { a, _ in a }).keys.sorted()
                guard !all.isEmpty else { continue }
                let some = all.shuffled(using: &random).prefix(Int(random.next() % 3) + 1)
                let sum = some.reduce(0) { $0 + (known.amount($1) ?? 0) }
                let storage = try #require(known.storage(0))
                let kind = random.next() % 3
                var outputs: [(units: Int64, script: [UInt8])] = []
                if kind != 0 { outputs.append((sum / 2 - 100, own)) }
                if kind != 1 { outputs.append((sum / 2 - 100, try known.nextScript(storage))) }
                let made = venue.transaction(Array(some), outputs)
                guard twin.all[made.id] == nil, venue.log(made).refusal == .none else { continue }
                twin.log(made, hot: kind != 0 ? 0 : nil, cold: kind != 1 ? outputs.count - 1 : nil)
            case 3:
                guard let id = twin.open.randomElement(using: &random) else { continue }
                try venue.must(
                    .settleTransaction(
                        SettleTransaction(
                            transaction: id, costAsset: PaymentVenue.asset, cost: .zero,
                            block: 1)))
                twin.settle(id)
            case 4:
                guard let id = twin.open.randomElement(using: &random), !twin.isUsed(id) else {
                    continue
                }
                try venue.must(.dropTransaction(DropTransaction(transaction: id)))
                twin.drop(id)
            default:
                guard let id = twin.dropped.randomElement(using: &random), !twin.isUsed(id),
                    let made = twin.all[id]
                else { continue }
                if venue.log(made.transaction).refusal == .none { twin.again(id) }
            }
            let now = try venue.coins
            #expect(now.coins.mapValues(\.amount) == twin.hot, "step \(step)")
            #expect(now.cold.mapValues(\.amount) == twin.cold, "step \(step)")
            #expect(Set(now.transfers.map(\.id)) == Set(twin.open), "step \(step)")
            if step % 10 == 0 {
                let again = try #require(CoinTable(saved: venue.table.saved))
                #expect(again.saved == venue.table.saved)
            }
        }
    }
}

/// What is hot and cold, by sets alone.
private struct ColdTwin {
    var hot: [OutPoint: Int64] = [:]
    var cold: [OutPoint: Int64] = [:]
    var all: [TransactionID: (transaction: UTXOTransaction, hot: Int?, cold: Int?)] = [:]
    private(set) var open: [TransactionID] = []
    private(set) var dropped: [TransactionID] = []
    private var spent: Set<OutPoint> = []

    /// Whether something that is final spent an output of it: nobody would give it up.
    func isUsed(_ id: TransactionID) -> Bool { spent.contains { $0.transaction == id } }

    mutating func log(_ transaction: UTXOTransaction, hot: Int?, cold: Int?) {
        all[transaction.id] = (transaction, hot, cold)
        again(transaction.id)
    }

    mutating func again(_ id: TransactionID) {
        guard let made = all[id] else { return }
        dropped.removeAll { $0 == id }
        open.append(id)
        open.sort()
        if let place = made.hot {
            hot[OutPoint(id, UInt32(place))] = made.transaction.outputs[place].amount
        }
        if let place = made.cold {
            cold[OutPoint(id, UInt32(place))] = made.transaction.outputs[place].amount
        }
    }

    private mutating func end(_ id: TransactionID) {
        open.removeAll { $0 == id }
        guard let made = all[id] else { return }
        if let place = made.hot { hot[OutPoint(id, UInt32(place))] = nil }
        if let place = made.cold { cold[OutPoint(id, UInt32(place))] = nil }
    }

    mutating func drop(_ id: TransactionID) {
        guard open.contains(id) else { return }
        end(id)
        dropped.append(id)
        dropped.sort()
    }

    mutating func settle(_ id: TransactionID) {
        guard open.contains(id), let made = all[id] else { return }
        let inputs = Set(made.transaction.inputs.map(\.outPoint))
        for other in open where other != id {
            let others = all[other]?.transaction.inputs.map(\.outPoint) ?? []
            if !inputs.isDisjoint(with: others) { end(other) }
        }
        open.removeAll { $0 == id }
        // What was dropped and would spend the same never is final.
        dropped.removeAll { other in
            all[other]?.transaction.inputs.contains { inputs.contains($0.outPoint) } ?? false
        }
        for place in inputs { (hot[place], cold[place]) = (nil, nil) }
        spent.formUnion(inputs)
    }
}
