// Goal: keys are those of the documents' vectors, also where only the public part is known, and no
// damaged text is a key.

import Addresses
import Keys
import Secrets
import Testing

@Suite struct KeyTests {
    private static let seed1 = "000102030405060708090a0b0c0d0e0f"
    private static let seed2 =
        "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c99969390"
        + "8d8a8784817e7b7875726f6c696663605d5a5754514e4b484542"

    /// BIP32, test vectors 1 and 2: each chain's public key.
    @Test(arguments: [
        (
            seed1, [PathStep.hardened(0), 1, .hardened(2), 2, 1_000_000_000],
            [
                "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rup"
                    + "je8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
                "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTF"
                    + "UHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw",
                "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uM"
                    + "ash7SyYq527Hqck2AxYysAA7xmALppuCkwQ",
                "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsx"
                    + "xpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
                "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv"
                    + "1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
                "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHi"
                    + "Ykro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
            ]
        ),
        (
            seed2, [0, .hardened(2_147_483_647), 1, .hardened(2_147_483_646), 2],
            [
                "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz"
                    + "8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB",
                "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZj"
                    + "XoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH",
                "xpub6ASAVgeehLbnwdqV6UKMHVzgqAG8Gr6riv3Fxxpj8ksbH9ebxaEyBLZ85ySDhKiLDBrQSARL"
                    + "q1uNRts8RuJiHjaDMBU4Zn9h8LZNnBC5y4a",
                "xpub6DF8uhdarytz3FWdA8TvFSvvAh8dP3283MY7p2V4SeE2wyWmG5mg5EwVvmdMVCQcoNJxGoWa"
                    + "U9DCWh89LojfZ537wTfunKau47EL2dhHKon",
                "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaH"
                    + "WkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL",
                "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5h"
                    + "QTZ3emM2rnY5agb9rXpVGyy3bdW6EEgAtqt",
            ]
        ),
    ])
    func `a chain of keys is the document's`(
        seed: String, path: [PathStep], texts: [String]
    ) throws {
        var key = try ExtendedPrivateKey(seed: SecretBytes(bytes(seed)))
        #expect(key.publicKey.text(isTest: false) == texts[0])
        for (step, text) in zip(path, texts.dropFirst()) {
            let parent = key.publicKey
            key = try key.descendant(step)
            #expect(key.publicKey.text(isTest: false) == text)
            #expect(ExtendedPublicKey(text, isTest: false) == key.publicKey)
            if let index = step.openIndex {
                #expect(try parent.child(index) == key.publicKey)
            }
        }
    }

    @Test func `a seed, an index and a depth have their bounds`() throws {
        for count in [0, 15, 65] {
            #expect(throws: KeyError.seedLength(count)) {
                try ExtendedPrivateKey(seed: SecretBytes([UInt8](repeating: 1, count: count)))
            }
        }
        let master = try ExtendedPrivateKey(seed: SecretBytes(bytes(Self.seed1))).publicKey
        #expect(throws: KeyError.hardened) { try master.child(1 << 31) }
        var key = master
        for _ in 0..<255 { key = try key.child(0) }
        #expect(throws: KeyError.tooDeep) { try key.child(0) }
    }

    @Test func `a text with any letter changed is no key`() throws {
        let master = try ExtendedPrivateKey(seed: SecretBytes(bytes(Self.seed1))).publicKey
        let text = master.text(isTest: true)
        #expect(text.hasPrefix("tpub") && ExtendedPublicKey(text, isTest: true) == master)
        #expect(ExtendedPublicKey(text, isTest: false) == nil)
        let letters = Array(text.utf8)
        for place in letters.indices {
            var wrong = letters
            wrong[place] = wrong[place] == 0x41 ? 0x42 : 0x41
            #expect(ExtendedPublicKey(String(decoding: wrong, as: UTF8.self), isTest: true) == nil)
        }
        // A right check over what is no point.
        let zeros = [UInt8](repeating: 0, count: 74)
        #expect(
            ExtendedPublicKey(
                Base58Check.text([0x04, 0x35, 0x87, 0xCF] + zeros), isTest: true) == nil)
    }

    /// BIP86's account, by its public key.
    @Test func `Taproot's output keys are the document's`() throws {
        let account = try #require(
            ExtendedPublicKey(
                "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9Q"
                    + "yrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ", isTest: false))
        let rows: [(UInt32, UInt32, String)] = [
            (0, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
            (0, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
            (1, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
        ]
        let network = try #require(UTXONetwork.named("bitcoin"))
        for (change, index, address) in rows {
            let key = try account.descendant(change, index)
            let destination = UTXODestination.witness(version: 1, program: key.outputKey)
            #expect(destination.address(on: network) == address)
        }
    }

    /// BIP84's first addresses, from its public keys.
    @Test func `hashes of public keys are the document's`() throws {
        let network = try #require(UTXONetwork.named("bitcoin"))
        let rows = [
            (
                "0330d54fd0dd420a6e5f8d3624f5f3482cae350f79d5f0753bf5beef9c2d91af3c",
                "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
            ),
            (
                "03e775fd51f0dfb8cd865d9ff1cca2a158cf651fe997fdc9fee9c1d3b5e995ea77",
                "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"
            ),
        ]
        for (key, address) in rows {
            let program = Hash160.digest(bytes(key))
            let destination = UTXODestination.witness(version: 0, program: program)
            #expect(destination.address(on: network) == address)
        }
    }
}
