// What the tests of UTXO chains share.

import Addresses
import Glibc
import Keys
import Secrets
import Slabs
import Terms
import Testing
import UTXO

/// The settings of random tests, and how to repeat one.
enum Fuzz {
    /// How often each property is tried; `BOURSE_FUZZ_ITERATIONS` scales.
    static var rounds: Int { setting("BOURSE_FUZZ_ITERATIONS") ?? 20_000 }
    /// The first seed; a failure names its own.
    static var firstSeed: UInt64 { UInt64(setting("BOURSE_SEED") ?? 1) }

    static func replay(_ seed: UInt64, _ suite: String) -> Comment {
        "BOURSE_SEED=\(seed) BOURSE_FUZZ_ITERATIONS=1 swift test -c release --filter \(suite)"
    }

    private static func setting(_ name: String) -> Int? {
        unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) }
    }
}

extension SplitMix64 {
    mutating func amount(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(below(Int(range.upperBound - range.lowerBound) + 1))
    }

    /// A transaction of any shape that can be encoded.
    mutating func transaction() -> UTXOTransaction {
        let hasWitness = below(2) == 0
        let inputs = (0...below(4)).map { _ in
            UTXOTransaction.TransactionInput(
                outPoint: OutPoint(TransactionID(chainOrder: bytes(32))!, UInt32(below(5))),
                scriptSig: bytes(below(30)), sequence: UInt32(truncatingIfNeeded: next()),
                witness: hasWitness ? (0..<below(4)).map { _ in bytes(below(300)) } : [])
        }
        let outputs = (0...below(4)).map { _ in
            UTXOTransaction.TransactionOutput(
                amount: amount(0...1_000_000), script: bytes(below(40)))
        }
        return UTXOTransaction(
            version: UInt32(below(3)), inputs: inputs, outputs: outputs,
            lockTime: UInt32(truncatingIfNeeded: next()))
    }

    /// Bytes with some of them changed, lost, or repeated.
    mutating func spoiled(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) {
            let place = below(bytes.count)
            switch below(7) {
            case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(below(8))
            case 1 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2: bytes.removeLast(min(bytes.count, below(16)))
            case 3: bytes += self.bytes(below(16))
            case 4 where !bytes.isEmpty: bytes[place] = [0, 1, 8, 0xFC, 0xFD, 0xFE, 0xFF][below(7)]
            case 5: bytes.insert(contentsOf: bytes[place..<min(place + 40, bytes.count)], at: place)
            default: bytes.removeSubrange(place..<min(place + 1 + below(8), bytes.count))
            }
        }
        return bytes
    }
}

/// A wallet of a seed: keys with the paths of BIP84 and BIP86, and coins that pay to them.
struct TestWallet {
    let network: UTXONetwork
    let master: ExtendedPrivateKey

    init(_ name: String = "bitcoin-regtest", seed: UInt8 = 1) throws {
        network = try #require(.named(name))
        master = try ExtendedPrivateKey(
            seed: SecretBytes([UInt8](repeating: seed, count: 32)))
    }

    func path(_ kind: SpendKind, _ index: UInt32, change: Bool = false) -> [UInt32] {
        let hardened: UInt32 = 1 << 31
        return [
            hardened | (kind == .taproot ? 86 : 84), hardened | network.coinType, hardened,
            change ? 1 : 0, index,
        ]
    }

    func key(_ kind: SpendKind, _ index: UInt32, change: Bool = false) throws -> ExtendedPrivateKey
    {
        try master.descendant(along: path(kind, index, change: change))
    }

    func destination(
        _ kind: SpendKind, _ index: UInt32, change: Bool = false
    ) throws -> UTXODestination {
        let key = try key(kind, index, change: change).publicKey
        return switch kind {
        case .taproot: .witness(version: 1, program: key.outputKey)
        case .publicKeyHash: .witness(version: 0, program: Hash160.digest(key.key))
        }
    }

    func coin(_ kind: SpendKind, _ index: UInt32, _ amount: Int64) throws -> UTXOCoin {
        let id = SHA256.digest([UInt8(kind == .taproot ? 1 : 0), UInt8(index & 255)])
        return UTXOCoin(
            outPoint: OutPoint(try #require(TransactionID(chainOrder: id)), index),
            output: UTXOTransaction.TransactionOutput(
                amount: amount, script: try destination(kind, index).script))
    }

    /// A PSBT of a plan, with what a signer needs of each input, and of the change.
    func psbt(_ plan: PaymentPlan, change: SpendKind = .taproot, at index: UInt32 = 0) throws
        -> PSBT
    {
        var psbt = try PSBT(unsigned: plan.transaction)
        for (place, coin) in plan.coins.enumerated() {
            let kind = try #require(SpendKind(script: coin.output.script))
            let path = path(kind, coin.outPoint.output)
            let key = try master.descendant(along: path).publicKey
            try psbt.updateInput(
                place, spent: coin.output, key: key,
                origin: KeyOrigin(fingerprint: master.publicKey.fingerprint, path: path)!)
        }
        if let place = plan.changeIndex {
            let path = path(change, index, change: true)
            try psbt.updateOutput(
                place, key: try master.descendant(along: path).publicKey,
                origin: KeyOrigin(fingerprint: master.publicKey.fingerprint, path: path)!)
        }
        return psbt
    }
}
