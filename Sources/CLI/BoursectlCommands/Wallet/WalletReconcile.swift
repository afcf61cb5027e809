// wallet reconcile

import ArgumentParser
import Configuration
import Engine
import JSON
import Presentation
import Terms

struct WalletReconcileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile", abstract: "Compares the ledger with what is on the chains.",
        discussion: """
            By the ledger: what there has to be of an asset. It is what customers own, withdrawals \
            in transit, and the house's fees, less what chains took. There is: the coins that the \
            log gives the wallet, less those that bourse-walletd does not find on the chain, and \
            what [walletd] elsewhere of bourse.toml states. bourse-walletd compares them at each \
            record and looks for each coin after each block; where something is missing, it stops \
            the asset's withdrawals. `wallet resume` lets them go on. On an EVM chain it is what \
            the wallet's accounts have after a final block, and what the log brought and took since.

            What lies between: deposits that wait for confirmations, payments that are not final, \
            bookings by hand (`boursectl journal dump --kind adjustBalance`).

            It ends with status 1 where something is missing, or was not compared.

            JSON: [{"asset", "network", "chain", "books", "pending", "open"}]; books is \
            {"condition", "isSound", "text", "sequence", "custody", "owed", "onChain", "vanished", \
            "elsewhere", "difference", "hot", "cold", "ceiling", "target", "remark", "coins", \
            "coinsVanished", "block"}, amounts in base units. hot is what the host's own keys \
            have on the chain, cold what its transfers brought to cold storage.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The asset's code; all of them without it.") var asset: String?

    func run() throws {
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        let wanted = try asset.map { try replica.asset($0).id }
        let networks = replica.networks.filter { wanted == nil || $0.asset == wanted }
        guard !networks.isEmpty else {
            throw CommandError(
                asset.map { "\($0) is on no chain" } ?? "no asset is on a chain",
                repair: "boursectl wallet network set --help")
        }
        let seen = SeenChains(exchange.settings.walletd.status)
        if let warning = seen.warning { Terminal.warn(warning) }
        let sides = networks.compactMap { network in
            BooksOfNetwork(network, seen.chains?[network.network]?.json, replica)
        }
        common.out.give(
            .array(sides.map(\.json)),
            text: sides.map { $0.lines(common.out.ink) }.joined(separator: [""]).map { $0 })
        guard seen.warning == nil, sides.allSatisfy(\.isSound) else {
            throw ExitCode(CommandError.Code.failed.rawValue)
        }
    }
}

/// Both sides of an asset on a chain: the ledger's by the log now, the chain's as walletd last saw
/// it.
private struct BooksOfNetwork {
    private let asset: AssetView
    private let network: NetworkView
    private let chain: String
    private let seen: JSONValue?
    private let house: HouseBalance

    init?(_ network: NetworkView, _ seen: JSONValue?, _ replica: ExchangeReplica) {
        guard let asset = replica.engine.asset(network.asset) else { return nil }
        (self.asset, self.network, self.seen) = (asset, network, seen)
        chain = replica.engine.chain(network.network).map { "\($0.chain)" } ?? "no chain"
        house = replica.engine.house(network.asset)
    }

    /// Those of the asset, of a chain that has several.
    private var books: JSONValue? {
        let all = seen?["assetBooks"]?.rows { $0 } ?? []
        return all.first { $0["asset"]?.text == "\(asset.code)" }?["books"] ?? seen?["books"]
    }
    private var condition: String { books?["condition"]?.text ?? "not compared" }

    /// Whether both sides were compared, and nothing is missing.
    var isSound: Bool { books?["sequence"]?.count != nil && books?["isSound"]?.flag == true }

    var json: JSONValue {
        [
            "asset": .string("\(asset.code)"), "network": .number(network.network.number),
            "chain": .string(chain), "books": books ?? .null, "pending": seen?["pending"] ?? .null,
            "open": seen?["payouts"]?["open"] ?? .null,
        ]
    }

    func lines(_ ink: Ink) -> [String] {
        var table = Table([
            .words("\(asset.code) ON CHAIN \(network.network.number)"), .numbers(""),
        ])
        func row(_ name: String, _ units: Int128?) {
            table.add([name, units.map(number) ?? "not known"])
        }
        func units(_ name: String) -> Int128? { books?[name]?.text.flatMap { Int128($0) } }
        row("customers", house.customers.units)
        row("in transit", house.inTransit.units)
        row("fees and rounding", house.fees.units + house.rounding.units)
        row("chains took", house.chain.units)
        row("by the ledger", -house.external.units)
        row("coins on \(chain)", units("onChain"))
        if let cold = units("cold"), cold > 0 || units("ceiling") != nil {
            row("of which hot", units("hot"))
            row("of which cold", cold)
        }
        row("of which vanished", units("vanished"))
        row("kept elsewhere", units("elsewhere"))
        row("difference", units("difference"))
        let block = books?["block"]?.count.map { "all coins looked for at block \($0)" }
        let items = [
            books?["coins"]?.count.map { "\($0) coins" }, block ?? "coins not looked for yet",
            seen?["pending"]?.count.map { "\($0) deposits wait for confirmations" },
            seen?["payouts"]?["open"]?.count.map { "\($0) payments are not final" },
        ]
        let text = books?["text"]?.text ?? ""
        let remark = books?["remark"]?.text.map { ["hot coins are \($0)"] } ?? []
        let verdict = condition + (text.isEmpty ? "" : ": \(text)")
        let at = books?["sequence"]?.count.map { " at record \($0)" } ?? ""
        return table.lines(ink) + [items.compactMap { $0 }.joined(separator: "; ")]
            + remark + ["\(verdict)\(at)"]
    }

    private func number(_ units: Int128) -> String {
        DecimalNumber(units: units, scale: Int(asset.scale))
            .grouped(decimals: min(2, Int(asset.scale)))
    }
}
