// key revoke

import ArgumentParser
import JSON
import Presentation
import Terms
import Wire

struct KeyRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes an API key permanently.",
        discussion: #"JSON: {"sequence", "keyID"}"#)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The key's identifier.") var keyID: String

    func run() throws {
        guard let text = Text64(keyID), !text.isEmpty else {
            throw CommandError("\(keyID) is not a valid key identifier", code: .usage)
        }
        let receipt = try common.exchange().session(signature.who).submit(
            RevokeAPIKey(keyID: text, audit: signature.audit()))
        common.out.give(
            ["sequence": .number(receipt.sequence), "keyID": .string(keyID)],
            text: ["\(keyID) is revoked. \(receipt.text)"])
    }
}
