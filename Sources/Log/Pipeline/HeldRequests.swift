// Commands that wait until their instrument's long work is over.

/// Requests that were taken from the ring and cannot be applied yet, by session and in order: a
/// session whose first command waits keeps all behind it waiting, from whatever connection, and
/// nobody else.
///
/// While more than `callerBytesMax` of a connection is held, the Link reads no more commands from
/// it; while a ring-full is held, from none but operators, and from these up to twice as much. So
/// no more than three ring-fulls are held, however often a writer connects anew.
package struct HeldRequests {
    private struct Queue {
        var session: UInt32
        var bytes: [UInt8] = []
        var start = 0
    }
    private var queues: [Queue] = []
    /// Bytes by connection.
    private var callers: [UInt32: Int] = [:]
    /// Bytes of the requests that wait.
    package private(set) var bytes = 0

    /// Bytes of one connection beyond which the Link reads no more of it.
    package static var callerBytesMax: Int { 2 << 20 }

    /// Nobody waits.
    package init() {}

    /// Whether nobody waits.
    package var isEmpty: Bool { queues.isEmpty }

    /// Whether this session waits.
    package func isHolding(_ session: UInt32) -> Bool { queues.contains { $0.session == session } }

    /// Holds a connection's request behind those of its session; returns how many bytes of the
    /// connection are held now.
    package mutating func append(
        _ session: UInt32, _ caller: UInt32, _ request: UnsafeRawBufferPointer
    ) -> Int {
        let at: Int
        if let known = queues.firstIndex(where: { $0.session == session }) {
            at = known
        } else {
            at = queues.count
            queues.append(Queue(session: session))
        }
        unsafe queues[at].bytes.append(contentsOf: request)
        bytes += request.count
        callers[caller, default: 0] += request.count
        return callers[caller] ?? 0
    }

    /// Passes each session's requests to `take` in order, the longest waiting session first, until
    /// it returns false: that session continues to wait. At most `most` are taken. Returns the
    /// connections that had some taken and have no more than half of `callerBytesMax` left.
    package mutating func retry(most: Int, _ take: (UnsafeRawBufferPointer) -> Bool) -> [UInt32] {
        var left = most
        var freed: Set<UInt32> = []
        var callers: [UInt32: Int] = [:]
        swap(&callers, &self.callers)
        for at in queues.indices {
            var start = queues[at].start
            unsafe queues[at].bytes.withUnsafeBytes { bytes in
                while left > 0, start < bytes.count {
                    let length = Int(unsafe bytes.load(fromByteOffset: start, as: UInt32.self))
                    let request = unsafe UnsafeRawBufferPointer(
                        rebasing: bytes[start..<start + length])
                    let caller = unsafe request.load(fromByteOffset: 4, as: UInt32.self)
                    guard unsafe take(request) else { return }
                    freed.insert(caller)
                    let remainder = (callers[caller] ?? 0) - length
                    callers[caller] = remainder > 0 ? remainder : nil
                    start += length
                    left -= 1
                }
            }
            bytes -= start - queues[at].start
            queues[at].start = start
            if start < queues[at].bytes.count, start > queues[at].bytes.count / 2 {
                // A queue that is never empty must not keep what it gave.
                queues[at].bytes.removeFirst(start)
                queues[at].start = 0
            }
        }
        queues.removeAll { $0.start == $0.bytes.count }
        self.callers = callers
        return freed.filter { callers[$0] ?? 0 <= Self.callerBytesMax / 2 }.sorted()
    }
}
