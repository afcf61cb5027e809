// How fast this host reads the blocks of its node.

import Addresses
import Custodian
import DaemonKit
import Nodes

extension WalletDaemon {
    /// Why nothing can be measured.
    struct MeasureError: Error, CustomStringConvertible { let description: String }

    /// Addresses that are looked for.
    private static var measuredAddresses: Int { 10_000 }

    /// Reads the blocks that `CHAIN:FROM-TO` names, and prints how long that takes.
    func measure(_ text: String) throws {
        let parts = text.split(separator: ":")
        let heights = parts.last?.split(separator: "-").compactMap { UInt64($0) } ?? []
        guard parts.count == 2, heights.count == 2, heights[0] > 0, heights[0] <= heights[1],
            heights[1] - heights[0] < 10_000
        else {
            throw MeasureError(
                description: "\"\(text)\" is no range: expected CHAIN:FROM-TO, as litecoin:100-200")
        }
        guard let network = UTXONetwork.named("\(parts[0])"), let node = node(of: network) else {
            throw MeasureError(description: "[walletd] nodes names no UTXO chain \(parts[0])")
        }
        let found = try ScanMeasurement(
            of: node, heights[0]...heights[1], addresses: Self.measuredAddresses)
        func perSecond(_ nanos: Int64) -> String {
            // In tenths, without a fraction's rounding up.
            let tenths = Int64(found.blocks) * 10_000_000_000 / max(1, nanos)
            return "\(tenths / 10).\(tenths % 10)"
        }
        let each = found.processorNanos / 1_000 / Int64(max(1, found.blocks))
        print(
            """
            \(found.blocks) blocks, \(found.bytes / max(1, found.blocks)) bytes of answer each, \
            \(Self.measuredAddresses) addresses, \(found.deposits) deposits
            the node's bare answers: \(perSecond(found.nodeNanos)) blocks/s
            read, the node's part included: \(perSecond(found.scanNanos)) blocks/s
            of that computed here: \(each) us a block, as much as \
            \(perSecond(found.processorNanos)) blocks/s
            """)
    }
}
