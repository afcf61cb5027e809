// The gateways on hosts of their own that were removed: their old certificates are refused.

internal import Glibc
public import Platform

/// What `boursectl cluster remove-gateway` keeps in each host's directory of the cluster: the names
/// that were removed, and when. Certificates of such a name that were made until then are refused,
/// whatever their number; a later one is good.
///
/// Each host has a list of its own, which matchd reads without asking anybody: so it counts while
/// etcd or the other host is away, and over restarts and failovers. As text it is a line for each
/// name, `g1 1764265200`, in seconds since 1970.
public struct RemovedGateways: Hashable, Sendable {
    /// When each was removed, by name.
    public private(set) var times: [String: Int64] = [:]

    /// Maximum names.
    public static var countMax: Int { 256 }
    private static var bytesMax: Int { 16_384 }

    /// None.
    public init() {}

    /// Those in this file; none where there is no file. Throws where it cannot be read.
    public init(file path: String) throws(SystemError) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File(path, .read).read(count: Self.bytesMax + 1)
        } catch {
            if error.isMissing { return }
            throw error
        }
        guard bytes.count <= Self.bytesMax, let text = String(validating: bytes, as: UTF8.self),
            let parsed = Self(text: text)
        else { throw SystemError(code: EBADMSG, operation: "understand", path: path) }
        self = parsed
    }

    /// The list of this text; nil: it is damaged.
    public init?(text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let time = Int64(words[1]), times.count < Self.countMax else {
                return nil
            }
            times[String(words[0])] = max(time, times[String(words[0])] ?? .min)
        }
    }

    /// The text.
    public var text: String {
        times.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
    }

    /// Adds a name at a time, in place of an earlier one; false where there is no room.
    public mutating func add(_ name: String, at time: Int64) -> Bool {
        guard times[name] != nil || times.count < Self.countMax else { return false }
        times[name] = max(time, times[name] ?? .min)
        return true
    }

    /// Forgets those that were removed before a time.
    public mutating func forget(before time: Int64) { times = times.filter { $0.value >= time } }

    /// Whether a certificate of this name is refused that was made at this time.
    public func refuses(_ name: String, made: Int64) -> Bool {
        times[name].map { made <= $0 } ?? false
    }
}
