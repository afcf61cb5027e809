// Brings the chains' deposits into the log, and the log's withdrawals onto the chains.
//
// Everything that must survive is in the log: a custodian that starts again begins with what the
// log says, and what it submits again is refused there.

public import Addresses
internal import Deposits
internal import Engine
public import Follower
public import Nodes
public import Payments
internal import Platform
public import Terms
internal import UTXO
internal import Wire

/// Looks after every chain that the log names. One owner at a time; its calls wait for nodes and
/// for the log.
public final class Custodian<Node: PaymentNode> {
    /// How long one look at a chain may read before the next chain has its turn.
    public static var lookNanosMax: Int64 { 1_000_000_000 }
    /// How long a chain that is in step rests between two looks.
    public static var restNanos: Int64 { 500_000_000 }
    /// How long one rests whose node gives no answer.
    public static var absenceNanos: Int64 { 3_000_000_000 }

    /// How long the node may take to say what the coins of a payment are.
    static var planNanosMax: Int64 { 5_000_000_000 }

    /// How long one rests for which the log refuses something: each try is a record.
    public static var refusedNanos: Int64 { 10_000_000_000 }

    /// How long a command may take before the next chain has its turn; what became of it is seen
    /// later.
    static var commandNanos: Int64 { 5_000_000_000 }

    /// How long a payment waits for its block until it is replaced for a higher fee; 0: for ever.
    public var bumpNanos: Int64 = 7_200_000_000_000
    /// When coins are merged that are many.
    public var consolidation = ConsolidationTerms()
    /// The folder in which the transactions of coins are kept that a pruned node may forget; nil:
    /// none are.
    public var previousFolder: String?
    /// Who is asked before a withdrawal goes out; nil: nobody.
    public var screening: Screening?
    /// Withdrawals whose payment is to be replaced at once.
    var wanted: Set<WithdrawalID> = []
    /// Signed transactions from cold storage that wait for their chains.
    var arrivals: [NetworkID: ColdArrival] = [:]
    /// What is to be said of adoptions.
    var remarks: [String] = []

    /// The second node of a chain, which has to have a deposit as well before it is credited.
    public var makeSecond: (UTXONetwork) -> Node? = { _ in nil }
    /// Up to these amounts it does not have to, in coins by asset.
    public var secondAbove: [(asset: Text16, amount: DecimalText)] = []
    /// How often a host is greeted again that does not lead, while there is something to write.
    static var greetNanos: Int64 { 2_000_000_000 }

    let session: CommandSession<EngineReplica>
    private var greetTime: Int64 = 0
    let signer: any SignatureSource
    private let keeper: CoinKeeper
    private let makeNode: (UTXONetwork) -> Node?
    /// Coins that the owner has given up: they count as gone.
    private(set) var writtenOff: Set<OutPoint> = []
    /// What the owner states to be kept elsewhere, in coins.
    let elsewhere: [(asset: Text16, amount: DecimalText)]
    private(set) var chains: [NetworkID: FollowedChain<Node>] = [:]
    /// What was last seen of each chain of the log, by its number.
    public private(set) var reports: [ChainReport] = []

    /// A custodian that submits in this session, whose records `coins` sees. `node` gives the node
    /// of a chain, or nil where there is none; `elsewhere` is what is kept outside the chains, by
    /// asset.
    public init(
        _ session: CommandSession<EngineReplica>, coins: CoinKeeper, signer: any SignatureSource,
        elsewhere: [(asset: Text16, amount: DecimalText)] = [],
        node: @escaping (UTXONetwork) -> Node?
    ) {
        (self.session, keeper, self.signer, makeNode) = (session, coins, signer, node)
        self.elsewhere = elsewhere
    }

    /// Outputs that count as gone, and stop nothing any more.
    public func writeOff(_ coins: [(transaction: TransactionID, output: UInt32)]) {
        writtenOff = Set(coins.map { OutPoint($0.transaction, $0.output) })
    }

