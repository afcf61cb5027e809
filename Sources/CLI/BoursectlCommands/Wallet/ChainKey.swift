// The extended public key of a chain's deposit addresses, as an operator gives it.

import Addresses
import Keys
package import Presentation

/// A checked key: that of `m/84'/coin'/0'` (BIP84), or of `m/44'/60'/0'` on EVM chains (BIP44), as
/// `xpub`, or `tpub` of test networks of Bitcoin's kin (BIP32).
package struct ChainKey: Hashable {
    /// Its text, as the log holds it.
    package let text: String
    /// The key.
    let key: ExtendedPublicKey

    /// The account that the wallet uses: 0', hardened.
    private static let account: UInt32 = 1 << 31
    /// Hexadecimal digits of the entropy and the seeds of BIP39, and of a private key.
    private static let seedDigits: Set<Int> = [32, 40, 48, 56, 64, 128]

    /// Reads a key for a chain. No error repeats the text: it may be a secret.
    package init(_ text: String, on network: ChainKind) throws(InputError) {
        if let problem = Self.secret(text) { throw problem }
        let isTest = network.hasTestKeys
        guard let key = ExtendedPublicKey(text, isTest: isTest) else {
            throw Self.problem(text, network, isTest: isTest)
        }
        guard key.depth == 3, key.index == Self.account else {
            throw InputError(
                key.depth == 3
                    ? "the key is that of another account than 0'"
                    : "the key is \(key.depth) steps below the wallet's master key, not 3",
                repair: "give the key of \(network.pathText), that of \(network.name)")
        }
        (self.text, self.key) = (text, key)
    }

    /// What is wrong with a text that is no public key of the network.
    private static func problem(
        _ text: String, _ network: ChainKind, isTest: Bool
    ) -> InputError {
        let prefix = isTest ? "tpub" : "xpub"
        guard let bytes = Base58Check.bytes(text), bytes.count == 78 else {
            return InputError(
                "the key is none: a letter is wrong, or some are missing",
                repair: "copy it again: it begins with \(prefix) and has 111 letters")
        }
        if text.hasPrefix(prefix) {
            return InputError("the key is no point of the curve", repair: "copy it again")
        }
        let start = text.prefix(4)
        if start == "xpub" || start == "tpub" {
            return InputError(
                "the key begins with \(start), and \(network.name) "
                    + network.keyForm,
                repair: "give the one that begins with \(prefix)")
        }
        return InputError(
            "the key begins with \(start), another way to write it",
            repair: "give the same key as \(prefix): only the first letters and the checksum "
                + "differ")
    }

    // MARK: Secrets

    /// What to say where a text is a secret: a private key, a seed or its words; nil where it is
    /// none. A private key with a typing error is one as well.
    package static func secret(_ text: String) -> InputError? {
        let words = text.split { $0 == " " || $0 == "," }
        let isSeed = seedDigits.contains(text.utf8.count) && text.allSatisfy(\.isHexDigit)
        let isWords = words.count >= 12 && words.allSatisfy { $0.allSatisfy(\.isLetter) }
        guard isSeed || isWords || isPrivateKey(text) else { return nil }
        return InputError(
            isSeed || isWords
                ? "that is a seed, from which private keys come, and not a public key"
                : "that is a private key, not a public one",
            repair: "the exchange wants the public key only, which begins with xpub or tpub. "
                + "Nothing was sent, but the list of processes showed the secret and the shell's "
                + "history keeps it: move what it guards to a new seed")
    }

    /// Whether a text is an extended private key of any version (BIP32) or a single one as wallets
    /// export it, or looks like one with a typing error.
    package static func isPrivateKey(_ text: String) -> Bool {
        let start = text.prefix(4).lowercased()
        if text.utf8.count > 60, start.hasSuffix("prv") || start == "ltpv" || start == "mtpv" {
            return true
        }
        guard let bytes = Base58Check.bytes(text) else { return false }
        switch bytes.count {
        // Behind version, depth, parent, index and chain code.
        case 78: return bytes[45] == 0
        // A version, the key, and a 1 where its public key is compressed.
        case 34: return bytes[0] >= 0x80 && bytes[33] == 1
        case 33: return bytes[0] >= 0x80
        default: return false
        }
    }
}

extension ChainKind {
    /// Why its keys are written as they are.
    fileprivate var keyForm: String {
        switch self {
        case .utxo(let network): network.isTest ? "is a test network" : "is none for tests"
        case .evm: "has one form of keys, for test networks as well"
        }
    }
}
