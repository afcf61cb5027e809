// The types of PSBTs' records, and what their keys and values have to be.

internal import Addresses

/// Numbers of types (BIP174, BIP371).
public enum PSBTType {
    /// Types of the global map.
    public enum Global {
        /// The unsigned transaction.
        public static let transaction: UInt64 = 0x00
        /// An extended public key and its origin.
        public static let extendedKey: UInt64 = 0x01
        /// The version of the PSBT.
        public static let version: UInt64 = 0xFB
    }

    /// Types of an input's map.
    public enum TransactionInput {
        /// The transaction that it spends from.
        public static let previousTransaction: UInt64 = 0x00
        /// The output that it spends.
        public static let spentOutput: UInt64 = 0x01
        /// An ECDSA signature by the key in its key.
        public static let signature: UInt64 = 0x02
        /// The hash type that signatures must have.
        public static let hashType: UInt64 = 0x03
        /// The script behind a script hash.
        public static let redeemScript: UInt64 = 0x04
        /// The script behind a witness script hash.
        public static let witnessScript: UInt64 = 0x05
        /// The origin of the key in its key.
        public static let origin: UInt64 = 0x06
        /// The final script.
        public static let finalScript: UInt64 = 0x07
        /// The final witness.
        public static let finalWitness: UInt64 = 0x08
        /// A Schnorr signature for the key path.
        public static let taprootSignature: UInt64 = 0x13
        /// A Schnorr signature for a script path.
        public static let taprootScriptSignature: UInt64 = 0x14
        /// A script and its place in the tree.
        public static let taprootLeaf: UInt64 = 0x15
        /// The origin of the key in its key, with the leaves that use it.
        public static let taprootOrigin: UInt64 = 0x16
        /// The key before its tweak.
        public static let taprootKey: UInt64 = 0x17
        /// The root of the tree of scripts.
        public static let taprootRoot: UInt64 = 0x18
    }

    /// Types of an output's map.
    public enum TransactionOutput {
        /// The script behind a script hash.
        public static let redeemScript: UInt64 = 0x00
        /// The script behind a witness script hash.
        public static let witnessScript: UInt64 = 0x01
        /// The origin of the key in its key.
        public static let origin: UInt64 = 0x02
        /// The key before its tweak.
        public static let taprootKey: UInt64 = 0x05
        /// All scripts with their depths.
        public static let taprootTree: UInt64 = 0x06
        /// The origin of the key in its key, with the leaves that use it.
        public static let taprootOrigin: UInt64 = 0x07
    }

    /// Types of programs for themselves.
    public static let proprietary: UInt64 = 0xFC
}

/// Checks records. "If any key or value does not match the specified format for that type, the
/// PSBT must be considered invalid." (BIP174)
enum PSBTFields {
    static func check(global record: PSBTMap.Record) throws(PSBTError) {
        let (data, value) = (record.data, record.value)
        let isRight: Bool
        switch record.type {
        case PSBTType.Global.transaction, 0x07: isRight = data.isEmpty
        case PSBTType.Global.extendedKey:
            isRight = data.count == 78 && value.count == 4 + 4 * Int(data[4])
        // Of version 2 only (BIP370).
        case 0x02...0x06: isRight = false
        case PSBTType.Global.version:
            guard data.isEmpty, value.count == 4 else {
                throw .field(.global, type: record.type)
            }
            let version = value.reversed().reduce(0) { $0 << 8 | UInt32($1) }
            guard version == 0 else { throw .version(version) }
            isRight = true
        case PSBTType.proprietary: isRight = isProprietary(data)
        default: isRight = true
        }
        guard isRight else { throw .field(.global, type: record.type) }
    }

    static func check(
        input record: PSBTMap.Record, spending outPoint: OutPoint, on network: UTXONetwork
    ) throws(PSBTError) {
        let (data, value) = (record.data, record.value)
        let isRight: Bool
        switch record.type {
        case PSBTType.TransactionInput.previousTransaction:
            isRight = data.isEmpty && previous(value, of: outPoint, on: network) != nil
        case PSBTType.TransactionInput.spentOutput:
            isRight = data.isEmpty && output(value, on: network) != nil
        case PSBTType.TransactionInput.signature: isRight = isKey(data) && 9...73 ~= value.count
        case PSBTType.TransactionInput.hashType: isRight = data.isEmpty && value.count == 4
        case PSBTType.TransactionInput.redeemScript, PSBTType.TransactionInput.witnessScript,
            PSBTType.TransactionInput.finalScript, 0x09, 0x19:
            isRight = data.isEmpty
        case PSBTType.TransactionInput.origin: isRight = isKey(data) && KeyOrigin(value) != nil
        case PSBTType.TransactionInput.finalWitness: isRight = data.isEmpty && witness(value) != nil
        // Preimages of RIPEMD-160, SHA-256, HASH160 and HASH256.
        case 0x0A, 0x0C: isRight = data.count == 20
        case 0x0B, 0x0D: isRight = data.count == 32
        // Of version 2 only (BIP370).
        case 0x0E...0x12: isRight = false
        case PSBTType.TransactionInput.taprootSignature:
            isRight = data.isEmpty && 64...65 ~= value.count
        case PSBTType.TransactionInput.taprootScriptSignature:
            isRight = data.count == 64 && 64...65 ~= value.count
        case PSBTType.TransactionInput.taprootLeaf:
            isRight = 33...33 + 32 * 128 ~= data.count && data.count % 32 == 1 && !value.isEmpty
        case PSBTType.TransactionInput.taprootOrigin:
            isRight = data.count == 32 && taprootOrigin(value) != nil
        case PSBTType.TransactionInput.taprootKey, PSBTType.TransactionInput.taprootRoot:
            isRight = data.isEmpty && value.count == 32
        case PSBTType.proprietary: isRight = isProprietary(data)
        default: isRight = true
        }
        guard isRight else { throw .field(.input, type: record.type) }
    }

