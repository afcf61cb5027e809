// A node of an EVM chain: methods that all of Ethereum's execution clients have.

public import Addresses
public import EVM
internal import JSON
public import Terms

/// A node of an EVM chain. It has to keep the states of the blocks that are read: most nodes keep
/// those of the last 128 blocks, and an archive node all.
public final class EVMNode: EVMChainNode {
    /// The chain that it is to be of.
    public let network: EVMNetwork
    let client: NodeClient

    /// A node of a network.
    public init(_ settings: NodeSettings, network: EVMNetwork) {
        self.network = network
        client = NodeClient(settings, version: .version2)
    }

    /// Where its chain ends: its `latest` block, and `eth_syncing`.
    public func tip() throws(NodeError) -> ChainTip {
        let method = "eth_getBlockByNumber"
        let json = try client.call(method, "latest", .bool(false))
        guard let height = json["number"]?.evmHeight, let block = json["hash"]?.evmBlockID else {
            throw .malformed(method: method, "lacks number or hash")
        }
        try check()
        // False, or an object that says how far it is.
        let isSyncing = try client.call("eth_syncing") != .bool(false)
        return ChainTip(height: height, block: block, isSyncing: isSyncing)
    }

    /// Whether it is the right chain. Forks share first blocks, and private chains ids. It is
    /// looked at each time, as another node may answer at the address by now.
    private func check() throws(NodeError) {
        let method = "eth_chainId"
        guard let chainID = try client.call(method).evmUInt64 else {
            throw .malformed(method: method, "is no number of 64 bits")
        }
        let genesis = try block(at: 0)
        guard chainID == network.chainID, genesis?.hex == network.genesis else {
            throw .otherChain(
                found: "chain \(chainID), whose first block is \(genesis?.hex ?? "not there")",
                expected:
                    "\(network.name), chain \(network.chainID), whose first block is "
                    + network.genesis)
        }
    }

    /// The block at a height: `eth_getBlockByNumber`.
    public func block(at height: UInt64) throws(NodeError) -> BlockID? {
        let method = "eth_getBlockByNumber"
        let number = EVMHex.text(EVMWord(UInt128(height)))
        let json = try client.call(method, .string(number), .bool(false))
        if json == .null { return nil }
        guard json["number"]?.evmHeight == height, let id = json["hash"]?.evmBlockID else {
            throw .malformed(method: method, "is not of that height")
        }
        return id
    }

    /// A block with its transactions: `eth_getBlockByHash`.
    public func block(_ id: BlockID) throws(NodeError) -> EVMBlock {
        let method = "eth_getBlockByHash"
        let json = try client.call(method, .string("0x" + id.hex), .bool(true), isQuick: false)
        guard let block = EVMBlock(answer: json), block.id == id else {
            throw .malformed(method: method, "is not of that block, or cannot be read")
        }
        return block
    }

    /// The transfers that these contracts logged in a block: `eth_getLogs` of EIP-234.
    public func transfers(
        in block: BlockID, of tokens: [EVMAddress]
    ) throws(NodeError) -> [EVMTransferNotice] {
        // No addresses would be those of all contracts.
        if tokens.isEmpty { return [] }
        let method = "eth_getLogs"
        let filter: JSONValue = [
            "blockHash": .string("0x" + block.hex),
            "address": .strings(tokens.map { EVMHex.text($0.bytes) }),
            "topics": .strings([EVMHex.text(TransferLog.topic)]),
        ]
        let json = try client.call(method, filter, isQuick: false)
        guard let rows = json.rows(EVMTransferNotice.reading) else {
            throw .malformed(method: method, "has a log that cannot be read")
        }
        let wanted = Set(tokens)
        var notices: [EVMTransferNotice] = []
        for row in rows {
            guard case .notice(let notice, let place) = row else { continue }
            guard place == block, wanted.contains(notice.log.token) else {
                throw .malformed(method: method, "has a log of another block or contract")
            }
            notices.append(notice)
        }
        return notices
    }

    /// A transaction's receipt: `eth_getTransactionReceipt`.
    public func receipt(
        _ transaction: TransactionID, in block: BlockID
    ) throws(NodeError) -> EVMReceipt {
        // The chain changed between two questions.
        guard let receipt = try receipt(transaction), receipt.block == block else {
            throw .malformed(method: "eth_getTransactionReceipt", "is of another block")
        }
        return receipt
    }

