// A node of Bitcoin or its kin: only methods that Bitcoin Core and Litecoin Core both have.

public import Addresses
internal import JSON
public import Terms

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

    /// A block with its outputs: `getblock`.
    public func block(_ id: BlockID) throws(NodeError) -> ChainBlock {
        let method = "getblock"
        // 2: with the transactions decoded. The bytes of a Litecoin block have an extension block
        // behind them, which other nodes do not know.
        let json = try client.call(method, .string(id.hex), .number(2), isQuick: false)
        guard json["hash"]?.text == id.hex, let height = json["height"]?.count,
            height <= Limits.blockMax, let transactions = json["tx"]
        else { throw .malformed(method: method, "is not of that block") }
        // The first block has no parent.
        let parent = json["previousblockhash"]?.text.map(BlockID.init(hex:)) ?? BlockID.none
        guard let parent else { throw .malformed(method: method, "has no valid parent") }
        guard let parts = transactions.rows(Self.parts) else {
            throw .malformed(method: method, "has a transaction that cannot be read")
        }
        return ChainBlock(
            id: id, height: height, parent: parent, outputs: parts.flatMap(\.outputs),
            spends: parts.flatMap(\.spends))
    }

    /// A transaction's outputs and what it spends; nil where it cannot be read.
    private static func parts(
        _ json: JSONValue
    ) -> (outputs: [ChainOutput], spends: [ChainSpend])? {
        guard let id = json["txid"]?.text.flatMap(TransactionID.init(hex:)),
            case .array(let inputs)? = json["vin"], case .array(let outputs)? = json["vout"]
        else { return nil }
        if inputs.contains(where: { $0["coinbase"] != nil }) { return ([], []) }
        var spends: [ChainSpend] = []
        for input in inputs {
            // An input of Litecoin's MWEB names no transaction, and spends no output of ours.
            guard let spent = input["txid"] else { continue }
            guard let transaction = spent.text.flatMap(TransactionID.init(hex:)),
                let index = input["vout"]?.count.flatMap(UInt32.init(exactly:))
            else { return nil }
            spends.append(ChainSpend(spender: id, transaction: transaction, index: index))
        }
        var found: [ChainOutput] = []
        for output in outputs {
            // Litecoin's MWEB: no script, and nothing that a customer's address stands for.
            if output["ismweb"]?.flag == true { continue }
            guard let index = output["n"]?.count.flatMap(UInt32.init(exactly:)),
                case .numeral(let value)? = output["value"], let units = Self.units(value),
                let script = output["scriptPubKey"]?["hex"]?.text.flatMap(bytes(hex:))
            else { return nil }
            found.append(
                ChainOutput(transaction: id, index: index, script: script, units: units))
        }
        return (found, spends)
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
