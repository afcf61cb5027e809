// key revoke

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct KeyRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revokes an API key permanently.",
        discussion: """
            Withdrawals that the account has requested go on, also where `boursectl wallet policy` \
            freezes new ones: those that can still be refused are listed.

            JSON: {"sequence", "keyID", "openWithdrawals"}; the last has the ids of those \
            withdrawals.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The key's identifier.") var keyID: String

    func run() throws {
        guard let text = Text64(keyID), !text.isEmpty else {
            throw CommandError("\(keyID) is not a valid key identifier", code: .usage)
        }
        let session = try common.exchange().session(signature.who)
        let account = session.replica.engine.apiKey(text)?.account
        let receipt = try session.submit(RevokeAPIKey(keyID: text, audit: signature.audit()))
        let open = account.map { session.replica.refusableWithdrawals($0) } ?? []
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "keyID": .string(keyID),
                "openWithdrawals": .array(open.map { .number($0.id.number) }),
            ],
            text: ["\(keyID) is revoked. \(receipt.text)"] + Self.warning(open, session.replica))
    }

    /// What the key's account has asked for and nobody has paid.
    private static func warning(
        _ open: [WithdrawalView], _ replica: ExchangeReplica
    ) -> [String] {
        if open.isEmpty { return [] }
        let table = WithdrawalTable(replica)
        return [
            "Withdrawals of the account that are not paid yet go on; refuse what the customer "
                + "did not ask for, as with: boursectl wallet refuse \(open[0].id.number)"
        ]
            + open.map { "\(table.sentence($0))." }
    }
}
