// What the signer checks before it signs a payment of an EVM chain. It believes the log and its own
// list of assets, and nothing of the request.

public import Addresses
public import EVM
public import Engine
public import Keys
public import Terms
public import UTXO

/// What a payment of an EVM chain may cost, whatever a node says: the wallet proposes no more, and
/// the signer signs no more.
public enum EVMCeiling {
    /// Gas of a transfer of native coin: 21,000, and more where a contract receives it.
    public static let nativeGas: ClosedRange<UInt64> = 21_000...100_000
    /// Gas of a transfer of a token.
    public static let tokenGas: ClosedRange<UInt64> = 21_000...300_000
    /// The most that is paid per gas, in wei.
    public static let feePerGas: UInt64 = 500_000_000_000
    /// What of that a block's producer gets at most, in wei.
    public static let priorityPerGas: UInt64 = 50_000_000_000

    /// The most native coin that a customer's address is given for the gas of one transfer, in wei:
    /// so much as one may cost.
    public static let gasGift = EVMWord(UInt128(tokenGas.upperBound) * UInt128(feePerGas))
    /// Of a sweep of native coin, the fee is at most such a part of what is swept.
    public static let sweepShare: UInt128 = 4

    /// Gas of a transfer of a coin.
    public static func gas(_ coin: EVMCoin) -> ClosedRange<UInt64> {
        coin == .native ? nativeGas : tokenGas
    }
}

/// How the signer's limits count an amount of an EVM chain, whose units would not fit 64 bits.
public enum EVMSpending {
    /// Decimals of the limits of a coin: those of the coin, up to nine.
    public static func scale(_ decimals: UInt8) -> UInt8 { min(decimals, 9) }

    /// An amount of a coin in units of its limit, rounded up; nil where it is beyond 64 bits.
    public static func units(_ amount: EVMWord, decimals: UInt8) -> Int64? {
        guard let (whole, rest) = try? amount.amount(decimals: decimals, scale: scale(decimals))
        else { return nil }
        return Int64(exactly: whole.units + (rest > .zero ? 1 : 0))
    }

    /// The name of a token's limit, as `ethereum:USDT`.
    public static func limitName(_ asset: EVMAsset) -> Text40? {
        Text40("\(asset.network.name):\(asset.code)")
    }
}

extension EVMAsset {
    /// The transfer of so much of it: whom the transaction goes to, with what value and data.
    public func transfer(
        to destination: EVMAddress, _ units: EVMWord
    ) -> (to: EVMAddress, value: EVMWord, data: [UInt8]) {
        switch coin {
        case .native: (destination, units, [])
        case .token(let contract):
            (contract, .zero, TokenTransfer(to: destination, amount: units).data)
        }
    }
}

/// A request whose transaction pays exactly what the log says that it is to pay.
public struct ReviewedEVMPayment: Sendable {
    /// What was asked for.
    public let request: SigningRequest
    /// What leaves of the chain's own coin, with all gas that it may use: in units of its limit.
    public let leaving: Int64
    /// What leaves of a token, and by which limit; nil: it is the chain's own coin.
    public let token: (limit: Text40, leaving: Int64)?
    /// The nonce, as a coin.
    public let inputs: [OutPoint]
    private let transaction: EVMTransaction

    /// Reviews a request against the log. `coins` has seen what `engine` has applied; `key` is the
    /// master key that would sign.
    public init(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ assets: EVMAssetList, key: ExtendedPrivateKey
    ) throws(PaymentReviewError) {
        let account = try Self.account(request, engine, coins, key)
        let (withdrawal, asset) = try Self.due(request, engine, account, assets)
        let transaction = try Self.decoded(request)
        let scale = engine.asset(request.asset)?.scale ?? 0
        guard let destination = try? EVMAddress(destination: "\(withdrawal.address)"),
            let units = try? EVMWord(withdrawal.amount, scale: scale, decimals: asset.decimals)
        else {
            throw PaymentReviewError(
                .notPayable, "withdrawal \(withdrawal.id.number) cannot be paid on the chain")
        }
        let due = asset.transfer(to: destination, units)
        guard transaction.chainID == account.network.chainID else {
            throw PaymentReviewError(.outputs, "it is of chain \(transaction.chainID)")
        }
        guard transaction.destination == due.to, transaction.value == due.value,
            transaction.data == due.data
        else {
            throw PaymentReviewError(
                .outputs,
                "it sends \(transaction.value) and \(transaction.data.count) bytes to "
                    + "\(transaction.destination), which is not what the withdrawal says")
        }
        try Self.check(fee: transaction, asset.coin)
        try Self.check(nonce: transaction, request, account)
        (self.request, self.transaction) = (request, transaction)
        inputs = [OutPoint(account.hot, nonce: transaction.nonce)]
        guard
            let leaving = transaction.costMax.flatMap({
                EVMSpending.units($0, decimals: EVMAsset.nativeDecimals)
            })
        else { throw PaymentReviewError(.limit, "it is more than any limit") }
        self.leaving = leaving
        switch asset.coin {
        case .native: token = nil
        case .token:
            guard let limit = EVMSpending.limitName(asset),
                let units = EVMSpending.units(units, decimals: asset.decimals)
            else { throw PaymentReviewError(.limit, "it is more than any limit") }
            token = (limit, units)
        }
    }

