// Goal: each address of the documents' vectors is what they say, and nothing else is an address: no
// wrong letter, no other network, nothing that nobody could spend.

import Addresses
import Terms
import Testing

private func network(_ name: String) throws -> UTXONetwork { try #require(.named(name)) }

@Suite struct UTXOAddressTests {
    /// BIP350, "Test vectors for v0-v16 native segregated witness addresses".
    @Test(arguments: [
        (
            "bitcoin", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "0014751e76e8199196d454941c45d1b3a323f1433bd6"
        ),
        (
            "bitcoin-test", "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"
        ),
        (
            "bitcoin-test", "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
            "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
        ),
        (
            "bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        ),
    ])
    func `a witness address is its script`(name: String, text: String, script: String) throws {
        let network = try network(name)
        let destination = try UTXODestination(text, on: network)
        #expect(hex(destination.script) == script)
        #expect(destination.address(on: network) == text.lowercased())
        #expect(UTXODestination(script: destination.script) == destination)
    }

    /// The same list's later versions, and its invalid ones.
    @Test(arguments: [
        "BC1SW50QGDZ25J", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    ])
    func `what nobody can spend is refused by name`(text: String) throws {
        let network = try network("bitcoin")
        let error = #expect(throws: AddressError.self) { try UTXODestination(text, on: network) }
        guard case .unspendable = error else {
            Issue.record("\(text): \(error as Any)")
            return
        }
    }

    @Test(arguments: [
        "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R", "bc1pw5dgrnzv",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
        "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j", "bc1gmk9yu", "", "1",
        "qyrz8wqd2c9m", "1qyrz8wqd2c9m", "y1b0jsk6g", "in1muywd", "mm1crxm3i", "M1VUXWEZ",
        "16plkw9", "bc1q\u{301}w508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        String(repeating: "1", count: 5_000), String(repeating: "z", count: 119),
    ])
    func `what is no address is none on any network`(text: String) throws {
        for network in UTXONetwork.all {
            #expect(throws: AddressError.malformed) { try UTXODestination(text, on: network) }
        }
    }

    @Test func `an address of another network is named`() throws {
        let (main, regtest) = (try network("bitcoin"), try network("litecoin-regtest"))
        // BIP86's first receiving address.
        let text = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
        #expect(throws: AddressError.otherNetwork("bitcoin")) {
            try UTXODestination(text, on: regtest)
        }
        #expect(
            hex(try UTXODestination(text, on: main).script)
                == "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c")
    }

    /// Litecoin Core's `key_io_valid.json`, and one address from the wild.
    @Test(arguments: [
        (
            "LTVdcw8fdTTK4TcebTZ4jiiCbvTXaRxZNh",
            "76a9145ab81977c4141f340a0e4016a8541fecb0a141f088ac"
        ),
        (
            "LT2KVaAy1ppRuxRgrS5RNU3vBsy7RibPeA",
            "76a914558dbca7118cd5894502767c7b2ffc21a22f54db88ac"
        ),
        (
            "LbfVMz974gbbGFqXF7FZUpSBWSbwBHDwR5",
            "76a914b4565f467408e9e1c1d2a3b0ccdeff84db3a3b9388ac"
        ),
        (
            "MHrYRxAiMNBTku3eoDHwhA1LQGDjUStZW2",
            "a9146d328a5b2a20d943a641c8d29b6cc3c2d2df85d387"
        ),
        (
            "M9dw1FAoWpHC6PcMzoCHhqQ9McvTyG5Ywj",
            "a914130ef8742ad7492b389509252c6721775fb1127387"
        ),
        (
            "ltc1qhdhvrwe6rgqns8fz28tee0hphr5x7ulw5exv4w",
            "0014bb6ec1bb3a1a01381d2251d79cbee1b8e86f73ee"
        ),
        (
            "ltc1qa9dykljtgeayhm8ygx25sc22p0wzgudpe4hw9dyvaz0ye3j5kduq9mf68z",
            "0020e95a4b7e4b467a4bece4419548614a0bdc2471a1cd6ee2b48ce89e4cc654b378"
        ),
        (
            "ltc1ppu2gv0tujus0f6eggrk7eqmaf0567x6zer4fcuhz4z7ztzq9u9yseqxltc",
            "51200f14863d7c9720f4eb2840edec837d4be9af1b42c8ea9c72e2a8bc258805e149"
        ),
    ])
    func `an address of Litecoin is its script`(text: String, script: String) throws {
        let network = try network("litecoin")
        let destination = try UTXODestination(text, on: network)
        #expect(hex(destination.script) == script)
        #expect(destination.address(on: network) == text)
        #expect(throws: AddressError.otherNetwork("litecoin")) {
            try UTXODestination(text, on: .named("bitcoin") ?? network)
        }
    }

    @Test func `an address of Litecoin's extension blocks is refused by name`() throws {
        let body =
            "qqt9rwznnxzkghv4s5wgtwxs0m0ry6n3atp95f47slppapxljde3xyqmdlnrc8ag7y2k354jzdc4pc4ks"
            + "0kr43jehr77lngdecgh6689nn5mgv5yn"
        for text in ["ltcmweb1" + body, "LTCMWEB1" + body.uppercased(), "tmweb1" + body] {
            for network in UTXONetwork.all {
                #expect(throws: AddressError.extensionBlock) {
                    try UTXODestination(text, on: network)
                }
            }
        }
        #expect(AddressError.extensionBlock.description.contains("MWEB"))
    }

    /// Bitcoin's older version of script hashes, which Litecoin's nodes also take.
    @Test func `an address that two chains read is taken by one`() throws {
        let text = UTXODestination.scriptHash([UInt8](repeating: 7, count: 20))
            .address(on: try network("bitcoin"))
        #expect(text.hasPrefix("3"))
        #expect(throws: AddressError.otherNetwork("bitcoin")) {
            try UTXODestination(text, on: try network("litecoin"))
        }
    }

    @Test func `every destination has an address on every network that gives it back`() throws {
        for network in UTXONetwork.all {
            for byte in [0, 1, 127, 255] as [UInt8] {
                let (short, long) = (
                    [UInt8](repeating: byte, count: 20), [UInt8](repeating: byte, count: 32)
                )
                let all: [UTXODestination] = [
                    .publicKeyHash(short), .scriptHash(short), .witness(version: 0, program: short),
                    .witness(version: 0, program: long), .witness(version: 1, program: long),
                ]
                for destination in all {
                    let text = destination.address(on: network)
                    #expect(try UTXODestination(text, on: network) == destination, "\(text)")
                    #expect(UTXODestination(script: destination.script) == destination)
                }
            }
        }
    }

    /// Both encodings find any one wrong letter.
    @Test func `one wrong letter is found wherever it is`() throws {
        let network = try network("litecoin-regtest")
        let hash = (0..<20).map { UInt8($0 * 11) }
        for destination in [UTXODestination.scriptHash(hash), .witness(version: 0, program: hash)] {
            let text = Array(destination.address(on: network).utf8)
            for place in text.indices {
                for letter in Array("023456789ACDHJKLZacdefghjklmnpqrstuvwxyz1OIl".utf8)
                where letter != text[place] {
                    var wrong = text
                    wrong[place] = letter
                    let found = String(decoding: wrong, as: UTF8.self)
                    #expect(throws: AddressError.self, "\(found)") {
                        try UTXODestination(found, on: network)
                    }
                }
            }
        }
    }

    @Test func `other scripts have no address`() {
        for script in [[], [0x6A], [0x51], [0, 20], [UInt8](repeating: 0, count: 34)] as [[UInt8]] {
            #expect(UTXODestination(script: script) == nil)
        }
        #expect(UTXODestination(script: [0x60, 32] + [UInt8](repeating: 1, count: 32)) == nil)
    }
}

