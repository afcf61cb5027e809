// Goal: amounts on a chain are never rounded unseen, and no number of 256 bits stops the process.

import EVM
import Slabs
import Terms
import Testing

private func word(_ digits: String) throws -> EVMWord {
    let padded = digits.utf8.count % 2 == 0 ? digits : "0" + digits
    return try #require(EVMWord(bytes: bytes(padded)))
}

@Suite struct EVMWordTests {
    @Test(arguments: [
        ("", "0"), ("01", "1"),
        ("102030405060708090a0b0c0d0e0f2", "83729609699884896815286331701780722"),
        (
            "0100020003000400050006000700080009000a000b000c000d000e01",
            "105315505618206987246253880190783558935785933862974822347068935681"
        ),
        ("8ac7230489e7ffff", "9999999999999999999"), ("8ac7230489e80000", "10000000000000000000"),
        ("0100000000000000000000000000000000", "340282366920938463463374607431768211456"),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        ),
    ])
    func `a word is its bytes and its decimal digits`(digits: String, text: String) throws {
        let word = try word(digits)
        #expect(word.description == text)
        #expect(word.bytes.count == 32 && EVMWord(bytes: word.bytes) == word)
        #expect(hex(word.minimalBytes) == digits)
        #expect(EVMWord(bytes: [UInt8](repeating: 0, count: 33)) == nil)
    }

    @Test func `sums, differences and orders end at 256 bits`() throws {
        let (one, max) = (EVMWord(1), EVMWord.max)
        let middle = EVMWord(.max)
        #expect(max.adding(one) == nil && max.adding(.zero) == max)
        #expect(EVMWord.zero.subtracting(one) == nil && max.subtracting(max) == .zero)
        let carried = try #require(middle.adding(one))
        #expect(hex(carried.minimalBytes) == "01" + String(repeating: "00", count: 16))
        #expect(carried.subtracting(one) == middle)
        #expect(.zero < one && one < middle && middle < carried && carried < max)
        #expect(middle.uint128 == .max && carried.uint128 == nil && middle.uint64 == nil)
        #expect(EVMWord(UInt128(UInt64.max)).uint64 == .max)
    }

    @Test(
        arguments: [
            // Wei to eight decimals: what is below stays on the chain.
            (18, 8, "de0b6b3a7640000", 100_000_000, "0"),
            (18, 8, "de0b6b3a763ffff", 99_999_999, "9999999999"), (18, 8, "0", 0, "0"),
            (18, 18, "de0b6b3a7640000", 1_000_000_000_000_000_000, "0"),
            (6, 6, "f4240", 1_000_000, "0"),
            (6, 8, "f4240", 100_000_000, "0"), (0, 18, "1", 1_000_000_000_000_000_000, "0"),
            (255, 0, "1", 0, "1"), (255, 18, "64", 0, "100"), (0, 255, "0", 0, "0"),
        ] as [(UInt8, UInt8, String, Int128, String)])
    func `an amount is rounded down and says by how much`(
        decimals: UInt8, scale: UInt8, digits: String, units: Int128, remainder: String
    ) throws {
        let found = try word(digits).amount(decimals: decimals, scale: scale)
        #expect(found.amount == Amount(units: units))
        #expect(found.remainder.description == remainder)
    }

    @Test func `what the ledger or the chain cannot hold is refused`() throws {
        let most = EVMWord(UInt128(Limits.amountUnitsMax))
        #expect(try most.amount(decimals: 18, scale: 18).amount.units == Limits.amountUnitsMax)
        let more = try #require(most.adding(EVMWord(1)))
        for (word, decimals, scale) in [
            (more, 18, 18), (.max, 18, 8), (EVMWord(1), 0, 255), (.max, 6, 18),
        ] as [(EVMWord, UInt8, UInt8)] {
            #expect(throws: EVMAmountError.tooLarge) {
                try word.amount(decimals: decimals, scale: scale)
            }
        }
        // As many digits less as it has: nothing is left of it but the remainder.
        #expect(try EVMWord.max.amount(decimals: 78, scale: 0).remainder == .max)

        let amount = Amount(units: 150)
        #expect(try EVMWord(amount, scale: 2, decimals: 1) == EVMWord(15))
        #expect(try EVMWord(amount, scale: 2, decimals: 4) == EVMWord(15_000))
        #expect(try EVMWord(amount, scale: 2, decimals: 2) == EVMWord(150))
        #expect(throws: EVMAmountError.notWhole(decimals: 0)) {
            try EVMWord(amount, scale: 2, decimals: 0)
        }
        #expect(throws: EVMAmountError.tooLarge) { try EVMWord(amount, scale: 0, decimals: 77) }
        #expect(throws: EVMAmountError.negative) {
            try EVMWord(Amount(units: -1), scale: 2, decimals: 2)
        }
    }

    @Test func `every amount of the ledger comes back from every chain`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        for round in 0..<WalletFuzz.iterations {
            let (scale, decimals) = (UInt8(random.below(19)), UInt8(random.below(40)))
            let units = Int128(truncatingIfNeeded: random.next()) >> Int128(random.below(64))
            let word = try? EVMWord(Amount(units: units), scale: scale, decimals: decimals)
            let back = try word?.amount(decimals: decimals, scale: scale)
            #expect(back == nil || back?.amount.units == units, WalletFuzz.replay(round))
            #expect(back == nil || back?.remainder == .zero, WalletFuzz.replay(round))
            #expect(decimals < scale || back != nil, WalletFuzz.replay(round))
            // Any word: what is taken and what is left make the whole.
            let any = try #require(EVMWord(bytes: random.bytes(random.below(33))))
            if let found = try? any.amount(decimals: decimals, scale: scale) {
                let taken = try EVMWord(found.amount, scale: scale, decimals: decimals)
                #expect(taken.adding(found.remainder) == any, WalletFuzz.replay(round))
            }
        }
    }
}

