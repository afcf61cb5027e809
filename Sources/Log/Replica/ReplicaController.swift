// Carries out the agent's orders in one process of matchd: follow, promise, lead, seal.

public import Failover
internal import Glibc
public import Journal
internal import Link
internal import Pipeline
public import Platform
internal import Replication
internal import Synchronization
internal import Terms
internal import Wire

/// One process's part in a pair. It starts as a follower, and obeys only orders for this process of
/// an epoch not below its promise; it enforces promise, gate and lease, whatever the agent orders.
///
/// A thread of its own carries out one order after the other and reports at each change and every
/// 50 ms.
public final class ReplicaController: Sendable {
    private let isStopping = StopFlag()
    private let thread: PinnedThread

    /// Starts to follow orders. `note` gets lines for the log; `end` ends the process.
    public init(
        _ parts: ReplicaParts, _ file: ReplicaFile, process: ProcessNumber,
        _ options: ReplicaOptions, note: @escaping @Sendable (String) -> Void,
        end: @escaping @Sendable (ReplicaEnd) -> Never
    ) throws(SystemError) {
        let loop = Handed(try ReplicaLoop(parts, file, process, options, note, end))
        let isStopping = isStopping
        thread = try PinnedThread.start(name: "control") { loop.value.run(until: isStopping) }
    }

    /// Takes no more orders, and ends the connections with the peer.
    public func stop() {
        isStopping.set()
        thread.join()
    }
}

/// Set when a thread is to end.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    func set() { flag.store(true, ordering: .releasing) }
    var isSet: Bool { flag.load(ordering: .acquiring) }
}

/// A value that one thread gives to another and does not touch again.
private struct Handed<Value>: @unchecked Sendable {
    // Unchecked: that is the promise of its maker.
    let value: Value
    init(_ value: Value) { self.value = value }
}
