// Why a connection between hosts was not made, or ended.

public import Platform

/// A failed connection by TLS. Its description is one line that an operator can act on; it holds
/// no secret.
public enum TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operating system's refusal.
    case system(SystemError)
    /// A file that can't be used: what it should hold, and OpenSSL's words.
    case file(path: String, holds: String, reason: String)
    /// The key is another certificate's.
    case keyMismatch(key: String, certificate: String)
    /// Every user may read the key.
    case permissions(path: String, mode: UInt32)
    /// The peer's certificate did not pass: X509_V_ERR_…, and OpenSSL's words.
    case certificate(peer: String, expected: [String], code: Int32, reason: String)
    /// The peer refused this host, by an alert (RFC 8446, 6).
    case refused(peer: String, alert: Int32)
    /// What came is no TLS 1.3, or broken.
    case handshake(peer: String, reason: String)
    /// A deadline passed during this.
    case timedOut(peer: String, during: String)
    /// The connection ended in the middle.
    case cut(peer: String)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .file(let path, let holds, let reason):
            "cannot use \(path): \(reason); it must hold \(holds) in PEM: "
                + "put the file of this cluster there"
        case .keyMismatch(let key, let certificate):
            "the key in \(key) is not that of the certificate in \(certificate): "
                + "put both of them there from the same place"
        case .permissions(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)), so that every user can read the key: "
                + "chmod o= it, and renew it if others had access to this host"
        case .certificate(let peer, let expected, let code, let reason):
            Self.describe(peer, expected, code, reason)
        case .refused(let peer, let alert): "\(peer) refused this host: \(Self.describe(alert))"
        case .handshake(let peer, let reason):
            "no TLS 1.3 with \(peer): \(reason); check what listens there and that nothing "
                + "between the hosts changes what is sent"
        case .timedOut(let peer, let during): "\(peer) took too long to \(during)"
        case .cut(let peer): "\(peer) ended the connection in the middle"
        }
    }

    private static func describe(
        _ peer: String, _ expected: [String], _ code: Int32, _ reason: String
    ) -> String {
        let start = "the certificate of \(peer)"
        switch code {
        case 9: return "\(start) is not valid yet: set the clocks of both hosts"
        case 10: return "\(start) has expired: renew it there; if it is new, set this host's clock"
        case 62:
            let names = expected.joined(separator: " or ")
            return "\(start) is not for \(names): correct the name or the address in the "
                + "configuration, or issue a certificate for that name"
        case 2, 7, 18, 19, 20, 21:
            return "\(start) is not by this cluster's authority (\(reason)): join that host to "
                + "this cluster, or correct the address"
        default: return "\(start) was not accepted: \(reason); issue a new one there"
        }
    }

    private static func describe(_ alert: Int32) -> String {
        switch alert {
        case 42:
            "this host's certificate does not have the name that is expected there: compare "
                + "the hosts' names in both configurations"
        case 43, 46: "it does not accept this host's certificate: issue a new one"
        case 45:
            "this host's certificate has expired or is not valid yet: renew it, and set both "
                + "clocks"
        case 48: "this host's certificate is by another authority: join this host to that cluster"
        case 116: "it got no certificate of this host"
        case 70: "it does not speak TLS 1.3"
        default: "alert \(alert) of RFC 8446"
        }
    }
}
