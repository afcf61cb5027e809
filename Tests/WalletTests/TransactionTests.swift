// Goal: transactions are decoded and encoded as nodes do, their names and the hashes that are
// signed are the documents', and whatever is no transaction is refused for its own reason.

import Addresses
import Keys
import Secrets
import Terms
import Testing
import UTXO

/// BIP143's and BIP341's examples.
enum TransactionVectors {
    /// "Native P2WPKH": unsigned, and signed.
    static let segWit = """
        0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeff\
        ffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02\
        202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976\
        a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000
        """
    static let segWitSigned = """
        01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000049\
        4830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b19\
        4ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279\
        655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a91482\
        80b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2\
        d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb13\
        66d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476\
        c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000
        """
    /// BIP341, wallet-test-vectors.json, "keyPathSpending": signed.
    static let taprootSigned = """
        020000000001097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c0100000000\
        00000000d7b7cab57b1393ace2d064f4d4a2cb8af6def61273e127517d44759b6dafdd990000000000ffffff\
        fff8e1f583384333689228c5d28eac13366be082dc57441760d957275419a41842000000006b483045022100\
        8f3b8f8f0537c420654d2283673a761b7ee2ea3c130753103e08ce79201cf32a022079e7ab904a1980ef1c58\
        90b648c8783f4d10103dd62f740d13daa79e298d50c201210279be667ef9dcbbac55a06295ce870b07029bfc\
        db2dce28d959f2815b16f81798fffffffff0689180aa63b30cb162a73c6d2a38b7eeda2a83ece74310fda084\
        3ad604853b0100000000feffffffaa5202bdf6d8ccd2ee0f0202afbbb7461d9264a25e5bfd3c5a52ee1239e0\
        ba6c0000000000feffffff956149bdc66faa968eb2be2d2faa29718acbfe3941215893a2a3446d32acd05000\
        0000000000000000e664b9773b88c09c32cb70a2a3e4da0ced63b7ba3b22f848531bbb1d5d5f4c9401000000\
        0000000000e9aa6b8e6c9de67619e6a3924ae25696bb7b694bb677a632a74ef7eadfd4eabf0000000000ffff\
        ffffa778eb6a263dc090464cd125c466b5a99667720b1c110468831d058aa1b82af10100000000ffffffff02\
        00ca9a3b000000001976a91406afd46bcdfd22ef94ac122aa11f241244a37ecc88ac807840cb0000000020ac\
        9a87f5594be208f8532db38cff670c450ed2fea8fcdefcc9a663f78bab962b0141ed7c1647cb97379e76892b\
        e0cacff57ec4a7102aa24296ca39af7541246d8ff14d38958d4cc1e2e478e4d4a764bbfd835b16d4e314b729\
        37b29833060b87276c030141052aedffc554b41f52b521071793a6b88d6dbca9dba94cf34c83696de0c1ec35\
        ca9c5ed4ab28059bd606a4f3a657eec0bb96661d42921b5f50a95ad33675b54f83000141ff45f742a8761399\
        46a149ab4d9185574b98dc919d2eb6754f8abaa59d18b025637a3aa043b91817739554f4ed2026cf8022dbd8\
        3e351ce1fabc272841d2510a010140b4010dd48a617db09926f729e79c33ae0b4e94b79f04a1ae93ede6315e\
        b3669de185a17d2b0ac9ee09fd4c64b678a0b61a0a86fa888a273c8511be83bfd6810f0247304402202b795e\
        4de72646d76eab3f0ab27dfa30b810e856ff3a46c9a702df53bb0d8cc302203ccc4d822edab5f35caddb10af\
        1be93583526ccfbade4b4ead350781e2f8adcd012102f9308a019258c31049344f85f89d5229b531c845836f\
        99b08601f113bce036f90141a3785919a2ce3c4ce26f298c3d51619bc474ae24014bcdd31328cd8cfbab2eff\
        3395fa0a16fe5f486d12f22a9cedded5ae74feb4bbe5351346508c5405bcfee0020141ea0c6ba90763c2d3a2\
        96ad82ba45881abb4f426b3f87af162dd24d5109edc1cdd11915095ba47c3a9963dc1e6c432939872bc49212\
        fe34c632cd3ab9fed429c4820141bbc9584a11074e83bc8c6759ec55401f0ae7b03ef290c3139814f545b58a\
        9f8127258000874f44bc46db7646322107d4d86aec8e73b8719a61fff761d75b5dd9810065cd1d
        """
    /// The outputs that it spends.
    static let taprootSpent: [(script: String, amount: Int64)] = [
        ("512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343", 420_000_000),
        ("5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3", 462_000_000),
        ("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac", 294_000_000),
        ("5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e", 504_000_000),
        ("512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605", 630_000_000),
        ("00147dd65592d0ab2fe0d0257d571abf032cd9db93dc", 378_000_000),
        ("512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831", 672_000_000),
        ("5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5", 546_000_000),
        ("512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220", 588_000_000),
    ]

