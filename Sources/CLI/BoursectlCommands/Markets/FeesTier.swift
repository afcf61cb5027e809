// fees tier

import ArgumentParser
import Engine
import JSON
import Presentation
import Wire

struct FeesTierCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tier", abstract: "Assigns an account to a tier.",
        discussion: """
            The tier's fees count for it from then on, and its limits and terms of withdrawals \
            (`boursectl wallet limits`, `wallet terms`).

            JSON: {"sequence", "account", "tier"}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The tier, from 0.") var tier: UInt16

    func run() throws {
        let session = try common.exchange().session(signature.who)
        let view = try session.replica.account(account)
        let receipt = try session.submit(
            SetAccountTier(account: view.id, tier: tier, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(view.name)"),
                "tier": .number(tier),
            ], text: ["\(view.name) is in tier \(tier). \(receipt.text)"])
    }
}
