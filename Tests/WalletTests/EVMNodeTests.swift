// Goal: what EVM nodes answer is read as their documents say, and nothing is taken from one that
// answers anything else.

import Addresses
import EVM
import JSON
import Nodes
import Requests
import Slabs
import Terms
import Testing

private let blockHash = String(repeating: "ab", count: 32)
private let parentHash = String(repeating: "cd", count: 32)
private let transactionHash = String(repeating: "ef", count: 32)
private let tokenAddress = "0xdac17f958d2ee523a2206206994597c13d831ec7"
private let owner = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
private let ownerWord = "0x" + String(repeating: "0", count: 24) + owner.dropFirst(2)
private let transferTopic =
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

/// A block as Geth writes it, with one transaction.
private func blockJSON(_ transaction: String = transactionJSON(), number: String = "0x10") -> String
{
    """
    {"baseFeePerGas":"0x3b9aca00","difficulty":"0x0","extraData":"0x","gasLimit":"0x1c9c380",\
    "gasUsed":"0x5208","hash":"0x\(blockHash)","number":"\(number)","parentHash":"0x\(parentHash)",\
    "timestamp":"0x6553f10c","transactions":[\(transaction)],"uncles":[],"withdrawals":[]}
    """
}

private func transactionJSON(
    to: String = "\"\(owner)\"", value: String = "\"0xde0b6b3a7640000\"", input: String = "\"0x\""
) -> String {
    """
    {"blockHash":"0x\(blockHash)","blockNumber":"0x10","from":"\(tokenAddress)","gas":"0x5208",\
    "gasPrice":"0x3b9aca07","hash":"0x\(transactionHash)","input":\(input),"nonce":"0x5",\
    "to":\(to),"transactionIndex":"0x0","value":\(value),"type":"0x2","accessList":[],\
    "chainId":"0x1","v":"0x0","r":"0x1","s":"0x1","yParity":"0x0"}
    """
}

private func logJSON(
    topics: String? = nil, data: String = "0x" + String(repeating: "0", count: 62) + "64"
) -> String {
    let topics = topics ?? #"["\#(transferTopic)","\#(ownerWord)","\#(ownerWord)"]"#
    return """
        {"address":"\(tokenAddress)","topics":\(topics),"data":"\(data)","blockNumber":"0x10",\
        "transactionHash":"0x\(transactionHash)","transactionIndex":"0x0",\
        "blockHash":"0x\(blockHash)","logIndex":"0x7","removed":false}
        """
}

private func receiptJSON(status: String = "\"0x1\"", logs: String = logJSON()) -> String {
    """
    {"blockHash":"0x\(blockHash)","blockNumber":"0x10","contractAddress":null,\
    "cumulativeGasUsed":"0xffff","effectiveGasPrice":"0x3b9aca07","from":"\(tokenAddress)",\
    "gasUsed":"0x5208","logs":[\(logs)],"logsBloom":"0x00","status":\(status),\
    "to":"\(owner)","transactionHash":"0x\(transactionHash)","transactionIndex":"0x0","type":"0x2"}
    """
}

private func json(_ text: String) throws -> JSONValue {
    try #require(JSONValue(parsing: text.utf8), "\(text)")
}

