// wallet address

import Addresses
import ArgumentParser
import Engine
import JSON
import Terms

struct WalletAddressGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "address", abstract: "Customers' deposit addresses.",
        discussion: """
            `boursectl wallet address ACCOUNT NUMBER` is short for `boursectl wallet address \
            assign ACCOUNT NUMBER`.
            """,
        subcommands: [
            WalletAddressAssignCommand.self, WalletAddressListCommand.self,
            WalletAddressFindCommand.self,
        ], defaultSubcommand: WalletAddressAssignCommand.self)
}

/// A deposit address, as commands show it.
struct DepositAddressRow {
    let account: AccountID
    let chain: WalletChain
    let index: UInt32

    /// The address as text.
    var address: String { chain.address(index) ?? "none" }

    /// Its fields as JSON.
    func members(_ replica: ExchangeReplica) -> [JSONValue.Member] {
        [
            .init("account", .string(replica.name(account))),
            .init("chain", .number(chain.view.network.number)),
            .init("kind", .string(chain.network.name)), .init("index", .number(index)),
            .init("address", .string(address)),
        ]
    }
}
