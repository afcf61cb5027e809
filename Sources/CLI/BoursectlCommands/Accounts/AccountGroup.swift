// account, and what its verbs share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct AccountGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Customers' accounts.",
        subcommands: [AccountOpenCommand.self, AccountListCommand.self, AccountShowCommand.self])
}

extension Balance {
    /// Everything an account owns.
    var total: Amount { available + held + withdrawing }
}

extension AccountView {
    /// The limits as JSON; null means no limit.
    var limits: JSONValue {
        func limit(_ value: some BinaryInteger) -> JSONValue { value == 0 ? .null : .number(value) }
        return [
            "openOrders": limit(openOrdersMax), "messagesPerSecond": limit(messagesPerSecondMax),
        ]
    }

    /// The limits as text.
    var limitTexts: [(name: String, text: String)] {
        func limit(_ value: some BinaryInteger) -> String {
            value == 0 ? "no limit" : "at most " + Readable.count(value)
        }
        return [
            ("open orders", limit(openOrdersMax)),
            ("messages per second", limit(messagesPerSecondMax)),
        ]
    }
}
