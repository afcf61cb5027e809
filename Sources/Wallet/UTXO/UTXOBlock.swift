// A block as nodes pass it on: its name is the hash of its bytes, so they prove themselves.
//
//     version 4 | parent 32 | root of the transactions 32 | time 4 | target 4 | nonce 4
//     count, transactions
//
// Behind a Litecoin block whose last transaction has the flag 0x08 stands its extension block
// (MWEB), which is not read: it has no output that a customer's address stands for.

public import Addresses
internal import Secrets
public import Terms

/// What of a transaction of a block can be a wallet's.
public struct UTXOBlockEntry: Hashable, Sendable {
    /// Its name.
    public let id: TransactionID
    /// What it spends.
    public let inputs: [OutPoint]
    /// What it pays.
    public let outputs: [UTXOTransaction.TransactionOutput]
}

/// A block, without its witnesses.
public struct UTXOBlock: Hashable, Sendable {
    /// Its name: the double SHA-256 of its first 80 bytes.
    public let id: BlockID
    /// The block before it.
    public let parent: BlockID
    /// Its transactions, the coinbase first.
    public let transactions: [UTXOBlockEntry]

    private static let headBytes = 80

    /// Decodes a block, all of whose transactions its name commits to. O(bytes); memory is reserved
    /// only for what is there.
    public init(_ bytes: [UInt8], on network: UTXONetwork) throws(UTXODecodingError) {
        var reader = ChainByteReader(bytes)
        let head = try reader.take(Self.headBytes)
        let name = UTXOTransaction.id(head)
        guard let before = TransactionID(chainOrder: Array(head[4..<36])) else { throw .truncated }
        id = BlockID(high: name.high, low: name.low)
        parent = BlockID(high: before.high, low: before.low)
        // Ten bytes of an empty transaction.
        let count = try reader.count(ofItems: 10)
        var (found, isExtended): ([UTXOBlockEntry], Bool) = ([], false)
        found.reserveCapacity(count)
        for _ in 0..<count {
            found.append(try Self.transaction(bytes, &reader, network, &isExtended))
        }
        if !isExtended { try reader.finish() }
        transactions = found
        guard Self.root(found.map(\.id.chainOrder)) == Array(head[36..<68]) else { throw .root }
    }

    /// Reads a transaction; its witnesses are passed over.
    private static func transaction(
        _ bytes: [UInt8], _ reader: inout ChainByteReader, _ network: UTXONetwork,
        _ isExtended: inout Bool
    ) throws(UTXODecodingError) -> UTXOBlockEntry {
        var stripped = try reader.take(4)
        var flags: UInt8 = 0
        if reader.next == 0 {
            _ = try reader.take(1)
            flags = try reader.integer(UInt8.self)
            guard flags != 0 else { throw .noInputs }
            guard flags & ~0x09 == 0 else { throw .unknownFlag(flags) }
        }
        let begin = bytes.count - reader.remaining
        let inputs = try UTXOTransaction.readInputs(&reader)
        let outputs = try UTXOTransaction.readOutputs(&reader, on: network)
        stripped += bytes[begin..<bytes.count - reader.remaining]
        if flags & 1 != 0 {
            for _ in inputs {
                for _ in 0..<(try reader.count(ofItems: 1)) { try reader.pass() }
            }
        }
        // Only that of the block itself stays in a block, and it has no data there.
        isExtended = flags & 8 != 0
        if isExtended, try reader.integer(UInt8.self) != 0 { throw .mweb }
        stripped += try reader.take(4)
        return UTXOBlockEntry(
            id: UTXOTransaction.id(stripped), inputs: inputs.map(\.outPoint), outputs: outputs)
    }

    /// The root of the tree of names. Of two that are equal side by side the second may be made up
    /// (CVE-2012-2459): no block has such.
    private static func root(_ names: [[UInt8]]) -> [UInt8]? {
        var level = names
        while level.count > 1 {
            var next: [[UInt8]] = []
            next.reserveCapacity((level.count + 1) / 2)
            for place in stride(from: 0, to: level.count, by: 2) {
                let isLast = place + 1 == level.count
                let right = isLast ? level[place] : level[place + 1]
                if !isLast, right == level[place] { return nil }
                next.append(SHA256.digest(SHA256.digest(level[place] + right)))
            }
            level = next
        }
        return level.first
    }
}