    static func transaction(_ hex: String) throws -> UTXOTransaction {
        try UTXOTransaction(bytes(hex), on: #require(.named("bitcoin")))
    }
}

@Suite struct TransactionTests {
    @Test(arguments: [
        TransactionVectors.segWit, TransactionVectors.segWitSigned,
        TransactionVectors.taprootSigned,
    ])
    func `a transaction is encoded as it was decoded`(text: String) throws {
        let transaction = try TransactionVectors.transaction(text)
        #expect(hex(transaction.bytes) == text)
        var unsigned = transaction
        for index in unsigned.inputs.indices { unsigned.inputs[index].witness = [] }
        #expect(transaction.id == unsigned.id && unsigned.id == unsigned.witnessID)
        #expect(transaction.weight == 3 * unsigned.bytes.count + transaction.bytes.count)
        #expect(transaction.virtualSize == (transaction.weight + 3) / 4)
    }

    @Test func `the parts of a transaction are the document's`() throws {
        let transaction = try TransactionVectors.transaction(TransactionVectors.segWitSigned)
        #expect(transaction.version == 1 && transaction.lockTime == 0x11)
        #expect(transaction.inputs.map(\.sequence) == [0xFFFF_FFEE, 0xFFFF_FFFF])
        #expect(transaction.isReplaceable)
        #expect(transaction.inputs.map(\.witness.count) == [0, 2])
        #expect(transaction.outputs.map(\.amount) == [112_340_000, 223_450_000])
        #expect(
            transaction.inputs[0].outPoint.transaction.hex
                == "9f96ade4b41d5433f4eda31e1738ec2b36f6e7d1420d94a6af99801a88f7f7ff")
        let id = transaction.inputs[0].outPoint.transaction
        #expect(TransactionID(hex: id.hex) == id)
        #expect(TransactionID(chainOrder: id.chainOrder) == id)
        for text in ["", "00", id.hex + "0", String(id.hex.dropLast()) + "g"] {
            #expect(TransactionID(hex: text) == nil)
        }
    }

