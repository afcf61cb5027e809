// Paths as text: joined and normalised without the file system.

import Glibc

/// Paths as text.
enum Path {
    /// `path`, below `base` if it is relative; without `.`, `..` and empty parts.
    static func join(_ base: String, _ path: String) -> String {
        let whole = path.hasPrefix("/") ? path : "\(base)/\(path)"
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The path without its last part; `/` for the root.
    static func parent(_ path: String) -> String { join(path, "..") }

    /// The current directory.
    static func current() -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard unsafe getcwd(&buffer, buffer.count) != nil else { return "/" }
        return String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
