// The wallet's seed, from the file that holds its words.

public import Keys
public import Platform
internal import Secrets
public import Tokens

/// Why the seed cannot be used. It says nothing of the words.
public enum WalletSeedError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A failed system call.
    case system(SystemError)
    /// Others may read or write the file.
    case permissions(path: String, mode: UInt32)
    /// The file is owned by another user.
    case owner(path: String, user: UInt32)
    /// It does not hold 24 words with their checksum.
    case notASeed(path: String)
    /// It is sealed with a key on a token, which does not open it; without an error: it or the key
    /// was changed.
    case token(path: String, TokenError?)

    /// What happened, and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .permissions(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)) but must be readable by its owner only: "
                + "find out who has read it; if anybody may have, move the coins to a new wallet"
        case .owner(let path, let user):
            "\(path) belongs to user \(user), not to user \(Host.userID) that this runs as: "
                + "chown it, or run as that user"
        case .notASeed(let path):
            "\(path) does not hold the 24 words of a wallet in their order: compare it with the "
                + "backup"
        case .token(let path, .wrongPIN):
            "\(path) cannot be opened by its token: the PIN in it is not the token's any more. "
                + "Remove it, and recover from the words: boursectl wallet init --recover --token"
        case .token(let path, nil):
            "\(path) was changed, or its token has another key: remove it, and recover from the "
                + "words: boursectl wallet init --recover --token"
        case .token(let path, let error?): "\(path) cannot be opened by its token: \(error)"
        }
    }
}

/// Reads the wallet's seed.
public enum WalletSeed {
    /// The words of a wallet.
    public static let wordCount = 24

    /// The master key of the words in a file, which only its owner (this process's user or root)
    /// may access; without a passphrase. The words may be sealed with a key on a token.
    public static func load(_ path: String) throws(WalletSeedError) -> ExtendedPrivateKey {
        let found: (isRegular: Bool, mode: UInt32, owner: UInt32)
        var bytes: [UInt8]
        do throws(SystemError) {
            let file = try File(path, .read)
            found = (try file.isRegular(), try file.permissions(), try file.owner())
            bytes = try file.read(count: TokenSealed.textBytesMax + 1)
        } catch { throw .system(error) }
        defer { cleanse(&bytes) }
        guard found.isRegular else { throw .notASeed(path: path) }
        guard found.mode & 0o077 == 0 else { throw .permissions(path: path, mode: found.mode) }
        guard found.owner == Host.userID || found.owner == 0 else {
            throw .owner(path: path, user: found.owner)
        }
        var text: SecretBytes? = SecretBytes(bytes)
        if TokenSealed.isSealed(bytes) {
            do throws(TokenError) { text = try TokenSealed.open(bytes) } catch {
                throw .token(path: path, error)
            }
            if text == nil { throw .token(path: path, nil) }
        }
        // Why it is none would say what the words are like.
        guard let text, let words = try? Mnemonic(reading: text),
            words.wordCount == wordCount, let seed = try? words.seed(),
            let master = try? ExtendedPrivateKey(seed: seed)
        else { throw .notASeed(path: path) }
        return master
    }
}
