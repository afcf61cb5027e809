// /probe/units: the units of the exchange and irqbalance's, as systemd reports them.

/// One unit, org.freedesktop.systemd1(5). What systemd does not know is nil.
package struct UnitStatus: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/units"
    /// irqbalance moves interrupts: checks look for it.
    package static let irqBalance = "irqbalance.service"
    /// The largest number of a process, proc_sys_kernel(5).
    private static let processMax: Int64 = 4_194_304

    package var name: String
    /// LoadState, ActiveState and SubState.
    package var load, active, sub: String
    /// The main process; 0: none.
    package var process: Int64
    /// How often systemd restarted it since an operator started it.
    package var restarts: Int64?
    /// The watchdog's period; 0: none.
    package var watchdogMicros: Int64?
    /// The last change of state, since 1970.
    package var sinceMicros: Int64?
    package var memoryBytes: Int64?
    package var cpuNanos: Int64?
    /// The daemon's own status, in one line.
    package var status = ""

    /// A unit in these states.
    package init(
        _ name: String, _ state: (load: String, active: String, sub: String, process: UInt64)
    ) {
        self.name = name
        (load, active, sub) = (state.load, state.active, state.sub)
        process = Int64(clamping: state.process)
    }

    /// A number of systemd's, whose largest means none.
    package static func known(_ number: UInt64) -> Int64? { Int64(exactly: number) }

    /// Reads `name load active sub pid restarts watchdog since memory cpu status…`; nil where one
    /// of the first seven is missing, or there can be no such process.
    package init?(line: Substring) {
        let words = line.split(maxSplits: 10) { $0 == " " || $0 == "\t" }
        guard words.count >= 7, let process = Int64(words[4]), 0...Self.processMax ~= process
        else { return nil }
        func number(_ index: Int) -> Int64? {
            index < words.count ? Observation.count(words[index]) : nil
        }
        (name, load) = (String(words[0]), String(words[1]))
        (active, sub) = (String(words[2]), String(words[3]))
        self.process = process
        (restarts, watchdogMicros, sinceMicros) = (number(5), number(6), number(7))
        (memoryBytes, cpuNanos) = (number(8), number(9))
        status = words.count > 10 ? String(words[10]) : ""
    }

    /// The line that `init(line:)` reads.
    package var line: String {
        func text(_ number: Int64?) -> String { number.map { "\($0)" } ?? "-" }
        let numbers = [restarts, watchdogMicros, sinceMicros, memoryBytes, cpuNanos].map(text)
        let status = String(status.map { $0.isNewline ? " " : $0 })
        return "\(name) \(load) \(active) \(sub) \(process) \(numbers.joined(separator: " ")) "
            + "\(status)\n"
    }

    /// The units by name; lines that cannot be read are left out.
    package static func table(_ text: String) -> [String: UnitStatus] {
        let all = text.lines.compactMap { UnitStatus(line: $0) }
        return Dictionary(all.map { ($0.name, $0) }) { _, last in last }
    }
}

extension Observation {
    /// The units by name; none when systemd does not answer.
    var units: [String: UnitStatus] { text(UnitStatus.path).map(UnitStatus.table) ?? [:] }
}
