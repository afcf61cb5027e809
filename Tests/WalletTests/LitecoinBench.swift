// A real Litecoin node of its own regtest chain, which tests mine on, reorganise, kill and start
// again.

import Addresses
import Glibc
import JSON
import Nodes
import Platform
import Requests
import Secrets
import Terms

struct LitecoinBenchError: Error, CustomStringConvertible {
    let description: String
}

/// One node, which runs until the bench goes. Its wallet mines and pays.
final class LitecoinBench {
    private static let root = ".build/litecoin"
    let folder: String
    let port: Int
    private var process: pid_t = 0

    /// Starts a node with 101 blocks, so that its wallet has something to pay with.
    init() throws {
        let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/bourse-litecoin-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else {
            throw LitecoinBenchError(description: "cannot make a folder in \(base)")
        }
        folder = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let (end, port) = try listeningSocket()
        _ = close(end)
        self.port = port
        try start()
        _ = try call("createwallet", .string("miner"))
        try mine(101)
    }

    deinit {
        kill()
        _ = try? Program.run("/bin/rm", ["-rf", folder], secondsMax: 60)
    }

    // MARK: The process

    /// Starts the node, and waits until it answers.
    func start() throws {
        let library = "\(Self.root)/usr/lib/x86_64-linux-gnu"
        let program = "\(Self.root)/usr/lib/litecoin/litecoind"
        guard unsafe access(program, X_OK) == 0 else {
            throw LitecoinBenchError(
                description: "litecoind is missing: `make prerequisites-test` unpacks it")
        }
        // The loader of its own root; and it ends with this process.
        let words = [
            "/usr/bin/setpriv", "--pdeathsig", "KILL", "\(library)/ld-linux-x86-64.so.2",
            "--library-path", library, program, "-regtest", "-datadir=\(folder)",
            "-rpcport=\(port)", "-listen=0", "-fallbackfee=0.0001", "-printtoconsole=0",
            "-wallet=miner",
        ]
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe []
        for word in words { unsafe arguments.append(unsafe strdup(word)) }
        unsafe arguments.append(nil)
        defer { unsafe arguments.forEach { unsafe free($0) } }
        let failed = unsafe posix_spawn(&process, words[0], nil, nil, &arguments, environ)
        guard failed == 0 else {
            throw LitecoinBenchError(description: "cannot run \(words[0]): error \(failed)")
        }
        let deadline = Clock.monotonicNanos() + 120_000_000_000
        while (try? call("getblockcount")) == nil {
            guard Clock.monotonicNanos() < deadline else {
                throw LitecoinBenchError(description: "litecoind does not answer: see \(folder)")
            }
            Clock.sleep(nanos: 50_000_000)
        }
    }

    /// Ends it as a power cut would.
    func kill() {
        guard process > 0 else { return }
        _ = Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        unsafe waitpid(process, &status, 0)
        process = 0
    }

    // MARK: What it is asked

    /// How the wallet reaches it. The cookie is another one after each start.
    var settings: NodeSettings {
        get throws {
            guard let endpoint = HTTPEndpoint("http://127.0.0.1:\(port)") else {
                throw LitecoinBenchError(description: "no endpoint")
            }
            return NodeSettings(endpoint: endpoint, loginFile: "\(folder)/regtest/.cookie")
        }
    }

    func node(_ name: String = "litecoin-regtest") throws -> UTXONode {
        guard let network = UTXONetwork.named(name) else {
            throw LitecoinBenchError(description: "no network \(name)")
        }
        return UTXONode(try settings, network: network)
    }

    @discardableResult
    func call(_ method: String, _ parameters: JSONValue...) throws -> JSONValue {
        let client = NodeClient(try settings)
        return switch parameters.count {
        case 0: try client.call(method, isQuick: false)
        case 1: try client.call(method, parameters[0], isQuick: false)
        default: try client.call(method, parameters[0], parameters[1], isQuick: false)
        }
    }

    private func text(_ value: JSONValue) throws -> String {
        guard let text = value.text else {
            throw LitecoinBenchError(description: "no text: \(value.compact)")
        }
        return text
    }

    /// Mines blocks; gives their hashes.
    @discardableResult
    func mine(_ count: Int) throws -> [String] {
        let address = try text(call("getnewaddress"))
        return try call("generatetoaddress", .number(count), .string(address)).texts ?? []
    }

    /// Pays coins, as `1.5`; gives the transaction.
    @discardableResult
    func pay(_ address: String, _ coins: String) throws -> String {
        try text(call("sendtoaddress", .string(address), .numeral(coins)))
    }
}
