// The helper's socket: one change at a time. The health of disks is read beside that: a disk may
// take seconds to answer, and the service address lives for two.

import Glibc
import HelperAPI
public import Platform
import Synchronization

/// Why the helper cannot serve.
public struct HelperServerError: Error, CustomStringConvertible {
    /// What is wrong, and what to do.
    public let description: String
}

/// Serves requests on the socket that systemd passed.
public final class HelperServer {
    /// Milliseconds that a client has to send its line.
    private static let lineMillisMax: Int32 = 2_000
    /// Milliseconds without a request after which there is nothing to stay for.
    private static let idleMillisMax: Int32 = 60_000
    /// Disks whose health is read at the same time.
    private static let readersMax = 2

    private let listener: Int32
    private let users: Set<UInt32>
    private let changer = HostChanger()
    private let report: @Sendable (_ isRefused: Bool, _ text: String) -> Void
    private let readers = Readers()

    private final class Readers: Sendable { let count = Atomic<Int>(0) }

    /// Takes over the socket, sd_listen_fds(3). `user` may ask besides root. `report` gets a line
    /// about each request that changed something or was refused.
    public init(
        user: String, report: @escaping @Sendable (_ isRefused: Bool, _ text: String) -> Void
    ) throws {
        self.report = report
        guard ServiceManager.passedSockets() == 1 else {
            throw HelperServerError(
                description: "it is started by systemd: systemctl start bourse-helper.socket")
        }
        listener = 3
        guard let id = Host.userID(named: user) else {
            throw HelperServerError(
                description: "there is no user \(user): reinstall bourse-agent, which makes it")
        }
        users = [0, id]
    }

    /// Serves until a signal, or until nothing was asked for a while and it holds nothing open.
    public func serve(until signals: Signals) throws(SystemError) {
        ServiceManager.ready()
        var idleSince = Clock.monotonicNanos()
        while true {
            var waiting = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            // One that cannot wait would turn for ever.
            guard retryingInterrupts({ unsafe poll(&waiting, 2, 1_000) }) >= 0 else {
                throw .last("wait for", "requests")
            }
            ServiceManager.watchdog()
            if signals.next() != nil { return }
            if waiting[0].revents != 0 {
                take()
                idleSince = Clock.monotonicNanos()
            }
            // What it holds open ends with it; else systemd starts it again when it is asked.
            let idle = (Clock.monotonicNanos() - idleSince) / 1_000_000
            let isReading = readers.count.load(ordering: .acquiring) > 0
            if idle > Int64(Self.idleMillisMax), !changer.holdsSomething, !isReading { return }
        }
    }

    private func take() {
        let peer = accept(listener, nil, nil)
        guard peer >= 0 else { return }
        _ = fcntl(peer, F_SETFD, FD_CLOEXEC)
        guard let who = try? PeerCredentials(socket: peer), users.contains(who.userID) else {
            return Self.answer(peer, "refused this user may not ask")
        }
        guard let line = Self.readLine(peer) else {
            return Self.answer(
                peer, "refused a request is one line of at most \(HelperRequest.bytesMax) bytes")
        }
        guard let request = HelperRequest(line) else {
            report(true, "user \(who.userID): not a request")
            return Self.answer(peer, "refused not a request of this helper")
        }
        if case .health(let disk) = request { return readHealth(of: disk, peer, who) }
        let result = Self.carryOut(request, who, report) { () throws(HelperError) in
            try changer.perform(request)
        }
        Self.answer(peer, result)
    }

    /// Reads a disk's health on a thread of its own.
    private func readHealth(of disk: String, _ peer: Int32, _ who: PeerCredentials) {
        guard readers.count.load(ordering: .acquiring) < Self.readersMax else {
            return Self.answer(peer, "refused \(Self.readersMax) disks are being read: ask again")
        }
        _ = readers.count.add(1, ordering: .acquiringAndReleasing)
        let (readers, report) = (readers, report)
        do throws(SystemError) {
            _ = try PinnedThread.start(name: "health") {
                let result = Self.carryOut(.health(disk: disk), who, report) {
                    () throws(HelperError) in try HostChanger.health(of: disk)
                }
                Self.answer(peer, result)
                _ = readers.count.subtract(1, ordering: .acquiringAndReleasing)
            }
        } catch {
            _ = readers.count.subtract(1, ordering: .acquiringAndReleasing)
            Self.answer(peer, "failed \(error)")
        }
    }

    private static func carryOut(
        _ request: HelperRequest, _ who: PeerCredentials, _ report: (Bool, String) -> Void,
        _ perform: () throws(HelperError) -> HelperAnswer
    ) -> String {
        do throws(HelperError) {
            let done = try perform()
            // The service address is renewed twice a second.
            let isRenewal = if case .serviceAddress = request { done.undo == nil } else { false }
            if request.isChange, !isRenewal {
                let undo =
                    done.undo.map { "; undo: \($0.line)" }
                    ?? "; \(done.lines.first ?? "no change")"
                report(false, "user \(who.userID): \(request.line)\(undo)")
            }
            let first = done.undo.map { "ok \($0.line)" } ?? "ok"
            return ([first] + done.lines).joined(separator: "\n")
        } catch {
            report(true, "user \(who.userID): \(request.line): \(error)")
            return error.description.split(separator: "\n").joined(separator: " ")
        }
    }

    /// A line without its newline; nil when it is too long, too slow or none.
    private static func readLine(_ peer: Int32) -> String? {
        let deadline = Clock.monotonicNanos() + Int64(lineMillisMax) * 1_000_000
        var bytes: [UInt8] = []
        while bytes.count <= HelperRequest.bytesMax {
            let left = (deadline - Clock.monotonicNanos()) / 1_000_000
            var waiting = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
            guard left > 0, unsafe poll(&waiting, 1, Int32(left)) > 0 else { return nil }
            var chunk = [UInt8](repeating: 0, count: HelperRequest.bytesMax + 1 - bytes.count)
            let count = unsafe read(peer, &chunk, chunk.count)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
            if let end = bytes.firstIndex(of: 0x0A) {
                guard end == bytes.count - 1 else { return nil }
                return String(validating: bytes[..<end], as: UTF8.self)
            }
        }
        return nil
    }

    /// Answers and closes the connection.
    private static func answer(_ peer: Int32, _ text: String) {
        defer { _ = close(peer) }
        let bytes = Array("\(text)\n\n".utf8)
        var sent = 0
        while sent < bytes.count {
            var waiting = pollfd(fd: peer, events: Int16(POLLOUT), revents: 0)
            guard unsafe poll(&waiting, 1, lineMillisMax) > 0 else { return }
            let count = unsafe send(
                peer, Array(bytes[sent...]), bytes.count - sent,
                Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            guard count > 0 else { return }
            sent += count
        }
    }
}
