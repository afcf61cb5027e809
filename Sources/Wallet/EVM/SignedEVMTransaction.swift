// Signed transactions of EVM chains: the bytes that are broadcast, and what they say.

public import Addresses
public import Keys

/// A transaction with its sender's signature.
public struct SignedEVMTransaction: Hashable, Sendable {
    /// What is signed.
    public let transaction: EVMTransaction
    /// The signature.
    public let signature: RecoverableSignature
    /// Whose signature it is.
    public let sender: EVMAddress
    /// What is broadcast.
    public let bytes: [UInt8]

    /// What the chain calls it: 32 bytes.
    public var hash: [UInt8] { Keccak256.digest(bytes) }

    /// Nil where the signature is nobody's, or is of a kind that no transaction can hold, which
    /// happens once in 2^127.
    init?(_ transaction: EVMTransaction, _ signature: RecoverableSignature) {
        guard signature.recoveryID <= 1,
            let key = signature.publicKey(of: transaction.signingHash),
            let sender = EVMAddress(publicKey: key)
        else { return nil }
        (self.transaction, self.signature, self.sender) = (transaction, signature, sender)
        bytes = Self.encode(transaction, signature)
    }

    /// A transaction with a signature of these parts, as nodes give them; nil where it is nobody's.
    public init?(_ transaction: EVMTransaction, r: EVMWord, s: EVMWord, parity: UInt64) {
        guard parity <= 1,
            let signature = RecoverableSignature(
                r: r.bytes, s: s.bytes, recoveryID: UInt8(parity))
        else { return nil }
        self.init(transaction, signature)
    }

    private static func encode(
        _ transaction: EVMTransaction, _ signature: RecoverableSignature
    ) -> [UInt8] {
        let parity = UInt64(signature.recoveryID)
        let numbers = [signature.r, signature.s].map { RLPItem.bytes(Array($0.drop { $0 == 0 })) }
        switch transaction.fee {
        case .legacy:
            // EIP-155. Within 64 bits by the chain id's bound.
            let v = transaction.chainID * 2 + 35 + parity
            return RLPItem.list(transaction.fields + [.number(v)] + numbers).encoded
        case .dynamic:
            let body = RLPItem.list(transaction.fields + [.number(parity)] + numbers)
            return [EVMTransaction.dynamicKind] + body.encoded
        }
    }

    /// Decodes what is broadcast, in the one way in which it is written.
    public init(decoding bytes: [UInt8]) throws(EVMTransactionError) {
        guard let first = bytes.first else { throw .encoding(.truncated) }
        let isLegacy = first >= 0xC0
        guard isLegacy || first == EVMTransaction.dynamicKind else { throw .kind(first) }
        let item: RLPItem
        do throws(RLPError) {
            item = try RLPItem(decoding: isLegacy ? bytes : Array(bytes.dropFirst()))
        } catch { throw .encoding(error) }
        guard case .list(let fields) = item, fields.count == (isLegacy ? 9 : 12) else {
            throw .shape
        }
        let found = try isLegacy ? Self.legacy(fields) : Self.dynamic(fields)
        guard
            let signature = RecoverableSignature(
                r: try fields[fields.count - 2].padded(), s: try fields[fields.count - 1].padded(),
                recoveryID: found.parity),
            let signed = SignedEVMTransaction(found.transaction, signature)
        else { throw .signature }
        self = signed
    }

    private typealias Found = (transaction: EVMTransaction, parity: UInt8)

    /// EIP-155: nonce, gas price, gas limit, destination, value, data, v, r, s.
    private static func legacy(_ fields: [RLPItem]) throws(EVMTransactionError) -> Found {
        let v = try fields[6].uint64()
        guard v >= 35 else { throw .unprotected }
        let transaction = try EVMTransaction(
            chainID: (v - 35) / 2, nonce: try fields[0].uint64(),
            fee: .legacy(gasPrice: try fields[1].uint64()), gasLimit: try fields[2].uint64(),
            destination: try fields[3].address(), value: try fields[4].word(),
            data: try fields[5].content())
        return (transaction, UInt8((v - 35) % 2))
    }

    /// EIP-1559: chain id, nonce, priority fee, fee, gas limit, destination, value, data, access
    /// list, parity, r, s.
    private static func dynamic(_ fields: [RLPItem]) throws(EVMTransactionError) -> Found {
        let transaction = try EVMTransaction(dynamic: fields)
        let parity = try fields[9].uint64()
        guard parity <= 1 else { throw .signature }
        return (transaction, UInt8(parity))
    }
}

extension EVMTransaction {
    /// The fields of EIP-1559 before the signature: nine at least.
    fileprivate init(dynamic fields: [RLPItem]) throws(EVMTransactionError) {
        guard case .list(let accessList) = fields[8] else { throw .shape }
        guard accessList.isEmpty else { throw .accessList }
        try self.init(
            chainID: try fields[0].uint64(), nonce: try fields[1].uint64(),
            fee: .dynamic(most: try fields[3].uint64(), priority: try fields[2].uint64()),
            gasLimit: try fields[4].uint64(), destination: try fields[5].address(),
            value: try fields[6].word(), data: try fields[7].content())
    }

    /// Decodes `signingBytes` of EIP-1559, in the one way in which they are written.
    public init(decodingUnsigned bytes: [UInt8]) throws(EVMTransactionError) {
        guard let first = bytes.first else { throw .encoding(.truncated) }
        guard first == Self.dynamicKind else { throw .kind(first) }
        let item: RLPItem
        do throws(RLPError) { item = try RLPItem(decoding: Array(bytes.dropFirst())) } catch {
            throw .encoding(error)
        }
        guard case .list(let fields) = item, fields.count == 9 else { throw .shape }
        try self.init(dynamic: fields)
    }

    /// Signs it. The signature is the same each time (RFC 6979), and was verified.
    public func signed(by key: ExtendedPrivateKey) throws(KeyError) -> SignedEVMTransaction {
        let signature = try key.sign(digest: signingHash)
        guard let signed = SignedEVMTransaction(self, signature) else { throw .notSigned }
        return signed
    }
}

extension RLPItem {
    fileprivate func content() throws(EVMTransactionError) -> [UInt8] {
        guard case .bytes(let bytes) = self else { throw .shape }
        return bytes
    }

    fileprivate func word() throws(EVMTransactionError) -> EVMWord {
        let bytes = try content()
        guard bytes.first != 0, let word = EVMWord(bytes: bytes) else { throw .number }
        return word
    }

    fileprivate func uint64() throws(EVMTransactionError) -> UInt64 {
        guard let value = try word().uint64 else { throw .number }
        return value
    }

    /// A number as 32 bytes.
    fileprivate func padded() throws(EVMTransactionError) -> [UInt8] { try word().bytes }

    fileprivate func address() throws(EVMTransactionError) -> EVMAddress {
        let bytes = try content()
        guard !bytes.isEmpty else { throw .creation }
        guard let address = EVMAddress(bytes: bytes) else { throw .shape }
        return address
    }
}
