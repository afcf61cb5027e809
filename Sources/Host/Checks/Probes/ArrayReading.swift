// /proc/mdstat: the arrays of disks, md(4).

/// What a line says of an array.
package enum ArrayReading: Hashable, Sendable {
    /// It is not active.
    case inactive(String, state: String)
    /// It has so many of its disks.
    case disks(String, present: Int64, all: Int64)
    /// Its number of disks cannot be parsed.
    case invalid(String)

    /// Where it is read.
    static let path = "/proc/mdstat"

    /// All arrays in their order; nil where it is not the kernel's text.
    package static func all(_ text: String) -> [ArrayReading]? {
        guard text.hasPrefix("Personalities") else { return nil }
        var all: [ArrayReading] = []
        var name = ""
        for line in text.lines {
            let words = line.words
            if words.count >= 3, words[0].hasPrefix("md"), words[1] == ":" {
                name = String(words[0])
                if words[2] != "active" { all.append(.inactive(name, state: String(words[2]))) }
            } else if !name.isEmpty,
                let count = words.first(where: { $0.hasPrefix("[") && $0.contains("/") })
            {
                let parts = count.dropFirst().dropLast().split(separator: "/")
                if parts.count == 2, count.hasSuffix("]"), let most = Observation.count(parts[0]),
                    let present = Observation.count(parts[1])
                {
                    all.append(.disks(name, present: present, all: most))
                } else {
                    all.append(.invalid(name))
                }
                name = ""
            }
        }
        return all
    }
}
