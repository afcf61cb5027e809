// Goal: what devices of cold storage sign comes back to the wallet, by one key and by several, and
// nothing else does: no other payee, coin, fee or time, and no transaction that lacks a signature.

import Addresses
import Engine
import Keys
import Payments
import Secrets
import Slabs
import Terms
import Testing
import UTXO
import Wire

/// Cold storage of some seeds on a chain, with coins in it.
struct ColdScene {
    let network: UTXONetwork
    let masters: [ExtendedPrivateKey]
    let descriptor: ColdDescriptor
    let hot: UTXODestination
    static let path: [UInt32] = [48 | 1 << 31, 1 | 1 << 31, 1 << 31]

    /// `threshold` of so many seeds; nil: one key alone.
    init(_ threshold: Int?, of count: Int = 1, seed: UInt8 = 40) throws {
        network = try #require(.named("litecoin-regtest"))
        masters = try (0..<count).map { index in
            try ExtendedPrivateKey(
                seed: SecretBytes([UInt8](repeating: seed + UInt8(index), count: 32)))
        }
        let keys = try masters.map { master in
            let account = try master.descendant(along: Self.path).publicKey
            return "[\(master.publicKey.fingerprint.hexText)/48h/1h/0h]"
                + account.text(isTest: true) + "/0/*"
        }.joined(separator: ",")
        descriptor = try ColdDescriptor(
            threshold.map { "wsh(sortedmulti(\($0),\(keys)))" } ?? "wpkh(\(keys))", on: network)
        hot = UTXODestination.witness(version: 0, program: [UInt8](repeating: 9, count: 20))
    }

    func coin(_ index: UInt32, _ amount: Int64) throws -> UTXOCoin {
        UTXOCoin(
            outPoint: OutPoint(TransactionID(high: 3, low: 4), index),
            output: UTXOTransaction.TransactionOutput(
                amount: amount, script: try descriptor.script(index)))
    }

    func plan(_ amount: Int64, from coins: [UTXOCoin], rate: Int64 = 5_000) throws -> PaymentPlan {
        let feeRate = try #require(UTXOFeeRate(perKilobyte: rate))
        var policy = PaymentPolicy(
            network: network, feeRate: feeRate, feeMax: 10_000_000,
            change: try descriptor.destination(100), longTermFeeRate: feeRate)
        policy.scriptInputWeight = descriptor.inputWeight
        let payees = [Payee(hot, amount)]
        let selection = try CoinSelection(from: coins, paying: payees, policy: policy, seed: 1)
        return try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 1)
    }

    func psbt(_ plan: PaymentPlan) throws -> PSBT {
        var psbt = try PSBT(unsigned: plan.transaction)
        psbt.updateKeys(of: descriptor)
        for (place, coin) in plan.coins.enumerated() {
            try psbt.updateInput(
                place, spent: coin.output, of: descriptor, at: coin.outPoint.output)
        }
        if let place = plan.changeIndex { try psbt.updateOutput(place, of: descriptor, at: 100) }
        return psbt
    }

    /// The PSBT with the signatures of one seed, as its device would add them.
    func signed(_ psbt: PSBT, by signer: Int, _ plan: PaymentPlan) throws -> PSBT {
        let hashes = try #require(
            SignatureHashes(plan.transaction, spending: plan.coins.map(\.output)))
        var records: [[(key: [UInt8], value: [UInt8])]] = []
        for (place, coin) in plan.coins.enumerated() {
            let index = coin.outPoint.output
            let key = try masters[signer].descendant(along: Self.path + [0, index]).signingKey
            let hash =
                try descriptor.witnessScript(index).map { hashes.witnessScript(place, $0) }
                ?? hashes.publicKeyHash(place, Array(coin.output.script.dropFirst(2)))
            records.append([([2] + key.publicKey, try key.ecdsa(hash) + [1])])
        }
        return try PSBT(psbt.bytes(adding: records), on: network)
    }

    func spend(
        _ transaction: UTXOTransaction, _ coins: [UTXOCoin], size: Int? = nil
    ) throws(ColdSpendError) -> ColdSpend {
        try ColdSpend(
            transaction, hot: hot.script, cold: [(try? descriptor.script(100)) ?? []], size: size,
            on: network
        ) { place in
            coins.first { $0.outPoint == place }.map { ColdSpend.Coin(output: $0.output) }
        }
    }
}

