// fees set, tier, list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct FeesGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fees", abstract: "What trading costs, by tier and market.",
        discussion: """
            Every account begins in tier 0. A tier has rates of its own and may have others for \
            single markets. They are taken from what a side receives; an order's fee so far is \
            rounded up to a smallest unit. Rebates are paid out of the fees of their asset, and \
            only as far as these reach: see `boursectl fees fund`.
            """,
        subcommands: [
            FeesSet.self, FeesTier.self, FeesList.self, FeesReport.self, FeesCollect.self,
            FeesRefund.self, FeesFund.self,
        ])
}

struct FeesSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets a tier's rates.",
        discussion: """
            A rate ends in % or bp (hundredths of a percent). A negative maker rate is a rebate; \
            with the taker's it may not sum below zero. The highest is 10%.

            JSON: {"sequence", "tier", "symbol", "maker", "taker"}; symbol null: the tier's own.

            EXAMPLE
              boursectl fees set --tier 0 --maker 0.1% --taker 0.1%
              boursectl fees set --tier 3 --symbol BTCUSDT --maker=-1bp --taker 4bp
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Option(help: "Which tier, from 0.") var tier: UInt16
    @Option(help: "Only for this market.") var symbol: String?
    @Option(help: "What the resting side pays, as 0.1% or 10bp.") var maker: String
    @Option(help: "What the incoming side pays, as 0.1% or 10bp.") var taker: String

    func run() throws {
        let rates = (try Self.rate(maker, "--maker"), try Self.rate(taker, "--taker"))
        guard rates.0.e8 + rates.1.e8 >= 0 else {
            throw Failure(
                "maker and taker together are below zero: each trade would cost the house",
                repair: "raise --taker or lower the rebate in --maker", code: .usage)
        }
        let desk = try common.exchange().desk(signature.who)
        let instrument = try symbol.map { try desk.replica.instrument($0) }
        let tiers = desk.replica.engine.limits.feeTiers
        guard tier < tiers else {
            throw Failure("there is no tier \(tier): they go from 0 to \(tiers - 1)", code: .usage)
        }
        let receipt = try desk.submit(
            SetFees(
                tier: tier, instrument: instrument?.id ?? InstrumentID(0), maker: rates.0,
                taker: rates.1, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "tier": .number(tier),
                "symbol": symbol.map { .string($0) } ?? .null, "maker": .string(rates.0.percent),
                "taker": .string(rates.1.percent),
            ],
            text: [
                "Tier \(tier)\(symbol.map { " in \($0)" } ?? "") pays \(rates.0.percent) as maker "
                    + "and \(rates.1.percent) as taker. \(receipt.text)"
            ])
    }

    private static func rate(_ text: String, _ option: String) throws -> FeeRate {
        let most = Int128(Limits.feeRateMax)
        guard let rate = DecimalNumber.rate(text, scale: 8), (-most...most).contains(rate) else {
            throw Failure(
                "\(option) \(text) is no rate",
                repair: "write it as 0.1% or 10bp, at most 10%, with up to 6 decimals",
                code: .usage)
        }
        return FeeRate(e8: Int32(rate))
    }
}

extension FeeRate {
    /// As a percentage.
    var percent: String { DecimalNumber.percent(Int128(e8), scale: 8) }
}

struct FeesTier: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tier", abstract: "Puts an account into a tier.",
        discussion: #"JSON: {"sequence", "account", "tier"}"#)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "Which tier, from 0.") var tier: UInt16

    func run() throws {
        let desk = try common.exchange().desk(signature.who)
        let view = try desk.replica.account(account)
        let receipt = try desk.submit(
            SetAccountTier(account: view.id, tier: tier, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(view.name)"),
                "tier": .number(tier),
            ], text: ["\(view.name) is in tier \(tier). \(receipt.text)"])
    }
}

struct FeesList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the rates of all tiers that have some.",
        discussion: """
            JSON: [{"tier", "symbol", "maker", "taker", "accounts"}]; symbol null: the tier's own.
            """)

    @OptionGroup var common: Common

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
