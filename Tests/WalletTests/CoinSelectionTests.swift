// Goal: coins are chosen as well as a search of all choices would, sums are exact to the unit, fees
// are at least what the rate wants and at most the ceiling, and what cannot be paid is refused.

import Addresses
import Keys
import Slabs
import Terms
import Testing
import UTXO

/// What the tests compute for themselves: weights and fees from BIP141's rules.
private struct Twin {
    let policy: PaymentPolicy
    let payees: [Payee]

    func fee(_ rate: UTXOFeeRate, _ weight: Int) -> Int64 {
        let product = rate.perKilobyte * Int64(weight)
        return product / 4_000 + (product % 4_000 == 0 ? 0 : 1)
    }

    func inputWeight(_ coin: UTXOCoin) -> Int { coin.output.script.count == 22 ? 272 : 230 }

    func outputWeight(_ script: [UInt8]) -> Int { 4 * (9 + script.count) }

    /// The virtual size of a signed transaction, at most.
    func virtualSize(_ coins: [UTXOCoin], change: Bool) -> Int {
        var scripts = payees.map(\.destination.script)
        if change { scripts.append(policy.change.script) }
        // Version, lock time, two counts of one byte; marker and flag.
        let weight =
            4 * 10 + 2 + scripts.reduce(0) { $0 + outputWeight($1) }
            + coins.reduce(0) { $0 + inputWeight($1) }
        return (weight + 3) / 4
    }

    func value(_ coin: UTXOCoin) -> Int64 {
        coin.output.amount - fee(policy.feeRate, inputWeight(coin))
    }

    /// What coins without their own fees have to reach, with three weight units for rounding.
    var target: Int64 {
        let outputs = payees.reduce(0) { $0 + outputWeight($1.destination.script) }
        return payees.reduce(0) { $0 + $1.amount }
            + fee(policy.feeRate, 4 * 10 + 2 + outputs + 3)
    }

    var changeCost: Int64 {
        fee(policy.feeRate, outputWeight(policy.change.script))
            + fee(policy.longTermFeeRate, policy.change.script.count == 22 ? 272 : 230)
    }

    func waste(_ coins: [UTXOCoin]) -> Int64 {
        coins.reduce(-target) { sum, coin in
            let weight = inputWeight(coin)
            return sum + value(coin) + fee(policy.feeRate, weight)
                - fee(policy.longTermFeeRate, weight)
        }
    }

    /// The least waste of all choices that match; nil where none does.
    func leastWaste(_ coins: [UTXOCoin]) -> Int64? {
        let worthy = coins.filter { value($0) > 0 }
        let values = worthy.map { value($0) }
        let (goal, most) = (target, target + changeCost)
        let wastes = worthy.map { waste([$0]) + goal }
        var least: Int64?
        for mask in 0..<1 << worthy.count where mask.nonzeroBitCount <= policy.inputsMax {
            var (value, waste): (Int64, Int64) = (0, -goal)
            for index in worthy.indices where mask >> index & 1 == 1 {
                value += values[index]
                waste += wastes[index]
            }
            if value >= goal, value <= most { least = min(least ?? .max, waste) }
        }
        return least
    }
}

@Suite struct CoinSelectionTests {
    private func policy(
        _ wallet: TestWallet, _ rate: Int64, longTerm: Int64 = 10_000, feeMax: Int64 = 10_000_000
    ) throws -> PaymentPolicy {
        PaymentPolicy(
            network: wallet.network, feeRate: try #require(UTXOFeeRate(perKilobyte: rate)),
            feeMax: feeMax, change: try wallet.destination(.taproot, 0, change: true),
            longTermFeeRate: try #require(UTXOFeeRate(perKilobyte: longTerm)))
    }

    /// Checks all that holds for any selection.
    private func check(
        _ selection: CoinSelection, _ twin: Twin, from coins: [UTXOCoin], _ replay: Comment
    ) {
        let paid = twin.payees.reduce(0) { $0 + $1.amount }
        let spent = selection.coins.reduce(0) { $0 + $1.output.amount }
        #expect(spent == paid + selection.fee + (selection.change ?? 0), replay)
        let least = twin.policy.feeRate.fee(
            virtualSize: twin.virtualSize(selection.coins, change: selection.change != nil))
        #expect(selection.fee >= least && selection.fee <= twin.policy.feeMax, replay)
        // With change nothing is given away; without it less than change would cost and bring.
        let script = twin.policy.change.script
        if let change = selection.change {
            #expect(selection.fee == least && selection.method != .exact, replay)
            #expect(change >= twin.policy.network.dustLimit(script), replay)
        } else {
            let given = selection.fee - least
            let rounding = twin.policy.feeRate.fee(virtualSize: 1) + 20
            #expect(
                given <= twin.changeCost + twin.policy.network.dustLimit(script) + rounding, replay)
        }
        #expect(Set(selection.coins).count == selection.coins.count, replay)
        #expect(Set(selection.coins).isSubset(of: coins), replay)
        #expect(selection.coins.count <= twin.policy.inputsMax, replay)
    }

