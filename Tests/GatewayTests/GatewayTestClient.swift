// A client with plain sockets: HTTP/1.1 and WebSocket, as bytes.

import Glibc
import JSON
import Platform
import Secrets
import SpotAPI
import Testing

/// An HTTP answer.
struct TestReply {
    var status: Int
    var headers: [String: String]
    var body: String

    /// The body as JSON; null where it is none.
    var json: JSONValue { JSONValue(parsing: Array(body.utf8)) ?? .null }
    /// The error's code, or nil.
    var code: Int? {
        guard case .numeral(let text) = json["code"] else { return nil }
        return Int(text)
    }
}

extension TestReply {
    /// A member of the reply that is a string.
    func text(_ name: String) -> String? {
        if case .string(let text) = json[name] { text } else { nil }
    }

    /// How many items it has, where it is a list.
    var count: Int? { json.itemCount }
}

extension JSONValue {
    /// How many items it has, where it is a list.
    var itemCount: Int? {
        if case .array(let items) = self { items.count } else { nil }
    }
}

/// One connection to a gateway on this host.
final class TestClient {
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// Whether the last read ended because nothing came.
    private var hasTimedOut = false

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError.last("connect to", "port \(port)") }
    }

    deinit { close(descriptor) }

    // MARK: HTTP

    /// Sends a request and waits for its answer.
    func call(
        _ method: String, _ target: String, key: String? = nil, body: String = ""
    ) throws -> TestReply {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        if let key { text += "X-MBX-APIKEY: \(key)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        send(Array((text + "\r\n" + body).utf8))
        return try #require(readReply(), "an answer to \(method) \(target)")
    }

    /// Sends a signed POST and does not wait for its answer.
    func post(_ path: String, _ key: String, _ parameters: String) {
        let body = Self.sign(parameters, GatewayExchange.secret, 60_000)
        send(
            Array(
                ("POST \(path) HTTP/1.1\r\nHost: test\r\nX-MBX-APIKEY: \(key)\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8))
    }

    /// Parameters with the time and their signature.
    static func sign(_ parameters: String, _ secret: String, _ recvWindow: Int) -> String {
        // In microseconds: the same request twice in a millisecond would be taken once.
        let time = "timestamp=\(Clock.realtimeNanos() / 1_000)&recvWindow=\(recvWindow)"
        let text = parameters.isEmpty ? time : parameters + "&" + time
        let code = HMACSHA256.code(key: SecretBytes(Array(secret.utf8)), Array(text.utf8))
        let hex = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return text + "&signature=" + hex
    }

    /// Sends a signed request, and waits for its answer; parameters go into the body of a POST,
    /// else into the query.
    func signed(
        _ method: String, _ path: String, _ key: String, _ parameters: String = "",
        secret: String = GatewayExchange.secret, recvWindow: Int = 60_000
    ) throws -> TestReply {
        let all = Self.sign(parameters, secret, recvWindow)
        return method == "POST"
            ? try call(method, path, key: key, body: all)
            : try call(method, path + "?" + all, key: key)
    }

    func send(_ bytes: [UInt8]) {
        _ = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// The next answer; nil when the connection was closed.
    func readReply() -> TestReply? {
        guard let head = readLine(until: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = head.split(separator: "\r\n")
        guard let first = lines.first, let status = Int(first.split(separator: " ")[1]) else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let count = Int(headers["content-length"] ?? "0") ?? 0
        guard let body = take(count) else { return nil }
        return TestReply(
            status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
    }

    /// Whether the other side closes, within the time-out.
    func isClosed() -> Bool {
        while fill() {}
        return !hasTimedOut
    }

    private func readLine(until mark: [UInt8]) -> String? {
        while true {
            if let end = pending.firstRange(of: mark) {
                let text = String(decoding: pending[..<end.lowerBound], as: UTF8.self)
                pending.removeSubrange(..<end.upperBound)
                return text
            }
            guard fill() else { return nil }
        }
    }

    private func take(_ count: Int) -> [UInt8]? {
        while pending.count < count { guard fill() else { return nil } }
        defer { pending.removeFirst(count) }
        return Array(pending[..<count])
    }

    private func fill() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        hasTimedOut = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
        guard count > 0 else { return false }
        pending += buffer[..<count]
        return true
    }

    // MARK: WebSocket

    /// Asks for a WebSocket; the answer's status.
    func upgrade(_ target: String) -> Int {
        send(
            Array(
                """
                GET \(target) HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
                """.utf8))
        return readReply()?.status ?? 0
    }

    /// Sends a masked text frame.
    func sendText(_ text: String) {
        let bytes = Array(text.utf8)
        precondition(bytes.count < 65_536, "a short text")
        var frame: [UInt8] = [0x81]
        if bytes.count < 126 {
            frame.append(0x80 | UInt8(bytes.count))
        } else {
            frame += [0x80 | 126, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)]
        }
        let mask: [UInt8] = [1, 2, 3, 4]
        frame += mask
        for (i, byte) in bytes.enumerated() { frame.append(byte ^ mask[i & 3]) }
        send(frame)
    }

    /// The next text message; pings are passed over. Nil when the connection was closed.
    func readText() -> String? {
        while let head = take(2) {
            var count = Int(head[1] & 0x7F)
            if count == 126 {
                guard let more = take(2) else { return nil }
                count = Int(more[0]) << 8 | Int(more[1])
            } else if count == 127 {
                guard let more = take(8) else { return nil }
                count = more.reduce(0) { $0 << 8 | Int($1) }
            }
            guard let body = take(count) else { return nil }
            if head[0] & 0x0F == 1 { return String(decoding: body, as: UTF8.self) }
            if head[0] & 0x0F == 8 { return nil }
        }
        return nil
    }
}
