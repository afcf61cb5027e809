// Goal: a signer signs of an EVM chain what the log says is to be paid, and nothing else: each
// field of a transaction is changed in turn. A nonce is a coin: of what was signed for one
// withdrawal at most one can ever be final.

import Addresses
import EVM
import Engine
import Keys
import Payments
import Secrets
import Signing
import Terms
import Testing
import UTXO
import Wire

/// A log with an EVM chain, its coin and a token, and withdrawals of both.
final class EVMSignerVenue {
    static let contract = EVMAddress(bytes: [UInt8](repeating: 0x70, count: 20))!
    static let there = EVMAddress(bytes: [UInt8](repeating: 0x51, count: 20))!
    static let network = NetworkID(3)
    static let coin = AssetID(1)
    static let token = AssetID(2)
    /// As many payments may be settled as any table of theirs holds.
    private static var limits: EngineLimits {
        var limits = EngineLimits.small
        limits.references = 4 * UInt32(Limits.transactionsMax)
        return limits
    }

    private(set) var engine = Engine(limits: limits)
    private(set) var coins = CoinTable()
    let master: ExtendedPrivateKey
    let chain: EVMNetwork
    let assets: EVMAssetList

    init() throws {
        let words = Array((String(repeating: "abandon ", count: 11) + "about").utf8)
        master = try ExtendedPrivateKey(seed: Mnemonic(reading: SecretBytes(words)).seed())
        chain = try #require(EVMNetwork.named("ethereum"))
        assets = try EVMAssetList(["ETH=ethereum", "USDT=ethereum:\(Self.contract):6"])
        let key = try master.descendant(.hardened(44), .hardened(60), .hardened(0)).publicKey
        let audit = Audit(operatorName: Text40("olga")!, reason: "test")
        apply(SetAsset(code: Text16("ETH")!, scale: 8, audit: audit))
        apply(SetAsset(code: Text16("USDT")!, scale: 6, audit: audit))
        apply(OpenAccount(name: Text40("ann")!, audit: audit))
        for asset in [Self.coin, Self.token] {
            apply(
                SetNetwork(
                    asset: asset, network: Self.network, confirmations: 1,
                    minimum: Amount(units: 1), fee: Amount(units: 5), name: Text16("ETH")!,
                    audit: audit))
        }
        apply(
            SetChain(
                network: Self.network, firstBlock: 1, chain: Text40("ethereum")!,
                key: key.text(isTest: false), audit: audit))
        apply(AssignAddress(account: AccountID(1), network: Self.network))
        for asset in [Self.coin, Self.token] {
            apply(
                CreditDeposit(
                    account: AccountID(1), asset: asset, network: Self.network, transactionHigh: 9,
                    transactionLow: UInt128(asset.number), output: 0,
                    amount: Amount(units: 1_000_000_000_000)))
        }
    }

    @discardableResult
    func apply(_ payload: some CommandPayload) -> Outcome {
        var header = RecordHeader(
            sequence: engine.sequence + 1, timestamp: Int64(engine.sequence + 1) * 1_000,
            session: SessionID(0), number: 0, kind: type(of: payload).kind)
        header.crc = UInt32(truncatingIfNeeded: header.sequence)
        let bytes = payload.recordBytes(header)
        return unsafe bytes.withUnsafeBytes { bytes in
            let outcome = unsafe engine.apply(record: bytes)
            #expect(outcome.refusal == .none)
            unsafe coins.see(header, bytes, outcome, engine)
            return outcome
        }
    }

    /// Asks for 0.1 coins, or for 100 tokens.
    func withdraw(_ asset: AssetID = coin) -> WithdrawalID {
        WithdrawalID(
            apply(
                RequestWithdrawal(
                    account: AccountID(1), asset: asset, network: Self.network,
                    amount: Amount(units: asset == Self.coin ? 10_000_000 : 100_000_000),
                    address: Text64("\(Self.there)")!, requester: Text40("ops")!)
            ).id)
    }

