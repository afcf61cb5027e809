// Which symbols a request about several wants. Source: Binance Spot API documentation, "Exchange
// information" and the tickers.

import Engine
import JSON
import Terms

/// `symbolStatus`: only symbols in this state.
public struct SymbolStatus: Hashable, Sendable {
    private let word: String

    /// The state that a request names; nil: it names none. Throws -1130.
    public init?(_ parameters: Parameters) throws(APIError) {
        guard let word = parameters[.symbolStatus] else { return nil }
        guard InstrumentState.allCases.contains(where: { $0.word == word }) else {
            throw .invalid(Parameter.symbolStatus.name)
        }
        self.word = word
    }

    /// Whether a symbol is in it.
    public func holds(_ units: InstrumentUnits) -> Bool { units.view.state.word == word }

    /// Throws -1220 for a symbol, the only one that is asked for, which is not in it.
    public func check(_ units: InstrumentUnits) throws(APIError) {
        guard holds(units) else { throw .symbolStatusMismatch }
    }
}

extension Parameters {
    /// Whether `permissions`, one or a JSON list, has the spot market, which is all there is; nil
    /// when it was not sent. Throws -1130.
    public func permitsSpot() throws(APIError) -> Bool? {
        guard let text = self[.permissions] else { return nil }
        guard text.hasPrefix("[") else { return text == "SPOT" }
        guard case .array(let items) = JSONValue(parsing: Array(text.utf8)) else {
            throw .invalid(Parameter.permissions.name)
        }
        return items.contains { $0 == .string("SPOT") }
    }

    /// Reads `timeZone`, as `0`, `+00:00` or `0:00`. Throws -1130 for any other than UTC.
    public func timeZone() throws(APIError) {
        guard let text = self[.timeZone] else { return }
        let digits = text.hasPrefix("+") || text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard ["0", "00", "0:00", "00:00"].contains(digits) else {
            throw .invalid(Parameter.timeZone.name)
        }
    }
}
