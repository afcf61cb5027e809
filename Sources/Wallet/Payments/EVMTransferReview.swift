// What the signer checks before it signs a transfer of an EVM chain: one of the wallet's own coins,
// from one of its accounts to another. It derives both from its own seed, so whatever is asked of
// it, nothing but the chain's fee leaves the wallet by it. What goes to cold storage leaves the
// seed: whom it goes to says the log alone, so it counts against the limits as a payment does,
// unless this host's own settings name that very address.
//
//     sweep   a customer's address → the account that pays, native coin or a listed token
//     gas     the account that pays → a customer's address, native coin for the gas of a sweep
//     filler  the account that pays → itself, nothing at all: it uses a nonce that nobody uses
//     cold    the account that pays → the asset's cold address, native coin or a listed token

public import Addresses
public import EVM
public import Engine
public import Keys
public import Terms
public import UTXO

/// What a transfer is.
public enum EVMTransferKind: Hashable, Sendable {
    /// From a customer's address to the account that pays.
    case sweep(EVMCoin)
    /// The reverse, of native coin.
    case gas
    /// From the account that pays to itself.
    case filler
    /// From the account that pays to cold storage.
    case cold(EVMCoin)

    /// What a transaction is to the wallet whose account that pays is `hot`, whose customer's
    /// address of a request's index is `address`, and whose cold address of a request's asset is
    /// `cold`; nil: none of its transfers.
    public init?(
        _ transaction: EVMTransaction, hot: EVMAddress, address: EVMAddress?,
        cold: EVMAddress? = nil
    ) {
        let (to, isEmpty) = (transaction.destination, transaction.data.isEmpty)
        guard let address else {
            if to == hot, isEmpty, transaction.value == .zero {
                self = .filler
            } else if let moved = transaction.movement, moved.receiver == cold, cold != hot {
                self = .cold(moved.coin)
            } else {
                return nil
            }
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
    /// What may leave of the chain's own coin, for gas and to cold storage: in units of its limit.
    public let leaving: Int64
    /// What leaves of a token to cold storage, and by which limit; nil: nothing does.
    public let token: (limit: Text40, leaving: Int64)?
    /// The nonce, as a coin.
    public let coin: OutPoint
    /// What is signed.
    public let transaction: EVMTransaction
    private let isSweep: Bool

    /// Reviews a request against the log, as `ReviewedEVMPayment` does. Where it goes to cold
    /// storage that `isPinned` knows, by asset, chain and descriptor, only gas counts as leaving.
    public init(
        _ request: SigningRequest, _ engine: borrowing Engine, _ coins: CoinTable,
        _ assets: EVMAssetList, key: ExtendedPrivateKey,
        isPinned: (_ asset: Text16, _ chain: Text40, _ descriptor: String) -> Bool = { _, _, _ in
            false
        }
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
        let cold = engine.coldStorage(request.asset, request.network)
        let dearer = Self.replacedCold(request, transaction, account)
        let coldAddress = dearer ?? cold.flatMap { EVMAddress($0.descriptor) }
        let found = EVMTransferKind(
            transaction, hot: account.hot, address: address, cold: coldAddress)
        guard let kind = found else {
            throw PaymentReviewError(
                .outputs,
                "it goes neither from one of the wallet's accounts to another nor to the cold "
                    + "storage that the log has of the asset")
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
        case .cold(let coin):
            try ReviewedEVMPayment.check(fee: transaction, coin)
            guard let listed = assets.asset("\(view.code)", on: account.network),
                listed.coin == coin
            else {
                throw PaymentReviewError(
                    .notPayable, "[walletd] assets does not say that it is \(view.code)")
            }
            // Of the two one at most is ever final: no more goes than was signed before.
            if dearer == nil, let cold {
                try Self.check(cold, view, listed, transaction, request, account, engine, assets)
            }
        }
        if case .sweep = kind { isSweep = true } else { isSweep = false }
        let sender = isSweep ? address ?? account.hot : account.hot
        try Self.check(nonce: transaction, sender, request, account)
        var counts = false
        if case .cold = kind, let coldAddress {
            counts = !isPinned(view.code, account.chain, "\(coldAddress)")
        }
        let most = counts ? transaction.costMax : EVMWord(transaction.feeMax)
        guard
            let leaving = most.flatMap({
                EVMSpending.units($0, decimals: EVMAsset.nativeDecimals)
            })
        else { throw PaymentReviewError(.limit, "it is more than any limit") }
        (self.request, self.transaction) = (request, transaction)
        self.leaving = leaving
        if counts, case .cold(.token) = kind {
            guard let listed = assets.asset("\(view.code)", on: account.network),
                let limit = EVMSpending.limitName(listed), let moved = transaction.movement,
                let units = EVMSpending.units(moved.units, decimals: listed.decimals)
            else { throw PaymentReviewError(.limit, "it is more than any limit") }
            token = (limit, units)
        } else {
            token = nil
        }
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

    /// The address of cold storage of an open transfer of the log's that a request replaces with
    /// the same movement, at another fee; nil: it does something else. What was decided when that
    /// was signed may be otherwise by now, and it would wait for ever.
    private static func replacedCold(
        _ request: SigningRequest, _ transaction: EVMTransaction, _ account: EVMPayments
    ) -> EVMAddress? {
        guard let replaced = account.payments[request.replaces], account.isToCold(replaced),
            replaced.asset == request.asset, replaced.nonce == transaction.nonce,
            let moved = transaction.movement, replaced.signed.transaction.movement == moved
        else { return nil }
        return moved.receiver
    }

    /// Customers' addresses that the signer derives to see that cold storage is none of them: what
    /// goes to a later one stays with the seed all the same, and the wallet knows all of them.
    public static let addressesMax: UInt32 = 4_096

    /// Whether the log's cold storage is one that coins may go to now: an address of nobody that
    /// the signer knows, as many as the log's band says, and nothing on its way there.
    private static func check(
        _ cold: ColdStorageView, _ view: AssetView, _ listed: EVMAsset,
        _ transaction: EVMTransaction, _ request: SigningRequest, _ account: EVMPayments,
        _ engine: borrowing Engine, _ assets: EVMAssetList
    ) throws(PaymentReviewError) {
        guard let address = EVMAddress(cold.descriptor), address.isPayable,
            account.cold.contains(address)
        else { throw PaymentReviewError(.outputs, "the cold storage cannot be used: see the log") }
        if assets.assets.contains(where: { $0.coin == .token(address) }) {
            throw PaymentReviewError(.outputs, "the cold storage is a contract of [walletd] assets")
        }
        // More than the ceiling was there, and what goes leaves the target: so it is more than what
        // is between them. Nobody can have the gas of many small ones spent.
        func word(_ units: Int128) -> EVMWord? {
            try? EVMWord(Amount(units: units), scale: view.scale, decimals: listed.decimals)
        }
        guard let least = word(cold.ceiling.units - cold.target.units),
            let moved = transaction.movement, moved.units >= least
        else {
            throw PaymentReviewError(
                .outputs, "it is less than what the log's ceiling is above its target")
        }
        // Whoever asks moves no more than the owner wants to have moved.
        let hot = account.hotUnits(request.asset, listed, scale: view.scale)
        guard hot > cold.ceiling.units, let most = word(hot - cold.target.units),
            moved.units <= most
        else {
            throw PaymentReviewError(
                .outputs,
                "by the log the wallet has \(hot) base units outside of cold storage, of which it "
                    + "keeps \(cold.target.units), and moves nothing up to \(cold.ceiling.units)")
        }
        let others = account.payments.filter {
            $0.value.coin != OutPoint(account.hot, nonce: transaction.nonce)
        }
        if others.values.contains(where: account.isToCold) {
            throw PaymentReviewError(.coins, "another transfer to cold storage is not settled")
        }
        // Last, as it takes long.
        let addresses = try? EVMDepositAddresses(key: account.key)
        let count = min(UInt32(clamping: engine.addressees(request.network).count), addressesMax)
        for index in 0..<count {
            guard let own = try? addresses?.address(index + 1), own != address else {
                throw PaymentReviewError(.outputs, "the cold storage is an address of a customer")
            }
        }
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
        if let obstacle = account.obstacle(to: OutPoint(sender, nonce: transaction.nonce)) {
            throw PaymentReviewError(.coins, obstacle)
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
