// Transactions of Bitcoin and its kin, with witnesses and without (BIP141, BIP144).

public import Addresses
internal import Secrets
public import Terms

/// An output of a transaction, by its place.
public struct OutPoint: Hashable, Comparable, Sendable {
    /// The transaction that has it.
    public var transaction: TransactionID
    /// Its index among that transaction's outputs, from 0.
    public var output: UInt32

    /// The output of an index.
    public init(_ transaction: TransactionID, _ output: UInt32) {
        (self.transaction, self.output) = (transaction, output)
    }

    /// Orders by transaction, then by index.
    public static func < (a: OutPoint, b: OutPoint) -> Bool {
        (a.transaction, a.output) < (b.transaction, b.output)
    }

    var bytes: [UInt8] {
        var bytes = transaction.chainOrder
        bytes.append(integer: output)
        return bytes
    }
}

/// A transaction. Its bytes:
///
///     version 4 | [00 01] | count, inputs | count, outputs | [a witness each] | lock time 4
///
/// with the parts in brackets where an input has a witness.
public struct UTXOTransaction: Hashable, Sendable {
    /// What an input spends, and why it may.
    public struct TransactionInput: Hashable, Sendable {
        /// The output that is spent.
        public var outPoint: OutPoint
        /// Empty for witness programs.
        public var scriptSig: [UInt8]
        /// Below 0xFFFFFFFE the transaction can be replaced (BIP125).
        public var sequence: UInt32
        /// The witness's items; none before it is signed.
        public var witness: [[UInt8]]

        /// An input of these parts.
        public init(
            outPoint: OutPoint, scriptSig: [UInt8] = [], sequence: UInt32,
            witness: [[UInt8]] = []
        ) {
            (self.outPoint, self.scriptSig) = (outPoint, scriptSig)
            (self.sequence, self.witness) = (sequence, witness)
        }

        func write(to bytes: inout [UInt8]) {
            bytes += outPoint.bytes
            bytes.append(string: scriptSig)
            bytes.append(integer: sequence)
        }
    }

    /// What is paid to a script.
    public struct TransactionOutput: Hashable, Sendable {
        /// In base units, 0 to the network's maximum.
        public var amount: Int64
        /// The script that says who may spend it.
        public var script: [UInt8]

        /// An output of these parts.
        public init(amount: Int64, script: [UInt8]) {
            (self.amount, self.script) = (amount, script)
        }

        func write(to bytes: inout [UInt8]) {
            bytes.append(integer: amount)
            bytes.append(string: script)
        }

        static func read(
            _ reader: inout ChainByteReader, on network: UTXONetwork
        ) throws(UTXODecodingError) -> TransactionOutput {
            let amount = try reader.integer(Int64.self)
            guard 0...network.maximumMoney ~= amount else { throw .amount }
            return TransactionOutput(amount: amount, script: try reader.string())
        }
    }

    /// 2 since BIP68.
    public var version: UInt32
    /// At least one.
    public var inputs: [TransactionInput]
    /// What is paid.
    public var outputs: [TransactionOutput]
    /// The block height, or from 500,000,000 on the time, before which it is not final.
    public var lockTime: UInt32

    /// A block's maximum weight, which no transaction's size exceeds.
    public static let bytesMax = 4_000_000

    /// A transaction of these parts.
    public init(
        version: UInt32 = 2, inputs: [TransactionInput], outputs: [TransactionOutput],
        lockTime: UInt32
    ) {
        (self.version, self.inputs) = (version, inputs)
        (self.outputs, self.lockTime) = (outputs, lockTime)
    }

    /// Decodes a transaction as nodes send it. O(bytes); memory is reserved only for what is there.
    public init(
        _ bytes: [UInt8], on network: UTXONetwork, bytesMax: Int = UTXOTransaction.bytesMax
    ) throws(UTXODecodingError) {
        guard bytes.count <= bytesMax else {
            throw .tooLarge(count: bytes.count, maximum: bytesMax)
        }
        var reader = ChainByteReader(bytes)
        version = try reader.integer(UInt32.self)
        let hasWitness = try Self.readMarker(&reader)
        inputs = try Self.readInputs(&reader)
        if inputs.isEmpty { throw .noInputs }
        outputs = try Self.readOutputs(&reader, on: network)
        if hasWitness {
            for index in inputs.indices { inputs[index].witness = try Self.readWitness(&reader) }
            guard inputs.contains(where: { !$0.witness.isEmpty }) else { throw .noWitness }
        }
        lockTime = try reader.integer(UInt32.self)
        try reader.finish()
    }

