// asset list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct AssetListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the assets and the house's position in them.",
        discussion: """
            Customers: the total of all customer accounts. Fees and rounding: the house's income. \
            Together with withdrawals in transit they equal what came from outside.

            JSON: [{"id", "code", "scale", "customers", "fees", "rounding", "inTransit"}]
            """)

    @OptionGroup var common: CommonOptions

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
            empty: "There are no assets yet. Add one: boursectl asset add BTC --scale 8")
    }
}
