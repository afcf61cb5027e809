// Goal: tokens are asked, moved and seen as their standard says; a call or log that only looks like
// a transfer is none.

import Addresses
import EVM
import Slabs
import Testing

private func address(_ byte: UInt8) throws -> EVMAddress {
    try #require(EVMAddress(bytes: [UInt8](repeating: byte, count: 20)))
}

private func word(_ number: UInt128) -> [UInt8] { EVMWord(number).bytes }

@Suite struct ABITests {
    /// The selectors of EIP-20 as compilers print them.
    @Test func `calls have their function's selector and whole words`() throws {
        let (owner, zeros) = (try address(0xAB), String(repeating: "00", count: 12))
        let owned = String(repeating: "ab", count: 20)
        #expect(hex(TokenQuery.balance(of: owner).data) == "70a08231" + zeros + owned)
        #expect(hex(TokenQuery.decimals.data) == "313ce567")
        #expect(hex(TokenQuery.symbol.data) == "95d89b41")
        let transfer = TokenTransfer(to: owner, amount: EVMWord(1_000_000))
        #expect(hex(transfer.data) == "a9059cbb" + zeros + owned + hex(word(1_000_000)))
        #expect(try TokenTransfer(decoding: transfer.data) == transfer)
    }

    @Test func `a call that is more or less than a transfer is refused`() throws {
        let data = TokenTransfer(to: try address(7), amount: .max).data
        for count in 0..<4 {
            #expect(throws: ABIError.otherFunction) {
                try TokenTransfer(decoding: Array(data.prefix(count)))
            }
        }
        for count in 4..<68 {
            #expect(throws: ABIError.length(count)) {
                try TokenTransfer(decoding: Array(data.prefix(count)))
            }
        }
        #expect(throws: ABIError.length(69)) { try TokenTransfer(decoding: data + [0]) }
        for place in 0..<16 {
            var wrong = data
            wrong[place] ^= 1
            #expect(throws: place < 4 ? ABIError.otherFunction : .value) {
                try TokenTransfer(decoding: wrong)
            }
        }
        // transferFrom and approve.
        for selector in ["23b872dd", "095ea7b3"] {
            #expect(throws: ABIError.otherFunction) {
                try TokenTransfer(decoding: bytes(selector) + data.dropFirst(4))
            }
        }
    }

    @Test func `a word, a truth and decimals are read where they are nothing else`() throws {
        #expect(try ABIReturn.word(word(5)) == EVMWord(5))
        #expect(try ABIReturn.word([UInt8](repeating: 0xFF, count: 32)) == .max)
        #expect(throws: ABIError.noReturn) { try ABIReturn.word([]) }
        #expect(throws: ABIError.length(31)) {
            try ABIReturn.word([UInt8](repeating: 0, count: 31))
        }
        #expect(throws: ABIError.length(64)) { try ABIReturn.word(word(1) + word(1)) }
        #expect(try ABIReturn.bool(word(0)) == false && ABIReturn.bool(word(1)))
        #expect(throws: ABIError.value) { try ABIReturn.bool(word(2)) }
        #expect(throws: ABIError.value) { try ABIReturn.bool([1] + word(1).dropFirst()) }
        #expect(try ABIReturn.decimals(word(18)) == 18 && ABIReturn.decimals(word(255)) == 255)
        #expect(throws: ABIError.value) { try ABIReturn.decimals(word(256)) }
    }

    private static func string(_ text: [UInt8], padding: Int? = nil) -> [UInt8] {
        let zeros = padding ?? (32 - text.count % 32) % 32
        return word(32) + word(UInt128(text.count)) + text + [UInt8](repeating: 0, count: zeros)
    }

    @Test func `a symbol is a string or 32 bytes`() throws {
        for text in ["USDT", "T", "USD₮0", String(repeating: "x", count: 32)] {
            let letters = Array(text.utf8)
            #expect(try ABIReturn.symbol(Self.string(letters)) == text)
            let fixed = letters + [UInt8](repeating: 0, count: 32 - letters.count)
            #expect(try ABIReturn.symbol(fixed) == text)
        }
        // Padded by more than one word.
        #expect(try ABIReturn.symbol(Self.string(Array("MKR".utf8), padding: 61)) == "MKR")
    }

    @Test func `what is no symbol is refused`() {
        let letters = Array("USDT".utf8)
        let rows: [([UInt8], ABIError)] = [
            ([], .noReturn), (word(0), .text), (Self.string([]), .text),
            (Self.string([UInt8](repeating: 0x78, count: 33)), .text),
            (Self.string(letters, padding: 27), .length(95)),
            (Self.string(letters + [0]), .text), (Self.string([0x55, 0x0A]), .text),
            (Self.string([0xFF, 0xFE]), .text), (Self.string([0xE2, 0x80, 0xAE]), .text),
            (word(64) + word(4) + letters + [UInt8](repeating: 0, count: 28), .value),
            (word(32) + [UInt8](repeating: 0xFF, count: 32), .text),
            (word(32) + word(20), .length(64)), (word(32), .text),
            (word(32) + word(4) + letters + [UInt8](repeating: 1, count: 28), .text),
            (letters + [UInt8](repeating: 0, count: 27) + [1], .text),
            ([UInt8](repeating: 0, count: 1_056), .length(1_056)), ([1], .length(1)),
        ]
        for (row, error) in rows {
            #expect(throws: error, "\(hex(row))") { try ABIReturn.symbol(row) }
        }
    }

    private static func topics(_ from: UInt8, _ to: UInt8) -> [[UInt8]] {
        let zeros = [UInt8](repeating: 0, count: 12)
        return [TransferLog.topic]
            + [from, to].map { zeros + [UInt8](repeating: $0, count: 20) }
    }

    @Test func `a log of a transfer is who, whom and how much`() throws {
        #expect(
            hex(TransferLog.topic)
                == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
        let log = try TransferLog(
            token: try address(9), topics: Self.topics(1, 0), data: word(1_000_000))
        #expect(try log.token == address(9))
        #expect(try log.from == address(1))
        #expect(try log.to == address(0))
        #expect(log.amount == EVMWord(1_000_000))
    }

    @Test func `a log that only looks like a transfer is none`() throws {
        let (token, topics) = (try address(9), Self.topics(1, 2))
        // ERC-721: the token's number is a topic.
        #expect(throws: ABIError.nonFungible) {
            try TransferLog(token: token, topics: topics + [word(5)], data: [])
        }
        let short = Array(topics[1].dropFirst())
        let dirty = [1] + short
        let rows: [([[UInt8]], [UInt8], ABIError)] = [
            ([], word(1), .otherEvent), ([word(1)], word(1), .otherEvent),
            (Array(topics.prefix(1)), word(1), .otherEvent),
            (Array(topics.prefix(2)), word(1), .otherEvent),
            (topics + [word(1), word(1)], word(1), .otherEvent), (topics, [], .length(0)),
            (topics, word(1) + [0], .length(33)), (topics, Array(word(1).dropLast()), .length(31)),
            (topics, word(1) + word(1), .length(64)),
            ([topics[0], short, topics[2]], word(1), .value),
            ([topics[0], dirty, topics[2]], word(1), .value),
            ([topics[0], topics[1], dirty], word(1), .value),
            ([topics[0], topics[1], []], word(1), .value),
        ]
        for (topics, data, error) in rows {
            #expect(throws: error) { try TransferLog(token: token, topics: topics, data: data) }
        }
    }

    @Test func `any bytes are a call, a return or a log that is written so, or none`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        let token = try address(9)
        var found = 0
        for round in 0..<WalletFuzz.iterations {
            let transfer = TokenTransfer(
                to: try #require(EVMAddress(bytes: random.bytes(20))),
                amount: try #require(EVMWord(bytes: random.bytes(random.below(33)))))
            #expect(
                try TokenTransfer(decoding: transfer.data) == transfer, WalletFuzz.replay(round))
            for data in [random.damaged(transfer.data), random.bytes(68)] {
                guard let other = try? TokenTransfer(decoding: data) else { continue }
                found += 1
                #expect(other.data == data, WalletFuzz.replay(round))
            }
            let text = Self.string(random.bytes(random.below(40)))
            for bytes in [text, random.damaged(text), random.bytes(32 * random.below(5))] {
                _ = try? ABIReturn.word(bytes)
                _ = try? ABIReturn.bool(bytes)
                _ = try? ABIReturn.decimals(bytes)
                let symbol = try? ABIReturn.symbol(bytes)
                #expect((symbol?.utf8.count ?? 1) <= ABIReturn.symbolBytesMax)
            }
            var topics = Self.topics(1, 2).map { random.below(4) == 0 ? random.damaged($0) : $0 }
            if random.below(4) == 0 { topics.append(random.bytes(random.below(40))) }
            let data = random.below(4) == 0 ? random.bytes(random.below(70)) : random.bytes(32)
            if let log = try? TransferLog(token: token, topics: topics, data: data) {
                #expect(log.amount.bytes == data, WalletFuzz.replay(round))
                #expect(Array(topics[1].suffix(20)) == log.from.bytes, WalletFuzz.replay(round))
                #expect(Array(topics[2].suffix(20)) == log.to.bytes, WalletFuzz.replay(round))
            }
            let word = String(decoding: random.bytes(random.below(70)), as: UTF8.self)
            for text in [word, "0x" + word, EVMHex.text(transfer.data)] {
                if let value = try? EVMHex.quantity(text) {
                    #expect(EVMHex.text(value) == text.lowercased(), WalletFuzz.replay(round))
                }
                if let data = try? EVMHex.data(text, countMax: 68) {
                    #expect(EVMHex.text(data) == text.lowercased(), WalletFuzz.replay(round))
                }
            }
        }
        #expect(found > 0 || WalletFuzz.iterations < 1_000)
    }
}
