// A connection between two hosts of a cluster: TLS 1.3 (RFC 8446) by libssl, certificates on both
// sides.

internal import CSSL
internal import Glibc
internal import Platform

/// Where a host's proof of itself is: PEM files by path.
public struct TLSFiles: Hashable, Sendable {
    /// The cluster's authority: only certificates by it are accepted.
    public let authority: String
    /// This host's certificate; empty where it has none yet.
    public let certificate: String
    /// Its key, which others than owner and group must not read; empty with the certificate.
    public let key: String

    /// These files.
    public init(authority: String, certificate: String, key: String) {
        (self.authority, self.certificate, self.key) = (authority, certificate, key)
    }

    /// Only the authority: a client that has no certificate, for it joins the cluster.
    public init(authority: String) {
        (self.authority, certificate, key) = (authority, "", "")
    }
}

/// A stream of bytes to a peer that has shown a certificate by the cluster's authority for one of
/// the expected names, as a DNS name of its subject's alternatives. An expected name that begins
/// with a dot is the end of names: `peerName` is then the whole one.
///
/// One thread uses it. Its socket does not block: what can't be done at once says what it waits for
/// (`StepResult.wait`), or has a deadline by the monotonic clock in nanoseconds. After an error
/// there is nothing more to do than to let go of it. Files are read at each connection, so that a
/// renewed certificate is used from the next one on. No tickets, no early data, no renegotiation.
@safe public final class TLSStream {
    /// What was done of a step.
    public enum StepResult: Hashable, Sendable {
        /// So many bytes; 0 of a handshake or an end.
        case done(Int)
        /// Nothing: again when the socket has these events of poll(2).
        case wait(Int16)
        /// The peer said that nothing more comes.
        case ended
    }

    /// The socket, for poll(2). It is closed with the stream.
    public let descriptor: Int32
    /// The peer's name, one of those that were expected; empty before the handshake is done.
    public private(set) var peerName = ""
    /// When the peer's certificate was made, seconds since 1970; before all times where that is not
    /// known or the handshake is not done.
    public private(set) var peerMade = Int64.min
    private let tls: UnsafeMutableRawPointer
    private let address: String
    private let expected: [String]
    private var isReady = false

    /// Takes over a connected socket, which does not block; the handshake is still to be done.
    /// `address` is what messages call the peer by.
    public convenience init(
        _ descriptor: Int32, isServer: Bool, address: String, files: TLSFiles,
        expecting names: [String]
    ) throws(TLSError) {
        precondition(
            !names.isEmpty && names.allSatisfy { !$0.isEmpty && !$0.utf8.contains(0) },
            "a peer has a name")
        try self.init(descriptor, isServer, address, files, names)
    }

    /// The server's side of a socket that anybody may have connected: the client shows no
    /// certificate and has to prove by what it sends who it is.
    public convenience init(
        acceptingAnybodyOn descriptor: Int32, address: String, files: TLSFiles
    ) throws(TLSError) {
        try self.init(descriptor, true, address, files, [])
    }

    private init(
        _ descriptor: Int32, _ isServer: Bool, _ address: String, _ files: TLSFiles,
        _ names: [String]
    ) throws(TLSError) {
        precondition(!isServer || !files.certificate.isEmpty, "a server has a certificate")
        (self.descriptor, self.address, expected) = (descriptor, address, names)
        do throws(TLSError) {
            let context = unsafe try Self.context(files)
            defer { unsafe bourse_tls_context_free(context) }
            let list = names.flatMap { Array($0.utf8) + [UInt8(0)] } + [UInt8(0)]
            let made = unsafe list.withUnsafeBufferPointer { list in
                unsafe list.withMemoryRebound(to: CChar.self) {
                    unsafe bourse_tls_new(context, descriptor, isServer ? 1 : 0, $0.baseAddress!)
                }
            }
            guard let made = unsafe made else { throw Self.noMemory }
            unsafe tls = made
        } catch {
            _ = close(descriptor)
            throw error
        }
    }

    deinit {
        unsafe bourse_tls_free(tls)
        _ = close(descriptor)
    }

    /// Connects to `address` (numeric, as `10.0.0.2:7001`) and shakes hands, all before the
    /// deadline. That the peer accepted this host shows only when the first bytes come from it.
    public static func connect(
        to address: String, files: TLSFiles, expecting names: [String], deadline: Int64
    ) throws(TLSError) -> TLSStream {
        let socket: Int32
        do throws(SystemError) {
            socket = try TCPSocket.connect(
                address, timeoutNanos: max(0, deadline - Clock.monotonicNanos()))
        } catch { throw .system(error) }
        let stream = try TLSStream(
            socket, isServer: false, address: address, files: files, expecting: names)
        try stream.handshake(deadline: deadline)
        return stream
    }

    /// The server's side of the next connection that waits on `listener`; the handshake is still to
    /// be done. Nil: none waits.
    public static func accept(
        _ listener: Int32, address: String, files: TLSFiles, expecting names: [String]
    ) throws(TLSError) -> TLSStream? {
        let socket: Int32?
        do throws(SystemError) { socket = try TCPSocket.accept(listener) } catch {
            throw .system(error)
        }
        guard let socket else { return nil }
        return try TLSStream(
            socket, isServer: true, address: address, files: files, expecting: names)
    }

    // MARK: Steps

    /// Goes on with the handshake; `done(0)` once the peer has proved its name.
    public func handshake() throws(TLSError) -> StepResult {
        if isReady { return .done(0) }
        let progress = try progress(unsafe bourse_tls_handshake(tls), 0, "shake hands with")
        switch progress {
        case .wait: return progress
        case .ended: throw .cut(peer: address)
        case .done: break
        }
        var name = [CChar](repeating: 0, count: 256)
        unsafe bourse_tls_peer(tls, &name, name.count)
        peerName = Self.text(name)
        peerMade = unsafe bourse_tls_peer_made(tls)
        precondition(expected.isEmpty || !peerName.isEmpty, "a peer that was accepted has a name")
        isReady = true
        return progress
    }

