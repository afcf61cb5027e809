// bench durable: the durable path on this machine's disk.

import ArgumentParser
import Checks
import Glibc
import Link
import Platform

/// Starts a matchd on a directory of its own, loads it over the Link from other processes, and
/// compares it with the bare disk and a bare socket.
struct BenchDurableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable",
        abstract: "Measures acknowledged commands with a real disk, through a real matchd.",
        discussion: """
            Every acknowledged command is on disk. The bare disk and a bare socket are measured \
            first, then matchd: in pairs with the bare disk, at full load, and at fixed rates. \
            Half of the commands place orders, half cancel them. Latency counts from when a \
            command was due until its acknowledgement is read.

            matchd is compared with the bare disk, measured in turn with it in many short pairs: a \
            loop that only writes 4 KiB and syncs them, read as an open loop. Of commands that \
            arrive at the same rate, each waits until the first sync that began after its arrival \
            has ended, so that a stall counts for every command it would have delayed. The targets \
            are a p50 within that of the bare disk plus 0.1 ms, and a p99 within twice that of the \
            bare disk plus 0.5 ms. At the end it shows where the time of an acknowledgement went.

            EXAMPLE
              boursectl bench durable --seconds 5 --rates 1000,100000 --pairs 20
            """)

    @Option(help: "Seconds of each measurement except the pairs, 1 to 600.")
    var seconds = 5
    @Option(help: "Rates to measure latency at, in commands per second, comma-separated; or none.")
    var rates = "1000,100000"
    @Option(help: "Pairs of bare disk and matchd, 0 to 1000.")
    var pairs = 10
    @Option(help: "Seconds of each half of a pair, 1 to 10.")
    var pairSeconds = 3
    @Option(help: "Commands per second in the pairs, 1 to 50000.")
    var pairRate = 10_000
    @Option(help: "Load processes, 1 to 32.")
    var clients = 2
    @Option(help: "Maximum unacknowledged commands of a process at full load.")
    var window = 16_384
    @Option(help: "Directory on the disk to measure; a temporary one is made in it.")
    var directory = "/var/tmp"
    @Option(help: "What the engine thread does when idle: spin, yield or park.")
    var idle = "park"
    @Option(help: "The matchd to measure. Default: the one beside this program.")
    var matchd: String?
    // For the pair's benchmark: a matchd that runs, whose log the market and accounts go into.
    @Option(help: .hidden) var socket: String?
    @Flag(help: .hidden) var hasMarket = false
    @Option(help: .hidden) var loadSocket: String?
    @Option(help: .hidden) var loadTrace = ""
    @Option(help: .hidden) var loadIndex = 0
    @Option(help: .hidden) var loadRate = 0

    mutating func validate() throws {
        guard (1...600).contains(seconds), (1...32).contains(clients),
            (512...1 << 17).contains(window), rateList != nil
        else {
            throw ValidationError(
                "seconds are 1 to 600, clients 1 to 32, window 512 to 131072, rates 1 to 1000000")
        }
        guard (0...1000).contains(pairs), (1...10).contains(pairSeconds),
            (1...50_000).contains(pairRate)
        else {
            throw ValidationError(
                "pairs are 0 to 1000, their seconds 1 to 10, their rate 1 to 50000")
        }
    }

    private var rateList: [Int]? {
        let parts = rates == "none" ? [] : rates.split(separator: ",").map { Int($0) }
        return parts.allSatisfy { $0 != nil && (1...1_000_000).contains($0!) }
            ? parts.compactMap { $0 } : nil
    }

    mutating func run() throws {
        if let loadSocket {
            let load = DurableLoad(
                socket: loadSocket, trace: loadTrace, index: loadIndex, seconds: seconds,
                rate: loadRate, window: window)
            try load.run()
            return
        }
        let place = try BenchDirectory(directory)
        defer { place.remove() }
        let disk = try BareDisk(place.path)
        let socket = try BareSocket.measure(seconds: 1)
        Self.row("4 KiB write + fdatasync, bare disk", try disk.measure(seconds: 2).syncs)
        Self.row("Unix socket there and back, bare", socket)

        let server =
            try self.socket.map { BenchServer(running: $0) }
            ?? BenchServer(place, matchd: matchd, idle: idle)
        defer { server.stop() }
        if !hasMarket { try server.prepare(accounts: clients) }
        if pairs > 0 { try runPairs(disk, server) }
        let full = try load(server, rate: 0, seconds)
        let perSecond = Int64(full.acked) * 1_000_000_000 / max(1, full.nanos)
        print("full load, \(clients) processes: \(perSecond) acknowledged commands/s")
        Self.warn(full)
        for rate in rateList ?? [] {
            let result = try load(server, rate: rate, seconds)
            Self.row("\(rate)/s, until acknowledged", result.latency)
            Self.warn(result)
        }
        let status = try server.status()
        print(
            "group commits \(status.syncs), the last ones p50 \(status.syncP50 / 1000) us, "
                + "p99 \(status.syncP99 / 1000) us; journal at record \(status.durable)")
    }

    /// Runs the pairs and prints their results.
    private func runPairs(_ disk: BareDisk, _ server: BenchServer) throws {
        print("\n\(pairRate)/s beside the bare disk as an open loop, pairs of \(pairSeconds) s, ms")
        print(DurablePair.heading)
        var found: [DurablePair] = []
        var total = DurableResult()
        for index in 0..<pairs {
            var bare = LatencyHistogram()
            var ours = DurableResult()
            let before = Self.processors()
            func measureBare() throws {
                bare = try disk.measure(seconds: Int64(pairSeconds), rate: Int64(pairRate)).open
            }
            // In alternating order, so that neither profits from what the other leaves behind.
            if index % 2 == 0 { try measureBare() }
            ours = try load(server, rate: pairRate, pairSeconds)
            if index % 2 == 1 { try measureBare() }
            let pair = DurablePair(
                bare: bare, ours: ours.latency, idle: Self.idlePercent(since: before))
            print(pair.row("\(index + 1)"))
            found.append(pair)
            total.merge(ours)
        }
        print(DurablePair.medians(found))
        Self.warn(total)
        print(
            total.stages.table("\nwhere an acknowledgement's time went, \(pairRate)/s, us"),
            terminator: "\n\n")
    }

    /// The times of all processors together; nil where they cannot be read.
    private static func processors() -> CPUTimes? {
        let text = (try? File.text(of: CPUTimes.path, bytesMax: 2 << 20)) ?? nil
        return text.flatMap { CPUTimes(ofAll: $0) }
    }

    /// The idle share of their time since, percent; 0 where it is not known.
    private static func idlePercent(since before: CPUTimes?) -> Int {
        guard let before, let now = processors() else { return 0 }
        return Int((now.idle - before.idle) * 100 / max(1, now.total - before.total))
    }

    /// Runs the load processes and merges their results.
    private func load(_ server: BenchServer, rate: Int, _ seconds: Int) throws -> DurableResult {
        // Below this rate a second process would only add its own wake-ups.
        let processes = rate == 0 ? clients : rate < 100_000 ? 1 : clients
        var children: [ChildProcess] = []
        for index in 0..<processes {
            children.append(
                try ChildProcess(
                    "/proc/self/exe",
                    [
                        "bench", "durable", "--load-socket", server.socket, "--load-trace",
                        server.trace, "--load-index", "\(index)", "--load-rate",
                        "\(rate / processes)", "--seconds", "\(seconds)", "--window", "\(window)",
                    ]))
        }
        var total = DurableResult()
        for child in children {
            let text = child.output()
            guard let one = DurableResult(text: text) else {
                throw CommandError(
                    "a load process failed: \(text)", repair: "see its message above, and retry")
            }
            total.merge(one)
        }
        return total
    }

    private static func row(_ name: String, _ latency: LatencyHistogram) {
        let parts = [(500, "p50"), (990, "p99"), (999, "p99.9")].map { permille, title in
            "\(title) " + Padding.right(micros(latency.percentile(perMille: permille)), 8)
        }
        let gap = String(repeating: " ", count: max(1, 38 - name.count))
        print(name + gap + parts.joined(separator: "   ") + " us")
    }

    private static func warn(_ result: DurableResult) {
        if result.refused > 0 { print("  of them refused: \(result.refused)") }
    }

    static func micros(_ nanos: UInt64) -> String { "\(nanos / 1000).\(nanos % 1000 / 100)" }
}

/// Text of a fixed width.
enum Padding {
    static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
