// Goal: a block's bytes give the same as a node's decoding of them, and nothing that its name does
// not commit to; what is no JSON is no block either.

import Addresses
import JSON
import Nodes
import Platform
import Requests
import Terms
import Testing
import UTXO

@Suite struct BlockTests {
    /// The first block of Bitcoin.
    private static let genesis =
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27"
        + "ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c01010000000100000"
        + "00000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d010445546"
        + "8652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207"
        + "365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0f"
        + "e5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5"
        + "c384df7ba0b8d578a4c702b6bf11d5fac00000000"

    @Test func `the first block of Bitcoin is what its name says`() throws {
        let network = try #require(UTXONetwork.named("bitcoin"))
        let bytes = try #require(hexBytes(Self.genesis))
        let block = try UTXOBlock(bytes, on: network)
        #expect(block.id.hex == network.genesis && block.parent == .none)
        #expect(
            block.transactions.map(\.id.hex) == [
                "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
            ])
        #expect(block.transactions[0].outputs.map(\.amount) == [5_000_000_000])
        for count in 0..<bytes.count {
            #expect(throws: UTXODecodingError.self) {
                try UTXOBlock(Array(bytes[..<count]), on: network)
            }
        }
        #expect(throws: UTXODecodingError.trailing(count: 1)) {
            try UTXOBlock(bytes + [0], on: network)
        }
        // No byte behind the head can be another one.
        for place in 80..<bytes.count {
            var changed = bytes
            changed[place] ^= 0x41
            #expect(throws: UTXODecodingError.self) { try UTXOBlock(changed, on: network) }
        }
    }

    @Test func `a cursor reads what a parser reads, and fails where it fails`() {
        let texts = [
            #"{"a":[1,2,{"b":null}],"c":"x\u00e9","d":true,"e":-1.5e3}"#, "[]", "{}", "0", "\"\"",
            "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "-", "\"\\x\"", "\"\u{1}\"", "tru", "nul",
            "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "1 2", "", " ", "{\"a\":1}x", "\"\\u12g4\"",
        ]
        for text in texts {
            var cursor = JSONCursor(Array(text.utf8))
            let isRead = cursor.skip() && cursor.isAtEnd
            #expect(isRead == (JSONValue(parsing: Array(text.utf8)) != nil), "\(text)")
        }
        var many = JSONCursor(Array("[1,2,3]".utf8), valuesMax: 3)
        #expect(many.skip() == false)
        var hex = JSONCursor(Array(#""00fFa9""#.utf8))
        #expect(hex.hexText() == [0, 0xFF, 0xA9])
        for text in [#""0""#, #""0g""#, #""\u0030""#, "00", #""00"#] {
            var wrong = JSONCursor(Array(text.utf8))
            #expect(wrong.hexText() == nil, "\(text)")
        }
    }
}
