// Goal: to cold storage of an EVM chain a signer signs what the log says and nothing else: where it
// goes, of which asset, how much at least and at most, one at a time. It counts as a payment does.

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

@Suite struct EVMColdTests {
    private typealias Venue = EVMSignerVenue
    private static let ether = EVMWord(1_000_000_000_000_000_000)
    private static let there = EVMAddress(bytes: [UInt8](repeating: 0x77, count: 20))!
    private static let elsewhere = EVMAddress(bytes: [UInt8](repeating: 0x78, count: 20))!

    /// A log that has 10,000 coins and 1,000,000 tokens. Of coins those above 5 go to `there` but
    /// for 2, of tokens those above 1,000 to `elsewhere` but for 500.
    private struct World {
        let venue: EVMSignerVenue
        let directory: SignerDirectory
        let signer: PaymentSigner
        let hot: EVMAddress
        let customer: EVMAddress

        init(
            coins: String = "100", tokens: String = "5000", isNamed: Bool = true,
            pins: [EVMColdPin] = []
        ) throws {
            directory = try SignerDirectory()
            try directory.place.begin()
            venue = try EVMSignerVenue()
            if isNamed {
                Self.name(venue, Venue.coin, "\(EVMColdTests.there)")
                Self.name(venue, Venue.token, "\(EVMColdTests.elsewhere)")
            }
            signer = try venue.signer(directory, coins: coins, tokens: tokens, pins: pins)
            let account = try #require(venue.coins.account(Venue.network))
            hot = account.hot
            customer = try EVMDepositAddresses(key: account.key).address(1)
        }

        /// Names cold storage of an asset.
        static func name(_ venue: EVMSignerVenue, _ asset: AssetID, _ descriptor: String) {
            let isCoin = asset == Venue.coin
            venue.apply(
                SetColdStorage(
                    asset: asset, network: Venue.network,
                    ceiling: Amount(units: isCoin ? 500_000_000 : 1_000_000_000),
                    target: Amount(units: isCoin ? 200_000_000 : 500_000_000),
                    descriptor: descriptor,
                    audit: Audit(operatorName: Text40("olga")!, reason: "test")))
        }

        /// So many coins to an address.
        func coins(
            _ count: UInt64 = 10, to: EVMAddress = EVMColdTests.there, nonce: UInt64 = 0,
            most: UInt64 = 30_000_000_000, data: [UInt8] = []
        ) throws -> EVMTransaction {
            try EVMTransaction(
                chainID: 1, nonce: nonce, fee: .dynamic(most: most, priority: 1_000_000_000),
                gasLimit: 21_000, destination: to,
                value: EVMWord(UInt128(count) * 1_000_000_000_000_000_000), data: data)
        }

        /// So many tokens to an address.
        func tokens(
            _ count: UInt64 = 2_000, to: EVMAddress = EVMColdTests.elsewhere, nonce: UInt64 = 0,
            contract: EVMAddress = Venue.contract, gas: UInt64 = 65_000
        ) throws -> EVMTransaction {
            try EVMTransaction(
                chainID: 1, nonce: nonce,
                fee: .dynamic(most: 30_000_000_000, priority: 1_000_000_000), gasLimit: gas,
                destination: contract, value: .zero,
                data: TokenTransfer(to: to, amount: EVMWord(UInt128(count) * 1_000_000)).data)
        }

        func ask(
            _ transaction: EVMTransaction, _ asset: AssetID = Venue.coin, index: UInt32 = 0,
            replaces: TransactionID = .none
        ) -> SigningAnswer {
            venue.ask(
                signer,
                SigningRequest(
                    network: Venue.network, asset: asset, sequence: venue.engine.sequence,
                    withdrawals: [], replaces: replaces, transaction: transaction.signingBytes,
                    index: index))
        }
    }

