// /proc/PID/mounts: what is mounted where, proc_pid_mounts(5) and fstab(5).

/// A mounted file system.
package struct Mount: Hashable, Sendable {
    /// The mounts of process 1: the agent's own are read-only by its unit.
    static let path = "/proc/1/mounts"

    package var device: String
    /// Where it is mounted.
    package var point: String
    package var isReadOnly: Bool

    /// Reads `device point type options …`; nil where one is missing.
    package init?(line: Substring) {
        let words = line.words
        guard words.count >= 4 else { return nil }
        device = OctalEscapes.decode(words[0])
        point = OctalEscapes.decode(words[1])
        isReadOnly = words[3].split(separator: ",").contains("ro")
    }

    /// The mounts in their order.
    package static func table(_ text: String) -> [Mount] {
        text.lines.compactMap { Mount(line: $0) }
    }

    /// The mount that a path is on: of those above it the lowest, of these the last.
    package static func holding(_ path: String, in mounts: [Mount]) -> Mount? {
        var found: Mount?
        for mount in mounts {
            let isAbove =
                mount.point == "/" || path == mount.point || path.hasPrefix(mount.point + "/")
            if isAbove, mount.point.utf8.count >= found?.point.utf8.count ?? 0 { found = mount }
        }
        return found
    }
}

/// Bytes that cannot stand in a column, as a backslash and three octal digits: `\040` is a space.
package enum OctalEscapes {
    /// Without escapes; bytes that are no UTF-8 are replaced.
    package static func decode(_ text: Substring) -> String {
        var rest = text.utf8[...]
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == 0x5C, digits.count == 3, digits.allSatisfy({ 0x30...0x37 ~= $0 }) {
                bytes.append(digits.reduce(0) { $0 << 3 | $1 & 7 })
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// With escapes for spaces, tabs, newlines and backslashes.
    package static func encode(_ text: String) -> String {
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            guard isEscaped(byte) else { return [byte] }
            return [0x5C, 0x30 | byte >> 6, 0x30 | byte >> 3 & 7, 0x30 | byte & 7]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x5C
    }
}
