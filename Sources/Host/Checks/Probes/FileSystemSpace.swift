// /probe/statvfs: how large the file systems of watched directories are, and how full.

/// The file system of one directory, statvfs(3). Free is what users
/// other than root may take.
package struct FileSystemSpace: Hashable, Sendable {
    /// Where it is read.
    package static let path = "/probe/statvfs"

    package var directory: String
    package var bytes: Int64
    package var freeBytes: Int64
    package var inodes: Int64
    package var freeInodes: Int64

    /// The space of a directory's file system; numbers beyond 63 bits are clamped.
    package init(
        directory: String, bytes: UInt64, freeBytes: UInt64, inodes: UInt64, freeInodes: UInt64
    ) {
        self.directory = directory
        self.bytes = Int64(clamping: bytes)
        self.freeBytes = Int64(clamping: freeBytes)
        self.inodes = Int64(clamping: inodes)
        self.freeInodes = Int64(clamping: freeInodes)
    }

    /// Reads `directory bytes free-bytes inodes free-inodes`. Spaces in the directory may be
    /// escaped or not: the numbers are the last four words. Nil where there are fewer.
    package init?(line: Substring) {
        let numbers = line.words.suffix(4)
        let values = numbers.compactMap { $0.utf8.first == 0x2B ? nil : UInt64($0) }
        guard numbers.count == 4, values.count == 4, let first = numbers.first,
            first.startIndex > line.startIndex
        else { return nil }
        self.init(
            directory: OctalEscapes.decode(line[..<line.index(before: first.startIndex)]),
            bytes: values[0], freeBytes: values[1], inodes: values[2], freeInodes: values[3])
    }

    /// The line that `init(line:)` reads.
    package var line: String {
        "\(OctalEscapes.encode(directory)) \(bytes) \(freeBytes) \(inodes) \(freeInodes)\n"
    }

    /// The file systems by directory.
    package static func table(_ text: String) -> [String: FileSystemSpace] {
        let all = text.lines.compactMap { FileSystemSpace(line: $0) }
        return Dictionary(all.map { ($0.directory, $0) }) { first, _ in first }
    }
}

extension Observation {
    /// The file systems by directory; none when they could not be read.
    var fileSystems: [String: FileSystemSpace] {
        text(FileSystemSpace.path).map(FileSystemSpace.table) ?? [:]
    }
}
