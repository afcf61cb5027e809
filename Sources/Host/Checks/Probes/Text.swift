// Parsing of texts of the kernel and of tools: by bytes, since some are long and read each second.

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
    var words: [Substring] { Substring(self).parts { $0 == 0x20 || $0 == 0x09 } }

    /// Its lines without empty ones.
    var lines: [Substring] { Substring(self).parts { $0 == 0x0A } }

    /// The values of lines `key value`; a colon may stand behind the key.
    var fields: [String: Substring] {
        var fields: [String: Substring] = [:]
        for line in lines {
            let isBetween = { (byte: UInt8) in byte == 0x3A || byte == 0x20 || byte == 0x09 }
            guard let end = line.utf8.firstIndex(where: isBetween) else { continue }
            fields[String(line[..<end])] = Substring(line.utf8[end...].drop(while: isBetween))
        }
        return fields
    }

    /// Counters of lines `key value`; what is no whole number from 0 is left out.
    var counters: [String: Int64] {
        fields.compactMapValues { $0.words.first.flatMap(Observation.count) }
    }
}

extension Substring {
    /// Its parts between such bytes, without empty ones.
    fileprivate func parts(_ isBetween: (UInt8) -> Bool) -> [Substring] {
        utf8.split(whereSeparator: isBetween).map { Substring($0) }
    }
}

extension Observation {
    /// A whole number from 0.
    static func count(_ text: some StringProtocol) -> Int64? {
        guard let byte = text.utf8.first, 0x30...0x39 ~= byte else { return nil }
        return Int64(text)
    }

    /// The sum; nil where one is missing, or it does not fit.
    static func sum(_ counts: [Int64?]) -> Int64? {
        counts.reduce(0 as Int64?) { sum, count in
            guard let sum, let count else { return nil }
            let (value, isTooLarge) = sum.addingReportingOverflow(count)
            return isTooLarge ? nil : value
        }
    }

    /// A decimal number times ten to the power of `digits`, further digits cut off; nil where it
    /// is none or does not fit.
    static func decimal(_ text: some StringProtocol, digits: Int) -> Int64? {
        let isNegative = text.hasPrefix("-")
        let plain =
            isNegative || text.hasPrefix("+") ? Substring(text.dropFirst()) : Substring(text)
        let parts = plain.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts[0].utf8.count <= 18,
            parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } })
        else { return nil }
        let rest = (parts.count == 2 ? parts[1] : "").prefix(digits)
        let zeros = String(repeating: "0", count: digits - rest.utf8.count)
        guard let value = Int64(parts[0] + rest + zeros) else { return nil }
        return isNegative ? -value : value
    }
}
