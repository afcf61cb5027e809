// Goal: a proof of liabilities shows that an account is part of the total, whatever the number of
// accounts is, and nothing that is wrong anywhere passes for one. A slow twin has the tree as RFC
// 9162 defines it, from above.

import JSON
import Liabilities
import Secrets
import Slabs
import Terms
import Testing

/// The tree by its definition: split at the largest power of two below the count.
private struct SlowTree {
    let sum: Int128
    let hash: [UInt8]
    /// The siblings of each leaf, the lowest first.
    let paths: [[LiabilityNode]]

    init(_ leaves: ArraySlice<LiabilityProof>) throws {
        if let leaf = leaves.first, leaves.count == 1 {
            let name = Array("\(leaf.account)".utf8)
            sum = leaf.units
            hash = SHA256.digest(
                Array("bourse.pol.leaf1".utf8) + [UInt8(name.count)] + name
                    + bytes(leaf.nonce.text) + Self.wide(leaf.units))
            paths = [[]]
            return
        }
        var half = 1
        while half * 2 < leaves.count { half *= 2 }
        let left = try SlowTree(leaves.prefix(half))
        let right = try SlowTree(leaves.dropFirst(half))
        sum = left.sum + right.sum
        hash = SHA256.digest(
            Array("bourse.pol.node1".utf8) + Self.wide(left.sum) + left.hash
                + Self.wide(right.sum) + right.hash)
        let (beside, other) = (try left.node, try right.node)
        paths = left.paths.map { $0 + [other] } + right.paths.map { $0 + [beside] }
    }

    var node: LiabilityNode {
        get throws { LiabilityNode(sum: sum, hash: try #require(LiabilityHash(hash))) }
    }

    /// The hash of the root.
    func root(_ asset: String, scale: UInt8, sequence: UInt8) -> [UInt8] {
        SHA256.digest(
            Array("bourse.pol.root1".utf8) + Array(asset.utf8)
                + [UInt8](repeating: 0, count: 16 - asset.utf8.count) + [scale]
                + [UInt8](repeating: 0, count: 7) + [sequence]
                + [UInt8](repeating: 0, count: 6)
                + [UInt8(paths.count / 256), UInt8(paths.count % 256)] + Self.wide(sum) + hash)
    }

    static func wide(_ value: Int128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: value >> Int128(120 - 8 * $0)) }
    }
}

private func made(
    _ units: [Int128], asset: String = "LTC", sequence: UInt64 = 7, salt: UInt8 = 1
) throws -> LiabilityTree {
    try LiabilityTree(
        asset: #require(Text16(asset)), scale: 8, sequence: sequence,
        accounts: try units.enumerated().map { index, units in
            LiabilityAccount(
                id: AccountID(UInt32(index + 1)),
                name: try #require(Text40("account \(index + 1)")),
                units: units)
        }, salt: SecretBytes([UInt8](repeating: salt, count: 32)))
}

private func parsed(_ proof: LiabilityProof) -> JSONValue? {
    var text: [UInt8] = []
    proof.write(into: &text)
    return JSONValue(parsing: text)
}

extension LiabilityProof {
    /// The proof with something else in it.
    fileprivate func with(
        asset: Text16? = nil, sequence: UInt64? = nil, account: Text40? = nil,
        units: Int128? = nil, nonce: LiabilityHash? = nil, place: UInt64? = nil,
        siblings: [LiabilityNode]? = nil
    ) -> LiabilityProof {
        LiabilityProof(
            asset: asset ?? self.asset, sequence: sequence ?? self.sequence,
            account: account ?? self.account, units: units ?? self.units,
            nonce: nonce ?? self.nonce, place: place ?? self.place,
            siblings: siblings ?? self.siblings)
    }
}

extension JSONValue {
    /// The object with another value of a member.
    fileprivate func with(_ name: String, _ value: JSONValue) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(members.map { $0.name == name ? Member(name, value) : $0 })
    }
}

