// Compares what the ledger says of each asset of an EVM chain with what the wallet's accounts have
// there, and stops the asset's withdrawals where something is missing.
//
// The balances are those of one final block, whose deposits are all credited and whose payments are
// all settled. What the log has brought and taken since is added, so both sides are compared at
// each record. Payments that are final and wait for an operator are items between.

internal import Addresses
internal import Deposits
internal import EVM
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import Wire

/// What the wallet's accounts of a chain have after a final block, and what the log said then.
struct EVMCount {
    /// The block.
    let height: UInt64
    let block: BlockID
    /// What there is of each asset, in units of the ledger.
    let units: [AssetID: Int128]
    /// Of that, what the account that pays has, and what is in cold storage.
    let hot: [AssetID: Int128]
    let cold: [AssetID: Int128]
    /// How many accounts have some of it.
    let holders: [AssetID: Int]
    /// What final payments took that are not settled.
    let between: [AssetID: Int128]
    /// `EVMPayments.held` then.
    let held: [AssetID: Int128]

    /// What there is of an asset as the log has gone on since.
    func onChain(_ asset: AssetID, _ account: EVMPayments) -> Int128 {
        let now = (units[asset] ?? 0) + (between[asset] ?? 0)
        return now + (account.held[asset] ?? 0) - (held[asset] ?? 0)
    }
}

extension EVMCustodian {
    // MARK: The chain's side

    /// Reads on what the wallet's accounts have; with all of it, it is counted.
    func count(_ view: ChainView, _ chain: FollowedEVMChain) throws(CommandSessionError) {
        let checked = session.replica.engine.chain(view.network)?.checkedHeight ?? 0
        let touched = chain.deposits.touched.filter { $0.key <= checked }
        chain.holdings.touch(Array(touched.values))
        chain.deposits.forget(through: checked)
        let last = max(checked, session.replica.engine.chain(view.network)?.finalHeight ?? 0)
        if last <= chain.count?.height ?? 0 {
            chain.uncountedTime = nil
        } else if chain.uncountedTime == nil {
            chain.uncountedTime = Clock.monotonicNanos()
        }
        // Of a block that is final and not checked some deposits may be credited, and some not.
        guard chain.reader.condition == .inStep, let account = coins.account(view.network),
            let now = session.replica.engine.chain(view.network), now.record == view.record,
            now.checkedHeight > 0, now.finalHeight <= now.checkedHeight,
            chain.count?.block != now.checkedBlock
        else { return }
        let (height, block) = (now.checkedHeight, now.checkedBlock)
        var coinsOfChain = chain.setup.assets.map(\.coin)
        // Gas is paid with it, whether or not the log has it as an asset.
        if !coinsOfChain.contains(.native) { coinsOfChain.append(.native) }
        let inCold = inCold(account, coinsOfChain)
        // Of cold storage only what the log brought there is looked at, and counts.
        let always = coinsOfChain.flatMap { coin in
            let holders = inCold[coin] == nil ? [chain.hot] : [chain.hot] + account.cold
            return holders.map { EVMHolding($0, coin) }
        }
        let isMore = chain.holdings.look(
            height, block, addresses: chain.deposits.watch.addresses.list, always: always,
            coins: coinsOfChain, chain.node,
            remark: { remark("\(view.chain): \($0)") })
        guard !isMore, chain.holdings.block?.id == block else { return }
        do throws(NodeError) {
            let between = try between(account, height, block, chain)
            var units: [AssetID: Int128] = [:]
            var (hot, cold): ([AssetID: Int128], [AssetID: Int128]) = ([:], [:])
            var holders: [AssetID: Int] = [:]
            for asset in chain.setup.assets {
                // More than the ledger can hold is enough.
                let others = chain.holdings.sum(asset.coin, but: account.cold) ?? .max
                let stored = min(
                    chain.holdings.sum(asset.coin, of: account.cold) ?? .max,
                    inCold[asset.coin] ?? .zero)
                units[asset.id] = asset.units(others.adding(stored) ?? .max)
                hot[asset.id] = asset.units(
                    chain.holdings.sum(asset.coin, of: [chain.hot]) ?? .max)
                cold[asset.id] = asset.units(stored)
                holders[asset.id] = chain.holdings.count(asset.coin)
            }
            chain.count = EVMCount(
                height: height, block: block, units: units, hot: hot, cold: cold, holders: holders,
                between: between, held: account.held)
            chain.countTime = Clock.monotonicNanos()
            chain.uncountedTime = nil
            chain.sweeping.fill(from: chain.holdings, but: [chain.hot] + account.cold)
        } catch { return }
    }

