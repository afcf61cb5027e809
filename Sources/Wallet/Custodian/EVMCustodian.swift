// Brings the deposits of EVM chains into the log: as `Custodian` those of UTXO chains.
//
// A chain has its coin and any number of tokens, all at the same addresses: an asset of the log
// each, which the operator's list ties to a coin or a contract. A chain on which the log has an
// asset that is not listed is not read at all: its blocks would be checked without that asset.

public import Addresses
internal import Deposits
public import EVM
internal import Engine
public import Follower
public import Nodes
internal import Payments
internal import Platform
public import Terms
internal import Wire

/// Looks after every EVM chain that the log names. One owner at a time; its calls wait for nodes
/// and for the log.
public final class EVMCustodian {
    /// How long one look at a chain may read before the next chain has its turn.
    public static var lookNanosMax: Int64 { 1_000_000_000 }
    /// How long a chain that is in step rests between two looks.
    public static var restNanos: Int64 { 500_000_000 }
    /// How long one rests whose node gives no answer.
    public static var absenceNanos: Int64 { 3_000_000_000 }
    /// How long one rests for which the log refuses something: each try is a record.
    public static var refusedNanos: Int64 { 10_000_000_000 }
    /// How long a command may take before the next chain has its turn.
    static var commandNanos: Int64 { 5_000_000_000 }
    /// How long a block may be read, whatever it holds, before it is read on at the next look.
    static var blockNanosMax: Int64 { 5_000_000_000 }
    /// Maximum remarks that are kept until they are taken.
    static var remarksMax: Int { 64 }

    /// Whether what customers paid in is brought to the account that pays.
    public var sweepsDeposits = true
    /// From which amounts on that is done, in coins by asset; of others see `EVMSweeping`.
    public var sweepAbove: [(asset: Text16, amount: DecimalText)] = []
    /// The second node of a chain, which has to have a deposit as well before it is credited.
    public var makeSecond: (EVMNetwork) -> EVMNode? = { _ in nil }
    /// Up to these amounts it does not have to, in coins by asset.
    public var secondAbove: [(asset: Text16, amount: DecimalText)] = []
    /// What the owner states to be kept elsewhere, in coins.
    public var elsewhere: [(asset: Text16, amount: DecimalText)] = []

    let session: CommandSession<EngineReplica>
    let signer: any SignatureSource
    private let keeper: CoinKeeper
    let list: EVMAssetList
    private let makeNode: (EVMNetwork) -> EVMNode?
    private(set) var chains: [NetworkID: FollowedEVMChain] = [:]
    private var greetTime: Int64 = 0
    private var remarks: [String] = []
    /// Who is asked before a withdrawal goes out; nil: nobody.
    public var screening: Screening?
    /// What was last seen of each chain of the log, by its number.
    public internal(set) var reports: [ChainReport] = []

    /// A custodian that submits in this session, whose records `coins` sees. `assets` are those
    /// that are credited and paid; `node` gives the node of a chain, or nil where there is none.
    public init(
        _ session: CommandSession<EngineReplica>, coins: CoinKeeper, signer: any SignatureSource,
        assets: EVMAssetList, node: @escaping (EVMNetwork) -> EVMNode?
    ) {
        (self.session, keeper, self.signer) = (session, coins, signer)
        (list, makeNode) = (assets, node)
    }

    /// The wallet's payments, as the session's replica has the log.
    var coins: CoinTable { keeper.table }

    /// Keeps a remark until it is taken.
    func remark(_ text: String) {
        if remarks.count < Self.remarksMax { remarks.append(text) }
    }

    /// What an operator should know of blocks, since the last call: at most `remarksMax`.
    public func takeRemarks() -> [String] {
        defer { remarks = [] }
        return remarks
    }

