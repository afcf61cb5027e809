// The bytes that a transaction's name is the hash of (BIP141, txid).

public import Addresses
public import Terms

extension UTXOTransaction {
    /// A transaction of exactly the bytes without witnesses, in which no input is none: as PSBTs
    /// have it, and as its name is hashed. O(bytes); memory is reserved only for what is there.
    public init(
        withoutWitness bytes: [UInt8], on network: UTXONetwork
    ) throws(UTXODecodingError) {
        var reader = ChainByteReader(bytes)
        version = try reader.integer(UInt32.self)
        inputs = try Self.readInputs(&reader)
        outputs = try Self.readOutputs(&reader, on: network)
        lockTime = try reader.integer(UInt32.self)
        try reader.finish()
    }

    /// The part without witnesses of a transaction's bytes, as nodes give them; `id` is its name.
    /// What stands between outputs and lock time is left out unread: witnesses, and the data of
    /// Litecoin's extension blocks. Nil where the bytes are of no transaction, or of another.
    public static func withoutWitness(
        _ bytes: [UInt8], of id: TransactionID, on network: UTXONetwork
    ) -> [UInt8]? {
        do throws(UTXODecodingError) {
            var reader = ChainByteReader(bytes)
            _ = try reader.integer(UInt32.self)
            // The marker and the flags of BIP144.
            if reader.next == 0 { _ = try reader.take(2) }
            let begin = bytes.count - reader.remaining
            _ = try readInputs(&reader)
            _ = try readOutputs(&reader, on: network)
            let end = bytes.count - reader.remaining
            guard reader.remaining >= 4 else { return nil }
            let stripped = Array(bytes[..<4] + bytes[begin..<end] + bytes.suffix(4))
            return self.id(stripped) == id ? stripped : nil
        } catch { return nil }
    }
}
