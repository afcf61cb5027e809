// The wallet's seed on this host.

import Configuration
import Glibc
import Keys
import Platform
import Secrets
import Tokens

/// The wallet's seed, wherever it is kept: 24 words (BIP39) in a line.
struct WalletSeedFile {
    /// Its name among the credentials of the signer's unit.
    static let credential = "wallet.seed"
    /// How many words it has.
    static let wordCount = 24

    private let secret: HostSecret
    /// Whether it is kept as a credential, as the seal key is.
    private let isEncrypted: Bool

    /// The seed of this exchange.
    init(_ settings: Settings) {
        secret = HostSecret(path: settings.walletSeedFile, credential: Self.credential)
        isEncrypted =
            settings.file == ClusterSetup.installed
            || Directory.exists(SealKeyFile(settings).encrypted)
    }

    /// The plain seed.
    var path: String { secret.path }
    /// The file it is in; nil where there is none.
    var found: String? { secret.found }

    /// Throws where there is a seed, or where none can be kept.
    func checkIsNew() throws(CommandError) {
        guard !isEncrypted || geteuid() == 0 else {
            throw CommandError(
                "only root keeps this host's seed", repair: "sudo boursectl wallet init",
                code: .usage)
        }
        if let found {
            throw CommandError(
                "there is a seed already: \(found)",
                repair: "it is never replaced, as it may hold money; `boursectl wallet key` shows "
                    + "its public keys")
        }
        let directory = Directory.parent(of: path) ?? "."
        guard Directory.isDirectory(directory) else {
            throw CommandError(
                "\(directory) does not exist",
                repair: "set up the exchange first: boursectl init", code: .configuration)
        }
    }

    /// Keeps a new seed, durably, sealed by `seal` if that is given. Throws where there is one.
    func create(
        _ words: Mnemonic, by seal: (place: String, pin: SecretBytes)? = nil
    ) throws(CommandError) {
        var line = words.line
        defer { cleanse(&line) }
        if let seal {
            let secret = SecretBytes(line)
            cleanse(&line)
            line = try CommandError.wrapping { () throws(TokenError) in
                try TokenSealed.text(of: secret, by: seal.place, pin: seal.pin)
            }
        }
        if isEncrypted {
            try secret.createEncrypted(line)
        } else {
            try secret.create(line)
        }
    }

    /// Reads it.
    func load() throws(CommandError) -> Mnemonic {
        guard let found, var bytes = try secret.bytes(max: TokenSealed.textBytesMax) else {
            throw CommandError(
                "this host has no seed: \(path) does not exist",
                repair: "boursectl wallet init makes one, or recovers it from its words")
        }
        defer { cleanse(&bytes) }
        guard TokenSealed.isSealed(bytes) else { return try Self.words(bytes, in: found) }
        let opened: SecretBytes?
        do throws(TokenError) { opened = try TokenSealed.open(bytes) } catch {
            throw CommandError("\(found) is sealed by a token: \(error)")
        }
        guard let opened else {
            throw CommandError(
                "\(found) was changed: its token's key does not open it",
                repair: "remove it, and recover from the words: boursectl wallet init --recover")
        }
        var words = unsafe opened.withBytes { unsafe [UInt8]($0) }
        defer { cleanse(&words) }
        return try Self.words(words, in: found)
    }

    /// The words in a file. No error repeats one, nor says what one may be.
    static func words(_ bytes: [UInt8], in path: String) throws(CommandError) -> Mnemonic {
        let problem: String
        do throws(MnemonicError) {
            let words = try Mnemonic(reading: SecretBytes(bytes))
            if words.wordCount == wordCount { return words }
            problem = "\(words.wordCount) words, not \(wordCount)"
        } catch {
            problem =
                if case .unknownWord(let place, _) = error {
                    "word \(place) is not in the list"
                } else {
                    "\(error)"
                }
        }
        throw CommandError("\(path) does not hold the words of a seed: \(problem)")
    }
}

extension Mnemonic {
    /// The words and a line end. The caller overwrites it.
    var line: [UInt8] {
        var bytes = [UInt8](repeating: UInt8(ascii: "\n"), count: phrase.count + 1)
        unsafe phrase.withBytes { phrase in
            for place in phrase.indices { bytes[place] = unsafe phrase[place] }
        }
        return bytes
    }

    /// Whether both have the same words.
    func isSame(as other: Mnemonic) -> Bool {
        var (one, two) = (line, other.line)
        defer {
            cleanse(&one)
            cleanse(&two)
        }
        return isEqual(one, two)
    }

    /// The word at a place, from 1, in ASCII. The caller overwrites it.
    func word(_ place: Int) -> [UInt8] {
        var all = line
        defer { cleanse(&all) }
        var (word, count): ([UInt8], Int) = ([], 1)
        word.reserveCapacity(16)
        for byte in all.dropLast() {
            if byte == UInt8(ascii: " ") { count += 1 } else if count == place { word.append(byte) }
        }
        return word
    }
}