    /// What an account has after a block: `eth_getBalance`, and `eth_call` of a token's contract,
    /// at a block's hash (EIP-1898).
    public func balance(
        _ holding: EVMHolding, after block: BlockID
    ) throws(NodeError) -> EVMWord? {
        let place: JSONValue = [
            "blockHash": .string("0x" + block.hex), "requireCanonical": .bool(true),
        ]
        do throws(NodeError) {
            return switch holding.coin {
            case .native: try nativeBalance(holding.holder, place)
            case .token(let token): try tokenBalance(holding.holder, token, place)
            }
        } catch {
            // Each client has other words for it: "missing trie node", "historical state … is not
            // available", "state at block … is pruned".
            guard case .refused(let method, let code, let message) = error,
                message.contains("state") || message.contains("missing trie node")
            else { throw error }
            throw .refused(
                method: method, code: code,
                message: "\(message); a node that keeps the states of older blocks can say it")
        }
    }

    private func nativeBalance(
        _ holder: EVMAddress, _ place: JSONValue
    ) throws(NodeError) -> EVMWord {
        let method = "eth_getBalance"
        let holder = JSONValue.string(EVMHex.text(holder.bytes))
        guard let balance = try client.call(method, holder, place).evmWord else {
            throw .malformed(method: method, "is no number of 256 bits")
        }
        return balance
    }

    private func tokenBalance(
        _ holder: EVMAddress, _ token: EVMAddress, _ place: JSONValue
    ) throws(NodeError) -> EVMWord? {
        let data = TokenQuery.balance(of: holder).data
        return try returned(by: token, data, place).flatMap { try? ABIReturn.word($0) }
    }

    /// What a token's contract says that its decimals are, at the node's last block; nil: it does
    /// not say, as ERC-20 does not demand it.
    public func decimals(of token: EVMAddress) throws(NodeError) -> UInt8? {
        try returned(by: token, TokenQuery.decimals.data, "latest")
            .flatMap { try? ABIReturn.decimals($0) }
    }

    /// What a contract returns to a call; nil: it fails, or returns too much. A contract can fail
    /// in whatever way it likes, and every client has other words for it: where a client refuses a
    /// call in words that are not known, and executes one of no code at the same place before and
    /// after which it refuses, the contract is at fault and not the node.
    private func returned(
        by contract: EVMAddress, _ data: [UInt8], _ place: JSONValue
    ) throws(NodeError) -> [UInt8]? {
        do throws(NodeError) { return try execute(contract, data, place) } catch {
            guard case .refused(_, let code, let message) = error else { throw error }
            if Self.isRevert(code, message) { return nil }
            guard (try? execute(Self.noContract, [], place)) != nil else { throw error }
            do throws(NodeError) { return try execute(contract, data, place) } catch let again {
                guard case .refused(_, code, _) = again else { throw again }
                return nil
            }
        }
    }

    /// `eth_call` of a contract at a block; nil: it returns more than is read. The gas is bounded,
    /// as a contract that uses all of it keeps the node, and whoever waits for it, busy.
    private func execute(
        _ contract: EVMAddress, _ data: [UInt8], _ place: JSONValue
    ) throws(NodeError) -> [UInt8]? {
        let method = "eth_call"
        let call: JSONValue = [
            "to": .string(EVMHex.text(contract.bytes)), "data": .string(EVMHex.text(data)),
            "gas": .string("0x" + String(Self.callGas, radix: 16)),
        ]
        let answer = try client.call(method, call, place)
        guard let bytes = answer.evmData(countMax: NodeClient.answerBytesMax / 2) else {
            throw .malformed(method: method, "is no data")
        }
        return bytes.count <= Self.returnBytesMax ? bytes : nil
    }

    /// Whether a refusal is the contract's and not the node's: 3 is that of Geth and most others,
    /// −32015 that of OpenEthereum and Nethermind.
    private static func isRevert(_ code: Int64, _ message: String) -> Bool {
        code == 3 || code == -32_015 || message.lowercased().contains("revert")
    }

    /// An address that has no code, on any chain.
    private static let noContract: EVMAddress = {
        guard let address = EVMAddress(bytes: [UInt8](repeating: 0, count: 20)) else {
            preconditionFailure("20 bytes are an address")
        }
        return address
    }()

    /// What gas a question to a contract may use: a balance takes some ten thousand of most, and
    /// some hundred thousand of those that compute it.
    private static var callGas: UInt64 { 2_000_000 }

    /// Maximum bytes that a contract returns.
    private static var returnBytesMax: Int { 4_096 }
}