    /// Has the payment of a withdrawal replaced for a higher fee, as soon as that can be done. A
    /// hundred of them may be waited for at once.
    public func bump(_ withdrawal: WithdrawalID) {
        if wanted.count < 100 { wanted.insert(withdrawal) }
    }

    /// The wallet's coins, as the session's replica has the log.
    var coins: CoinTable { keeper.table }

    /// Looks at each chain whose turn it is. Returns whether one of them has more to be read now.
    public func work() throws(CommandSessionError) -> Bool {
        // Coins that are further than the log are of another one.
        guard session.isCaughtUp, coins.sequence == session.replica.sequence,
            !keeper.isOfOtherLog
        else { return false }
        var views: [ChainView] = []
        session.replica.engine.forEachChain { if !$0.isEVM { views.append($0) } }
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
        let now = Clock.monotonicNanos()
        let terms: NetworkView
        let chain: FollowedChain<Node>
        do throws(ChainSetupError) {
            terms = try network(view)
            chain = try followed(view)
        } catch {
            chains[view.network] = nil
            report(view, "", .unusable, error.text)
            return false
        }
        chain.asset = terms.asset
        try reconcile(terms, chain)
        update(view.network) { $0.books = chain.books }
        guard now >= chain.nextLook else { return false }
        do throws(ChainSetupError) {
            try chain.learn(session.replica.engine.addressees(view.network))
        } catch {
            report(view, "", .unusable, error.text)
            return false
        }
        let before = chain.reader.height
        let deadline = Clock.monotonicNanos() + Self.lookNanosMax
        // Past a block with a payment that is not known nobody would look for it again.
        guard !coins.hasGap else {
            report(view, "", .unusable, "records of the log were missed: restart walletd")
            return false
        }
        let known = coins.coins(view.network)
        let payments = (known?.payments ?? [:])
            .sorted { $0.value.sequence < $1.value.sequence }.map(\.key)
        let steps = chain.read(
            view, terms, payments: payments,
            isCoin: { known?.amount(OutPoint($0, $1)) != nil },
            isMoved: { known?.isCold(OutPoint($0, $1)) ?? false },
            isLate: { Clock.monotonicNanos() >= deadline })
        report(view, chain, terms, .none)
        // The wallet of the host that leads writes. What another one submits would wait there until
        // its host leads, and then meet a log that has gone on.
        if session.isLed, chain.reader.isBroken { try stopWithdrawals(terms.asset, chain.reader) }
        let done =
            session.isLed
            ? try carryOut(steps, view, terms, chain) : (count: 0, refusal: .none, isCut: false)
        if !steps.isEmpty { greetLeader() }
        // First: nothing is signed for what a final transaction has paid.
        try adopt(view, terms, chain)
        try lookAtCold(view, terms, chain)
        let isPaying = try pay(view, terms, chain)
        if chain.reader.condition == .inStep, let known = coins.coins(view.network) {
            chain.watch.look(known, chain.reader, chain.node)
            try reconcile(terms, chain)
        }
        report(view, chain, terms, done.refusal)
        let isBehind =
            done.refusal == .none
            && (done.isCut || done.count > 0 || isPaying || chain.reader.height != before)
        let rest =
            done.refusal != .none
            ? Self.refusedNanos : chain.reader.hasNoNode ? Self.absenceNanos : Self.restNanos
        chain.nextLook = isBehind ? now : Clock.monotonicNanos() + rest
        return isBehind
    }

