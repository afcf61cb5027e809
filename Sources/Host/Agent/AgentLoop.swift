// The agent's rounds: read, check, report.

import Checks
public import Platform
internal import Synchronization

/// Makes a round each second on a thread of its own, and at once when something is known to have
/// changed.
public final class AgentLoop: Sendable {
    /// Nanoseconds between two rounds.
    static var periodNanos: Int64 { 1_000_000_000 }
    /// Minimum nanoseconds between two rounds, whatever changes.
    static var pauseNanosMin: Int64 { 100_000_000 }

    private let core: AgentCore
    private let reader: HostReader
    private let wake = Parking()
    private let flags = Mutex<(isWoken: Bool, isStopping: Bool)>((false, false))
    private let thread = Mutex<PinnedThread?>(nil)

    /// A loop that does not run yet.
    public init(_ core: AgentCore, reader: HostReader) { (self.core, self.reader) = (core, reader) }

    /// Begins.
    public func start() throws(SystemError) {
        let started = try PinnedThread.start(name: "rounds") { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Something changed: the groups that it matters to are checked at once. Any thread.
    public func changed() {
        flags.withLock { $0.isWoken = true }
        wake.unpark()
    }

    /// Ends after the round that is under way.
    public func stop() {
        flags.withLock { $0.isStopping = true }
        wake.unpark()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private func run() {
        var runner = CheckRunner(core.options)
        reader.awaitProbes()
        var next = Clock.monotonicNanos()
        while !flags.withLock({ $0.isStopping }) {
            let now = Clock.monotonicNanos()
            let isWoken = flags.withLock { flags in
                defer { flags.isWoken = false }
                return flags.isWoken
            }
            if now >= next {
                core.take(runner.run(reader, .due))
                // A round that was late is not made up for.
                next = max(next + Self.periodNanos, Clock.monotonicNanos())
            } else if isWoken {
                core.take(runner.run(reader, .woken))
            }
            let pause = isWoken ? Self.pauseNanosMin : 0
            if pause > 0 { Clock.sleep(nanos: pause) }
            wake.park(timeoutNanos: max(0, next - Clock.monotonicNanos()))
        }
    }
}
