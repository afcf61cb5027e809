// What an EVM chain's account has left for further payments.

internal import Addresses
internal import Deposits
internal import EVM
internal import Nodes
internal import Payments
internal import Terms

/// The account's balances after the node's last block, less what open payments that no block has
/// may take of them.
struct EVMFunds {
    private var free: [EVMCoin: EVMWord] = [:]
    private var total: EVMWord = .zero
    /// Tokens whose contracts do not say what the account has.
    private(set) var unread: Set<EVMCoin> = []

    init(_ chain: FollowedEVMChain, _ account: EVMPayments) throws(NodeError) {
        guard let block = chain.reader.tip?.block else { return }
        for asset in chain.setup.assets {
            let holding = EVMHolding(chain.hot, asset.coin)
            free[asset.coin] = try chain.node.balance(holding, after: block)
            if free[asset.coin] == nil { unread.insert(asset.coin) }
        }
        if free[.native] == nil {
            free[.native] = try chain.node.balance(EVMHolding(chain.hot, .native), after: block)
        }
        total = free[.native] ?? .zero
        for (id, payment) in account.newest where !chain.reader.isInBlock(id) {
            let transaction = payment.signed.transaction
            take(transaction.costMax ?? .max, of: .native)
            if let call = try? TokenTransfer(decoding: transaction.data) {
                take(call.amount, of: .token(transaction.destination))
            }
        }
    }

    private mutating func take(_ units: EVMWord, of coin: EVMCoin) {
        free[coin] = free[coin]?.subtracting(units) ?? .zero
    }

    /// What is free of a coin, in its smallest unit.
    func units(_ coin: EVMCoin) -> EVMWord { free[coin] ?? .zero }

    /// Whether there is so much of a coin.
    func has(_ units: EVMWord, of coin: EVMCoin) -> Bool { free[coin] ?? .zero >= units }

    /// Whether there is enough of the chain's own coin for a transaction, with all its gas.
    func pays(_ transaction: EVMTransaction) -> Bool {
        transaction.costMax.map { has($0, of: .native) } ?? false
    }

    /// What is free of a coin in units of the ledger; 0 where no asset is that coin.
    func ledgerUnits(_ coin: EVMCoin, _ chain: FollowedEVMChain) -> Int64 {
        Self.units(free[coin] ?? .zero, coin, chain)
    }

    /// What the account has of the chain's own coin, in units of the ledger.
    func ledgerTotal(_ chain: FollowedEVMChain) -> Int64 { Self.units(total, .native, chain) }

    private static func units(_ word: EVMWord, _ coin: EVMCoin, _ chain: FollowedEVMChain) -> Int64
    {
        guard let asset = chain.setup.assets.first(where: { $0.coin == coin }),
            let (amount, _) = try? word.amount(decimals: asset.listed.decimals, scale: asset.scale)
        else { return 0 }
        return Int64(clamping: amount.units)
    }
}

/// What the node says for a plan of transfers to cold storage, asked once for all assets.
struct EVMColdFacts {
    let funds: EVMFunds
    /// What a transfer is to offer per gas, in wei; nil: more than the wallet pays.
    let fee: (most: UInt64, priority: UInt64)?
    /// How many transactions the account has sent.
    let sent: UInt64

    init(_ chain: FollowedEVMChain, _ account: EVMPayments) throws(NodeError) {
        funds = try EVMFunds(chain, account)
        fee = try chain.node.gasPrices().fee
        sent = try chain.node.transactionCount(of: chain.hot)
    }
}
