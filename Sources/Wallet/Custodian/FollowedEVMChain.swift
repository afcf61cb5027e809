// An EVM chain with its node, as it is followed now.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Keys
internal import Nodes
internal import Platform
internal import Terms

/// An asset of the log on an EVM chain, with the coin that an operator lists for it.
struct EVMChainAsset: Hashable {
    let id: AssetID
    let scale: UInt8
    let listed: EVMAsset

    var coin: EVMCoin { listed.coin }
}

/// What the log and the settings say of an EVM chain; what follows it is made anew with another.
struct EVMChainSetup: Hashable {
    let chain: Text40
    let key: String
    let network: EVMNetwork
    let assets: [EVMChainAsset]
}

/// One EVM chain: which it is, how far it is read, and whose addresses are looked for. One owner at
/// a time.
final class FollowedEVMChain {
    let setup: EVMChainSetup
    let node: EVMNode
    let deposits: EVMDepositNode<EVMNode>
    /// Its second node, as it sees the same addresses; nil: it has none.
    private(set) var second: SecondNode<EVMDepositNode<EVMNode>>?
    /// What the second node lacks; nil: nothing that is to be credited.
    var objection: String?
    var reader = ChainReader()
    var payouts = EVMPayouts()
    var sweeping = EVMSweeping()
    var holdings = EVMHoldings()
    var cold = EVMColdMoves()
    /// Transactions of the account that the log does not have, as of a block of the node's.
    var foreignSeen: (tip: BlockID, found: [TransactionID])?
    /// What its accounts have, as last counted; nil: not yet.
    var count: EVMCount?
    /// When that was, monotonic.
    var countTime = Clock.monotonicNanos()
    /// Since when there are final blocks behind the counted one, monotonic; nil: there are none.
    var uncountedTime: Int64?
    /// Whether that is long ago, although there are later final blocks.
    var isCountLate: Bool {
        let now = Clock.monotonicNanos()
        if let uncountedTime, now - uncountedTime >= CoinWatch.lateNanos { return true }
        return holdings.silence != nil && now - countTime >= CoinWatch.lateNanos
    }
    /// Whether it should have been counted for the first time by now.
    var isFirstCountLate: Bool {
        count == nil && Clock.monotonicNanos() - countTime >= Self.firstCountNanos
    }
    /// How long the first count may take: some thousands of balances are read in it.
    static let firstCountNanos: Int64 = 600_000_000_000
    /// The wallet's side of each asset, as last compared.
    var books: [AssetID: BooksReport] = [:]
    /// What of a token's contract contradicts the operator's list: it is neither credited nor paid.
    private(set) var misdeclared: [EVMCoin: String] = [:]
    /// Why it is not known whether contracts and list agree; nil: it is.
    private(set) var unasked: String? = "nobody asked yet"
    /// Tokens whose contract was not heard yet.
    private var unheard: Set<EVMCoin>
    /// Confirmations after which a block is final, as it was last read.
    private(set) var confirmations: UInt32?
    /// When it is looked at again, monotonic.
    var nextLook: Int64 = 0
    /// The node's last block, and since when it is, monotonic.
    private var tip: (block: BlockID, since: Int64)?

    init(
        _ setup: EVMChainSetup, _ node: EVMNode, second: EVMNode? = nil
    ) throws(ChainSetupError) {
        (self.setup, self.node) = (setup, node)
        unheard = Set(setup.assets.map(\.coin).filter { $0 != .native })
        let addresses: EVMDepositAddresses
        do throws(KeyError) {
            addresses = try EVMDepositAddresses(key: setup.key)
        } catch {
            throw ChainSetupError(text: "its public key cannot be used: \(error)")
        }
        var units: [EVMCoin: EVMUnits] = [:]
        for asset in setup.assets {
            units[asset.coin] = EVMUnits(decimals: asset.listed.decimals, scale: asset.scale)
        }
        let watch = EVMWatch(addresses: addresses, tokens: [], wallet: [addresses.hot])
        deposits = EVMDepositNode(node, watch, units: units)
        self.second = second.map { SecondNode(EVMDepositNode($0, watch, units: units)) }
    }

    /// Why a deposit of a block is not to be credited; nil: the second node has it there as well,
    /// or there is none.
    func objection(
        to deposit: FoundDeposit, in block: BlockID, at height: UInt64
    ) -> SecondObjection? {
        guard let node = second?.node else { return nil }
        // What a block brings depends on whose addresses are looked for, and of which coins.
        let watch = deposits.watch
        if node.watch.addresses.count != addressCount || node.watch.payments != watch.payments
            || node.watch.wallet != watch.wallet || node.units != deposits.units
        {
            (node.watch, node.units) = (watch, deposits.units)
            second?.forget()
        }
        node.isLate = deposits.isLate
        let objection = second?.objection(to: deposit, in: block, at: height)
        // The first node says what changed, and what cannot be explained.
        node.forget(through: height)
        _ = node.takeAnomalies()
        return objection
    }

    /// A deposit is credited, with the second node or without it.
    func credited(_ deposit: FoundDeposit) {
        guard let asset = asset(deposit.output.script) else { return }
        second?.credited(deposit, of: asset.id)
    }

