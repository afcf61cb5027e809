// wallet book, and what its verbs share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct WalletBookGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "book", abstract: "Customers' address books: where their keys withdraw to.",
        discussion: """
            A key that may withdraw does so only to usable destinations of its account's book, \
            unless it was added with --withdraw-anywhere. A new destination is usable after the \
            delay of `boursectl wallet policy`. A book is of the whole account; a destination is \
            of one chain, for all its assets. Where operators have keys, adding one takes two of \
            them; removing one does not.

            EXAMPLE
              boursectl wallet book add alice 1 ltc1q… --label home
              boursectl wallet book list alice
            """,
        subcommands: [
            WalletBookAddCommand.self, WalletBookRemoveCommand.self, WalletBookListCommand.self,
        ])
}

/// The arguments that name a destination.
struct DestinationOptions: ParsableArguments {
    @Argument(help: "The account's name, or id:NUMBER.") var account: String
    @Argument(help: "The chain's number.") var number: ChainNumber
    @Argument(help: "The address.") var address: String
    @Option(help: "The destination's tag or memo, on chains that have them.") var tag: String?

    /// The address as the log has those of withdrawals. One of a chain that is not known here goes
    /// unchecked.
    func text(_ chain: ChainView) throws -> Text64 {
        var text = address
        if let kind = ChainKind.named("\(chain.chain)") {
            text = try PayoutAddress(address, on: kind).text
            guard tag ?? "" == "" else {
                throw CommandError(
                    "\(chain.chain) has no tags: an address says all", repair: "leave out --tag",
                    code: .usage)
            }
        }
        guard let text = Text64(text), !text.isEmpty else {
            throw CommandError(
                "\(address) is not a valid address", repair: "use up to 64 ASCII characters",
                code: .usage)
        }
        return text
    }

    /// The tag, or empty.
    func tagText() throws -> Text40 { try Self.text(tag, "--tag") }

    /// Up to 40 characters.
    static func text(_ value: String?, _ option: String) throws -> Text40 {
        guard let text = Text40(value ?? "") else {
            throw CommandError(
                "\(option) is not valid", repair: "use up to 40 ASCII characters", code: .usage)
        }
        return text
    }
}

/// Whether an exchange's log can hold the rules of withdrawals.
enum WithdrawalRulesNeeded {
    /// Throws where the log's rules are older.
    static func check(
        _ replica: ExchangeReplica, _ kind: CommandKind = .setWithdrawalPolicy,
        _ what: String = "address books and limits"
    ) throws(CommandError) {
        let needed = kind.rules
        let rules = replica.engine.rules
        guard rules < needed else { return }
        throw CommandError(
            "the exchange's log follows rules \(rules), and \(what) are part of rules \(needed)",
            repair: "rules rise by themselves once all its hosts run this version: see "
                + "`boursectl cluster status`")
    }
}

/// A destination, as commands show it.
struct BookEntryRow {
    let entry: BookEntryView

    /// Whether it is usable now, or from when on.
    func state(_ replica: ExchangeReplica) -> String {
        entry.usableTime <= replica.presentTime
            ? "usable" : "from \(Readable.time(entry.usableTime, digits: 0))"
    }

    /// As JSON.
    func json(_ replica: ExchangeReplica) -> JSONValue {
        [
            "account": .string(replica.name(entry.account)),
            "chain": .number(entry.network.number), "address": .string("\(entry.address)"),
            "tag": .string("\(entry.tag)"), "label": .string("\(entry.label)"),
            "added": .string(Readable.time(entry.addedTime)),
            "usableFrom": .string(Readable.time(entry.usableTime)),
            "usable": .bool(entry.usableTime <= replica.presentTime),
        ]
    }
}
