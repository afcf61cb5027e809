// wallet status

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms

struct WalletStatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows chains, what is in custody, and what is stopped.",
        discussion: """
            Of each asset with a network. In custody: what has to be on its chains, and wherever \
            else it is kept, by the ledger: what came in, less what went out and what chains took. \
            Customers: what they own of it, of which some is held for withdrawals. In transit: \
            signed and not settled. Network costs: what chains took for transactions so far, at \
            the house's expense.

            JSON: {"chains", "assets"}; a chain is as in `boursectl wallet chain list`, an asset \
            is {"asset", "inCustody", "customers", "withdrawing", "inTransit", "external", \
            "chain", "openWithdrawals", "stopped"}; external is minus what is in custody, chain \
            minus what chains took. A chain has "seen" as well where bourse-walletd runs: \
            {"condition", "isSound", "text", "since", "tip", "read", "credited", "addresses", \
            "pending"}, heights of blocks and counts.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        let seen = SeenChains(exchange.settings.walletd.status)
        show(replica, seen: seen.chains)
        if let warning = seen.warning, !replica.chains.isEmpty { Terminal.warn(warning) }
    }

    /// Shows what the log says, and with it what the wallet's daemon sees of chains, where that is
    /// known.
    private func show(_ replica: ExchangeReplica, seen: [NetworkID: SeenChain]? = nil) {
        let chains = replica.chains
        let networks = replica.networks
        let withdrawals = Dictionary(grouping: replica.withdrawals, by: \.asset)
        let assets = replica.assets.filter { asset in
            replica.engine.isWithdrawalStopped(asset.id)
                || networks.contains { $0.asset == asset.id }
        }.map { CustodyOfAsset($0, withdrawals[$0.id] ?? [], replica) }
        let ink = common.out.ink
        common.out.give(
            [
                "chains": .array(chains.map { json($0, replica, seen) }),
                "assets": .array(assets.map { $0.json(replica) }),
            ],
            text: (chains.isEmpty
                ? [ink.faint("There are no chains yet.")] : replica.table(chains).lines(ink))
                + seenLines(chains, seen) + [""]
                + (assets.isEmpty
                    ? [ink.faint("No asset is on a chain yet.")]
                    : CustodyOfAsset.table(assets, replica).lines(ink)))
    }

    private func json(
        _ chain: ChainView, _ replica: ExchangeReplica, _ seen: [NetworkID: SeenChain]?
    ) -> JSONValue {
        guard case .object(let members) = replica.json(chain), let one = seen?[chain.network] else {
            return replica.json(chain)
        }
        return .object(members + [.init("seen", one.json)])
    }

    private func seenLines(_ chains: [ChainView], _ seen: [NetworkID: SeenChain]?) -> [String] {
        guard let seen else { return [] }
        return chains.compactMap { chain in
            seen[chain.network].map { "Chain \(chain.network.number): \($0.text)" }
        }
    }
}

/// What the ledger says of an asset in custody.
private struct CustodyOfAsset {
    let asset: AssetView
    let house: HouseBalance
    /// Held for withdrawals that are not signed.
    let withdrawing: Amount
    /// How many withdrawals are open.
    let open: Int
    let isStopped: Bool

    init(_ asset: AssetView, _ views: [WithdrawalView], _ replica: ExchangeReplica) {
        self.asset = asset
        house = replica.engine.house(asset.id)
        withdrawing = views.filter { $0.status != .signed }.reduce(.zero) { $0 + $1.total }
        open = views.count
        isStopped = replica.engine.isWithdrawalStopped(asset.id)
    }

    /// What has to be there.
    private var inCustody: Amount { Amount.zero - house.external }

    func json(_ replica: ExchangeReplica) -> JSONValue {
        func number(_ amount: Amount) -> JSONValue {
            .string("\(replica.number(amount, asset.id))")
        }
        return [
            "asset": .string("\(asset.code)"), "inCustody": number(inCustody),
            "customers": number(house.customers), "withdrawing": number(withdrawing),
            "inTransit": number(house.inTransit), "external": number(house.external),
            "chain": number(house.chain), "openWithdrawals": .number(open),
            "stopped": .bool(isStopped),
        ]
    }

    static func table(_ all: [CustodyOfAsset], _ replica: ExchangeReplica) -> Table {
        var table = Table([
            .words("ASSET"), .numbers("IN CUSTODY"), .numbers("CUSTOMERS"),
            .numbers("WITHDRAWING"), .numbers("IN TRANSIT"), .numbers("NETWORK COSTS"),
            .numbers("OPEN"), .words("WITHDRAWALS"),
        ])
        for one in all {
            func number(_ amount: Amount) -> String {
                replica.number(amount, one.asset.id).grouped(decimals: min(2, Int(one.asset.scale)))
            }
            table.add([
                "\(one.asset.code)", number(one.inCustody), number(one.house.customers),
                number(one.withdrawing), number(one.house.inTransit),
                number(Amount.zero - one.house.chain), Readable.count(one.open),
                one.isStopped ? "STOPPED" : "open",
            ])
        }
        return table
    }
}
