// wallet address list

import Addresses
import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletAddressListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists deposit addresses, of all customers or of one.",
        discussion: #"JSON: [{"account", "chain", "kind", "index", "address"}]"#)

    @OptionGroup var common: CommonOptions
    @Argument(help: "Only this account's: its name, or id:NUMBER.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let only = try account.map { try replica.account($0).id }
        let rows = try replica.chains.flatMap { view -> [DepositAddressRow] in
            let chain = try WalletChain(view)
            if let only {
                return replica.engine.addressIndex(only, view.network).map {
                    [DepositAddressRow(account: only, chain: chain, index: $0)]
                } ?? []
            }
            return replica.engine.addressees(view.network).enumerated().map { place, owner in
                DepositAddressRow(account: owner, chain: chain, index: UInt32(place + 1))
            }
        }
        var table = Table([
            .words("ACCOUNT"), .numbers("CHAIN"), .words("KIND"), .numbers("INDEX"),
            .words("ADDRESS"),
        ])
        if common.output != .json {
            for row in rows {
                table.add([
                    replica.name(row.account), "\(row.chain.view.network.number)",
                    row.chain.network.name, "\(row.index)", row.address,
                ])
            }
        }
        common.out.give(
            common.output == .json
                ? .array(rows.map { .object($0.members(replica)) }) : .null, table: table,
            empty: account == nil
                ? "There are no deposit addresses yet. Assign one: boursectl wallet address "
                    + "ACCOUNT NUMBER"
                : "It has no deposit address. Assign one: boursectl wallet address ACCOUNT NUMBER")
    }
}
