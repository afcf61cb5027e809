// account list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct AccountListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the accounts.",
        discussion: #"JSON: [{"id", "name", "tier", "killed", "openOrders"}]"#)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        var table = Table([
            .numbers("ID"), .words("NAME"), .numbers("TIER"), .numbers("OPEN ORDERS"),
            .words("KILL SWITCH"),
        ])
        var rows: [JSONValue] = []
        for account in replica.accounts {
            table.add([
                "\(account.id.number)", "\(account.name)", "\(account.tier)",
                Readable.count(account.openOrders), account.isKilled ? "ON" : "off",
            ])
            rows.append([
                "id": .number(account.id.number), "name": .string("\(account.name)"),
                "tier": .number(account.tier), "killed": .bool(account.isKilled),
                "openOrders": .number(account.openOrders),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There are no accounts yet. Open one: boursectl account open alice")
    }
}
