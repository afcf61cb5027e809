// The memory that clients occupy: request bodies, and replies and stream messages not yet sent.
// All connections share one bound; the slowest are closed first.

import Logging
import NIOCore

/// Bytes buffered for all clients, on the event loop.
final class ClientMemory {
    /// Above this, new requests are refused and the slowest connections closed.
    let bytesMax: Int
    /// Bytes buffered now. One reply, or one message to all listeners, may exceed the bound.
    private(set) var bytes = 0
    private let log: Logger
    private let clock: () -> Int64
    private var holders: [ObjectIdentifier: ClientBuffer] = [:]
    private var isSheddingDue = false
    private var lastNote: Int64 = -1_000_000

    /// `clock` returns milliseconds and never goes back.
    init(bytesMax: Int, log: Logger, clock: @escaping () -> Int64) {
        (self.bytesMax, self.log, self.clock) = (bytesMax, log, clock)
    }

    /// Whether a client that takes nothing gets no more.
    var isFull: Bool { bytes > bytesMax }

    fileprivate func add(_ count: Int, _ holder: ClientBuffer) {
        bytes += count
        if holder.bytes == 0 {
            holder.since = clock()
            holders[ObjectIdentifier(holder)] = holder
        }
        guard isFull, !isSheddingDue, let context = holder.context else { return }
        isSheddingDue = true
        // Not now: the caller may be writing to one of the connections to close.
        context.eventLoop.assumeIsolated().execute { [self] in
            isSheddingDue = false
            shed()
        }
    }

    fileprivate func remove(_ count: Int, _ holder: ClientBuffer) {
        bytes -= count
        if holder.bytes == 0 { holders[ObjectIdentifier(holder)] = nil }
    }

    /// Closes connections, those with the oldest unsent bytes first, until an eighth is free again.
    private func shed() {
        guard isFull else { return }
        let before = bytes
        var closed = 0
        for holder in holders.values.sorted(by: { $0.since < $1.since }) {
            guard bytes > bytesMax / 8 * 7 else { break }
            holder.context?.close(promise: nil)
            closed += 1
        }
        let now = clock()
        guard now - lastNote >= 1_000 else { return }
        lastNote = now
        log.warning(
            """
            clients took too little of what was sent to them: \(before >> 20) MiB waited, more \
            than [gatewayd] client_memory_mib; the \(closed) slowest connections were closed
            """)
    }
}

/// Counts what is buffered for one connection: the handler next to its socket.
final class ClientBuffer: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private let memory: ClientMemory
    /// Bytes buffered now.
    private(set) var bytes = 0
    /// When the buffer was last empty.
    fileprivate(set) var since: Int64 = 0
    fileprivate var context: ChannelHandlerContext?

    init(_ memory: ClientMemory) { self.memory = memory }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        remove(bytes)
    }

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard case .byteBuffer(var buffer) = unwrapOutboundIn(data), buffer.readableBytes > 0
        else { return context.write(data, promise: promise) }
        // TLS gives its whole buffer away for each message, however short.
        if buffer.storageCapacity > 4_096, buffer.readableBytes < buffer.storageCapacity / 4 {
            buffer = context.channel.allocator.buffer(buffer: buffer)
        }
        // The memory it occupies, not its content.
        let count = buffer.storageCapacity
        let sent = promise ?? context.eventLoop.makePromise()
        add(count)
        sent.futureResult.assumeIsolated().whenComplete { [self] _ in remove(count) }
        context.write(wrapOutboundOut(.byteBuffer(buffer)), promise: sent)
    }

    /// Counts buffered bytes.
    func add(_ count: Int) {
        memory.add(count, self)
        bytes += count
    }

    /// Counts bytes that left the buffer.
    func remove(_ count: Int) {
        // A closed connection holds nothing, whatever is reported later.
        let count = min(count, bytes)
        guard count > 0 else { return }
        bytes -= count
        memory.remove(count, self)
    }
}
