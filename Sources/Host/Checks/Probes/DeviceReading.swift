// What was read of another device over SNMP: UPS-MIB (RFC 1628), IF-MIB (RFC 2863) or
// ENTITY-SENSOR-MIB (RFC 3433), and what its declaration adds.

/// The reading of a device: `time` in nanoseconds since 1970, then `name value` for each object,
/// or `error why`; `feed NAME` and `outlets NUMBER…` of its declaration.
package struct DeviceReading: Sendable {
    /// Seconds after which a reading is stale.
    static let secondsMax: Int64 = 60

    /// Where it was read.
    package let path: String
    private let values: [String: Substring]

    /// Reads the text at a path.
    package init(_ text: String, path: String) {
        self.path = path
        let pairs = text.lines.compactMap { line -> (String, Substring)? in
            guard let end = line.utf8.firstIndex(of: 0x20) else { return nil }
            return (String(line[..<end]), line[end...].dropFirst())
        }
        values = Dictionary(pairs) { _, last in last }
    }

    /// A value, as `ifName.3`.
    package func text(_ name: String) -> Substring? { values[name] }
    /// A whole number.
    package func number(_ name: String) -> Int64? { values[name].flatMap { Int64($0) } }
    /// Whether any object's name begins so.
    package func hasObjects(_ start: String) -> Bool {
        values.keys.contains { $0.hasPrefix(start) }
    }

    /// The outlets that feed this host.
    package var outlets: [Substring] { values["outlets"]?.words ?? [] }

    /// The instances of a column, in their order.
    package func instances(_ column: String) -> [String] {
        values.keys.filter { $0.hasPrefix(column + ".") }
            .map { String($0.dropFirst(column.count + 1)) }
            .sorted { (Int($0) ?? 0, $0) < (Int($1) ?? 0, $1) }
    }
}

extension Observation {
    /// The reading of a device; nil when there is none.
    func device(_ name: String, _ devices: HostPlan.Devices) -> DeviceReading? {
        let path = "\(devices.readings)/\(name)"
        return text(path).map { DeviceReading($0, path: path) }
    }
}
