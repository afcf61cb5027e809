// Handing a seed's words over to a person, and taking them back.

import Keys
import Secrets

/// The words of a seed on a terminal. No word leaves it: not by an error either.
struct SeedCeremony {
    private let terminal: SecretTerminal

    /// How many words may be wrong before it ends.
    private static let mistakesMax = 12
    /// How many times all words may be typed whose checksum is wrong.
    private static let passesMax = 3
    private static let columns = 4

    /// A ceremony on this terminal.
    init(_ terminal: SecretTerminal) { self.terminal = terminal }

    /// Shows new words, and returns once all of them were typed back.
    func handOver(_ words: Mnemonic) throws(CommandError) {
        terminal.show(
            "The wallet's seed. Who has these words has its money; without them it can be lost.\n"
                + "Write them on paper with their numbers. No photograph, no file, no printer.\n\n")
        try showAll(words)
        terminal.show(
            "\nPress Enter when they are written down: they are cleared, and you type them from "
                + "the paper.\nCtrl-C ends it; nothing is kept then. ")
        var line = try terminal.readLine()
        cleanse(&line)
        terminal.clear()
        terminal.show("Type the words from the paper, one or more in a line.\n\n")
        var text = try typed { typed, place in
            var word = words.word(place)
            defer { cleanse(&word) }
            return isEqual(typed, word)
        }
        cleanse(&text)
    }

    /// Asks for the words of a backup.
    func ask() throws(CommandError) -> Mnemonic {
        terminal.show(
            "Type the \(WalletSeedFile.wordCount) words of the backup, one or more in a line.\n"
                + "Ctrl-C ends it; nothing is kept then.\n\n")
        for pass in 1...Self.passesMax {
            var text = try typed { _, _ in true }
            defer { cleanse(&text) }
            do throws(MnemonicError) {
                return try Mnemonic(reading: SecretBytes(text))
            } catch {
                terminal.show(
                    "\nEach word is in the list, but together they are not valid: compare each one "
                        + "and their order.\n"
                        + (pass < Self.passesMax ? "Type all of them once more.\n\n" : ""))
            }
        }
        throw CommandError("these are not the words of a seed; nothing was kept")
    }

    private func showAll(_ words: Mnemonic) throws(CommandError) {
        var text: [UInt8] = []
        text.reserveCapacity(Mnemonic.textBytesMax)
        defer { cleanse(&text) }
        let width = 14
        for place in 1...words.wordCount {
            text += (place < 10 ? " " : "").utf8
            text += "\(place). ".utf8
            var word = words.word(place)
            text += word
            text += repeatElement(UInt8(ascii: " "), count: width - word.count)
            cleanse(&word)
            if place % Self.columns == 0 { text.append(UInt8(ascii: "\n")) }
        }
        try terminal.show(secret: text)
    }

    /// Reads all words, each one until it is in the list and `isRight`; returns them with a space
    /// behind each, for the caller to overwrite.
    private func typed(
        _ isRight: (_ word: [UInt8], _ place: Int) -> Bool
    ) throws(CommandError) -> [UInt8] {
        var text: [UInt8] = []
        // It grows nowhere else: no copy stays behind.
        text.reserveCapacity(WalletSeedFile.wordCount * (SecretTerminal.lineBytesMax + 1))
        var (place, mistakes) = (1, 0)
        do throws(CommandError) {
            while place <= WalletSeedFile.wordCount {
                terminal.show("word \(place): ")
                var line = try terminal.readLine()
                defer { cleanse(&line) }
                guard let problem = take(line, &place, into: &text, isRight) else { continue }
                terminal.show("  \(problem)\n")
                mistakes += 1
                guard mistakes < Self.mistakesMax else {
                    throw CommandError(
                        "\(mistakes) words were wrong; nothing was kept",
                        repair: "begin again, with the paper at hand")
                }
            }
        } catch {
            cleanse(&text)
            throw error
        }
        return text
    }

    /// Takes the words of a line up to the first one that is wrong; returns what is wrong with it.
    private func take(
        _ line: [UInt8], _ place: inout Int, into text: inout [UInt8],
        _ isRight: (_ word: [UInt8], _ place: Int) -> Bool
    ) -> String? {
        for part in line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) {
            guard place <= WalletSeedFile.wordCount else {
                return "there are only \(WalletSeedFile.wordCount) words: what follows is left out"
            }
            var word = part.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }
            defer { cleanse(&word) }
            do throws(MnemonicError) { try Mnemonic.check(word, place: place) } catch {
                return "\(error)"
            }
            guard isRight(word, place) else {
                return "word \(place) is another one: look at the paper. If it is wrong there, end "
                    + "with Ctrl-C and begin again."
            }
            text += word
            text.append(0x20)
            place += 1
        }
        return nil
    }
}
