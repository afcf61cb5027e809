// The Unix socket where the agent's orders come in and reports go out.

internal import Control
internal import Failover
internal import Glibc
internal import JSON
internal import Platform

/// One connection at a time: the newest agent's. Not safe to use from several threads.
final class ControlSocket {
    private let poller: Poller
    private let listener: Int32
    private let users: [UInt32]
    private var connection: Int32 = -1
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    /// A connection was accepted in this call of `receive`.
    private var isNew = false

    private static let listenerToken: UInt64 = 1
    private static let connectionToken: UInt64 = 2
    /// Maximum bytes of reports that an agent has not read; it is disconnected above that.
    private static let outputBytesMax = 64 << 10

    init(_ path: String, users: [UInt32]) throws(SystemError) {
        self.users = users
        listener = try UnixSocket.listen(path, mode: 0o660, backlog: 4)
        do throws(SystemError) {
            poller = try Poller()
            try poller.add(listener, .readable, token: Self.listenerToken)
        } catch {
            _ = Glibc.close(listener)
            throw error
        }
    }

    deinit {
        disconnect()
        _ = Glibc.close(listener)
    }

    /// Whether an agent is connected.
    var isConnected: Bool { connection >= 0 }

    /// Waits for orders, at most this long; returns those that came, and whether another agent has
    /// connected, whose predecessor's orders are void.
    func receive(
        milliseconds: Int32
    ) throws(SystemError) -> (orders: [MatchdOrder], isNewAgent: Bool) {
        isNew = false
        _ = try poller.wait(milliseconds: milliseconds) { token, _ in
            if token == Self.listenerToken { self.accept() } else { self.read() }
        }
        return (takeOrders(), isNew)
    }

    /// Sends a report if an agent is connected; what its socket does not take waits.
    func send(_ report: MatchdReport) {
        guard connection >= 0 else { return }
        output += Array("\(report.json.compact)\n".utf8)
        let count = unsafe output.withUnsafeBytes { bytes in
            retryingInterrupts {
                unsafe Glibc.send(
                    connection, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
        if count > 0 {
            output.removeFirst(count)
        } else if errno != EAGAIN {
            disconnect()
        }
        if output.count > Self.outputBytesMax { disconnect() }
    }

    private func accept() {
        let descriptor: Int32
        do throws(SystemError) {
            guard let socket = try TCPSocket.accept(listener) else { return }
            descriptor = socket
        } catch {
            // Such as EMFILE: the listener is ready again at once.
            return Clock.sleep(nanos: 10_000_000)
        }
        let user = (try? PeerCredentials(socket: descriptor))?.userID
        guard let user, user == 0 || user == getuid() || users.contains(user) else {
            _ = Glibc.close(descriptor)
            return
        }
        disconnect()
        guard (try? poller.add(descriptor, .readable, token: Self.connectionToken)) != nil else {
            _ = Glibc.close(descriptor)
            return
        }
        connection = descriptor
        isNew = true
    }

    private func read() {
        guard connection >= 0 else { return }
        var chunk = [UInt8](repeating: 0, count: 4_096)
        let count = retryingInterrupts { unsafe recv(connection, &chunk, chunk.count, 0) }
        if count == 0 || count < 0 && errno != EAGAIN { return disconnect() }
        if count > 0 { input += chunk[..<count] }
    }

    private func takeOrders() -> [MatchdOrder] {
        var orders: [MatchdOrder] = []
        while let end = input.firstIndex(of: 0x0A) {
            guard let order = ControlLine.json(input[..<end]).flatMap(MatchdOrder.init(_:)) else {
                // An agent of another version: its orders cannot be read, so none is obeyed.
                disconnect()
                return orders
            }
            orders.append(order)
            input.removeSubrange(...end)
        }
        if input.count > ControlLine.bytesMax { disconnect() }
        return orders
    }

    private func disconnect() {
        if connection >= 0 {
            poller.remove(connection)
            _ = Glibc.close(connection)
        }
        connection = -1
        (input, output) = ([], [])
    }
}
