// Goal: of a block of an EVM chain, a customer is credited with what arrived, whatever
// transactions, logs and contracts say; and what nobody can explain is reported.

import Addresses
import Deposits
import EVM
import Nodes
import Slabs
import Terms
import Testing

@Suite struct EVMDepositsTests {
    private let native = EVMDeposits.nativeOutput
    private let token = EVMScene.token(1)

    /// Deposits as text: account, output, units; and anomalies.
    private func said(_ findings: EVMFindings) -> [String] {
        findings.deposits.map { deposit in
            let output = deposit.output == native ? "native" : "\(deposit.output)"
            return "\(deposit.account.number) \(output) \(deposit.units)"
        }
            + findings.anomalies.map { anomaly in
                switch anomaly {
                case .surplus(_, let units): "surplus \(units)"
                case .shortfall(_, let units): "shortfall \(units)"
                case .loss(_, let units): "loss \(units)"
                case .unreadable: "unreadable"
                case .outOfRange: "out of range"
                }
            }
    }

    @Test func `addresses are those of BIP44, from the account's public key`() throws {
        var addresses = try EVMDepositAddresses(try evmAccountKey())
        // The known accounts of the phrase: 0 is the first.
        #expect(
            try addresses.address(1).description == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
        #expect(
            try addresses.address(2).description == "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
        try addresses.update([AccountID(9)])
        try addresses.update([AccountID(9), AccountID(4)])
        #expect(addresses.count == 2)
        #expect(addresses.account(try addresses.address(2)) == AccountID(4))
        #expect(addresses.account(try addresses.address(3)) == nil)
        #expect(addresses.account(try addresses.address(0)) == nil)
        #expect(throws: (any Error).self) { try addresses.address(1 << 31) }
        #expect(throws: (any Error).self) { try EVMDepositAddresses(key: "xpub") }
    }

    @Test func `native coin of a successful transaction is credited`() throws {
        var scene = try EVMScene()
        let id = scene.add(to: scene.customer(2), 70)
        scene.add(to: scene.customer(3), 5, isSuccess: false)
        scene.add(to: EVMScene.stranger(2), 9)
        scene.add(to: nil, 4)
        scene.add(to: scene.customer(1), 0)
        scene.balance(scene.customer(2), 30, 100)
        let findings = try scene.read()
        #expect(said(findings) == ["6 native 70"])
        #expect(findings.deposits.first?.transaction == id)
        #expect(findings.deposits.first?.holding == EVMHolding(scene.customer(2), .native))
        #expect(findings.parent == EVMScene.parent && findings.height == 7)
    }

    @Test func `what the wallet sends to customers' addresses is no deposit but as a payment`()
        throws
    {
        var scene = try EVMScene()
        let hot = EVMScene.stranger(9)
        scene.watch.wallet = [hot]
        // Gas for a sweep, and a withdrawal to the address of another customer, or the same.
        scene.add(from: hot, to: scene.customer(1), 11)
        let payment = scene.add(from: hot, to: scene.customer(1), 100)
        scene.add(to: scene.customer(1), 7)
        scene.balance(scene.customer(1), 0, 118)
        #expect(said(try scene.read()) == ["5 native 7"])
        scene.watch.payments = [payment]
        #expect(said(try scene.read()) == ["5 native 100", "5 native 7"])
        // The same of a token.
        scene.add(
            from: hot, to: token,
            logs: [try transferLog(token, hot, scene.customer(1), 40)])
        scene.balance(scene.customer(1), .token(token), 0, 40)
        #expect(said(try scene.read()) == ["5 native 100", "5 native 7"])
    }

    @Test func `what the wallet moves away in the same block does not hide a deposit`() throws {
        var scene = try EVMScene()
        let (owner, hot) = (scene.customer(1), EVMScene.stranger(9))
        scene.add(from: owner, to: hot, 500, gas: 21)
        scene.add(from: owner, to: hot, 400, isSuccess: false, gas: 13)
        scene.add(to: owner, 70)
        scene.balance(owner, 1_000, 536)
        #expect(said(try scene.read()) == ["5 native 70"])

        // A token: what the call asked for, and the log confirms.
        let call = TokenTransfer(to: hot, amount: 300)
        scene = try EVMScene()
        scene.add(
            from: owner, to: token, call: call, logs: [try transferLog(token, owner, hot, 300)])
        scene.add(to: token, logs: [try transferLog(token, hot, owner, 25)], at: 4)
        scene.balance(owner, .token(token), 300, 25)
        #expect(said(try scene.read()) == ["5 4 25"])

        // A token that moved nothing of what was called for gives nobody anything.
        scene = try EVMScene()
        scene.add(from: owner, to: token, call: call)
        scene.add(to: token, logs: [try transferLog(token, hot, owner, 25)])
        scene.balance(owner, .token(token), 300, 300)
        #expect(said(try scene.read()) == ["shortfall 25"])
    }

