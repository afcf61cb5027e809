// What is wrong with the words of a backup, for the person who types them.

/// Why there is no mnemonic.
///
/// An unknown word's suggestions are near to a secret: show them to the person who typed, and write
/// them nowhere.
public enum MnemonicError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Entropy of 16, 20, 24, 28 or 32 bytes was expected.
    case entropyLength(Int)
    /// A text of more than `Mnemonic.textBytesMax` bytes.
    case textLength(Int)
    /// 12, 15, 18, 21 or 24 words were expected.
    case wordCount(Int)
    /// The word at this place, from 1, is not in the list; the nearest that are.
    case unknownWord(place: Int, suggestions: [String])
    /// All words are in the list, but they are not the right ones together.
    case checksum
    /// A passphrase with letters outside of printable ASCII, which keyboards may give in several
    /// forms.
    case passphrase
    /// A passphrase of more than `Mnemonic.passphraseBytesMax` bytes.
    case passphraseLength(Int)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .entropyLength(let count):
            "entropy of \(count) bytes: it has 16, 20, 24, 28 or 32"
        case .textLength(let count):
            "a text of \(count) bytes is too long for 24 words"
        case .wordCount(let count):
            "\(count) words: a backup has 12, 15, 18, 21 or 24; is one missing, or are two joined?"
        case .unknownWord(let place, let suggestions):
            "word \(place) is not in the list" + Self.question(suggestions)
        case .checksum:
            "each word is in the list, but together they are not valid: compare each one and "
                + "their order with the backup"
        case .passphrase:
            "the passphrase has other letters than printable ASCII: those depend on the keyboard "
                + "and could not be typed again with certainty"
        case .passphraseLength(let count):
            "a passphrase of \(count) bytes: at most \(Mnemonic.passphraseBytesMax)"
        }
    }

    private static func question(_ words: [String]) -> String {
        guard let last = words.last else { return "" }
        let front = words.dropLast().joined(separator: ", ")
        return "; is it " + (front.isEmpty ? last : front + " or " + last) + "?"
    }
}
