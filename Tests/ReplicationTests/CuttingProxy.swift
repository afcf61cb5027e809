// A link between two hosts that breaks: it passes bytes on and cuts connections after some.

import Glibc
import Platform
import Synchronization

/// Passes connections on to `target`; each ends after as many bytes as the list says next, counted
/// both ways; those after the list's end stay.
final class CuttingProxy: Sendable {
    let address: String
    let cuts = Atomic<Int>(0)
    /// Passes nothing on, and keeps connections open.
    let isHeld = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let thread: Mutex<PinnedThread?>

    init(_ target: String, cutAfter list: [Int] = []) throws {
        let (listener, address) = try listenAnywhere()
        self.address = address
        thread = Mutex(nil)
        let started = try PinnedThread.start(name: "proxy") { [self] in
            var rest = list[...]
            while !isStopping.load(ordering: .acquiring) {
                guard
                    TCPSocket.wait(
                        listener, Int16(POLLIN), deadline: Clock.monotonicNanos() + 20_000_000),
                    let client = try? TCPSocket.accept(listener)
                else { continue }
                if let server = try? TCPSocket.connect(target, timeoutNanos: 60_000_000_000) {
                    pass(client, server, limit: rest.popFirst())
                    close(server)
                }
                close(client)
            }
            close(listener)
        }
        thread.withLock { $0 = started }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        thread.withLock { $0.take() }?.join()
    }

    private func pass(_ client: Int32, _ server: Int32, limit: Int?) {
        var passed = 0
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while !isStopping.load(ordering: .acquiring) {
            if isHeld.load(ordering: .acquiring) {
                Clock.sleep(nanos: 5_000_000)
                continue
            }
            var entries = [client, server].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            guard unsafe poll(&entries, 2, 20) > 0 else { continue }
            for (from, to) in [(client, server), (server, client)]
            where entries.contains(where: { $0.fd == from && $0.revents != 0 }) {
                let most = limit.map { min(chunk.count, $0 - passed) } ?? chunk.count
                guard most > 0 else {
                    cuts.add(1, ordering: .relaxed)
                    return
                }
                let count = unsafe recv(from, &chunk, most, 0)
                if count < 0, errno == EAGAIN { continue }
                guard count > 0 else { return }
                passed += count
                var sent = 0
                while sent < count {
                    let n = unsafe chunk.withUnsafeBytes { raw in
                        unsafe send(
                            to, raw.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                    }
                    if n > 0 {
                        sent += n
                    } else if errno == EAGAIN, !isStopping.load(ordering: .acquiring) {
                        _ = TCPSocket.wait(
                            to, Int16(POLLOUT), deadline: Clock.monotonicNanos() + 20_000_000)
                    } else {
                        return
                    }
                }
            }
        }
    }
}
