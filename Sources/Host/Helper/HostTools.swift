// Requests that system calls or other programs carry out.

import HelperAPI
import JSON
import Platform

/// Queues of network interfaces: ethtool's ioctl (linux/ethtool.h).
enum NetworkDevice {
    /// Sets the combined queues, or where a device has none, those of each direction; gives how
    /// many there were.
    static func setChannels(_ nic: String, _ count: Int) throws(HelperFailure) -> Int {
        try attempt { () throws(SystemError) in
            var channels = try EthernetChannels(interface: nic)
            let isCombined = channels.combinedMax > 0
            let most = isCombined ? channels.combinedMax : min(channels.rxMax, channels.txMax)
            let old = isCombined ? channels.combined : channels.rx
            guard count <= most else {
                return .failure(.refused("\(nic) has at most \(most) queues"))
            }
            guard old != count else { return .success(old) }
            if isCombined {
                channels.combined = count
            } else {
                channels.rx = count
                channels.tx = count
            }
            try channels.set(interface: nic)
            return .success(old)
        }
    }
}

/// The address under which clients reach the primary: added and removed by ip(8).
enum ServiceAddress {
    static func set(
        adds: Bool, _ address: String, _ nic: String
    ) throws(HelperFailure) -> HelperAnswer {
        let shown = try run(["-o", "address", "show", "dev", nic])
        let isThere = shown.split(separator: "\n").contains { line in
            line.split(separator: " ").contains { $0 == address }
        }
        guard isThere != adds else { return HelperAnswer() }
        _ = try run(["address", adds ? "add" : "delete", address, "dev", nic])
        return HelperAnswer(undo: .serviceAddress(adds: !adds, address: address, nic: nic))
    }

    private static func run(_ arguments: [String]) throws(HelperFailure) -> String {
        let done = try attempt { () throws(SystemError) in
            .success(try Program.run("/usr/sbin/ip", arguments, secondsMax: 5))
        }
        guard done.status == 0 else {
            throw .failed(done.errors.split(separator: "\n").first.map(String.init) ?? "ip failed")
        }
        return done.output
    }
}

/// A disk's own account of its health: smartctl(8), which knows the disks.
enum DiskHealth {
    /// Lines `key value` (NVMe) or `id name value worst threshold raw` (ATA), after a first line
    /// that says which: `nvme` or `ata`.
    static func read(_ disk: String) throws(HelperFailure) -> [String] {
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
                error.isMissing
                    ? "smartctl is not there: install smartmontools" : error.description)
        }
        return try lines(JSONValue(parsing: done.output.utf8))
    }

    /// What smartctl's JSON says. Its exit status has bits for a failing disk as well, so it is the
    /// text that counts.
    static func lines(_ report: JSONValue?) throws(HelperFailure) -> [String] {
        guard let report else { throw .failed("smartctl's answer is not understood") }
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
        else { throw .refused("the disk tells nothing of its health") }
        throw .refused(first)
    }
}
