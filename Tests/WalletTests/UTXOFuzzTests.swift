// Goal: no bytes stop the decoders of transactions and PSBTs or mean two things: what decodes is
// written back to the same bytes, and what was written decodes to the same.

import Addresses
import Keys
import Slabs
import Terms
import Testing
import UTXO

@Suite struct UTXOFuzzTests {
    private func bitcoin() throws -> UTXONetwork { try #require(.named("bitcoin")) }

    private func seeds(_ share: Int) -> Range<UInt64> {
        Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(max(1, Fuzz.rounds / share))
    }

    @Test func `a transaction decodes to what was encoded`() throws {
        let network = try bitcoin()
        for seed in seeds(4) {
            var random = SplitMix64(seed: seed)
            let transaction = random.transaction()
            let bytes = transaction.bytes
            let again = try? UTXOTransaction(bytes, on: network)
            #expect(again == transaction, Fuzz.replay(seed, "UTXOFuzz"))
            #expect((try? UTXOTransaction(bytes + [0], on: network)) == nil)
            #expect((try? UTXOTransaction(bytes.dropLast(), on: network)) == nil)
        }
    }

    @Test func `a transaction that decodes is written back to the same bytes`() throws {
        let network = try bitcoin()
        let samples = [
            TransactionVectors.segWit, TransactionVectors.segWitSigned,
            TransactionVectors.taprootSigned,
        ].map { bytes($0) }
        var decoded = 0
        for seed in seeds(1) {
            var random = SplitMix64(seed: seed)
            let bytes =
                random.below(9) == 0
                ? random.bytes(random.below(200))
                : random.spoiled(
                    random.below(2) == 0
                        ? samples[random.below(samples.count)] : random.transaction().bytes)
            guard let transaction = try? UTXOTransaction(bytes, on: network) else { continue }
            decoded += 1
            #expect(transaction.bytes == bytes, Fuzz.replay(seed, "UTXOFuzz"))
        }
        #expect(Fuzz.rounds < 1_000 || decoded > Fuzz.rounds / 50, "some of them decode")
    }

    @Test func `a PSBT that decodes is written back to the same bytes`() throws {
        let network = try bitcoin()
        let wallet = try TestWallet("bitcoin")
        let samples = (PSBTVectors.valid + PSBTVectors.invalid.dropFirst())
            .compactMap { Base64.bytes($0.text) }
        #expect(samples.count > 40)
        var (decoded, signed) = (0, 0)
        for seed in seeds(1) {
            var random = SplitMix64(seed: seed)
            let bytes = random.spoiled(samples[random.below(samples.count)])
            guard var psbt = try? PSBT(bytes, on: network) else { continue }
            decoded += 1
            let replay = Fuzz.replay(seed, "UTXOFuzz")
            #expect(psbt.bytes == bytes, replay)
            let text = try PSBT(base64: psbt.base64, on: network)
            #expect(text == psbt, replay)
            // None of these stops the process, and none of the keys is ours.
            _ = try? psbt.fee(on: network)
            _ = try? psbt.extracted()
            if (try? psbt.combined(with: psbt)) == nil { Issue.record("\(replay)") }
            for place in psbt.outputs.indices { _ = try? psbt.isChange(place, of: wallet.master) }
            let count =
                (try? psbt.sign(
                    with: wallet.master, on: network, random: [UInt8](repeating: 0, count: 32),
                    skipsOthers: true)) ?? 0
            signed += count
            _ = try? psbt.finalize(on: network)
        }
        #expect(signed == 0)
        #expect(Fuzz.rounds < 1_000 || decoded > Fuzz.rounds / 50, "some of them decode")
    }

    @Test func `a PSBT with any records decodes to what was encoded`() throws {
        let network = try bitcoin()
        let wallet = try TestWallet("bitcoin")
        for seed in seeds(40) {
            let replay = Fuzz.replay(seed, "UTXOFuzz")
            var random = SplitMix64(seed: seed)
            let kinds = SpendKind.allCases
            let coins = try (0...random.below(3)).map { index in
                try wallet.coin(
                    kinds[random.below(2)], UInt32(index), random.amount(20_000...90_000))
            }
            let policy = PaymentPolicy(
                network: network, feeRate: UTXOFeeRate(perKilobyte: 1_000)!, feeMax: 1_000_000,
                change: try wallet.destination(.taproot, 0, change: true),
                longTermFeeRate: UTXOFeeRate(perKilobyte: 1_000)!)
            let payees = [Payee(try wallet.destination(.taproot, 200), 10_000)]
            let selection = try CoinSelection(
                from: coins, paying: payees, policy: policy, seed: seed)
            let plan = try PaymentPlan(
                paying: payees, from: selection, policy: policy, seed: seed)
            var psbt = try wallet.psbt(plan)
            #expect(try PSBT(psbt.bytes, on: network) == psbt, replay)
            // One bit beside: it is refused, or is another one, and never signed into this one.
            var bytes = psbt.bytes
            bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
            #expect((try? PSBT(bytes, on: network)) != psbt, replay)
            _ = try psbt.sign(with: wallet.master, on: network, random: random.bytes(32))
            #expect(try PSBT(psbt.bytes, on: network) == psbt, replay)
            try psbt.finalize(on: network)
            #expect(try PSBT(psbt.bytes, on: network) == psbt, replay)
            let transaction = try psbt.extracted()
            #expect(try UTXOTransaction(transaction.bytes, on: network) == transaction, replay)
        }
    }
}