    /// BIP143, "Native P2WPKH": hash, signature, and the witness that the document has.
    @Test func `the hash of a witness key hash is the document's, and its signature`() throws {
        let transaction = try TransactionVectors.transaction(TransactionVectors.segWit)
        let spent = [
            UTXOTransaction.TransactionOutput(amount: 625_000_000, script: []),
            UTXOTransaction.TransactionOutput(
                amount: 600_000_000,
                script: bytes("00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1")),
        ]
        let hashes = try #require(SignatureHashes(transaction, spending: spent))
        let hash = hashes.publicKeyHash(1, Array(spent[1].script.dropFirst(2)))
        #expect(
            hex(hash) == "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670")
        let secret = "619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"
        let key = try #require(SigningKey(SecretBytes(bytes(secret))))
        #expect(
            hex(key.publicKey)
                == "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357")
        let signed = try TransactionVectors.transaction(TransactionVectors.segWitSigned)
        #expect(try key.ecdsa(hash) + [1] == signed.inputs[1].witness[0])
        #expect(SignatureHashes(transaction, spending: []) == nil)
    }

    private static func spent() -> [UTXOTransaction.TransactionOutput] {
        TransactionVectors.taprootSpent.map {
            UTXOTransaction.TransactionOutput(amount: $0.amount, script: bytes($0.script))
        }
    }

    /// BIP341, wallet-test-vectors.json: input 4 is of SIGHASH_DEFAULT, input 5 of BIP143.
    @Test func `the hash of a Taproot key path is the document's, and its signature`() throws {
        let signed = try TransactionVectors.transaction(TransactionVectors.taprootSigned)
        let spent = Self.spent()
        let hashes = try #require(SignatureHashes(signed, spending: spent))
        let hash = hashes.taprootKey(4)
        #expect(
            hex(hash) == "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef")
        let key = try #require(
            SigningKey(
                SecretBytes(
                    bytes("f36bb07a11e469ce941d16b63b11b9b9120a84d9d87cff2c84a8d4affb438f4e"))))
        let root = bytes("ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2")
        let zeros = [UInt8](repeating: 0, count: 32)
        #expect(
            try key.taproot(hash, random: zeros, merkleRoot: root) == signed.inputs[4].witness[0])
        #expect(
            CurveSignature.isSchnorr(
                signed.inputs[4].witness[0], of: hash, by: Array(spent[4].script.dropFirst(2))))
        let other = hashes.publicKeyHash(5, Array(spent[5].script.dropFirst(2)))
        #expect(
            CurveSignature.isECDSA(
                Array(signed.inputs[5].witness[0].dropLast()), of: other,
                by: signed.inputs[5].witness[1]))
    }

    /// The same vectors: keys, roots, hashes of other types, and signatures with these types.
    @Test(arguments: [
        (
            0, "6b973d88838f27366ed61c9ad6367663045cb456e28335c109e30717ae0c6baa", "",
            "2514a6272f85cfa0f45eb907fcb0d121b808ed37c6ea160a5a9046ed5526d555"
        ),
        (
            1, "1e4da49f6aaf4e5cd175fe08a32bb5cb4863d963921255f33d3bc31e1343907f",
            "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
            "325a644af47e8a5a2591cda0ab0723978537318f10e6a63d4eed783b96a71a4d"
        ),
        (
            3, "d3c7af07da2d54f7a7735d3d0fc4f0a73164db638b2f2f7c43f711f6d4aa7e64",
            "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
            "bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669"
        ),
        (
            6, "415cfe9c15d9cea27d8104d5517c06e9de48e2f986b695e4f5ffebf230e725d8",
            "2f6b2c5397b6d68ca18e09a3f05161668ffe93a988582d55c6f07bd5b3329def",
            "15f25c298eb5cdc7eb1d638dd2d45c97c4c59dcaec6679cfc16ad84f30876b85"
        ),
        (
            7, "c7b0e81f0a9a0b0499e112279d718cca98e79a12e2f137c72ae5b213aad0d103",
            "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef",
            "cd292de50313804dabe4685e83f923d2969577191a3e1d2882220dca88cbeb10"
        ),
        (
            8, "77863416be0d0665e517e1c375fd6f75839544eca553675ef7fdf4949518ebaa",
            "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
            "cccb739eca6c13a8a89e6e5cd317ffe55669bbda23f2fd37b0f18755e008edd2"
        ),
    ])
    func `a tweaked key signs as the document says`(
        input: Int, secret: String, root: String, hash: String
    ) throws {
        let signed = try TransactionVectors.transaction(TransactionVectors.taprootSigned)
        let key = try #require(SigningKey(SecretBytes(bytes(secret))))
        let signature = try key.taproot(
            bytes(hash), random: [UInt8](repeating: 0, count: 32), merkleRoot: bytes(root))
        #expect(signature == Array(signed.inputs[input].witness[0].dropLast()))
        #expect(
            CurveSignature.isSchnorr(
                signature, of: bytes(hash),
                by: Array(Self.spent()[input].script.dropFirst(2))))
    }

    @Test func `what is no transaction is refused for its reason`() throws {
        let network = try #require(UTXONetwork.named("litecoin"))
        func refusal(_ bytes: [UInt8], bytesMax: Int = 1_000) -> UTXODecodingError? {
            do {
                _ = try UTXOTransaction(bytes, on: network, bytesMax: bytesMax)
                return nil
            } catch {
                return error
            }
        }
        let good = bytes(TransactionVectors.segWitSigned)
        let plain = bytes(TransactionVectors.segWit)
        #expect(refusal(good) == nil && refusal(plain) == nil)
        #expect(refusal(good, bytesMax: good.count) == nil)
        #expect(
            refusal(good, bytesMax: good.count - 1)
                == .tooLarge(count: good.count, maximum: good.count - 1))
        for count in 0..<good.count { #expect(refusal(Array(good[..<count])) != nil) }
        for count in 0..<plain.count { #expect(refusal(Array(plain[..<count])) != nil) }
        #expect(refusal(good + [0]) == .trailing(count: 1))
        #expect(refusal([]) == .truncated)
        func flagged(_ flag: UInt8) -> [UInt8] { Array(good[..<5]) + [flag] + good[6...] }
        #expect(refusal(flagged(8)) == .mweb && refusal(flagged(9)) == .mweb)
        #expect(refusal(flagged(2)) == .unknownFlag(2))
        #expect(refusal(flagged(0)) == .noInputs)
        #expect("\(UTXODecodingError.mweb)".contains("MimbleWimble"))
        // A count in three bytes that fits one.
        #expect(refusal(Array(plain[..<4]) + [0xFD, 2, 0] + plain[5...]) == .notCanonical)
        #expect(refusal(Array(plain[..<4]) + [0xFE, 2, 0, 0, 0] + plain[5...]) == .notCanonical)
        // Counts that promise more than is there, up to 2⁶⁴ − 1.
        let huge = [UInt8](repeating: 0xFF, count: 9)
        #expect(refusal(Array(plain[..<4]) + huge + plain[5...]) == .truncated)
        #expect(refusal(Array(plain[..<41]) + huge + plain[42...]) == .truncated)
        // The format with witnesses, and none.
        let empty = Array(good[..<4]) + [0, 1] + plain[4..<plain.count - 4] + [0, 0, 0, 0, 0, 0]
        #expect(refusal(empty) == .noWitness)
        #expect(refusal(Array(good[..<4]) + [0, 1, 0, 0] + [0, 0, 0, 0]) == .noInputs)
    }

    @Test func `amounts are between zero and the network's maximum, and so is their sum`() throws {
        let input = UTXOTransaction.TransactionInput(outPoint: OutPoint(.none, 0), sequence: 0)
        for (name, most) in [
            ("bitcoin", 2_100_000_000_000_000), ("litecoin", 8_400_000_000_000_000),
        ] as [(String, Int64)] {
            let network = try #require(UTXONetwork.named(name))
            #expect(network.maximumMoney == most)
            func isTaken(_ amounts: [Int64]) -> Bool {
                let transaction = UTXOTransaction(
                    inputs: [input],
                    outputs: amounts.map {
                        UTXOTransaction.TransactionOutput(amount: $0, script: [])
                    },
                    lockTime: 0)
                return (try? UTXOTransaction(transaction.bytes, on: network)) != nil
            }
            #expect(isTaken([0]) && isTaken([most]) && isTaken([most - 1, 1]) && isTaken([]))
            #expect(!isTaken([-1]) && !isTaken([most + 1]) && !isTaken([most, 1]))
            #expect(!isTaken([.max, .max]) && !isTaken([.min]))
            #expect(!isTaken([Int64](repeating: most, count: 5_000)))
            #expect(network.sum([]) == 0 && network.sum([most]) == most)
            #expect(network.sum([most, most]) == nil && network.sum([1, -1]) == nil)
        }
    }

    /// Bitcoin Core's limits of dust; Litecoin's are ten times as high.
    @Test func `dust is what nodes call so`() throws {
        let (bitcoin, litecoin) = (
            try #require(UTXONetwork.named("bitcoin")),
            try #require(UTXONetwork.named("litecoin-test"))
        )
        let (short, long) = ([UInt8](repeating: 1, count: 20), [UInt8](repeating: 1, count: 32))
        for (destination, limit) in [
            (.publicKeyHash(short), 546), (.scriptHash(short), 540),
            (.witness(version: 0, program: short), 294), (.witness(version: 0, program: long), 330),
            (.witness(version: 1, program: long), 330),
        ] as [(UTXODestination, Int64)] {
            #expect(bitcoin.dustLimit(destination.script) == limit)
            #expect(litecoin.dustLimit(destination.script) == 10 * limit)
        }
    }
}