    static func check(output record: PSBTMap.Record) throws(PSBTError) {
        let (data, value) = (record.data, record.value)
        let isRight: Bool
        switch record.type {
        case PSBTType.TransactionOutput.redeemScript, PSBTType.TransactionOutput.witnessScript:
            isRight = data.isEmpty
        case PSBTType.TransactionOutput.origin: isRight = isKey(data) && KeyOrigin(value) != nil
        // Of version 2 only (BIP370).
        case 0x03...0x04: isRight = false
        case PSBTType.TransactionOutput.taprootKey: isRight = data.isEmpty && value.count == 32
        case PSBTType.TransactionOutput.taprootTree: isRight = data.isEmpty && isTree(value)
        case PSBTType.TransactionOutput.taprootOrigin:
            isRight = data.count == 32 && taprootOrigin(value) != nil
        case PSBTType.proprietary: isRight = isProprietary(data)
        default: isRight = true
        }
        guard isRight else { throw .field(.output, type: record.type) }
    }

    /// Whether bytes have the form of a public key.
    private static func isKey(_ data: [UInt8]) -> Bool {
        switch data.first {
        case 2, 3: data.count == 33
        case 4: data.count == 65
        default: false
        }
    }

    /// Behind the type: an identifier and its length, and a subtype.
    private static func isProprietary(_ data: [UInt8]) -> Bool {
        var reader = ChainByteReader(data)
        return (try? reader.string()) != nil && (try? reader.compactSize()) != nil
    }

    /// The transaction that an input spends from; nil where it is another one.
    static func previous(
        _ value: [UInt8], of outPoint: OutPoint, on network: UTXONetwork
    ) -> UTXOTransaction? {
        guard let transaction = try? UTXOTransaction(value, on: network),
            transaction.id == outPoint.transaction,
            Int(outPoint.output) < transaction.outputs.count
        else { return nil }
        return transaction
    }

    static func output(
        _ value: [UInt8], on network: UTXONetwork
    ) -> UTXOTransaction.TransactionOutput? {
        var reader = ChainByteReader(value)
        guard let output = try? UTXOTransaction.TransactionOutput.read(&reader, on: network),
            reader.remaining == 0
        else { return nil }
        return output
    }

    static func witness(_ value: [UInt8]) -> [[UInt8]]? {
        var reader = ChainByteReader(value)
        guard let witness = try? UTXOTransaction.readWitness(&reader), reader.remaining == 0 else {
            return nil
        }
        return witness
    }

    /// The leaves' hashes, and the origin behind them.
    static func taprootOrigin(_ value: [UInt8]) -> (leaves: [[UInt8]], origin: KeyOrigin)? {
        var reader = ChainByteReader(value)
        guard let count = try? reader.count(ofItems: 32) else { return nil }
        var leaves: [[UInt8]] = []
        for _ in 0..<count {
            guard let leaf = try? reader.take(32) else { return nil }
            leaves.append(leaf)
        }
        guard let rest = try? reader.take(reader.remaining), let origin = KeyOrigin(rest) else {
            return nil
        }
        return (leaves, origin)
    }

    /// Depth, version and script of each leaf; the depths make one tree, walked depth first.
    private static func isTree(_ value: [UInt8]) -> Bool {
        var reader = ChainByteReader(value)
        // The depths of subtrees that wait for their other half.
        var open: [UInt8] = []
        var isWhole = false
        while reader.remaining > 0 {
            guard !isWhole, var depth = try? reader.integer(UInt8.self), depth <= 128,
                let version = try? reader.integer(UInt8.self), version & 1 == 0,
                (try? reader.string()) != nil
            else { return false }
            while let last = open.last, last == depth, depth > 0 {
                open.removeLast()
                depth -= 1
            }
            if let last = open.last, last > depth { return false }
            if depth == 0 { isWhole = true } else { open.append(depth) }
        }
        return isWhole
    }
}