    @Test func `coins and tokens go to the log's cold storage, and count as payments do`() throws {
        let world = try World()
        let coins = try world.coins(10)
        let payment = try #require(world.ask(coins).payment)
        let signed = try SignedEVMTransaction(decoding: payment.bytes)
        #expect(signed.sender == world.hot && signed.transaction == coins)
        #expect(world.ask(coins).payment == payment)
        let entry = try #require(world.signer.list.entries.first)
        // Ten coins and 0.00063 of gas, of nine decimals.
        #expect(entry.leaving == 10_000_630_000 && entry.counted == entry.leaving)
        // In its place the same nonce takes tokens: one of both is final.
        let tokens = try #require(world.ask(try world.tokens(), Venue.token).payment)
        #expect(try SignedEVMTransaction(decoding: tokens.bytes).sender == world.hot)
        let last = try #require(world.signer.list.entries.last)
        #expect(last.token?.leaving == 2_000_000_000 && last.token?.counted == 2_000_000_000)
        #expect(last.counted == 0 && last.leaving == 1_950_000)
        // A list that is read again knows both.
        let again = try world.venue.signer(world.directory, coins: "100", tokens: "5000")
        #expect(again.list.entries.map(\.token) == [nil, last.token])
    }

    @Test func `the limits hold what goes to cold storage that this host does not name`() throws {
        let world = try World(coins: "15", tokens: "3000")
        #expect(world.ask(try world.coins(15)).refusal == .limit)
        #expect(world.ask(try world.tokens(3_001), Venue.token).refusal == .limit)
        let first = try #require(world.ask(try world.coins(10)).payment)
        // A higher fee counts by what it is more.
        world.venue.log(first)
        let dearer = try world.coins(10, most: 60_000_000_000)
        #expect(world.ask(dearer).refusal == .coins)
        #expect(world.ask(dearer, replaces: first.transaction).payment != nil)
        #expect(world.signer.list.entries.map(\.counted) == [10_000_630_000, 630_000])
        world.venue.settle(first)
        #expect(world.ask(try world.coins(5, nonce: 1)).refusal == .limit)
        #expect(world.ask(try world.coins(4, nonce: 1)).payment != nil)
    }

    @Test func `to what this host names only gas counts, and to nothing else`() throws {
        let chain = Text40("ethereum")!
        let pins = [
            EVMColdPin(asset: Text16("ETH")!, chain: chain, "\(Self.there)".lowercased()),
            EVMColdPin(asset: Text16("USDT")!, chain: chain, "\(Self.there)"),
        ].compactMap { $0 }
        #expect(pins.count == 2)
        #expect(EVMColdPin(asset: Text16("LTC")!, chain: Text40("litecoin")!, "ltc1q") == nil)
        #expect(EVMColdPin(asset: Text16("ETH")!, chain: chain, "0x77") == nil)
        let world = try World(coins: "1", tokens: "1", pins: pins)
        let payment = try #require(world.ask(try world.coins(9_000)).payment)
        #expect(world.signer.list.entries.map(\.counted) == [630_000])
        world.venue.log(payment)
        world.venue.settle(payment)
        // The log names another address of the token than this host does.
        #expect(world.ask(try world.tokens(nonce: 1), Venue.token).refusal == .limit)
        World.name(world.venue, Venue.token, "\(Self.there)")
        let tokens = try world.tokens(to: Self.there, nonce: 1)
        #expect(world.ask(tokens, Venue.token).payment != nil)
        #expect(world.signer.list.entries.last?.token == nil)
        // Whoever writes the log names a thief's: the limit holds.
        World.name(world.venue, Venue.coin, "\(Self.elsewhere)")
        #expect(world.ask(try world.coins(990, to: Self.elsewhere, nonce: 1)).refusal == .limit)
    }

