// account open

import ArgumentParser
import JSON
import Presentation
import Terms
import Wire

struct AccountOpenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "Opens an account.",
        discussion: """
            A name has one account: repeated, it does nothing and says the same id.

            JSON: {"sequence", "id", "name"}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The owner's name for it: up to 40 characters.") var name: String

    func run() throws {
        guard let text = Text40(name), !text.isEmpty, !name.hasPrefix("id:") else {
            throw CommandError(
                "\(name) is no account's name: up to 40 plain characters, not beginning with id:",
                code: .usage)
        }
        let receipt = try common.exchange().session(signature.who).submit(
            OpenAccount(name: text, audit: signature.audit()))
        let id = receipt.outcome.id
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "id": .number(id), "name": .string(name),
            ], text: ["Account \(name) is open, id \(id). \(receipt.text)"])
    }
}
