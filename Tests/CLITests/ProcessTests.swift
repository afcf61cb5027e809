// Goal: boursectl as operators use it, against a real matchd: a change that it reports is in the
// log once, even when matchd is killed meanwhile; a refused one changes nothing and names a repair.

import Foundation
import Glibc
import Testing

/// A state directory with a matchd, and boursectl for it. It is removed with its last reference.
final class OperatedExchange {
    let state: String
    /// What holds it, and whatever else a test makes.
    let folder: String
    private var matchd: Process?

    /// The result of one run of boursectl.
    struct Answer {
        let status: Int32
        let out: String
        let err: String

        /// The object that it printed.
        func json() throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(out.utf8))
            return try #require(value as? [String: Any])
        }
    }

    /// A new exchange in a directory of its own.
    init() throws {
        folder = NSTemporaryDirectory() + "/bctl-\(UInt32.random(in: .min ... .max))"
        state = folder + "/state"
        #expect(try run("init", "--listen", "127.0.0.1:0").status == 0)
    }

    deinit {
        matchd?.terminate()
        matchd?.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The program of this name, beside the tests.
    fileprivate static func program(_ name: String) throws -> URL {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let url = URL(fileURLWithPath: tests).deletingLastPathComponent()
            .appendingPathComponent(name)
        try #require(
            FileManager.default.isExecutableFile(atPath: url.path),
            "\(url.path) is missing: build all products first")
        return url
    }

    /// Starts boursectl; `answer` waits for its result.
    private func launch(_ arguments: [String]) throws -> (Process, Pipe, Pipe) {
        let process = Process()
        let (out, err) = (Pipe(), Pipe())
        process.executableURL = try Self.program("boursectl")
        process.arguments = ["--state", state] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = out
        process.standardError = err
        try process.run()
        return (process, out, err)
    }

    private func answer(_ running: (process: Process, out: Pipe, err: Pipe)) -> Answer {
        let out = running.out.fileHandleForReading.readDataToEndOfFile()
        let err = running.err.fileHandleForReading.readDataToEndOfFile()
        running.process.waitUntilExit()
        return Answer(
            status: running.process.terminationStatus, out: String(decoding: out, as: UTF8.self),
            err: String(decoding: err, as: UTF8.self))
    }

    /// Runs boursectl.
    @discardableResult
    func run(_ arguments: String...) throws -> Answer { answer(try launch(arguments)) }

    /// Runs boursectl once for each, concurrently, and `meanwhile` beside them.
    func runTogether(
        _ all: [[String]], meanwhile: () throws -> Void = {}
    ) throws -> [Answer] {
        let running = try all.map { try launch($0) }
        try meanwhile()
        return running.map { answer($0) }
    }

    /// Starts matchd and waits until it answers.
    func start() throws {
        let process = Process()
        process.executableURL = try Self.program("bourse-matchd")
        process.arguments = ["--config", state + "/bourse.toml"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        matchd = process
        for _ in 0..<1_200 {
            if try run("status").status == 0 { return }
            try #require(process.isRunning, "matchd ended with \(process.terminationStatus)")
            usleep(50_000)
        }
        Issue.record("matchd does not answer")
    }

    /// Ends matchd by a signal and waits.
    func stop(_ signal: Int32 = SIGTERM) throws {
        let process = try #require(matchd)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        matchd = nil
    }

    /// The total balance of an account.
    func total(_ account: String, _ asset: String) throws -> String? {
        let shown = try run("account", "show", account, "--output", "json").json()
        let balances = try #require(shown["balances"] as? [[String: Any]])
        return balances.first { $0["asset"] as? String == asset }?["total"] as? String
    }
}

@Suite(.serialized) struct ProcessTests {
    @Test func `sets up the same directory and the same demo twice, and funds it once`() throws {
        let exchange = try OperatedExchange()
        #expect(try exchange.run("init").out.contains("nothing was changed"))
        try exchange.start()
        let first = try exchange.run("demo", "--output", "json")
        let second = try exchange.run("demo", "--output", "json")
        #expect(first.status == 0 && first.out == second.out)
        #expect(try exchange.total("demo1", "USDT") == "100000000.00000000")
        let keys = try exchange.run("journal", "dump", "--kind", "addAPIKey").out
        #expect(keys.split(separator: "\n").count == 2)
    }

