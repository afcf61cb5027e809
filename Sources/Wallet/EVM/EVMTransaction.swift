// Transactions of EVM chains, before they are signed.

public import Addresses

/// Why a transaction cannot be made, or bytes are no signed transaction that the wallet knows.
public enum EVMTransactionError: Error, Hashable, Sendable {
    /// The bytes are no RLP.
    case encoding(RLPError)
    /// A type of EIP-2718 other than 2; its first byte.
    case kind(UInt8)
    /// A list of another length, or a list where bytes belong, or the reverse.
    case shape
    /// A number with zeros in front, or with more bits than its field has.
    case number
    /// A chain id of zero or above `EVMTransaction.chainIDMax`.
    case chainID(UInt64)
    /// 2^64 − 1, which no account reaches (EIP-2681).
    case nonce
    /// A priority fee above the fee that includes it.
    case fee
    /// No destination: it makes a contract, which the wallet never does.
    case creation
    /// A destination that nobody could spend from.
    case destination
    /// More data than `EVMTransaction.dataBytesMax`.
    case data(Int)
    /// An access list (EIP-2930) that is not empty.
    case accessList
    /// No chain id in the signature: it would be valid on every chain (EIP-155).
    case unprotected
    /// A signature of nobody, or one whose `s` is in the upper half (EIP-2).
    case signature
}

/// What the sender pays per gas, in the native coin's smallest unit (wei). 64 bits are 18 coins for
/// one gas.
public enum EVMFee: Hashable, Sendable {
    /// A transaction from before EIP-1559 at a fixed price.
    case legacy(gasPrice: UInt64)
    /// EIP-1559: at most `most`, of which the block's producer gets at most `priority`.
    case dynamic(most: UInt64, priority: UInt64)

    /// The most that is paid per gas.
    public var most: UInt64 {
        switch self {
        case .legacy(let gasPrice): gasPrice
        case .dynamic(let most, _): most
        }
    }
}

/// A transaction of one account: legacy with a chain id (EIP-155), or type 2 (EIP-1559) without
/// access list.
public struct EVMTransaction: Hashable, Sendable {
    /// The chain on which alone it is valid: 1…`chainIDMax`.
    public let chainID: UInt64
    /// How many transactions the sender had before.
    public let nonce: UInt64
    /// What it pays per gas.
    public let fee: EVMFee
    /// The most gas that it may use.
    public let gasLimit: UInt64
    /// The receiver or the contract that is called.
    public let destination: EVMAddress
    /// What is moved of the native coin, in its smallest unit.
    public let value: EVMWord
    /// The call's data, at most `dataBytesMax`.
    public let data: [UInt8]

    /// EIP-2294: beyond it, `v` of EIP-155 would not fit 64 bits.
    public static let chainIDMax = UInt64.max / 2 - 36
    /// Maximum bytes of data: the wallet moves coins and tokens only.
    public static let dataBytesMax = 4_096

    /// A transaction of these fields.
    public init(
        chainID: UInt64, nonce: UInt64, fee: EVMFee, gasLimit: UInt64, destination: EVMAddress,
        value: EVMWord, data: [UInt8] = []
    ) throws(EVMTransactionError) {
        guard 1...Self.chainIDMax ~= chainID else { throw .chainID(chainID) }
        guard nonce < .max else { throw .nonce }
        if case .dynamic(let most, let priority) = fee, priority > most { throw .fee }
        guard destination.isPayable else { throw .destination }
        guard data.count <= Self.dataBytesMax else { throw .data(data.count) }
        (self.chainID, self.nonce, self.fee, self.gasLimit) = (chainID, nonce, fee, gasLimit)
        (self.destination, self.value, self.data) = (destination, value, data)
    }

    /// The most that it costs beside its value.
    public var feeMax: UInt128 { UInt128(gasLimit) * UInt128(fee.most) }

    /// The most that leaves the sender's balance; nil where that has more than 256 bits.
    public var costMax: EVMWord? { value.adding(EVMWord(feeMax)) }

    /// What is signed, before it is hashed.
    public var signingBytes: [UInt8] {
        switch fee {
        case .legacy:
            RLPItem.list(fields + [.number(chainID), .number(0), .number(0)]).encoded
        case .dynamic: [Self.dynamicKind] + RLPItem.list(fields).encoded
        }
    }

    /// What is signed: 32 bytes.
    public var signingHash: [UInt8] { Keccak256.digest(signingBytes) }

    /// The type of EIP-1559.
    static let dynamicKind: UInt8 = 2

    /// The fields before the signature, in their order.
    var fields: [RLPItem] {
        let rest: [RLPItem] = [
            .number(gasLimit), .bytes(destination.bytes), .number(value), .bytes(data),
        ]
        return switch fee {
        case .legacy(let gasPrice): [.number(nonce), .number(gasPrice)] + rest
        case .dynamic(let most, let priority):
            [.number(chainID), .number(nonce), .number(priority), .number(most)] + rest
                + [.list([])]
        }
    }
}