    @Test func `nothing else is signed, whichever field is another`() throws {
        let world = try World()
        let thief = try #require(EVMAddress(bytes: [UInt8](repeating: 0x66, count: 20)))
        // Another destination, that of another asset, and a call that does more.
        #expect(world.ask(try world.coins(to: thief)).refusal == .outputs)
        #expect(world.ask(try world.coins(to: Self.elsewhere)).refusal == .outputs)
        #expect(world.ask(try world.tokens(to: Self.there), Venue.token).refusal == .outputs)
        #expect(world.ask(try world.coins(data: [1])).refusal == .outputs)
        #expect(world.ask(try world.coins(), index: 1).refusal == .outputs)
        // Under the name of another asset, and another contract.
        #expect(world.ask(try world.coins(), Venue.token).refusal == .outputs)
        #expect(world.ask(try world.tokens(), Venue.coin).refusal == .outputs)
        #expect(
            world.ask(try world.tokens(contract: thief), Venue.token).refusal == .notPayable)
        let coinsToTokens = try world.coins(3_000, to: Self.elsewhere)
        #expect(world.ask(coinsToTokens, Venue.token).refusal == .notPayable)
        // Fee and gas.
        #expect(world.ask(try world.coins(most: 500_000_000_001)).refusal == .fee)
        #expect(world.ask(try world.tokens(gas: 300_001), Venue.token).refusal == .fee)
        // Less than what is between ceiling and target, and more than there is by the log.
        #expect(world.ask(try world.coins(2)).refusal == .outputs)
        #expect(world.ask(try world.tokens(499), Venue.token).refusal == .outputs)
        #expect(world.ask(try world.coins(9_999)).refusal == .outputs)
        #expect(world.ask(try world.tokens(999_501), Venue.token).refusal == .outputs)
        #expect(world.ask(try world.coins(9_998)).refusal == .limit)
        // Another nonce, or in the place of something else.
        #expect(world.ask(try world.coins(nonce: 1)).refusal == .coins)
        #expect(
            world.ask(try world.coins(), replaces: TransactionID(high: 1, low: 2)).refusal
                == .coins)
        #expect(world.signer.list.entries.isEmpty)
        #expect(world.ask(try world.coins(3)).payment != nil)
    }

    @Test func `without cold storage, or with what is none, nothing goes anywhere`() throws {
        let world = try World(isNamed: false)
        #expect(world.ask(try world.coins()).refusal == .outputs)
        let own = [world.hot, world.customer, Venue.contract]
        for address in own {
            World.name(world.venue, Venue.coin, "\(address)")
            #expect(world.ask(try world.coins(to: address)).payment == nil)
        }
        let texts = ["wpkh(xpub)", "0x0000000000000000000000000000000000000001", "0x77"]
        for text in texts + ["\(Self.there)".replacing("7", with: "8")] {
            World.name(world.venue, Venue.coin, text)
            #expect(world.ask(try world.coins()).refusal == .outputs)
        }
        // In lower case it is the same address.
        World.name(world.venue, Venue.coin, "\(Self.there)".lowercased())
        #expect(world.ask(try world.coins()).payment != nil)
        // An owner may end it.
        World.name(world.venue, Venue.coin, "")
        #expect(world.ask(try world.coins(11)).refusal == .outputs)
        // What is there stays known, and of too many the first ones.
        for number in 1...20 {
            let address = try #require(
                EVMAddress(bytes: [UInt8](repeating: UInt8(number), count: 20)))
            World.name(world.venue, Venue.coin, "\(address)")
        }
        let cold = try #require(world.venue.coins.account(Venue.network)).cold
        #expect(cold.count == EVMPayments.coldMax && cold.contains(Self.there))
        let last = try #require(EVMAddress(bytes: [UInt8](repeating: 20, count: 20)))
        #expect(!cold.contains(last))
        #expect(world.ask(try world.coins(to: last)).refusal == .outputs)
    }

    @Test func `one is open at a time, and the log knows what is in cold storage`() throws {
        let world = try World(coins: "20000", tokens: "2000000")
        func hot(_ asset: AssetID) throws -> Int128 {
            let account = try #require(world.venue.coins.account(Venue.network))
            let listed = try #require(
                world.venue.assets.asset(asset == Venue.coin ? "ETH" : "USDT", on: account.network))
            return account.hotUnits(asset, listed, scale: asset == Venue.coin ? 8 : 6)
        }
        let first = try #require(world.ask(try world.coins(9_000)).payment)
        world.venue.log(first)
        #expect(world.ask(try world.tokens(nonce: 1), Venue.token).refusal == .coins)
        #expect(world.ask(try world.coins(5, nonce: 1)).refusal == .coins)
        #expect(try hot(Venue.coin) == 1_000_000_000_000)
        world.venue.settle(first)
        // The venue books one unit for gas.
        #expect(try hot(Venue.coin) == 99_999_999_999)
        #expect(world.ask(try world.coins(998, nonce: 1)).refusal == .outputs)
        let second = try #require(world.ask(try world.coins(997, nonce: 1)).payment)
        // It moved nothing: it is dropped, and in the log once more.
        world.venue.log(second)
        world.venue.drop(second)
        world.venue.log(second)
        world.venue.settle(second)
        #expect(try hot(Venue.coin) == 99_999_999_998)
        #expect(world.ask(try world.tokens(nonce: 2), Venue.token).payment != nil)
        let table = world.venue.coins
        let saved = try #require(CoinTable(saved: table.saved))
        #expect(saved.saved == table.saved)
        #expect(saved.account(Venue.network)?.cold == [Self.there, Self.elsewhere])
        for count in stride(from: 0, to: table.saved.count, by: 97) {
            #expect(CoinTable(saved: Array(table.saved[..<count])) == nil)
        }
    }

    @Test func `a fee goes up whatever the log says of cold storage by then`() throws {
        let world = try World(coins: "20000", tokens: "2000000")
        let first = try #require(world.ask(try world.coins(9_998)).payment)
        world.venue.log(first)
        // Nothing is above the ceiling any more, and what will be goes elsewhere.
        World.name(world.venue, Venue.coin, "\(Self.elsewhere)")
        let fee: UInt64 = 60_000_000_000
        let dearer = try world.coins(9_998, most: fee)
        #expect(world.ask(dearer).refusal == .outputs)
        // Less, another nonce, another asset, and no higher fee.
        let id = first.transaction
        #expect(world.ask(try world.coins(9_997, most: fee), replaces: id).refusal == .outputs)
        let next = try world.coins(9_998, nonce: 1, most: fee)
        #expect(world.ask(next, replaces: id).refusal == .outputs)
        #expect(world.ask(dearer, Venue.token, replaces: id).refusal == .outputs)
        #expect(world.ask(try world.coins(9_998), replaces: id).refusal == .fee)
        let second = try #require(world.ask(dearer, replaces: id).payment)
        #expect(second.replaces == id)
        #expect(world.signer.list.entries.last?.counted == 630_000)
    }

    @Test func `each drop says the opposite of what was in cold storage`() throws {
        let world = try World(coins: "20000", tokens: "2000000")
        func stored() throws -> EVMWord {
            try #require(world.venue.coins.account(Venue.network)).coldUnits(.native)
        }
        func coins(_ count: UInt128) -> EVMWord { EVMWord(count * 1_000_000_000_000_000_000) }
        let key = try world.venue.master.descendant(.hardened(1))
        let cold = try #require(EVMAddress(publicKey: key.publicKey.key))
        World.name(world.venue, Venue.coin, "\(cold)")
        // An operator gives it up, and it is in a block all the same; it moved what it says.
        let first = try #require(world.ask(try world.coins(9_000, to: cold)).payment)
        world.venue.log(first)
        for _ in 0..<2 {
            world.venue.drop(first)
            world.venue.log(first)
        }
        let table = world.venue.coins
        #expect(try #require(CoinTable(saved: table.saved)).saved == table.saved)
        world.venue.settle(first)
        #expect(try stored() == coins(9_000))
        // What comes back is reverted, and then is not.
        for nonce in 0..<2 as Range<UInt64> {
            let signed = try world.coins(100, to: world.hot, nonce: nonce).signed(by: key)
            let back = SignedPayment(
                network: Venue.network, asset: Venue.coin, withdrawals: [], replaces: .none,
                transaction: signed.id, bytes: signed.bytes)
            world.venue.log(back)
            if nonce == 0 {
                world.venue.drop(back)
                world.venue.log(back)
            }
            world.venue.settle(back)
            #expect(try stored() == coins(nonce == 0 ? 9_000 : 8_900))
        }
    }
}
