// Goal: whatever is asked for, and in whatever order, no withdrawal can be paid twice, and no more
// can leave than what counted against the limit. A slow twin tries every set of payments that can
// be final together.

import Payments
import Signing
import Terms
import Testing
import UTXO

@Suite struct EarlierSignaturesTests {
    private typealias Rule = (SignedEntry, [SignedEntry], Set<TransactionID>) ->
        EarlierSignatures

    private static func rule(
        _ new: SignedEntry, _ earlier: [SignedEntry], dead: Set<TransactionID> = []
    ) -> EarlierSignatures {
        EarlierSignatures.judge(
            new.payment.transaction, spending: Set(new.inputs), paying: new.payment.withdrawals,
            earlier, isDead: { dead.contains($0.payment.transaction) })
    }

    private func earlier(_ new: SignedEntry, _ all: [SignedEntry]) -> [SignedEntry] {
        all.filter { !Set($0.payment.withdrawals).isDisjoint(with: new.payment.withdrawals) }
    }

    /// What a run leaves: whether a withdrawal can be paid twice, or more leave than counted.
    private func fault(_ seed: UInt64, _ rule: Rule) -> String? {
        var numbers = SeededNumbers(seed)
        var signed: [SignedEntry] = []
        var dead: Set<TransactionID> = []
        for number in 1...40 where signed.count < 9 {
            let ids = (1...4).filter { _ in Bool.random(using: &numbers) }
            let coins = (1...4).filter { _ in Bool.random(using: &numbers) }
            if ids.isEmpty || coins.isEmpty { continue }
            // A withdrawal is of so much; the rest is the fee.
            let leaving = Int64(ids.count * 100 + Int.random(in: 0...9, using: &numbers))
            var new = SignedEntry.numbered(number, paying: ids, from: coins, leaving: leaving)
            if numbers.next() % 6 == 0, let one = signed.randomElement(using: &numbers) {
                dead.insert(one.payment.transaction)
            }
            guard case .free(let replaced) = rule(new, earlier(new, signed), dead) else { continue }
            new.counted = max(0, leaving - replaced)
            signed.append(new)
        }
        return twin(signed, dead)
    }

    /// Tries every set of payments without a common input: what is dead is paid by nobody, but the
    /// limit has to hold where the log lied about that.
    private func twin(_ signed: [SignedEntry], _ dead: Set<TransactionID>) -> String? {
        let counted = signed.reduce(0) { $0 + $1.counted }
        for set in 0..<1 << signed.count {
            let final = signed.indices.filter { set >> $0 & 1 == 1 }.map { signed[$0] }
            let spent = final.flatMap(\.inputs)
            guard Set(spent).count == spent.count else { continue }
            let paid = final.filter { !dead.contains($0.payment.transaction) }
                .flatMap(\.payment.withdrawals)
            if Set(paid).count < paid.count { return "a withdrawal is paid twice" }
            if final.reduce(0, { $0 + $1.leaving }) > counted { return "more leaves than counted" }
        }
        return nil
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `nothing is paid twice, and nothing leaves uncounted`(seed: UInt64) {
        #expect(fault(seed, { Self.rule($0, $1, dead: $2) }) == nil, "seed \(seed)")
    }

    @Test func `the twin finds rules that are broken`() {
        let any: Rule = { new, earlier, _ in
            // One common input is enough.
            let isReplacing = earlier.contains {
                !Set($0.inputs).isDisjoint(with: new.inputs)
            }
            return earlier.isEmpty || isReplacing ? .free(replaced: 0) : .given(earlier[0])
        }
        let all: Rule = { new, earlier, dead in
            // Whatever it replaces counts, of other withdrawals as well.
            let right = Self.rule(new, earlier, dead: dead)
            guard case .free = right else { return right }
            return .free(replaced: earlier.map(\.leaving).max() ?? 0)
        }
        for broken in [any, all] {
            #expect((0..<300).contains { fault($0, broken) != nil })
        }
    }

    @Test func `what was signed is given again`() {
        let first = SignedEntry.numbered(1, paying: [1, 2], from: [1])
        let bump = SignedEntry.numbered(2, paying: [1, 2], from: [1, 2], leaving: 120)
        let same = SignedEntry.numbered(1, paying: [1, 2], from: [1])
        #expect(Self.rule(first, []) == .free(replaced: 0))
        #expect(Self.rule(same, [first, bump]) == .given(first))
        #expect(Self.rule(bump, [first]) == .free(replaced: 100))
        // It could be final beside the first: the latest that was signed is given.
        let other = SignedEntry.numbered(3, paying: [2], from: [2])
        #expect(Self.rule(other, [first, bump]) == .given(bump))
        let third = SignedEntry.numbered(4, paying: [1, 2], from: [1], leaving: 90)
        #expect(Self.rule(third, [first, bump]) == .free(replaced: 120))
        // A payment of one more withdrawal replaces, and counts in full.
        let more = SignedEntry.numbered(5, paying: [1, 2, 3], from: [1])
        #expect(Self.rule(more, [first, bump]) == .free(replaced: 0))
    }

    @Test func `what can never be final demands nothing, and counts`() {
        let first = SignedEntry.numbered(1, paying: [1, 2], from: [1])
        let second = SignedEntry.numbered(2, paying: [1, 2], from: [1, 2], leaving: 120)
        let (one, both) = (
            Set([first.payment.transaction]),
            Set([first.payment.transaction, second.payment.transaction])
        )
        let other = SignedEntry.numbered(3, paying: [1, 2], from: [2])
        #expect(Self.rule(other, [first, second]) == .given(second))
        #expect(Self.rule(other, [first, second], dead: one) == .free(replaced: 0))
        let third = SignedEntry.numbered(4, paying: [1, 2], from: [3])
        #expect(Self.rule(third, [first, second], dead: one) == .given(second))
        #expect(Self.rule(third, [first, second], dead: both) == .free(replaced: 0))
        // The dead one itself is not given.
        #expect(Self.rule(first, [first, second], dead: one) == .free(replaced: 120))
    }
}
