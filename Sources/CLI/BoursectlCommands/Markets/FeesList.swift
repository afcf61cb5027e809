// fees list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct FeesListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the rates of all tiers.",
        discussion: """
            JSON: [{"tier", "symbol", "maker", "taker", "accounts"}]; symbol is null for the \
            tier's own rates.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        var accounts: [UInt16: Int] = [:]
        for account in replica.accounts { accounts[account.tier, default: 0] += 1 }
        let places: [(id: InstrumentID, symbol: String?)] =
            [(InstrumentID(0), nil)] + replica.instruments.map { ($0.id, "\($0.symbol)") }
        var table = Table([
            .numbers("TIER"), .words("MARKET"), .numbers("MAKER"), .numbers("TAKER"),
            .numbers("ACCOUNTS"),
        ])
        var rows: [JSONValue] = []
        for tier in 0..<UInt16(replica.engine.limits.feeTiers) {
            let count = accounts[tier] ?? 0
            for place in places {
                guard let fees = replica.engine.fees(tier: tier, instrument: place.id) else {
                    continue
                }
                table.add([
                    "\(tier)", place.symbol ?? "all others", fees.maker.percent,
                    fees.taker.percent, Readable.count(count),
                ])
                rows.append([
                    "tier": .number(tier), "symbol": place.symbol.map { .string($0) } ?? .null,
                    "maker": .string(fees.maker.percent), "taker": .string(fees.taker.percent),
                    "accounts": .number(count),
                ])
            }
        }
        common.out.give(
            .array(rows), table: table,
            empty: "No fees are set: trading is free. See: boursectl fees set --help")
    }
}
