// wallet book list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletBookListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the address books, of all customers or of one.",
        discussion: """
            JSON: [{"account", "chain", "address", "tag", "label", "added", "usableFrom", "usable"}]
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Only this account's: its name, or id:NUMBER.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let last = UInt32(replica.engine.accountCount)
        let accounts =
            try account.map { [try replica.account($0).id] }
            ?? (last == 0 ? [] : (1...last).map { AccountID($0) })
        let rows = accounts.flatMap { replica.engine.addressBook($0) }
            .map { BookEntryRow(entry: $0) }
        var table = Table([
            .words("ACCOUNT"), .numbers("CHAIN"), .words("LABEL"), .words("USABLE"),
            .words("ADDRESS"), .words("TAG"),
        ])
        for row in rows {
            table.add([
                replica.name(row.entry.account), "\(row.entry.network.number)",
                "\(row.entry.label)", row.state(replica), "\(row.entry.address)",
                "\(row.entry.tag)",
            ])
        }
        common.out.give(
            .array(rows.map { $0.json(replica) }), table: table,
            empty: "The address book is empty. Add a destination: boursectl wallet book add "
                + "ACCOUNT NUMBER ADDRESS")
    }
}
