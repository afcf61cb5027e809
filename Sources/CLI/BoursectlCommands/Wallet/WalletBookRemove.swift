// wallet book remove

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletBookRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a destination from a customer's address book.",
        discussion: """
            What was requested before goes on: see `boursectl wallet withdrawals` and `boursectl \
            wallet refuse`.

            JSON: {"sequence", "account", "chain", "address"}

            EXAMPLE
              boursectl wallet book remove alice 1 ltc1q…
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @OptionGroup var destination: DestinationOptions

    func run() throws {
        let audit = try signature.audit()
        let tag = try destination.tagText()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try WithdrawalRulesNeeded.check(replica)
        let account = try replica.account(destination.account)
        let chain = try replica.chain(destination.number)
        let address = try destination.text(chain)
        let receipt = try session.submit(
            RemoveWithdrawalAddress(
                account: account.id, network: chain.network, address: address, tag: tag,
                audit: audit))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(account.name)"),
                "chain": .number(chain.network.number), "address": .string("\(address)"),
            ],
            text: [
                "\(address) is no longer in the address book of \(account.name). "
                    + receipt.text
            ])
    }
}
