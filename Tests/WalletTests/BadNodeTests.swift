// Goal: a node that answers garbage, slowly, hugely or something else is told apart from one that
// works, and nothing is taken from it.

import Addresses
import Nodes
import Requests
import Terms
import Testing

/// A JSON-RPC answer to the first call.
private func result(_ json: String) -> [UInt8] {
    reply(#"{"result":\#(json),"error":null,"id":1}"#)
}

private let hash = String(repeating: "ab", count: 32)

@Suite(.timeLimit(.minutes(2))) struct BadNodeTests {
    /// What a node of regtest says to one call of `body`, where the server gives this answer.
    private func fault(
        milliseconds: Int64 = 20_000, _ answer: [UInt8]?,
        _ body: (UTXONode) throws(NodeError) -> Void
    ) throws -> NodeError? {
        let server = try AnsweringServer { _ in answer }
        defer { server.stop() }
        let endpoint = try #require(HTTPEndpoint("http://127.0.0.1:\(server.port)"))
        var settings = NodeSettings(endpoint: endpoint, loginFile: nil)
        settings.answerMilliseconds = milliseconds
        let network = try #require(UTXONetwork.named("litecoin-regtest"))
        let node = UTXONode(settings, network: network)
        do throws(NodeError) {
            try body(node)
            return nil
        } catch { return error }
    }

    @Test func `what is no JSON-RPC answer is refused`() throws {
        let answers: [[UInt8]] = [
            Array("garbage\r\n\r\n".utf8), [0, 1, 2, 3], reply(""), reply("{}"), reply("[]"),
            reply("null"), reply(#"{"result":1,"error":null,"id":2}"#),
            reply(#"{"result":1,"error":null,"id":1"#), reply(#"{"error":null,"id":1}"#),
            reply(#"{"result":1,"result":2,"error":null,"id":1}"#),
            reply(String(repeating: "[", count: 100_000)),
            reply(#"{"result":null,"error":{"code":1,"message":"\u001b[2J\n"},"id":1}"#),
            reply("moved", status: "301 Moved Permanently"), reply("busy", status: "503 Busy"),
            reply("no", status: "401 Unauthorized"),
            // It ends before what it announced.
            Array("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}".utf8),
        ]
        for answer in answers {
            let found = try fault(answer) { node throws(NodeError) in _ = try node.block(at: 1) }
            let said = try #require(found, "\(String(decoding: answer.prefix(60), as: UTF8.self))")
            #expect(said.description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        }
    }

    @Test func `a refusal is passed on, and only that of a height means that there is none`() throws
    {
        let error = #"{"result":null,"error":{"code":-28,"message":"Loading wallet"},"id":1}"#
        let found = try fault(reply(error, status: "500 Internal Server Error")) {
            node throws(NodeError) in _ = try node.block(at: 1)
        }
        #expect(
            found == .refused(method: "getblockhash", code: -28, message: "Loading wallet"))
        let range = #"{"result":null,"error":{"code":-8,"message":"out of range"},"id":1}"#
        let none = try fault(reply(range, status: "500 Internal Server Error")) {
            node throws(NodeError) in #expect(try node.block(at: 1) == nil)
        }
        #expect(none == nil)
    }

    @Test func `values beyond their ranges are no answer`() throws {
        for text in ["1", "\"\"", "\"\(hash)0\"", "\"zz\"", "{}", "null"] {
            let found = try fault(result(text)) {
                node throws(NodeError) in _ = try node.block(at: 1)
            }
            #expect(found != nil, "\(text)")
        }
        func block(_ output: String, height: String = "7", id: String = hash) -> [UInt8] {
            result(
                """
                {"hash":"\(id)","height":\(height),"previousblockhash":"\(hash)","tx":[\
                {"txid":"\(hash)","vin":[],"vout":[\(output)]}]}
                """)
        }
        let script = #""scriptPubKey":{"hex":"0014"}"#
        let good = #"{"value":0.00000001,"n":0,\#(script)}"#
        let other = String(repeating: "cd", count: 32)
        let answers: [([UInt8], Bool)] = [
            (block(good), true), (block(""), true),
            (block(good, height: "-1"), false), (block(good, height: "1e3"), false),
            (block(good, height: "99999999999999999999"), false), (block(good, id: other), false),
            (block(#"{"value":0.000000001,"n":0,\#(script)}"#), false),
            (block(#"{"value":-1,"n":0,\#(script)}"#), false),
            (block(#"{"value":1e-8,"n":0,\#(script)}"#), false),
            (block(#"{"value":"1","n":0,\#(script)}"#), false),
            (block(#"{"value":99999999999999999999,"n":0,\#(script)}"#), false),
            (block(#"{"value":1,"n":4294967296,\#(script)}"#), false),
            (block(#"{"value":1,"n":0,"scriptPubKey":{"hex":"001"}}"#), false),
            (block(#"{"value":1,"n":0}"#), false), (block("7"), false),
            (result(#"{"hash":"\#(hash)","height":7,"tx":{}}"#), false),
        ]
        let id = try #require(BlockID(hex: hash))
        for (answer, isTaken) in answers {
            let found = try fault(answer) { node throws(NodeError) in
                let block = try node.decodedBlock(id)
                #expect(block.height == 7)
            }
            #expect((found == nil) == isTaken, "\(String(decoding: answer, as: UTF8.self))")
        }
    }

    @Test func `a node that says nothing is given up in time`() throws {
        let found = try fault(milliseconds: 300, nil) { node throws(NodeError) in
            _ = try node.block(at: 1)
        }
        guard case .unreachable(let why) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(why.contains("no answer within 300 ms"))
    }

    @Test func `an answer without end is cut off`() throws {
        let body = String(repeating: " ", count: NodeClient.answerBytesMax + 1)
        let found = try fault(reply(body)) { node throws(NodeError) in _ = try node.block(at: 1) }
        guard case .unreachable(let why) = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        #expect(why.contains("more than \(NodeClient.answerBytesMax) bytes"))
    }
}
