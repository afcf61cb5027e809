// Goal: a backup's words give back the seed that they were made of, on this machine as in any other
// wallet, and whoever types them is told what is wrong.

import Keys
import Secrets
import Slabs
import Testing

private func mnemonic(_ text: String) throws -> Mnemonic { try Mnemonic(reading: secret(text)) }

@Suite struct MnemonicTests {
    private static let zeros = [String](repeating: "abandon", count: 11)
    private static let phrase = (zeros + ["about"]).joined(separator: " ")

    @Test func `the words are the document's`() {
        let words = Mnemonic.words
        #expect(words.count == 2_048 && words == words.sorted())
        #expect(
            hex(SHA256.digest(Array((words.joined(separator: "\n") + "\n").utf8)))
                == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda")
        #expect(words.allSatisfy { 3...8 ~= $0.utf8.count })
        #expect(Set(words.map { $0.prefix(4) }).count == words.count)
    }

    @Test(arguments: MnemonicVector.all)
    func `entropy, words and seed are the reference's`(vector: MnemonicVector) throws {
        let made = try Mnemonic(entropy: SecretBytes(bytes(vector.entropy)))
        #expect(plain(made.phrase) == Array(vector.phrase.utf8))
        #expect(made.wordCount == vector.phrase.split(separator: " ").count)
        let read = try mnemonic(vector.phrase)
        #expect(hex(plain(read.entropy)) == vector.entropy)
        #expect(hex(plain(try read.seed(passphrase: secret("TREZOR")))) == vector.seed)
        #expect(plain(try read.seed()) != plain(try read.seed(passphrase: secret("trezor"))))
    }

    @Test func `there are 24 of those vectors`() {
        #expect(MnemonicVector.all.count == 24)
        #expect(Set(MnemonicVector.all.map { $0.seed }).count == 24)
    }

    @Test func `case, spaces and line ends do not matter`() throws {
        let upper = Self.phrase.uppercased()
        let spaced =
            "\n\t  " + Self.phrase.split(separator: " ").joined(separator: " \r\n\u{B} ") + " "
        for text in [upper, spaced, "Abandon" + Self.phrase.dropFirst(7)] {
            #expect(plain(try mnemonic(text).phrase) == Array(Self.phrase.utf8))
        }
    }

    @Test(arguments: [
        ("abondon", ["abandon"]), ("abandn", ["abandon"]), ("baandon", ["abandon"]),
        ("zoom", ["zoo", "room"]), ("satoshy", ["satoshi"]), ("lettre", ["letter"]),
        ("aban", ["abandon"]), ("tomorow", ["tomorrow"]), ("qqqqqq", []), ("x", []),
        ("q\u{301}", []), ("abandonabandonabandon", []), ("1", []), ("about,", ["about"]),
    ])
    func `a wrong word is named by its place, with the nearest words`(
        typed: String, nearest: [String]
    ) throws {
        for place in [0, 5, 11] {
            var words = Self.zeros + ["about"]
            words[place] = typed
            let error = #expect(throws: MnemonicError.self) {
                try mnemonic(words.joined(separator: " "))
            }
            guard case .unknownWord(let found, let suggestions) = error else {
                Issue.record("\(typed): \(error as Any)")
                return
            }
            #expect(found == place + 1 && suggestions.count <= 3)
            #expect(nearest.isEmpty == suggestions.isEmpty, "\(suggestions)")
            #expect(nearest.allSatisfy { suggestions.contains($0) }, "\(typed): \(suggestions)")
            #expect(nearest.first == nil || suggestions.first == nearest.first, "\(suggestions)")
        }
    }

    @Test func `what is wrong is said in words`() {
        let near = MnemonicError.unknownWord(
            place: 3, suggestions: ["letter", "lecture", "better"])
        #expect(near.description == "word 3 is not in the list; is it letter, lecture or better?")
        #expect(
            MnemonicError.unknownWord(place: 3, suggestions: []).description
                == "word 3 is not in the list")
        #expect(MnemonicError.wordCount(11).description.hasPrefix("11 words"))
    }

    @Test func `words that do not belong together are refused`() throws {
        // Two words swapped.
        for vector in MnemonicVector.all {
            var words = vector.phrase.split(separator: " ").map { String($0) }
            guard words[0] != words[1] else { continue }
            words.swapAt(0, 1)
            let swapped = (try? mnemonic(words.joined(separator: " "))).map {
                hex(plain($0.entropy))
            }
            #expect(swapped != vector.entropy)
        }
        #expect(throws: MnemonicError.checksum) {
            try mnemonic((Self.zeros + ["abandon"]).joined(separator: " "))
        }
        for count in [0, 1, 11, 13, 14, 16, 25, 27, 100] {
            #expect(throws: MnemonicError.wordCount(count)) {
                try mnemonic([String](repeating: "zoo", count: count).joined(separator: " "))
            }
        }
        #expect(throws: MnemonicError.textLength(1_025)) {
            try mnemonic(String(repeating: " ", count: 1_025))
        }
        for count in [0, 15, 17, 33, 64] {
            #expect(throws: MnemonicError.entropyLength(count)) {
                try Mnemonic(entropy: SecretBytes([UInt8](repeating: 1, count: count)))
            }
        }
    }

    @Test func `of 2,048 last words one in sixteen is right`() throws {
        let valid = Mnemonic.words.filter { word in
            (try? mnemonic((Self.zeros + [word]).joined(separator: " "))) != nil
        }
        #expect(valid.count == 128 && valid.contains("about"))
    }

    @Test func `a passphrase is printable ASCII`() throws {
        let mnemonic = try mnemonic(Self.phrase)
        for text in ["é", "e\u{301}", "a\n", "\0", "\u{7F}"] {
            #expect(throws: MnemonicError.passphrase) {
                try mnemonic.seed(passphrase: secret(text))
            }
        }
        let most = String(repeating: "~", count: 256)
        _ = try mnemonic.seed(passphrase: secret(most))
        #expect(throws: MnemonicError.passphraseLength(257)) {
            try mnemonic.seed(passphrase: secret(most + "~"))
        }
        // BIP39's well-known seed without a passphrase.
        #expect(
            hex(plain(try mnemonic.seed()))
                == "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
                + "9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4")
    }

    @Test func `any entropy comes back, and any text is a phrase or an error`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        for round in 0..<WalletFuzz.iterations / 10 {
            let entropy = random.bytes([16, 20, 24, 28, 32][random.below(5)])
            let made = try Mnemonic(entropy: SecretBytes(entropy))
            let phrase = plain(made.phrase)
            let read = try Mnemonic(reading: made.phrase)
            #expect(plain(read.entropy) == entropy, WalletFuzz.replay(round))
            #expect(plain(read.phrase) == phrase, WalletFuzz.replay(round))
            for text in [random.damaged(phrase), random.bytes(random.below(300))] {
                guard let other = try? Mnemonic(reading: SecretBytes(text)) else { continue }
                let again = try Mnemonic(reading: other.phrase)
                #expect(plain(again.entropy) == plain(other.entropy), WalletFuzz.replay(round))
            }
        }
    }
}