    /// Submits steps in their order, up to the first that is refused; for no longer than a look,
    /// and only while the log says of the chain what it said when it was read.
    private func carryOut(
        _ steps: [ReaderStep], _ view: ChainView, _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) -> (count: Int, refusal: Refusal, isCut: Bool) {
        var count = 0
        let deadline = Clock.monotonicNanos() + Self.lookNanosMax
        chain.objection = nil
        var gate = SecondGate()
        for (place, step) in steps.enumerated() {
            // What is final waits while the network takes no deposits; what is pending is shown.
            if !terms.takesDeposits, step.isCredit { continue }
            let isLate = count > 0 && Clock.monotonicNanos() >= deadline
            if isLate || !isAsRead(view, terms) { return (count, .none, true) }
            // What the second node lacks waits; payments behind it go on.
            let isLeftOut = gate.leavesOut(place, of: steps) { objection(to: $0, terms, chain) }
            if isLeftOut { continue }
            let refusal = try submit(step, view, terms)
            if refusal == .stateInvalid, hasChanged(view, chain) { return (count, .none, true) }
            // Another wallet wrote meanwhile: nothing of it is in the log, and it comes again.
            if refusal == .sessionUnknown { return (count, .none, true) }
            guard refusal == .none else { return (count, refusal, false) }
            chain.reader.done(step)
            if case .credit(let deposit) = step {
                chain.second?.credited(deposit, of: terms.asset)
            }
            count += 1
        }
        return (count, .none, false)
    }

    /// Why a deposit waits for the chain's second node; nil: that has it as well, or need not.
    private func objection(
        to deposit: FoundDeposit, _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) -> SecondObjection? {
        let asset = session.replica.engine.asset(terms.asset)
        guard let second = chain.second, !second.passes(deposit, of: asset, secondAbove)
        else { return nil }
        guard let block = chain.reader.block(of: deposit) else {
            return SecondObjection(text: "its block is not among those that are read")
        }
        let objection = chain.second?.objection(to: deposit, in: block.id, at: block.height)
        chain.objection = objection.map(deposit.waits)
        return objection
    }

    private func isAsRead(_ view: ChainView, _ terms: NetworkView) -> Bool {
        session.replica.engine.chain(view.network)?.record == view.record
            && session.replica.engine.network(terms.asset, terms.network) == terms
    }

    /// Whether the chain was set again, or an address was assigned, since it was read.
    private func hasChanged(_ view: ChainView, _ chain: FollowedChain<Node>) -> Bool {
        session.replica.engine.chain(view.network)?.record != view.record
            || session.replica.engine.addressees(view.network).count != chain.addresses.count
    }

    /// Has a host that does not lead say again whether it does, where there is something to write:
    /// it may lead since.
    func greetLeader() {
        guard !session.isLed, Clock.monotonicNanos() >= greetTime else { return }
        greetTime = Clock.monotonicNanos() + Self.greetNanos
        session.greetAgain()
    }

    // MARK: What a chain is

    /// The terms of the one asset that a UTXO chain has.
    private func network(_ view: ChainView) throws(ChainSetupError) -> NetworkView {
        var all: [NetworkView] = []
        session.replica.engine.forEachNetwork { if $0.network == view.network { all.append($0) } }
        guard let terms = all.first, all.count == 1 else {
            throw ChainSetupError(
                text: all.isEmpty
                    ? "no asset has this chain: boursectl wallet network set"
                    : "\(all.count) assets have this chain, and it has one coin")
        }
        guard let asset = session.replica.engine.asset(terms.asset), asset.scale == 8 else {
            throw ChainSetupError(
                text: "its asset has not 8 decimals, as the coins of the chain have")
        }
        return terms
    }

    private func followed(_ view: ChainView) throws(ChainSetupError) -> FollowedChain<Node> {
        if let known = chains[view.network], known.chain == view.chain, known.key == view.key {
            return known
        }
        guard let network = UTXONetwork.named("\(view.chain)") else {
            throw ChainSetupError(text: "this version does not know the chain \(view.chain)")
        }
        guard let node = makeNode(network) else {
            throw ChainSetupError(text: "its node is not named: set [walletd] nodes in bourse.toml")
        }
        let made = try FollowedChain(view, on: network, node)
        made.second = makeSecond(network).map { SecondNode($0) }
        chains[view.network] = made
        return made
    }

    // MARK: What goes into the log

