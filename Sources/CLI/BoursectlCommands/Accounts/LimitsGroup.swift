// limits, and what its verbs share.

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct LimitsGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits", abstract: "Limits of accounts and of the exchange.",
        discussion: """
            `default` in place of an account means all accounts without limits of their own.
            """,
        subcommands: [LimitsSetCommand.self, LimitsShowCommand.self, LimitsRaiseCommand.self])
}

/// The limits of one order in one market.
struct OrderSize {
    let instrument: InstrumentView
    var quantity = Quantity.zero
    var notional = Amount.zero
    /// Whether they are the default's, since the account has none of its own there.
    var isDefault = false

    /// The limits that apply to an account in a market.
    init(_ account: AccountID, _ instrument: InstrumentView, _ replica: ExchangeReplica) {
        self.instrument = instrument
        guard let row = replica.engine.orderLimits(account, instrument.id) else { return }
        (quantity, notional) = (row.orderQuantityMax, row.orderNotionalMax)
        isDefault = row.account != account
    }

    /// As JSON; null means no limit.
    func json(_ replica: ExchangeReplica) -> JSONValue {
        let grid = replica.grid(instrument)
        return [
            "symbol": .string("\(instrument.symbol)"),
            "orderQty": quantity == .zero ? .null : .string(grid.text(quantity)),
            "orderNotional": notional == .zero
                ? .null : .string("\(replica.number(notional, instrument.quote))"),
            "default": .bool(isDefault),
        ]
    }

    /// As text.
    func text(_ replica: ExchangeReplica) -> String {
        let grid = replica.grid(instrument)
        var parts: [String] = []
        if quantity != .zero {
            parts.append("\(grid.grouped(quantity)) \(replica.code(instrument.base))")
        }
        if notional != .zero {
            parts.append(
                "\(replica.number(notional, instrument.quote).grouped()) "
                    + replica.code(instrument.quote))
        }
        if parts.isEmpty { return "no limit" }
        return "at most " + parts.joined(separator: " and ") + (isDefault ? " (default)" : "")
    }

    /// Those of an account in all markets that have some.
    static func all(_ account: AccountID, _ replica: ExchangeReplica) -> [OrderSize] {
        replica.instruments.map { OrderSize(account, $0, replica) }
            .filter { $0.quantity != .zero || $0.notional != .zero }
    }
}
