// Errors of this side of a Link.

public import Platform

/// A failed connection attempt or a broken Link.
public enum LinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A call to the system failed.
    case system(SystemError)
    /// Nobody listens there.
    case notRunning(address: String)
    /// The other side closed the connection.
    case closed
    /// No answer came in time.
    case timedOut
    /// The other side reported an error, or sent something invalid.
    case refused(LinkRefusal)

    /// The error, and what to do.
    public var description: String {
        switch self {
        case .system(let error): error.description
        case .notRunning(let address):
            "nobody listens at \(address): is bourse-matchd running, with this configuration?"
        case .closed: "the connection was closed by the other side"
        case .timedOut: "no answer came in time"
        case .refused(let refusal): refusal.text
        }
    }
}
