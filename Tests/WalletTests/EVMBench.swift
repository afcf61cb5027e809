// An EVM node of the tests' own, a chain in memory with real contracts, which tests mine on and
// reorganise.

import Addresses
import EVM
import Glibc
import JSON
import Nodes
import Platform
import Requests
import Terms

struct EVMBenchError: Error, CustomStringConvertible {
    let description: String
}

/// One node, which runs until the bench goes.
final class EVMBench {
    private static let python = ".venv-test-evm/bin/python"
    let port: Int
    private var process: pid_t = 0
    private let client: NodeClient
    private let settings: NodeSettings

    /// Starts a node, and waits until it answers.
    init() throws {
        guard unsafe access(Self.python, X_OK) == 0 else {
            throw EVMBenchError(
                description: "\(Self.python) is missing: `make prerequisites-test` installs it")
        }
        let (end, port) = try listeningSocket()
        _ = close(end)
        guard let endpoint = HTTPEndpoint("http://127.0.0.1:\(port)") else {
            throw EVMBenchError(description: "no endpoint")
        }
        self.port = port
        settings = NodeSettings(endpoint: endpoint, loginFile: nil)
        client = NodeClient(settings, version: .version2)
        // It ends with this process.
        let words = [
            "/usr/bin/setpriv", "--pdeathsig", "KILL", Self.python, "Tests/tools/evm.py", "--port",
            String(port),
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe []
        for word in words { unsafe arguments.append(unsafe strdup(word)) }
        unsafe arguments.append(nil)
        defer { unsafe arguments.forEach { unsafe free($0) } }
        let failed = unsafe posix_spawn(&process, words[0], nil, nil, &arguments, environ)
        guard failed == 0 else {
            throw EVMBenchError(description: "cannot run \(words[0]): error \(failed)")
        }
        let deadline = Clock.monotonicNanos() + 120_000_000_000
        while (try? call("eth_chainId")) == nil {
            guard Clock.monotonicNanos() < deadline else {
                throw EVMBenchError(description: "Tests/tools/evm.py does not answer")
            }
            Clock.sleep(nanos: 50_000_000)
        }
    }

    deinit {
        guard process > 0 else { return }
        _ = Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        unsafe waitpid(process, &status, 0)
    }

    func node(_ name: String = "ethereum-regtest") throws -> EVMNode {
        guard let network = EVMNetwork.named(name) else {
            throw EVMBenchError(description: "no network \(name)")
        }
        return EVMNode(settings, network: network)
    }

    // MARK: What it is asked

    @discardableResult
    func call(_ method: String, _ parameters: JSONValue...) throws -> JSONValue {
        switch parameters.count {
        case 0: try client.call(method, isQuick: false)
        case 1: try client.call(method, parameters[0], isQuick: false)
        case 2: try client.call(method, parameters[0], parameters[1], isQuick: false)
        case 3:
            try client.call(method, parameters[0], parameters[1], parameters[2], isQuick: false)
        default:
            try client.call(
                method, parameters[0], parameters[1], parameters[2], parameters[3], isQuick: false)
        }
    }

    private func text(_ value: JSONValue) throws -> String {
        guard let text = value.text else {
            throw EVMBenchError(description: "no text: \(value.compact)")
        }
        return text
    }

    private func transaction(_ value: JSONValue) throws -> TransactionID {
        guard let id = TransactionID(hex: try text(value).dropFirst(2)) else {
            throw EVMBenchError(description: "no transaction: \(value.compact)")
        }
        return id
    }

    /// Mines blocks, the first with all that is pending; gives the last.
    @discardableResult
    func mine(_ count: Int = 1) throws -> BlockID {
        guard let last = try call("evm_mine", .number(count)).texts?.last,
            let block = BlockID(hex: last.dropFirst(2))
        else { throw EVMBenchError(description: "no block") }
        return block
    }

    /// Sends native coin from the node's first account.
    @discardableResult
    func pay(_ address: EVMAddress, _ units: EVMWord) throws -> TransactionID {
        try transaction(
            call(
                "eth_sendTransaction",
                ["to": .string(EVMHex.text(address.bytes)), "value": .string(EVMHex.text(units))]))
    }

    /// Deploys a contract of Tests/tools/contracts.
    func deploy(_ name: String) throws -> EVMAddress {
        guard let address = EVMAddress(try text(call("test_deploy", .string(name)))) else {
            throw EVMBenchError(description: "no address of \(name)")
        }
        return address
    }

    /// Calls a contract's function from the node's first account: an address, if given, then
    /// amounts.
    @discardableResult
    func run(
        _ contract: EVMAddress, _ signature: String, _ address: EVMAddress? = nil,
        _ amounts: EVMWord..., value: EVMWord = .zero
    ) throws -> TransactionID {
        let words = (address.map { [EVMHex.text($0.bytes)] } ?? []) + amounts.map(EVMHex.text)
        return try transaction(
            call(
                "test_call", .string(EVMHex.text(contract.bytes)), .string(signature),
                .strings(words), .string(EVMHex.text(value))))
    }

    /// Broadcasts a signed transaction.
    @discardableResult
    func send(_ signed: SignedEVMTransaction) throws -> TransactionID {
        try transaction(call("eth_sendRawTransaction", .string(EVMHex.text(signed.bytes))))
    }
}