@Suite struct EVMAddressTests {
    /// EIP-55, "Test Cases".
    @Test(arguments: [
        "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ])
    func `an address has the checksum in its case`(text: String) throws {
        #expect(try #require(EVMAddress(text)).description == text)
        #expect(EVMAddress(text.lowercased())?.description == text)
        let digits = Array(text.utf8)
        for place in digits.indices.dropFirst(2) where digits[place] >= 0x41 {
            var wrong = digits
            wrong[place] ^= 0x20
            let found = String(decoding: wrong, as: UTF8.self)
            let letters = wrong.dropFirst(2).filter { $0 >= 0x41 }
            let isOneCase = Set(letters.map { $0 & 0x20 }).count == 1
            #expect((EVMAddress(found) == nil) != isOneCase, "\(found)")
        }
    }

    @Test(arguments: [
        "", "0x", "52908400098527886E0F7030069857D2E4169EE7",
        "0x52908400098527886E0F7030069857D2E4169EE", "0x52908400098527886E0F7030069857D2E4169EE70",
        "0X52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E0F7030069857D2E4169EEg",
        "0x5290840009852788\u{ff16}E0F7030069857D2E4169E",
    ])
    func `what is no address is none`(text: String) { #expect(EVMAddress(text) == nil) }

    @Test func `a payment goes only where somebody may have the key`() throws {
        let zeros = "0x" + String(repeating: "0", count: 36)
        for end in ["0000", "0001", "000a", "0100", "ffff"] {
            let address = try #require(EVMAddress(zeros + end))
            #expect(!address.isPayable)
            #expect(throws: AddressError.nobody) { try EVMAddress(destination: zeros + end) }
        }
        let payable = "0x" + String(repeating: "0", count: 35) + "10000"
        #expect(try EVMAddress(destination: payable).isPayable)
        // EIP-55's first, with another case of one letter.
        for text in ["", "0x52908400098527886E0F7030069857D2e4169EE7", "0x00"] {
            #expect(throws: AddressError.malformed) { try EVMAddress(destination: text) }
        }
        #expect(AddressError.nobody.description.contains("zero address"))
    }

    /// The empty text's and "abc"'s hashes; and lengths around the block's.
    @Test func `the hash is Keccak with its first padding`() {
        #expect(
            hex(Keccak256.digest([]))
                == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
        #expect(
            hex(Keccak256.digest(Array("abc".utf8)))
                == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")
        let all = (0...300).map { Keccak256.digest([UInt8](repeating: 7, count: $0)) }
        #expect(Set(all).count == all.count)
    }
}
