// A node of Bitcoin or its kin: only methods that Bitcoin Core and Litecoin Core both have.

public import Addresses
internal import JSON
public import Terms
internal import UTXO

/// A node of a UTXO chain.
public final class UTXONode: PaymentNode {
    /// The chain that it is to be of.
    public let network: UTXONetwork
    private let client: NodeClient

    /// A node of a network.
    public init(_ settings: NodeSettings, network: UTXONetwork) {
        self.network = network
        client = NodeClient(settings)
    }

    /// Where its chain ends: `getblockchaininfo`.
    public func tip() throws(NodeError) -> ChainTip {
        let method = "getblockchaininfo"
        let info = try client.call(method)
        guard let height = info["blocks"]?.count, height <= Limits.blockMax,
            let headers = info["headers"]?.count,
            let block = info["bestblockhash"]?.text.flatMap(BlockID.init(hex:)),
            let chain = info["chain"]?.text
        else { throw .malformed(method: method, "lacks blocks, headers, bestblockhash or chain") }
        try check(chain)
        return ChainTip(
            height: height, block: block, isSyncing: headers > height,
            isPruned: info["pruned"]?.flag ?? false)
    }

    /// Regtest nodes of all chains call themselves alike: the first block tells them apart. It is
    /// looked at each time, as another node may answer at the address by now.
    private func check(_ chain: String) throws(NodeError) {
        let expected = "\(network.name), whose first block is \(network.genesis)"
        guard let genesis = try block(at: 0), genesis.hex == network.genesis else {
            throw .otherChain(
                found: "a chain that it calls \(NodeClient.shown(chain))", expected: expected)
        }
    }

    /// The block at a height: `getblockhash`.
    public func block(at height: UInt64) throws(NodeError) -> BlockID? {
        let method = "getblockhash"
        do throws(NodeError) {
            let result = try client.call(method, .number(height))
            guard let id = result.text.flatMap(BlockID.init(hex:)) else {
                throw NodeError.malformed(method: method, "is no hash")
            }
            return id
        } catch {
            // RPC_INVALID_PARAMETER: the height is out of range.
            if case .refused(_, code: -8, _) = error { return nil }
            throw error
        }
    }

    /// A block with its outputs: its bytes, by `getblock`, which prove themselves, and its height,
    /// by `getblockheader`. Forms that this version does not know are decoded by the node.
    public func block(_ id: BlockID) throws(NodeError) -> ChainBlock {
        // 0: its bytes. To decode them takes a node twenty times as long.
        let bytes = try client.read(
            "getblock", .string(id.hex), .number(0), reading: { $0.hexText() })
        let found: UTXOBlock
        do throws(UTXODecodingError) { found = try UTXOBlock(bytes, on: network) } catch {
            switch error {
            case .mweb, .unknownFlag: return try decodedBlock(id)
            default: throw .malformed(method: "getblock", "is no block: \(error)")
            }
        }
        let method = "getblockheader"
        let header = try client.call(method, .string(id.hex))
        guard found.id == id, header["hash"]?.text == id.hex, let height = header["height"]?.count,
            height <= Limits.blockMax
        else { throw .malformed(method: method, "is not of that block") }
        var (outputs, spends): ([ChainOutput], [ChainSpend]) = ([], [])
        // The first one is the coinbase.
        for transaction in found.transactions.dropFirst() {
            for (index, output) in transaction.outputs.enumerated() {
                outputs.append(
                    ChainOutput(
                        transaction: transaction.id, index: UInt32(index), script: output.script,
                        units: output.amount))
            }
            for input in transaction.inputs {
                spends.append(
                    ChainSpend(
                        spender: transaction.id, transaction: input.transaction,
                        index: input.output))
            }
        }
        return ChainBlock(
            id: id, height: height, parent: found.parent, outputs: outputs, spends: spends)
    }

    /// A block as the node decodes it.
    package func decodedBlock(_ id: BlockID) throws(NodeError) -> ChainBlock {
        let method = "getblock"
        // 2: with the transactions.
        let found = try client.read(
            method, .string(id.hex), .number(2), reading: { BlockAnswer(&$0) })
        guard found.hash == id, let height = found.height, height <= Limits.blockMax else {
            throw .malformed(method: method, "is not of that block")
        }
        return ChainBlock(
            id: id, height: height, parent: found.parent, outputs: found.outputs,
            spends: found.spends)
    }

