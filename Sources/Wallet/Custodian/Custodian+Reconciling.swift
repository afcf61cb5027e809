// Compares what the ledger says of a chain's asset with what there is, and stops its withdrawals
// where something is missing.

internal import Deposits
internal import Engine
internal import Follower
internal import Nodes
internal import Payments
internal import Platform
internal import Terms
internal import UTXO
internal import Wire

extension Custodian {
    /// Compares the sides of a chain's asset as the log has them now.
    func reconcile(
        _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) throws(CommandSessionError) {
        var books = BooksReport()
        let known = coins.coins(terms.network)
        books.coins = (known?.coins.count ?? 0) + (known?.cold.count ?? 0)
        (books.hot, books.cold) = (known?.total, known?.coldTotal)
        books.band = session.replica.engine.coldStorage(terms.asset, terms.network).map {
            HotBand(ceiling: $0.ceiling.units, target: $0.target.units)
        }
        books.vanished = chain.watch.vanished.keys.count { !writtenOff.contains($0) }
        books.block = chain.watch.height
        (books.condition, books.text, books.sides) = compared(terms, chain)
        chain.books = books
        guard books.condition.stopsWithdrawals, session.isLed, chain.adoptionWait == nil else {
            return
        }
        // A coin that vanished and is made up for stops them once: who has seen it resumes them.
        let vanished = Set(chain.watch.vanished.keys).subtracting(writtenOff)
        let isMadeUpFor = books.sides.map { $0.difference >= 0 } ?? false
        let isTold = isMadeUpFor && vanished.isSubset(of: chain.watch.told)
        chain.watch.told.formUnion(vanished)
        if isTold || session.replica.engine.isWithdrawalStopped(terms.asset) { return }
        _ = try submit(
            StopWithdrawals(asset: terms.asset, reason: String(books.text.prefix(120))))
    }

    private func compared(
        _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) -> (BooksCondition, String, Reconciliation?) {
        guard !coins.hasGap, let asset = session.replica.engine.asset(terms.asset) else {
            return (.incomparable, "records of the log were missed: restart bourse-walletd", nil)
        }
        let vanished = chain.watch.vanished.filter { !writtenOff.contains($0.key) }
        let why = vanished.min { $0.key < $1.key }.map { words($0.key, $0.value) }
        guard var sides = sides(terms.asset) else {
            let text =
                "another chain of \(asset.code) is not followed: [walletd] nodes, and wallet "
                + "chain set"
            return why.map { (.vanished, $0, nil) } ?? (.incomparable, text, nil)
        }
        guard coins.count < CoinTable.coinsMax else {
            let text = "there are more coins than the wallet keeps"
            return why.map { (.vanished, $0, sides) } ?? (.incomparable, text, sides)
        }
        sides.overcharged = coins.overcharged[asset.id] ?? 0
        let (kept, note) = BooksReport.elsewhere(asset, elsewhere, session.replica.engine)
        sides.elsewhere = kept
        if let why { return (.vanished, why + note, sides) }
        if let (condition, text) = BooksReport.fault(sides) {
            return (condition, text + note, sides)
        }
        if chain.watch.isLate {
            let fault = chain.watch.fault.map { ": \($0)" } ?? ""
            return (.unseen, "for an hour not all coins were looked for\(fault)", sides)
        }
        return (.balanced, String(note.dropFirst(2)), sides)
    }

    /// Both sides of an asset, without what is kept elsewhere; nil where one of its chains is not
    /// followed.
    private func sides(_ asset: AssetID) -> Reconciliation? {
        guard
            var sides = Reconciliation(
                asset, session.replica.engine, holdings: { chains[$0].flatMap { held($0) } })
        else { return nil }
        for chain in chains.values where chain.asset == asset {
            let known = coins.coins(chain.number)
            for coin in writtenOff { sides.onChain -= Int128(known?.amount(coin) ?? 0) }
            for (coin, lost) in chain.watch.vanished where !writtenOff.contains(coin) {
                sides.vanished += Int128(lost.amount)
            }
        }
        return sides
    }

    private func words(_ coin: OutPoint, _ lost: VanishedCoin) -> String {
        let name = "the coin \(coin.transaction.hex):\(coin.output)"
        guard let spend = lost.spend else {
            return "\(name) is on the chain no more, and no payment of the log spent it: a block "
                + "that was not read may say what did (boursectl wallet rescan); if it is the "
                + "wallet's own: boursectl wallet adopt"
        }
        return """
            \(name) was spent in block \(spend.height) by \(spend.transaction.hex), which is no \
            open payment of the log: was it one that was dropped (boursectl wallet adopt), or who \
            else has the wallet's keys?
            """
    }

    /// What the wallet has on a chain, hot and cold, by the log.
    private func held(_ chain: FollowedChain<Node>) -> Int128? {
        guard let known = coins.coins(chain.number) else { return nil }
        if let sum = chain.held, sum.changes == known.changes { return sum.total }
        let total = known.total + known.coldTotal
        chain.held = (known.changes, total)
        return total
    }
}