@Suite(.timeLimit(.minutes(2))) struct EVMNodeTests {
    /// What a node of Ethereum says to calls of `body`, where the server gives these results or
    /// errors by method.
    private func fault(
        _ answers: [String: String], _ body: (EVMNode) throws(NodeError) -> Void
    ) throws -> NodeError? {
        let server = try AnsweringServer { request in
            let parts = request.split(separator: "\r\n\r\n", maxSplits: 1)
            guard parts.count == 2, let call = JSONValue(parsing: parts[1].utf8),
                let method = call["method"]?.text, let id = call["id"]?.whole
            else { return reply("") }
            // By method, or by method and first parameter or whom it calls.
            var key = method
            if case .array(let parameters)? = call["params"],
                let first = parameters.first?.text ?? parameters.first?["to"]?.text,
                answers["\(method) \(first)"] != nil
            {
                key = "\(method) \(first)"
            }
            let answer = answers[key] ?? #""error":{"code":-32601,"message":"no such method"}"#
            return reply(#"{"jsonrpc":"2.0","id":\#(id),\#(answer)}"#)
        }
        defer { server.stop() }
        let endpoint = try #require(HTTPEndpoint("http://127.0.0.1:\(server.port)"))
        let network = try #require(EVMNetwork.named("ethereum"))
        let node = EVMNode(NodeSettings(endpoint: endpoint, loginFile: nil), network: network)
        do throws(NodeError) {
            try body(node)
            return nil
        } catch { return error }
    }

    private func result(_ json: String) -> String { #""result":\#(json)"# }

    // MARK: Values

    @Test func `a block is read`() throws {
        let block = try #require(EVMBlock(answer: try json(blockJSON())))
        #expect(block.id.hex == blockHash && block.parent.hex == parentHash && block.height == 16)
        let transaction = try #require(block.transactions.first)
        #expect(transaction.id.hex == transactionHash)
        #expect(transaction.destination == EVMAddress(owner))
        #expect(transaction.value.description == "1000000000000000000")
        #expect(transaction.tokenTransfer == nil)
        let made = EVMBlock(answer: try json(blockJSON(transactionJSON(to: "null"))))
        #expect(made?.transactions.first?.destination == nil && made != nil)
        let call = TokenTransfer(to: try #require(EVMAddress(owner)), amount: 100)
        let input = "\"\(EVMHex.text(call.data))\""
        let called = EVMBlock(answer: try json(blockJSON(transactionJSON(input: input))))
        #expect(called?.transactions.first?.tokenTransfer == call)
        // A long call is nothing that the wallet makes.
        let long = "\"0x\(String(repeating: "a9", count: 5_000))\""
        let other = EVMBlock(answer: try json(blockJSON(transactionJSON(input: long))))
        #expect(other?.transactions.count == 1)
    }

    @Test func `a block with anything else in it is none`() throws {
        let bad = [
            blockJSON("7"), blockJSON("\"0x\(transactionHash)\""), blockJSON("null"),
            blockJSON(transactionJSON(to: "\"0x\"")), blockJSON(transactionJSON(to: "7")),
            blockJSON(transactionJSON(value: "\"0x00\"")), blockJSON(transactionJSON(value: "1")),
            blockJSON(transactionJSON(value: "\"1\"")), blockJSON(transactionJSON(value: "\"0x\"")),
            blockJSON(transactionJSON(value: "\"0x1\(String(repeating: "0", count: 64))\"")),
            blockJSON(transactionJSON(value: "\"-0x1\"")),
            blockJSON(transactionJSON(input: "null")),
            blockJSON(number: "16"), blockJSON(number: "0x"), blockJSON(number: "0x010"),
            blockJSON(number: "0x20000000000001"), blockJSON(number: "0xffffffffffffffffff"),
            // The same transaction twice.
            blockJSON(transactionJSON() + "," + transactionJSON()),
            "null", "{}", "[]", "7", "\"0x\"",
        ]
        for text in bad { #expect(EVMBlock(answer: try json(text)) == nil, "\(text)") }
    }

    @Test func `a receipt is read, with the transfers' places among its logs`() throws {
        let other = logJSON(topics: #"["\#(ownerWord)"]"#, data: "0x")
        let nonFungible = logJSON(
            topics: #"["\#(transferTopic)","\#(ownerWord)","\#(ownerWord)","\#(ownerWord)"]"#,
            data: "0x")
        let short = logJSON(data: "0x64")
        let logs = [other, logJSON(), nonFungible, short, logJSON()].joined(separator: ",")
        let receipt = try #require(EVMReceipt(answer: try json(receiptJSON(logs: logs))))
        #expect(receipt.isSuccess && receipt.block.hex == blockHash)
        #expect(receipt.gasCost.description == String(21_000 * 1_000_000_007))
        #expect(receipt.transfers.map(\.index) == [1, 4])
        #expect(receipt.transfers.first?.log.amount == 100)
        #expect(receipt.transfers.first?.log.to == EVMAddress(owner))
        let failed = EVMReceipt(answer: try json(receiptJSON(status: "\"0x0\"", logs: "")))
        #expect(failed?.isSuccess == false)
        let bad = [
            receiptJSON(status: "null"), receiptJSON(status: "\"0x2\""), receiptJSON(status: "1"),
            receiptJSON(logs: "7"), receiptJSON(logs: logJSON(topics: "[7]")),
            receiptJSON(logs: logJSON(topics: #"["0x00"]"#)),
            receiptJSON(
                logs: logJSON(
                    topics: "[" + String(repeating: "\"\(ownerWord)\",", count: 4)
                        + "\"\(ownerWord)\"]")),
            "null", "{}",
        ]
        for text in bad { #expect(EVMReceipt(answer: try json(text)) == nil, "\(text)") }
    }

    /// Bytes that are damaged, and values in the place of others.
    @Test func `fuzz: damaged answers are none, or such as a node could give`() throws {
        var random = SplitMix64(seed: WalletFuzz.seed)
        let texts = [
            blockJSON(), receiptJSON(logs: logJSON() + "," + logJSON()),
            blockJSON(transactionJSON(to: "null")),
        ]
        let whole = try texts.map(json)
        var taken = 0
        for round in 0..<WalletFuzz.iterations {
            let place = random.below(texts.count)
            let value: JSONValue
            if random.below(2) == 0 {
                guard
                    let parsed = JSONValue(parsing: random.damaged(Array(texts[place].utf8)))
                else { continue }
                value = parsed
            } else {
                value = random.exchanged(whole[place])
            }
            if let block = EVMBlock(answer: value) {
                taken += 1
                #expect(block.height <= Limits.blockMax, WalletFuzz.replay(round))
                let ids = Set(block.transactions.map(\.id))
                #expect(ids.count == block.transactions.count, WalletFuzz.replay(round))
            }
            if let receipt = EVMReceipt(answer: value) {
                taken += 1
                let places = receipt.transfers.map(\.index)
                #expect(places == places.sorted() && places.count < 7, WalletFuzz.replay(round))
            }
        }
        // Much of an answer is not looked at.
        #expect(taken > WalletFuzz.iterations / 100)
    }

    // MARK: Methods

    @Test func `a node's tip is believed on the right chain only`() throws {
        let genesis = try #require(EVMNetwork.named("ethereum")).genesis
        let tip = result(#"{"number":"0x10","hash":"0x\#(blockHash)"}"#)
        func first(_ hash: String) -> String { result(#"{"number":"0x0","hash":"0x\#(hash)"}"#) }
        var answers = [
            "eth_getBlockByNumber latest": tip, "eth_getBlockByNumber 0x0": first(genesis),
            "eth_chainId": result("\"0x1\""), "eth_syncing": result("false"),
        ]
        let right = try fault(answers) { node throws(NodeError) in
            let tip = try node.tip()
            #expect(tip.height == 16 && tip.block.hex == blockHash && !tip.isSyncing)
        }
        #expect(right == nil)
        answers["eth_syncing"] = result(#"{"currentBlock":"0x1"}"#)
        let syncing = try fault(answers) { node throws(NodeError) in
            #expect(try node.tip().isSyncing)
        }
        #expect(syncing == nil)
        answers["eth_chainId"] = result("\"0x89\"")
        guard
            case .otherChain(let found, let expected) = try fault(
                answers, { node throws(NodeError) in _ = try node.tip() })
        else {
            Issue.record("it took a node of another chain")
            return
        }
        #expect(found.contains("chain 137") && expected.contains("ethereum, chain 1,"))
        answers["eth_chainId"] = result("\"0x1\"")
        for other in [first(blockHash), result("null")] {
            answers["eth_getBlockByNumber 0x0"] = other
            guard
                case .otherChain = try fault(
                    answers, { node throws(NodeError) in _ = try node.tip() })
            else {
                Issue.record("it took a node with another first block")
                return
            }
        }
    }

    @Test func `blocks, receipts and logs of something else are refused`() throws {
        let id = try #require(BlockID(hex: blockHash))
        let other = try #require(BlockID(hex: parentHash))
        let transaction = try #require(TransactionID(hex: transactionHash))
        let token = try #require(EVMAddress(tokenAddress))
        let answers = [
            "eth_getBlockByHash": result(blockJSON()),
            "eth_getTransactionReceipt": result(receiptJSON()),
            "eth_getLogs": result("[\(logJSON()),\(logJSON(data: "0x"))]"),
            "eth_getBlockByNumber": result(#"{"number":"0x10","hash":"0x\#(blockHash)"}"#),
            "eth_getBlockByNumber 0x11": result("null"),
        ]
        let right = try fault(answers) { node throws(NodeError) in
            #expect(try node.block(id).transactions.count == 1)
            #expect(try node.block(at: 16) == id)
            #expect(try node.block(at: 17) == nil)
            #expect(try node.receipt(transaction, in: id).transfers.count == 1)
            #expect(try node.transfers(in: id, of: [token]).count == 1)
            #expect(try node.transfers(in: id, of: []).isEmpty)
        }
        #expect(right == nil)
        func refuses(_ call: (EVMNode) throws(NodeError) -> Void) throws {
            guard case .malformed = try fault(answers, call) else {
                Issue.record("it took an answer to another question")
                return
            }
        }
        let (unknown, stranger) = (TransactionID(high: 1, low: 1), EVMScene.stranger())
        try refuses { node throws(NodeError) in _ = try node.block(other) }
        try refuses { node throws(NodeError) in _ = try node.block(at: 15) }
        try refuses { node throws(NodeError) in _ = try node.receipt(transaction, in: other) }
        try refuses { node throws(NodeError) in _ = try node.receipt(unknown, in: id) }
        try refuses { node throws(NodeError) in _ = try node.transfers(in: other, of: [token]) }
        try refuses { node throws(NodeError) in _ = try node.transfers(in: id, of: [stranger]) }
    }

    @Test func `a contract that fails has no balance; a node that fails gives an error`() throws {
        let id = try #require(BlockID(hex: blockHash))
        let holder = try #require(EVMAddress(owner))
        let token = EVMHolding(holder, .token(try #require(EVMAddress(tokenAddress))))
        func failure(_ code: Int, _ message: String) -> String {
            #""error":{"code":\#(code),"message":"\#(message)"}"#
        }
        let word = "0x" + String(repeating: "0", count: 62) + "64"
        let rows: [(String, EVMWord?, isError: Bool)] = [
            (result("\"\(word)\""), 100, false), (result("\"0x\""), nil, false),
            (result("\"0x64\""), nil, false), (result("\"\(word)00\""), nil, false),
            (failure(3, "execution reverted: closed"), nil, false),
            (failure(-32_015, "VM execution error."), nil, false),
            (failure(-32_000, "execution reverted"), nil, false),
            (failure(-32_000, "missing trie node 12ab"), nil, true),
            (failure(4_444, "pruned history unavailable"), nil, true),
            (failure(-32_000, "hash is not currently canonical"), nil, true),
            (result("null"), nil, true), (result("\"64\""), nil, true), (result("7"), nil, true),
            // What a contract chooses to return is no fault of the node.
            (result("\"0x\(String(repeating: "00", count: 5_000))\""), nil, false),
        ]
        for (answer, expected, isError) in rows {
            let found = try fault(["eth_call": answer]) { node throws(NodeError) in
                #expect(try node.balance(token, after: id) == expected, "\(answer)")
            }
            #expect((found != nil) == isError, "\(answer)")
            // What is to be done about it, where that is known.
            let isOld = answer.contains("missing trie node")
            #expect((found?.description.contains("keeps the states") ?? false) == isOld)
        }
        let native = EVMHolding(holder, .native)
        let values: [(String, EVMWord?)] = [
            ("\"0x64\"", 100), ("\"0x0\"", 0), ("\"0x\"", nil), ("\"0x064\"", nil), ("100", nil),
            ("null", nil), ("\"0xfg\"", nil), ("\"0x1\(String(repeating: "0", count: 64))\"", nil),
        ]
        for (value, expected) in values {
            let found = try fault(["eth_getBalance": result(value)]) { node throws(NodeError) in
                #expect(try node.balance(native, after: id) == expected)
            }
            #expect((found == nil) == (expected != nil), "\(value)")
        }
    }

    @Test func `a contract that fails in its own way is not taken for a node that fails`() throws {
        let id = try #require(BlockID(hex: blockHash))
        let contract = try #require(EVMAddress(tokenAddress))
        let token = EVMHolding(try #require(EVMAddress(owner)), .token(contract))
        let nobody = "0x" + String(repeating: "0", count: 40)
        for words in [
            "out of gas", "invalid opcode: INVALID", "stack limit reached 1024 (1023)",
            "invalid jump destination", "gas uint64 overflow",
        ] {
            let failure = #""error":{"code":-32000,"message":"\#(words)"}"#
            // The node executes what has no code there: so it is the contract.
            var answers = ["eth_call": failure, "eth_call \(nobody)": result("\"0x\"")]
            let found = try fault(answers) { node throws(NodeError) in
                #expect(try node.balance(token, after: id) == nil)
                #expect(try node.decimals(of: contract) == nil)
            }
            #expect(found == nil, "\(words)")
            // It executes nothing: so it is the node.
            answers["eth_call \(nobody)"] = nil
            let refused = try fault(answers) { node throws(NodeError) in
                _ = try node.balance(token, after: id)
            }
            #expect(refused?.description.contains(words) == true)
        }
    }

    @Test func `a token's decimals are what its contract says`() throws {
        let contract = try #require(EVMAddress(tokenAddress))
        func word(_ last: String) -> String {
            result("\"0x\(String(repeating: "0", count: 64 - last.count))\(last)\"")
        }
        let rows: [(String, UInt8?)] = [
            (word("6"), 6), (word("0"), 0), (word("ff"), 255), (word("100"), nil),
            (result("\"0x\""), nil), (result("\"0x06\""), nil),
        ]
        for (answer, expected) in rows {
            let found = try fault(["eth_call": answer]) { node throws(NodeError) in
                #expect(try node.decimals(of: contract) == expected, "\(answer)")
            }
            #expect(found == nil)
        }
    }

    @Test func `prices, counts and what becomes of a broadcast are read`() throws {
        let owner = try #require(EVMAddress(owner))
        let prices: [(String, UInt64?)] = [
            (#"{"baseFeePerGas":["0x5","0x7"],"reward":[["0x2"]]}"#, 2),
            (#"{"baseFeePerGas":["0x7"],"reward":[["0x9"],["0x1"],["0x4"]]}"#, 4),
            (#"{"baseFeePerGas":["0x7"],"reward":[]}"#, 0),
            (#"{"baseFeePerGas":[],"reward":[["0x2"]]}"#, nil),
            (#"{"baseFeePerGas":["0x7"],"reward":[[]]}"#, nil),
            (#"{"baseFeePerGas":["0x7"],"reward":null}"#, nil),
            (#"{"baseFeePerGas":["0x1ffffffffffffffff"],"reward":[["0x2"]]}"#, nil), ("7", nil),
        ]
        for (answer, priority) in prices {
            let found = try fault(["eth_feeHistory": result(answer)]) { node throws(NodeError) in
                let prices = try node.gasPrices()
                #expect(prices.nextBaseFee == 7 && prices.priorityFee == priority)
            }
            #expect((found == nil) == (priority != nil), "\(answer)")
        }
        let count = try fault(["eth_getTransactionCount": result("\"0x9\"")]) {
            node throws(NodeError) in
            #expect(try node.transactionCount(of: owner) == 9)
        }
        #expect(count == nil)
        let none = try fault(["eth_getTransactionCount": result("9")]) { node throws(NodeError) in
            _ = try node.transactionCount(of: owner)
        }
        #expect(none != nil)
        let signed = try EVMTransaction(
            chainID: 1, nonce: 0, fee: .legacy(gasPrice: 1), gasLimit: 21_000, destination: owner,
            value: 1
        ).signed(by: try testAccount(0))
        func failure(_ message: String) -> String {
            #""error":{"code":-32000,"message":"\#(message)"}"#
        }
        let rows: [(String, EVMBroadcast?)] = [
            (result("\"0x\(hex(signed.hash))\""), .taken), (failure("already known"), .known),
            (failure("AlreadyKnown"), .known), (failure("nonce too low: next nonce 5"), .nonceUsed),
            (failure("transaction underpriced"), .refused("transaction underpriced")),
            (result("\"0x\(transactionHash)\""), nil), (result("null"), nil),
        ]
        for (answer, expected) in rows {
            let found = try fault(["eth_sendRawTransaction": answer]) { node throws(NodeError) in
                #expect(try node.broadcast(signed) == expected)
            }
            #expect((found == nil) == (expected != nil), "\(answer)")
        }
    }

    @Test func `an answer in another version of JSON-RPC is refused`() throws {
        for head in [#""jsonrpc":"1.0","#, #""jsonrpc":2.0,"#, ""] {
            let server = try AnsweringServer { _ in reply("{\(head)\"id\":1,\"result\":\"0x1\"}") }
            defer { server.stop() }
            let endpoint = try #require(HTTPEndpoint("http://127.0.0.1:\(server.port)"))
            let client = NodeClient(
                NodeSettings(endpoint: endpoint, loginFile: nil), version: .version2)
            #expect(throws: NodeError.self) { try client.call("eth_chainId") }
        }
    }
}

extension SplitMix64 {
    /// A value with some of its parts exchanged, left out or doubled.
    fileprivate mutating func exchanged(_ value: JSONValue) -> JSONValue {
        let odd: [JSONValue] = [
            .null, .bool(true), .number(7), .number(-1), .numeral("1e3"), "", "0x", "0x0", "0x00",
            "0x1", "0xffffffffffffffff", "0x10000000000000000", "0X1", "0xg", "0x\u{301}1",
            .string("0x" + String(repeating: "f", count: 64)),
            .string("0x" + String(repeating: "f", count: 65)), .array([]), .object([]),
        ]
        if below(12) == 0 { return odd[below(odd.count)] }
        switch value {
        case .array(var items):
            guard !items.isEmpty else { return value }
            let place = below(items.count)
            switch below(6) {
            case 0: items.remove(at: place)
            case 1: items += [items[place]]
            default: items[place] = exchanged(items[place])
            }
            return .array(items)
        case .object(var members):
            guard !members.isEmpty else { return value }
            let place = below(members.count)
            let member = members[place]
            if below(8) == 0 {
                members.remove(at: place)
            } else {
                members[place] = JSONValue.Member(member.name, exchanged(member.value))
            }
            return .object(members)
        default: return value
        }
    }
}