    /// `BOURSE_SEED` is the first seed, `BOURSE_FUZZ_ITERATIONS` scales their number.
    @Test func `no choice of all wastes less than an exact match`() throws {
        let wallet = try TestWallet()
        let kinds = SpendKind.allCases
        let samples = try (0..<24).map { try wallet.coin(kinds[$0 % 2], UInt32($0), 0) }
        let destinations = try kinds.map { try wallet.destination($0, 90) }
        var (methods, refused): ([CoinSelection.Method: Int], Int) = ([:], 0)
        for seed in Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(max(1, Fuzz.rounds / 5)) {
            let replay = Fuzz.replay(seed, "CoinSelection")
            var random = SplitMix64(seed: seed)
            var policy = try policy(
                wallet, [0, 1_000, 5_000, 10_000, 30_000, 200_000][random.below(6)])
            if random.below(4) == 0 { policy.inputsMax = 1 + random.below(4) }
            policy.changeMin = Int64(random.below(3) * 5_000)
            let scale = [300, 3_000, 50_000][random.below(3)]
            var coins = samples.shuffled(using: &random)
            coins.removeLast(coins.count - random.below(11))
            for index in coins.indices {
                coins[index].output.amount =
                    Int64(1 + random.below(20)) * Int64(scale)
                    + Int64(random.below(2) * random.below(scale))
            }
            let payees = (0...random.below(3)).map { _ in
                Payee(destinations[random.below(2)], Int64(400 + random.below(20) * scale))
            }
            let twin = Twin(policy: policy, payees: payees)
            let least = twin.leastWaste(coins)
            do {
                let selection = try CoinSelection(
                    from: coins, paying: payees, policy: policy, seed: seed)
                check(selection, twin, from: coins, replay)
                methods[selection.method, default: 0] += 1
                #expect((selection.method == .exact) == (least != nil), replay)
                if let least { #expect(twin.waste(selection.coins) == least, replay) }
                let again = try CoinSelection(
                    from: coins.shuffled(using: &random), paying: payees, policy: policy, seed: seed
                )
                #expect(again.coins == selection.coins && again.fee == selection.fee, replay)
            } catch {
                refused += 1
                #expect(least == nil, replay)
                let all = coins.map { twin.value($0) }.filter { $0 > 0 }.sorted(by: >)
                let sum = all.reduce(0, +)
                switch error {
                case .notEnough(let missing): #expect(missing == twin.target - sum, replay)
                case .tooManyInputs(let maximum):
                    #expect(sum >= twin.target && maximum == policy.inputsMax, replay)
                    #expect(all.prefix(maximum).reduce(0, +) < twin.target, replay)
                default: Issue.record("\(error) \(replay)")
                }
            }
        }
        if Fuzz.rounds >= 5_000 {
            #expect(refused > 20 && methods[.exact] ?? 0 > 20)
            #expect(methods[.largest] ?? 0 > 20 && methods[.drawn] ?? 0 > 20)
        }
    }

    @Test func `equal coins do not make the search long`() throws {
        let wallet = try TestWallet()
        let coins = try (0..<200).map { index in
            var coin = try wallet.coin(.taproot, UInt32(index), 100_000)
            coin.outPoint.output = UInt32(1_000 + index)
            return coin
        }
        let payees = [Payee(try wallet.destination(.taproot, 99), 1_950_000)]
        var policy = try policy(wallet, 20_000)
        policy.triesMax = 5_000
        let selection = try CoinSelection(from: coins, paying: payees, policy: policy, seed: 3)
        check(selection, Twin(policy: policy, payees: payees), from: coins, "")
        policy.triesMax = 0
        let quick = try CoinSelection(from: coins, paying: payees, policy: policy, seed: 3)
        #expect(quick.method != .exact)
    }

    @Test func `what cannot be paid is refused for its reason`() throws {
        let wallet = try TestWallet()
        let policy = try policy(wallet, 10_000)
        let to = try wallet.destination(.publicKeyHash, 99)
        let coins = [
            try wallet.coin(.taproot, 0, 100_000), try wallet.coin(.publicKeyHash, 1, 50_000),
        ]
        func refusal(
            _ coins: [UTXOCoin], _ payees: [Payee], _ policy: PaymentPolicy
        ) -> PaymentError? {
            do {
                _ = try CoinSelection(from: coins, paying: payees, policy: policy, seed: 0)
                return nil
            } catch {
                return error
            }
        }
        let some = [Payee(to, 20_000)]
        #expect(refusal(coins, some, policy) == nil)
        #expect(refusal(coins, [], policy) == .noPayees)
        let crowd = [Payee](repeating: Payee(to, 294), count: 3_201)
        #expect(refusal(coins, crowd, policy) == .tooManyPayees(maximum: 3_200))
        #expect(refusal(coins, [some[0], Payee(to, 293)], policy) == .dust(payee: 1, limit: 294))
        #expect(refusal(coins, [Payee(to, -5)], policy) == .dust(payee: 0, limit: 294))
        #expect(refusal(coins, [Payee(to, .max), Payee(to, .max)], policy) == .amount)
        #expect(refusal(coins, [Payee(to, .max)], policy) == .amount)
        #expect(refusal(coins + [coins[0]], some, policy) == .sameCoin(coins[0].outPoint))
        let base58 = UTXODestination.publicKeyHash([UInt8](repeating: 1, count: 20))
        var strange = coins[0]
        strange.output.script = base58.script
        #expect(refusal([strange], some, policy) == .notSpendable(strange.outPoint))
        strange = coins[0]
        strange.output.amount = .max
        #expect(refusal([strange], some, policy) == .amount)
        var other = policy
        other.change = base58
        #expect(refusal(coins, some, other) == .changeNotSpendable)
        other = policy
        other.feeMax = 500
        guard case .feeTooHigh(let fee, maximum: 500) = refusal(coins, some, other) else {
            Issue.record("the fee's ceiling holds")
            return
        }
        other.feeMax = fee
        #expect(refusal(coins, some, other) == nil)
        other = policy
        other.inputsMax = 1
        #expect(refusal(coins, [Payee(to, 120_000)], other) == .tooManyInputs(maximum: 1))
        #expect(refusal([], some, policy) == .notEnough(missing: 20_423))
        guard case .notEnough = refusal(coins, [Payee(to, 150_000)], policy) else {
            Issue.record("the fee is missing")
            return
        }
        #expect(UTXOFeeRate(perKilobyte: -1) == nil)
        #expect(UTXOFeeRate(perKilobyte: UTXOFeeRate.maximum + 1) == nil)
        for error in [
            .noPayees, .amount, .changeNotSpendable, .notReplaceable, .tooHeavy(weight: 1),
            .dust(payee: 0, limit: 1), .notSpendable(coins[0].outPoint), .notEnough(missing: 1),
            .sameCoin(coins[0].outPoint), .tooManyCoins(maximum: 1), .tooManyInputs(maximum: 1),
            .feeTooHigh(fee: 1, maximum: 0), .feeTooLow(fee: 0, minimum: 1),
            .changeIsDust(limit: 1), .tooManyPayees(maximum: 1),
        ] as [PaymentError] {
            #expect(!error.description.isEmpty)
        }
    }

    @Test func `coins that cost more than they bring stay where they are`() throws {
        let wallet = try TestWallet()
        let policy = try policy(wallet, 100_000, longTerm: 1_000)
        let small = try (1..<20).map { try wallet.coin(.publicKeyHash, UInt32($0), 6_800) }
        let large = try wallet.coin(.taproot, 0, 1_000_000)
        let payees = [Payee(try wallet.destination(.taproot, 99), 500_000)]
        let selection = try CoinSelection(
            from: small + [large], paying: payees, policy: policy, seed: 1)
        #expect(selection.coins == [large])
        #expect(selection.change != nil)
    }
}