    /// The transaction that is due, with these fields changed.
    func transaction(
        _ asset: AssetID = coin, nonce: UInt64 = 0, chainID: UInt64? = nil,
        to: EVMAddress? = nil, value: EVMWord? = nil, data: [UInt8]? = nil, gas: UInt64? = nil,
        most: UInt64 = 30_000_000_000, priority: UInt64 = 1_000_000_000
    ) throws -> EVMTransaction {
        let isCoin = asset == Self.coin
        let call = TokenTransfer(to: Self.there, amount: EVMWord(100_000_000))
        return try EVMTransaction(
            chainID: chainID ?? chain.chainID, nonce: nonce,
            fee: .dynamic(most: most, priority: priority),
            gasLimit: gas ?? (isCoin ? 21_000 : 65_000),
            destination: to ?? (isCoin ? Self.there : Self.contract),
            value: value ?? (isCoin ? EVMWord(100_000_000_000_000_000) : .zero),
            data: data ?? (isCoin ? [] : call.data))
    }

    func request(
        _ id: WithdrawalID, _ transaction: EVMTransaction, _ asset: AssetID = coin,
        replaces: TransactionID = .none
    ) -> SigningRequest {
        SigningRequest(
            network: Self.network, asset: asset, sequence: engine.sequence, withdrawals: [id],
            replaces: replaces, transaction: transaction.signingBytes)
    }

    func log(_ payment: SignedPayment, paying ids: [WithdrawalID]? = nil) {
        apply(
            SignWithdrawals(
                asset: payment.asset, network: payment.network, transaction: payment.transaction,
                replaces: payment.replaces, withdrawals: ids ?? payment.withdrawals,
                bytes: payment.bytes))
    }

    func drop(_ payment: SignedPayment) {
        apply(DropTransaction(transaction: payment.transaction))
    }

    func settle(_ payment: SignedPayment) {
        apply(
            SettleTransaction(
                transaction: payment.transaction, costAsset: Self.coin, cost: Amount(units: 1),
                block: 9))
    }

    /// A signer with the list of this directory, which has met the log.
    func signer(
        _ directory: SignerDirectory, coins limit: String = "10", tokens: String = "1000",
        pins: [EVMColdPin] = []
    ) throws -> PaymentSigner {
        let signer = PaymentSigner(
            try SignedList(directory.place), master: master,
            limits: [("ethereum", limit), ("ethereum:USDT", tokens)].map { name, limit in
                SpendingLimit(
                    chain: Text40(name)!, capacity: DecimalText(limit)!, refill: DecimalText("0")!,
                    assets: assets)
            }, assets: assets, evmPins: pins)
        let now = SpendingMoment(host: 0, monotonic: 0)
        #expect(
            signer.begin(engine, coins, journal: SignerVenue.journal, now: now) == nil)
        return signer
    }

    func ask(_ signer: PaymentSigner, _ request: SigningRequest) -> SigningAnswer {
        signer.answer(request, engine, coins, now: SpendingMoment(host: 0, monotonic: 0))
    }
}

@Suite struct EVMSignerTests {
    private typealias Venue = EVMSignerVenue

    private func world() throws -> (EVMSignerVenue, SignerDirectory) {
        let directory = try SignerDirectory()
        try directory.place.begin()
        return (try EVMSignerVenue(), directory)
    }