    /// What of each coin may count in cold storage at most, above zero: what the log brought there,
    /// and what transfers may have brought that are not settled. Whatever else is there is not the
    /// customers': it would hide that something is missing.
    private func inCold(_ account: EVMPayments, _ coins: [EVMCoin]) -> [EVMCoin: EVMWord] {
        var most: [EVMCoin: EVMWord] = [:]
        for coin in coins where account.coldUnits(coin) > .zero {
            most[coin] = account.coldUnits(coin)
        }
        let mine = account.payments.merging(account.dropped) { payment, _ in payment }
        for payment in mine.values where account.isToCold(payment) {
            guard let moved = payment.signed.transaction.movement else { continue }
            most[moved.coin] = (most[moved.coin] ?? .zero).adding(moved.units) ?? .max
        }
        return most
    }

    /// What payments took that are final at a block and not settled, as they wait for an operator.
    private func between(
        _ account: EVMPayments, _ height: UInt64, _ block: BlockID, _ chain: FollowedEVMChain
    ) throws(NodeError) -> [AssetID: Int128] {
        var between: [AssetID: Int128] = [:]
        let waiting = account.open.filter { chain.payouts.failures[$0.key] != nil }
        let mine = account.payments.merging(account.dropped) { payment, _ in payment }
        guard !mine.isEmpty || !waiting.isEmpty else { return between }
        let count = try chain.node.transactionCount(of: chain.hot, after: block)
        // Of dropped sweeps each account has its own count; few are ever dropped.
        let used = mine.filter { $0.value.signed.sender != chain.hot || $0.value.nonce < count }
            .merging(waiting) { payment, _ in payment }
        func add(_ units: EVMWord, _ coin: EVMCoin) {
            guard let asset = chain.setup.assets.first(where: { $0.coin == coin }) else { return }
            let more = asset.units(units) + 1
            between[asset.id, default: 0] += more
        }
        for (id, payment) in used {
            guard let receipt = try chain.node.receipt(id),
                try chain.node.block(receipt.block).height <= height
            else { continue }
            add(receipt.gasCost, .native)
            // What a transfer moved it moved to the wallet, or it is missing.
            // Nor did one that is known to have moved nothing, whatever its receipt says.
            guard receipt.isSuccess, !payment.withdrawals.isEmpty,
                chain.payouts.failures[id]?.isSure != true
            else { continue }
            let transaction = payment.signed.transaction
            if transaction.value > .zero { add(transaction.value, .native) }
            if let call = try? TokenTransfer(decoding: transaction.data) {
                add(call.amount, .token(transaction.destination))
            }
        }
        return between
    }

    // MARK: Both sides

    /// Compares both sides of each asset of a chain as the log has them now.
    func reconcile(_ view: ChainView, _ chain: FollowedEVMChain) throws(CommandSessionError) {
        for asset in chain.setup.assets {
            var books = BooksReport()
            books.coins = chain.count?.holders[asset.id] ?? 0
            books.block = chain.count?.height
            (books.hot, books.cold) = (chain.count?.hot[asset.id], chain.count?.cold[asset.id])
            if let storage = session.replica.engine.coldStorage(asset.id, view.network) {
                books.band = HotBand(
                    ceiling: storage.ceiling.units, target: storage.target.units)
            }
            (books.condition, books.text, books.sides) = compared(asset, chain)
            chain.books[asset.id] = books
            guard books.condition.stopsWithdrawals, session.isLed,
                !session.replica.engine.isWithdrawalStopped(asset.id),
                !isAdoptionWaiting(for: asset.id)
            else { continue }
            _ = try submit(
                StopWithdrawals(asset: asset.id, reason: String(books.text.prefix(120))))
        }
        for place in reports.indices where reports[place].network == view.network {
            reports[place].take(chain.books, chain.setup.assets)
        }
    }

