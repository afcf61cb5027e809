// What disks report of their own health. Numbers 321 … 339.

import AgentAPI

extension CheckKind {
    static let nvmeWarning = CheckKind(
        321, "disk.nvme-warning", unit: "flags",
        why: "The disk itself reports that it cannot be relied upon.")
    static let spare = CheckKind(
        322, "disk.spare", unit: "percent", warning: 20, critical: 10, isWorseBelow: true,
        why: "Blocks that fail are replaced from the spare ones; without them writes fail.")
    static let wear = CheckKind(
        323, "disk.wear", unit: "percent", warning: 80, critical: 95,
        why: "The share of its life that the disk has used, by its maker's estimate.")
    static let mediaErrors = CheckKind(
        324, "disk.media-errors", unit: "errors", warning: 1, critical: 100,
        why: "Data could not be read back as it was written.")
    static let diskTemperature = CheckKind(
        325, "disk.temperature", unit: "degrees-celsius", warning: 65, critical: 75,
        why: "A hot disk slows itself down, then fails early.")
    static let smart = CheckKind(
        331, "disk.smart", why: "By its own attributes the disk is failing, or is about to.")
    static let sectors = CheckKind(
        332, "disk.sectors", unit: "sectors", warning: 1, critical: 10,
        why: "Reallocated or unreadable sectors are the first sign of a failing disk.")
}

extension CheckGroup {
    /// Health logs, read by the helper.
    static let diskHealth = CheckGroup(
        "disk.health", seconds: 600,
        kinds: [
            .nvmeWarning, .spare, .wear, .mediaErrors, .diskTemperature, .smart, .sectors,
        ], sources: ["/sys/block/{disk}/ro", NVMeHealth.path("{disk}"), ATAHealth.path("{disk}")]
    ) { input in
        input.now.disks.flatMap { disk -> [Finding] in
            // The disks of virtual machines have no health of their own.
            if disk.hasPrefix("nvme") || input.now.text(NVMeHealth.path(disk)) != nil {
                return NVMeCheck(input: input, disk: disk).findings
            }
            if disk.hasPrefix("sd") || input.now.text(ATAHealth.path(disk)) != nil {
                return ATACheck(input: input, disk: disk).findings
            }
            return []
        }
    }
}

/// The fix for a failing disk.
private func replacing(_ disk: String) -> Fix {
    .advice(["boursectl switchover, where this host is the primary", "replace the disk \(disk)"])
}

private struct NVMeCheck {
    let input: CheckInput
    let disk: String
    let health: NVMeHealth

    init(input: CheckInput, disk: String) {
        (self.input, self.disk) = (input, disk)
        health = NVMeHealth(input.now.text(NVMeHealth.path(disk)) ?? "")
    }

    var findings: [Finding] {
        [
            warning, spare,
            value(.wear, health.percentUsed) { "\(disk) has used \($0) % of its life" },
            value(.mediaErrors, health.mediaErrors) {
                "\(disk) has had \(some($0, "media error"))"
            }, temperature,
        ]
    }

    private var source: String { NVMeHealth.path(disk) }

    private func value(_ kind: CheckKind, _ value: Int64?, _ text: (Int64) -> String) -> Finding {
        guard let value else { return input.unknown(kind, disk, source: source) }
        return input.finding(
            kind, disk, value: value, text(value), source: source, fix: replacing(disk))
    }

    /// The bits of Critical Warning, as the specification has them.
    private var warning: Finding {
        guard let flags = health.warnings else {
            return input.unknown(.nvmeWarning, disk, source: source)
        }
        let meanings = [
            "its spare is low", "its temperature is out of range", "it is unreliable",
            "it is read-only", "its backup power failed", "its persistent memory is read-only",
        ]
        var said = meanings.indices.filter { flags >> $0 & 1 == 1 }.map { meanings[$0] }
        if flags >> 6 != 0 { said.append("flags \(flags)") }
        return Finding(
            .nvmeWarning, disk, flags == 0 ? .ok : .critical, value: flags,
            flags == 0
                ? "\(disk) reports no warning" : "\(disk) reports: \(said.joined(separator: ", "))",
            source: source, fix: flags == 0 ? nil : replacing(disk))
    }

    /// Compared with the disk's own threshold as well.
    private var spare: Finding {
        guard let spare = health.spare else { return input.unknown(.spare, disk, source: source) }
        let own = health.spareMin ?? 0
        var finding = value(.spare, spare) {
            "\(disk) has \($0) % of its spare blocks left, its maker's limit is \(own) %"
        }
        if spare < own {
            finding.state = .critical
            finding.fix = replacing(disk)
        }
        return finding
    }

    private var temperature: Finding {
        guard let kelvin = health.temperature else {
            return input.unknown(.diskTemperature, disk, source: source)
        }
        return input.finding(
            .diskTemperature, disk, value: kelvin - 273, "\(disk) is at \(kelvin - 273) °C",
            source: source, fix: .advice(["check fans and airflow around \(disk)"]))
    }
}

private struct ATACheck {
    let input: CheckInput
    let disk: String

    private var source: String { ATAHealth.path(disk) }

    var findings: [Finding] {
        guard let health = input.now.text(source).flatMap({ ATAHealth($0) }) else {
            return [.smart, .sectors, .diskTemperature].map {
                input.unknown($0, disk, source: source)
            }
        }
        let attributes = health.attributes
        let low = attributes.keys.sorted().compactMap { attributes[$0] }
            .filter { $0.threshold > 0 && $0.value <= $0.threshold }.map(\.name)
        let isRight = health.hasPassed && low.isEmpty
        var all = [
            input.verdict(
                .smart, disk, isRight: isRight, wrong: .critical,
                isRight
                    ? "\(disk) passes its own test"
                    : low.isEmpty
                        ? "\(disk) fails its own test"
                        : "\(disk) is below its limit in \(low.joined(separator: ", "))",
                source: source, fix: replacing(disk))
        ]
        // Reallocated, pending, and uncorrectable sectors.
        let counts = [5, 197, 198].compactMap { attributes[$0]?.raw }
        if !counts.isEmpty, let sum = Observation.sum(counts) {
            all.append(
                input.finding(
                    .sectors, disk, value: sum,
                    "\(disk) has \(some(sum, "reallocated or unreadable sector"))",
                    source: source, fix: replacing(disk)))
        }
        // The lowest byte is the temperature; others may hold its extremes.
        if let raw = attributes[194]?.raw ?? attributes[190]?.raw {
            all.append(
                input.finding(
                    .diskTemperature, disk, value: raw & 255, "\(disk) is at \(raw & 255) °C",
                    source: source, fix: .advice(["check fans and airflow around \(disk)"])))
        }
        return all
    }
}
