// bench replay: the engine alone, on one thread.

import ArgumentParser
import Bench
import Engine
import Glibc
import Presentation

struct BenchReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replays order events from a file on the engine alone, on one thread.",
        discussion: """
            Prints events per second, percentiles of the time of one step, trades, the traded \
            quantity and a checksum over all trades that every engine gives for the same file. The \
            throughput is that of a run that reads no clock, by the CPU time of its thread, so \
            that neighbours do not count; the percentiles are those of a second run that reads the \
            cycle counter around each step. For comparison it prints the time of a dependent load \
            from memory over as many bytes as the book has.

            A record is 40 bytes, little-endian: u8 kind (0 limit, 1 IOC, 2 market, 3 cancel, 4 \
            replace), u8 side (0 buy, 1 sell), u16 symbol, u32 account, u64 order, i64 price in \
            ticks, i64 quantity in lots, u64 reserved.

            EXAMPLE: boursectl bench generate book.bin && boursectl bench replay book.bin
            """)

    @Argument(help: "The file of events.") var file: String
    @Option(help: "Number of instruments, at least those of the file.") var symbols: Int = 0
    @Option(help: "on: holds, settlement and fees as in trading; off: the bare book.")
    var ledger: LedgerChoice = .on
    @Option(help: "Throughput runs; the median is printed.") var runs: Int = 1
    @Option(help: "text or json.") var output: BenchOutput = .text

    enum LedgerChoice: String, ExpressibleByArgument, CaseIterable { case on, off }
    enum BenchOutput: String, ExpressibleByArgument, CaseIterable { case text, json }

    func validate() throws {
        guard (1...100).contains(runs) else { throw ValidationError("--runs takes 1 to 100") }
        guard (0...65_000).contains(symbols) else {
            throw ValidationError("--symbols takes at most 65000")
        }
    }

    func run() throws {
        let file = try ReplayFile(self.file)
        let symbols = max(file.symbols, self.symbols)
        var rates: [Double] = []
        var totals = ReplayTotals()
        for _ in 0..<runs {
            var replay = makeReplay(file, symbols)
            let start = benchNanos(CLOCK_THREAD_CPUTIME_ID)
            unsafe replay.run(file.events)
            let took = benchNanos(CLOCK_THREAD_CPUTIME_ID) - start
            rates.append(Double(file.count) * 1e3 / Double(took))
            totals = replay.totals
        }
        rates.sort()
        var steps = LatencyHistogram()
        var timed = makeReplay(file, symbols)
        let (startNanos, startCycles) = (benchNanos(), Replay.cycles())
        unsafe timed.run(file.events) { steps.record($0) }
        let nanos = Double(benchNanos() - startNanos)
        let perCycle = nanos / Double(Replay.cycles() - startCycles)
        let orders = timed.openOrderCount
        report(
            rate: rates[rates.count / 2], totals, steps, perCycle, orders: orders,
            book: timed.bookMemory)
    }

    /// Nanoseconds of one dependent load over `bytes`: the best of several walks.
    private func loadNanos(_ bytes: Int) -> Double {
        var memory = BareMemory(bytes: bytes)
        let steps = 1_000_000
        var least = UInt64.max
        for _ in 0..<5 {
            let start = benchNanos()
            let reached = memory.walk(steps)
            least = min(least, benchNanos() - start)
            precondition(Int(reached) * 64 < memory.bytes, "a walk stays in its memory")
        }
        return Double(least) / Double(steps)
    }

    private func makeReplay(_ file: ReplayFile, _ symbols: Int) -> Replay {
        Replay(
            symbols: symbols, accounts: file.accounts, openOrders: file.openOrders + 1,
            ledger: ledger == .on)
    }

    private func report(
        rate: Double, _ totals: ReplayTotals, _ steps: LatencyHistogram, _ perCycle: Double,
        orders: Int, book: Int
    ) {
        func nanos(_ perMille: Int) -> Int {
            Int(Double(steps.percentile(perMille: perMille)) * perCycle)
        }
        let checksum = "0x" + Readable.hex(totals.checksum)
        let perSecond = Int(rate * 1e6)
        let bytes = orders == 0 ? 0 : book / orders
        let load = loadNanos(book)
        let loadPicos = Int(load * 1e3)
        let loads = Int(1e3 / rate / load * 10)
        if output != .text {
            print(
                """
                {"events":\(totals.events),"eventsPerSecond":\(perSecond),"p50Nanos":\(nanos(500)),\
                "p99Nanos":\(nanos(990)),"p999Nanos":\(nanos(999)),"trades":\(totals.trades),\
                "tradedQuantity":\(totals.quantity),"tradeChecksum":"\(checksum)",\
                "openOrders":\(orders),"bytesPerOpenOrder":\(bytes),"ledger":"\(ledger.rawValue)",\
                "loadPicos":\(loadPicos),"loadBytes":\(book)}
                """)
            return
        }
        print(
            """
            events            \(totals.events)
            ledger            \(ledger.rawValue)
            events/s          \(perSecond)
            step p50          \(nanos(500)) ns
            step p99          \(nanos(990)) ns
            step p99.9        \(nanos(999)) ns
            trades            \(totals.trades)
            traded quantity   \(totals.quantity)
            trade checksum    \(checksum)
            open orders       \(orders)
            bytes an order    \(bytes)
            bare memory       \(loadPicos / 1000).\(loadPicos / 100 % 10) ns a dependent load \
            over \(book / 1024) KiB; an event takes as long as \(loads / 10).\(loads % 10)
            """)
    }
}

/// Nanoseconds of a monotonic clock.
func benchNanos(_ clock: clockid_t = CLOCK_MONOTONIC) -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
