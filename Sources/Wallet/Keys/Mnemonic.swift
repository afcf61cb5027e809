// A wallet's seed as words that a person can write down and type back, BIP39.

public import Secrets

/// 12 to 24 words of the English list: entropy with a checksum. All that it is made of is
/// overwritten with its last reference.
public struct Mnemonic: Sendable {
    /// 16, 20, 24, 28 or 32 bytes.
    public let entropy: SecretBytes
    /// The words in ASCII, lower case, with one space between.
    public let phrase: SecretBytes

    /// Maximum bytes of a text that is read.
    public static let textBytesMax = 1_024
    /// Maximum bytes of a passphrase.
    public static let passphraseBytesMax = 256
    private static let entropyCounts = [16, 20, 24, 28, 32]
    /// The longest word's letters, and how many words there are at most.
    private static let (lettersMax, wordsMax) = (8, 24)
    private static let wordBits = 11
    private static let rounds: Int32 = 2_048

    /// How many words it has.
    public var wordCount: Int { entropy.count * 3 / 4 }

    /// The words of this entropy.
    public init(entropy: SecretBytes) throws(MnemonicError) {
        guard Self.entropyCounts.contains(entropy.count) else {
            throw .entropyLength(entropy.count)
        }
        self.entropy = entropy
        var bits = [UInt8](repeating: 0, count: entropy.count + 1)
        unsafe bits.withUnsafeMutableBytes { bits in
            unsafe entropy.withBytes { unsafe bits.copyBytes(from: $0) }
        }
        bits[entropy.count] = Self.check(entropy)
        var text: [UInt8] = []
        text.reserveCapacity(Self.wordsMax * (Self.lettersMax + 1))
        for place in 0..<entropy.count * 3 / 4 {
            if place > 0 { text.append(UInt8(ascii: " ")) }
            text += Self.words[Self.index(at: place, in: bits)].utf8
        }
        phrase = SecretBytes(text)
        cleanse(&bits)
        cleanse(&text)
    }

    /// Reads words that a person typed: in any case, with any spaces and line ends between.
    public init(reading text: SecretBytes) throws(MnemonicError) {
        guard text.count <= Self.textBytesMax else { throw .textLength(text.count) }
        var bits = [UInt8](repeating: 0, count: Self.wordsMax * Self.wordBits / 8)
        defer { cleanse(&bits) }
        let count = try Self.read(text, into: &bits)
        let entropyCount = count * 4 / 3
        guard count % 3 == 0, Self.entropyCounts.contains(entropyCount) else {
            throw .wordCount(count)
        }
        let entropy = unsafe bits.withUnsafeBytes {
            unsafe SecretBytes(UnsafeRawBufferPointer(rebasing: $0[..<entropyCount]))
        }
        // The checksum has one bit of 32 of the entropy, and stands right behind it.
        let unused = 8 - entropyCount / 4
        guard bits[entropyCount] >> unused == Self.check(entropy) >> unused else {
            throw .checksum
        }
        try self.init(entropy: entropy)
    }

    /// The seed of the wallet's keys, 64 bytes. Another passphrase makes another wallet, and none
    /// is wrong.
    public func seed(
        passphrase: SecretBytes = SecretBytes([])
    ) throws(MnemonicError) -> SecretBytes {
        guard passphrase.count <= Self.passphraseBytesMax else {
            throw .passphraseLength(passphrase.count)
        }
        var salt = [UInt8](repeating: 0, count: 8 + passphrase.count)
        defer { cleanse(&salt) }
        salt.replaceSubrange(..<8, with: "mnemonic".utf8)
        let isASCII = unsafe passphrase.withBytes { letters in
            for place in letters.indices { salt[8 + place] = unsafe letters[place] }
            return unsafe letters.allSatisfy { 0x20...0x7E ~= $0 }
        }
        // BIP39 has NFKD, which leaves ASCII as it is.
        guard isASCII else { throw .passphrase }
        return PBKDF2SHA512.key(
            password: phrase, salt: SecretBytes(salt), rounds: Self.rounds)
    }

    /// Puts the places in the list of a text's first 24 words into `bits`; returns how many words
    /// there are. One word at a time is copied, always into the same memory.
    private static func read(
        _ text: SecretBytes, into bits: inout [UInt8]
    ) throws(MnemonicError) -> Int {
        var (word, count): ([UInt8], Int) = ([], 0)
        word.reserveCapacity(text.count)
        defer { cleanse(&word) }
        for place in 0...text.count {
            // The end is a space too.
            let byte = place < text.count ? unsafe text.withBytes { unsafe $0[place] } : 0x20
            guard byte == 0x20 || 0x09...0x0D ~= byte else {
                word.append(0x41...0x5A ~= byte ? byte + 0x20 : byte)
                continue
            }
            guard !word.isEmpty else { continue }
            guard let index = index(of: word) else {
                throw .unknownWord(place: count + 1, suggestions: suggestions(for: word))
            }
            if count < wordsMax { put(index, at: count, in: &bits) }
            count += 1
            cleanse(&word)
            word.removeAll(keepingCapacity: true)
        }
        return count
    }

    /// The first byte of the entropy's hash, of which the checksum is the upper bits.
    private static func check(_ entropy: SecretBytes) -> UInt8 {
        var digest = unsafe entropy.withBytes { unsafe SHA256.digest($0) }
        defer { cleanse(&digest) }
        return digest[0]
    }

    private static func index(at place: Int, in bits: [UInt8]) -> Int {
        (place * wordBits..<(place + 1) * wordBits).reduce(0) { index, bit in
            index << 1 | Int(bits[bit / 8] >> UInt8(7 - bit % 8) & 1)
        }
    }

    private static func put(_ index: Int, at place: Int, in bits: inout [UInt8]) {
        for step in 0..<wordBits where index >> (wordBits - 1 - step) & 1 == 1 {
            let bit = place * wordBits + step
            bits[bit / 8] |= 0x80 >> UInt8(bit % 8)
        }
    }

    /// A word's place in the list. Its text is short enough to have no memory of its own.
    static func index(of word: [UInt8]) -> Int? {
        guard word.count <= lettersMax else { return nil }
        let text = String(decoding: word, as: UTF8.self)
        var (low, high) = (0, words.count)
        while low < high {
            let middle = (low + high) / 2
            if words[middle] < text { low = middle + 1 } else { high = middle }
        }
        return low < words.count && words[low] == text ? low : nil
    }
}
