// Goal: a signer signs a transfer of an EVM chain only from one of the wallet's accounts to
// another: each field is changed in turn. Nothing but gas counts and leaves, and a nonce is signed
// often, but not for ever.

import Addresses
import EVM
import Engine
import Keys
import Payments
import Signing
import Terms
import Testing
import UTXO
import Wire

@Suite struct EVMTransferTests {
    private typealias Venue = EVMSignerVenue

    private struct World {
        let venue: EVMSignerVenue
        let directory: SignerDirectory
        let signer: PaymentSigner
        let hot: EVMAddress
        let customer: EVMAddress

        init(coins: String = "10") throws {
            directory = try SignerDirectory()
            try directory.place.begin()
            venue = try EVMSignerVenue()
            signer = try venue.signer(directory, coins: coins)
            let account = try #require(venue.coins.account(EVMSignerVenue.network))
            hot = account.hot
            customer = try EVMDepositAddresses(key: account.key).address(1)
        }

        func transfer(
            to: EVMAddress, value: EVMWord = EVMWord(100_000_000_000_000_000), data: [UInt8] = [],
            nonce: UInt64 = 0, gas: UInt64 = 21_000, most: UInt64 = 30_000_000_000,
            chainID: UInt64 = 1
        ) throws -> EVMTransaction {
            try EVMTransaction(
                chainID: chainID, nonce: nonce, fee: .dynamic(most: most, priority: 1_000_000_000),
                gasLimit: gas, destination: to, value: value, data: data)
        }

        func ask(
            _ transaction: EVMTransaction, index: UInt32 = 1,
            _ asset: AssetID = EVMSignerVenue.coin, replaces: TransactionID = .none
        ) -> SigningAnswer {
            venue.ask(
                signer,
                SigningRequest(
                    network: EVMSignerVenue.network, asset: asset,
                    sequence: venue.engine.sequence, withdrawals: [], replaces: replaces,
                    transaction: transaction.signingBytes, index: index))
        }

        /// A token's sweep.
        func sweep(nonce: UInt64 = 0, to: EVMAddress? = nil) throws -> EVMTransaction {
            try transfer(
                to: EVMSignerVenue.contract, value: .zero,
                data: TokenTransfer(to: to ?? hot, amount: EVMWord(5)).data, nonce: nonce,
                gas: 65_000)
        }
    }

    @Test func `sweeps, gas for them and fillers are signed by the account that they leave`() throws
    {
        let world = try World()
        let (hot, customer) = (world.hot, world.customer)
        let native = try world.transfer(to: hot)
        let all: [(EVMTransaction, UInt32, AssetID, EVMAddress)] = [
            (native, 1, Venue.coin, customer), (try world.sweep(), 1, Venue.token, customer),
            (try world.transfer(to: customer), 1, Venue.coin, hot),
            (try world.transfer(to: hot, value: .zero), 0, Venue.coin, hot),
        ]
        for (transaction, index, asset, sender) in all {
            let payment = try #require(world.ask(transaction, index: index, asset).payment)
            let signed = try SignedEVMTransaction(decoding: payment.bytes)
            #expect(signed.sender == sender && signed.transaction == transaction)
            #expect(payment.withdrawals.isEmpty && payment.transaction == signed.id)
            // Again it is the same one.
            #expect(world.ask(transaction, index: index, asset).payment == payment)
        }
    }

