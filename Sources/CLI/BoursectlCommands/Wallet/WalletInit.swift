// wallet init

import ArgumentParser
import JSON
import Keys
import Platform
import Presentation
import Secrets
import Tokens

struct WalletInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes the seed of the wallet's private keys, or recovers it.",
        discussion: """
            Shows 24 new words (256 bits, BIP39) on the terminal, to be written on paper, has all \
            of them typed back, and only then keeps the seed on this host, where the signer reads \
            it: as a credential that only this host's systemd can decrypt, or in a state directory \
            as secrets/wallet.seed, mode 0600. An existing seed is never replaced. Who has the \
            words has the money; without the words and without this host it is lost.

            --recover asks for the words of a backup instead: the same words give the same keys \
            and addresses. So is the second host of a cluster given the seed.

            The words go to the terminal only, which is cleared afterwards, its scrollback \
            included: never to a pipe, a log or an argument. Do not run it where input and output \
            are recorded, as by script(1) or sudo's log_output. --words-file replaces the terminal \
            for automation: new words are written to that file, which must not exist, with mode \
            0600; with --recover they are read from it, and no one else may have access to it. \
            There is no passphrase.

            --token seals the words with an RSA key on a PKCS#11 token, so that a copy of this \
            host's files opens nothing without it: the signer asks the token at each start. Make \
            the key first, as with `pkcs11-tool --module FILE --login --keypairgen --key-type \
            rsa:3072 --usage-decrypt --label wallet`. The token's PIN is asked for on the \
            terminal, or read from --pin-file, and kept beside the sealed words; the signer's user \
            needs access to the token.

            It prints the extended public key of each kind of chain, m/84'/coin'/0' (BIP84), or \
            m/44'/60'/0' (BIP44) of EVM chains, which is given to `boursectl wallet chain set`, \
            and its first deposit address.

            JSON: {"seed", "chains"}; seed is the file, and chains is as in `boursectl wallet key`.

            EXAMPLE
              sudo boursectl wallet init --chain litecoin
              sudo boursectl wallet init --recover
              boursectl --state ./state wallet init --words-file ./words
              sudo boursectl wallet init --token \
                'pkcs11:token=vault;object=wallet?module-path=/usr/lib/softhsm/libsofthsm2.so'
            """)

    private static let entropyBytes = 32

    @OptionGroup var common: CommonOptions
    @OptionGroup var chains: SeedChains
    @Flag(help: "Recovers the seed from the words of a backup.") var recover = false
    @Option(
        help: ArgumentHelp(
            "File for the words, or with them, instead of the terminal.", valueName: "file"))
    var wordsFile: String?

    @Option(
        help: ArgumentHelp(
            "The RSA key on a PKCS#11 token that seals the seed (RFC 7512).", valueName: "uri"))
    var token: String?
    @Option(
        help: ArgumentHelp(
            "File with the token's PIN, instead of the terminal.", valueName: "file"))
    var pinFile: String?

    func run() throws {
        Host.disableCoreDumps()
        let networks = try chains.networks()
        let settings = try common.settings()
        let file = WalletSeedFile(settings)
        try file.checkIsNew()
        let seal = try seal()
        let words = try recover ? recovered() : new()
        do throws(CommandError) { try file.create(words, by: seal) } catch {
            // New words of no seed are of no use to anyone.
            if let wordsFile, !recover { try? Directory.remove(wordsFile) }
            throw error
        }
        // What is shown is that of the seed as it is on the disk.
        let kept = try file.load()
        guard kept.isSame(as: words) else {
            throw CommandError(
                "\(file.found ?? file.path) holds another seed than was written",
                repair: "check the disk; remove the file, and recover from the words")
        }
        let accounts = try SeedAccount.all(kept, on: networks)
        let place = file.found ?? file.path
        let done = recover ? "The seed is recovered" : "The seed is made"
        common.out.give(
            ["seed": .string(place), "chains": .array(accounts.map(\.json))],
            text: ["\(done), and kept in \(place).", ""] + accounts.flatMap(\.lines) + [
                "",
                recover
                    ? "Compare the addresses with those the exchange gave: boursectl wallet "
                        + "address list"
                    : "Give the keys to the exchange: boursectl wallet chain set --help",
            ])
    }

    /// The token's key and its PIN, which are tried before anybody writes words down.
    private func seal() throws(CommandError) -> (place: String, pin: SecretBytes)? {
        guard let token else {
            guard pinFile == nil else {
                throw CommandError(
                    "a PIN without its token", repair: "give --token as well", code: .usage)
            }
            return nil
        }
        let pin = try TokenPIN.read(pinFile, prompt: "PIN of the token: ")
        try CommandError.wrapping { () throws(TokenError) in
            var tried = try TokenSealed.text(of: SecretBytes([0]), by: token, pin: pin)
            cleanse(&tried)
        }
        return (token, pin)
    }

    private func new() throws(CommandError) -> Mnemonic {
        let words: Mnemonic
        do throws(MnemonicError) {
            words = try Mnemonic(entropy: .random(count: Self.entropyBytes))
        } catch { throw CommandError(error) }
        guard let wordsFile else {
            try SecretTerminal.run { terminal throws(CommandError) in
                try SeedCeremony(terminal).handOver(words)
            }
            return words
        }
        var line = words.line
        defer { cleanse(&line) }
        try CommandError.wrapping { () throws(SystemError) in
            try File.create(wordsFile, with: line)
        }
        return words
    }

    private func recovered() throws(CommandError) -> Mnemonic {
        guard let wordsFile else {
            return try SecretTerminal.run { terminal throws(CommandError) in
                try SeedCeremony(terminal).ask()
            }
        }
        var bytes = try HostSecret.read(wordsFile, max: Mnemonic.textBytesMax)
        defer { cleanse(&bytes) }
        return try WalletSeedFile.words(bytes, in: wordsFile)
    }
}
