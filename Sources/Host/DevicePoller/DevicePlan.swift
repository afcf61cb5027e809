// What a device is asked for, and its values as text. Pure.

public import SNMP

/// What a device is asked for in every round.
public struct DevicePlan: Hashable, Sendable {
    /// A name with its numbers, without an instance.
    struct Column: Hashable, Sendable {
        var name: String
        var id: ObjectID
    }

    /// A value, by its instance in a column.
    struct Cell: Hashable, Sendable {
        var column: Column
        var instance: UInt32
    }

    /// Single values.
    var values: [Cell] = []
    /// Whole columns.
    var walks: [Column] = []

    /// Maximum number of values that are read of a column.
    public static let rowsMax = 512
    /// Values in a request: as many as fit into a datagram of any agent.
    static let valuesAtOnce = 16

    /// The plan for a kind of device: `ups`, `pdu`, `switch` (of these ports) or `sensors`, with
    /// further columns, each with a name.
    public init(kind: String, ports: [UInt32], walks more: [(name: String, numbers: [UInt32])]) {
        func column(_ name: String, _ base: [UInt32], _ rest: UInt32...) -> Column {
            Column(name: name, id: ObjectID(base + rest))
        }
        // UPS-MIB (RFC 1628), IF-MIB (RFC 2863), ENTITY-SENSOR-MIB (RFC 3433) and ENTITY-MIB
        // (RFC 6933).
        let mib2: [UInt32] = [1, 3, 6, 1, 2, 1]
        let (ups, sensor, table) = (mib2 + [33, 1], mib2 + [99, 1, 1, 1], mib2 + [2, 2, 1])
        let extended = mib2 + [31, 1, 1, 1]
        switch kind {
        case "ups":
            values = [
                column("upsBatteryStatus", ups, 2, 1), column("upsSecondsOnBattery", ups, 2, 2),
                column("upsEstimatedMinutesRemaining", ups, 2, 3),
                column("upsEstimatedChargeRemaining", ups, 2, 4),
                column("upsBatteryTemperature", ups, 2, 7), column("upsOutputSource", ups, 4, 1),
                column("upsAlarmsPresent", ups, 6, 1),
            ].map { Cell(column: $0, instance: 0) }
            walks = [
                column("upsInputVoltage", ups, 3, 3, 1, 3),
                column("upsOutputPercentLoad", ups, 4, 4, 1, 5),
            ]
        case "switch":
            let columns = [
                column("ifName", extended, 1), column("ifAdminStatus", table, 7),
                column("ifOperStatus", table, 8), column("ifHighSpeed", extended, 15),
                column("ifHCInOctets", extended, 6), column("ifHCOutOctets", extended, 10),
                column("ifInDiscards", table, 13), column("ifInErrors", table, 14),
                column("ifOutDiscards", table, 19), column("ifOutErrors", table, 20),
                column("ifLastChange", table, 9),
            ]
            values = ports.flatMap { port in
                columns.map { Cell(column: $0, instance: port) }
            }
        case "pdu":
            // Outlets have no standard: these are the states and names of APC's rPDU2.
            let outlet: [UInt32] = [1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 3, 1]
            if more.isEmpty {
                walks = [column("outletName", outlet, 3), column("outletState", outlet, 5)]
            }
        default:
            walks = [
                column("entPhysicalName", mib2 + [47, 1, 1, 1, 1], 7),
                column("entPhySensorType", sensor, 1), column("entPhySensorScale", sensor, 2),
                column("entPhySensorPrecision", sensor, 3), column("entPhySensorValue", sensor, 4),
                column("entPhySensorOperStatus", sensor, 5),
            ]
        }
        walks += more.map { Column(name: $0.name, id: ObjectID($0.numbers)) }
    }
}

/// A round of requests to a device, and the lines of the values that it returned.
public struct DeviceRound: Sendable {
    /// A request: for these values, or for those after the only name.
    public struct Question: Hashable, Sendable {
        /// The names.
        public var names: [ObjectID]
        /// Whether the values after the only name are asked for.
        public var isWalk: Bool
    }

    /// `name value` for each value.
    public private(set) var lines: [String] = []
    /// The next request; nil: the round is over.
    public private(set) var question: Question?

    private let plan: DevicePlan
    /// Values that were asked for, then columns.
    private var valuesDone = 0
    private var walksDone = 0
    private var rows = 0
    private var isColumnDone = false

    /// A round without values.
    public init(_ plan: DevicePlan) {
        self.plan = plan
        advance()
    }

    /// Takes a value of the response; nil: there is none of that name.
    public mutating func take(_ name: ObjectID, _ value: MIBValue?) {
        guard let question else { return }
        guard question.isWalk else {
            guard let value, let index = question.names.firstIndex(of: name) else { return }
            let asked = plan.values[valuesDone - question.names.count + index]
            add(asked.column, name, value)
            return
        }
        let column = plan.walks[walksDone]
        // Names that do not ascend end the column.
        guard let value, !isColumnDone, rows < DevicePlan.rowsMax,
            name.numbers.starts(with: column.id.numbers), name > (question.names.first ?? name)
        else {
            isColumnDone = true
            return
        }
        rows += 1
        self.question?.names = [name]
        add(column, name, value)
    }

    /// The response is complete.
    public mutating func answered() {
        guard let question else { return }
        // A response without a new value would be asked for again without end.
        if question.isWalk, rows == rowsBefore { isColumnDone = true }
        if question.isWalk, isColumnDone {
            walksDone += 1
            rows = 0
        }
        if !question.isWalk || isColumnDone { advance() } else { rowsBefore = rows }
    }

    private var rowsBefore = 0

    private mutating func advance() {
        (isColumnDone, rowsBefore) = (false, 0)
        if valuesDone < plan.values.count {
            let next = plan.values[valuesDone...].prefix(DevicePlan.valuesAtOnce)
            valuesDone += next.count
            question = Question(
                names: next.map { $0.column.id.appending($0.instance) }, isWalk: false)
        } else if walksDone < plan.walks.count {
            question = Question(names: [plan.walks[walksDone].id], isWalk: true)
        } else {
            question = nil
        }
    }

    private mutating func add(_ column: DevicePlan.Column, _ name: ObjectID, _ value: MIBValue) {
        let instance = name.numbers.dropFirst(column.id.numbers.count).map { String($0) }
        let text =
            switch value {
            case .integer(let number): String(number)
            case .gauge(let number), .counter32(let number): String(number)
            case .counter64(let number): String(number)
            case .octets(let bytes): Self.text(bytes)
            case .objectID(let id): id.description
            }
        lines.append("\(([column.name] + instance).joined(separator: ".")) \(text)")
    }

    /// A device's text on one line, at most 255 bytes.
    static func text(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes.prefix(255), as: UTF8.self)
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }
}
