// What the signer checks before it signs a transfer of an EVM chain: one of the wallet's own coins,
// from one of its accounts to another. It derives both from its own seed, so whatever is asked of
// it, nothing but the chain's fee leaves the wallet by it.
//
//     sweep   a customer's address → the account that pays, native coin or a listed token
//     gas     the account that pays → a customer's address, native coin for the gas of a sweep
//     filler  the account that pays → itself, nothing at all: it uses a nonce that nobody uses

public import Addresses
public import EVM
public import Engine
public import Keys
internal import Terms
public import UTXO

/// What a transfer is.
public enum EVMTransferKind: Hashable, Sendable {
    /// From a customer's address to the account that pays.
    case sweep(EVMCoin)
    /// The reverse, of native coin.
    case gas
    /// From the account that pays to itself.
    case filler

    /// What a transaction is to the wallet whose account that pays is `hot`, and whose customer's
    /// address of a request's index is `address`; nil: none of its transfers.
    public init?(_ transaction: EVMTransaction, hot: EVMAddress, address: EVMAddress?) {
        let (to, isEmpty) = (transaction.destination, transaction.data.isEmpty)
        guard let address else {
            guard to == hot, isEmpty, transaction.value == .zero else { return nil }
            self = .filler
            return
        }
        if isEmpty, transaction.value > .zero, to == hot || to == address {
            self = to == hot ? .sweep(.native) : .gas
        } else if transaction.value == .zero,
            let call = try? TokenTransfer(decoding: transaction.data), call.receiver == hot,
            call.amount > .zero, to != hot, to != address
        {
            self = .sweep(.token(to))
        } else {
            return nil
        }
    }
}

/// A request whose transaction moves the wallet's coins from one of its accounts to another.
public struct ReviewedEVMTransfer: Sendable {
    /// What was asked for.
    public let request: SigningRequest
    /// What may leave of the chain's own coin, for gas: in units of its limit.
    public let leaving: Int64
    /// The nonce, as a coin.
    public let coin: OutPoint
    /// What is signed.
    public let transaction: EVMTransaction
    private let isSweep: Bool

    /// Reviews a request against the log, as `ReviewedEVMPayment` does.
    public init(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ assets: EVMAssetList, key: ExtendedPrivateKey
    ) throws(PaymentReviewError) {
        let account = try ReviewedEVMPayment.account(request, engine, coins, key)
        guard request.withdrawals.isEmpty else {
            throw PaymentReviewError(.notPayable, "a transfer pays no withdrawal")
        }
        let transaction = try ReviewedEVMPayment.decoded(request)
        let address = try Self.address(request, engine, account)
        guard transaction.chainID == account.network.chainID else {
            throw PaymentReviewError(.outputs, "it is of chain \(transaction.chainID)")
        }
        guard let kind = EVMTransferKind(transaction, hot: account.hot, address: address) else {
            throw PaymentReviewError(
                .outputs, "it does not go from one of the wallet's accounts to another")
        }
        guard engine.rules >= 3, engine.network(request.asset, request.network) != nil,
            let view = engine.asset(request.asset)
        else { throw PaymentReviewError(.notPayable, "the log has no such network of the asset") }
        switch kind {
        case .filler: try ReviewedEVMPayment.check(fee: transaction, .native)
        case .gas:
            try ReviewedEVMPayment.check(fee: transaction, .native)
            guard transaction.value <= EVMCeiling.gasGift else {
                throw PaymentReviewError(.outputs, "it is more than the gas of a transfer")
            }
        case .sweep(.native):
            try ReviewedEVMPayment.check(fee: transaction, .native)
            // Within 128 bits below the ceilings.
            guard EVMWord(transaction.feeMax * EVMCeiling.sweepShare) <= transaction.value else {
                throw PaymentReviewError(.fee, "its fee is too much of what it moves")
            }
        case .sweep(let coin):
            try ReviewedEVMPayment.check(fee: transaction, coin)
            guard assets.asset("\(view.code)", on: account.network)?.coin == coin else {
                throw PaymentReviewError(
                    .notPayable, "[walletd] assets does not say that it is \(view.code)")
            }
        }
        if case .sweep = kind { isSweep = true } else { isSweep = false }
        let sender = isSweep ? address ?? account.hot : account.hot
        try Self.check(nonce: transaction, sender, request, account)
        guard
            let leaving = EVMSpending.units(
                EVMWord(transaction.feeMax), decimals: EVMAsset.nativeDecimals)
        else { throw PaymentReviewError(.limit, "it is more than any limit") }
        (self.request, self.transaction, self.leaving) = (request, transaction, leaving)
        coin = OutPoint(sender, nonce: transaction.nonce)
    }

    /// The customer's address of a request's index, which the log has given to somebody: what goes
    /// to another one nobody would look for.
    private static func address(
        _ request: SigningRequest, _ engine: borrowing Engine, _ account: EVMPayments
    ) throws(PaymentReviewError) -> EVMAddress? {
        if request.index == 0 { return nil }
        guard Int(request.index) <= engine.addressees(request.network).count,
            let address = try? EVMDepositAddresses(key: account.key).address(request.index)
        else { throw PaymentReviewError(.outputs, "there is no address \(request.index)") }
        return address
    }

    /// As of a payment: no other one has the nonce, or the one that is replaced has, at a lower
    /// fee.
    private static func check(
        nonce transaction: EVMTransaction, _ sender: EVMAddress, _ request: SigningRequest,
        _ account: EVMPayments
    ) throws(PaymentReviewError) {
        let isHot = sender == account.hot
        let open = isHot ? account.payments : account.sweeps
        guard request.replaces == .none else {
            guard let replaced = open[request.replaces], replaced.withdrawals.isEmpty,
                replaced.coin == OutPoint(sender, nonce: transaction.nonce)
            else {
                throw PaymentReviewError(.coins, "it replaces no transfer that has its nonce")
            }
            guard transaction.fee.most > replaced.signed.transaction.fee.most else {
                throw PaymentReviewError(.fee, "its fee is not above that of what it replaces")
            }
            return
        }
        let mayUse =
            isHot
            ? account.mayUse(transaction.nonce)
            : transaction.nonce == account.nextNonce(of: sender)
                && !open.values.contains { $0.signed.sender == sender }
        guard mayUse else {
            throw PaymentReviewError(
                .coins, "nonce \(transaction.nonce) of \(sender) is not to be used")
        }
    }

    /// Signs it with the key of the account that it leaves.
    public func signed(with master: ExtendedPrivateKey) throws(PaymentReviewError) -> SignedPayment
    {
        let signed: SignedEVMTransaction
        do throws(KeyError) {
            let account = try master.descendant(
                .hardened(44), .hardened(EVMNetwork.coinType), .hardened(0))
            let key =
                isSweep
                ? try account.descendant(along: [0, request.index])
                : try account.descendant(1, 0)
            signed = try transaction.signed(by: key)
        } catch { throw PaymentReviewError(.coins, "it cannot be signed: \(error)") }
        guard OutPoint(signed.sender, nonce: transaction.nonce) == coin else {
            throw PaymentReviewError(.otherKey, "its account has another key")
        }
        return SignedPayment(
            network: request.network, asset: request.asset, withdrawals: [],
            replaces: request.replaces, transaction: signed.id, bytes: signed.bytes)
    }
}