    /// How many bytes the answer has that `block` reads: to measure what the node alone takes.
    public func blockBytes(_ id: BlockID) throws(NodeError) -> Int {
        try client.size("getblock", .string(id.hex), .number(0))
    }

    /// An amount of coins with up to eight decimals, in the smallest units; nil for anything else.
    static func units(_ text: String) -> Int64? {
        guard case .whole(let units)? = DecimalText(text)?.steps(of: 1, scale: 8) else {
            return nil
        }
        return Int64(exactly: units)
    }

    /// Gives a transaction to the chain: `sendrawtransaction`.
    public func broadcast(_ transaction: [UInt8]) throws(NodeError) -> Bool {
        do throws(NodeError) {
            _ = try client.call("sendrawtransaction", .string(transaction.hexText))
            return false
        } catch {
            guard case .refused(_, let code, let message) = error else { throw error }
            // In the pool it is no error, or this one of older nodes.
            if message.contains("txn-already-in-mempool") { return false }
            // RPC_VERIFY_ALREADY_IN_CHAIN.
            if code == -27 { return true }
            throw error
        }
    }

    /// An unspent output of the chain: `gettxout`, without the pool.
    public func unspent(
        _ transaction: TransactionID, _ index: UInt32
    ) throws(NodeError) -> UnspentOutput? {
        let method = "gettxout"
        let output = try client.call(
            method, .string(transaction.hex), .number(index), .bool(false))
        if output == .null { return nil }
        guard case .numeral(let value)? = output["value"], let units = Self.units(value),
            let script = output["scriptPubKey"]?["hex"]?.text.flatMap({ hexBytes($0) }),
            let confirmations = output["confirmations"]?.count, confirmations > 0,
            let block = output["bestblock"]?.text.flatMap(BlockID.init(hex:))
        else {
            throw .malformed(
                method: method, "lacks value, scriptPubKey, confirmations or bestblock")
        }
        return UnspentOutput(
            units: units, script: script, confirmations: confirmations, bestBlock: block)
    }

    /// The bytes of a transaction, by the block that it is in, so that the node needs no index of
    /// transactions: `getblockheader`, `getblockhash`, `getrawtransaction`.
    public func transaction(
        _ id: TransactionID, of output: UnspentOutput
    ) throws(NodeError) -> [UInt8]? {
        let method = "getrawtransaction"
        let header = try client.call("getblockheader", .string(output.bestBlock.hex))
        guard let height = header["height"]?.count, height >= output.confirmations - 1,
            let block = try block(at: height - (output.confirmations - 1))
        else { throw .malformed(method: "getblockheader", "has no height of that output") }
        do throws(NodeError) {
            let result = try client.call(
                method, .string(id.hex), .bool(false), .string(block.hex), isQuick: false)
            guard let bytes = result.text.flatMap({ hexBytes($0) }) else {
                throw NodeError.malformed(method: method, "is no transaction")
            }
            return bytes
        } catch {
            // RPC_MISC_ERROR: the block is not available, for it is pruned.
            if case .refused(_, code: -1, _) = error { return nil }
            throw error
        }
    }

    /// Blocks within which a payment is to have its place.
    static let blocksMax = 6

    /// What miners ask for: `estimatesmartfee`, and `getmempoolinfo` for what the node relays.
    public func feePerKilobyte() throws(NodeError) -> Int64 {
        let method = "getmempoolinfo"
        let pool = try client.call(method)
        var fee: Int64 = 0
        for name in ["mempoolminfee", "minrelaytxfee"] {
            guard case .numeral(let text)? = pool[name], let units = Self.units(text) else {
                throw .malformed(method: method, "lacks \(name)")
            }
            fee = max(fee, units)
        }
        // Without enough blocks to look at, as on test networks, it estimates nothing.
        let estimate = try client.call("estimatesmartfee", .number(Self.blocksMax))
        if case .numeral(let text)? = estimate["feerate"], let units = Self.units(text) {
            return max(fee, units)
        }
        let (several, overflow) = fee.multipliedReportingOverflow(by: Self.unestimated)
        return overflow ? fee : several
    }

    /// What the node wants for a replacement: `getnetworkinfo`.
    public func relayFeePerKilobyte() throws(NodeError) -> Int64 {
        let method = "getnetworkinfo"
        let info = try client.call(method)
        guard case .numeral(let text)? = info["incrementalfee"], let units = Self.units(text),
            units >= 0
        else { throw .malformed(method: method, "lacks incrementalfee") }
        return units
    }

    /// Times what the node relays, where it has no estimate.
    private static let unestimated: Int64 = 5
}