extension PSBT {
    /// Its bytes with further records at the end of each input's map, shorter than 253 bytes.
    func bytes(adding records: [[(key: [UInt8], value: [UInt8])]]) -> [UInt8] {
        func size(_ count: Int) -> [UInt8] {
            count < 253 ? [UInt8(count)] : [253, UInt8(count & 255), UInt8(count >> 8)]
        }
        func map(_ map: PSBTMap, _ more: [(key: [UInt8], value: [UInt8])] = []) -> [UInt8] {
            var bytes: [UInt8] = []
            for record in map.records {
                let key = [UInt8(record.type)] + record.data
                bytes += size(key.count) + key + size(record.value.count) + record.value
            }
            for (key, value) in more { bytes += size(key.count) + key + size(value.count) + value }
            return bytes + [0]
        }
        return [0x70, 0x73, 0x62, 0x74, 0xFF] + map(global)
            + inputs.enumerated().flatMap {
                map($0.element, $0.offset < records.count ? records[$0.offset] : [])
            }
            + outputs.flatMap { map($0) }
    }
}

@Suite struct ColdSpendTests {
    @Test func `one key signs, and what is left goes back`() throws {
        let scene = try ColdScene(nil)
        let coins = try [scene.coin(0, 3_000_000), scene.coin(5, 2_000_000)]
        let plan = try scene.plan(4_000_000, from: coins)
        var psbt = try scene.psbt(plan)
        let random = [UInt8](repeating: 0, count: 32)
        #expect(try psbt.sign(with: scene.masters[0], on: scene.network, random: random) == 2)
        try psbt.finalize(on: scene.network)
        let transaction = try psbt.extracted()
        #expect(transaction.weight <= plan.weight)
        let spend = try scene.spend(transaction, coins)
        try spend.checkSignatures()
        #expect(spend.toHot == 4_000_000 && spend.fee == plan.fee)
        #expect(spend.toCold == 5_000_000 - 4_000_000 - plan.fee && spend.toCold > 0)
        #expect(try psbt.isChange(try #require(plan.changeIndex), of: scene.masters[0]))
    }

