// The engine's memory, taken and locked while the first commands already come in.

public import Engine
import Platform
import Slabs
import Synchronization

/// Takes the memory of the engine's tables on a thread of its own, so that no turn of the engine
/// waits for a page: the first touch of a huge one takes up to milliseconds. What `RaiseLimits`
/// adds is taken when it is used, and at the next start.
public final class TableMemory: Sendable {
    private final class Flag: Sendable {
        let value = Atomic<Bool>(false)
    }
    private let stop: Flag
    private let thread: PinnedThread

    /// Begins with the tables of an engine that outlives this, where this process may lock as much
    /// memory as it likes (LimitMEMLOCK= of the unit); nil where it may not: there, memory is taken
    /// as it is used.
    ///
    /// `report` is called once, with how it went: whether all of it was taken, and a line about it.
    public static func take(
        _ engine: borrowing Engine, report: @escaping @Sendable (_ isWhole: Bool, String) -> Void
    ) -> TableMemory? {
        guard Host.mayLockMemory else { return nil }
        let tables = engine.slabMemory
        return try? TableMemory(tables, report)
    }

    private init(
        _ tables: [SlabMemory], _ report: @escaping @Sendable (Bool, String) -> Void
    ) throws(SystemError) {
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
            report(
                isWhole,
                isWhole
                    ? "\(mebibytes) MiB of tables are taken and locked"
                    : "not all of \(mebibytes) MiB of tables could be taken and locked: some turns "
                        + "will wait for memory; see `boursectl limits` and the host's free memory")
        }
    }

    /// Ends the thread. To be called before the engine is released.
    public func end() {
        stop.value.store(true, ordering: .relaxed)
        thread.join()
    }
}
