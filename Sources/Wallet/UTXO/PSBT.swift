// Partially signed Bitcoin transactions, version 0 (BIP174), with Taproot's fields (BIP371).

public import Addresses
internal import Terms

/// Where a key comes from.
public struct KeyOrigin: Hashable, Sendable {
    /// `ExtendedPublicKey.fingerprint` of the master key; 4 bytes.
    public let fingerprint: [UInt8]
    /// The indices from there; hardened ones from 2^31 on.
    public let path: [UInt32]

    /// An origin of these parts; nil unless the fingerprint has 4 bytes.
    public init?(fingerprint: [UInt8], path: [UInt32]) {
        guard fingerprint.count == 4 else { return nil }
        (self.fingerprint, self.path) = (fingerprint, path)
    }

    /// Reads a value of BIP174.
    init?(_ value: [UInt8]) {
        guard value.count >= 4, value.count % 4 == 0 else { return nil }
        fingerprint = Array(value[..<4])
        path = stride(from: 4, to: value.count, by: 4).map { place in
            value[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    var bytes: [UInt8] {
        var bytes = fingerprint
        for index in path { bytes.append(integer: index) }
        return bytes
    }
}

/// A transaction on its way to its signatures.
public struct PSBT: Hashable, Sendable {
    /// Unsigned.
    public let transaction: UTXOTransaction
    /// What concerns the whole; its transaction is `transaction`.
    public internal(set) var global: PSBTMap
    /// What concerns each input.
    public internal(set) var inputs: [PSBTMap]
    /// What concerns each output.
    public internal(set) var outputs: [PSBTMap]

    /// More bytes than this are not decoded. Inputs may each bring the transaction that they spend
    /// from.
    public static let bytesMax = 16_000_000
    private static let magic: [UInt8] = [0x70, 0x73, 0x62, 0x74, 0xFF]

    /// The creator's part: a PSBT of an unsigned transaction.
    public init(unsigned transaction: UTXOTransaction) throws(PSBTError) {
        guard Self.isUnsigned(transaction) else { throw .signed }
        self.transaction = transaction
        global = PSBTMap()
        global.set(PSBTType.Global.transaction, to: transaction.bytes(withWitness: false))
        inputs = transaction.inputs.map { _ in PSBTMap() }
        outputs = transaction.outputs.map { _ in PSBTMap() }
    }

    /// Decodes its binary form. Types of BIP174 and BIP371 are checked, others kept. O(bytes).
    public init(
        _ bytes: [UInt8], on network: UTXONetwork, bytesMax: Int = PSBT.bytesMax
    ) throws(PSBTError) {
        guard bytes.count <= bytesMax else {
            throw .malformed(.tooLarge(count: bytes.count, maximum: bytesMax))
        }
        guard bytes.starts(with: Self.magic) else { throw .notPSBT }
        var reader = ChainByteReader(Array(bytes.dropFirst(Self.magic.count)))
        global = try PSBTMap(&reader)
        for record in global.records { try PSBTFields.check(global: record) }
        guard let raw = global.value(PSBTType.Global.transaction) else { throw .noTransaction }
        do {
            transaction = try UTXOTransaction(withoutWitness: raw, on: network)
        } catch {
            throw .malformed(error)
        }
        guard Self.isUnsigned(transaction) else { throw .signed }
        (inputs, outputs) = ([], [])
        for input in transaction.inputs {
            let map = try PSBTMap(&reader)
            for record in map.records {
                try PSBTFields.check(input: record, spending: input.outPoint, on: network)
            }
            inputs.append(map)
        }
        for _ in transaction.outputs {
            let map = try PSBTMap(&reader)
            for record in map.records { try PSBTFields.check(output: record) }
            outputs.append(map)
        }
        guard reader.remaining == 0 else {
            throw .malformed(.trailing(count: reader.remaining))
        }
    }

    /// Decodes its text, Base64.
    public init(
        base64 text: String, on network: UTXONetwork, bytesMax: Int = PSBT.bytesMax
    ) throws(PSBTError) {
        guard text.utf8.count <= bytesMax / 3 * 4 + 4 else {
            throw .malformed(.tooLarge(count: text.utf8.count / 4 * 3, maximum: bytesMax))
        }
        guard let bytes = Base64.bytes(text) else { throw .notBase64 }
        try self.init(bytes, on: network, bytesMax: bytesMax)
    }

    private static func isUnsigned(_ transaction: UTXOTransaction) -> Bool {
        transaction.inputs.allSatisfy { $0.scriptSig.isEmpty && $0.witness.isEmpty }
    }

    /// Its binary form.
    public var bytes: [UInt8] {
        var bytes = Self.magic
        global.write(to: &bytes)
        for map in inputs { map.write(to: &bytes) }
        for map in outputs { map.write(to: &bytes) }
        return bytes
    }

    /// Its text, Base64.
    public var base64: String { Base64.text(bytes) }
}
