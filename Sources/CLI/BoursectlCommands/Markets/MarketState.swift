// halt, pause, resume, preopen, close

import ArgumentParser
import Engine
import JSON
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
