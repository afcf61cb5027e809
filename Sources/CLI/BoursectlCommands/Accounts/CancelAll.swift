// cancel-all

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct CancelAllCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel-all", abstract: "Cancels open orders of an account, a market or both.",
        discussion: """
            Without --account and --instrument it cancels every order of the exchange, and \
            requires --everything.

            JSON: {"sequence", "canceled"}

            EXAMPLE
              boursectl cancel-all --account alice --instrument BTCUSDT --side buy
            """)

    enum Sides: String, ExpressibleByArgument, CaseIterable {
        case buy, sell
    }

    @OptionGroup var common: CommonOptions
    @OptionGroup var who: OperatorOption
    @Option(help: "Only this account's orders.") var account: String?
    @Option(help: "Only orders in this market.") var instrument: String?
    @Option(help: "Only this side: buy or sell.") var side: Sides?
    @Flag(help: "All orders of the exchange.") var everything = false

    func validate() throws {
        guard account != nil || instrument != nil || everything else {
            throw ValidationError(
                "Give --account or --instrument, or --everything for all orders of the exchange.")
        }
    }

    func run() throws {
        let session = try common.exchange().session(who)
        let accountID = try account.map { try session.replica.account($0).id } ?? AccountID(0)
        let instrumentID =
            try instrument.map { try session.replica.instrument($0).id } ?? InstrumentID(0)
        let (receipt, canceled) = try session.submitCancels(
            MassCancel(
                account: accountID, instrument: instrumentID,
                side: side.map { $0 == .buy ? .buy : .sell }))
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "canceled": .number(canceled),
            ], text: ["Cancelled \(Readable.count(canceled)) orders. \(receipt.text)"])
    }
}
