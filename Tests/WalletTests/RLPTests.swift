// Goal: RLP is written as Ethereum's tests have it, and read only where it is written so.

import EVM
import Slabs
import Testing

private func item(_ text: String) -> RLPItem { .bytes(Array(text.utf8)) }

private func texts(_ words: String) -> RLPItem {
    .list(words.split(separator: " ").map { item(String($0)) })
}

@Suite struct RLPTests {
    private static let lorem = """
        Lorem ipsum dolor sit amet, consectetur adipiscing elit. Curabitur mauris magna, suscipit \
        sed vehicula non, iaculis faucibus tortor. Proin suscipit ultricies malesuada. Duis tortor \
        elit, dictum quis tristique eu, ultrices at risus. Morbi a est imperdiet mi ullamcorper \
        aliquet suscipit nec lorem. Aenean quis leo mollis, vulputate elit varius, consequat enim. \
        Nulla ultrices turpis justo, et posuere urna consectetur nec. Proin non convallis metus. \
        Donec tempor ipsum in mauris congue sollicitudin. Vestibulum ante ipsum primis in faucibus \
        orci luctus et ultrices posuere cubilia Curae; Suspendisse convallis sem vel massa \
        faucibus, eget lacinia lacus tempor. Nulla quis ultricies purus. Proin auctor rhoncus nibh \
        condimentum mollis. Aliquam consequat enim at metus luctus, a eleifend purus egestas. \
        Curabitur at nibh metus. Nam bibendum, neque at auctor tristique, lorem libero aliquet \
        arcu, non interdum tellus lectus sit amet eros. Cras rhoncus, metus ac ornare cursus, \
        dolor justo ultrices metus, at ullamcorper volutpat
        """
    private static let short = "Lorem ipsum dolor sit amet, consectetur adipisicing eli"
    private static let asdf = "84617364668471776572847a786376"

    /// ethereum/tests, `RLPTests/rlptest.json`, in its order.
    static let valid: [(RLPItem, String)] = [
        (item(""), "80"), (item("\0"), "00"), (item("\u{1}"), "01"), (item("\u{7F}"), "7f"),
        (item("dog"), "83646f67"), (item(short), "b7" + hex(Array(short.utf8))),
        (item(short + "t"), "b838" + hex(Array(short.utf8)) + "74"),
        (item(lorem), "b90400" + hex(Array(lorem.utf8))), (.number(0), "80"), (.number(1), "01"),
        (.number(16), "10"), (.number(79), "4f"), (.number(127), "7f"), (.number(128), "8180"),
        (.number(1_000), "8203e8"), (.number(100_000), "830186a0"),
        (
            .bytes(bytes("102030405060708090a0b0c0d0e0f2")),
            "8f102030405060708090a0b0c0d0e0f2"
        ),
        (
            .bytes(bytes("0100020003000400050006000700080009000a000b000c000d000e01")),
            "9c0100020003000400050006000700080009000a000b000c000d000e01"
        ),
        (.list([]), "c0"), (texts("dog god cat"), "cc83646f6783676f6483636174"),
        (.list([item("zw"), .list([.number(4)]), .number(1)]), "c6827a77c10401"),
        (
            texts("asdf qwer zxcv asdf qwer zxcv asdf qwer zxcv asdf qwer"),
            "f7" + asdf + asdf + asdf + "84617364668471776572"
        ),
        (
            .list([RLPItem](repeating: texts("asdf qwer zxcv"), count: 4)),
            "f840" + String(repeating: "cf" + asdf, count: 4)
        ),
        (
            .list([RLPItem](repeating: texts("asdf qwer zxcv"), count: 32)),
            "f90200" + String(repeating: "cf" + asdf, count: 32)
        ),
        (.list([.list([.list([]), .list([])]), .list([])]), "c4c2c0c0c0"),
        (
            .list([
                .list([]), .list([.list([])]), .list([.list([]), .list([.list([])])]),
            ]), "c7c0c1c0c3c0c1c0"
        ),
        (
            .list((1...4).map { texts("key\($0) val\($0)") }),
            "ecca846b6579318476616c31ca846b6579328476616c32"
                + "ca846b6579338476616c33ca846b6579348476616c34"
        ),
        (
            .bytes([1] + [UInt8](repeating: 0, count: 32)),
            "a101" + String(repeating: "00", count: 32)
        ),
    ]