@Suite struct LiabilityTests {
    @Test func `each account's proof leads to the root, as the slow twin has them`() throws {
        var random = SplitMix64(seed: 11)
        for count in Array(1...40) + [63, 64, 65, 127, 129, 300] {
            let units = (0..<count).map { _ in
                random.below(4) == 0 ? 0 : Int128(random.next()) << Int128(random.below(56))
            }
            let tree = try made(units)
            #expect(tree.count == count && tree.root.accounts == UInt64(count))
            #expect(tree.root.total == units.reduce(0, +))
            let proofs = (0..<count).map(tree.proof)
            let slow = try SlowTree(proofs[...])
            #expect(slow.root("LTC", scale: 8, sequence: 7) == bytes(tree.root.hash.text))
            #expect(proofs.map(\.siblings) == slow.paths)
            for (place, proof) in proofs.enumerated() {
                try proof.check(tree.root)
                #expect(proof.place == UInt64(place))
            }
            // Each account once, by the name and amount it has.
            let found = Dictionary(
                uniqueKeysWithValues: proofs.map { ("\($0.account)", $0.units) })
            #expect(found.count == count)
            for (index, units) in units.enumerated() {
                #expect(found["account \(index + 1)"] == units)
                let place = try #require(tree.place(of: AccountID(UInt32(index + 1))))
                #expect("\(proofs[place].account)" == "account \(index + 1)")
            }
        }
    }

    @Test func `a large tree is no other`() throws {
        let units = (0..<100_003).map { Int128($0) }
        var steps = (last: 0, total: 0)
        let tree = try LiabilityTree(
            asset: #require(Text16("LTC")), scale: 8, sequence: 7,
            accounts: units.map {
                LiabilityAccount(
                    id: AccountID(UInt32($0) + 1), name: Text40("a\($0)") ?? Text40(), units: $0)
            }, salt: SecretBytes.random(count: 32)
        ) { done, total in
            if done <= steps.last { Issue.record("the progress goes back") }
            steps = (done, total)
        }
        #expect(steps.last == steps.total - 1, "a tree has one node less than leaves")
        #expect(tree.root.total == units.reduce(0, +))
        var text: [UInt8] = []
        for place in stride(from: 0, to: tree.count, by: 100) {
            let proof = tree.proof(at: place)
            try proof.check(tree.root)
            proof.write(into: &text)
        }
        #expect(text.count < 1_001 * 2_500, "a proof has about 2 KB")
    }

    @Test func `nothing else is a proof`() throws {
        var random = SplitMix64(seed: 12)
        for count in [1, 2, 3, 5, 8, 13, 21] {
            let tree = try made((0..<count).map { _ in Int128(random.below(1_000)) })
            let root = tree.root
            let proofs = (0..<count).map(tree.proof)
            for proof in proofs {
                var wrong = [
                    proof.with(asset: Text16("BTC")), proof.with(sequence: 8),
                    proof.with(account: Text40("another")), proof.with(units: proof.units + 1),
                    proof.with(nonce: proof.siblings.first?.hash ?? root.hash),
                    proof.with(place: proof.place + 1), proof.with(place: UInt64(count)),
                    proof.with(place: .max), proof.with(siblings: proof.siblings + [top(proof)]),
                ]
                for other in proofs where other.place != proof.place {
                    // Another account's leaf on this way, and this leaf on another one's.
                    wrong.append(
                        proof.with(
                            account: other.account, units: other.units, nonce: other.nonce))
                    wrong.append(proof.with(place: other.place))
                    wrong.append(proof.with(place: other.place, siblings: other.siblings))
                }
                for level in proof.siblings.indices {
                    let sibling = proof.siblings[level]
                    for changed in [
                        LiabilityNode(sum: sibling.sum + 1, hash: sibling.hash),
                        LiabilityNode(sum: .max, hash: sibling.hash),
                        LiabilityNode(sum: sibling.sum, hash: proof.nonce),
                    ] {
                        var siblings = proof.siblings
                        siblings[level] = changed
                        wrong.append(proof.with(siblings: siblings))
                    }
                    var less = proof.siblings
                    less.remove(at: level)
                    wrong.append(proof.with(siblings: less))
                    // The same total, split otherwise: what a sum of sums would let pass.
                    if proof.units > 0 {
                        var siblings = proof.siblings
                        siblings[level] = LiabilityNode(
                            sum: sibling.sum + 1, hash: sibling.hash)
                        wrong.append(proof.with(units: proof.units - 1, siblings: siblings))
                    }
                    // Swapped children.
                    if level > 0, proof.siblings[level] != proof.siblings[level - 1] {
                        var siblings = proof.siblings
                        siblings.swapAt(level, level - 1)
                        wrong.append(proof.with(siblings: siblings))
                    }
                }
                for wrong in wrong {
                    #expect(throws: LiabilityProofError.self) { try wrong.check(root) }
                }
            }
        }
    }

    /// Any node, for a proof that has too many.
    private func top(_ proof: LiabilityProof) -> LiabilityNode {
        LiabilityNode(sum: 0, hash: proof.nonce)
    }

