// How fast the blocks of a chain are read, and what of that the node alone takes.

internal import Addresses
internal import Deposits
internal import Glibc
internal import Keys
public import Nodes
internal import Platform
internal import Terms
internal import UTXO

/// Blocks of a chain read as walletd reads them, with as many addresses looked for.
public struct ScanMeasurement: Hashable, Sendable {
    /// Blocks.
    public private(set) var blocks = 0
    /// Bytes of the node's answers.
    public private(set) var bytes = 0
    /// What the node took for the bare answers, in ns.
    public private(set) var nodeNanos: Int64 = 0
    /// What reading them took, with the node's part, in ns.
    public private(set) var scanNanos: Int64 = 0
    /// What of that this process computed, in ns of CPU.
    public private(set) var processorNanos: Int64 = 0
    /// Deposits that were found.
    public private(set) var deposits = 0

    /// The key of BIP32's first test vector: addresses of a wallet that is nobody's.
    private static let key =
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsef"
        + "D265TMg7usUDFdp6W1EGMcet8"

    /// Reads the blocks of a range of heights: first their bare answers, then as walletd does.
    public init(
        of node: UTXONode, _ heights: ClosedRange<UInt64>, addresses count: Int
    ) throws(NodeError) {
        var addresses: DepositAddresses
        do throws(KeyError) {
            guard let key = ExtendedPublicKey(Self.key, isTest: false) else { throw .invalidText }
            addresses = try DepositAddresses(key, on: node.network)
            try addresses.update((0..<count).map { AccountID(UInt32($0) + 1) })
        } catch { preconditionFailure("the key of a test vector") }
        let bareTime = Clock.monotonicNanos()
        for height in heights {
            guard let id = try node.block(at: height) else {
                throw .malformed(method: "getblockhash", "is none at height \(height)")
            }
            bytes += try node.blockBytes(id)
        }
        nodeNanos = Clock.monotonicNanos() - bareTime
        blocks = heights.count
        let (time, processorTime) = (Clock.monotonicNanos(), Self.processorNanos)
        var reader = ChainReader()
        var terms = ReaderTerms(
            record: 1, firstBlock: heights.lowerBound, checkedHeight: 0, checkedBlock: .none,
            confirmations: 1, addresses: count)
        while reader.height ?? 0 < heights.upperBound {
            let steps = reader.read(node, terms, account: { addresses.account($0) })
            if case .noNode(let error) = reader.state { throw error }
            for step in steps {
                reader.done(step)
                switch step {
                case .credit: deposits += 1
                case .check(let height, let block, _):
                    (terms.checkedHeight, terms.checkedBlock) = (height, block)
                default: break
                }
            }
            guard !steps.isEmpty else { break }
        }
        scanNanos = Clock.monotonicNanos() - time
        processorNanos = Self.processorNanos - processorTime
    }

    private static var processorNanos: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
