// /proc/pressure: how long tasks wait for resources (Documentation/accounting/psi.rst).

/// The pressure on a resource.
package enum PressureReading {
    /// The share of the last ten seconds in which some task waited, per mille: `avg10` of the line
    /// `some`. Nil where it cannot be read.
    package static func someTenSeconds(_ text: String) -> Int64? {
        let line = text.lines.first { $0.hasPrefix("some ") }
        let average = line?.words.first { $0.hasPrefix("avg10=") }?.dropFirst(6)
        guard let value = average.flatMap({ Observation.decimal($0, digits: 1) }), value >= 0
        else { return nil }
        return value
    }
}
