// boursectl bench generate | replay: the engine alone, on one thread.

internal import ArgumentParser
internal import Bench
internal import Engine
internal import Glibc
internal import Terms

/// A file of replay events, in memory that the system reads it into.
@safe final class ReplayFile {
    private let base: UnsafeMutablePointer<ReplayEvent>
    let count: Int
    /// The highest symbol, and the number of different accounts.
    private(set) var symbols = 0
    private(set) var accounts = 0
    /// The most orders that are open at once, at the most: new ones less cancels.
    private(set) var openOrders = 0
    private var quantityMax: Int64 = 0

    /// Reads a whole file and checks each record.
    init(_ path: String) throws {
        let fd = unsafe open(path, O_RDONLY)
        guard fd >= 0 else {
            throw ValidationError("can't open \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(fd) }
        var info = stat()
        let size = unsafe fstat(fd, &info) == 0 ? Int(info.st_size) : 0
        count = size / 40
        unsafe base = .allocate(capacity: max(1, count))
        guard size > 0, size % 40 == 0 else {
            throw ValidationError(
                "\(path) is no replay file: its size must be a multiple of 40 bytes, not empty")
        }
        var done = 0
        let total = count * 40
        while done < total {
            let n = unsafe read(fd, UnsafeMutableRawPointer(base) + done, total - done)
            guard n > 0 else { throw ValidationError("\(path) could not be read to its end") }
            done += n
        }
        try prepare(path)
    }

    deinit { unsafe base.deallocate() }

    var events: UnsafeBufferPointer<ReplayEvent> {
        unsafe UnsafeBufferPointer(start: base, count: count)
    }

    /// Checks the records and gives the accounts numbers without gaps, so that they fit a table.
    private func prepare(_ path: String) throws {
        var numbers: [UInt32: UInt32] = [:]
        var open = 0
        for i in 0..<count {
            let event = unsafe base[i]
            guard let kind = ReplayEvent.Kind(rawValue: event.kind), event.side <= 1,
                event.symbol >= 1, event.symbol < 65_000, event.orderID >= 1
            else {
                throw ValidationError(
                    "\(path): record \(i) has an unknown kind, side, symbol or order id 0")
            }
            let needsPrice = kind == .limit || kind == .immediateOrCancel || kind == .replace
            if needsPrice ? event.price < 1 || event.price > 1 << 48 : false {
                throw ValidationError("\(path): record \(i) has a price outside 1 … 2^48 ticks")
            }
            let needsQuantity = kind != .cancel && kind != .replace
            if needsQuantity {
                guard event.quantity >= 1 else {
                    throw ValidationError("\(path): record \(i) has no quantity")
                }
                quantityMax = max(quantityMax, event.quantity)
            }
            symbols = max(symbols, Int(event.symbol))
            let number = numbers[event.account] ?? UInt32(numbers.count + 1)
            numbers[event.account] = number
            unsafe base[i].account = number
            // Fills only make it fewer.
            open += kind == .limit ? 1 : kind == .cancel ? -1 : 0
            openOrders = max(openOrders, open)
        }
        accounts = numbers.count
        guard openOrders < (1 << 24) - 64 else {
            throw ValidationError("\(path) may hold more than 16 million open orders")
        }
        let most = Engine.replayQuantityMax(openOrders: openOrders + 1).lots
        guard quantityMax <= most else {
            throw ValidationError("\(path) has a quantity above \(most) lots")
        }
    }
}

struct BenchReplay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay order events from a file on the engine alone, on one thread.",
        discussion: """
            Prints events per second, percentiles of one step, trades, the traded quantity and a \
            checksum over all trades that any engine gives for the same file. The throughput is of \
            a run without a clock in it, by the time that its thread had a CPU, so that neighbours \
            steal none of it; the percentiles are of a second run that reads the \
            cycle counter around each step. Beside them stands what this machine's memory takes \
            for one load that waits for the one before, over as many bytes as the book.

            A record is 40 bytes, little-endian: u8 kind (0 limit, 1 IOC, 2 market, 3 cancel, \
            4 replace), u8 side (0 buy, 1 sell), u16 symbol, u32 account, u64 order, i64 price in \
            ticks, i64 quantity in lots, u64 reserved.

            EXAMPLE: boursectl bench generate book.bin && boursectl bench replay book.bin
            """)

