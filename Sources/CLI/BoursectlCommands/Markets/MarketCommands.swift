// halt, pause, resume, preopen, close; kill; cancel-all

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// The arguments of a change of a market's state.
struct StateChange: ParsableArguments {
    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Argument(help: "The market's symbol, or all.") var symbol: String

    /// Makes the change.
    func run(_ state: InstrumentState, _ effect: String) throws {
        let audit = try signature.audit()
        let desk = try common.exchange().desk(signature.who)
        let isAll = symbol == "all"
        let id = isAll ? InstrumentID(0) : try desk.replica.instrument(symbol).id
        if isAll, desk.replica.instruments.isEmpty {
            throw Failure("there is no market yet", repair: "see `boursectl instrument add --help`")
        }
        let receipt = try desk.submit(
            SetInstrumentState(instrument: id, state: state, audit: audit))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "symbol": .string(symbol),
                "state": .string("\(state)"),
            ],
            text: ["\(isAll ? "All markets" : symbol): \(effect) \(receipt.text)"])
    }

    static let json = #"JSON: {"sequence", "symbol", "state"}"#
}

struct Halt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Halts a market: orders stay and can only be cancelled.",
        discussion: StateChange.json
            + "\n\nEXAMPLE\n  boursectl halt all --reason \"wallet maintenance\"")
    @OptionGroup var change: StateChange
    func run() throws { try change.run(.halt, "halted, cancels only.") }
}

struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pauses a market: orders enter and leave, none match.",
        discussion: StateChange.json)
    @OptionGroup var change: StateChange
    func run() throws { try change.run(.pause, "paused, no matching.") }
}

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Opens a market for trading.", discussion: StateChange.json)
    @OptionGroup var change: StateChange
    func run() throws { try change.run(.trading, "trading.") }
}

struct PreOpen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preopen", abstract: "Opens a market for orders that rest, without matching.",
        discussion: StateChange.json)
    @OptionGroup var change: StateChange
    func run() throws { try change.run(.preOpen, "pre-open, orders enter and none match.") }
}

struct Close: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Closes a market: nothing enters; orders that are there can be cancelled.",
        discussion: StateChange.json)
    @OptionGroup var change: StateChange
    func run() throws { try change.run(.closed, "closed, cancels only.") }
}

struct Kill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sets or releases the kill switch of an account or of the venue.",
        discussion: """
            On: its open orders are cancelled and no new ones are taken, until it is released by \
            hand. Cancels and administration go on.

            JSON: {"sequence", "account", "killed", "canceled"}; account is null for the venue.

            EXAMPLE
              boursectl kill alice --on --reason "runaway algorithm"
              boursectl kill venue --off --reason "checked by operations"
            """)

    enum Switch: String, EnumerableFlag {
        case on, off

        static func help(for value: Switch) -> ArgumentHelp? {
            value == .on ? "Sets it and cancels what is open." : "Releases it."
        }
    }

    @OptionGroup var common: Common
    @OptionGroup var signature: ReasonedSignature
    @Argument(help: "The account's name, id:NUMBER, or venue.") var account: String
    @Flag var position: Switch

    func run() throws {
        let audit = try signature.audit()
        let desk = try common.exchange().desk(signature.who)
        let isVenue = account == "venue"
        let id = isVenue ? AccountID(0) : try desk.replica.account(account).id
        let (receipt, canceled) = try desk.submitCancels(
            SetKillSwitch(account: id, isOn: position == .on, audit: audit))
        let effect =
            position == .on
            ? "ON; \(Readable.count(canceled)) open orders cancelled, no new ones are taken."
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

struct CancelAll: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel-all", abstract: "Cancels open orders of an account, a market or both.",
        discussion: """
            Without --account and --instrument it cancels every order of the exchange, and wants \
            --everything to say that this is meant.

            JSON: {"sequence", "canceled"}

            EXAMPLE
              boursectl cancel-all --account alice --instrument BTCUSDT --side buy
            """)

    enum Sides: String, ExpressibleByArgument, CaseIterable {
        case buy, sell
    }

    @OptionGroup var common: Common
    @OptionGroup var who: Operator
    @Option(help: "Only this account's orders.") var account: String?
    @Option(help: "Only orders in this market.") var instrument: String?
    @Option(help: "Only this side: buy or sell.") var side: Sides?
    @Flag(help: "All orders of the exchange.") var everything = false

    func validate() throws {
        guard account != nil || instrument != nil || everything else {
            throw ValidationError(
                "Name --account or --instrument, or --everything for all orders of the exchange.")
        }
    }

    func run() throws {
        let desk = try common.exchange().desk(who)
        let accountID = try account.map { try desk.replica.account($0).id } ?? AccountID(0)
        let instrumentID =
            try instrument.map { try desk.replica.instrument($0).id } ?? InstrumentID(0)
        let (receipt, canceled) = try desk.submitCancels(
            MassCancel(
                account: accountID, instrument: instrumentID,
                side: side.map { $0 == .buy ? .buy : .sell }))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "canceled": .number(canceled),
            ], text: ["Cancelled \(Readable.count(canceled)) orders. \(receipt.text)"])
    }
}