    /// Has a transaction of the wallet's that the log does not have taken into it, once it is
    /// final.
    public func adopt(_ transaction: TransactionID, on network: NetworkID) {
        guard let chain = chains[network] else {
            return remark("\(network.number) is no EVM chain that is followed: nothing is adopted")
        }
        guard chain.payouts.adopting.count < EVMPayouts.adoptingMax else {
            return remark("\(chain.setup.chain): too many transactions wait to be adopted")
        }
        chain.payouts.adopting.insert(transaction)
    }

    /// Looks at each chain whose turn it is. Returns whether one of them has more to be read now.
    public func work() throws(CommandSessionError) -> Bool {
        guard session.isCaughtUp else { return false }
        var views: [ChainView] = []
        session.replica.engine.forEachChain { if $0.isEVM { views.append($0) } }
        let numbers = Set(views.map(\.network))
        chains = chains.filter { numbers.contains($0.key) }
        reports.removeAll { !numbers.contains($0.network) }
        var isBehind = false
        do throws(CommandSessionError) {
            for view in views where try look(view) { isBehind = true }
        } catch {
            for view in views { report(view, "", .notTaken, "the log takes nothing now: \(error)") }
            throw error
        }
        return isBehind
    }

    /// Looks at one chain, if it is time. Returns whether there is more to be read now.
    private func look(_ view: ChainView) throws(CommandSessionError) -> Bool {
        let networks = networks(view)
        let chain: FollowedEVMChain
        do throws(ChainSetupError) {
            chain = try followed(view, networks)
        } catch {
            chains[view.network] = nil
            report(view, "", .unusable, error.text)
            return false
        }
        if Clock.monotonicNanos() >= chain.nextLook { chain.compareDecimals() }
        try reconcile(view, chain)
        do throws(ChainSetupError) {
            guard Clock.monotonicNanos() >= chain.nextLook else { return false }
            try chain.learn(session.replica.engine.addressees(view.network))
        } catch {
            chains[view.network] = nil
            report(view, "", .unusable, error.text)
            return false
        }
        // Past a block with a payment that is not known nobody would look for it again.
        guard !coins.hasGap else {
            report(view, "", .unusable, "records of the log were missed: restart walletd")
            return false
        }
        guard chain.unasked == nil else {
            report(view, chain, networks, .none)
            chain.nextLook = Clock.monotonicNanos() + Self.absenceNanos
            return false
        }
        try followCold(view, chain)
        let (paying, settling) = payments(view, chain)
        let before = chain.reader.height
        let begin = Clock.monotonicNanos()
        let steps = chain.read(
            view, confirmations: Self.confirmations(networks), payments: paying,
            settling: settling,
            isBlockLate: { Clock.monotonicNanos() - begin >= Self.blockNanosMax },
            isLate: { Clock.monotonicNanos() - begin >= Self.lookNanosMax })
        remark(view, chain)
        report(view, chain, networks, .none)
        // The wallet of the host that leads writes, as on UTXO chains.
        if session.isLed, chain.reader.isBroken { try stopWithdrawals(chain) }
        let done =
            session.isLed
            ? try carryOut(steps, view, networks, chain)
            : (count: 0, refusal: .none, isCut: false)
        if !steps.isEmpty { greetLeader() }
        if session.isLed { try dropDead(view) }
        var isPaying = try pay(view, networks, chain)
        try count(view, chain)
        if !isPaying { isPaying = try sweep(view, networks, chain) }
        if !isPaying { isPaying = try moveToCold(view, chain) }
        report(view, chain, networks, done.refusal)
        let isBehind =
            done.refusal == .none
            && (done.isCut || done.count > 0 || isPaying || chain.reader.height != before)
        let rest =
            done.refusal != .none
            ? Self.refusedNanos : chain.reader.hasNoNode ? Self.absenceNanos : Self.restNanos
        chain.nextLook = isBehind ? begin : Clock.monotonicNanos() + rest
        return isBehind
    }

    /// Greets the server again where its host may lead by now.
    func greetLeader() {
        guard !session.isLed, Clock.monotonicNanos() >= greetTime else { return }
        greetTime = Clock.monotonicNanos() + Custodian<UTXONode>.greetNanos
        session.greetAgain()
    }

