// Goal: transactions are the bytes that every node reads, signed by whom they say, and no other
// bytes are a transaction.

import Addresses
import EVM
import Keys
import Slabs
import Testing

@Suite struct EVMTransactionTests {
    private static let example =
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000"
        + "8025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761a"
        + "ecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"

    /// EIP-155, "Example". Its key is 32 bytes of 0x46.
    @Test func `the example of EIP-155 is what it says`() throws {
        let signed = try SignedEVMTransaction(decoding: bytes(Self.example))
        let transaction = try EVMTransaction(
            chainID: 1, nonce: 9, fee: .legacy(gasPrice: 20_000_000_000), gasLimit: 21_000,
            destination: try #require(EVMAddress(GoldenTransaction.coin)),
            value: EVMWord(GoldenTransaction.ether))
        #expect(signed.transaction == transaction)
        #expect(
            hex(transaction.signingBytes)
                == "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764"
                + "000080018080")
        #expect(
            hex(transaction.signingHash)
                == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53")
        #expect(signed.sender.description == "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F")
        #expect(hex(signed.bytes) == Self.example)
    }

    @Test func `keys of a phrase have the addresses that every wallet shows`() throws {
        let addresses = [
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        ]
        for (index, text) in addresses.enumerated() {
            let key = try testAccount(UInt32(index)).publicKey.key
            #expect(EVMAddress(publicKey: key)?.description == text)
        }
        #expect(EVMAddress(publicKey: [UInt8](repeating: 0, count: 33)) == nil)
        #expect(EVMAddress(publicKey: [2] + [UInt8](repeating: 0xFF, count: 32)) == nil)
        #expect(EVMAddress(publicKey: []) == nil)
    }

    @Test(arguments: GoldenTransaction.all)
    func `it is signed to the same bytes as elsewhere`(golden: GoldenTransaction) throws {
        let (transaction, key) = (try golden.transaction(), try testAccount(golden.account))
        let signed = try transaction.signed(by: key)
        #expect(hex(signed.bytes) == golden.raw)
        #expect(hex(signed.hash) == golden.hash)
        #expect(signed.sender == EVMAddress(publicKey: key.publicKey.key))
        #expect(try SignedEVMTransaction(decoding: bytes(golden.raw)) == signed)
        #expect(try transaction.signed(by: key) == signed)
    }

    /// The hash of what eth-account 0.14 makes of the same numbers of SplitMix64; nine of these
    /// signatures have an r or s of fewer than 32 bytes.
    @Test func `a thousand transactions are signed to the same bytes as elsewhere`() throws {
        var random = SplitMix64(seed: 2_026)
        func number() -> UInt64 {
            let value = random.next()
            return value >> (random.next() % 64)
        }
        func bytes(_ count: UInt64) -> [UInt8] {
            (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        let keys = try (0..<3).map { try testAccount($0) }
        var (all, short): ([UInt8], Int) = ([], 0)
        for index in 0..<1_000 {
            let (chainID, nonce, most) = (1 + number() / 4, number() / 2, number())
            let fee: EVMFee =
                index % 2 == 0
                ? .legacy(gasPrice: most)
                : .dynamic(most: most, priority: most >> (random.next() % 64))
            let transaction = try EVMTransaction(
                chainID: chainID, nonce: nonce, fee: fee, gasLimit: number(),
                destination: try #require(EVMAddress(bytes: bytes(20))),
                value: try #require(EVMWord(bytes: bytes(random.next() % 33))),
                data: bytes(random.next() % 120))
            let signed = try transaction.signed(by: keys[index % 3])
            all += signed.bytes
            short += signed.signature.r[0] == 0 || signed.signature.s[0] == 0 ? 1 : 0
        }
        #expect(all.count == 190_215 && short == 9)
        #expect(
            hex(Keccak256.digest(all))
                == "13f3b2e3f27fe365b09421c939fa3c30958f042993c58ea02ead446e1799d058")
    }

    @Test func `fields have their bounds`() throws {
        let to = try #require(EVMAddress(GoldenTransaction.coin))
        func make(
            chainID: UInt64 = 1, nonce: UInt64 = 0, fee: EVMFee = .legacy(gasPrice: 1),
            to: EVMAddress = to, data: [UInt8] = []
        ) throws(EVMTransactionError) -> EVMTransaction {
            try EVMTransaction(
                chainID: chainID, nonce: nonce, fee: fee, gasLimit: .max, destination: to,
                value: .max, data: data)
        }
        for chainID in [0, EVMTransaction.chainIDMax + 1, .max] {
            #expect(throws: EVMTransactionError.chainID(chainID)) { try make(chainID: chainID) }
        }
        #expect(throws: EVMTransactionError.nonce) { try make(nonce: .max) }
        #expect(throws: EVMTransactionError.fee) { try make(fee: .dynamic(most: 1, priority: 2)) }
        let zero = try #require(EVMAddress(bytes: [UInt8](repeating: 0, count: 20)))
        #expect(throws: EVMTransactionError.destination) { try make(to: zero) }
        let most = EVMTransaction.dataBytesMax
        #expect(try make(data: [UInt8](repeating: 1, count: most)).costMax == nil)
        #expect(throws: EVMTransactionError.data(most + 1)) {
            try make(data: [UInt8](repeating: 1, count: most + 1))
        }
        #expect(try make(fee: .legacy(gasPrice: .max)).feeMax == UInt128.max - (1 << 65) + 2)
        #expect(
            try GoldenTransaction.all[3].transaction().costMax == EVMWord(1_000_630_000_000_000_000)
        )
    }

    /// Signed fields as RLP, with one of them replaced.
    private func raw(
        _ golden: GoldenTransaction, _ place: Int, _ item: RLPItem, kind: [UInt8]? = nil
    ) throws -> [UInt8] {
        let isLegacy = golden.raw.hasPrefix("f8")
        let payload = isLegacy ? bytes(golden.raw) : Array(bytes(golden.raw).dropFirst())
        guard case .list(var fields) = try RLPItem(decoding: payload) else { return [] }
        fields[place] = item
        return (kind ?? (isLegacy ? [] : [2])) + RLPItem.list(fields).encoded
    }

    @Test func `what no transaction of the wallet is, is refused by name`() throws {
        let (legacy, dynamic) = (GoldenTransaction.all[0], GoldenTransaction.all[3])
        let upper = bytes("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1")
        let zeros = [UInt8](repeating: 0, count: 20)
        let address = bytes(String(GoldenTransaction.coin.dropFirst(2)))
        let rows: [([UInt8], EVMTransactionError)] = [
            ([], .encoding(.truncated)), ([0], .kind(0)), ([1, 0xC0], .kind(1)),
            ([3, 0xC0], .kind(3)), ([0x7F], .kind(0x7F)), ([0x80], .kind(0x80)),
            ([2], .encoding(.truncated)), ([2, 0xC0], .shape), ([0xC0], .shape),
            ([2, 0x80], .shape), ([2, 0xC0, 0], .encoding(.trailing)),
            (try raw(legacy, 3, .bytes([])), .creation),
            (try raw(legacy, 3, .bytes(zeros)), .destination),
            (try raw(legacy, 3, .bytes(address + [0])), .shape),
            (try raw(legacy, 3, .list([])), .shape),
            (try raw(legacy, 0, .bytes([0])), .number),
            (try raw(legacy, 0, .bytes([0, 1])), .number),
            (try raw(legacy, 0, .number(UInt64.max)), .nonce),
            (try raw(legacy, 1, .bytes([1] + [UInt8](repeating: 0, count: 8))), .number),
            (try raw(legacy, 4, .bytes([1] + [UInt8](repeating: 0, count: 32))), .number),
            (try raw(legacy, 5, .bytes([UInt8](repeating: 1, count: 4_097))), .data(4_097)),
            (try raw(legacy, 6, .number(27)), .unprotected),
            (try raw(legacy, 6, .number(28)), .unprotected),
            (try raw(legacy, 6, .number(0)), .unprotected),
            (try raw(legacy, 6, .number(35)), .chainID(0)),
            (try raw(legacy, 7, .number(0)), .signature),
            (try raw(legacy, 8, .number(0)), .signature),
            (try raw(legacy, 8, .bytes(upper)), .signature),
            (try raw(legacy, 7, .bytes([UInt8](repeating: 0xFF, count: 32))), .signature),
            (try raw(legacy, 7, .bytes([UInt8](repeating: 0xFF, count: 33))), .number),
            (try raw(dynamic, 0, .number(0)), .chainID(0)),
            (try raw(dynamic, 2, .number(30_000_000_001)), .fee),
            (try raw(dynamic, 8, .bytes([])), .shape),
            (try raw(dynamic, 8, .list([.list([.bytes(address), .list([])])])), .accessList),
            (try raw(dynamic, 9, .number(2)), .signature),
            (try raw(dynamic, 9, .number(27)), .signature),
            (try raw(dynamic, 10, .list([])), .shape), (try raw(dynamic, 5, .bytes([])), .creation),
        ]
        for (row, error) in rows {
            #expect(throws: error, "\(hex(row))") { try SignedEVMTransaction(decoding: row) }
        }
        // The lower half's end is taken by its form; nobody signed with it here.
        let lower = bytes("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
        #expect(RecoverableSignature(r: lower, s: lower, recoveryID: 0) != nil)
        #expect(RecoverableSignature(r: lower, s: upper, recoveryID: 0) == nil)
        #expect(RecoverableSignature(r: lower, s: lower, recoveryID: 4) == nil)
        #expect(RecoverableSignature(r: [], s: lower, recoveryID: 0) == nil)
    }

    @Test func `a signature is of one digest and one key`() throws {
        let (key, digest) = (try testAccount(0), [UInt8](repeating: 0x5A, count: 32))
        let signature = try key.sign(digest: digest)
        #expect(signature.publicKey(of: digest) == key.publicKey.key)
        #expect(try key.sign(digest: digest) == signature)
        #expect(try testAccount(1).sign(digest: digest) != signature)
        for bit in 0..<256 {
            var other = digest
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(signature.publicKey(of: other) != key.publicKey.key)
        }
        // The ends of what a digest can be.
        for byte in [0, 0xFF] as [UInt8] {
            let digest = [UInt8](repeating: byte, count: 32)
            #expect(try key.sign(digest: digest).publicKey(of: digest) == key.publicKey.key)
        }
        for id in 0...3 as ClosedRange<UInt8> {
            let other = RecoverableSignature(r: signature.r, s: signature.s, recoveryID: id)
            #expect(
                (other?.publicKey(of: digest) == key.publicKey.key) == (id == signature.recoveryID))
        }
    }

    @Test func `any transaction comes back, and no damage to it goes unseen`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        let keys = try (0..<4).map { try testAccount($0) }
        let senders = keys.map { EVMAddress(publicKey: $0.publicKey.key) }
        var made = 0
        for round in 0..<max(1, WalletFuzz.iterations / 40) {
            func number() -> UInt64 { random.next() >> UInt64(random.below(64)) }
            let (most, index) = (number(), random.below(keys.count))
            let fee: EVMFee =
                random.below(2) == 0
                ? .legacy(gasPrice: most)
                : .dynamic(most: most, priority: most >> UInt64(random.below(64)))
            guard
                let to = EVMAddress(bytes: random.bytes(20)),
                let value = EVMWord(bytes: random.bytes(random.below(33))),
                let transaction = try? EVMTransaction(
                    chainID: number(), nonce: number(), fee: fee, gasLimit: number(),
                    destination: to, value: value, data: random.bytes(random.below(100)))
            else { continue }
            made += 1
            let signed = try transaction.signed(by: keys[index])
            let decoded = try SignedEVMTransaction(decoding: signed.bytes)
            #expect(decoded == signed, WalletFuzz.replay(round))
            #expect(decoded.transaction == transaction, WalletFuzz.replay(round))
            #expect(decoded.sender == senders[index], WalletFuzz.replay(round))
            for _ in 0..<20 {
                let damaged = random.damaged(signed.bytes)
                guard let other = try? SignedEVMTransaction(decoding: damaged) else { continue }
                #expect(other.bytes == damaged, WalletFuzz.replay(round))
                #expect(
                    damaged == signed.bytes || other.sender != senders[index],
                    WalletFuzz.replay(round))
            }
            _ = try? SignedEVMTransaction(decoding: random.bytes(random.below(200)))
        }
        #expect(made > 0 || WalletFuzz.iterations < 100)
    }
}