    @Test func `coin and token are signed as they are due, by the account that pays`() throws {
        let (venue, directory) = try world()
        let signer = try venue.signer(directory)
        let account = try #require(venue.coins.account(Venue.network))
        for (nonce, asset) in [Venue.coin, Venue.token].enumerated() {
            let id = venue.withdraw(asset)
            let transaction = try venue.transaction(asset, nonce: UInt64(nonce))
            let payment = try #require(
                venue.ask(signer, venue.request(id, transaction, asset)).payment)
            let signed = try SignedEVMTransaction(decoding: payment.bytes)
            #expect(signed.transaction == transaction && signed.sender == account.hot)
            #expect(signed.id == payment.transaction && payment.withdrawals == [id])
            venue.log(payment)
            #expect(venue.coins.account(Venue.network)?.nextNonce == UInt64(nonce) + 1)
        }
        // What the log lacks is not signed again by a list that is begun anew.
        let other = try SignerDirectory()
        try other.place.begin()
        let fresh = PaymentSigner(try SignedList(other.place), master: venue.master, limits: [])
        #expect(
            fresh.begin(
                venue.engine, venue.coins, journal: SignerVenue.journal,
                now: SpendingMoment(host: 0, monotonic: 0))?.contains("lacks") == true)
    }

    @Test func `signed as often as may be, it is paid once another transaction has its nonce`()
        throws
    {
        let (venue, directory) = try world()
        let signer = try venue.signer(directory)
        let id = venue.withdraw()
        var payments: [SignedPayment] = []
        for count in 0...UInt64(Limits.replacementsMax) {
            let transaction = try venue.transaction(most: 30_000_000_000 + count * 1_000_000_000)
            let request = venue.request(
                id, transaction, replaces: payments.last?.transaction ?? .none)
            let payment = try #require(venue.ask(signer, request).payment)
            venue.log(payment)
            payments.append(payment)
        }
        let more = try venue.transaction(most: 90_000_000_000)
        let dearer = venue.request(id, more, replaces: payments.last?.transaction ?? .none)
        guard case .refused(.signedBefore, let text) = venue.ask(signer, dearer) else {
            Issue.record("it is signed a seventeenth time")
            return
        }
        #expect(text.contains("another transaction with its nonce is final"))
        for payment in payments { venue.drop(payment) }
        // Nor now: any of them may be final still, and it is not signed with another nonce.
        #expect(venue.ask(signer, venue.request(id, more)).refusal == .signedBefore)
        let other = venue.ask(signer, venue.request(id, try venue.transaction(nonce: 1))).payment
        #expect(other.map { payments.map(\.transaction).contains($0.transaction) } ?? true)
        // Another withdrawal's payment has the nonce, and is final.
        let second = venue.withdraw()
        let payment = try #require(
            venue.ask(signer, venue.request(second, try venue.transaction())).payment)
        venue.log(payment)
        #expect(venue.ask(signer, venue.request(id, more)).payment == nil)
        venue.settle(payment)
        let next = try venue.transaction(nonce: 1)
        let again = try #require(venue.ask(signer, venue.request(id, next)).payment)
        #expect(try SignedEVMTransaction(decoding: again.bytes).transaction == next)
    }

    @Test func `nothing else is signed, whichever field is another`() throws {
        let (venue, directory) = try world()
        let signer = try venue.signer(directory)
        let (id, token) = (venue.withdraw(), venue.withdraw(Venue.token))
        let thief = try #require(EVMAddress(bytes: [UInt8](repeating: 0x66, count: 20)))
        let some = EVMWord(100_000_000)
        func refusal(_ transaction: EVMTransaction) -> SigningRefusal? {
            venue.ask(signer, venue.request(id, transaction)).refusal
        }
        func tokenRefusal(_ transaction: EVMTransaction) -> SigningRefusal? {
            venue.ask(signer, venue.request(token, transaction, Venue.token)).refusal
        }
        #expect(try refusal(venue.transaction(to: thief)) == .outputs)
        #expect(try refusal(venue.transaction(to: Venue.contract)) == .outputs)
        for value in [EVMWord.zero, EVMWord(1), EVMWord(100_000_000_000_000_001), .max] {
            #expect(try refusal(venue.transaction(value: value)) == .outputs)
        }
        #expect(try refusal(venue.transaction(data: [0])) == .outputs)
        #expect(try refusal(venue.transaction(chainID: 11_155_111)) == .outputs)
        for nonce in [1, 2, UInt64.max - 1] {
            #expect(try refusal(venue.transaction(nonce: nonce)) == .coins)
        }
        for gas in [0, 20_999, 100_001, UInt64.max] {
            #expect(try refusal(venue.transaction(gas: gas)) == .fee)
        }
        for most in [0, 500_000_000_001, UInt64.max] {
            #expect(try refusal(venue.transaction(most: most, priority: 0)) == .fee)
        }
        #expect(
            try refusal(venue.transaction(most: 100_000_000_000, priority: 50_000_000_001)) == .fee)
        // A token: its contract, its selector, its receiver, its amount.
        #expect(try tokenRefusal(venue.transaction(Venue.token, to: thief)) == .outputs)
        #expect(try tokenRefusal(venue.transaction(Venue.token, value: EVMWord(1))) == .outputs)
        let due = TokenTransfer(to: Venue.there, amount: some).data
        var approve = due
        approve.replaceSubrange(0..<4, with: [0x09, 0x5E, 0xA7, 0xB3])
        for data in [
            approve, [], due + [0], Array(due.dropLast()),
            TokenTransfer(to: thief, amount: some).data,
            TokenTransfer(to: Venue.there, amount: .max).data,
            TokenTransfer(to: Venue.there, amount: EVMWord(100_000_001)).data,
        ] {
            #expect(try tokenRefusal(venue.transaction(Venue.token, data: data)) == .outputs)
        }
        #expect(try tokenRefusal(venue.transaction(Venue.token, gas: 300_001)) == .fee)
        // The coin for the token, and the reverse.
        #expect(try tokenRefusal(venue.transaction(to: Venue.there)) == .outputs)
        let swapped = venue.request(id, try venue.transaction(Venue.token), Venue.token)
        #expect(venue.ask(signer, swapped).refusal == .notPayable)
        // Two at once, a legacy transaction, bytes behind it, and no bytes.
        var request = venue.request(id, try venue.transaction())
        request.withdrawals = [id, token]
        #expect(venue.ask(signer, request).refusal == .notPayable)
        let legacy = try EVMTransaction(
            chainID: 1, nonce: 0, fee: .legacy(gasPrice: 30_000_000_000), gasLimit: 21_000,
            destination: Venue.there, value: EVMWord(100_000_000_000_000_000))
        request = venue.request(id, legacy)
        #expect(venue.ask(signer, request).refusal == .malformed)
        request.transaction = try venue.transaction().signingBytes + [0]
        #expect(venue.ask(signer, request).refusal == .malformed)
        request.transaction = []
        #expect(venue.ask(signer, request).refusal == .malformed)
        #expect(signer.list.entries.isEmpty)
    }

    @Test func `a token that the signer's own list lacks is not called`() throws {
        let (venue, directory) = try world()
        let id = venue.withdraw(Venue.token)
        let signer = PaymentSigner(
            try SignedList(directory.place), master: venue.master,
            limits: [
                SpendingLimit(
                    chain: Text40("ethereum")!, capacity: DecimalText("10")!,
                    refill: DecimalText("0")!)
            ], assets: try EVMAssetList(["ETH=ethereum"]))
        let now = SpendingMoment(host: 0, monotonic: 0)
        #expect(
            signer.begin(venue.engine, venue.coins, journal: SignerVenue.journal, now: now) == nil)
        let request = venue.request(id, try venue.transaction(Venue.token), Venue.token)
        #expect(venue.ask(signer, request).refusal == .notPayable)
    }

    @Test func `what was signed before is given again, and its nonce binds what follows`() throws {
        let (venue, directory) = try world()
        let id = venue.withdraw()
        let request = venue.request(id, try venue.transaction())
        let first = try #require(venue.ask(try venue.signer(directory), request).payment)
        // The wallet forgot it, the signer started again: the same nonce at another fee conflicts.
        let signer = try venue.signer(directory)
        #expect(venue.ask(signer, request) == .signed(first))
        let other = venue.request(id, try venue.transaction(most: 40_000_000_000))
        let second = try #require(venue.ask(signer, other).payment)
        #expect(second != first)
        // Another withdrawal takes the nonce: it is final, and only then the first is paid by one
        // more.
        let rival = venue.withdraw()
        let taken = try #require(
            venue.ask(signer, venue.request(rival, try venue.transaction(most: 50_000_000_000)))
                .payment)
        venue.log(taken)
        let next = venue.request(id, try venue.transaction(nonce: 1))
        #expect(venue.ask(signer, next).earlier.map(Set.init) == [first, second])
        venue.settle(taken)
        let third = try #require(
            venue.ask(signer, venue.request(id, try venue.transaction(nonce: 1))).payment)
        #expect(try SignedEVMTransaction(decoding: third.bytes).transaction.nonce == 1)
    }

    @Test func `a fee is raised by the same nonce only, and counts once`() throws {
        let (venue, directory) = try world()
        let id = venue.withdraw()
        let signer = try venue.signer(directory, coins: "0.102")
        let first = try #require(
            venue.ask(signer, venue.request(id, try venue.transaction())).payment)
        venue.log(first)
        func raised(_ transaction: EVMTransaction) -> SigningAnswer {
            venue.ask(signer, venue.request(id, transaction, replaces: first.transaction))
        }
        // Not by another nonce, nor at no higher fee, nor to anybody else.
        #expect(try raised(venue.transaction(nonce: 1, most: 40_000_000_000)).payment == first)
        #expect(
            try raised(venue.transaction(most: 30_000_000_000, priority: 2)).refusal == .fee)
        #expect(
            try raised(venue.transaction(to: Venue.contract, most: 40_000_000_000)).refusal
                == .outputs)
        let second = try #require(try raised(venue.transaction(most: 40_000_000_000)).payment)
        #expect(second.replaces == first.transaction)
        // One more does not fit the limit, and the two count as the dearer one.
        let rival = venue.withdraw()
        #expect(
            try venue.ask(signer, venue.request(rival, venue.transaction(nonce: 1))).refusal
                == .limit)
    }

    @Test func `a payment that failed is made again once its nonce is used by the log`() throws {
        let (venue, directory) = try world()
        let id = venue.withdraw()
        let signer = try venue.signer(directory)
        let first = try #require(
            venue.ask(signer, venue.request(id, try venue.transaction())).payment)
        venue.log(first)
        // Dropped alone, only what conflicts with it is signed.
        venue.drop(first)
        #expect(venue.coins.account(Venue.network)?.dropped.keys.first == first.transaction)
        let next = venue.request(id, try venue.transaction(nonce: 1))
        #expect(venue.ask(signer, next).payment == first)
        // The log has it that the chain has it, as a transfer that paid nobody.
        venue.log(first, paying: [])
        venue.settle(first)
        let account = try #require(venue.coins.account(Venue.network))
        #expect(account.isSpent(0) && account.dropped.isEmpty && account.nextNonce == 1)
        let request = venue.request(id, try venue.transaction(nonce: 1))
        let second = try #require(venue.ask(signer, request).payment)
        #expect(try SignedEVMTransaction(decoding: second.bytes).transaction.nonce == 1)
        // Its nonce is never used again.
        #expect(
            try venue.ask(signer, venue.request(venue.withdraw(), venue.transaction())).refusal
                == .coins)
    }

    @Test func `limits of coin and token hold apart, and over restarts`() throws {
        let (venue, directory) = try world()
        var signer = try venue.signer(directory, coins: "0.01", tokens: "250")
        var nonce: UInt64 = 0
        for isPaid in [true, true, false] {
            signer = try venue.signer(directory, coins: "0.01", tokens: "250")
            let id = venue.withdraw(Venue.token)
            let request = venue.request(
                id, try venue.transaction(Venue.token, nonce: nonce), Venue.token)
            let answer = venue.ask(signer, request)
            #expect((answer.payment != nil) == isPaid, "\(answer)")
            guard let payment = answer.payment else {
                #expect(answer.refusal == .limit)
                continue
            }
            venue.log(payment)
            nonce += 1
        }
        // The gas of tokens is of the coin's own limit.
        #expect(
            try venue.ask(
                signer, venue.request(venue.withdraw(), venue.transaction(nonce: nonce))
            ).refusal == .limit)
        let dear = try venue.signer(directory, coins: "0.0039", tokens: "1000")
        let id = venue.withdraw(Venue.token)
        let request = venue.request(
            id, try venue.transaction(Venue.token, nonce: nonce), Venue.token)
        #expect(venue.ask(dear, request).refusal == .limit)
    }

    @Test func `the table of payments is the same from its bytes`() throws {
        let (venue, directory) = try world()
        let signer = try venue.signer(directory)
        let ids = [venue.withdraw(), venue.withdraw(Venue.token), venue.withdraw()]
        let assets = [Venue.coin, Venue.token, Venue.coin]
        for (nonce, (id, asset)) in zip(ids, assets).enumerated() {
            let transaction = try venue.transaction(asset, nonce: UInt64(nonce))
            let payment = try #require(
                venue.ask(signer, venue.request(id, transaction, asset)).payment)
            venue.log(payment)
            if nonce == 0 { venue.settle(payment) }
            if nonce == 1 { venue.drop(payment) }
        }
        let account = try #require(venue.coins.account(Venue.network))
        #expect(account.nextNonce == 1 && account.mayUse(1) && !account.mayUse(2))
        #expect(account.isSpent(OutPoint(account.hot, nonce: 0)))
        #expect(!account.isSpent(OutPoint(Venue.there, nonce: 0)))
        let bytes = venue.coins.saved
        let read = try #require(CoinTable(saved: bytes))
        #expect(read.saved == bytes)
        let again = try #require(read.account(Venue.network))
        #expect(again.payments == account.payments && again.dropped == account.dropped)
        #expect(again.settled == account.settled && again.nonceEnd == account.nonceEnd)
        for length in 0..<bytes.count { #expect(CoinTable(saved: Array(bytes[..<length])) == nil) }
    }
}
