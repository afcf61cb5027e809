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
            A name has one account: a repeated command changes nothing and returns the same id.

            JSON: {"sequence", "id", "name"}
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "Its name: up to 40 characters.") var name: String

    func run() throws {
        guard let text = Text40(name), !text.isEmpty, !name.hasPrefix("id:") else {
            throw CommandError(
                "\(name) is not a valid account name",
                repair: "use up to 40 ASCII characters, not beginning with id:", code: .usage)
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
