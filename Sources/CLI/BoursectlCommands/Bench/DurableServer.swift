// The matchd that `bench durable` measures: its directory, its process, its accounts.

import Configuration
import Glibc
import Journal
import Link
import Platform
import Terms
import Wire

/// A directory on the disk and one in memory, removed after the measurement.
struct BenchDirectory {
    let path: String
    /// The runtime directory: in memory, as that of an installed matchd.
    let runtime: String

    init(_ parent: String) throws {
        path = Directory.join(parent, "bourse-bench-\(getpid())")
        try Directory.create(path)
        let memory = "/dev/shm"
        runtime =
            Directory.isDirectory(memory)
            ? Directory.join(memory, "bourse-bench-\(getpid())") : Directory.join(path, "run")
        try Directory.create(runtime)
    }

    /// Removes them with their contents.
    func remove() {
        Self.remove(path)
        Self.remove(runtime)
    }

    private static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let entry = Directory.join(path, name)
            if Directory.isDirectory(entry) { remove(entry) } else { try? Directory.remove(entry) }
        }
        unsafe rmdir(path)
    }
}

/// A child process and its output.
final class ChildProcess {
    let id: pid_t
    private let descriptor: Int32

    init(_ program: String, _ arguments: [String]) throws {
        var ends: (Int32, Int32) = (-1, -1)
        let made = unsafe withUnsafeMutableBytes(of: &ends) {
            unsafe pipe($0.bindMemory(to: Int32.self).baseAddress!)
        }
        guard made == 0 else { throw SystemError.last("make a pipe") }
        _ = fcntl(ends.0, F_SETFD, FD_CLOEXEC)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends.1, STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addclose(&actions, ends.1)
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map {
            unsafe strdup($0)
        }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let failed = unsafe posix_spawn(&child, program, &actions, nil, words, environ)
        close(ends.1)
        guard failed == 0 else {
            close(ends.0)
            throw SystemError(code: failed, operation: "start", path: program)
        }
        id = child
        descriptor = ends.0
    }

    /// Its output, once it has ended.
    func output() -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = retryingInterrupts { unsafe read(descriptor, &buffer, buffer.count) }
            guard got > 0 else { break }
            bytes.append(contentsOf: buffer[0..<got])
        }
        wait()
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Waits until it has ended.
    func wait() {
        var status: Int32 = 0
        _ = retryingInterrupts { unsafe waitpid(id, &status, 0) }
        close(descriptor)
    }
}

/// A matchd with a state of its own.
final class BenchServer {
    let socket: String
    /// The file with the samples of where commands spend their time.
    let trace: String
    private let process: ChildProcess?

    /// One that runs already; it is not stopped.
    init(running socket: String) { (self.socket, trace, process) = (socket, "", nil) }

    /// Starts it, and waits until it listens.
    init(_ place: BenchDirectory, matchd: String?, idle: String) throws {
        let program = try matchd ?? Self.beside()
        let configuration = Directory.join(place.path, "bourse.toml")
        let text = """
            [limits]
            accounts = 1000
            open_orders = 200000
            [matchd]
            socket = "\(Directory.join(place.runtime, "match.sock"))"
            idle = "\(idle)"
            """
        try File(configuration, .create).write(Array(text.utf8))
        let settings = try Settings.load(path: configuration)
        for directory in [settings.journalDirectory, settings.snapshotsDirectory] {
            try Directory.create(directory)
        }
        _ = try Journal.begin(
            JournalPlace(settings), limits: settings.limits,
            snapshots: SnapshotStore(directory: settings.snapshotsDirectory),
            options: JournalOptions(segmentBytes: settings.matchd.segmentBytes))
        socket = settings.matchd.socket
        trace = Directory.join(place.runtime, "trace")
        let process = try ChildProcess(program, ["--config", configuration, "--trace", trace])
        self.process = process
        // Else the preparation of segments would be measured.
        let ready = ["ready-a", "ready-b"].map { Directory.join(settings.journalDirectory, $0) }
        for _ in 0..<500 {
            if (try? status()) != nil, ready.allSatisfy(Directory.exists) { return }
            Clock.sleep(nanos: 20_000_000)
        }
        kill(process.id, SIGKILL)
        throw CommandError("\(program) did not answer within 10 s", repair: "see its messages")
    }

    /// The matchd in this program's directory.
    private static func beside() throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(
            decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = Directory.join(Directory.parent(of: own) ?? ".", "bourse-matchd")
        guard Directory.exists(path) else {
            throw CommandError("there is no \(path)", repair: "give the program with --matchd")
        }
        return path
    }

    func status() throws(LinkError) -> LinkStatus {
        guard let name = Text40("bench") else { preconditionFailure("a short name") }
        return try LinkClient.connect(unix: socket, name: name).status()
    }

    /// Makes a market and funded accounts.
    func prepare(accounts: Int) throws {
        guard let name = Text40("bench/setup"), let base = Text16("BASE"),
            let quote = Text16("QUOTE"), let symbol = Text16("BASEQUOTE")
        else { preconditionFailure("short texts") }
        let audit = Audit(operatorName: name, reason: "benchmark")
        let client = try LinkClient.connect(unix: socket, name: name)
        let session = SessionID(UInt32(truncatingIfNeeded: try client.openSession(name).id))
        var number: UInt64 = 0
        func submit(_ command: some CommandPayload) throws {
            number += 1
            let ack = try client.execute(command, session: session, number: number)
            guard ack.refusal == .none else {
                throw CommandError("setting up the market was refused: \(ack.refusal)")
            }
        }
        try submit(SetAsset(code: base, scale: 8, audit: audit))
        try submit(SetAsset(code: quote, scale: 8, audit: audit))
        try submit(
            SetInstrument(
                symbol: symbol, base: AssetID(1), quote: AssetID(2), tickMantissa: 1, tickScale: 2,
                lotUnits: 1000, priceMax: Price(ticks: 1 << 32),
                quantityMax: Quantity(lots: 1 << 40), audit: audit))
        for index in 0..<accounts {
            guard let owner = Text40("bench\(index)") else { preconditionFailure("a short name") }
            try submit(OpenAccount(name: owner, audit: audit))
            for asset in [AssetID(1), AssetID(2)] {
                try submit(
                    AdjustBalance(
                        account: AccountID(UInt32(index + 1)), asset: asset,
                        amount: Amount(units: 1 << 80),
                        reference: Text64("bench \(index) \(asset.number)") ?? Text64(),
                        audit: audit))
            }
        }
    }

    /// Stops it.
    func stop() {
        guard let process else { return }
        kill(process.id, SIGTERM)
        process.wait()
    }
}
