// kill

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct KillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        abstract: "Sets or releases the kill switch of an account or of the venue.",
        discussion: """
            On: its open orders are cancelled and new ones are rejected until an operator releases \
            it. Cancels and administration go on.

            JSON: {"sequence", "account", "killed", "canceled"}; account is null for the venue.

            EXAMPLE
              boursectl kill alice --on --reason "runaway algorithm"
              boursectl kill venue --off --reason "checked by operations"
            """)

    enum Switch: String, EnumerableFlag {
        case on, off

        static func help(for value: Switch) -> ArgumentHelp? {
            value == .on ? "Sets it and cancels open orders." : "Releases it."
        }
    }

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The account's name, id:NUMBER, or venue.") var account: String
    @Flag var position: Switch

    func run() throws {
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let isVenue = account == "venue"
        let id = isVenue ? AccountID(0) : try session.replica.account(account).id
        let (receipt, canceled) = try session.submitCancels(
            SetKillSwitch(account: id, isOn: position == .on, audit: audit))
        let effect =
            position == .on
            ? "ON; \(Readable.count(canceled)) open orders cancelled, new ones are rejected."
            : "released."
        common.out.give(
            [
                "sequence": .number(receipt.sequence),
                "account": isVenue ? .null : .string(account), "killed": .bool(position == .on),
                "canceled": .number(canceled),
            ],
            text: ["Kill switch of \(isVenue ? "the venue" : account): \(effect) \(receipt.text)"])
    }
}
