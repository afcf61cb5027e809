// A durable file of lines: each is complete or absent.

import Glibc
import Platform
import Terms

/// Lines in a file, each with its checksum, the newest of them kept. One thread uses it.
///
///     checksum, 16 hex digits | space | the line | newline
///
/// A torn line, at the end after a crash or anywhere else on a bad disk, is skipped when the file
/// is read, and dropped when it is next rewritten.
final class LineLog {
    /// Maximum size of a file.
    static var fileBytesMax: Int { 64 << 20 }

    private let path: String
    private let linesMax: Int
    private var file: File
    private var offset: Int
    /// Lines in the file.
    private(set) var count: Int
    /// Lines that were damaged when it was opened.
    let damaged: Int

    /// Opens the file at `path`, made where there is none, and gives its lines to `take`, oldest
    /// first. It holds `linesMax` lines before `isFull`.
    init(_ path: String, linesMax: Int, take: (String) -> Void) throws(SystemError) {
        (self.path, self.linesMax) = (path, linesMax)
        file = try File(path, .create)
        let size = try file.size()
        guard size <= Self.fileBytesMax else {
            throw SystemError(code: EFBIG, operation: "read all of", path: path)
        }
        let bytes = try file.read(count: size)
        var (whole, damaged, end) = (0, 0, 0)
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
            end += line.count + 1
            if let text = Self.checked(line) {
                whole += 1
                take(text)
            } else {
                damaged += 1
            }
        }
        // Bytes after the last newline are an incomplete line.
        if end < bytes.count {
            damaged += 1
            try file.truncate(to: end)
        }
        (offset, count, self.damaged) = (end, whole, damaged)
    }

    /// Whether it is time for `replace`.
    var isFull: Bool { count >= linesMax }

    /// Adds lines, which are on disk when it returns. After an error what is in the file is not
    /// known: `replace` it.
    func append(_ lines: [String]) throws(SystemError) {
        let bytes = lines.flatMap(Self.sealed)
        try file.write(bytes, at: offset)
        try file.syncData()
        offset += bytes.count
        count += lines.count
    }

    /// Puts these lines in place of all, whole or not at all.
    func replace(_ lines: [String]) throws(SystemError) {
        let bytes = lines.flatMap(Self.sealed)
        file = try File.replace(path, with: bytes)
        (offset, count) = (bytes.count, lines.count)
    }

    private static func sealed(_ line: String) -> [UInt8] {
        let bytes = Array(line.utf8)
        precondition(!bytes.contains(0x0A), "a line has no newline")
        return Array("\(checksum(bytes[...]).hexText) ".utf8) + bytes + [0x0A]
    }

    private static func checked(_ line: ArraySlice<UInt8>) -> String? {
        let text = line.dropFirst(17)
        guard line.count >= 17,
            let sum = UInt64(String(decoding: line.prefix(16), as: UTF8.self), radix: 16),
            sum == checksum(text)
        else { return nil }
        return String(validating: text, as: UTF8.self)
    }

    /// FNV-1a (Fowler, Noll, Vo): it finds what is torn, and guards against nobody.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
