// Goal: a descriptor of cold storage pays where the BIPs' vectors say, and nowhere else: no private
// key, wrong letter, other network or unknown kind is taken for one, and no text stops the reader.

import Addresses
import Keys
import Slabs
import Terms
import Testing
import UTXO

@Suite struct ColdDescriptorTests {
    private func network(_ name: String = "bitcoin") throws -> UTXONetwork {
        try #require(.named(name))
    }

    private func error(_ text: String, _ name: String = "bitcoin") throws -> ColdDescriptorError? {
        let network = try network(name)
        do throws(ColdDescriptorError) {
            _ = try ColdDescriptor(text, on: network)
            return nil
        } catch { return error }
    }

    private static let first =
        "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGR"
        + "jaDMzQLcgJvLJuZZvRcEL"
    private static let second =
        "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDa"
        + "PPLPxSb7gwQN3ih19Zm4Y"
    private static let privateKey =
        "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HF"
        + "sTjSyQbLYnMpCqE2VbFWc"

    // MARK: Vectors

    /// BIP382, "Test Vectors".
    @Test func `one key pays to the hash of each child`() throws {
        let descriptor = try ColdDescriptor(
            "wpkh([ffffffff/13']xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb"
                + "7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH/1/2/*)", on: network())
        let scripts = [
            "0014326b2249e3a25d5dc60935f044ee835d090ba859",
            "0014af0bd98abc2f2cae66e36896a39ffe2d32984fb7",
            "00141fa798efd1cbf95cebf912c031b8a4a6e9fb9f27",
        ]
        #expect(descriptor.hasIndices && descriptor.threshold == 1)
        #expect(descriptor.inputWeight == SpendKind.publicKeyHash.inputWeight)
        for (index, script) in scripts.enumerated() {
            #expect(hex(try descriptor.script(UInt32(index))) == script)
            #expect(try descriptor.witnessScript(UInt32(index)) == nil)
        }
        #expect(
            descriptor.keys[0].origin(7)
                == KeyOrigin(fingerprint: [255, 255, 255, 255], path: [13 | 1 << 31, 1, 2, 7]))
        #expect(throws: KeyError.hardened) { try descriptor.script(1 << 31) }
    }

    /// BIP383, "Test Vectors": the scripts of `sortedmulti`, which stand behind the hash here.
    @Test func `several keys sign in the order of their bytes`() throws {
        let (a, b) = ("\(Self.first)/*", "\(Self.second)/0/0/*")
        let scripts = [
            """
            5221025d5fc65ebb8d44a5274b53bac21ff8307fec2334a32df05553459f8b1f7fe1b62102fbd47cc80340\
            98f0e6a94c6aeee8528abf0a2153a5d8e46d325b7284c046784652ae
            """,
            """
            52210264fd4d1f5dea8ded94c61e9641309349b62f27fbffe807291f664e286bfbe6472103f4ece6dfccfa\
            37b211eb3d0af4d0c61dba9ef698622dc17eecdf764beeb005a652ae
            """,
            """
            5221022ccabda84c30bad578b13c89eb3b9544ce149787e5b538175b1d1ba259cbb83321024d902e1a2fc7\
            a8755ab5b694c575fce742c48d9ff192e63df5193e4c7afe1f9c52ae
            """,
        ]
        for text in ["wsh(sortedmulti(2,\(a),\(b)))", "wsh(sortedmulti(2,\(b),\(a)))"] {
            let descriptor = try ColdDescriptor(text, on: network())
            for (index, script) in scripts.enumerated() {
                #expect(hex(try #require(try descriptor.witnessScript(UInt32(index)))) == script)
            }
            #expect(try descriptor.script(0).count == 34)
            #expect(descriptor.words == "2 of 2 keys")
        }
    }

    /// BIP380, "Test Vectors": of a kind that is none of cold storage.
    @Test(
        arguments: [
            ("raw(deadbeef)#89f8spxm", .kind), ("raw(deadbeef)", .kind),
            ("raw(deadbeef)#", .checksum), ("raw(deadbeef)#89f8spxmx", .checksum),
            ("raw(deadbeef)#89f8spx", .checksum), ("raw(deedbeef)#89f8spxm", .checksum),
            ("raw(deedbeef)##9f8spxm", .checksum), ("raw(Ü)#00000000", .character),
        ] as [(String, ColdDescriptorError)])
    func `a checksum is right or refused`(text: String, expected: ColdDescriptorError) throws {
        #expect(try error(text) == expected)
    }

    /// BIP380's private keys, and one with a wrong letter.
    @Test func `a private key is refused as one, wherever it is`() throws {
        let spoiled = Self.privateKey.replacing("A1RpRA", with: "A1RpRB")
        for key in [
            Self.privateKey, spoiled, "[deadbeef/0h/1h/2h]\(Self.privateKey)/3/4/5/*",
            "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss",
            "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1",
        ] {
            for text in [
                key, "wpkh(\(key))", "wsh(sortedmulti(1,\(Self.first)/0/*,\(key)))", "what(\(key))",
                "wpkh(\(Self.first)/0/*)#\(key)",
            ] {
                #expect(try error(text) == .privateKey)
                #expect(!"\(try #require(try error(text)))".contains(key.prefix(12)))
            }
        }
    }

    /// BIP380's invalid origins among them.
    @Test func `each mistake has its word`() throws {
        let (a, b) = (Self.first, Self.second)
        func one(_ key: String) throws -> ColdDescriptorError? { try error("wpkh(\(key))") }
        for origin in [
            "[deadbeef/0h/0h/0h/*]", "[deadbeef/0h/0h/0h/]", "[deadbef/0h/0h/0h]",
            "[deadbeeef/0h/0h/0h]", "[deadbeef/0f/0f/0f]", "[deadbeef/-0/-0/-0]",
            "[deadbeef/2147483648]", "[deadbeef", "[]", "[/0]", "[+eadbeef]",
            "[deadbeef" + String(repeating: "/0", count: 11) + "]",
        ] {
            #expect(try one("\(origin)\(a)/0/*") == .origin(key: 1), "\(origin)")
        }
        #expect(try one("deadbeef/0h]\(a)/0/*") == .key(1))
        #expect(try one("[aaaaaaaa][aaaaaaaa]\(a)/0/*") == .key(1))
        #expect(try one("\(a.dropLast())/0/*") == .key(1))
        #expect(try one("") == .key(1))
        #expect(try one("\(a)") == .notRanged(key: 1))
        #expect(try one("\(a)/0/5") == .notRanged(key: 1))
        #expect(try one("\(a)/0/") == .path(key: 1))
        #expect(try one("\(a)/aa/*") == .path(key: 1))
        #expect(try one("\(a)/2147483648/*") == .path(key: 1))
        #expect(try one("\(a)" + String(repeating: "/0", count: 11) + "/*") == .path(key: 1))
        #expect(try one("\(a)/3h/*") == .hardened(key: 1))
        #expect(try one("\(a)/0/*h") == .hardened(key: 1))
        #expect(try one("\(a)/0/*'") == .hardened(key: 1))
        #expect(try one("\(a)/<0;1>/*") == .branches(key: 1))
        #expect(try error("wpkh(\(a)/0/*)", "bitcoin-test") == .otherNetwork(key: 1))
        #expect(try error("wpkh(\(a)/0/*,\(b)/0/*)") == .path(key: 1))
        #expect(try error("wpkh(\(a)/0/*") == .kind)
        for kind in ["pkh", "tr", "sh", "combo", "wsh", "multi", "wsh(multi"] {
            #expect(try error("\(kind)(\(a)/0/*)") == .kind)
        }
        #expect(
            try error(
                "wpkh(zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG"
                    + "868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs/0/*)") == .version(key: 1))
        func several(_ inner: String) throws -> ColdDescriptorError? {
            try error("wsh(sortedmulti(\(inner)))")
        }
        for threshold in ["0", "3", "-1", "", "a", "4294967297", "99999999999999999999"] {
            #expect(try several("\(threshold),\(a)/0/*,\(b)/0/*") == .threshold)
        }
        #expect(try several("1,\(a)/0/*,\(a)/0/*") == .sameKey(key: 2))
        #expect(try several("1,[deadbeef]\(a)/0/*,\(a)/0/*") == .sameKey(key: 2))
        #expect(try several("1,\(a)/0/*,\(b)") == .notRanged(key: 2))
        #expect(try several("1") == .keyCount(maximum: 5))
        #expect(try several("") == .keyCount(maximum: 5))
        let six = (0..<6).map { "\(a)/\($0)/*" }.joined(separator: ",")
        #expect(try several("1,\(six)") == .keyCount(maximum: 5))
        // Keys of five accounts, and of five branches of one, which one signer has.
        let account = try #require(ExtendedPublicKey(a, isTest: false))
        let accounts = try (0..<5 as Range<UInt32>).map { index in
            try account.child(index).text(isTest: false)
        }
        #expect(try several("5,\(accounts.map { "\($0)/0/*" }.joined(separator: ","))") == nil)
        #expect(try several("2,\(a)/0/*,\(a)/1/*") == .sameKey(key: 2))
        #expect(try several("2,\(a)/0/*,\(accounts[0])/*") == .sameKey(key: 2))
        #expect(try several("2,\(a)/0/0/*,\(accounts[0])/1/*") == .sameKey(key: 2))
        #expect(try error(String(repeating: "a", count: 1_025)) == .tooLong(maximum: 1_024))
        #expect(try error("wpkh( \(a)/0/*)") == .character)
    }

    @Test func `an address is one for all indices`() throws {
        for (text, weight) in [
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", SpendKind.publicKeyHash.inputWeight),
            (
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                SpendKind.taproot.inputWeight
            ),
            ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", nil),
            ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", nil),
        ] as [(String, Int?)] {
            for written in [text, "addr(\(text))"] {
                let descriptor = try ColdDescriptor(written, on: network())
                #expect(!descriptor.hasIndices && descriptor.keys.isEmpty)
                #expect(try descriptor.address(0) == text)
                #expect(try descriptor.script(0) == descriptor.script(9))
                #expect(descriptor.inputWeight == weight)
                #expect(descriptor.text == text)
            }
            #expect(try error(text, "litecoin") == .address(.otherNetwork("bitcoin")))
            #expect(try error(text + "x") == .address(.malformed))
        }
        #expect(try error("") == .address(.malformed))
        #expect(try error("addr(wpkh(\(Self.first)/0/*))") == .address(.malformed))
    }

    @Test func `however it is written, it is the same`() throws {
        let (a, b) = (Self.first, Self.second)
        let network = try network()
        let one = try ColdDescriptor("wpkh([DEADBEEF/84h/0'/0H]\(a)/0/*)", on: network)
        let same = try ColdDescriptor("wpkh([deadbeef/84'/0h/0h]\(a)/0/*)", on: network)
        #expect(one == same)
        #expect(one.text.hasPrefix("wpkh([deadbeef/84h/0h/0h]\(a)/0/*)#"))
        #expect(try ColdDescriptor(one.text, on: network) == one)
        #expect(try ColdDescriptor("wpkh(\(a)/0/*)", on: network) != one)
        #expect(try ColdDescriptor("wsh(sortedmulti(1,\(a)/0/*))", on: network) != one)
        let own = try #require(ExtendedPublicKey(a, isTest: false))
        #expect(one.hasKey(of: own))
        #expect(try ColdDescriptor("wpkh(\(a)/7/*)", on: network).hasKey(of: own))
        let child = try own.child(1).text(isTest: false)
        #expect(try ColdDescriptor("wpkh(\(child)/*)", on: network).hasKey(of: own))
        #expect(try !ColdDescriptor("wpkh(\(b)/0/*)", on: network).hasKey(of: own))
        // Deeper, by the key of one address.
        let deposit = try own.descendant(0, 5)
        let deep = try ColdDescriptor("wpkh(\(deposit.text(isTest: false))/*)", on: network)
        #expect(!deep.hasKey(of: own) && deep.hasKey(among: [deposit.key]))
        // In each form of an address.
        for destination in [
            UTXODestination.publicKeyHash(Hash160.digest(deposit.key)),
            .witness(version: 0, program: Hash160.digest(deposit.key)),
            .scriptHash(Hash160.digest([0, 20] + Hash160.digest(deposit.key))),
            .witness(version: 1, program: deposit.outputKey),
        ] {
            let fixed = try ColdDescriptor(destination.address(on: network), on: network)
            #expect(fixed.isAddress(of: deposit))
            #expect(try !fixed.isAddress(of: own.descendant(0, 6)))
        }
    }

    // MARK: Random input

    @Test func `no text stops the reader, and what it reads it writes`() throws {
        let network = try network()
        let samples = [
            "wpkh([deadbeef/84h/0h/0h]\(Self.first)/0/*)",
            "wsh(sortedmulti(2,[deadbeef]\(Self.first)/0/*,\(Self.second)/1/2/*))",
            "addr(bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4)",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ]
        let texts = try samples + samples.map { try ColdDescriptor($0, on: network).text }
        let words = ["(", ")", ",", "/", "*", "h", "[", "]", "#", "0", "2", "wsh", "<0;1>", "'"]
        var (read, refused) = (0, 0)
        for seed in Fuzz.firstSeed..<Fuzz.firstSeed + UInt64(max(1, Fuzz.rounds / 4)) {
            var random = SplitMix64(seed: seed)
            var bytes = Array(texts[random.below(texts.count)].utf8)
            for _ in 0..<random.below(3) {
                let place = random.below(bytes.count + 1)
                switch random.below(4) {
                case 0: bytes.insert(contentsOf: words[random.below(words.count)].utf8, at: place)
                case 1 where place < bytes.count: bytes.remove(at: place)
                case 2 where place < bytes.count: bytes[place] = UInt8(random.below(256))
                default: bytes = Array(bytes.prefix(place)) + bytes.suffix(random.below(60))
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let descriptor = try? ColdDescriptor(text, on: network) else {
                refused += 1
                continue
            }
            read += 1
            let replay = Fuzz.replay(seed, "ColdDescriptor")
            #expect(try ColdDescriptor(descriptor.text, on: network) == descriptor, replay)
            let script = try descriptor.script(UInt32(random.below(1 << 31)))
            #expect(UTXODestination(script: script) != nil, replay)
        }
        #expect(Fuzz.rounds < 1_000 || read > 100 && refused > 100)
    }
}