    private func compared(
        _ asset: EVMChainAsset, _ chain: FollowedEVMChain
    ) -> (BooksCondition, String, Reconciliation?) {
        guard !coins.hasGap, let view = session.replica.engine.asset(asset.id) else {
            return (.incomparable, "records of the log were missed: restart bourse-walletd", nil)
        }
        if let contradiction = chain.misdeclared[asset.coin] {
            return (.incomparable, contradiction, nil)
        }
        guard chain.count != nil else {
            let silence = chain.holdings.silence.map { ": \($0)" } ?? ""
            if chain.isFirstCountLate {
                let all = chain.addressCount * max(chain.setup.assets.count, 1)
                let text =
                    "\(min(chain.holdings.first, all)) of \(all) balances were read, and no block "
                    + "was counted\(silence)\(whatWaits(chain))"
                return (.unseen, text, nil)
            }
            return (.unknown, silence.isEmpty ? "" : "its node does not say\(silence)", nil)
        }
        let table = coins
        guard
            var sides = Reconciliation(
                asset.id, session.replica.engine,
                holdings: { network in
                    guard let other = chains[network], !other.isMisdeclared(asset.id) else {
                        return nil
                    }
                    return other.count.flatMap { count in
                        table.account(network).map { count.onChain(asset.id, $0) }
                    }
                })
        else {
            let text =
                "another chain of \(view.code) is not counted: [walletd] nodes, and wallet status"
            return (.incomparable, text, nil)
        }
        let (kept, note) = BooksReport.elsewhere(view, elsewhere, session.replica.engine)
        sides.elsewhere = kept
        let unread = chain.holdings.unread.filter { $0.coin == asset.coin }
        let silence = unread.first.map {
            "the contract of \(view.code) does not say what \($0.holder) has"
        }
        // What was never read is not missing.
        if let silence, unread.contains(where: { chain.holdings.known[$0] == nil }) {
            return (.unseen, silence, sides)
        }
        if let (condition, text) = BooksReport.fault(sides) {
            return (condition, text + note, sides)
        }
        if let silence { return (.unseen, silence, sides) }
        if chain.isCountLate {
            let silence = chain.holdings.silence.map { ": \($0)" } ?? ""
            let text =
                "for an hour its accounts were not counted\(silence)\(whatWaits(chain)), and "
                + "nothing is swept meanwhile"
            return (.unseen, text, sides)
        }
        return (.balanced, String(note.dropFirst(2)), sides)
    }

    /// The oldest deposit that is final and not credited, as its network takes none: no block from
    /// its own on is checked, so none is counted. Empty where there is none.
    private func whatWaits(_ chain: FollowedEVMChain) -> String {
        guard let network = chains.first(where: { $0.value === chain })?.key else { return "" }
        let needed = UInt64(chain.confirmations ?? 1)
        for (deposit, confirmations) in chain.reader.pending where confirmations >= needed {
            guard let asset = chain.asset(deposit.output.script) else { continue }
            guard session.replica.engine.network(asset.id, network)?.takesDeposits == false else {
                continue
            }
            return
                ": a deposit of \(asset.listed.code), 0x\(deposit.output.transaction.hex), waits "
                + "until its network takes deposits"
        }
        return ""
    }
}

extension EVMChainAsset {
    /// So much of the coin in units of the ledger, rounded down; the most that the ledger holds
    /// where it is more.
    func units(_ word: EVMWord) -> Int128 {
        (try? word.amount(decimals: listed.decimals, scale: scale))?.amount.units
            ?? Limits.amountUnitsMax
    }
}

extension ChainReport {
    /// Takes the books of a chain's assets, and as the chain's own the one that stands worst.
    mutating func take(_ all: [AssetID: BooksReport], _ assets: [EVMChainAsset]) {
        assetBooks = assets.compactMap { asset in
            all[asset.id].map { (asset.listed.code, $0) }
        }
        let order: [BooksCondition] = [
            .short, .vanished, .incomparable, .unseen, .houseOwes, .unknown, .balanced,
        ]
        func place(_ books: BooksReport) -> Int {
            order.firstIndex(of: books.condition) ?? order.count
        }
        guard let worst = assetBooks.min(by: { place($0.books) < place($1.books) }) else { return }
        books = worst.books
        if !books.condition.isSound { books.text = "\(worst.asset): \(books.text)" }
    }
}
