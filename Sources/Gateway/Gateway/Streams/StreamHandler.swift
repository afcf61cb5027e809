// One WebSocket of streams.

import Logging
import NIOCore
import NIOWebSocket
import Platform
import SpotAPI
import Terms

/// The last handler of a WebSocket: commands in, messages out.
final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let hub: StreamHub
    private let buffer: ClientBuffer
    private var isCombined: Bool
    /// The unit of its messages' times.
    let timeUnit: TimeUnit
    private var context: ChannelHandlerContext?
    /// Its subscriptions, and the name that the client used for each.
    private(set) var names: [StreamName: String] = [:]
    /// Unknown names; they are accepted silently, as Binance does.
    private var unknown: Set<String> = []
    private let began: Int64
    private var lastPing: Int64
    private var lastPong: Int64
    private var second: Int64 = 0
    private var messagesInSecond = 0
    private var isClosing = false
    private var closingSince: Int64 = 0

    /// Maximum length of a name in bytes; the longest known one is shorter.
    private static var nameBytesMax: Int { 64 }
    /// Time that a client has to take the last frame, milliseconds.
    private static var closeMilliseconds: Int64 { 5_000 }

    init(hub: StreamHub, path: StreamPath, buffer: ClientBuffer) {
        (self.hub, self.buffer) = (hub, buffer)
        (isCombined, timeUnit) = (path.isCombined, path.timeUnit)
        let now = Clock.monotonicMillis()
        (began, lastPing, lastPong) = (now, now, now)
        let room = hub.options.subscriptionsMax - hub.nameCount
        for name in path.names.prefix(max(0, min(hub.options.streamsMax, room))) { add(name) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        hub.add(self)
        hub.nameCount += nameCount
        for name in names.keys { hub.subscribe(name, self) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        hub.remove(self)
        hub.nameCount -= nameCount
    }

    private var nameCount: Int { names.count + unknown.count }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard !isClosing else { return }
        guard countMessage() else { return close(.policyViolation) }
        switch frame.opcode {
        case .connectionClose: close(.normalClosure)
        case .ping:
            write(frame.unmaskedData, as: .pong)
        case .pong: lastPong = Clock.monotonicMillis()
        case .text, .binary: take(frame.unmaskedData)
        default: close(.protocolError)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A frame that is too large or violates the protocol.
        close(.protocolError)
    }

    // MARK: In

    private func countMessage() -> Bool {
        let now = Clock.monotonicMillis() / 1_000
        if now != second { (second, messagesInSecond) = (now, 0) }
        messagesInSecond += 1
        return messagesInSecond <= hub.options.streamMessagesPerSecond
    }

    private func take(_ data: ByteBuffer) {
        var json = JSONWriter()
        do throws(StreamCommandError) {
            let command = try StreamCommand(parsing: data.readableBytesView)
            try apply(command)
            switch command.method {
            case .list: command.write(list: names.values.sorted() + unknown.sorted(), to: &json)
            case .getCombined: command.write(flag: isCombined, to: &json)
            case .subscribe, .unsubscribe, .setCombined: command.writeDone(to: &json)
            }
        } catch { error.write(to: &json) }
        write(ByteBuffer(bytes: json.bytes))
    }

    private func apply(_ command: StreamCommand) throws(StreamCommandError) {
        let before = nameCount
        defer { hub.nameCount += nameCount - before }
        switch command.method {
        case .subscribe(let list):
            guard nameCount + list.count <= hub.options.streamsMax else {
                throw StreamCommandError(
                    code: 2,
                    message: "Invalid request: more than \(hub.options.streamsMax) streams",
                    id: command.id)
            }
            guard hub.nameCount + list.count <= hub.options.subscriptionsMax else {
                throw StreamCommandError(
                    code: 2, message: "Invalid request: too many streams of all clients",
                    id: command.id)
            }
            guard list.allSatisfy({ $0.utf8.count <= Self.nameBytesMax }) else {
                throw StreamCommandError(
                    code: 2, message: "Invalid request: a stream name is too long", id: command.id)
            }
            for text in list {
                if let name = add(text) { hub.subscribe(name, self) }
            }
        case .unsubscribe(let list):
            for text in list {
                unknown.remove(text)
                guard let name = StreamName(text), names[name] != nil else { continue }
                names[name] = nil
                hub.unsubscribe(name, self)
            }
        case .setCombined(let flag): isCombined = flag
        case .list, .getCombined: break
        }
    }

    @discardableResult
    private func add(_ text: String) -> StreamName? {
        guard text.utf8.count <= Self.nameBytesMax else { return nil }
        guard let name = StreamName(text) else {
            unknown.insert(text)
            return nil
        }
        names[name] = text
        return name
    }

    // MARK: Out

    /// The name that a message of a stream is wrapped with; nil when it is not.
    func wrapper(of name: StreamName) -> String? { isCombined ? names[name] : nil }

    /// Writes a frame, or closes a client that reads too slowly.
    func write(_ data: ByteBuffer, as opcode: WebSocketOpcode = .text) {
        guard let context, !isClosing else { return }
        // When memory is short, a client that has not taken the last message gets no more.
        guard context.channel.isWritable, !hub.memory.isFull || buffer.bytes == 0 else {
            isClosing = true
            context.close(promise: nil)
            return
        }
        let frame = WebSocketFrame(fin: true, opcode: opcode, data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// Sends a ping if due; closes when the client is silent or the connection too old.
    func beat(now: Int64) {
        if isClosing, now - closingSince >= Self.closeMilliseconds { context?.close(promise: nil) }
        guard !isClosing else { return }
        let options = hub.options
        if now - lastPong >= options.pongSeconds * 1_000
            || now - began >= options.streamHoursMax * 3_600_000
        {
            return close(.goingAway)
        }
        guard now - lastPing >= options.pingSeconds * 1_000 else { return }
        lastPing = now
        write(ByteBuffer(string: String(Clock.realtimeMillis())), as: .ping)
    }

    /// Sends the reason, and closes.
    func close(_ code: WebSocketErrorCode) {
        guard let context, !isClosing else { return }
        isClosing = true
        closingSince = Clock.monotonicMillis()
        var data = context.channel.allocator.buffer(capacity: 2)
        data.write(webSocketErrorCode: code)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        context.writeAndFlush(wrapOutboundOut(frame)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }
}

/// Passes what RFC 6455 allows a client to send: masked frames of known kinds, without reserved
/// bits.
final class FrameGuard: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame

    /// A frame that violates the protocol.
    struct FrameError: Error {}

    private var hasFailed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if hasFailed { return }
        let frame = unwrapInboundIn(data)
        let isKnown =
            switch frame.opcode {
            case .text, .binary, .continuation, .ping, .pong, .connectionClose: true
            default: false
            }
        guard isKnown, frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            hasFailed = true
            context.fireErrorCaught(FrameError())
            return
        }
        context.fireChannelRead(data)
    }
}
