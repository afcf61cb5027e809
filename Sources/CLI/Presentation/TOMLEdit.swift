// Configuration files as text: single keys changed, or comments removed.

/// Edits of a TOML text (toml.io) with plain `[table]` headings, as `bourse.toml` has them.
package enum TOMLEdit {
    /// `text` with `key`, as `gatewayd.listen`, set to a TOML literal: in place where it exists,
    /// else on a new line under its heading.
    package static func set(_ key: String, to value: String, in text: String) -> String {
        guard let dot = key.lastIndex(of: ".") else { return text }
        let (table, field) = (String(key[..<dot]), String(key[key.index(after: dot)...]))
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let heading = lines.firstIndex(where: { Self.table(of: $0) == table }) else {
            while lines.last == "" { lines.removeLast() }
            lines += ["", "[\(table)]", "\(field) = \(value)", ""]
            return lines.joined(separator: "\n")
        }
        let below = (heading + 1)..<lines.count
        let end = below.first { Self.table(of: lines[$0]) != nil } ?? lines.count
        if let line = (heading + 1..<end).first(where: { Self.field(of: lines[$0]) == field }) {
            lines[line] = "\(field) = \(value)"
        } else {
            lines.insert("\(field) = \(value)", at: heading + 1)
        }
        return lines.joined(separator: "\n")
    }

    /// Tables and keys without comments and empty lines: people note passwords in comments.
    package static func withoutComments(_ text: String) -> String {
        text.split(separator: "\n").compactMap { line -> String? in
            let start = line.drop { $0 == " " || $0 == "\t" }
            guard let first = start.first, first != "#" else { return nil }
            // A value in quotes may hold the mark of a comment.
            var isQuoted = false
            let end = start.firstIndex { letter in
                if letter == "\"" || letter == "'" { isQuoted.toggle() }
                return letter == "#" && !isQuoted
            }
            return String(start[..<(end ?? start.endIndex)])
        }.joined(separator: "\n")
    }

    private static func table(of line: String) -> String? {
        let line = trim(line.prefix { $0 != "#" })
        guard line.hasPrefix("["), line.hasSuffix("]"), !line.hasPrefix("[[") else { return nil }
        return trim(line.dropFirst().dropLast())
    }

    private static func field(of line: String) -> String? {
        guard let equals = line.firstIndex(of: "="), !line.hasPrefix("#") else { return nil }
        return trim(line[..<equals])
    }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
