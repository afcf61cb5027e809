// /probe/ipmi: the sensors of the board's controller, as `ipmi-sensors --comma-separated-output
// --no-header-output --output-sensor-state` prints them.

import AgentAPI

/// A sensor: `id,name,type,state,reading,units,event`.
package struct BoardSensor: Hashable, Sendable {
    /// Where it is read.
    static let path = "/probe/ipmi"

    package var name: String
    package var isSupply: Bool
    var state: CheckState
    /// Its value with its unit.
    package var reading: String
    package var event: String

    /// Nil where a column is missing.
    package init?(line: Substring) {
        let columns = line.split(separator: ",", omittingEmptySubsequences: false).map(\.trimming)
        guard columns.count >= 7, Observation.count(columns[0]) != nil else { return nil }
        name = String(columns[1])
        isSupply = columns[2] == "Power Supply"
        state =
            switch columns[3] {
            case "Nominal": .ok
            case "Warning": .warning
            case "Critical": .critical
            default: .unknown
            }
        reading = "\(columns[4]) \(columns[5])"
        event = String(columns[6])
    }

    /// All sensors; nil where a line cannot be read, or there is none.
    package static func all(_ text: String) -> [BoardSensor]? {
        let lines = text.lines
        let all = lines.compactMap { BoardSensor(line: $0) }
        return all.isEmpty || all.count < lines.count ? nil : all
    }
}