    /// Submits a step; what is in the log already counts as done.
    private func submit(
        _ step: ReaderStep, _ view: ChainView, _ terms: NetworkView
    ) throws(CommandSessionError) -> Refusal {
        let outcome =
            switch step {
            case .note(let deposit, let confirmations):
                try submit(Self.note(deposit, terms, confirmations, .pending))
            case .gone(let deposit):
                try submit(Self.note(deposit, terms, 0, .gone))
            case .credit(let deposit):
                try submit(
                    CreditDeposit(
                        account: deposit.account, asset: terms.asset, network: terms.network,
                        transactionHigh: deposit.output.transaction.high,
                        transactionLow: deposit.output.transaction.low,
                        output: deposit.output.index,
                        amount: Amount(units: deposit.output.units)))
            case .settle(let payment, let height):
                Outcome(refusal: try settle(payment, height, terms))
            case .finalize(let height, let block, let addresses):
                try check(view, .final, height, block, addresses)
            case .check(let height, let block, let addresses):
                try check(view, .credited, height, block, addresses)
            }
        return outcome.refusal == .referenceDuplicate ? .none : outcome.refusal
    }

    private func check(
        _ view: ChainView, _ stage: CheckStage, _ height: UInt64, _ block: BlockID,
        _ addresses: Int
    ) throws(CommandSessionError) -> Outcome {
        try submit(
            CheckBlock(
                network: view.network, stage: stage, addresses: UInt32(clamping: addresses),
                height: height, block: block, chainRecord: view.record))
    }

    func submit(_ command: some CommandPayload) throws(CommandSessionError) -> Outcome {
        try session.submit(command, within: Self.commandNanos).outcome
    }

    private static func note(
        _ deposit: FoundDeposit, _ terms: NetworkView, _ confirmations: UInt32,
        _ status: DepositStatus
    ) -> NoteDeposit {
        NoteDeposit(
            account: deposit.account, asset: terms.asset, network: terms.network,
            transaction: deposit.output.transaction, output: deposit.output.index,
            amount: Amount(units: deposit.output.units), confirmations: confirmations,
            status: status)
    }

    /// Nothing is paid from a chain that is not the one on which deposits were credited.
    private func stopWithdrawals(
        _ asset: AssetID, _ reader: ChainReader
    ) throws(CommandSessionError) {
        guard !session.replica.engine.isWithdrawalStopped(asset) else { return }
        let reason = String(reader.text.prefix(120))
        _ = try submit(StopWithdrawals(asset: asset, reason: reason))
    }

    // MARK: What is said of it

    private func report(
        _ view: ChainView, _ chain: FollowedChain<Node>, _ terms: NetworkView, _ refusal: Refusal
    ) {
        let asset = session.replica.engine.asset(terms.asset).map { "\($0.code)" } ?? ""
        var (condition, text) = (chain.reader.condition, chain.reader.text)
        if condition.isSound, let hours = chain.hoursWithoutBlock {
            (condition, text) = (
                .nodeStill,
                "its node has had no new block for \(hours) hours: see whether it has peers"
            )
        }
        if condition.isSound, let objection = chain.objection {
            (condition, text) = (.nodesDiffer, objection)
        }
        if refusal != .none {
            (condition, text) = (.refused, "the log refuses what was found: \(refusal)")
        } else if !terms.takesDeposits, condition.isSound {
            (condition, text) = (.closed, "deposits are not credited until the network takes them")
        }
        report(view, asset, condition, text) {
            ($0.tip, $0.read) = (chain.reader.tip?.height, chain.reader.height)
            ($0.addresses, $0.pending) = (chain.addresses.count, chain.reader.pending.count)
            ($0.payouts, $0.books) = (chain.payouts.report, chain.books)
            $0.cold = chain.cold
        }
    }

    private func update(_ network: NetworkID, _ change: (inout ChainReport) -> Void) {
        if let place = reports.firstIndex(where: { $0.network == network }) {
            change(&reports[place])
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
