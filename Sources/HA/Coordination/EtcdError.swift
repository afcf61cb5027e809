public import Control
internal import Terms

/// Why etcd gave no definite answer.
public enum EtcdError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The settings cannot be used: why.
    case settings(String)
    /// The certificates cannot be read: which, and why.
    case certificates(String)
    /// No member answered: each one's reason.
    case unreachable([String])
    /// A member belongs to another cluster.
    case otherCluster(expected: UInt64, found: UInt64)
    /// There is no record, where one must be.
    case noRecord
    /// A value is not what it should be: the key, and why.
    case value(key: String, RecordError)

    /// The reason, as a sentence without a full stop.
    public var description: String {
        switch self {
        case .settings(let why): "etcd cannot be used: \(why)"
        case .certificates(let why): "the certificates for etcd cannot be used: \(why)"
        case .unreachable(let reasons): "etcd gives no answer: \(reasons.joined(separator: "; "))"
        case .otherCluster(let expected, let found):
            "etcd's cluster id is \(found.hexText), not \(expected.hexText)"
        case .noRecord: "etcd has no record or no floor"
        case .value(let key, let why): "etcd's value of \(key) is not taken: \(why)"
        }
    }
}