    @Argument(help: "The file of events.") var file: String
    @Option(help: "Instruments to make; at least those of the file.") var symbols: Int = 0
    @Option(help: "on: holds, settlement and fees as in trading; off: the bare book.")
    var ledger: LedgerChoice = .on
    @Option(help: "Runs without a clock; the median is printed.") var runs: Int = 1
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
        var steps = Histogram()
        var timed = makeReplay(file, symbols)
        let (startNanos, startCycles) = (benchNanos(), Replay.cycles())
        unsafe timed.run(file.events, into: &steps)
        let nanos = Double(benchNanos() - startNanos)
        let perCycle = nanos / Double(Replay.cycles() - startCycles)
        let orders = timed.openOrderCount
        report(
            rate: rates[rates.count / 2], totals, steps, perCycle, orders: orders,
            book: timed.bookMemory)
    }

    /// Nanoseconds of one dependent load over `bytes`: the best of some walks.
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
        rate: Double, _ totals: ReplayTotals, _ steps: Histogram, _ perCycle: Double, orders: Int,
        book: Int
    ) {
        func nanos(_ perMille: UInt64) -> Int {
            Int(Double(steps.percentile(perMille: perMille)) * perCycle)
        }
        let checksum = "0x" + hex(totals.checksum)
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

    private func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

struct BenchGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Make a file of order events from a seed.",
        discussion: """
            A steady flow has about 83 % replaces, 9 % new orders, 6 % cancels, 3 % IOC and market \
            orders, with the open orders held at their number. In the others orders come and go: \
            calm near a price that hardly moves, normal around one that wanders, swing through \
            eight rises and falls by a tenth, crash until a third of the price is lost to sweeps \
            of a sparse book. The same arguments give the same file.
            """)

    @Argument(help: "The file to write.") var file: String
    @Option(help: "Events to make.") var events: Int = 10_000_000
    @Option(help: "Instruments.") var symbols: Int = 1
    @Option(help: "steady, calm, normal, swing or crash.", transform: Self.flow(named:))
    var flow: Flow = .steady
    @Option(help: "Open orders over all instruments; each flow has a number of its own.")
    var live: Int?
    @Option(help: "Accounts.") var accounts: Int = 1_000
    @Option(help: "The seed.") var seed: UInt64 = 1

    func validate() throws {
        guard (1...1_000_000_000).contains(events), (1...1_000).contains(symbols),
            (1...4_000_000).contains(live ?? 1), (1...1_000_000).contains(accounts)
        else {
            throw ValidationError(
                "at most 10^9 events, 1000 symbols, 4 million live orders and 10^6 accounts")
        }
    }

    private static func flow(named name: String) throws -> Flow {
        guard let flow = Flow(rawValue: name) else {
            let names = Flow.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--flow takes one of \(names)")
        }
        return flow
    }

    func run() throws {
        guard let out = unsafe fopen(file, "wb") else {
            throw ValidationError("can't write \(file): \(unsafe String(cString: strerror(errno)))")
        }
        var generator = Generator(
            MarketShape(
                events: events, symbols: symbols, liveOrders: live ?? flow.liveOrders,
                accounts: accounts, seed: seed, flow: flow))
        var isWritten = true
        for _ in 0..<events {
            var event = generator.makeEvent()
            isWritten = unsafe fwrite(&event, 40, 1, out) == 1 && isWritten
        }
        guard unsafe fclose(out) == 0, isWritten else {
            throw ValidationError("\(file) could not be written whole: is the disk full?")
        }
    }
}

/// Nanoseconds of a clock that only goes on.
func benchNanos(_ clock: clockid_t = CLOCK_MONOTONIC) -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
