// Which words of the list may be meant by one that is not in it.

extension Mnemonic {
    /// A longer word is not compared.
    private static let typedMax = 16
    private static let distanceMax = 2
    private static let suggestionsMax = 3

    /// Throws where a word, in lower case, is not in the list: `unknownWord`. `place`: which of the
    /// words it is, from 1.
    public static func check(_ word: [UInt8], place: Int) throws(MnemonicError) {
        guard index(of: word) == nil else { return }
        throw .unknownWord(place: place, suggestions: suggestions(for: word))
    }

    /// At most three words that are nearest to what was typed: those that begin with it, which is
    /// enough where four letters are written down, and those with at most two typing errors.
    static func suggestions(for typed: [UInt8]) -> [String] {
        guard typed.count <= typedMax else { return [] }
        var found: [(rank: Int, index: Int)] = []
        for (index, word) in words.enumerated() {
            let letters = Array(word.utf8)
            let isStart = typed.count >= 3 && letters.starts(with: typed)
            let distance = isStart ? 0 : distance(typed, letters)
            // All but one letter of a short word may be wrong by chance.
            guard distance <= min(distanceMax, typed.count - 2) else { continue }
            found.append((2 * distance + (letters.first == typed.first ? 0 : 1), index))
        }
        return found.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }
            .prefix(suggestionsMax).map { words[$0.index] }
    }

    /// How many letters were added, left out, replaced or swapped with the next one (the optimal
    /// string alignment).
    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        guard abs(a.count - b.count) <= distanceMax else { return distanceMax + 1 }
        var (beforeLast, last, row) = ([Int](), [Int](), Array(0...b.count))
        for i in a.indices {
            (beforeLast, last) = (last, row)
            row[0] = i + 1
            for j in b.indices {
                let replaced = last[j] + (a[i] == b[j] ? 0 : 1)
                row[j + 1] = min(replaced, min(last[j + 1], row[j]) + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
                }
            }
        }
        return row[b.count]
    }
}
