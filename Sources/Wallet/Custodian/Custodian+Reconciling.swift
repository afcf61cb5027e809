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
        books.coins = coins.coins(terms.network)?.coins.count ?? 0
        books.vanished = chain.watch.vanished.count
        books.block = chain.watch.height
        (books.condition, books.text, books.sides) = compared(terms, chain)
        chain.books = books
        guard books.condition.stopsWithdrawals, session.isLed,
            !session.replica.engine.isWithdrawalStopped(terms.asset)
        else { return }
        // A coin that vanished and is made up for stops them once: who has seen it resumes them.
        let vanished = Set(chain.watch.vanished.keys)
        let isMadeUpFor = books.sides.map { $0.difference >= 0 } ?? false
        if isMadeUpFor, vanished.isSubset(of: chain.watch.told) { return }
        chain.watch.told.formUnion(vanished)
        _ = try submit(
            StopWithdrawals(asset: terms.asset, reason: String(books.text.prefix(120))))
    }

    private func compared(
        _ terms: NetworkView, _ chain: FollowedChain<Node>
    ) -> (BooksCondition, String, Reconciliation?) {
        guard !coins.hasGap, let asset = session.replica.engine.asset(terms.asset) else {
            return (.unknown, "records of the log were missed", nil)
        }
        guard
            var sides = Reconciliation(
                terms.asset, session.replica.engine, holdings: { chains[$0].flatMap { held($0) } })
        else { return (.unknown, "another chain of the asset is not followed", nil) }
        var stated: Int128 = 0
        for one in elsewhere where "\(asset.code)" == one.asset {
            guard case .whole(let units) = one.amount.steps(of: 1, scale: Int(asset.scale)),
                units <= Limits.amountUnitsMax
            else {
                return (
                    .short, "[walletd] elsewhere: \(one.amount) is no amount of \(one.asset)", nil
                )
            }
            stated = units
        }
        sides.elsewhere = stated
        sides.vanished = chains.values.reduce(0) { sum, other in
            other.asset != terms.asset
                ? sum
                : other.watch.vanished.values.reduce(sum) { $0 + Int128($1.amount) }
        }
        if let (coin, lost) = chain.watch.vanished.min(by: { $0.key < $1.key }) {
            let name = "the coin \(coin.transaction.hex):\(coin.output)"
            let text =
                lost.spend.map {
                    "\(name) was spent in block \($0.height) by \($0.transaction.hex), "
                        + "which is no payment of the log: who has the wallet's keys?"
                } ?? "\(name) is on the chain no more, and no payment of the log spent it"
            return (.vanished, text, sides)
        }
        if sides.difference < 0 {
            return (
                .short,
                """
                \(-sides.difference) base units are missing: the ledger says \(sides.custody), and \
                the wallet has \(sides.onChain - sides.vanished) and \(sides.elsewhere) elsewhere
                """, sides
            )
        }
        if sides.ofHouse < 0 {
            return (
                .houseOwes,
                """
                what chains took is \(-sides.ofHouse) base units more than fees brought in: pay \
                them in
                """, sides
            )
        }
        return (.balanced, "", sides)
    }

    /// What the wallet has on a chain, by the log.
    private func held(_ chain: FollowedChain<Node>) -> Int128? {
        guard let known = coins.coins(chain.number) else { return nil }
        if let sum = chain.held, sum.changes == known.changes { return sum.total }
        let total = known.total
        chain.held = (known.changes, total)
        return total
    }
}
