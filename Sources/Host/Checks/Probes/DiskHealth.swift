// /probe/nvme/DISK and /probe/ata/DISK: what disks report of their own health.

/// The SMART / Health log page of an NVMe disk (NVM Express Base Specification, page 02h). What is
/// missing is nil.
package struct NVMeHealth: Hashable, Sendable {
    /// Where the disks are.
    package static let directory = "/probe/nvme"
    /// Where it is read.
    package static func path(_ disk: String) -> String { "\(directory)/\(disk)" }

    /// The bits of Critical Warning.
    package var warnings: Int64?
    /// In kelvin.
    package var temperature: Int64?
    /// In percent, with the maker's own threshold.
    package var spare, spareMin: Int64?
    /// The part of its life that is used, in percent.
    package var percentUsed: Int64?
    package var mediaErrors: Int64?

    /// Reads lines `key value`, by the specification's names.
    package init(_ text: String) {
        let log = text.counters
        warnings = log["critical_warning"].flatMap { $0 <= 255 ? $0 : nil }
        temperature = log["composite_temperature"].flatMap { 200...500 ~= $0 ? $0 : nil }
        (spare, spareMin) = (log["available_spare"], log["available_spare_threshold"])
        percentUsed = log["percentage_used"]
        mediaErrors = log["media_and_data_integrity_errors"]
    }
}

/// The SMART attributes of an ATA disk.
package struct ATAHealth: Hashable, Sendable {
    /// An attribute.
    package struct Attribute: Hashable, Sendable {
        package var name: String
        package var value: Int64
        /// At or below it the attribute has failed; 0: never.
        package var threshold: Int64
        package var raw: Int64
    }

    /// Where the disks are.
    package static let directory = "/probe/ata"
    /// Where it is read.
    package static func path(_ disk: String) -> String { "\(directory)/\(disk)" }

    /// Whether the disk passes its own test.
    package var hasPassed: Bool
    /// The attributes by number.
    package var attributes: [Int64: Attribute]

    /// Reads `health passed|failed` and lines `id name value worst threshold raw`; nil where one
    /// cannot be read, or there is no attribute.
    package init?(_ text: String) {
        var health: Substring?
        attributes = [:]
        for line in text.lines {
            let words = line.words
            if words.count == 2, words[0] == "health" {
                health = words[1]
                continue
            }
            guard words.count == 6, let number = Observation.count(words[0]),
                let value = Observation.count(words[2]),
                let threshold = Observation.count(words[4]), let raw = Observation.count(words[5])
            else { return nil }
            attributes[number] = Attribute(
                name: String(words[1]), value: value, threshold: threshold, raw: raw)
        }
        guard health == "passed" || health == "failed", !attributes.isEmpty else { return nil }
        hasPassed = health == "passed"
    }
}
