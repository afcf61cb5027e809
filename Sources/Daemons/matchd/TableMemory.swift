// The engine's memory, taken and locked while the first commands already come in.

import DaemonKit
import Engine
import Logging
import Platform
import Slabs
import Synchronization

/// Takes the memory of the engine's tables on a thread of its own, so that no turn of the engine
/// waits for a page: the first touch of a huge one takes up to milliseconds. What `RaiseLimits`
/// adds is taken when it is used, and at the next start.
final class TableMemory: Sendable {
    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }
    private let stop: Flag
    private let thread: PinnedThread

    /// Begins with the tables of an engine that outlives this, where this process may lock as much
    /// memory as it likes (LimitMEMLOCK= of the unit); nil where it may not: there, memory is taken
    /// as it is used.
    static func take(_ engine: borrowing Engine, _ log: Logger) -> TableMemory? {
        guard Host.mayLockMemory else { return nil }
        let tables = engine.slabMemory
        return try? TableMemory(tables, log)
    }

    private init(_ tables: [SlabMemory], _ log: Logger) throws(SystemError) {
        let isStopping = Flag()
        stop = isStopping
        thread = try PinnedThread.start(name: "memory") {
            let mebibytes = tables.reduce(0) { $0 + $1.bytes } >> 20
            var isWhole = true
            // A table that was raised meanwhile is somewhere else; the others are not.
            for table in tables
            where !table.take(locks: true, while: { !isStopping.value.load(ordering: .relaxed) }) {
                isWhole = false
            }
            if isStopping.value.load(ordering: .relaxed) { return }
            log.report(
                isWhole ? .info : .warning,
                isWhole
                    ? "\(mebibytes) MiB of tables are taken and locked"
                    : "not all of \(mebibytes) MiB of tables could be taken and locked: some turns "
                        + "will wait for memory; see `boursectl limits` and the host's free memory")
        }
    }

    /// Ends the thread. Before the engine goes.
    func end() {
        stop.value.store(true, ordering: .relaxed)
        thread.join()
    }
}
