// What was read of a host at one moment. Checks know nothing else of it, so a tree recorded on
// another machine serves as well.

/// Texts by path, and the names in directories.
///
/// Sources are named by absolute paths, in which a part `*` stands for every name in its directory,
/// `NAME*` for those that begin so, and `{pid}` for the process of each unit of the exchange. Below
/// `/probe` stands what only calls give, one text each, its lines `key value`:
///
/// - `/probe/units`: a line a unit: `name load active sub pid restarts watchdog-usec`
/// - `/probe/exchange`: counters of matchd; absent while it does not answer
/// - `/probe/statvfs`: a line a watched directory: `path bytes free-bytes inodes free-inodes`
/// - `/probe/clock`: adjtimex(2)
/// - `/probe/ethtool/NIC/{link,channels,rings,coalesce,features,rss,timestamping}`
/// - `/probe/nvme/DISK`, `/probe/ata/DISK`: health, read by the helper
/// - `/probe/hung`: a line a source that took too long
public struct Observation: Hashable, Sendable {
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
        lists[directory] = names.sorted(by: Self.isBefore)
    }

    /// A file's text without the newline at its end, or nil: it could not be read.
    public func text(_ path: String) -> String? {
        guard let text = texts[path] else { return nil }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// A file's only number, or nil.
    public func number(_ path: String) -> Int64? {
        text(path).flatMap { Int64($0.trimming) }
    }

    /// A file's lines without empty ones; none when it could not be read.
    public func lines(_ path: String) -> [Substring] {
        texts[path]?.split(separator: "\n") ?? []
    }

    /// The names in a directory, numbers in their order; nil when it could not be read.
    public func names(_ directory: String) -> [String]? { lists[directory] }

    /// The values of a text of lines `key value` (a colon may stand behind the key).
    public func fields(_ path: String) -> [String: Substring] {
        var fields: [String: Substring] = [:]
        for line in lines(path) {
            guard let end = line.firstIndex(where: { $0 == ":" || $0 == " " || $0 == "\t" }) else {
                continue
            }
            let rest = line[end...].drop { $0 == ":" || $0 == " " || $0 == "\t" }
            fields[String(line[..<end])] = rest
        }
        return fields
    }

    /// Every path with its text, sorted: what a support bundle takes along.
    public var all: [(path: String, text: String)] {
        texts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// `eth2` before `eth10`.
    private static func isBefore(_ a: String, _ b: String) -> Bool {
        func parts(_ text: String) -> (Substring, Int) {
            let digits = text.reversed().prefix { $0.isASCII && $0.isNumber }.count
            return (text.dropLast(digits), Int(text.suffix(digits)) ?? -1)
        }
        let (left, right) = (parts(a), parts(b))
        return left.0 == right.0 ? left.1 < right.1 : left.0 < right.0
    }
}

extension StringProtocol {
    /// Without spaces, tabs and newlines at its ends.
    var trimming: SubSequence {
        let start = drop { $0 == " " || $0 == "\t" || $0 == "\n" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" && $0 != "\n" }) else {
            return self[endIndex...]
        }
        return self[start.startIndex...last]
    }

    /// Its parts between spaces and tabs.
    var words: [SubSequence] { split { $0 == " " || $0 == "\t" } }
}