    @Test func `no root but its own takes a proof`() throws {
        let tree = try made([5, 0, 7, 1, 1])
        for name in ["scale", "sequence", "accounts"] {
            let value = try #require(tree.root.json[name]?.count)
            for wrong in [value + 1, value - 1] {
                let root = try #require(LiabilityRoot(tree.root.json.with(name, .number(wrong))))
                for place in 0..<5 {
                    #expect(throws: LiabilityProofError.self) {
                        try tree.proof(at: place).check(root)
                    }
                }
            }
        }
        for json in [
            tree.root.json.with("total", "13"), tree.root.json.with("total", "15"),
            tree.root.json.with("asset", "LTC2"),
            tree.root.json.with("hash", .string(tree.proof(at: 0).nonce.text)),
        ] {
            let root = try #require(LiabilityRoot(json))
            #expect(throws: LiabilityProofError.self) { try tree.proof(at: 0).check(root) }
        }
    }

    @Test func `no amount is negative, and none wraps around`() throws {
        #expect(throws: LiabilityTreeError.negative(AccountID(2))) { try made([5, -1, 3]) }
        #expect(throws: LiabilityTreeError.tooLarge) { try made([.max, 1]) }
        #expect(throws: LiabilityTreeError.tooLarge) { try made([.max, 0, 0, .max, 2]) }
        #expect(throws: LiabilityTreeError.noAccounts) { try made([]) }
        #expect(try made([.max, 0]).root.total == .max)
        let one = try made([.max])
        try one.proof(at: 0).check(one.root)
        let tree = try made([5, 3])
        let proof = tree.proof(at: 0)
        let wrapped = proof.with(siblings: [LiabilityNode(sum: .max, hash: proof.nonce)])
        #expect(throws: LiabilityProofError.tooLarge) { try wrapped.check(tree.root) }
        let json = try #require(parsed(proof))
        for wrong in [
            "-1", "+1", "-0", "01", "", " 1", "1.0", "1e3", "０", "0x1",
            "170141183460469231731687303715884105728", String(repeating: "9", count: 40),
        ] {
            #expect(LiabilityProof(json.with("units", .string(wrong))) == nil, "\(wrong)")
            #expect(LiabilityRoot(tree.root.json.with("total", .string(wrong))) == nil, "\(wrong)")
            let sibling: JSONValue = ["sum": .string(wrong), "hash": .string(proof.nonce.text)]
            #expect(LiabilityProof(json.with("siblings", .array([sibling]))) == nil, "\(wrong)")
        }
        #expect(LiabilityProof(json.with("units", .number(1))) == nil)
    }

    @Test func `nonces are others for each salt, asset and record, and so is the order`() throws {
        let units = (0..<200).map { Int128($0) }
        let same = try made(units)
        #expect(try made(units).root == same.root)
        let others = [
            try made(units, salt: 2), try made(units, asset: "BTC"),
            try made(units, sequence: 8),
        ]
        func names(_ tree: LiabilityTree) -> [String] {
            (0..<tree.count).map { "\(tree.proof(at: $0).account)" }
        }
        let nonces = Set((0..<200).map { same.proof(at: $0).nonce })
        #expect(nonces.count == 200)
        for other in others {
            #expect(other.root.hash != same.root.hash && names(other) != names(same))
            #expect((0..<200).allSatisfy { !nonces.contains(other.proof(at: $0).nonce) })
        }
    }

    @Test func `what is read is what was written`() throws {
        var random = SplitMix64(seed: 13)
        let tree = try made((0..<50).map { _ in Int128(random.next()) << 50 })
        #expect(LiabilityRoot(tree.root.json) == tree.root)
        for place in 0..<50 {
            let proof = tree.proof(at: place)
            #expect(try LiabilityProof(#require(parsed(proof))) == proof)
        }
        let many = tree.proof(at: 0).with(
            siblings: [LiabilityNode](repeating: top(tree.proof(at: 0)), count: 65))
        #expect(try LiabilityProof(#require(parsed(many))) == nil)
    }

    @Test func `damaged texts are no proofs`() throws {
        let tree = try made([5, 0, 7, 1, 1, 1 << 100])
        var read = 0
        for round in 0..<WalletFuzz.iterations {
            var random = SplitMix64(seed: WalletFuzz.seed &+ UInt64(round))
            let proof = tree.proof(at: random.below(tree.count))
            var text: [UInt8] = []
            proof.write(into: &text)
            guard let json = JSONValue(parsing: random.damaged(text)),
                let again = LiabilityProof(json), again != proof
            else { continue }
            read += 1
            #expect(throws: LiabilityProofError.self, WalletFuzz.replay(round)) {
                try again.check(tree.root)
            }
        }
        #expect(WalletFuzz.iterations < 1_000 || read > 0, "some of them can be read")
    }
}
