// The terms of an asset's network, as operators give and read them.

package import JSON
package import Presentation
import Terms
package import Wire

/// A network's terms with the asset's code and scale.
package struct NetworkTerms {
    /// The terms.
    package let terms: SetNetwork
    private let code: String
    private let scale: Int

    /// Terms of an asset.
    package init(_ terms: SetNetwork, code: String, scale: UInt8) {
        (self.terms, self.code, self.scale) = (terms, code, Int(scale))
    }

    private func number(_ amount: Amount) -> DecimalNumber {
        DecimalNumber(units: amount.units, scale: scale)
    }

    /// How many operators have to approve which withdrawals.
    package var approvals: String {
        if terms.approvals == 0 { return "none" }
        return "\(terms.approvals) "
            + (terms.approvalsAbove == .zero
                ? "always" : "above \(number(terms.approvalsAbove).grouped()) \(code)")
    }

    /// Each term with its text.
    package var facts: [(name: String, text: String)] {
        func isOpen(_ flag: Bool) -> String { flag ? "open" : "closed" }
        return [
            ("name", "\(terms.name)"), ("confirmations", "\(terms.confirmations)"),
            ("minimum", "\(number(terms.minimum).grouped()) \(code)"),
            ("fee", "\(number(terms.fee).grouped()) \(code)"), ("approvals", approvals),
            ("deposits", isOpen(terms.takesDeposits)),
            ("withdrawals", isOpen(terms.takesWithdrawals)),
        ]
    }

    /// As JSON.
    package var json: JSONValue {
        [
            "asset": .string(code), "chain": .number(terms.network.number),
            "name": .string("\(terms.name)"), "confirmations": .number(terms.confirmations),
            "minimum": .string("\(number(terms.minimum))"), "fee": .string("\(number(terms.fee))"),
            "approvals": .number(terms.approvals),
            "approvalsAbove": .string("\(number(terms.approvalsAbove))"),
            "deposits": .bool(terms.takesDeposits), "withdrawals": .bool(terms.takesWithdrawals),
        ]
    }

    /// The terms, and where they were others before, those beside them.
    package func lines(before: NetworkTerms?, _ ink: Ink) -> [String] {
        guard let before else {
            var all = Facts()
            for fact in facts { all.add(fact.name, fact.text) }
            return all.lines(ink)
        }
        var table = Table([.words("TERM"), .words("BEFORE"), .words("NOW")])
        for (old, new) in zip(before.facts, facts) {
            table.add([new.name, old.text, old.text == new.text ? "" : new.text])
        }
        return table.lines(ink)
    }
}
