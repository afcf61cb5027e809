// fees report

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct FeesReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Reports the house's position in each asset.",
        discussion: """
            Fees: fees taken, less rebates and what was collected and refunded. Rounding: the \
            excess of fees that were rounded up to a whole unit. Both are exact; together with \
            what customers own and withdrawals in transit they equal what came in.

            JSON: [{"asset", "fees", "rounding", "inTransit", "chain", "customers", "cameIn"}]
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .words("ASSET"), .numbers("FEES"), .numbers("ROUNDING"), .numbers("IN TRANSIT"),
            .numbers("CUSTOMERS"), .numbers("CAME IN"),
        ])
        var rows: [JSONValue] = []
        for asset in replica.assets {
            let house = replica.engine.house(asset.id)
            func number(_ amount: Amount) -> DecimalNumber { replica.number(amount, asset.id) }
            let cameIn = number(.zero - house.external - house.chain)
            let (fees, rounding) = (number(house.fees), number(house.rounding))
            let (transit, customers) = (number(house.inTransit), number(house.customers))
            table.add(
                ["\(asset.code)"]
                    + [fees, rounding, transit, customers, cameIn].map { $0.grouped() })
            rows.append([
                "asset": .string("\(asset.code)"), "fees": .string("\(fees)"),
                "rounding": .string("\(rounding)"), "inTransit": .string("\(transit)"),
                "chain": .string("\(number(house.chain))"), "customers": .string("\(customers)"),
                "cameIn": .string("\(cameIn)"),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There are no assets yet. Add one: boursectl asset add BTC --scale 8")
    }
}
