// bench durable: what the durable path takes on this machine's disk.

import ArgumentParser
import Glibc
import Link
import Platform
import Terms
import Wire

/// Starts a matchd on a directory of its own, loads it over the Link from other processes, and
/// prints what it acknowledged beside what the bare disk and a bare socket take.
struct DurableBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable",
        abstract: "Measures acknowledged commands with a real disk, through a real matchd.",
        discussion: """
            Every acknowledged command is on disk. First the bare disk and a bare socket are \
            measured, then matchd as fast as it goes, then at fixed rates. Latency is from writing \
            a command to its socket until its acknowledgement is read. Orders are placed and \
            cancelled in turn, half each.

            EXAMPLE
              boursectl bench durable --seconds 5 --rates 1000,10000,100000
            """)

    @Option(help: "Seconds of each measurement, 1 to 600.")
    var seconds = 5
    @Option(help: "Commands a second to measure latency at, with commas between.")
    var rates = "1000,10000,100000"
    @Option(help: "Processes that load it, 1 to 32.")
    var clients = 2
    @Option(help: "Most commands a process has on the way at full load.")
    var window = 16_384
    @Option(help: "Directory on the disk that is measured; a temporary one is made in it.")
    var directory = "/var/tmp"
    @Option(help: "What the engine thread does when idle: spin, yield or park.")
    var idle = "park"
    @Option(help: "The matchd to measure; the one beside this program where it is not given.")
    var matchd: String?
    @Option(help: .hidden) var loadSocket: String?
    @Option(help: .hidden) var loadIndex = 0
    @Option(help: .hidden) var loadRate = 0

    mutating func validate() throws {
        guard (1...600).contains(seconds), (1...32).contains(clients),
            (512...1 << 17).contains(window), rateList != nil
        else {
            throw ValidationError(
                "seconds are 1 to 600, clients 1 to 32, window 512 to 131072, rates 1 to 1000000")
        }
    }

    private var rateList: [Int]? {
        let parts = rates.split(separator: ",").map { Int($0) }
        return parts.allSatisfy { $0 != nil && (1...1_000_000).contains($0!) }
            ? parts.compactMap { $0 } : nil
    }

    mutating func run() throws {
        if let loadSocket {
            let load = DurableLoad(
                socket: loadSocket, index: loadIndex, seconds: seconds, rate: loadRate,
                window: window)
            try load.run()
            return
        }
        let place = try BenchDirectory(directory)
        defer { place.remove() }
        let disk = try BareDisk.measure(place.path, seconds: 2)
        let socket = try BareSocket.measure(seconds: 1)
        Self.row("4 KiB write + fdatasync, bare disk", disk)
        Self.row("Unix socket there and back, bare", socket)

        let server = try BenchServer(place, matchd: matchd, idle: idle)
        defer { server.stop() }
        try server.prepare(accounts: clients)
        let full = try load(server, rate: 0)
        let perSecond = Int64(full.acked) * 1_000_000_000 / max(1, full.nanos)
        print("full load, \(clients) processes: \(perSecond) acknowledged commands/s")
        Self.warn(full)
        for rate in rateList ?? [] {
            let result = try load(server, rate: rate)
            Self.row("\(rate)/s, until acknowledged", result.latency)
            Self.warn(result)
        }
        let status = try server.status()
        print(
            "group commits \(status.syncs), the last ones p50 \(status.syncP50 / 1000) us, "
                + "p99 \(status.syncP99 / 1000) us; journal at record \(status.durable)")
    }

    /// Runs the load processes, and adds up what they measured.
    private func load(_ server: BenchServer, rate: Int) throws -> DurableResult {
        // Below this a second process would only add its own waking up.
        let processes = rate == 0 ? clients : rate < 100_000 ? 1 : clients
        var children: [ChildProcess] = []
        for index in 0..<processes {
            children.append(
                try ChildProcess(
                    "/proc/self/exe",
                    [
                        "bench", "durable", "--load-socket", server.socket, "--load-index",
                        "\(index)", "--load-rate", "\(rate / processes)", "--seconds",
                        "\(seconds)", "--window", "\(window)",
                    ]))
        }
        var total = DurableResult()
        for child in children {
            let text = child.output()
            guard let line = text.split(separator: "\n").last, let one = DurableResult(line: line)
            else {
                throw Failure(
                    "a load process failed: \(text)", repair: "see its message above; try again")
            }
            total.merge(one)
        }
        return total
    }

    private static func row(_ name: String, _ latency: LatencyHistogram) {
        let parts = [(500, "p50"), (990, "p99"), (999, "p99.9")].map { permille, title in
            "\(title) \(micros(latency.nanos(permille: UInt64(permille))))"
        }
        let gap = String(repeating: " ", count: max(1, 38 - name.count))
        print(name + gap + parts.joined(separator: "   ") + " us")
    }

    private static func warn(_ result: DurableResult) {
        if result.refused > 0 { print("  of them refused: \(result.refused)") }
    }

    private static func micros(_ nanos: UInt64) -> String {
        let text = "\(nanos / 1000).\(nanos % 1000 / 100)"
        return String(repeating: " ", count: max(0, 8 - text.count)) + text
    }
}

/// What one 4 KiB write with fdatasync takes, in a file whose space is there.
private enum BareDisk {
    static func measure(_ directory: String, seconds: Int64) throws -> LatencyHistogram {
        let path = Directory.join(directory, "bare")
        let file = try File(path, .create)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for part in 0..<16 { try file.write(zeros, at: part << 20) }
        try file.sync()
        var latency = LatencyHistogram()
        let page = [UInt8](repeating: 1, count: 4096)
        let end = Clock.monotonicNanos() + seconds * 1_000_000_000
        var offset = 0
        while Clock.monotonicNanos() < end {
            let began = Clock.monotonicNanos()
            try file.write(page, at: offset)
            try file.syncData()
            latency.record(Clock.monotonicNanos() - began)
            offset = (offset + 4096) % (16 << 20)
        }
        try Directory.remove(path)
        return latency
    }
}

/// What a message to another thread and back takes, over a Unix socket.
private enum BareSocket {
    static func measure(seconds: Int64) throws -> LatencyHistogram {
        var ends: (Int32, Int32) = (-1, -1)
        let made = unsafe withUnsafeMutableBytes(of: &ends) {
            unsafe socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue), 0,
                $0.bindMemory(to: Int32.self).baseAddress!)
        }
        guard made == 0 else { throw SystemError.last("make a pair of sockets") }
        let (near, far) = ends
        let echo = try PinnedThread.start(name: "echo") {
            var byte: UInt8 = 0
            while unsafe read(far, &byte, 1) == 1 { _ = unsafe write(far, &byte, 1) }
        }
        var latency = LatencyHistogram()
        var byte: UInt8 = 7
        let end = Clock.monotonicNanos() + seconds * 1_000_000_000
        while Clock.monotonicNanos() < end {
            let began = Clock.monotonicNanos()
            guard unsafe write(near, &byte, 1) == 1, unsafe read(near, &byte, 1) == 1 else { break }
            latency.record(Clock.monotonicNanos() - began)
        }
        close(near)
        echo.join()
        close(far)
        return latency
    }
}
