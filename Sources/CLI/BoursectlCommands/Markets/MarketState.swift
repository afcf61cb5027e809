// halt, pause, resume, preopen, close

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

/// The arguments of a change of a market's state.
struct StateChangeOptions: ParsableArguments {
    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: ReasonedSignatureOptions
    @Argument(help: "The market's symbol, or all.") var symbol: String

    /// Makes the change.
    func run(_ state: InstrumentState, _ effect: String) throws {
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let isAll = symbol == "all"
        let id = isAll ? InstrumentID(0) : try session.replica.instrument(symbol).id
        if isAll, session.replica.instruments.isEmpty {
            throw CommandError(
                "there are no markets yet", repair: "see `boursectl instrument add --help`")
        }
        let receipt = try session.submit(
            SetInstrumentState(instrument: id, state: state, audit: audit))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "symbol": .string(symbol),
                "state": .string("\(state)"),
            ], text: ["\(isAll ? "All markets" : symbol): \(effect) \(receipt.text)"])
    }

    static let json = #"JSON: {"sequence", "symbol", "state"}"#
}

struct HaltCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt", abstract: "Halts a market: orders stay and can only be cancelled.",
        discussion: StateChangeOptions.json
            + "\n\nEXAMPLE\n  boursectl halt all --reason \"wallet maintenance\"")
    @OptionGroup var change: StateChangeOptions
    func run() throws { try change.run(.halt, "halted, cancels only.") }
}

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Pauses a market: orders are accepted and cancelled, none match.",
        discussion: StateChangeOptions.json)
    @OptionGroup var change: StateChangeOptions
    func run() throws { try change.run(.pause, "paused, no matching.") }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Opens a market for trading.",
        discussion: StateChangeOptions.json)
    @OptionGroup var change: StateChangeOptions
    func run() throws { try change.run(.trading, "trading.") }
}

struct PreOpenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preopen", abstract: "Opens a market for resting orders, without matching.",
        discussion: StateChangeOptions.json)
    @OptionGroup var change: StateChangeOptions
    func run() throws { try change.run(.preOpen, "pre-open, orders are accepted and none match.") }
}

struct CloseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Closes a market: orders stay and can only be cancelled.",
        discussion: StateChangeOptions.json)
    @OptionGroup var change: StateChangeOptions
    func run() throws { try change.run(.closed, "closed, cancels only.") }
}
