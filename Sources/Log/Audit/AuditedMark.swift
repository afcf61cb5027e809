// The last record that an auditor has executed.

internal import Platform

/// The last record that this auditor has executed, kept over restarts. If it restarted at a later
/// snapshot of matchd's, records that it had not seen or had raised an alarm about would escape it.
struct AuditedMark {
    let path: String
    /// The record; nil if none is stored.
    let sequence: UInt64?

    init(_ path: String) {
        self.path = path
        let bytes = try? File(path, .read).read(count: 32)
        let digits = bytes.map { $0.prefix { $0 >= 0x30 && $0 <= 0x39 } }
        sequence = digits.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }
    }

    /// Stores another.
    func set(_ sequence: UInt64) throws(SystemError) {
        try File.replace(path, with: Array("\(sequence)\n".utf8))
    }
}
