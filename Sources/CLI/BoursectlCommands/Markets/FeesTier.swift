// fees tier

import ArgumentParser
import Engine
import JSON
import Wire

struct FeesTier: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tier", abstract: "Puts an account into a tier.",
        discussion: #"JSON: {"sequence", "account", "tier"}"#)

    @OptionGroup var common: Common
    @OptionGroup var signature: Signature
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "Which tier, from 0.") var tier: UInt16

    func run() throws {
        let desk = try common.exchange().desk(signature.who)
        let view = try desk.replica.account(account)
        let receipt = try desk.submit(
            SetAccountTier(account: view.id, tier: tier, audit: signature.audit()))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "account": .string("\(view.name)"),
                "tier": .number(tier),
            ], text: ["\(view.name) is in tier \(tier). \(receipt.text)"])
    }
}