    @Test func `an address that pays itself gains nothing`() throws {
        var scene = try EVMScene()
        let owner = scene.customer(1)
        scene.add(from: owner, to: owner, 50, gas: 21)
        scene.add(to: owner, 8)
        scene.balance(owner, 100, 87)
        #expect(said(try scene.read()) == ["5 native 8"])
        // From one customer's address to another's: the wallet's own doing.
        scene = try EVMScene()
        scene.add(from: owner, to: scene.customer(2), 50)
        #expect(said(try scene.read()) == [])
    }

    @Test func `tokens share in order what their balance shows`() throws {
        let scene = try EVMScene()
        let (owner, from) = (scene.customer(1), EVMScene.stranger())
        // Logged amounts in two transactions, the balance's change, what comes of it.
        let rows: [([EVMWord], EVMWord, [String])] = [
            ([10, 20, 30], 60, ["5 2 10", "5 3 20", "5 2 30"]),
            ([10, 20, 30], 54, ["5 2 10", "5 3 20", "5 2 24", "shortfall 6"]),
            ([10, 20, 30], 25, ["5 2 10", "5 3 15", "shortfall 35"]),
            ([10, 20, 30], 0, ["shortfall 60"]),
            ([10, 20, 30], 100, ["5 2 10", "5 3 20", "5 2 30", "surplus 40"]),
            ([.max, 0, .max], 5, ["5 2 5", "shortfall \(EVMWord.max)"]),
            ([.max, 0, 0], .max, ["5 2 \(EVMWord.max)"]),
        ]
        for (amounts, change, expected) in rows {
            var scene = scene
            let logs = try amounts.map { try transferLog(token, from, owner, $0) }
            scene.add(to: token, logs: Array(logs[..<2]), at: 2)
            scene.add(to: EVMScene.stranger(3), logs: [logs[2]], at: 2)
            scene.balance(owner, .token(token), 0, change)
            #expect(said(try scene.read()) == expected)
        }
    }

    @Test func `each coin of each address is by itself, and other tokens are nobody's`() throws {
        var scene = try EVMScene()
        let (one, two, from) = (scene.customer(1), scene.customer(2), EVMScene.stranger())
        let (other, unknown) = (EVMScene.token(2), EVMScene.token(3))
        let id = scene.add(
            to: one, 3,
            logs: [
                try transferLog(token, from, one, 10), try transferLog(unknown, from, one, 99),
                try transferLog(other, from, one, 20), try transferLog(token, from, two, 30),
                try transferLog(token, from, from, 40),
            ])
        scene.balance(one, 0, 3)
        scene.balance(one, .token(token), 5, 15)
        scene.balance(one, .token(other), 0, 19)
        scene.balance(two, .token(token), 7, 37)
        let findings = try scene.read()
        #expect(said(findings) == ["5 native 3", "5 0 10", "5 2 19", "6 3 30", "shortfall 1"])
        #expect(findings.deposits.allSatisfy { $0.transaction == id })
        #expect(Set(findings.deposits.map(\.output)).count == 4)
    }

    @Test func `a token that says no balance, or a false one, credits nothing`() throws {
        let rows: [(EVMWord?, EVMWord?, String)] = [
            (nil, 10, "unreadable"), (0, nil, "unreadable"), (nil, nil, "unreadable"),
            (10, 4, "loss 6"), (.max, .max, "shortfall 10"), (.max, 0, "loss \(EVMWord.max)"),
        ]
        for (before, after, expected) in rows {
            var scene = try EVMScene()
            let owner = scene.customer(1)
            scene.add(to: token, logs: [try transferLog(token, EVMScene.stranger(), owner, 10)])
            scene.balance(owner, .token(token), before, after)
            let findings = try scene.read()
            #expect(findings.deposits.isEmpty)
            #expect(said(findings).contains(expected), "\(said(findings))")
            #expect(findings.anomalies.allSatisfy { !$0.description.isEmpty })
        }
        // Beyond 256 bits together with what was swept.
        var scene = try EVMScene()
        let (owner, hot) = (scene.customer(1), EVMScene.stranger(9))
        scene.add(
            from: owner, to: token, call: TokenTransfer(to: hot, amount: 9),
            logs: [try transferLog(token, owner, hot, 9)])
        scene.add(to: token, logs: [try transferLog(token, hot, owner, 10)])
        scene.balance(owner, .token(token), 0, .max)
        #expect(said(try scene.read()) == ["out of range"])
    }