    @Test(arguments: [(1, 1), (1, 2), (2, 2), (2, 3), (3, 5), (5, 5)])
    func `as many sign as it takes, whoever they are`(threshold: Int, count: Int) throws {
        let scene = try ColdScene(threshold, of: count)
        let coins = try (0..<3).map { try scene.coin($0, 3_000_000) }
        let plan = try scene.plan(8_000_000, from: coins)
        let unsigned = try scene.psbt(plan)
        #expect(unsigned.global.all(PSBTType.Global.extendedKey).count == count)
        // Each of the ways to choose the signers.
        for signers in (0..<1 << count).map({ set in (0..<count).filter { set >> $0 & 1 == 1 } })
        where signers.count == threshold {
            var parts = try signers.map { try scene.signed(unsigned, by: $0, plan) }
            var psbt = parts.removeLast()
            if threshold > 1 {
                var alone = psbt
                #expect(
                    throws: PSBTError.tooFewSignatures(input: 0, count: 1, needed: threshold)
                ) { try alone.finalize(on: scene.network) }
            }
            for part in parts { psbt = try psbt.combined(with: part) }
            try psbt.finalize(on: scene.network)
            let transaction = try psbt.extracted()
            #expect(transaction.weight <= plan.weight && plan.weight - transaction.weight < 60)
            let spend = try scene.spend(transaction, coins)
            try spend.checkSignatures()
            // With one signature less, two in the other order, or one of another input.
            for change in [
                { $0.remove(at: 1) }, { $0.swapAt(0, 1) }, { $0[1][0] ^= 1 },
                { $0.insert($0[1], at: 1) }, { $0[0] = [0] },
            ] as [(inout [[UInt8]]) -> Void] {
                var changed = transaction
                change(&changed.inputs[1].witness)
                let broken = try scene.spend(changed, coins)
                #expect(throws: ColdSpendError.notSigned(1)) { try broken.checkSignatures() }
            }
            if threshold > 1 {
                var changed = transaction
                changed.inputs[2].witness.swapAt(1, 2)
                let broken = try scene.spend(changed, coins)
                #expect(throws: ColdSpendError.notSigned(2)) { try broken.checkSignatures() }
            }
        }
        // More than it takes are as good.
        var psbt = unsigned
        for signer in 0..<count { psbt = try scene.signed(psbt, by: signer, plan) }
        try psbt.finalize(on: scene.network)
        try scene.spend(try psbt.extracted(), coins).checkSignatures()
    }

    @Test func `a signature of another coin, amount or seed is none`() throws {
        let scene = try ColdScene(2, of: 3)
        let coins = try (0..<2).map { try scene.coin($0, 3_000_000) }
        let plan = try scene.plan(5_000_000, from: coins)
        let unsigned = try scene.psbt(plan)
        let one = try scene.signed(unsigned, by: 0, plan)
        // A stranger's key is not looked at; a wrong signature of a key of it is.
        let stranger = try ColdScene(2, of: 3, seed: 90)
        var foreign = try stranger.signed(one, by: 1, plan)
        #expect(throws: PSBTError.tooFewSignatures(input: 0, count: 1, needed: 2)) {
            try foreign.finalize(on: scene.network)
        }
        let other = try scene.plan(5_000_001, from: coins)
        let moved = try scene.signed(try scene.psbt(other), by: 1, other)
        #expect(throws: PSBTError.otherTransaction) { try one.combined(with: moved) }
        let records = moved.inputs.map { map in
            map.all(PSBTType.TransactionInput.signature).map { ([2] + $0.data, $0.value) }
        }
        var wrong = try PSBT(one.bytes(adding: records), on: scene.network)
        #expect(throws: PSBTError.tooFewSignatures(input: 0, count: 1, needed: 2)) {
            try wrong.finalize(on: scene.network)
        }
        // What is not valid is none, and stands in nobody's place.
        wrong = try scene.signed(wrong, by: 2, plan)
        try wrong.finalize(on: scene.network)
        #expect(try wrong.extracted().id == plan.transaction.id)
        var clean = try PSBT(one.bytes(adding: records), on: scene.network)
        clean.leaveOutInvalidSignatures(on: scene.network)
        #expect(clean.inputs == one.inputs)
    }

    @Test func `what does anything else is refused by its word`() throws {
        let scene = try ColdScene(nil)
        let coins = try [scene.coin(0, 3_000_000), scene.coin(5, 2_000_000)]
        let plan = try scene.plan(4_000_000, from: coins)
        let good = plan.transaction
        let size = plan.virtualSize
        func error(_ change: (inout UTXOTransaction) -> Void) -> ColdSpendError? {
            var changed = good
            change(&changed)
            do throws(ColdSpendError) {
                _ = try scene.spend(changed, coins, size: size)
                return nil
            } catch { return error }
        }
        let paid = try #require(good.outputs.firstIndex { $0.script == scene.hot.script })
        let left = 1 - paid
        let thief = UTXODestination.witness(version: 0, program: [UInt8](repeating: 1, count: 20))
        let place = good.inputs[1].outPoint
        #expect(error { _ in } == nil)
        #expect(error { $0.lockTime = 1 } == .locked)
        #expect(error { $0.version = 1 } == nil)
        for version in [0, 3, .max] as [UInt32] {
            #expect(error { $0.version = version } == .version(version))
        }
        #expect(error { $0.inputs[0].sequence = 10 } == .locked)
        #expect(
            error { $0.inputs[1].outPoint.output = 77 }
                == .foreignInput(OutPoint(place.transaction, 77)))
        #expect(
            error { $0.inputs[0].outPoint = place } == .sameInput(place))
        for index in [paid, left] {
            #expect(
                error { $0.outputs[index].script = thief.script }
                    == .foreignOutput(index, address: thief.address(on: scene.network)))
        }
        #expect(
            error { $0.outputs[left].script = [0x6A] } == .foreignOutput(left, address: nil))
        #expect(
            error { $0.outputs.append($0.outputs[paid]) }
                == .foreignOutput(
                    2, address: scene.hot.address(on: scene.network)))
        let second = try scene.descriptor.address(100)
        #expect(
            error { $0.outputs.append($0.outputs[left]) } == .foreignOutput(2, address: second))
        #expect(error { $0.outputs[left].amount = 1 } == .dust(left))
        #expect(error { $0.outputs.remove(at: paid) } == .nothingToHot)
        #expect(error { $0.outputs[left].amount += plan.fee } == .amount)
        #expect(error { $0.outputs[left].amount = .max } == .amount)
        let least = Int64(size) * 1_000 / 1_000
        let most = Int64(size) * 1_000_000 / 1_000
        #expect(
            error { $0.outputs[left].amount += plan.fee - least + 1 }
                == .fee(least - 1, least: least, most: most))
        #expect(error { $0.outputs[left].amount += plan.fee - least } == nil)
        #expect(
            error { $0.outputs[left].amount -= most - plan.fee + 1 }
                == .fee(most + 1, least: least, most: most))
        // Another transfer spends it.
        func taking(_ takers: [ColdSpend.Taker?]) throws(ColdSpendError) -> ColdSpend {
            try ColdSpend(
                good, hot: scene.hot.script,
                cold: [(try? scene.descriptor.script(100)) ?? []], size: size, on: scene.network
            ) { place in
                coins.firstIndex { $0.outPoint == place }.map {
                    ColdSpend.Coin(output: coins[$0].output, taker: takers[$0])
                }
            }
        }
        let id = TransactionID(high: 7, low: 7)
        let first = try #require(coins.firstIndex { $0.outPoint == good.inputs[0].outPoint })
        func takers(_ taker: ColdSpend.Taker) -> [ColdSpend.Taker?] {
            coins.indices.map { $0 == first ? taker : nil }
        }
        #expect(throws: ColdSpendError.taken(good.inputs[0].outPoint, by: id)) {
            try taking(takers(.init(id: id, fee: 0, isReplaceable: false)))
        }
        // It takes the place of one that paid less, and of no other.
        #expect(
            try taking(takers(.init(id: id, fee: plan.fee - least, isReplaceable: true))).replaces
                == id)
        #expect(
            throws: ColdSpendError.replacement(plan.fee, least: plan.fee + 1, of: id)
        ) {
            try taking(takers(.init(id: id, fee: plan.fee - least + 1, isReplaceable: true)))
        }
        // Unsigned.
        let spend = try scene.spend(good, coins, size: size)
        #expect(throws: ColdSpendError.notSigned(0)) { try spend.checkSignatures() }
    }

    @Test func `all of some coins is what is left of their fee`() throws {
        for scene in [try ColdScene(nil), try ColdScene(2, of: 3)] {
            let coins = try (0..<4).map { try scene.coin($0, 1_000_000) }
            let rate = try #require(UTXOFeeRate(perKilobyte: 5_000))
            var policy = PaymentPolicy(
                network: scene.network, feeRate: rate, feeMax: 10_000_000,
                change: try scene.descriptor.destination(100), longTermFeeRate: rate)
            policy.scriptInputWeight = scene.descriptor.inputWeight
            let amount = try CoinSelection.all(of: coins, to: scene.hot, policy: policy)
            let payees = [Payee(scene.hot, amount)]
            let selection = try CoinSelection(spending: coins, paying: payees, policy: policy)
            let plan = try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 0)
            #expect(plan.changeIndex == nil && plan.coins.count == 4)
            #expect(plan.fee == rate.fee(virtualSize: plan.virtualSize))
        }
        let scene = try ColdScene(nil)
        let policy = PaymentPolicy(
            network: scene.network, feeRate: try #require(UTXOFeeRate(perKilobyte: 5_000)),
            feeMax: 1, change: scene.hot, longTermFeeRate: try #require(.init(perKilobyte: 1)))
        #expect(try CoinSelection.all(of: [], to: scene.hot, policy: policy) < 0)
        let several = try ColdScene(2, of: 3)
        #expect(throws: PaymentError.notSpendable(try several.coin(0, 9_000).outPoint)) {
            try CoinSelection.all(
                of: [try several.coin(0, 9_000)], to: scene.hot, policy: policy)
        }
    }

    // MARK: By the log

    @Test func `the log's own coins come back once`() throws {
        let venue = try PaymentVenue()
        let scene = try ColdScene(2, of: 3)
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        func name(_ text: String) throws {
            try venue.must(
                .setColdStorage(
                    SetColdStorage(
                        asset: PaymentVenue.asset, network: PaymentVenue.network,
                        ceiling: Amount(units: 100), target: .zero, descriptor: text, audit: audit)
                ))
        }
        try name(scene.descriptor.text)
        func known() throws -> ChainCoins {
            try #require(venue.table.coins(PaymentVenue.network))
        }
        let hot = try #require(
            UTXODestination(script: try known().script(.change(of: []))))
        func log(_ bytes: [UInt8]) throws -> TransactionID {
            let id = try UTXOTransaction(bytes, on: venue.chain).id
            try venue.must(
                .signWithdrawals(
                    SignWithdrawals(
                        asset: PaymentVenue.asset, network: PaymentVenue.network, transaction: id,
                        replaces: .none, withdrawals: [], bytes: bytes)))
            return id
        }
        /// To cold storage, from a deposit.
        func freeze(_ amount: Int64, index: UInt32) throws -> UTXOCoin {
            let deposit = try venue.deposit(1, amount + 1_000)
            let output = UTXOTransaction.TransactionOutput(
                amount: amount, script: try scene.descriptor.script(index))
            let id = try log(
                UTXOTransaction(
                    inputs: [.init(outPoint: deposit, sequence: 0xFFFF_FFFD)], outputs: [output],
                    lockTime: 0
                ).bytes)
            try venue.settle(id)
            return UTXOCoin(outPoint: OutPoint(id, 0), output: output)
        }
        let coins = [
            try freeze(3_000_000, index: 0), try freeze(2_000_000, index: 1),
        ]
        #expect(try known().coldTotal == 5_000_000)
        let rate = try #require(UTXOFeeRate(perKilobyte: 5_000))
        var policy = PaymentPolicy(
            network: venue.chain, feeRate: rate, feeMax: 10_000_000,
            change: try scene.descriptor.destination(2), longTermFeeRate: rate)
        policy.scriptInputWeight = scene.descriptor.inputWeight
        let payees = [Payee(hot, 4_000_000)]
        let plan = try PaymentPlan(
            paying: payees,
            from: CoinSelection(from: coins, paying: payees, policy: policy, seed: 1),
            policy: policy, seed: 1)
        var psbt = try PSBT(unsigned: plan.transaction)
        for (place, coin) in plan.coins.enumerated() {
            let index: UInt32 = coin.outPoint == coins[0].outPoint ? 0 : 1
            try psbt.updateInput(place, spent: coin.output, of: scene.descriptor, at: index)
        }
        let hashes = try #require(
            SignatureHashes(plan.transaction, spending: plan.coins.map(\.output)))
        for signer in [0, 2] {
            var records: [[(key: [UInt8], value: [UInt8])]] = []
            for (place, coin) in plan.coins.enumerated() {
                let index: UInt32 = coin.outPoint == coins[0].outPoint ? 0 : 1
                let key = try scene.masters[signer]
                    .descendant(along: ColdScene.path + [0, index]).signingKey
                let script = try #require(try scene.descriptor.witnessScript(index))
                let hash = hashes.witnessScript(place, script)
                records.append([([2] + key.publicKey, try key.ecdsa(hash) + [1])])
            }
            psbt = try PSBT(psbt.bytes(adding: records), on: venue.chain)
        }
        try psbt.finalize(on: venue.chain)
        let bytes = try psbt.extracted().bytes
        #expect(throws: ColdSpendError.notSigned(0)) {
            try known().coldSpend(plan.transaction.bytes, named: scene.descriptor.text)
        }
        #expect(throws: ColdSpendError.malformed(.truncated)) {
            try known().coldSpend(Array(bytes.dropLast()), named: scene.descriptor.text)
        }
        // While it was signed another transfer went to the address that it leaves the rest at.
        _ = try freeze(1_000_000, index: 2)
        let spend = try known().coldSpend(bytes, named: scene.descriptor.text)
        #expect(spend.toHot == 4_000_000 && spend.toCold > 0)
        // Whoever has named another storage since: the rest still goes where it came from.
        #expect(try known().coldSpend(bytes, named: nil) == spend)
        let id = try log(bytes)
        let signedSize = Int64(try UTXOTransaction(bytes, on: venue.chain).virtualSize)
        let leastFee = signedSize * PaymentProposal.feePerKilobyteMin / 1_000
        #expect(throws: ColdSpendError.replacement(plan.fee, least: plan.fee + leastFee, of: id)) {
            try known().coldSpend(bytes, named: scene.descriptor.text)
        }
        // What a block has keeps its place.
        #expect(
            throws: ColdSpendError.taken(
                try UTXOTransaction(bytes, on: venue.chain).inputs[0].outPoint, by: id)
        ) {
            try known().coldSpend(bytes, named: scene.descriptor.text) { $0 == id }
        }
        #expect(try known().payments[id]?.fee == plan.fee)
        try venue.settle(id)
        #expect(try known().coldTotal == 1_000_000 + Int128(spend.toCold))
        #expect(try known().total == 4_000_000)
        #expect(throws: ColdSpendError.foreignInput(plan.coins[0].outPoint)) {
            try known().coldSpend(bytes, named: scene.descriptor.text)
        }
        #expect(venue.table.overcharged.isEmpty)
    }

    // MARK: Random input

    @Test func `a PSBT that was changed brings nothing else back`() throws {
        for scene in [try ColdScene(nil), try ColdScene(2, of: 3)] {
            let coins = try (0..<2).map { try scene.coin($0, 3_000_000) }
            let plan = try scene.plan(5_000_000, from: coins)
            var psbt = try scene.psbt(plan)
            for signer in 0..<min(2, scene.masters.count) {
                psbt = try scene.signed(psbt, by: signer, plan)
            }
            var final = psbt
            try final.finalize(on: scene.network)
            let samples = [psbt.bytes, final.bytes]
            var (taken, refused) = (0, 0)
            for seed in Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(max(1, Fuzz.rounds / 8)) {
                var random = SplitMix64(seed: seed)
                let bytes = random.spoiled(samples[random.below(2)])
                guard var read = try? PSBT(bytes, on: scene.network),
                    (try? read.finalize(on: scene.network)) != nil,
                    let transaction = try? read.extracted(),
                    let spend = try? scene.spend(transaction, coins),
                    (try? spend.checkSignatures()) != nil
                else {
                    refused += 1
                    continue
                }
                taken += 1
                #expect(
                    transaction.id == plan.transaction.id, Fuzz.replay(seed, "ColdSpend"))
            }
            #expect(Fuzz.rounds < 1_000 || refused > taken)
        }
    }
}
