// Commands that wait until their instrument's long work is over.

/// Requests that were taken from the ring and cannot be applied yet, by session and in order: a
/// session whose first command waits keeps all behind it waiting, from whatever connection, and
/// nobody else.
///
/// It holds no more than what was in the ring of commands: while a connection is held, the Link
/// reads no more commands from it.
package struct HeldRequests {
    private struct Queue {
        var session: UInt32
        var bytes: [UInt8] = []
        var start = 0
        var callers: Set<UInt32> = []
    }
    private var queues: [Queue] = []

    /// Nobody waits.
    package init() {}

    /// Whether nobody waits.
    package var isEmpty: Bool { queues.isEmpty }

    /// Whether this session waits.
    package func isHolding(_ session: UInt32) -> Bool { queues.contains { $0.session == session } }

    /// Holds a connection's request behind those of its session.
    package mutating func append(
        _ session: UInt32, _ caller: UInt32, _ request: UnsafeRawBufferPointer
    ) {
        let at: Int
        if let known = queues.firstIndex(where: { $0.session == session }) {
            at = known
        } else {
            at = queues.count
            queues.append(Queue(session: session))
        }
        unsafe queues[at].bytes.append(contentsOf: request)
        queues[at].callers.insert(caller)
    }

    /// Gives each session's requests in order, the longest waiting session first, until `take` says
    /// false: that session has to wait on. At most `most` are taken. Gives the connections of which
    /// nothing waits any more.
    package mutating func retry(most: Int, _ take: (UnsafeRawBufferPointer) -> Bool) -> [UInt32] {
        var left = most
        var freed: Set<UInt32> = []
        for at in queues.indices {
            var start = queues[at].start
            unsafe queues[at].bytes.withUnsafeBytes { bytes in
                while left > 0, start < bytes.count {
                    let length = Int(unsafe bytes.load(fromByteOffset: start, as: UInt32.self))
                    let request = unsafe UnsafeRawBufferPointer(
                        rebasing: bytes[start..<start + length])
                    guard unsafe take(request) else { return }
                    start += length
                    left -= 1
                }
            }
            queues[at].start = start
            if start == queues[at].bytes.count { freed.formUnion(queues[at].callers) }
        }
        queues.removeAll { $0.start == $0.bytes.count }
        for queue in queues { freed.subtract(queue.callers) }
        return freed.sorted()
    }
}