    @Test func `coin that no transaction brought is a surplus of who is looked at`() throws {
        var scene = try EVMScene()
        let owner = scene.customer(1)
        scene.add(to: EVMScene.stranger(2), 9)
        #expect(said(try scene.read()) == [])
        scene.balance(owner, 10, 19)
        scene.balance(scene.customer(2), 4, 4)
        let also: Set = [EVMHolding(owner, .native), EVMHolding(scene.customer(2), .native)]
        let findings = try scene.read(also: also)
        #expect(findings.anomalies == [.surplus(EVMHolding(owner, .native), 9)])
        #expect(findings.deposits.isEmpty)
        // With a deposit beside it, only that is credited.
        scene.add(to: owner, 5)
        scene.balance(owner, 10, 24)
        #expect(said(try scene.read()) == ["5 native 5", "surplus 9"])
    }

    @Test func `a node without an answer, or with another block's, decides nothing`() throws {
        var scene = try EVMScene()
        let owner = scene.customer(1)
        scene.add(to: token, logs: [try transferLog(token, EVMScene.stranger(), owner, 10)])
        #expect(throws: NodeError.self) { try scene.read() }
        scene.balance(owner, .token(token), 0, 10)
        #expect(said(try scene.read()) == ["5 0 10"])
        scene.isOtherBlock = true
        #expect(throws: NodeError.self) { try scene.read() }
    }

    /// Whatever a block says, no holding is credited with more than it grew by and than was sent to
    /// it; and all of the growth is credited or reported.
    @Test func `fuzz: credits never exceed what arrived`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        let empty = try EVMScene()
        let people =
            (1...3).map { empty.customer($0) } + [EVMScene.stranger(1), EVMScene.stranger(9)]
        for round in 0..<WalletFuzz.iterations / 10 {
            var scene = empty
            scene.watch.wallet = [EVMScene.stranger(9)]
            func amount() -> EVMWord {
                random.below(20) == 0 ? .max : EVMWord(UInt128(random.below(50)))
            }
            for _ in 0..<random.below(6) {
                let (from, to) = (people[random.below(5)], people[random.below(5)])
                let logs = try (0..<random.below(4)).map { _ in
                    try transferLog(
                        EVMScene.token(UInt8(1 + random.below(3))), people[random.below(5)],
                        people[random.below(5)], amount())
                }
                let isCall = random.below(2) == 0
                let id = scene.add(
                    from: from, to: isCall ? token : to, amount(),
                    call: isCall ? TokenTransfer(to: to, amount: amount()) : nil,
                    isSuccess: random.below(4) > 0, gas: UInt128(random.below(3)), logs: logs)
                if random.below(4) == 0 { scene.watch.payments.insert(id) }
            }
            for person in people {
                for coin in [.native, .token(EVMScene.token(1)), .token(EVMScene.token(2))]
                    as [EVMCoin]
                {
                    scene.balance(
                        person, coin, random.below(30) == 0 ? nil : amount(),
                        random.below(30) == 0 ? nil : amount())
                }
            }
            let findings = try scene.read()
            #expect(try scene.read() == findings, WalletFuzz.replay(round))
            for (holding, deposits) in Dictionary(grouping: findings.deposits, by: \.holding) {
                let known = try #require(scene.balances[holding])
                let out = scene.sentMost(holding)
                let most = try #require(known.after).adding(out) ?? .max
                let sum = deposits.reduce(EVMWord?.some(.zero)) { $0.flatMap($1.units.adding) }
                let total = try #require(sum, WalletFuzz.replay(round))
                let grown = most.subtracting(try #require(known.before))
                #expect(total <= grown ?? .zero, WalletFuzz.replay(round))
                #expect(deposits.allSatisfy { $0.units > .zero }, WalletFuzz.replay(round))
                let names = Set(deposits.map { "\($0.transaction.hex):\($0.output)" })
                #expect(names.count == deposits.count, WalletFuzz.replay(round))
            }
        }
    }
}

extension EVMScene {
    /// At most what left a holding by transactions of its own.
    fileprivate func sentMost(_ holding: EVMHolding) -> EVMWord {
        transactions.filter { $0.sender == holding.holder }.reduce(.zero) { sum, transaction in
            let receipt = receipts[transaction.id]!
            var sent: EVMWord? = .zero
            switch holding.coin {
            case .native:
                sent = receipt.gasCost
                if receipt.isSuccess { sent = sent?.adding(transaction.value) }
            case .token(let token):
                if receipt.isSuccess, transaction.destination == token {
                    sent = transaction.tokenTransfer?.amount ?? .zero
                }
            }
            return sent.flatMap(sum.adding) ?? .max
        }
    }
}