    /// Submits steps in their order, up to the first that is refused; for no longer than a look,
    /// and only while the log says of the chain what it said when it was read.
    private func carryOut(
        _ steps: [ReaderStep], _ view: ChainView, _ networks: [NetworkView],
        _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> (count: Int, refusal: Refusal, isCut: Bool) {
        var count = 0
        let deadline = Clock.monotonicNanos() + Self.lookNanosMax
        chain.objection = nil
        var gate = SecondGate()
        for (place, step) in steps.enumerated() {
            // What is final waits while its network takes no deposits; what is pending is shown.
            if case .credit(let deposit) = step, isClosed(deposit, networks, chain) { continue }
            let isLate = count > 0 && Clock.monotonicNanos() >= deadline
            if isLate || !isAsRead(view, networks) { return (count, .none, true) }
            // What the second node lacks waits; payments behind it go on.
            let isLeftOut = gate.leavesOut(place, of: steps) { objection(to: $0, chain) }
            if isLeftOut { continue }
            // What the node does not answer about now comes again at the next look.
            guard let refusal = try submit(step, view, chain) else { continue }
            if refusal == .stateInvalid, hasChanged(view, chain) { return (count, .none, true) }
            // Another wallet wrote meanwhile: nothing of it is in the log, and it comes again.
            if refusal == .sessionUnknown { return (count, .none, true) }
            guard refusal == .none else { return (count, refusal, false) }
            chain.reader.done(step)
            if case .credit(let deposit) = step { chain.credited(deposit) }
            count += 1
        }
        return (count, .none, false)
    }

    /// Whether the network of a deposit's asset takes none.
    private func isClosed(
        _ deposit: FoundDeposit, _ networks: [NetworkView], _ chain: FollowedEVMChain
    ) -> Bool {
        guard let asset = chain.asset(deposit.output.script)?.id else { return false }
        return networks.contains { $0.asset == asset && !$0.takesDeposits }
    }

    /// Why a deposit waits for the chain's second node; nil: that has it as well, or need not.
    private func objection(
        to deposit: FoundDeposit, _ chain: FollowedEVMChain
    ) -> SecondObjection? {
        let asset = chain.asset(deposit.output.script).flatMap {
            session.replica.engine.asset($0.id)
        }
        guard let second = chain.second, !second.passes(deposit, of: asset, secondAbove)
        else { return nil }
        guard let block = chain.reader.block(of: deposit) else {
            return SecondObjection(text: "its block is not among those that are read")
        }
        let objection = chain.objection(to: deposit, in: block.id, at: block.height)
        chain.objection = objection.map(deposit.waits)
        return objection
    }

    private func isAsRead(_ view: ChainView, _ networks: [NetworkView]) -> Bool {
        session.replica.engine.chain(view.network)?.record == view.record
            && self.networks(view) == networks
    }

    /// Whether the chain was set again, or an address was assigned, since it was read.
    private func hasChanged(_ view: ChainView, _ chain: FollowedEVMChain) -> Bool {
        session.replica.engine.chain(view.network)?.record != view.record
            || session.replica.engine.addressees(view.network).count != chain.addressCount
    }

    /// The payments of withdrawals, open and settled of late, and those that are to be settled once
    /// they are final, in the order of the log: not those that are known to have failed, as they
    /// would hold up the deposits behind them.
    private func payments(
        _ view: ChainView, _ chain: FollowedEVMChain
    ) -> (paying: Set<TransactionID>, settling: [TransactionID]) {
        guard let account = coins.account(view.network) else { return ([], []) }
        let open = account.open.sorted { $0.value.sequence < $1.value.sequence }
        let paying = open.filter { !$0.value.withdrawals.isEmpty }.map(\.key)
        let settling = open.map(\.key).filter { chain.payouts.isToBeSettled($0) }
        // A dropped one that is final all the same brought what it brought; but what the wallet
        // gives an address for gas stays its own, also where that was dropped.
        let dropped = account.dropped.filter { !$0.value.withdrawals.isEmpty }.keys
        return (Set(paying).union(account.settled).union(dropped), settling)
    }

    // MARK: What a chain is

    /// The terms of the assets that the chain has.
    private func networks(_ view: ChainView) -> [NetworkView] {
        var all: [NetworkView] = []
        session.replica.engine.forEachNetwork { if $0.network == view.network { all.append($0) } }
        return all
    }

    /// A block is final once it is for every asset of the chain: the log checks whole blocks.
    private static func confirmations(_ networks: [NetworkView]) -> UInt32 {
        networks.map(\.confirmations).max() ?? 1
    }

    private func followed(
        _ view: ChainView, _ networks: [NetworkView]
    ) throws(ChainSetupError) -> FollowedEVMChain {
        guard let network = EVMNetwork.named("\(view.chain)") else {
            throw ChainSetupError(text: "this version does not know the chain \(view.chain)")
        }
        guard !networks.isEmpty else {
            throw ChainSetupError(text: "no asset has this chain: boursectl wallet network set")
        }
        var assets: [EVMChainAsset] = []
        for terms in networks { assets.append(try asset(terms, network)) }
        let setup = EVMChainSetup(
            chain: view.chain, key: view.key, network: network, assets: assets)
        if let known = chains[view.network], known.setup == setup { return known }
        guard let node = makeNode(network) else {
            throw ChainSetupError(text: "its node is not named: set [walletd] nodes in bourse.toml")
        }
        let made = try FollowedEVMChain(setup, node, second: makeSecond(network))
        chains[view.network] = made
        return made
    }

    private func asset(
        _ terms: NetworkView, _ network: EVMNetwork
    ) throws(ChainSetupError) -> EVMChainAsset {
        guard let asset = session.replica.engine.asset(terms.asset) else {
            throw ChainSetupError(text: "an asset of the chain is not in the log")
        }
        guard let listed = list.asset("\(asset.code)", on: network) else {
            throw ChainSetupError(
                text:
                    "\(asset.code) is on this chain, and [walletd] assets in bourse.toml does not "
                    + "say which coin or contract it is")
        }
        // Whatever the ledger holds can then be paid exactly.
        guard asset.scale <= listed.decimals else {
            throw ChainSetupError(
                text: "\(asset.code) has \(asset.scale) decimals, and \(listed.decimals) on the "
                    + "chain: it has to have as many or fewer")
        }
        return EVMChainAsset(id: asset.id, scale: asset.scale, listed: listed)
    }

    // MARK: What goes into the log

    /// Submits a step; what is in the log already counts as done. Nil: it waits.
    private func submit(
        _ step: ReaderStep, _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Refusal? {
        let refusal: Refusal? =
            switch step {
            case .note(let deposit, let confirmations):
                try note(deposit, view, chain, confirmations, .pending)
            case .gone(let deposit): try note(deposit, view, chain, 0, .gone)
            case .credit(let deposit): try credit(deposit, view, chain)
            case .settle(let payment, let height):
                try settle(payment, height, chain.reader.block(of: payment) ?? .none, view, chain)
            case .finalize(let height, let block, let addresses):
                try check(view, .final, height, block, addresses)
            case .check(let height, let block, let addresses):
                try check(view, .credited, height, block, addresses)
            }
        return refusal == .referenceDuplicate ? Refusal.none : refusal
    }

    private func credit(
        _ deposit: FoundDeposit, _ view: ChainView, _ chain: FollowedEVMChain
    ) throws(CommandSessionError) -> Refusal {
        guard let asset = chain.asset(deposit.output.script) else { return .assetUnknown }
        return try submit(
            CreditDeposit(
                account: deposit.account, asset: asset.id, network: view.network,
                transactionHigh: deposit.output.transaction.high,
                transactionLow: deposit.output.transaction.low, output: deposit.output.index,
                amount: Amount(units: deposit.output.units)))
    }

    private func note(
        _ deposit: FoundDeposit, _ view: ChainView, _ chain: FollowedEVMChain,
        _ confirmations: UInt32, _ status: DepositStatus
    ) throws(CommandSessionError) -> Refusal {
        guard let asset = chain.asset(deposit.output.script) else { return .assetUnknown }
        return try submit(
            NoteDeposit(
                account: deposit.account, asset: asset.id, network: view.network,
                transaction: deposit.output.transaction, output: deposit.output.index,
                amount: Amount(units: deposit.output.units), confirmations: confirmations,
                status: status))
    }

    private func check(
        _ view: ChainView, _ stage: CheckStage, _ height: UInt64, _ block: BlockID,
        _ addresses: Int
    ) throws(CommandSessionError) -> Refusal {
        try submit(
            CheckBlock(
                network: view.network, stage: stage, addresses: UInt32(clamping: addresses),
                height: height, block: block, chainRecord: view.record))
    }

    func submit(_ command: some CommandPayload) throws(CommandSessionError) -> Refusal {
        try session.submit(command, within: Self.commandNanos).outcome.refusal
    }

    /// Nothing is paid from a chain that is not the one on which deposits were credited.
    private func stopWithdrawals(_ chain: FollowedEVMChain) throws(CommandSessionError) {
        try stopWithdrawals(chain, chain.reader.text)
    }

    /// Stops the withdrawals of all of a chain's assets, as far as they are not.
    func stopWithdrawals(
        _ chain: FollowedEVMChain, _ reason: String
    ) throws(CommandSessionError) {
        let reason = String(reason.prefix(120))
        for asset in chain.setup.assets
        where !session.replica.engine.isWithdrawalStopped(asset.id) {
            _ = try submit(StopWithdrawals(asset: asset.id, reason: reason))
        }
    }

    // MARK: What is said of it

    /// What of the blocks that were read cannot be explained.
    private func remark(_ view: ChainView, _ chain: FollowedEVMChain) {
        for found in chain.deposits.takeAnomalies() {
            remark("\(view.chain): block \(found.height): \(found.anomaly)")
        }
    }

    private func report(
        _ view: ChainView, _ chain: FollowedEVMChain, _ networks: [NetworkView],
        _ refusal: Refusal
    ) {
        let assets = chain.setup.assets
        let shown = assets.first { $0.coin == .native } ?? assets.first
        var (condition, text) = (chain.reader.condition, chain.reader.text)
        if condition.isSound, let minutes = chain.minutesWithoutBlock {
            (condition, text) = (
                .nodeStill,
                "its node has had no new block for \(minutes) minutes: see whether it has peers, "
                    + "and its consensus client"
            )
        }
        if condition.isSound, let objection = chain.objection {
            (condition, text) = (.nodesDiffer, objection)
        }
        if let unasked = chain.unasked {
            (condition, text) = (
                .noNode, "its node does not say what its tokens' contracts are: \(unasked)"
            )
        } else if refusal != .none {
            (condition, text) = (.refused, "the log refuses what was found: \(refusal)")
        } else if !networks.contains(where: \.takesDeposits), condition.isSound {
            (condition, text) = (.closed, "deposits are not credited until the networks take them")
        }
        report(view, shown?.listed.code ?? "", condition, text) {
            ($0.tip, $0.read) = (chain.reader.tip?.height, chain.reader.height)
            ($0.addresses, $0.pending) = (chain.addressCount, chain.reader.pending.count)
            $0.payouts = chain.payouts.report
            $0.coldAccounts = chain.cold.accounts
            $0.take(chain.books, chain.setup.assets)
        }
    }

    private func report(
        _ view: ChainView, _ asset: String, _ condition: ChainCondition, _ text: String,
        _ fill: (inout ChainReport) -> Void = { _ in }
    ) {
        reports.update(
            view, asset, condition, text,
            credited: session.replica.engine.chain(view.network)?.checkedHeight ?? 0, fill)
    }
}