    /// Reads what there is, at most as much as `room` holds, which is not empty. After a handshake
    /// and after bytes, more may be in memory: wait for the socket only once this says `wait`.
    public func read(into room: UnsafeMutableRawBufferPointer) throws(TLSError) -> StepResult {
        precondition(isReady, "the handshake is done")
        guard let start = room.baseAddress, room.count > 0 else {
            preconditionFailure("there is room to read into")
        }
        var count = 0
        let status = unsafe bourse_tls_read(tls, start, room.count, &count)
        return try progress(status, count, "read from")
    }

    /// Writes what the socket takes of `bytes`, which are not empty. After `wait` the same bytes
    /// come again, or more with them at the front.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) -> StepResult {
        precondition(isReady, "the handshake is done")
        guard let start = bytes.baseAddress, bytes.count > 0 else {
            preconditionFailure("there is something to write")
        }
        var count = 0
        let status = unsafe bourse_tls_write(tls, start, bytes.count, &count)
        return try progress(status, count, "write to")
    }

    /// Says that nothing more will be written; the peer's bytes can still be read.
    public func end() throws(TLSError) -> StepResult {
        precondition(isReady, "the handshake is done")
        return try progress(unsafe bourse_tls_end(tls), 0, "write to")
    }

    // MARK: With deadlines

    /// Shakes hands before the deadline.
    public func handshake(deadline: Int64) throws(TLSError) {
        while case .wait(let events) = try handshake() { try wait(events, deadline, "shake hands") }
    }

    /// Reads at least one byte before the deadline; 0 where the peer said that nothing more comes.
    public func read(
        into room: UnsafeMutableRawBufferPointer, deadline: Int64
    ) throws(TLSError) -> Int {
        while true {
            switch unsafe try read(into: room) {
            case .done(let count): return count
            case .ended: return 0
            case .wait(let events): try wait(events, deadline, "send")
            }
        }
    }

    /// Writes all of it before the deadline.
    public func writeAll(_ bytes: UnsafeRawBufferPointer, deadline: Int64) throws(TLSError) {
        var rest = unsafe bytes
        while rest.count > 0 {
            switch unsafe try write(rest) {
            case .done(let count):
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            case .ended: throw .cut(peer: address)
            case .wait(let events): try wait(events, deadline, "take what is sent")
            }
        }
    }

    /// Says before the deadline that nothing more will be written.
    public func end(deadline: Int64) throws(TLSError) {
        while case .wait(let events) = try end() { try wait(events, deadline, "take the end") }
    }

    private func wait(_ events: Int16, _ deadline: Int64, _ during: String) throws(TLSError) {
        guard TCPSocket.wait(descriptor, events, deadline: deadline) else {
            throw .timedOut(peer: address, during: during)
        }
    }

    // MARK: What libssl says

    private static let noMemory = TLSError.system(
        SystemError(code: ENOMEM, operation: "make", path: "a TLS connection"))

    private static func text(_ characters: [CChar]) -> String {
        String(
            decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func progress(
        _ status: Int32, _ count: Int, _ operation: String
    ) throws(TLSError) -> StepResult {
        switch UInt32(bitPattern: status) {
        case bourse_tls_done.rawValue: return .done(count)
        case bourse_tls_wants_read.rawValue: return .wait(Int16(POLLIN))
        case bourse_tls_wants_write.rawValue: return .wait(Int16(POLLOUT))
        case bourse_tls_ended.rawValue: return .ended
        case bourse_tls_cut.rawValue: throw .cut(peer: address)
        case bourse_tls_system.rawValue: throw .system(.last(operation, address))
        default: throw failure()
        }
    }

    private func failure() -> TLSError {
        var (check, alert): (Int32, Int32) = (0, -1)
        var reason = [CChar](repeating: 0, count: 160)
        unsafe bourse_tls_reason(tls, &check, &alert, &reason, reason.count)
        let words = Self.text(reason)
        if alert >= 0 { return .refused(peer: address, alert: alert) }
        if check != 0 {
            return .certificate(peer: address, expected: expected, code: check, reason: words)
        }
        return .handshake(peer: address, reason: words)
    }

    private static func context(_ files: TLSFiles) throws(TLSError) -> UnsafeMutableRawPointer {
        let (certificate, key) = (files.certificate, files.key)
        let mode: UInt32?
        do throws(SystemError) {
            for path in [files.authority, files.certificate] where !path.isEmpty {
                _ = try File(path, .read)
            }
            mode = key.isEmpty ? nil : try File(key, .read).permissions()
        } catch { throw .system(error) }
        if let mode, mode & 0o007 != 0 { throw .permissions(path: key, mode: mode) }
        var step: Int32 = 0
        var characters = [CChar](repeating: 0, count: 160)
        let context = unsafe bourse_tls_context(
            files.authority, files.certificate, files.key, &step, &characters, characters.count)
        if let context = unsafe context { return unsafe context }
        let reason = text(characters)
        switch step {
        case 1:
            throw .file(path: files.authority, holds: "the authority's certificate", reason: reason)
        case 2:
            throw .file(path: certificate, holds: "this host's certificate", reason: reason)
        case 3:
            throw .file(path: key, holds: "its key without a passphrase", reason: reason)
        case 4: throw .keyMismatch(key: key, certificate: certificate)
        default: throw noMemory
        }
    }
}