    @Test func `ends with the status of the error`() throws {
        let exchange = try OperatedExchange()
        #expect(try exchange.run("status").status == 3)
        #expect(try exchange.run("asset", "list").status == 1)
        try exchange.start()
        #expect(try exchange.run("asset", "add", "BTC", "--scale", "8").status == 0)
        let other = try exchange.run("asset", "add", "BTC", "--scale", "9")
        #expect(other.status == 1 && other.err.contains("exists with another scale"))
        #expect(try exchange.run("asset", "add", "BTC", "--scale", "19").status == 64)
        #expect(try exchange.run("nonsense").status == 64)
        let unfunded = try exchange.run(
            "credit", "nobody", "BTC", "1", "--reference", "n", "--reason", "r")
        #expect(unfunded.status == 1 && unfunded.err.contains("boursectl account open nobody"))
        try "[matchd]\nnonsense = 1\n".write(
            toFile: exchange.state + "/bourse.toml", atomically: true, encoding: .utf8)
        #expect(try exchange.run("status").status == 78)
    }

    @Test func `a backup of a running exchange starts as another replica, with what was there`()
        throws
    {
        let exchange = try OperatedExchange()
        try exchange.start()
        #expect(try exchange.run("demo").status == 0)
        let released = try #require(
            try exchange.run("status", "--output", "json").json()["released"] as? Int)
        let backup = exchange.folder + "/backup"
        // Left by one that was interrupted, or of one that runs, or of somebody else.
        try FileManager.default.createDirectory(
            atPath: backup + ".partial", withIntermediateDirectories: false)
        try Data([1]).write(to: URL(fileURLWithPath: backup + ".partial/journal"))
        let interrupted = try exchange.run("backup", backup + "/")
        #expect(interrupted.status == 1 && interrupted.err.contains("rm -r \(backup).partial"))
        #expect(FileManager.default.fileExists(atPath: backup + ".partial/journal"))
        try FileManager.default.removeItem(atPath: backup + ".partial")
        // A disk that is not mounted is not made up for.
        let missing = try exchange.run("backup", exchange.folder + "/disk/today")
        #expect(missing.status == 1 && missing.err.contains("there is no \(exchange.folder)/disk"))
        // Nor does a copy lie in what it is a copy of, by whatever name.
        let link = exchange.folder + "/link"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: exchange.state + "/snapshots")
        for own in ["", "/journal", "/journal/.."].map({ exchange.state + $0 }) + [link] {
            let refused = try exchange.run("backup", own + "/today")
            #expect(refused.status == 1)
            #expect(refused.err.contains("a directory of the exchange's own"))
        }
        // The mark that says what is released comes a moment later.
        var last = 0
        for _ in 0..<1_000 where last < released {
            try? FileManager.default.removeItem(atPath: backup)
            last = try #require(
                try exchange.run("backup", backup + "/", "--output", "json").json()["last"] as? Int)
        }
        #expect(last >= released)
        #expect(!FileManager.default.fileExists(atPath: backup + ".partial"))
        let again = try exchange.run("backup", backup)
        #expect(again.status == 1 && again.err.contains("exists already"))
        #expect(try exchange.run("account", "open", "later").status == 0)
        try exchange.stop()
        func bytes(_ path: String) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: path))
        }
        #expect(try bytes(backup + "/replica") != bytes(exchange.state + "/replica"))
        for name in ["journal", "snapshots", "replica", "floor", "journal.id"] {
            try FileManager.default.removeItem(atPath: "\(exchange.state)/\(name)")
            try FileManager.default.moveItem(
                atPath: "\(backup)/\(name)", toPath: "\(exchange.state)/\(name)")
        }
        try exchange.start()
        #expect(try exchange.total("demo1", "USDT") == "100000000.00000000")
        #expect(try exchange.run("account", "show", "later").status == 1)
        // A record that is damaged is not backed up.
        try exchange.stop(SIGKILL)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: exchange.state + "/journal")
                .first { $0.hasSuffix(".seg") })
        let segment = try FileHandle(
            forUpdating: URL(
                fileURLWithPath: "\(exchange.state)/journal/\(name)"))
        try segment.seek(toOffset: 4_200)
        let byte = try #require(try segment.read(upToCount: 1)?.first)
        try segment.seek(toOffset: 4_200)
        try segment.write(contentsOf: [byte ^ 1])
        let refused = try exchange.run("backup", backup + "-2")
        #expect(refused.status == 1)
        #expect(!FileManager.default.fileExists(atPath: backup + "-2"))
    }

    @Test func `a journal that is written to meanwhile is backed up, and not called damaged`()
        throws
    {
        let exchange = try OperatedExchange()
        try exchange.start()
        let load = Process()
        load.executableURL = try OperatedExchange.program("boursectl")
        load.arguments = [
            "bench", "durable", "--socket", exchange.state + "/run/match.sock", "--pairs", "0",
            "--rates", "none", "--seconds", "10", "--directory", exchange.state,
        ]
        load.standardOutput = FileHandle.nullDevice
        func released() throws -> Int {
            try #require(
                try exchange.run("status", "--output", "json").json()["released"] as? Int)
        }
        let before = try released()
        try load.run()
        // The bare disk is measured first.
        var isLoaded = false
        while !isLoaded, load.isRunning {
            usleep(50_000)
            isLoaded = try released() > before + 10_000
        }
        #expect(isLoaded)
        for count in 0..<12 where count == 0 || load.isRunning {
            let made = try exchange.run(
                "backup", exchange.folder + "/copy-\(count)", "--rate", "1000")
            #expect(made.status == 0, "\(made.err)")
        }
        load.waitUntilExit()
    }

    @Test func `keeps an API secret out of the journal`() throws {
        let exchange = try OperatedExchange()
        try exchange.start()
        try exchange.run("account", "open", "alice")
        let key = try exchange.run("key", "add", "alice", "--output", "json").json()
        let secret = try #require(key["secret"] as? String)
        try exchange.stop()
        let journal = URL(fileURLWithPath: exchange.state + "/journal")
        let files = try FileManager.default.contentsOfDirectory(
            at: journal, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            #expect(try Data(contentsOf: file).range(of: Data(secret.utf8)) == nil)
        }
    }

    @Test func `takes the public half of a customer's Ed25519 key`() throws {
        let exchange = try OperatedExchange()
        try exchange.start()
        try exchange.run("account", "open", "alice")
        let file = exchange.state + "/public.pem"
        try """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----
        """.write(toFile: file, atomically: true, encoding: .utf8)
        let made = try exchange.run(
            "key", "add", "alice", "--public-key", file, "--output", "json"
        ).json()
        #expect(made["algorithm"] as? String == "ed25519" && made["secret"] is NSNull)
        #expect((made["keyID"] as? String)?.count == 64)
        let named = try exchange.run(
            "key", "add", "alice", "--public-key", file, "--key-id", "k_1-a")
        #expect(named.status == 0 && !named.out.contains("Keep the secret"))
        let keys = try exchange.run("key", "list").out
        #expect(keys.components(separatedBy: "ed25519").count == 3, "\(keys)")

        let wrong = try exchange.run(
            "key", "add", "alice", "--public-key", exchange.state + "/bourse.toml")
        #expect(wrong.status == 64 && wrong.err.contains("openssl pkey"))
        let both = try exchange.run(
            "key", "add", "alice", "--public-key", file, "--key-id", "k", "--secret-file", file)
        #expect(both.status == 64 && both.err.contains("--public-key for Ed25519"))
    }

    @Test func `explains an amount that is negative or zero`() throws {
        let exchange = try OperatedExchange()
        for command in ["credit", "debit"] {
            for arguments in [["-1_000.5"], ["--", "-1_000.5"]] {
                let all =
                    [command, "alice", "USD", "--reference", "a", "--reason", "r"] + arguments
                let answer = try #require(try exchange.runTogether([all]).first)
                #expect(answer.status == 64 && answer.err.contains("is negative"))
                #expect(answer.err.contains("use the other one, with 1"), "\(answer.err)")
            }
        }
        let zero = try exchange.run(
            "credit", "alice", "USD", "0", "--reference", "z", "--reason", "r")
        #expect(zero.status == 64 && zero.err.contains("the amount is zero"))
        // The value of an option is not an amount, and other errors keep their messages.
        let reason = try exchange.run(
            "credit", "alice", "USD", "1", "--reference", "m", "--reason", "-5")
        #expect(reason.status == 64 && !reason.err.contains("is negative"))
        let option = try exchange.run(
            "credit", "alice", "USD", "1", "--reference", "o", "--reasons", "r")
        #expect(option.status == 64 && option.err.contains("--reason <text>"))
    }

    @Test func `credits exactly once while matchd is killed`() throws {
        let exchange = try OperatedExchange()
        try exchange.start()
        try exchange.run("asset", "add", "USD", "--scale", "2")
        try exchange.run("account", "open", "alice")
        var done = 0
        // On a busy machine the first credits may all arrive while matchd is down, and fail.
        for round in 0..<40 where round < 4 || done == 0 {
            let credits = (0..<5).map {
                [
                    "credit", "alice", "USD", "1", "--reference", "\(round)/\($0)", "--reason", "r",
                ]
            }
            // All as one operator: each replaces the session of the others, and none may be lost.
            let answers = try exchange.runTogether(credits) {
                usleep(UInt32.random(in: 0...100_000))
                try exchange.stop(SIGKILL)
                try exchange.start()
            }
            for (credit, answer) in zip(credits, answers) {
                var isDone = answer.status == 0
                // On a slow machine the time for one may end while matchd starts: then its
                // reference shows what became of it.
                if answer.err.contains("it is unknown whether the command is in the log") {
                    let again = try exchange.runTogether([credit])[0]
                    #expect(again.status == 0 || again.err.contains("this reference is in the"))
                    isDone = true
                }
                done += isDone ? 1 : 0
            }
        }
        #expect(done > 0)
        #expect(try exchange.total("alice", "USD") == "\(done).00")
        try exchange.stop()
        #expect(try exchange.run("journal", "verify").status == 0)
        let rehearsed = try exchange.run("journal", "rehearse", "--output", "json").json()
        #expect(rehearsed["ok"] as? Bool == true)
    }

    @Test func `voids only a record at which two starts died`() throws {
        let exchange = try OperatedExchange()
        try exchange.start()
        try exchange.run("asset", "add", "USD", "--scale", "2")
        try exchange.run("account", "open", "alice")
        let credit = try exchange.run(
            "credit", "alice", "USD", "5", "--reference", "s", "--reason", "stops it", "--output",
            "json")
        let sequence = try "\(#require(credit.json()["sequence"] as? Int))"
        let void = ["void", sequence, "--reason", "r", "--confirm", sequence]
        #expect(try exchange.runTogether([void])[0].err.contains("is locked by process"))
        try exchange.stop(SIGKILL)
        #expect(try exchange.runTogether([void])[0].err.contains("no two starts of matchd died"))
        var mark = Data("BOURSEM1".utf8)
        for _ in 0..<2 {
            let number = try #require(UInt64(sequence))
            mark.append(contentsOf: (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
        }
        try mark.write(to: URL(fileURLWithPath: exchange.state + "/recovery.mark"))
        #expect(try exchange.runTogether([void])[0].status == 0)
        try exchange.start()
        #expect(try exchange.total("alice", "USD") == nil)
        #expect(try exchange.run("journal", "rehearse").out.contains("voided"))
    }
}