    /// The account of a request's chain, whose keys are of this seed.
    static func account(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ key: ExtendedPrivateKey
    ) throws(PaymentReviewError) -> EVMPayments {
        guard request.sequence <= coins.sequence, engine.sequence == coins.sequence, !coins.hasGap
        else {
            throw PaymentReviewError(.behind, "the log is followed up to record \(coins.sequence)")
        }
        guard let account = coins.account(request.network) else {
            throw PaymentReviewError(.otherKey, "the log names no EVM chain \(request.network)")
        }
        if let loss = account.loss { throw PaymentReviewError(.coins, loss) }
        let own = try? key.descendant(.hardened(44), .hardened(EVMNetwork.coinType), .hardened(0))
        guard own?.publicKey.text(isTest: false) == account.key else {
            throw PaymentReviewError(
                .otherKey, "the chain \(account.chain) has a key that is not of this signer's seed")
        }
        return account
    }

    /// The transaction of a request: one of EIP-1559, and nothing behind it.
    public static func decoded(
        _ request: SigningRequest
    ) throws(PaymentReviewError) -> EVMTransaction {
        do throws(EVMTransactionError) {
            return try EVMTransaction(decodingUnsigned: request.transaction)
        } catch { throw PaymentReviewError(.malformed, "the transaction cannot be read: \(error)") }
    }

    /// The one withdrawal that has to be paid, by the log, and what its asset is on the chain, by
    /// the signer's own list.
    private static func due(
        _ request: SigningRequest, _ engine: borrowing Engine, _ account: EVMPayments,
        _ assets: EVMAssetList
    ) throws(PaymentReviewError) -> (WithdrawalView, EVMAsset) {
        guard let id = request.withdrawals.first, request.withdrawals.count == 1 else {
            throw PaymentReviewError(
                .notPayable, "a transaction of an EVM chain pays one withdrawal")
        }
        guard let terms = engine.network(request.asset, request.network),
            let view = engine.asset(request.asset)
        else { throw PaymentReviewError(.notPayable, "the log has no such network of the asset") }
        guard let asset = assets.asset("\(view.code)", on: account.network),
            view.scale <= asset.decimals
        else {
            throw PaymentReviewError(
                .notPayable,
                "[walletd] assets does not say what \(view.code) is on \(account.chain)")
        }
        if let refusal = engine.refusal(ofPaying: terms) {
            throw PaymentReviewError(.notPayable, refusal)
        }
        if request.replaces != .none {
            guard account.payments(of: [id]).contains(where: { $0.0 == request.replaces }) else {
                throw PaymentReviewError(
                    .notPayable, "no open payment of the withdrawal is the one to be replaced")
            }
        }
        guard let withdrawal = engine.withdrawal(id), withdrawal.asset == request.asset,
            withdrawal.network == request.network
        else { throw PaymentReviewError(.notPayable, "withdrawal \(id.number) is not open here") }
        let status: WithdrawalStatus = request.replaces == .none ? .approved : .signed
        guard withdrawal.status == status, engine.account(withdrawal.account)?.isKilled == false
        else { throw PaymentReviewError(.notPayable, "withdrawal \(id.number) is not approved") }
        return (withdrawal, asset)
    }

    /// Whether gas and fee are below their ceilings, and enough to be taken at all.
    static func check(
        fee transaction: EVMTransaction, _ coin: EVMCoin
    ) throws(PaymentReviewError) {
        let gas = EVMCeiling.gas(coin)
        guard case .dynamic(let most, let priority) = transaction.fee, most > 0,
            most <= EVMCeiling.feePerGas, priority <= EVMCeiling.priorityPerGas,
            gas ~= transaction.gasLimit
        else {
            throw PaymentReviewError(
                .fee,
                "its gas limit is \(transaction.gasLimit), of \(gas), and its fee "
                    + "\(transaction.fee.most) wei per gas, of \(EVMCeiling.feePerGas)")
        }
    }

    /// Whether no other payment has the nonce; of one that is replaced it is the same, at a higher
    /// fee.
    private static func check(
        nonce transaction: EVMTransaction, _ request: SigningRequest, _ account: EVMPayments
    ) throws(PaymentReviewError) {
        guard let replaced = account.payments[request.replaces] else {
            guard account.mayUse(transaction.nonce) else {
                throw PaymentReviewError(
                    .coins, "nonce \(transaction.nonce) is not to be used: \(account.nextNonce) is")
            }
            let coin = OutPoint(account.hot, nonce: transaction.nonce)
            if let obstacle = account.obstacle(to: coin) {
                throw PaymentReviewError(.coins, obstacle)
            }
            return
        }
        guard transaction.nonce == replaced.nonce else {
            throw PaymentReviewError(
                .coins, "its nonce is not \(replaced.nonce), that of what it replaces")
        }
        guard transaction.fee.most > replaced.signed.transaction.fee.most else {
            throw PaymentReviewError(.fee, "its fee is not above that of what it replaces")
        }
    }

    /// Signs it with the key of the account that pays.
    public func signed(with master: ExtendedPrivateKey) throws(PaymentReviewError) -> SignedPayment
    {
        do throws(KeyError) {
            let key = try master.descendant(
                .hardened(44), .hardened(EVMNetwork.coinType), .hardened(0), 1, 0)
            let signed = try transaction.signed(by: key)
            return SignedPayment(
                network: request.network, asset: request.asset, withdrawals: request.withdrawals,
                replaces: request.replaces, transaction: signed.id, bytes: signed.bytes)
        } catch { throw PaymentReviewError(.coins, "it cannot be signed: \(error)") }
    }
}
