// bench generate: a file of order events.

import ArgumentParser
import Bench
import Glibc

struct BenchGenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Makes a file of order events from a seed.",
        discussion: """
            A steady flow has about 83 % replaces, 9 % new orders, 6 % cancels and 3 % IOC and \
            market orders, at a constant number of open orders. In the other flows orders come and \
            go: calm near a price that hardly moves, normal around one that wanders, swing through \
            eight rises and falls by a tenth, crash through sweeps of a sparse book until the \
            price has lost a third. The same arguments give the same file.
            """)

    @Argument(help: "The file to write.") var file: String
    @Option(help: "Number of events.") var events: Int = 10_000_000
    @Option(help: "Number of instruments.") var symbols: Int = 1
    @Option(help: "steady, calm, normal, swing or crash.", transform: Self.flow(named:))
    var flow: Flow = .steady
    @Option(help: "Open orders in all instruments; each flow has its own default.")
    var live: Int?
    @Option(help: "Number of accounts.") var accounts: Int = 1_000
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
            throw ValidationError(
                "cannot write \(file): \(unsafe String(cString: strerror(errno)))")
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
            throw ValidationError("\(file) could not be written completely: is the disk full?")
        }
    }
}
