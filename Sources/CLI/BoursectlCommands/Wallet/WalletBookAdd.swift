// wallet book add

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletBookAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a destination to a customer's address book.",
        discussion: """
            The address is checked for the chain. It is usable after the delay that `boursectl \
            wallet policy` has now.

            JSON: {"sequence", "destination"}; destination is as in `boursectl wallet book list`, \
            null where it has been removed again.

            EXAMPLE
              boursectl wallet book add alice 1 ltc1q… --label home --reason "ticket 88"
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @OptionGroup var destination: DestinationOptions
    @Option(help: "The customer's word for it, up to 40 characters.") var label: String?

    func run() throws {
        let audit = try signature.audit()
        let label = try DestinationOptions.text(label, "--label")
        let tag = try destination.tagText()
        let session = try common.exchange().walletSession(signature.who)
        let replica = session.replica
        try WithdrawalRulesNeeded.check(replica)
        let account = try replica.account(destination.account)
        let chain = try replica.chain(destination.number)
        let address = try destination.text(chain)
        let receipt = try session.submit(
            AddWithdrawalAddress(
                account: account.id, network: chain.network, address: address, tag: tag,
                label: label, audit: audit),
            meanings: [
                .referenceDuplicate: "the address book of \(account.name) has it already",
                .networkUnknown: "no asset is on chain \(chain.network.number) yet: add one with "
                    + "`boursectl wallet network set`",
                .tableFull: "the address book is full: \(Limits.bookEntriesOfAccountMax) "
                    + "destinations of an account, \(Limits.bookEntriesMax) of all. Remove one: "
                    + "`boursectl wallet book remove`",
            ])
        let row = replica.engine.addressBook(account.id).first {
            $0.network == chain.network && $0.address == address && $0.tag == tag
        }.map { BookEntryRow(entry: $0) }
        common.out.give(
            [
                "sequence": .number(receipt.sequence),
                "destination": row.map { $0.json(replica) } ?? .null,
            ],
            text: [
                "\(address) is in the address book of \(account.name)"
                    + (row.map { ", \($0.state(replica))" } ?? "") + ". \(receipt.text)"
            ])
    }
}
