// The outputs that the wallet spends, and what that costs.

public import Addresses
public import Keys

/// A kind of output that one key spends.
public enum SpendKind: Hashable, Sendable, CaseIterable {
    /// Witness version 0 with the hash of a public key (P2WPKH, BIP141).
    case publicKeyHash
    /// Witness version 1 by its key (P2TR, BIP341).
    case taproot

    /// The kind of a script; nil for all others.
    public init?(script: [UInt8]) {
        switch UTXODestination(script: script) {
        case .witness(version: 0, program: let program) where program.count == 20:
            self = .publicKeyHash
        case .witness(version: 1, program: _): self = .taproot
        default: return nil
        }
    }

    /// The script that pays to a public key (33 bytes) in this way; a Taproot output then has no
    /// scripts (BIP86).
    public func script(of key: ExtendedPublicKey) -> [UInt8] {
        switch self {
        case .publicKeyHash:
            UTXODestination.witness(version: 0, program: Hash160.digest(key.key)).script
        case .taproot: UTXODestination.witness(version: 1, program: key.outputKey).script
        }
    }

    /// The weight of an input and its witness: 41 bytes four times; then for ECDSA the count, 72
    /// bytes of signature and 33 of key with their counts, for Schnorr the count and 64 with its
    /// count. An ECDSA signature has one byte less in half of all cases, and rarely more.
    public var inputWeight: Int {
        switch self {
        case .publicKeyHash: 4 * 41 + 1 + 1 + 72 + 1 + 33
        case .taproot: 4 * 41 + 1 + 1 + 64
        }
    }
}

/// What transactions pay to miners, in base units for 1,000 virtual bytes.
public struct UTXOFeeRate: Hashable, Comparable, Sendable {
    /// Base units, 0 to `maximum`.
    public let perKilobyte: Int64

    /// Ten coins for 1,000 virtual bytes: whoever sets more is mistaken.
    public static let maximum: Int64 = 1_000_000_000

    /// The rate of so many base units; nil out of range.
    public init?(perKilobyte: Int64) {
        guard 0...Self.maximum ~= perKilobyte else { return nil }
        self.perKilobyte = perKilobyte
    }

    /// Orders by size.
    public static func < (a: UTXOFeeRate, b: UTXOFeeRate) -> Bool {
        a.perKilobyte < b.perKilobyte
    }

    /// The fee of so many virtual bytes, rounded up.
    public func fee(virtualSize: Int) -> Int64 { fee(weight: 4 * virtualSize) }

    /// The fee of a weight, rounded up; a transaction's is one of whole virtual bytes.
    func fee(weight: Int) -> Int64 {
        precondition(0...1_000_000_000 ~= weight, "a weight is of a transaction")
        return (perKilobyte * Int64(weight) + 3_999) / 4_000
    }
}

/// The weights of transactions before they are signed.
enum SignedWeight {
    /// `inputs` are the weights of each.
    static func of(inputs: [Int], outputs: [[UInt8]]) -> Int {
        base(inputCount: inputs.count, outputs: outputs) + inputs.reduce(0, +)
    }

    /// All but the inputs themselves.
    static func base(inputCount: Int, outputs: [[UInt8]]) -> Int {
        let counts = compactSizeBytes(inputCount) + compactSizeBytes(outputs.count)
        return 4 * (8 + counts) + 2 + outputs.reduce(0) { $0 + output($1) }
    }

    static func output(_ script: [UInt8]) -> Int {
        4 * (8 + compactSizeBytes(script.count) + script.count)
    }
}

extension UTXONetwork {
    /// Below this amount nodes call an output of this script dust and do not relay its
    /// transaction: making and spending it would cost more at `dustRelayFee`. From Bitcoin Core's
    /// `GetDustThreshold`.
    public func dustLimit(_ script: [UInt8]) -> Int64 {
        let isWitness =
            4...42 ~= script.count && Int(script[1]) == script.count - 2
            && (script[0] == 0 || 0x51...0x60 ~= script[0])
        let size = SignedWeight.output(script) / 4 + (isWitness ? 67 : 148)
        return Int64(size) * dustRelayFee / 1_000
    }
}
