// How far an auditor has executed the log itself.

internal import Platform

/// The last record that this auditor has executed, kept over its life. Where it began again at a
/// later snapshot that matchd left, what it had not seen, or had raised the alarm about, would pass
/// for good.
struct AuditedMark {
    let path: String
    /// The record; nil where nothing is kept.
    let sequence: UInt64?

    init(_ path: String) {
        self.path = path
        let bytes = try? File(path, .read).read(count: 32)
        let digits = bytes.map { $0.prefix { $0 >= 0x30 && $0 <= 0x39 } }
        sequence = digits.flatMap { UInt64(String(decoding: $0, as: UTF8.self)) }
    }

    /// Keeps another.
    func set(_ sequence: UInt64) throws(SystemError) {
        try File.replace(path, with: Array("\(sequence)\n".utf8))
    }
}