    @Test(arguments: valid)
    func `an item is written in one way and read back`(item: RLPItem, text: String) throws {
        #expect(hex(item.encoded) == text)
        #expect(try RLPItem(decoding: bytes(text)) == item)
        #expect(throws: RLPError.trailing) { try RLPItem(decoding: bytes(text) + [0]) }
        for count in 0..<bytes(text).count {
            #expect(throws: RLPError.self) {
                try RLPItem(decoding: Array(bytes(text).prefix(count)))
            }
        }
    }

    /// The same folder's `invalidRLPTest.json`, and what is written with more than it needs.
    @Test(
        arguments: [
            ("bf0f000000000000021111", .truncated), ("ff0f000000000000021111", .truncated),
            ("f80180", .notCanonical), ("f80100", .notCanonical),
            (
                "b9002100dc2b275d0f74e8a53e6f4ec61b27f24278820be3f82ea2110e582081b0565df0",
                .notCanonical
            ),
            (
                "f861f83eb9002100dc2b275d0f74e8a53e6f4ec61b27f24278820be3f82ea2110e5820"
                    + "81b0565df027b90015002d5ef8325ae4d034df55d4b58d0dfba64d61ddd17be00000b9"
                    + "001a00dae30907045a2f66fa36f2bb8aa9029cbb0b8a7b3b5c435ab331", .notCanonical
            ),
            ("8100", .notCanonical), ("8101", .notCanonical), ("817f", .notCanonical),
            (
                "b90040000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
                    + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
                .notCanonical
            ),
            ("b800", .notCanonical), ("f800", .notCanonical),
            (
                "fb00000040000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d"
                    + "1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
                .notCanonical
            ),
            ("b81000112233445566778899aabbccddeeff", .notCanonical), ("b801ff", .notCanonical),
            ("f810000102030405060708090a0b0c0d0e0f", .notCanonical), ("f803112233", .notCanonical),
            ("", .truncated), ("81", .truncated), ("a0000102", .truncated), ("b8", .truncated),
            ("b837ff", .notCanonical), ("b838ff", .truncated), ("bfffffffffffffffff", .truncated),
            ("c1", .truncated), ("ffffffffffffffffff", .truncated), ("c28301", .truncated),
            // An item that ends behind its list.
            ("c28200", .truncated), ("c3c2820000", .truncated), ("c08080", .trailing),
        ] as [(String, RLPError)])
    func `what is not written so is refused`(text: String, error: RLPError) {
        #expect(throws: error) { try RLPItem(decoding: bytes(text)) }
    }

    @Test func `depth, number and size have their bounds`() throws {
        var deep = RLPItem.list([])
        for _ in 1..<RLPItem.depthMax { deep = .list([deep]) }
        #expect(try RLPItem(decoding: deep.encoded) == deep)
        #expect(throws: RLPError.tooDeep) { try RLPItem(decoding: RLPItem.list([deep]).encoded) }
        #expect(throws: RLPError.self) {
            try RLPItem(decoding: [UInt8](repeating: 0xC1, count: RLPItem.bytesMax))
        }
        // The list itself is one.
        let many = [RLPItem](repeating: .number(1), count: RLPItem.itemsMax - 1)
        #expect(try RLPItem(decoding: RLPItem.list(many).encoded) == .list(many))
        #expect(throws: RLPError.tooManyItems) {
            try RLPItem(decoding: RLPItem.list(many + [.number(1)]).encoded)
        }
        let long = RLPItem.bytes([UInt8](repeating: 7, count: RLPItem.bytesMax - 4))
        #expect(long.encoded.count == RLPItem.bytesMax)
        #expect(try RLPItem(decoding: long.encoded) == long)
        #expect(throws: RLPError.tooLong) { try RLPItem(decoding: long.encoded + [7]) }
    }

    @Test func `any bytes are an item that is written so, or none`() {
        var random = SplitMix64(seed: WalletFuzz.seed)
        var found = 0
        for round in 0..<WalletFuzz.iterations {
            let item = Self.anyItem(&random, depth: 0)
            let encoded = item.encoded
            #expect((try? RLPItem(decoding: encoded)) == item, WalletFuzz.replay(round))
            for bytes in [random.bytes(random.below(80)), random.damaged(encoded)] {
                guard let decoded = try? RLPItem(decoding: bytes) else { continue }
                found += 1
                #expect(decoded.encoded == bytes, WalletFuzz.replay(round))
            }
        }
        #expect(found > 0 || WalletFuzz.iterations < 100)
    }

    private static func anyItem(_ random: inout SplitMix64, depth: Int) -> RLPItem {
        if depth < 4, random.below(2) == 0 {
            return .list((0..<random.below(5)).map { _ in anyItem(&random, depth: depth + 1) })
        }
        return .bytes(random.bytes([0, 1, 2, 32, 54, 55, 56, 57, 255, 256][random.below(10)]))
    }
}
