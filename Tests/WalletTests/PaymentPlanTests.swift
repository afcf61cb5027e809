// Goal: the size of a signed transaction is known before, plans pay exactly what was asked for, and
// one that replaces another keeps BIP125's rules.

import Addresses
import Keys
import Secrets
import Slabs
import Terms
import Testing
import UTXO

@Suite struct PaymentPlanTests {
    private func rate(_ perKilobyte: Int64) throws -> UTXOFeeRate {
        try #require(UTXOFeeRate(perKilobyte: perKilobyte))
    }

    private func policy(_ wallet: TestWallet, _ perKilobyte: Int64) throws -> PaymentPolicy {
        PaymentPolicy(
            network: wallet.network, feeRate: try rate(perKilobyte), feeMax: 50_000_000,
            change: try wallet.destination(.taproot, 0, change: true),
            longTermFeeRate: try rate(5_000))
    }

    private func signed(_ plan: PaymentPlan, _ wallet: TestWallet) throws -> UTXOTransaction {
        var psbt = try wallet.psbt(plan)
        let count = try psbt.sign(
            with: wallet.master, on: wallet.network, random: [UInt8](repeating: 3, count: 32))
        #expect(count == plan.coins.count)
        try psbt.finalize(on: wallet.network)
        return try psbt.extracted()
    }

    @Test(arguments: ["bitcoin-regtest", "litecoin"])
    func `the size of what is signed is known before`(name: String) throws {
        let wallet = try TestWallet(name)
        for seed in Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(max(1, min(400, Fuzz.rounds / 400))) {
            let replay = Fuzz.replay(seed, "PaymentPlan")
            var random = SplitMix64(seed: seed)
            let kinds = SpendKind.allCases
            let coins = try (0...random.below(6)).map { index in
                try wallet.coin(
                    kinds[random.below(2)], UInt32(index), random.amount(100_000...200_000))
            }
            let policy = try policy(wallet, Int64(1_000 + random.below(50_000)))
            let payees = try (0...random.below(3)).map { index in
                Payee(
                    try wallet.destination(kinds[random.below(2)], UInt32(100 + index)),
                    random.amount(6_000...20_000))
            }
            let selection = try CoinSelection(
                from: coins, paying: payees, policy: policy, seed: seed)
            let plan = try PaymentPlan(
                paying: payees, from: selection, policy: policy, lockTime: UInt32(random.below(9)),
                seed: seed)
            #expect(plan.fee == selection.fee, replay)
            #expect((plan.changeIndex == nil) == (selection.change == nil), replay)
            var outputs = plan.transaction.outputs
            if let place = plan.changeIndex {
                let change = outputs.remove(at: place)
                #expect(change.amount == selection.change, replay)
                #expect(change.script == policy.change.script, replay)
            }
            #expect(outputs.map(\.amount) == payees.map(\.amount), replay)
            #expect(outputs.map(\.script) == payees.map(\.destination.script), replay)
            let signed = try signed(plan, wallet)
            let ecdsa = plan.coins.filter { $0.output.script.count == 22 }.count
            #expect(plan.weight >= signed.weight, replay)
            #expect(plan.weight - signed.weight <= 2 * ecdsa, replay)
            if ecdsa < 3 { #expect(plan.virtualSize - signed.virtualSize <= 1, replay) }
            #expect(plan.fee >= policy.feeRate.fee(virtualSize: signed.virtualSize), replay)
        }
    }

    /// A plan with one coin of 1,000,000 and two more of 100,000 that are spare.
    private func example(
        _ wallet: TestWallet, paying amount: Int64 = 300_000
    ) throws -> (PaymentPlan, [UTXOCoin]) {
        let coin = try wallet.coin(.publicKeyHash, 0, 1_000_000)
        let spare = [
            try wallet.coin(.taproot, 1, 100_000), try wallet.coin(.taproot, 2, 100_000),
        ]
        let payees = [
            Payee(try wallet.destination(.publicKeyHash, 50), amount),
            Payee(try wallet.destination(.taproot, 51), 20_000),
        ]
        let policy = try policy(wallet, 2_000)
        let selection = try CoinSelection(from: [coin], paying: payees, policy: policy, seed: 1)
        return (try PaymentPlan(paying: payees, from: selection, policy: policy, seed: 5), spare)
    }

    /// BIP125's rules, and that nobody but the miners gets other amounts.
    private func check(
        _ bumped: PaymentPlan, _ plan: PaymentPlan, _ policy: PaymentPolicy, relay: UTXOFeeRate
    ) {
        #expect(bumped.coins.starts(with: plan.coins))
        #expect(bumped.payees == plan.payees)
        #expect(bumped.fee >= plan.fee + relay.fee(virtualSize: bumped.virtualSize))
        #expect(bumped.fee >= policy.feeRate.fee(virtualSize: bumped.virtualSize))
        #expect(
            bumped.fee * Int64(plan.virtualSize) > plan.fee * Int64(bumped.virtualSize))
        let spent = bumped.coins.reduce(0) { $0 + $1.output.amount }
        #expect(spent == bumped.fee + bumped.transaction.outputs.reduce(0) { $0 + $1.amount })
        var outputs = bumped.transaction.outputs
        if let place = bumped.changeIndex { outputs.remove(at: place) }
        #expect(outputs.map(\.amount) == plan.payees.map(\.amount))
        #expect(outputs.map(\.script) == plan.payees.map(\.destination.script))
        #expect(bumped.transaction.isReplaceable)
        #expect(bumped.transaction.lockTime == plan.transaction.lockTime)
    }

