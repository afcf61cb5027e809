// The client of the signer's socket: one request a connection. A request and its answer are one
// line each, a JSON text without a line end in it.

internal import Glibc
package import JSON
public import Payments
internal import Platform

/// Why the signer gave no usable answer. What was asked for may have been signed all the same: the
/// same request, or any other for the same withdrawals, brings it back.
public enum SignerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nobody listens at the socket.
    case absent(socket: String)
    /// There was no whole answer in time, or the connection was closed before it.
    case silent(String)
    /// The answer cannot be read.
    case malformed

    /// What happened, for a log.
    public var description: String {
        switch self {
        case .absent(let socket): "the signer does not run: nobody listens at \(socket)"
        case .silent(let why): "the signer gives no answer: \(why)"
        case .malformed: "the signer's answer cannot be read: are both of the same version?"
        }
    }
}

/// The lines of the signer's socket.
public enum SignerLine {
    /// The end of a line.
    package static var end: UInt8 { UInt8(ascii: "\n") }

    /// The line of a text.
    package static func bytes(_ json: JSONValue) -> [UInt8] { Array(json.compact.utf8) + [end] }

    /// The value of a whole line; nil for anything else: more or less than one line, or no JSON.
    package static func value(_ bytes: [UInt8], bytesMax: Int) -> JSONValue? {
        guard bytes.last == end, bytes.count <= bytesMax + 1,
            bytes.firstIndex(of: end) == bytes.count - 1
        else { return nil }
        return JSONValue(parsing: bytes.dropLast())
    }
}

/// The signer, by its socket.
public struct SignerClient: Sendable {
    /// The path of its Unix socket.
    public let socket: String

    /// A client of the signer at this socket.
    public init(socket: String) { self.socket = socket }

    /// Asks for a signature; waits at most `milliseconds`.
    public func ask(
        _ request: SigningRequest, milliseconds: Int64
    ) throws(SignerError) -> SigningAnswer {
        let bytes: [UInt8]
        let nanos = max(0, milliseconds).multipliedReportingOverflow(by: 1_000_000)
        do throws(SystemError) {
            bytes = try UnixSocket.ask(
                socket, SignerLine.bytes(request.json), bytesMax: SigningAnswer.textBytesMax + 1,
                timeoutNanos: nanos.overflow ? .max / 2 : nanos.partialValue,
                isWhole: { $0.last == SignerLine.end })
        } catch {
            if error.isMissing || error.code == ECONNREFUSED { throw .absent(socket: socket) }
            throw .silent("\(error)")
        }
        guard !bytes.isEmpty else { throw .silent("it closed the connection; may this user ask?") }
        guard let json = SignerLine.value(bytes, bytesMax: SigningAnswer.textBytesMax),
            let answer = SigningAnswer(json)
        else { throw .malformed }
        return answer
    }
}