@Suite struct EVMHexTests {
    /// The examples of Ethereum's JSON-RPC documentation, "Hex value encoding".
    @Test(arguments: [("0x41", 65), ("0x400", 1_024), ("0x0", 0)] as [(String, UInt64)])
    func `a quantity is a number`(text: String, value: UInt64) throws {
        #expect(try EVMHex.uint64(text) == value)
        #expect(EVMHex.text(EVMWord(UInt128(value))) == text)
    }

    @Test(
        arguments: [
            ("0x", .notCanonical), ("0x0400", .notCanonical), ("0x00", .notCanonical),
            ("ff", .prefix),
            ("", .prefix), ("0", .prefix), ("0X1", .prefix), ("x0", .prefix), ("0xg", .digit),
            ("0x1 ", .digit), ("0x-1", .digit), ("0x\u{ff11}", .digit), ("0x\u{301}1", .digit),
            ("0x1" + String(repeating: "0", count: 64), .length),
            (String(repeating: "0x1", count: 30), .length),
        ] as [(String, EVMHexError)])
    func `what is no quantity is refused`(text: String, error: EVMHexError) {
        #expect(throws: error) { try EVMHex.quantity(text) }
    }

    @Test func `a quantity has its bound`() throws {
        let most = "0x" + String(repeating: "f", count: 64)
        #expect(try EVMHex.quantity(most) == .max && EVMHex.text(.max) == most)
        #expect(try EVMHex.quantity(most.replacing("f", with: "F")) == .max)
        #expect(try EVMHex.uint64("0xffffffffffffffff") == .max)
        #expect(throws: EVMHexError.length) { try EVMHex.uint64("0x10000000000000000") }
    }

    @Test func `data has whole bytes and its bound`() throws {
        #expect(try EVMHex.data("0x004200", countMax: 3) == [0, 0x42, 0])
        #expect(try EVMHex.data("0x", countMax: 0) == [])
        #expect(EVMHex.text([0, 0x42, 0]) == "0x004200" && EVMHex.text([UInt8]()) == "0x")
        #expect(throws: EVMHexError.odd) { try EVMHex.data("0xf0f0f", countMax: 3) }
        #expect(throws: EVMHexError.prefix) { try EVMHex.data("004200", countMax: 3) }
        #expect(throws: EVMHexError.length) { try EVMHex.data("0x004200", countMax: 2) }
        #expect(throws: EVMHexError.length) { try EVMHex.data("0x0042", count: 3) }
        #expect(try EVMHex.data("0xABcd", count: 2) == [0xAB, 0xCD])
    }
}