    @Test func `a higher fee comes out of the change`() throws {
        let wallet = try TestWallet()
        let (plan, _) = try example(wallet)
        #expect(plan.changeIndex != nil)
        let relay = try rate(1_000)
        for perKilobyte in [0, 2_000, 2_500, 3_000, 10_000, 400_000, 3_000_000] as [Int64] {
            let policy = try policy(wallet, perKilobyte)
            let bumped = try plan.bumped(policy: policy, relayFee: relay)
            check(bumped, plan, policy, relay: relay)
            #expect(bumped.coins == plan.coins)
            #expect(try signed(bumped, wallet).weight <= bumped.weight)
            // And once more.
            let again = try bumped.bumped(policy: policy, relayFee: relay)
            check(again, bumped, policy, relay: relay)
        }
    }

    @Test func `change that is used up goes, and then spare coins come in`() throws {
        let wallet = try TestWallet()
        let (plan, spare) = try example(wallet, paying: 970_000)
        #expect(plan.changeIndex != nil)
        let relay = try rate(1_000)
        // The change is about 9,500.
        var policy = try policy(wallet, 50_000)
        let bare = try plan.bumped(policy: policy, relayFee: relay, spare: spare)
        #expect(bare.changeIndex == nil && bare.coins == plan.coins)
        check(bare, plan, policy, relay: relay)
        policy.feeRate = try rate(90_000)
        guard case .notEnough = refusal(plan, policy, relay) else {
            Issue.record("without spare coins it is too little")
            return
        }
        let more = try plan.bumped(policy: policy, relayFee: relay, spare: spare)
        #expect(more.changeIndex != nil && more.coins.count == 2)
        check(more, plan, policy, relay: relay)
        #expect(try signed(more, wallet).weight <= more.weight)
        policy.feeMax = more.fee - 1
        #expect(
            refusal(plan, policy, relay, spare: spare)
                == .feeTooHigh(fee: more.fee, maximum: more.fee - 1))
        #expect(
            refusal(plan, policy, relay, spare: plan.coins)
                == .sameCoin(plan.coins[0].outPoint))
        policy.feeMax = 50_000_000
        policy.inputsMax = 1
        guard case .tooManyInputs = refusal(plan, policy, relay, spare: spare) else {
            Issue.record("inputs have a maximum")
            return
        }
    }

    private func refusal(
        _ plan: PaymentPlan, _ policy: PaymentPolicy, _ relay: UTXOFeeRate, spare: [UTXOCoin] = []
    ) -> PaymentError? {
        do {
            _ = try plan.bumped(policy: policy, relayFee: relay, spare: spare)
            return nil
        } catch {
            return error
        }
    }

    @Test func `what does not allow to be replaced is not`() throws {
        let wallet = try TestWallet()
        let (plan, _) = try example(wallet)
        let policy = try policy(wallet, 2_000)
        let selection = try CoinSelection(
            from: plan.coins, paying: plan.payees, policy: policy, seed: 1)
        for sequence in [0xFFFF_FFFE, 0xFFFF_FFFF] as [UInt32] {
            let fixed = try PaymentPlan(
                paying: plan.payees, from: selection, policy: policy, sequence: sequence, seed: 1)
            #expect(refusal(fixed, policy, try rate(1_000)) == .notReplaceable)
        }
        // A plan is held to its own policy, whatever the coins were chosen by.
        let dear = try self.policy(wallet, 200_000)
        #expect(throws: PaymentError.self) {
            try PaymentPlan(paying: plan.payees, from: selection, policy: dear, seed: 1)
        }
    }

    @Test func `a plan with change stands at any place by its seed`() throws {
        let wallet = try TestWallet()
        let (plan, _) = try example(wallet)
        let policy = try policy(wallet, 2_000)
        let selection = try CoinSelection(
            from: plan.coins, paying: plan.payees, policy: policy, seed: 1)
        let places = try (0..<64).map { seed in
            try PaymentPlan(
                paying: plan.payees, from: selection, policy: policy, seed: UInt64(seed)
            ).changeIndex
        }
        #expect(Set(places) == [0, 1, 2])
    }
}