    /// The account that withdrawals are paid from.
    var hot: EVMAddress { deposits.watch.addresses.hot }

    /// The asset of transfers that move no token: that of the chain's coin, or any where it is
    /// none.
    var transferAsset: AssetID {
        let native = setup.assets.first { $0.coin == .native } ?? setup.assets.first
        return native?.id ?? AssetID(0)
    }

    /// How many addresses are looked for.
    var addressCount: Int { deposits.watch.addresses.count }

    /// Takes the accounts that have an address, in the order of their indices.
    func learn(_ owners: [AccountID]) throws(ChainSetupError) {
        guard deposits.watch.addresses.count < owners.count else { return }
        do throws(KeyError) { try deposits.watch.addresses.update(owners) } catch {
            throw ChainSetupError(text: "an address cannot be derived: \(error)")
        }
    }

    /// Takes the addresses of cold storage that the log knows: what they send is the wallet's own.
    func learn(cold: [EVMAddress]) {
        let all = Set([hot] + cold)
        if deposits.watch.wallet != all { deposits.watch.wallet = all }
    }

    /// Whether coins that go to an address stay with the wallet's seed: cold storage cannot be
    /// there.
    func isOwn(_ address: EVMAddress) -> Bool {
        address == hot || deposits.watch.addresses.account(address) != nil
    }

    /// Asks each token's contract for its decimals and compares them with the list: at a wrong
    /// number everybody would be credited and paid another amount. A contract need not have any; as
    /// a node that has not caught up may lack the contract, it is asked until the chain is in step.
    func compareDecimals() {
        if unasked == nil, unheard.isEmpty { return }
        var found: [EVMCoin: String] = [:]
        do throws(NodeError) {
            // That it is the right chain.
            _ = try node.tip()
            for asset in setup.assets where unheard.contains(asset.coin) {
                guard case .token(let contract) = asset.coin else { continue }
                guard let decimals = try node.decimals(of: contract) else {
                    if reader.condition == .inStep { unheard.remove(asset.coin) }
                    continue
                }
                unheard.remove(asset.coin)
                if decimals == asset.listed.decimals { continue }
                found[asset.coin] =
                    "\(asset.listed.code) has \(decimals) decimals by its contract and "
                    + "\(asset.listed.decimals) by [walletd] assets, so it is neither credited nor "
                    + "paid: correct the list, restart bourse-walletd and bourse-signerd, and have "
                    + "the blocks since read again: boursectl wallet rescan"
            }
            unasked = nil
        } catch { unasked = "\(error)" }
        if found.isEmpty { return }
        misdeclared.merge(found) { _, new in new }
        deposits.units = deposits.units.filter { misdeclared[$0.key] == nil }
        // What was read with it is read again without it.
        reader = ChainReader()
    }

    /// Whether the list says of an asset what its contract contradicts.
    func isMisdeclared(_ asset: AssetID) -> Bool {
        setup.assets.contains { $0.id == asset && misdeclared[$0.coin] != nil }
    }

    /// Reads on; what is to be done about it. `payments` are those that pay withdrawals, open and
    /// settled of late: what they bring to a customer's address is a deposit. A block that is begun
    /// is left where `isBlockLate`, and none is begun where `isLate`.
    func read(
        _ view: ChainView, confirmations: UInt32, payments: Set<TransactionID>,
        settling: [TransactionID], isBlockLate: @escaping () -> Bool, isLate: () -> Bool
    ) -> [ReaderStep] {
        if deposits.watch.payments != payments { deposits.watch.payments = payments }
        deposits.isLate = isBlockLate
        self.confirmations = confirmations
        let known = ReaderTerms(
            record: view.record, firstBlock: view.firstBlock, checkedHeight: view.checkedHeight,
            checkedBlock: view.checkedBlock, finalHeight: view.finalHeight,
            finalBlock: view.finalBlock, confirmations: confirmations, addresses: addressCount)
        let steps = reader.read(
            deposits, known, account: deposits.account, payments: settling, isLate: isLate)
        if let block = reader.tip?.block, block != tip?.block {
            tip = (block, Clock.monotonicNanos())
        }
        return steps
    }

    /// The asset of a deposit's script; nil: of none that is on this chain now.
    func asset(_ script: [UInt8]) -> EVMChainAsset? {
        guard let coin = EVMHolding(script: script)?.coin else { return nil }
        return setup.assets.first { $0.coin == coin }
    }

    /// For how many minutes the node has had no new block, where that is long; test networks stand
    /// still whenever nobody mines.
    var minutesWithoutBlock: Int64? {
        guard let tip, setup.network.chainID != Self.testChainID else { return nil }
        let seconds = (Clock.monotonicNanos() - tip.since) / 1_000_000_000
        // A slot is missed now and then, 25 in a row never are while the chain goes on.
        return seconds > 25 * setup.network.blockSeconds ? max(1, seconds / 60) : nil
    }

    /// The chain that the tests' own node makes, whose blocks come on request.
    private static let testChainID: UInt64 = 31_337
}

extension ChainView {
    /// Whether it is an EVM chain that this version knows.
    var isEVM: Bool { EVMNetwork.named("\(chain)") != nil }
}
