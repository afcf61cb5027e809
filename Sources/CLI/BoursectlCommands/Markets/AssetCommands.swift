// asset add, asset list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct AssetGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "asset", abstract: "What is held and traded: coins and tokens.",
        subcommands: [AssetAdd.self, AssetList.self])
}

struct AssetAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds an asset.",
        discussion: """
            The scale is how many decimals its smallest unit has, 0 to 18; it never changes. \
            Repeated with the same scale it does nothing.

            JSON: {"sequence", "id", "code", "scale"}

            EXAMPLE
              boursectl asset add USDT --scale 6
            """)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "Its code, as BTC: up to 16 characters.") var code: String
    @Option(help: "Decimals of its smallest unit, 0 to 18.") var scale: Int

    func run() throws {
        guard let text = Text16(code), !text.isEmpty else {
            throw Failure("\(code) is no code: up to 16 plain characters", code: .usage)
        }
        guard (0...Int(Limits.scaleMax)).contains(scale) else {
            throw Failure("the scale \(scale) is not within 0 to 18", code: .usage)
        }
        let receipt = try common.exchange().desk(signature.who).submit(
            SetAsset(code: text, scale: UInt8(scale), audit: signature.audit()),
            meanings: [.nameInvalid: "\(code) exists with another scale, which cannot change"])
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(receipt.outcome.id),
                "code": .string(code), "scale": .number(scale),
            ], text: ["Asset \(code) is there with \(scale) decimals. \(receipt.text)"])
    }
}

struct AssetList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the assets and what the house holds of them.",
        discussion: """
            Customers: what all customer accounts have together. Fees and rounding: what the house \
            took. Together with what withdrawals have in transit they are what came from outside.

            JSON: [{"id", "code", "scale", "customers", "fees", "rounding", "inTransit"}]
            """)

    @OptionGroup var common: Common

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .numbers("ID"), .words("CODE"), .numbers("DECIMALS"), .numbers("CUSTOMERS"),
            .numbers("FEES"), .numbers("ROUNDING"), .numbers("IN TRANSIT"),
        ])
        var rows: [JSONValue] = []
        for asset in replica.assets {
            let house = replica.engine.house(asset.id)
            let numbers = [house.customers, house.fees, house.rounding, house.inTransit].map {
                replica.number($0, asset.id)
            }
            table.add(
                ["\(asset.id.number)", "\(asset.code)", "\(asset.scale)"]
                    + numbers.map { $0.grouped() })
            rows.append([
                "id": .number(asset.id.number), "code": .string("\(asset.code)"),
                "scale": .number(asset.scale), "customers": .string("\(numbers[0])"),
                "fees": .string("\(numbers[1])"), "rounding": .string("\(numbers[2])"),
                "inTransit": .string("\(numbers[3])"),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There is no asset yet. Add one: boursectl asset add BTC --scale 8")
    }
}

extension HouseBalance {
    /// What all customers own together.
    var customers: Amount { Amount.zero - external - chain - fees - rounding - inTransit }
}
