// An exchange with one chain, whose coins and withdrawals a signer knows by its log.

import Addresses
import Engine
import Journal
import Keys
import Payments
import Secrets
import Signing
import Terms
import Testing
import UTXO
import Wire

/// A log and its engine, with ten deposits of one coin each, and the key of BIP84's test vector.
final class SignerVenue {
    static let account = AccountID(1)
    static let coin: Int64 = 100_000_000
    static let destination = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
    static let journal = JournalIdentity(high: 1, low: 2)

    let asset: AssetID
    let network: NetworkID
    private(set) var engine = Engine(limits: .small)
    private(set) var coins = CoinTable()
    let master: ExtendedPrivateKey
    let chain: UTXONetwork
    /// The transactions of the deposits, by their number, without witnesses.
    private(set) var deposits: [UTXOTransaction] = []
    /// All transactions that a payment may spend from.
    private var previous: [TransactionID: [UInt8]] = [:]

    /// The asset has this code, and as many others before it; the chain has this number.
    init(code: String = "BTC", others: Int = 0, network: NetworkID = NetworkID(1)) throws {
        (asset, self.network) = (AssetID(UInt16(others + 1)), network)
        let words = Array(
            (String(repeating: "abandon ", count: 11) + "about").utf8)
        master = try ExtendedPrivateKey(seed: Mnemonic(reading: SecretBytes(words)).seed())
        chain = try #require(UTXONetwork.named("bitcoin"))
        let key = try master.descendant(.hardened(84), .hardened(0), .hardened(0)).publicKey
        let audit = Audit(operatorName: Text40("olga")!, reason: "test")
        for number in 0..<others {
            apply(SetAsset(code: Text16("X\(number)")!, scale: 8, audit: audit))
        }
        apply(SetAsset(code: Text16(code)!, scale: 8, audit: audit))
        apply(OpenAccount(name: Text40("ann")!, audit: audit))
        apply(
            SetNetwork(
                asset: asset, network: network, takesWithdrawals: true, approvals: 0,
                confirmations: 1, minimum: Amount(units: 1_000), fee: Amount(units: 500),
                name: Text16("BTC")!, audit: audit))
        apply(
            SetChain(
                network: network, firstBlock: 1, chain: Text40("bitcoin")!,
                key: key.text(isTest: false), audit: audit))
        apply(AssignAddress(account: Self.account, network: network))
        let place = CoinPlace(branch: .deposits, index: 1)
        let script = try #require(coins.coins(network)).script(place)
        for number in 0..<10 {
            let deposit = UTXOTransaction(
                inputs: [
                    UTXOTransaction.TransactionInput(outPoint: .coin(number), sequence: 0)
                ],
                outputs: [UTXOTransaction.TransactionOutput(amount: Self.coin, script: script)],
                lockTime: 0)
            deposits.append(deposit)
            let id = deposit.id
            previous[id] = deposit.bytes
            apply(
                CreditDeposit(
                    account: Self.account, asset: asset, network: network,
                    transactionHigh: id.high, transactionLow: id.low, output: 0,
                    amount: Amount(units: Int128(Self.coin))))
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

    /// Asks for so many withdrawals of 0.1 coins each.
    func withdraw(_ count: Int) -> [WithdrawalID] {
        (0..<count).map { _ in
            WithdrawalID(
                apply(
                    RequestWithdrawal(
                        account: Self.account, asset: asset, network: network,
                        amount: Amount(units: 10_000_000), address: Text64(Self.destination)!,
                        requester: Text40("ops")!)
                ).id)
        }
    }

    /// A transaction that pays them from these deposits, with a fee.
    func request(
        _ ids: [WithdrawalID], from deposits: [Int], fee: Int64 = 1_000,
        replaces: TransactionID = .none
    ) throws -> SigningRequest {
        try request(
            ids, spending: deposits.map { OutPoint(self.deposits[$0].id, 0) },
            of: Int64(deposits.count) * Self.coin, fee: fee, replaces: replaces)
    }

    /// A transaction that pays them from these coins of so much together.
    func request(
        _ ids: [WithdrawalID], spending coins: [OutPoint], of total: Int64, fee: Int64 = 1_000,
        replaces: TransactionID = .none
    ) throws -> SigningRequest {
        let script = try UTXODestination(Self.destination, on: chain).script
        let paid = Int64(ids.count) * 10_000_000
        let change = try #require(self.coins.coins(network)).script(.change(of: ids))
        let transaction = UTXOTransaction(
            inputs: coins.map {
                UTXOTransaction.TransactionInput(outPoint: $0, sequence: 0xFFFF_FFFD)
            },
            outputs: ids.map { _ in
                UTXOTransaction.TransactionOutput(amount: 10_000_000, script: script)
            } + [
                UTXOTransaction.TransactionOutput(
                    amount: total - paid - fee, script: change)
            ], lockTime: 0)
        let from = Set(coins.map(\.transaction))
        return SigningRequest(
            network: network, asset: asset, sequence: engine.sequence, withdrawals: ids,
            replaces: replaces, transaction: transaction.bytes,
            previous: from.compactMap { previous[$0] })
    }

    /// The customer takes one back.
    func cancel(_ id: WithdrawalID) {
        apply(CancelWithdrawal(account: Self.account, withdrawal: id))
    }

    /// The payment is final.
    func settle(_ payment: SignedPayment) {
        apply(
            SettleTransaction(
                transaction: payment.transaction, costAsset: asset, cost: Amount(units: 1_000),
                block: 9))
    }

    /// The payment is given up.
    func drop(_ payment: SignedPayment) {
        apply(DropTransaction(transaction: payment.transaction))
    }

    func log(_ payment: SignedPayment) {
        previous[payment.transaction] = UTXOTransaction.withoutWitness(
            payment.bytes, of: payment.transaction, on: chain)
        apply(
            SignWithdrawals(
                asset: payment.asset, network: payment.network, transaction: payment.transaction,
                replaces: payment.replaces, withdrawals: payment.withdrawals,
                bytes: payment.bytes))
    }

    /// Limits of so much at once and an hour.
    static func limits(_ limit: (String, String)) throws -> [SpendingLimit] {
        [
            SpendingLimit(
                chain: Text40("bitcoin")!, capacity: try #require(DecimalText(limit.0)),
                refill: try #require(DecimalText(limit.1))),
            SpendingLimit(
                chain: Text40("litecoin")!, capacity: DecimalText("1000")!,
                refill: DecimalText("1000")!),
        ]
    }

    /// Shows a signer the record by which a payment came into the log, as following it does.
    func show(_ payment: SignedPayment, to signer: PaymentSigner, host: Int64 = 0) {
        let command = SignWithdrawals(
            asset: payment.asset, network: payment.network, transaction: payment.transaction,
            replaces: payment.replaces, withdrawals: payment.withdrawals, bytes: payment.bytes)
        let header = RecordHeader(
            sequence: engine.sequence, timestamp: Int64(engine.sequence) * 1_000,
            session: SessionID(0), number: 0, kind: SignWithdrawals.kind)
        let bytes = command.recordBytes(header)
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe signer.see(header, bytes, Outcome(), engine, coins) {
                SpendingMoment(host: host, monotonic: host)
            }
        }
    }

    /// A signer with the list of this directory, which has met the log.
    func signer(
        _ directory: SignerDirectory, limit: (String, String) = ("0.25", "0.1"), host: Int64 = 0
    ) throws -> PaymentSigner {
        let signer = PaymentSigner(
            try SignedList(directory.place), master: master, limits: try Self.limits(limit))
        let now = SpendingMoment(host: host, monotonic: 0)
        #expect(signer.begin(engine, coins, journal: Self.journal, now: now) == nil)
        return signer
    }

    func ask(
        _ signer: PaymentSigner, _ request: SigningRequest, host: Int64 = 0
    ) -> SigningAnswer {
        signer.answer(
            request, engine, coins, now: SpendingMoment(host: host, monotonic: host))
    }
}

extension SigningAnswer {
    var payment: SignedPayment? { if case .signed(let payment) = self { payment } else { nil } }
    var earlier: [SignedPayment]? {
        if case .earlier(let payments) = self { payments } else { nil }
    }
    var refusal: SigningRefusal? {
        if case .refused(let refusal, _) = self { refusal } else { nil }
    }
}
