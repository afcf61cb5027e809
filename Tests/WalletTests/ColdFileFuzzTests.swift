// Goal: whatever is in the files that an operator gives to `wallet cold import`, each of them is a
// PSBT or refused in words, and what is done with a PSBT there never stops the process.

import Addresses
import BoursectlCommands
import Slabs
import Terms
import Testing
import UTXO

@Suite struct ColdFileFuzzTests {
    /// PSBTs that decode or almost do, with signatures of all kinds or without.
    private let samples = (PSBTVectors.valid + PSBTVectors.invalid.dropFirst())
        .compactMap { Base64.bytes($0.text) }

    /// What a file is read as; nil: it is refused, with words that name it.
    private func read(_ bytes: [UInt8], on network: UTXONetwork, _ replay: Comment) -> PSBT? {
        do { return try ColdFile("bring.psbt", bytes).psbt(on: network) } catch {
            #expect("\(error)".hasPrefix("bring.psbt is no PSBT: "), replay)
            return nil
        }
    }

    /// What `wallet cold import` does with the files before anybody has looked at them.
    private func bring(_ psbt: PSBT, with other: PSBT, on network: UTXONetwork) {
        var psbt = psbt
        psbt.leaveOutInvalidSignatures(on: network)
        if let both = try? psbt.combined(with: other) { psbt = both }
        for index in psbt.transaction.inputs.indices { _ = try? psbt.spent(index, on: network) }
        _ = try? psbt.finalize(on: network)
        _ = try? psbt.extracted()
    }

    /// Base64 as mail and editors leave it: in lines of some length, with either end of a line.
    private func lines(_ text: String, _ random: inout SplitMix64) -> [UInt8] {
        let (length, end) = (1 + random.below(80), random.below(2) == 0 ? "\n" : "\r\n ")
        var bytes: [UInt8] = []
        for (place, letter) in text.utf8.enumerated() {
            if place > 0, place % length == 0 { bytes += end.utf8 }
            bytes.append(letter)
        }
        return bytes + Array("\n".utf8)
    }

    @Test func `a file is a PSBT or refused, binary, as Base64 and as digits`() throws {
        let network = try #require(UTXONetwork.named("litecoin-regtest"))
        #expect(samples.count > 40)
        var (taken, refused) = (0, 0)
        let rounds = max(1, Fuzz.rounds / 4)
        for seed in Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(rounds) {
            var random = SplitMix64(seed: seed)
            let replay = Fuzz.replay(seed, "ColdFileFuzz")
            let content =
                switch random.below(8) {
                case 0: random.bytes(random.below(400))
                case 1: Array("psbt".utf8) + [0xFF] + random.bytes(random.below(400))
                case 2: samples[random.below(samples.count)]
                default: random.spoiled(samples[random.below(samples.count)])
                }
            let isMarked = content.starts(with: Array("psbt".utf8))
            let due = isMarked ? try? PSBT(content, on: network) : nil
            let text = Base64.text(content)
            #expect(read(lines(text, &random), on: network, replay) == due, replay)
            let binary = read(content, on: network, replay)
            #expect(!isMarked || binary == due, replay)
            // Digits are letters of Base64, and mean nothing there.
            let digits = hex(content)
            for one in [digits, "0x" + digits, digits.uppercased()] {
                #expect(read(Array(one.utf8), on: network, replay) == nil, replay)
            }
            let spoiled = read(
                random.spoiled(lines(text, &random)), on: network, replay)
            for psbt in [due, spoiled].compactMap(\.self) {
                bring(psbt, with: due ?? psbt, on: network)
            }
            if let due {
                taken += 1
                #expect(due.bytes == content, replay)
            } else {
                refused += 1
            }
        }
        #expect(rounds < 1_000 || min(taken, refused) > rounds / 50, "both occur")
    }

    @Test func `nothing, spaces and halves of a PSBT are none`() throws {
        let network = try #require(UTXONetwork.named("litecoin-regtest"))
        let good = try #require(samples.first)
        #expect(read(good, on: network, "whole") != nil)
        for bytes in [[], Array(" \n".utf8), Array("psbt".utf8), Array("cHNidA==".utf8)] {
            #expect(read(bytes, on: network, "\(bytes)") == nil)
        }
        for count in good.indices {
            #expect(read(Array(good[..<count]), on: network, "\(count) bytes") == nil)
            let text = Base64.text(good[..<count])
            #expect(read(Array(text.utf8), on: network, "\(count) bytes as Base64") == nil)
        }
    }
}
