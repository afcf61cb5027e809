// wallet init

import ArgumentParser
import JSON
import Keys
import Platform
import Presentation
import Secrets

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

            It prints the extended public key of each kind of chain, m/84'/coin'/0' (BIP84), or \
            m/44'/60'/0' (BIP44) of EVM chains, which is given to `boursectl wallet chain set`, \
            and its first deposit address.

            JSON: {"seed", "chains"}; seed is the file, and chains is as in `boursectl wallet key`.

            EXAMPLE
              sudo boursectl wallet init --chain litecoin
              sudo boursectl wallet init --recover
              boursectl --state ./state wallet init --words-file ./words
            """)

    private static let entropyBytes = 32

    @OptionGroup var common: CommonOptions
    @OptionGroup var chains: SeedChains
    @Flag(help: "Recovers the seed from the words of a backup.") var recover = false
    @Option(
        help: ArgumentHelp(
            "File for the words, or with them, instead of the terminal.", valueName: "file"))
    var wordsFile: String?

    func run() throws {
        Host.disableCoreDumps()
        let networks = try chains.networks()
        let settings = try common.settings()
        let file = WalletSeedFile(settings)
        try file.checkIsNew()
        let words = try recover ? recovered() : new()
        do throws(CommandError) { try file.create(words) } catch {
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
