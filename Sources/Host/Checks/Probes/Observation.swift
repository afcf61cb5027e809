// What was read of a host at one moment. Checks know nothing else of it, so a tree recorded on
// another machine serves as well.

/// Texts by path, and the names in directories.
///
/// Sources are named by absolute paths; `init(time:sources:plan:text:names:)` explains their
/// patterns. Below `/probe` is what only calls return. Each form has its codec beside this file;
/// `hungPath` has a line for each source that took too long. Lines end with a newline; numbers
/// are decimal and whole; a text that cannot be read is absent, never empty.
public struct Observation: Hashable, Sendable {
    /// Where the sources are that took too long.
    package static let hungPath = "/probe/hung"

    /// When it was read, in nanoseconds of CLOCK_MONOTONIC.
    public var time: Int64
    private var texts: [String: String] = [:]
    private var lists: [String: [String]] = [:]

    /// An observation without anything in it.
    public init(time: Int64) { self.time = time }

    /// Keeps a file's text.
    public mutating func set(_ path: String, _ text: String) { texts[path] = text }

    /// Keeps the names in a directory, sorted.
    public mutating func set(_ directory: String, names: [String]) {
        lists[directory] = Self.inOrder(names)
    }

    /// A file's text without the newline at its end, or nil: it could not be read.
    public func text(_ path: String) -> String? {
        guard let text = texts[path] else { return nil }
        // Of the bytes: `dropLast()` of a text counts its characters, all of them.
        return text.utf8.last == 0x0A ? String(Substring(text.utf8.dropLast(1))) : text
    }

    /// A file's only number, or nil.
    public func number(_ path: String) -> Int64? { text(path).flatMap { Int64($0.trimming) } }

    /// A file's lines without empty ones; none when it could not be read.
    public func lines(_ path: String) -> [Substring] { texts[path]?.lines ?? [] }

    /// The names in a directory, numbers in their order; nil when it could not be read.
    public func names(_ directory: String) -> [String]? { lists[directory] }

    /// The names in a directory that begin so; none when it could not be read.
    func names(_ directory: String, beginning start: String) -> [String] {
        lists[directory]?.filter { $0.hasPrefix(start) } ?? []
    }

    /// Every path with its text, sorted: what a support bundle takes along.
    public var all: [(path: String, text: String)] {
        texts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// `eth2` before `eth10`. By bytes, and each name taken apart once: there may be thousands.
    private static func inOrder(_ names: [String]) -> [String] {
        let keyed = names.map { name -> (start: Substring, number: Int, name: String) in
            let digits = name.utf8.reversed().prefix { 0x30...0x39 ~= $0 }.count
            let number = Int(Substring(name.utf8.suffix(digits))) ?? -1
            return (Substring(name.utf8.dropLast(digits)), number, name)
        }
        return keyed.sorted { ($0.start, $0.number) < ($1.start, $1.number) }.map(\.name)
    }
}