    /// Whether the marker of witnesses follows, and its flag.
    private static func readMarker(_ reader: inout ChainByteReader) throws(UTXODecodingError)
        -> Bool
    {
        guard reader.next == 0 else { return false }
        _ = try reader.integer(UInt8.self)
        switch try reader.integer(UInt8.self) {
        case 0: throw .noInputs
        case 1: return true
        case let flag where flag & 8 != 0: throw .mweb
        case let flag: throw .unknownFlag(flag)
        }
    }

    static func readInputs(
        _ reader: inout ChainByteReader
    ) throws(UTXODecodingError) -> [TransactionInput] {
        let count = try reader.count(ofItems: 41)
        var inputs: [TransactionInput] = []
        inputs.reserveCapacity(count)
        for _ in 0..<count {
            let id = try reader.take(32)
            guard let transaction = TransactionID(chainOrder: id) else { throw .truncated }
            let output = try reader.integer(UInt32.self)
            inputs.append(
                TransactionInput(
                    outPoint: OutPoint(transaction, output), scriptSig: try reader.string(),
                    sequence: try reader.integer(UInt32.self)))
        }
        return inputs
    }

    static func readOutputs(
        _ reader: inout ChainByteReader, on network: UTXONetwork
    ) throws(UTXODecodingError) -> [TransactionOutput] {
        let count = try reader.count(ofItems: 9)
        var outputs: [TransactionOutput] = []
        outputs.reserveCapacity(count)
        for _ in 0..<count { outputs.append(try TransactionOutput.read(&reader, on: network)) }
        guard network.sum(outputs.lazy.map(\.amount)) != nil else { throw .amount }
        return outputs
    }

    /// A witness: the count of its items, and the items.
    static func readWitness(_ reader: inout ChainByteReader) throws(UTXODecodingError) -> [[UInt8]]
    {
        let count = try reader.count(ofItems: 1)
        var witness: [[UInt8]] = []
        witness.reserveCapacity(count)
        for _ in 0..<count { witness.append(try reader.string()) }
        return witness
    }

    static func witnessBytes(_ witness: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(compactSize: UInt64(witness.count))
        for item in witness { bytes.append(string: item) }
        return bytes
    }

    /// Its bytes as nodes send them.
    public var bytes: [UInt8] { bytes(withWitness: inputs.contains { !$0.witness.isEmpty }) }

    func bytes(withWitness: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: version)
        if withWitness { bytes += [0, 1] }
        bytes.append(compactSize: UInt64(inputs.count))
        for input in inputs { input.write(to: &bytes) }
        bytes.append(compactSize: UInt64(outputs.count))
        for output in outputs { output.write(to: &bytes) }
        if withWitness {
            for input in inputs { bytes += Self.witnessBytes(input.witness) }
        }
        bytes.append(integer: lockTime)
        return bytes
    }

    /// Its name on the chain: the double SHA-256 of its bytes without witnesses.
    public var id: TransactionID { Self.id(bytes(withWitness: false)) }

    /// The same with witnesses (BIP141, wtxid).
    public var witnessID: TransactionID { Self.id(bytes) }

    static func id(_ bytes: [UInt8]) -> TransactionID {
        // A digest has 32 bytes.
        TransactionID(chainOrder: SHA256.digest(SHA256.digest(bytes))) ?? .none
    }

    /// Four times its bytes without witnesses, and those of witnesses once (BIP141).
    public var weight: Int { 3 * bytes(withWitness: false).count + bytes.count }

    /// The size that fees are paid for: a quarter of the weight, rounded up.
    public var virtualSize: Int { (weight + 3) / 4 }

    /// Whether it asks to be replaceable (BIP125, rule 1).
    public var isReplaceable: Bool { inputs.contains { $0.sequence < 0xFFFF_FFFE } }
}
