// wallet address assign

import Addresses
import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletAddressAssignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assign", abstract: "Gives a customer a deposit address on a chain.",
        discussion: """
            An account has one address on a chain: a repeated command changes nothing and prints \
            the same one. It is derived here from the chain's public key.

            JSON: {"sequence", "account", "chain", "kind", "index", "address"}

            EXAMPLE
              boursectl wallet address alice 1
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The chain's number.") var number: ChainNumber

    func run() throws {
        let session = try common.exchange().walletSession(who)
        let replica = session.replica
        let account = try replica.account(account)
        let chain = try WalletChain(replica.chain(number))
        let receipt = try session.submit(
            AssignAddress(account: account.id, network: number.id),
            meanings: [
                .networkUnknown: "no asset is on chain \(number.id.number) yet: add one with "
                    + "`boursectl wallet network set`",
                .tableFull: "there are \(Limits.addressesMax) deposit addresses, which is the "
                    + "limit",
            ])
        guard let index = UInt32(exactly: receipt.outcome.id), index > 0 else {
            throw CommandError("matchd gave an index that cannot be: \(receipt.outcome.id)")
        }
        let row = DepositAddressRow(account: account.id, chain: chain, index: index)
        common.out.give(
            .object([.init("sequence", .number(receipt.sequence))] + row.members(replica)),
            text: [
                row.address,
                "Deposit address of \(account.name) on \(chain.network.name). "
                    + receipt.text,
            ])
    }
}
