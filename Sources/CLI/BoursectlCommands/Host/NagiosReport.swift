// Checks as monitoring plugins write them.

import AgentAPI
import Presentation

/// The output of monitoring plugins (https://www.monitoring-plugins.org/doc/guidelines.html).
enum NagiosReport {
    /// Their exit status.
    static func status(_ state: CheckState) -> Int32 {
        switch state {
        case .ok: 0
        case .warning: 1
        case .critical: 2
        case .unknown: 3
        }
    }

    /// The line of the worst check with performance data, and a line for each other check that is
    /// not ok. `checks` begin with the worst.
    static func lines(_ checks: [ReportedCheck]) -> [String] {
        let wrong = checks.filter { $0.state != .ok }
        let worst = checks.first?.state ?? .unknown
        let summary =
            wrong.isEmpty
            ? "\(checks.count) checks are ok"
            : "\(wrong.count) of \(checks.count) checks are not ok: \(clean(wrong[0]))"
        let data = checks.compactMap(performance)
        let first = "BOURSE \(worst.name.uppercased()) - \(summary)"
        return [data.isEmpty ? first : "\(first) | \(data.joined(separator: " "))"]
            + wrong.dropFirst().map { "\($0.state.name): \(clean($0))" }
    }

    private static func clean(_ check: ReportedCheck) -> String {
        Table.printable("\(check.name): \(check.text)").replacing("|", with: "/")
    }

    private static func performance(_ check: ReportedCheck) -> String? {
        guard let value = check.value else { return nil }
        let label = check.name.replacing("'", with: "").replacing("=", with: "-")
        let unit = check.unit == "percent" ? "%" : ""
        let marks = [check.thresholds.warning, check.thresholds.critical]
            .map { $0.map { "\($0)" } ?? "" }
        return "'\(label)'=\(value)\(unit);\(marks[0]);\(marks[1])"
    }
}