    @Test func `nothing else is, whichever field is another`() throws {
        let world = try World()
        let (hot, customer) = (world.hot, world.customer)
        let thief = try #require(EVMAddress(bytes: [UInt8](repeating: 0x66, count: 20)))
        let some = EVMWord(100_000_000_000_000_000)
        func refusal(
            _ transaction: EVMTransaction, index: UInt32 = 1, _ asset: AssetID = Venue.coin,
            replaces: TransactionID = .none
        ) -> SigningRefusal? {
            world.ask(transaction, index: index, asset, replaces: replaces).refusal
        }
        // Somebody else, or an address that nobody was given.
        #expect(refusal(try world.transfer(to: thief)) == .outputs)
        #expect(refusal(try world.transfer(to: thief), index: 0) == .outputs)
        #expect(refusal(try world.transfer(to: thief, value: .zero), index: 0) == .outputs)
        #expect(refusal(try world.transfer(to: hot), index: 2) == .outputs)
        #expect(refusal(try world.transfer(to: hot), index: .max) == .outputs)
        #expect(refusal(try world.transfer(to: customer), index: 0) == .outputs)
        #expect(refusal(try world.sweep(to: thief), Venue.token) == .outputs)
        #expect(refusal(try world.sweep(to: customer), Venue.token) == .outputs)
        #expect(refusal(try world.sweep(), index: 0, Venue.token) == .outputs)
        // A filler that moves something, and calls of another kind.
        #expect(refusal(try world.transfer(to: hot), index: 0) == .outputs)
        #expect(refusal(try world.transfer(to: hot, data: [1])) == .outputs)
        let call = TokenTransfer(to: hot, amount: EVMWord(5)).data
        #expect(refusal(try world.transfer(to: hot, value: .zero, data: call)) == .outputs)
        #expect(
            refusal(
                try world.transfer(to: Venue.contract, value: some, data: call, gas: 65_000),
                Venue.token) == .outputs)
        // A contract that is not listed, or of another asset.
        #expect(
            refusal(
                try world.transfer(to: thief, value: .zero, data: call, gas: 65_000), Venue.token)
                == .notPayable)
        #expect(refusal(try world.sweep(), Venue.coin) == .notPayable)
        // More gas, or a higher fee, than there may be; a gift that is more than gas.
        #expect(refusal(try world.transfer(to: hot, gas: 100_001)) == .fee)
        #expect(refusal(try world.transfer(to: hot, most: 500_000_000_001)) == .fee)
        #expect(refusal(try world.transfer(to: hot, value: EVMWord(2_000_000_000_000_000))) == .fee)
        let gift = try #require(EVMCeiling.gasGift.adding(EVMWord(1)))
        #expect(refusal(try world.transfer(to: customer, value: gift)) == .outputs)
        // Another chain, another nonce, something that it does not replace.
        #expect(refusal(try world.transfer(to: hot, chainID: 5)) == .outputs)
        #expect(refusal(try world.transfer(to: hot, nonce: 1)) == .coins)
        #expect(refusal(try world.transfer(to: customer, nonce: 1)) == .coins)
        #expect(
            refusal(try world.transfer(to: hot), replaces: TransactionID(high: 1, low: 2)) == .coins
        )
        #expect(world.signer.list.entries.isEmpty)
    }

    @Test func `an address has one open sweep, and its nonce goes on with the log`() throws {
        let world = try World()
        let first = try #require(world.ask(try world.transfer(to: world.hot)).payment)
        // Not in the log: another one with its nonce conflicts with it.
        let other = try world.sweep()
        #expect(world.ask(other, Venue.token).payment != nil)
        world.venue.log(first)
        #expect(world.ask(other, Venue.token).payment == nil)
        #expect(world.ask(try world.sweep(nonce: 1), Venue.token).refusal == .coins)
        // A higher fee replaces it; nothing else does.
        let bumped = try world.transfer(to: world.hot, most: 60_000_000_000)
        #expect(world.ask(bumped).refusal == .coins)
        let second = try #require(world.ask(bumped, replaces: first.transaction).payment)
        #expect(second.replaces == first.transaction)
        world.venue.log(second)
        world.venue.settle(second)
        let account = try #require(world.venue.coins.account(Venue.network))
        #expect(account.nextNonce(of: world.customer) == 1)
        #expect(account.isSpent(OutPoint(world.customer, nonce: 0)))
        #expect(!account.isSpent(OutPoint(world.customer, nonce: 1)))
        #expect(account.nextNonce == 0 && account.sweeps.count == 1)
        #expect(world.ask(try world.sweep(nonce: 1), Venue.token).payment == nil)
        world.venue.drop(first)
        #expect(world.ask(try world.sweep(nonce: 1), Venue.token).payment != nil)
    }

    @Test func `a dropped sweep is remembered until its nonce is used by the log`() throws {
        let world = try World()
        let sweep = try #require(world.ask(try world.sweep(), Venue.token).payment)
        world.venue.log(sweep)
        world.venue.drop(sweep)
        let dropped = try #require(world.venue.coins.account(Venue.network))
        #expect(dropped.sweeps.isEmpty && dropped.dropped.keys.first == sweep.transaction)
        #expect(dropped.nextNonce(of: world.customer) == 0)
        // The chain has it all the same, and the log takes it once more.
        world.venue.log(sweep)
        let again = try #require(world.venue.coins.account(Venue.network))
        #expect(again.sweeps.count == 1 && again.dropped.isEmpty)
        world.venue.drop(sweep)
        world.venue.log(sweep)
        world.venue.settle(sweep)
        let settled = try #require(world.venue.coins.account(Venue.network))
        #expect(settled.sweeps.isEmpty && settled.dropped.isEmpty)
        #expect(settled.nextNonce(of: world.customer) == 1)
    }

    @Test func `of the account that pays, transfers and payments share the nonces`() throws {
        let world = try World()
        let filler = try world.transfer(to: world.hot, value: .zero)
        let id = world.venue.withdraw()
        let payment = try #require(
            world.venue.ask(world.signer, world.venue.request(id, try world.venue.transaction()))
                .payment)
        // It is not in the log: the filler conflicts with it, and one of both is final.
        let signed = try #require(world.ask(filler, index: 0).payment)
        world.venue.log(signed)
        let next = try world.venue.transaction(nonce: 1)
        let answer = world.venue.ask(world.signer, world.venue.request(id, next))
        #expect(answer.payment == nil)
        world.venue.settle(signed)
        // Now what was signed for the withdrawal can never be final.
        let again = world.venue.ask(world.signer, world.venue.request(id, next))
        #expect(again.payment != nil && again.payment?.transaction != payment.transaction)
    }

    @Test func `only gas counts against the limit, and a nonce is signed sixteen times`() throws {
        let world = try World(coins: "0.01")
        // 0.1 coins are moved, for 0.00063 at most.
        for count in 0..<16 {
            let transaction = try world.transfer(
                to: world.hot, most: 30_000_000_000 + UInt64(count) * 1_000_000_000)
            #expect(world.ask(transaction).payment != nil)
        }
        let last = try world.transfer(to: world.hot, most: 90_000_000_000)
        #expect(world.ask(last).refusal == .signedBefore)
        let counted = world.signer.list.entries.map(\.counted).reduce(0, +)
        #expect(counted == world.signer.list.entries.map(\.leaving).max())
        // 0.021 coins of gas are more than there is.
        let dear = try world.transfer(
            to: world.customer, gas: 42_000, most: 500_000_000_000)
        #expect(world.ask(dear).refusal == .limit)
    }

    @Test func `a nonce that was signed as often as may be goes on with one that is forgotten`()
        throws
    {
        let world = try World()
        var signed: [SignedPayment] = []
        for count in 0..<16 {
            let transaction = try world.transfer(
                to: world.hot, most: 30_000_000_000 + UInt64(count) * 1_000_000_000)
            signed.append(try #require(world.ask(transaction).payment))
        }
        let last = try world.transfer(to: world.hot, most: 90_000_000_000)
        guard case .refused(.signedBefore, let text) = world.ask(last) else {
            Issue.record("it is signed a seventeenth time")
            return
        }
        #expect(text.contains("bourse-signerd --forget"))
        let list = try SignedList(world.directory.place)
        try list.forget(signed[0].transaction, limits: [])
        let again = try world.venue.signer(world.directory)
        let payment = try #require(
            world.venue.ask(
                again,
                SigningRequest(
                    network: Venue.network, asset: Venue.coin,
                    sequence: world.venue.engine.sequence, withdrawals: [],
                    transaction: last.signingBytes, index: 1)
            ).payment)
        // All of them have the nonce, so one at most is ever final.
        let nonces = try (signed + [payment]).map {
            try SignedEVMTransaction(decoding: $0.bytes).transaction.nonce
        }
        #expect(Set(nonces) == [0])
    }

    @Test func `a list that is read again knows its transfers`() throws {
        let world = try World()
        let sweep = try #require(world.ask(try world.transfer(to: world.hot)).payment)
        world.venue.log(sweep)
        let again = try world.venue.signer(world.directory)
        #expect(again.list.entries.map(\.payment.transaction) == [sweep.transaction])
        world.venue.settle(sweep)
        let later = try world.venue.signer(world.directory)
        #expect(later.list.entries.isEmpty)
    }

    /// A filler with a nonce, which the log gets from nobody's signer.
    private func filler(_ world: World, _ nonce: UInt64) throws -> SignedPayment {
        let key = try world.venue.master.descendant(
            .hardened(44), .hardened(EVMNetwork.coinType), .hardened(0), 1, 0)
        let signed = try world.transfer(to: world.hot, value: .zero, nonce: nonce).signed(by: key)
        return SignedPayment(
            network: Venue.network, asset: Venue.coin, withdrawals: [], replaces: .none,
            transaction: signed.id, bytes: signed.bytes)
    }

    /// What the signer says to a new withdrawal's payment with a nonce.
    private func answer(_ world: World, nonce: UInt64) throws -> SigningAnswer {
        let id = world.venue.withdraw()
        let transaction = try world.venue.transaction(nonce: nonce)
        return world.venue.ask(world.signer, world.venue.request(id, transaction))
    }

    @Test func `with too many dropped only what makes room is signed, and none is forgotten`()
        throws
    {
        let world = try World()
        let most = UInt64(EVMPayments.droppedMax)
        let all = try (0..<most).map { try filler(world, $0) }
        for payment in all { world.venue.log(payment) }
        for payment in all { world.venue.drop(payment) }
        var account = try #require(world.venue.coins.account(Venue.network))
        #expect(account.dropped.count == all.count && account.nextNonce == 0)
        guard case .refused(.coins, let text) = try answer(world, nonce: most) else {
            Issue.record("a nonce that none of them has is signed")
            return
        }
        #expect(text.contains("256 payments are dropped"))
        // What customers' addresses send is counted apart.
        #expect(world.ask(try world.transfer(to: world.hot)).payment != nil)
        let first = try #require(try answer(world, nonce: 0).payment)
        world.venue.log(first)
        world.venue.settle(first)
        account = try #require(world.venue.coins.account(Venue.network))
        #expect(account.dropped.count == all.count - 1)
        #expect(try answer(world, nonce: most).payment != nil)
    }

    @Test func `from what had to be forgotten on nothing is signed`() throws {
        let world = try World()
        for nonce in 0...UInt64(Limits.transactionsMax) {
            let payment = try filler(world, nonce)
            world.venue.log(payment)
            world.venue.drop(payment)
        }
        let account = try #require(world.venue.coins.account(Venue.network))
        #expect(account.hasForgotten && account.dropped.count == Limits.transactionsMax)
        for nonce: UInt64 in [0, 1] {
            guard case .refused(.coins, let text) = try answer(world, nonce: nonce) else {
                Issue.record("nonce \(nonce) is signed")
                return
            }
            #expect(text.contains("not the wallet's"))
        }
        #expect(world.ask(try world.transfer(to: world.hot)).refusal == .coins)
        let saved = world.venue.coins.saved
        #expect(CoinTable(saved: saved)?.account(Venue.network)?.hasForgotten == true)
    }

    @Test func `with too many final above a gap only the gap is signed`() throws {
        let world = try World()
        let most = UInt64(EVMPayments.spentMax)
        for nonce in 1...most {
            let payment = try filler(world, nonce)
            world.venue.log(payment)
            world.venue.settle(payment)
        }
        guard case .refused(.coins, let text) = try answer(world, nonce: most + 1) else {
            Issue.record("a nonce behind them is signed")
            return
        }
        #expect(text.contains("above nonce 0"))
        let gap = try #require(try answer(world, nonce: 0).payment)
        world.venue.log(gap)
        world.venue.settle(gap)
        #expect(world.venue.coins.account(Venue.network)?.nextNonce == most + 1)
        #expect(try answer(world, nonce: most + 1).payment != nil)
        #expect(world.venue.coins.account(Venue.network)?.hasForgotten == false)
    }

    @Test func `the log says what the wallet has`() throws {
        let world = try World()
        func held(_ asset: AssetID) throws -> Int128? {
            try #require(world.venue.coins.account(Venue.network)).held[asset]
        }
        #expect(try held(Venue.coin) == 1_000_000_000_000)
        let sweep = try #require(world.ask(try world.sweep(), Venue.token).payment)
        world.venue.log(sweep)
        world.venue.settle(sweep)
        // The venue books one unit of the coin for each.
        #expect(try held(Venue.coin) == 999_999_999_999)
        #expect(try held(Venue.token) == 1_000_000_000_000)
        let id = world.venue.withdraw(Venue.token)
        let request = world.venue.request(
            id, try world.venue.transaction(Venue.token), Venue.token)
        let payment = try #require(world.venue.ask(world.signer, request).payment)
        world.venue.log(payment)
        #expect(try held(Venue.token) == 1_000_000_000_000)
        world.venue.settle(payment)
        #expect(try held(Venue.token) == 999_900_000_000)
        #expect(try held(Venue.coin) == 999_999_999_998)
        let table = world.venue.coins
        #expect(CoinTable(saved: table.saved)?.saved == table.saved)
    }
}
