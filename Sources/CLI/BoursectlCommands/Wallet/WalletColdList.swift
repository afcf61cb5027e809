// wallet cold list

import Addresses
import ArgumentParser
import Configuration
import Engine
import JSON
import Payments
import Presentation
import Terms
import UTXO

/// Cold storage of an asset on a chain, as commands show it.
struct ColdStorageRow {
    private let asset: AssetID
    private let network: NetworkID
    /// Where coins go now; nil: nowhere any more.
    private let view: ColdStorageView?
    /// What bourse-walletd sees of it; nil: nothing.
    let seen: SeenCold?
    private let replica: ExchangeReplica
    private let descriptor: ColdDescriptor?
    private let isUTXO: Bool

    init(
        _ asset: AssetID, _ network: NetworkID, _ seen: SeenCold?, _ replica: ExchangeReplica
    ) {
        (self.asset, self.network, self.seen, self.replica) = (asset, network, seen, replica)
        let view = replica.engine.coldStorage(asset, network)
        self.view = view
        let chain = replica.engine.chain(network).map { "\($0.chain)" } ?? ""
        isUTXO = UTXONetwork.named(chain) != nil
        descriptor = view.flatMap { view in
            UTXONetwork.named(chain).flatMap { try? ColdDescriptor(view.descriptor, on: $0) }
        }
    }

    /// Whether nobody can read what the log names, or the wallet does not take it, so that nothing
    /// goes there.
    private var isUnreadable: Bool {
        guard let view, isUTXO else { return false }
        return descriptor == nil || seen.map { $0.storage(named: view.descriptor) == nil } ?? false
    }

    /// Whether there is something to show.
    var isNamed: Bool { view != nil || cold ?? 0 > 0 }

    private func number(_ units: Int128) -> DecimalNumber {
        replica.number(Amount(units: units), asset)
    }

    /// What is in cold storage, in all.
    private var cold: Int128? { seen.map { $0.storages.reduce(0) { $0 + $1.amount } } }

    /// How what is hot compares with its band; empty: it is within.
    private var remark: String {
        guard let view else { return "nothing goes there any more" }
        if isUnreadable { return "UNREADABLE: nothing goes there" }
        guard let hot = seen?.hot else { return "" }
        if hot > view.ceiling.units { return "above the ceiling" }
        return hot < view.target.units ? "below the target" : ""
    }

    static let fields =
        #"{"asset", "chain", "descriptor", "ceiling", "target", "hot", "cold", "remark", "#
        + #""storages"}"#

    static var table: Table {
        Table([
            .words("ASSET"), .numbers("CHAIN"), .numbers("HOT"), .numbers("TARGET"),
            .numbers("CEILING"), .numbers("COLD"), .words("STORAGE"), .words(""),
        ])
    }

    var cells: [String] {
        [
            replica.code(asset), "\(network.number)",
            seen.map { number($0.hot).grouped() } ?? "not known",
            view.map { number($0.target.units).grouped() } ?? "none",
            view.map { number($0.ceiling.units).grouped() } ?? "none",
            cold.map { number($0).grouped() } ?? "not known",
            view == nil ? "none" : descriptor?.words ?? (isUTXO ? "unknown" : "one address"),
            remark,
        ]
    }

    var json: JSONValue {
        func text(_ units: Int128?) -> JSONValue { .orNull(units.map { "\(number($0))" }) }
        return [
            "asset": .string(replica.code(asset)), "chain": .number(network.number),
            "descriptor": .orNull(view?.descriptor), "ceiling": text(view?.ceiling.units),
            "target": text(view?.target.units), "hot": text(seen?.hot), "cold": text(cold),
            "remark": .string(remark),
            "storages": .array(
                (seen?.storages ?? []).map {
                    [
                        "number": .number($0.number), "descriptor": .string($0.text),
                        "next": .number($0.next), "amount": text($0.amount),
                    ]
                }),
        ]
    }

    /// Transfers that bring coins back and wait for a block, a line each.
    var waiting: [String] {
        Set((seen?.taken ?? []).compactMap(\.taker)).sorted { $0.id < $1.id }.map {
            "the transfer \($0.id.hex) spends coins from there and is not final; a higher fee than "
                + "its \(number(Int128($0.fee))) \(replica.code(asset)): export with --replaces"
        }
    }

    /// Earlier storages that still have something, a line each.
    var earlier: [String] {
        (seen?.storages ?? []).filter { $0.text != view?.descriptor && $0.amount > 0 }.map {
            "\(number($0.amount).grouped()) \(replica.code(asset)) are in the earlier cold "
                + "storage \($0.number) (\($0.descriptor?.words ?? "unknown")): export with "
                + "--storage \($0.number)"
        }
    }
}

struct WalletColdListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists cold storage: what is hot and cold, and the band.",
        discussion: """
            Hot and cold are what bourse-walletd of this host last said of UTXO chains. Below the \
            target nothing comes back by itself: see `boursectl wallet cold export`.

            JSON: [\(ColdStorageRow.fields)]; amounts are decimals, null where they are not known; \
            storages are [{"number", "descriptor", "next", "amount"}], all that the log named of \
            the chain, next the index of the next address; remark is empty, "above the ceiling", \
            "below the target", "nothing goes there any more", where descriptor is null, or that \
            it is UNREADABLE. In the text also the transfers that wait with coins from there.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        let seen = SeenChains(exchange.settings.walletd.status)
        var rows: [ColdStorageRow] = []
        for one in replica.networks {
            let chain = replica.engine.chain(one.network)
                .flatMap { UTXONetwork.named("\($0.chain)") }
            let cold = chain.flatMap { SeenCold(seen.chains?[one.network]?.json, on: $0) }
            let row = ColdStorageRow(one.asset, one.network, cold, replica)
            if row.isNamed { rows.append(row) }
        }
        var table = ColdStorageRow.table
        for row in rows { table.add(row.cells) }
        common.out.give(
            .array(rows.map(\.json)),
            text: rows.isEmpty
                ? [
                    common.out.ink.faint(
                        "There is no cold storage. See `boursectl wallet cold set --help`.")
                ] : table.lines(common.out.ink) + rows.flatMap { $0.earlier + $0.waiting })
        if let warning = seen.warning, !rows.isEmpty { Terminal.warn(warning) }
    }
}
