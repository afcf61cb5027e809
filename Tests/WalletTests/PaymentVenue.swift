// An exchange with one Litecoin chain, whose engine and coins see the same records.

import Addresses
import Engine
import Keys
import Payments
import Terms
import Testing
import UTXO
import Wire

final class PaymentVenue {
    static let asset = AssetID(1)
    static let network = NetworkID(1)
    let master: ExtendedPrivateKey
    let chain: UTXONetwork
    private(set) var engine: Engine
    var table: CoinTable
    private(set) var sequence: UInt64 = 0
    private var deposits: UInt32 = 0
    /// The transactions that payments may spend from, without witnesses.
    private(set) var previous: [TransactionID: [UInt8]] = [:]

    init(accounts: Int = 3, keepsBytes: Bool = true) throws {
        table = CoinTable(keepsBytes: keepsBytes)
        master = try ExtendedPrivateKey(
            seed: try Mnemonic(
                reading: secret(
                    [String](repeating: "abandon", count: 23).joined(separator: " ") + " art")
            ).seed())
        chain = try #require(UTXONetwork.named("litecoin-regtest"))
        engine = Engine(limits: .small, rulesKnown: SetRules.current)
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        try must(
            .genesis(
                Genesis(
                    rules: SetRules.current, limits: .small, journalHigh: 1, journalLow: 2,
                    hashKeyHigh: 3, hashKeyLow: 4)))
        let code = try #require(Text16("LTC"))
        try must(.setAsset(SetAsset(code: code, scale: 8, audit: audit)))
        try must(
            .setNetwork(
                SetNetwork(
                    asset: Self.asset, network: Self.network, confirmations: 3,
                    minimum: Amount(units: 1), fee: Amount(units: 1_000), name: code,
                    audit: audit)))
        let account = try master.descendant(.hardened(84), .hardened(1), .hardened(0))
        try must(
            .setChain(
                SetChain(
                    network: Self.network, firstBlock: 1,
                    chain: try #require(Text40("litecoin-regtest")),
                    key: account.publicKey.text(isTest: true), audit: audit)))
        for index in (0..<accounts).map({ $0 + 1 }) {
            try must(
                .openAccount(OpenAccount(name: try #require(Text40("acc\(index)")), audit: audit)))
            try must(
                .assignAddress(
                    AssignAddress(account: AccountID(UInt32(index)), network: Self.network)))
        }
    }

    @discardableResult
    func apply(_ command: Command) -> Outcome {
        sequence += 1
        let header = RecordHeader(
            sequence: sequence, timestamp: Int64(sequence) * 1_000_000_000, kind: command.kind)
        let outcome = engine.apply(header, command)
        table.see(header, command, outcome, engine)
        return outcome
    }

    func must(_ command: Command) throws {
        try #require(apply(command).refusal == .none)
    }

    /// Credits a deposit in a transaction of its own, whose output is `paid` on the chain.
    @discardableResult
    func deposit(_ account: UInt32, _ units: Int64, paid: Int64? = nil) throws -> OutPoint {
        deposits += 1
        let place = CoinPlace(branch: .deposits, index: account)
        let transaction = UTXOTransaction(
            inputs: [
                UTXOTransaction.TransactionInput(
                    outPoint: OutPoint(TransactionID(high: 7, low: 7), deposits), sequence: 0)
            ],
            outputs: [
                UTXOTransaction.TransactionOutput(
                    amount: paid ?? units,
                    script: try #require(table.coins(Self.network)).script(place))
            ], lockTime: 0)
        let id = transaction.id
        previous[id] = transaction.bytes
        try must(
            .creditDeposit(
                CreditDeposit(
                    account: AccountID(account), asset: Self.asset, network: Self.network,
                    transactionHigh: id.high, transactionLow: id.low, output: 0,
                    amount: Amount(units: Int128(units)))))
        return OutPoint(id, 0)
    }

    /// A request with the transactions of its inputs.
    func proved(_ request: SigningRequest) throws -> SigningRequest {
        var request = request
        let transaction = try UTXOTransaction(request.transaction, on: chain)
        request.previous = Set(transaction.inputs.map(\.outPoint.transaction)).sorted()
            .compactMap { previous[$0] }
        return request
    }

    /// An address of somebody else, by a number.
    func address(_ number: UInt8) -> Text64 {
        let destination = UTXODestination.witness(
            version: 0, program: [UInt8](repeating: number, count: 20))
        guard let text = Text64(destination.address(on: chain)) else {
            preconditionFailure("an address is short")
        }
        return text
    }

    func withdraw(_ account: UInt32, _ units: Int64, to number: UInt8) -> Outcome {
        apply(
            .requestWithdrawal(
                RequestWithdrawal(
                    account: AccountID(account), asset: Self.asset, network: Self.network,
                    amount: Amount(units: Int128(units)), address: address(number),
                    requester: Text40("ops") ?? Text40())))
    }

    func proposal(
        _ seed: UInt64 = 1, conflicts: [EarlierTransaction] = [], rate: Int64 = 5_000,
        isInBlock: (TransactionID) -> Bool = { _ in true }
    ) throws -> PaymentProposal {
        var conditions = PaymentConditions(
            feeRate: try #require(UTXOFeeRate(perKilobyte: rate)), seed: seed)
        conditions.conflicts = conflicts
        let found = engine.network(Self.asset, Self.network)
        let terms = try #require(found)
        return PaymentProposal(terms, engine, table, conditions, isInBlock: isInBlock)
    }

    func request(
        _ seed: UInt64 = 1, isInBlock: (TransactionID) -> Bool = { _ in true }
    ) throws -> SigningRequest {
        guard case .request(let request) = try proposal(seed, isInBlock: isInBlock) else {
            throw NoRequest()
        }
        return try proved(request)
    }

    struct NoRequest: Error {}

    func review(_ request: SigningRequest) -> Result<ReviewedPayment, PaymentReviewError> {
        ReviewedPayment.review(request, engine, table, key: master)
    }

    func refusal(_ request: SigningRequest) -> SigningRefusal? {
        if case .failure(let rejection) = review(request) { rejection.refusal } else { nil }
    }

    func sign(_ request: SigningRequest) throws -> SignedPayment {
        try review(request).get().signed(
            with: master, random: [UInt8](repeating: 9, count: 32))
    }

    /// Signs and logs a request.
    func pay(_ request: SigningRequest) throws -> SignedPayment {
        let payment = try sign(request)
        previous[payment.transaction] = UTXOTransaction.withoutWitness(
            payment.bytes, of: payment.transaction, on: chain)
        try must(
            .signWithdrawals(
                SignWithdrawals(
                    asset: payment.asset, network: payment.network,
                    transaction: payment.transaction, replaces: payment.replaces,
                    withdrawals: payment.withdrawals, bytes: payment.bytes)))
        return payment
    }

    func settle(_ payment: TransactionID) throws {
        let fee = try #require(table.coins(Self.network)?.payments[payment]?.fee)
        try must(
            .settleTransaction(
                SettleTransaction(
                    transaction: payment, costAsset: Self.asset, cost: Amount(units: Int128(fee)),
                    block: 1)))
    }
}
