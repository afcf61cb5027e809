// What goes wrong on a Link, on this side of it.

public import Platform

/// A Link that cannot be made or does not hold.
public enum LinkError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A call to the system failed.
    case system(SystemError)
    /// Nobody listens there.
    case notRunning(address: String)
    /// The other side closed the connection.
    case closed
    /// No answer came in time.
    case timedOut
    /// The other side said what is wrong, or what it sent is none of the Link's.
    case refused(LinkRefusal)

    /// What it is and what to do.
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
