// limits show

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct LimitsShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the limits that apply to an account.",
        discussion: """
            JSON: {"account", "limits", "orderLimits"}, as in `boursectl limits set`; orderLimits \
            is an array of the markets that have some. Without an account it shows the default \
            limits.
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The account's name, id:NUMBER, or default.") var account = "default"

    func run() throws {
        let replica = try common.exchange().replica()
        let isDefault = account == "default"
        let view = isDefault ? replica.engine.defaultLimits : try replica.account(account)
        let sizes = OrderSize.all(isDefault ? AccountID(0) : view.id, replica)
        var facts = Facts()
        facts.add("account", account)
        for limit in view.limitTexts { facts.add(limit.name, limit.text) }
        for size in sizes {
            facts.add("order size in \(size.instrument.symbol)", size.text(replica))
        }
        common.out.give(
            [
                "account": .string(account), "limits": view.limits,
                "orderLimits": .array(sizes.map { $0.json(replica) }),
            ], text: facts.lines(common.out.ink))
    }
}
