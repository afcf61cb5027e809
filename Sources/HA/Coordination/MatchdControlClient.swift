// The agent's end of matchd's control socket: reports in, orders out, one JSON object a line. It
// reconnects whenever the connection is lost, repeats the orders that the process has not carried
// out, and watches the process itself, not the connection, for its end.

internal import Control
public import Failover
internal import Glibc
internal import JSON
internal import NIOCore
internal import NIOPosix
internal import Platform
internal import Synchronization

/// A client of the control socket. Any thread may use it; it works on its shell's.
public final class MatchdControlClient: Sendable {
    /// Between two attempts to connect, and two checks whether the process has ended.
    private static let retry = TimeAmount.milliseconds(20)
    /// Before the next attempt after a line that was no report.
    private static let retryAfterNonsense = TimeAmount.seconds(1)
    /// Maximum number of orders that wait to be carried out, of which the oldest is dropped; the
    /// core sends a few at a time.
    private static let ordersMax = 64

    private struct State {
        var shell: FailoverShell?
        var channel: (any Channel)?
        /// A report has come on this connection, so that what the process has done is known.
        var isReady = false
        /// The process at the other end.
        var handle: ProcessHandle?
        /// Its number in its reports.
        var process: ProcessNumber?
        /// The orders that it has not reported as carried out.
        var orders: [MatchdOrder] = []
        var isStopped = false
    }

    /// The socket's path.
    public let path: String
    private let state = Mutex(State())

    /// A client that is not started.
    public init(path: String) { self.path = path }

    /// Connects, and passes matchd's reports to this shell from now on.
    public func start(feeding shell: FailoverShell) {
        state.withLock { $0.shell = shell }
        shell.loop.execute { [self] in connect(shell) }
    }

    /// Stops. It has to be called before the shell is stopped.
    public func stop() {
        let channel = state.withLock { state in
            state.isStopped = true
            state.shell = nil
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Sends an order, now or once matchd is connected, in the order of the calls. Orders for a
    /// process that has ended are dropped.
    public func send(_ order: MatchdOrder) {
        let channel = state.withLock { state in
            if state.orders.count == Self.ordersMax { state.orders.removeFirst() }
            state.orders.append(order)
            return state.isReady ? state.channel : nil
        }
        if let channel { write([order], to: channel) }
    }

    private func write(_ orders: [MatchdOrder], to channel: any Channel) {
        guard !orders.isEmpty else { return }
        let lines = orders.map { $0.json.compact + "\n" }.joined()
        channel.writeAndFlush(channel.allocator.buffer(string: lines), promise: nil)
    }

    // MARK: Connection

    private func connect(_ shell: FailoverShell) {
        let descriptor: Int32
        let handle: ProcessHandle
        do throws(SystemError) {
            descriptor = try UnixSocket.connect(path)
            do throws(SystemError) {
                handle = try ProcessHandle(peerOf: descriptor)
            } catch {
                _ = close(descriptor)
                throw error
            }
        } catch {
            shell.noteControl("matchd's control socket: \(error)")
            return again(shell, after: Self.retry)
        }
        // The core takes a report of a new process for the end of the old one, and reports that to
        // the peer: no new one is heard before the kernel says that the old one has ended.
        let isEarly = state.withLock { state in
            if let old = state.handle, old.number != handle.number, !old.hasEnded { return true }
            if state.handle?.number != handle.number { state.process = nil }
            state.handle = handle
            return false
        }
        guard !isEarly else {
            _ = close(descriptor)
            shell.noteControl("matchd's control socket: the process before has not ended")
            return again(shell, after: Self.retry)
        }
        ClientBootstrap(group: shell.loop)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ControlLineHandler(client: self, shell: shell))
                }
            }
            .withConnectedSocket(descriptor)
            .whenFailure { [self] error in
                shell.noteControl("matchd's control socket: \(error)")
                again(shell, after: Self.retry)
            }
    }

    private func again(_ shell: FailoverShell, after pause: TimeAmount) {
        guard state.withLock({ !$0.isStopped }) else { return }
        shell.loop.scheduleTask(in: pause) { [self] in
            guard state.withLock({ !$0.isStopped }) else { return }
            noteEnd(shell)
            connect(shell)
        }
    }

    /// Reports the process's end, once.
    private func noteEnd(_ shell: FailoverShell) {
        let ended: ProcessNumber? = state.withLock { state in
            guard let handle = state.handle, handle.hasEnded else { return nil }
            let process = state.process
            (state.handle, state.process) = (nil, nil)
            return process
        }
        if let ended { _ = shell.step(.reaped(ended)) }
    }

    fileprivate func opened(_ channel: any Channel) {
        let isStopped = state.withLock { state in
            (state.channel, state.isReady) = (channel, false)
            return state.isStopped
        }
        if isStopped { channel.close(promise: nil) }
    }

    fileprivate func closed(_ shell: FailoverShell, isNonsense: Bool) {
        state.withLock { ($0.channel, $0.isReady) = (nil, false) }
        if !isNonsense { shell.noteControl("matchd's control socket: matchd closed it") }
        noteEnd(shell)
        again(shell, after: isNonsense ? Self.retryAfterNonsense : Self.retry)
    }

    /// Takes a report. The first one of a connection shows which orders have to be sent again.
    fileprivate func received(
        _ report: MatchdReport, _ shell: FailoverShell, on channel: any Channel
    ) {
        let orders: [MatchdOrder] = state.withLock { state in
            state.process = report.process
            state.orders.removeAll { order in
                order.process != report.process
                    || order.run == report.ordersRun && order.number <= report.ordersDone
            }
            defer { state.isReady = true }
            return state.isReady ? [] : state.orders
        }
        write(orders, to: channel)
        shell.noteControl(nil)
        _ = shell.step(.reported(report))
    }
}

/// Splits the input into lines.
private final class ControlLineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: MatchdControlClient
    private let shell: FailoverShell
    private var line: [UInt8] = []
    private var isNonsense = false

    init(client: MatchdControlClient, shell: FailoverShell) {
        self.client = client
        self.shell = shell
    }

    func channelActive(context: ChannelHandlerContext) { client.opened(context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for byte in unwrapInboundIn(data).readableBytesView where !isNonsense {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                if line.count > ControlLine.bytesMax { refuse("a line is too long", context) }
                continue
            }
            if let report = ControlLine.json(line).flatMap(MatchdReport.init(_:)) {
                client.received(report, shell, on: context.channel)
            } else {
                refuse("a line is no report of this version", context)
            }
            line.removeAll(keepingCapacity: true)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        client.closed(shell, isNonsense: isNonsense)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func refuse(_ why: String, _ context: ChannelHandlerContext) {
        isNonsense = true
        shell.noteControl("matchd's control socket: \(why)")
        context.close(promise: nil)
    }
}
