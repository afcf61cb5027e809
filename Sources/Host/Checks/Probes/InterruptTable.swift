// /proc/interrupts and /proc/softirqs: what ran on which CPU, proc_interrupts(5).

package import HelperAPI

/// `/proc/interrupts` or `/proc/softirqs`: a line a kind, a column a CPU that is online.
package struct InterruptTable {
    /// A line.
    package struct Row {
        /// Before the colon: a number, or letters for the kernel's own.
        package var label: String
        /// Behind the columns: the chip, and at the end the device's name.
        package var name: String
        /// Counts, in the order of the table's CPUs; fewer where the line has fewer.
        package var counts: [Int64] = []

        /// Reads a line byte by byte: on a large host there are 100,000 counts each second.
        init?(_ line: ArraySlice<UInt8>, _ isWanted: [Bool]) {
            guard let colon = line.firstIndex(of: 0x3A) else { return nil }
            label = String(decoding: line[..<colon], as: UTF8.self).trimming.description
            var at = colon + 1
            func skip() { while at < line.endIndex, line[at] == 0x20 { at += 1 } }
            skip()
            for isWanted in isWanted where at < line.endIndex {
                var value: Int64 = 0
                let start = at
                // Columns of other CPUs are skipped, not converted.
                while at < line.endIndex, 0x30...0x39 ~= line[at] {
                    if isWanted {
                        let (tens, isLarge) = value.multipliedReportingOverflow(by: 10)
                        let (sum, isLarger) = tens.addingReportingOverflow(Int64(line[at] - 0x30))
                        if isLarge || isLarger { return nil }
                        value = sum
                    }
                    at += 1
                }
                guard at > start, at == line.endIndex || line[at] == 0x20 else { return nil }
                if isWanted { counts.append(value) }
                skip()
            }
            name = String(decoding: line[at...], as: UTF8.self)
        }
    }

    /// The lines.
    package var rows: [Row] = []
    /// The CPUs whose columns were read.
    private var cpus: [Int] = []

    /// Reads the columns of some CPUs, or of all; nil where it is no table.
    package init?(_ text: String?, on wanted: CPUSet? = nil) {
        // Of an array, not of the text: walking a text byte by byte takes ten times as long.
        var rest = Array((text ?? "").utf8)[...]
        func line() -> ArraySlice<UInt8> {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            defer { rest = rest[end...].dropFirst() }
            return rest[..<end]
        }
        let head = String(decoding: line(), as: UTF8.self)
        guard !head.words.isEmpty else { return nil }
        var isWanted: [Bool] = []
        for word in head.words {
            guard word.hasPrefix("CPU"), let cpu = Int(word.dropFirst(3)) else { return nil }
            isWanted.append(wanted?.contains(cpu) != false)
            if isWanted.last == true { cpus.append(cpu) }
        }
        while !rest.isEmpty {
            let line = line()
            guard !line.isEmpty else { continue }
            guard let row = Row(line, isWanted) else { return nil }
            rows.append(row)
        }
    }

    /// A line's count on a CPU; 0 where it has no such column.
    package func count(_ row: Row, on cpu: Int) -> Int64 {
        guard let index = cpus.firstIndex(of: cpu), index < row.counts.count else { return 0 }
        return row.counts[index]
    }

    /// The sum of the chosen lines on a CPU; nil where the CPU has no column or it does not fit.
    package func sum(on cpu: Int, _ isChosen: (Row) -> Bool) -> Int64? {
        guard cpus.contains(cpu), !rows.isEmpty else { return nil }
        return Observation.sum(rows.filter(isChosen).map { count($0, on: cpu) })
    }
}

extension InterruptTable {
    static let interrupts = "/proc/interrupts"
    static let softirqs = "/proc/softirqs"
}

extension InterruptTable.Row {
    /// Whether a device has it; the kernel's own have letters.
    package var isDevice: Bool { label.utf8.allSatisfy { 0x30...0x39 ~= $0 } }

    /// Whether the kernel placed it itself and rejects a move: the queues of NVMe
    /// disks and of virtio disks.
    package var isManaged: Bool {
        let device = name.split(separator: " ").last ?? ""
        return device.hasPrefix("nvme") && device.contains("q") && !device.hasSuffix("q0")
            || device.hasPrefix("virtio") && device.contains("-req.")
    }
}
