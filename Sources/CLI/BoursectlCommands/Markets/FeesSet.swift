// fees set

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct FeesSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets a tier's rates.",
        discussion: """
            A rate ends in % or bp (hundredths of a percent). A negative maker rate is a rebate; \
            maker and taker together may not be below zero. The highest rate is 10%.

            JSON: {"sequence", "tier", "symbol", "maker", "taker"}; symbol is null for the tier's \
            own rates.

            EXAMPLE
              boursectl fees set --tier 0 --maker 0.1% --taker 0.1%
              boursectl fees set --tier 3 --symbol BTCUSDT --maker=-1bp --taker 4bp
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Option(help: "The tier, from 0.") var tier: UInt16
    @Option(help: "Only for this market.") var symbol: String?
    @Option(help: "Rate of the resting side, as 0.1% or 10bp.") var maker: String
    @Option(help: "Rate of the incoming side, as 0.1% or 10bp.") var taker: String

    func run() throws {
        let rates = (try Self.rate(maker, "--maker"), try Self.rate(taker, "--taker"))
        guard rates.0.e8 + rates.1.e8 >= 0 else {
            throw CommandError(
                "maker and taker together are below zero: each trade would cost the house",
                repair: "raise --taker or lower the rebate in --maker", code: .usage)
        }
        let session = try common.exchange().session(signature.who)
        let instrument = try symbol.map { try session.replica.instrument($0) }
        let tiers = session.replica.engine.limits.feeTiers
        guard tier < tiers else {
            throw CommandError(
                "there is no tier \(tier): tiers go from 0 to \(tiers - 1)", code: .usage)
        }
        let receipt = try session.submit(
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
            throw CommandError(
                "\(option) \(text) is not a valid rate",
                repair: "write it as 0.1% or 10bp, at most 10%, with up to 6 decimals",
                code: .usage)
        }
        return FeeRate(e8: Int32(rate))
    }
}
