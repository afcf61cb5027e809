// The health of disks, by smartctl(8).

import JSON
import Platform

/// A disk's health as it reports it itself, by smartctl(8).
enum SMARTHealth {
    /// Lines `key value` (NVMe) or `id name value worst threshold raw` (ATA), after a first line
    /// with the kind: `nvme` or `ata`.
    static func read(_ disk: String) throws(HelperError) -> [String] {
        guard Directory.exists("/sys/class/block/\(disk)") else {
            throw .refused("there is no disk \(disk)")
        }
        let done: Program.Result
        do throws(SystemError) {
            done = try Program.run(
                "/usr/sbin/smartctl", ["--json=c", "--health", "--attributes", "/dev/\(disk)"],
                secondsMax: 20)
        } catch {
            throw .failed(
                error.isMissing ? "smartctl is missing: install smartmontools" : error.description)
        }
        return try lines(JSONValue(parsing: done.output.utf8))
    }

    /// The lines of smartctl's JSON. Its exit status has bits for a failing disk as well, so only
    /// the text counts.
    static func lines(_ report: JSONValue?) throws(HelperError) -> [String] {
        guard let report else { throw .failed("smartctl's output cannot be parsed") }
        if let log = report["nvme_smart_health_information_log"], case .object(let all) = log {
            return ["nvme"]
                + all.compactMap { member in member.value.whole.map { "\(member.name) \($0)" } }
        }
        if case .array(let table) = report["ata_smart_attributes"]?["table"] {
            var lines = ["ata"]
            if case .bool(let passed) = report["smart_status"]?["passed"] {
                lines.append("health \(passed ? "passed" : "failed")")
            }
            for row in table {
                guard let id = row["id"]?.whole, let name = row["name"]?.text,
                    let value = row["value"]?.whole, let worst = row["worst"]?.whole,
                    let threshold = row["thresh"]?.whole, let raw = row["raw"]?["value"]?.whole,
                    !name.contains(" ")
                else { continue }
                lines.append("\(id) \(name) \(value) \(worst) \(threshold) \(raw)")
            }
            return lines
        }
        guard case .array(let messages) = report["smartctl"]?["messages"],
            let first = messages.first?["string"]?.text
        else { throw .refused("the disk reports no health") }
        throw .refused(first)
    }
}
