// A server on loopback that answers with given bytes, as no real node can be brought to.

import Glibc
import Platform
import Synchronization
import Testing

/// A server that gives one answer to each connection, whatever it is asked. A real node cannot be
/// brought to answer so.
final class AnsweringServer: Sendable {
    let port: Int
    private let socket: Int32
    private let isOver = Atomic(false)
    private let thread: Mutex<PinnedThread?>

    /// `answer` gives the bytes after a request's; nil: none, and the connection stays open.
    init(_ answer: @escaping @Sendable (_ request: String) -> [UInt8]?) throws {
        let (end, port) = try listeningSocket()
        (socket, self.port) = (end, port)
        thread = Mutex(nil)
        let started = try PinnedThread.start(name: "node") { [self] in
            var open: [Int32] = []
            while !isOver.load(ordering: .acquiring) {
                var ready = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&ready, 1, 20) > 0 else { continue }
                let client = accept(end, nil, nil)
                guard client >= 0 else { continue }
                open.append(client)
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let got = unsafe recv(client, &buffer, buffer.count, 0)
                let request = String(decoding: buffer.prefix(max(0, got)), as: UTF8.self)
                guard let bytes = answer(request) else { continue }
                var sent = 0
                while sent < bytes.count {
                    let count = unsafe bytes.withUnsafeBytes {
                        unsafe send(
                            client, $0.baseAddress! + sent, bytes.count - sent,
                            Int32(MSG_NOSIGNAL))
                    }
                    guard count > 0 else { break }
                    sent += count
                }
                shutdown(client, Int32(SHUT_RDWR))
            }
            for client in open { close(client) }
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        isOver.store(true, ordering: .releasing)
        thread.withLock { $0?.join() }
        close(socket)
    }
}

/// An HTTP answer with this body.
func reply(_ body: String, status: String = "200 OK") -> [UInt8] {
    let head = [
        "HTTP/1.1 \(status)", "content-type: application/json",
        "content-length: \(body.utf8.count)",
    ]
    return Array((head + ["", body]).joined(separator: "\r\n").utf8)
}
