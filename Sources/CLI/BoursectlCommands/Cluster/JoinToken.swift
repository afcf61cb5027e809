// Join tokens: how a host proves to the first one that its owner wants it in the cluster.

import JSON
import Platform
import Secrets
import Terms

/// What an operator copies from the first host to one that joins.
///
/// As text `bourse1.NAME=ADDRESS:PORT.FINGERPRINT.SECRET`: whom to reach and under which name, the
/// SHA-256 of the authority's certificate, and 32 random bytes.
package struct JoinToken: Hashable {
    /// The first host's name.
    package var founder: String
    /// Where it takes joins, as `10.0.0.1:7412`.
    package var place: String
    /// SHA-256 of the authority's certificate in DER.
    package var fingerprint: [UInt8]
    /// What proves that its bearer was invited.
    package var secret: [UInt8]

    private static let mark = "bourse1."

    /// A token of these parts.
    package init(founder: String, place: String, fingerprint: [UInt8], secret: [UInt8]) {
        (self.founder, self.place, self.fingerprint, self.secret) = (
            founder, place, fingerprint, secret
        )
    }

    /// Reads what `text` gives; nil for anything else.
    package init?(_ text: String) {
        // The name and the address have dots too: the other parts are behind the last two.
        guard text.utf8.count <= 512, text.hasPrefix(Self.mark) else { return nil }
        let rest = text.dropFirst(Self.mark.count)
        let parts = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3, let secret = hexBytes(parts[parts.count - 1], isLowerCase: true),
            let fingerprint = hexBytes(parts[parts.count - 2], isLowerCase: true),
            secret.count == 32, fingerprint.count == 32
        else { return nil }
        let whom = parts.dropLast(2).joined(separator: ".").split(separator: "=")
        guard whom.count == 2 else { return nil }
        self.init(
            founder: String(whom[0]), place: String(whom[1]), fingerprint: fingerprint,
            secret: secret)
    }

    /// As it is copied.
    package var text: String {
        "\(Self.mark)\(founder)=\(place).\(fingerprint.hexText).\(secret.hexText)"
    }
}

/// An invitation as the first host keeps it: of the token's secret only the hash.
package struct Invitation: Hashable {
    /// Whom it is for.
    package var host: String
    /// SHA-256 of the token's secret.
    package var hash: [UInt8]
    /// When it ends, in seconds since 1970.
    package var ends: Int64
    /// SHA-256 of the public key that used it; empty: unused.
    package var usedBy: [UInt8] = []
    /// Whether that host has said that it has everything.
    package var isDone = false

    /// How long a token is good for, in seconds.
    package static let seconds: Int64 = 3_600

    /// A new one, and its secret.
    package static func make(for host: String, now: Int64) -> (Invitation, secret: [UInt8]) {
        let secret = SystemRandom.bytes(32)
        return (
            Invitation(host: host, hash: SHA256.digest(secret), ends: now + seconds), secret
        )
    }

    package init(host: String, hash: [UInt8], ends: Int64) {
        (self.host, self.hash, self.ends) = (host, hash, ends)
    }

    /// Why a host with this key may not join by it at this time, or nil. The key that used it first
    /// may come again: it may have died before it had everything.
    package func refusal(of host: String, key: [UInt8], now: Int64) -> JoinRefusal? {
        guard host == self.host else { return .otherHost }
        guard usedBy.isEmpty || usedBy == key else { return .used }
        return now < ends ? nil : .expired
    }
}

/// Why a host may not join.
package enum JoinRefusal: String, Hashable {
    /// No invitation has this secret.
    case unknown
    /// The token is another host's.
    case otherHost
    /// Another host has used it, or this one with another key.
    case used
    /// It is too old.
    case expired

    /// What the host that asked shows its operator.
    package func words(_ host: String) -> (problem: String, repair: String) {
        let again = "get a new token on the first host: sudo boursectl cluster invite \(host)"
        return switch self {
        case .unknown:
            ("the first host does not know this token; it may have been replaced", again)
        case .otherHost: ("the token is for another host than \(host)", again)
        case .used: ("the token was used already, with another key than this host's", again)
        case .expired: ("the token has expired", again)
        }
    }
}

/// The invitations of a cluster, in a file that only root reads. They are changed by `change`.
package struct Invitations {
    /// Where they are kept.
    package let file: String
    /// All of them: the last one of each host.
    package private(set) var all: [Invitation] = []

    /// Reads them; none where there is no file.
    package init(file: String) throws {
        self.file = file
        guard let text = try TextFile.read(file) else { return }
        guard let json = JSONValue(parsing: text.utf8), let all = json.rows(Self.invitation) else {
            throw CommandError(
                "\(file) is damaged", repair: "remove it: every host then needs a new token")
        }
        self.all = all
    }

    /// Reads them and has `body` change them, while no other process does: a second one waits for
    /// a moment.
    package static func change<Value>(
        _ file: String, _ body: (inout Invitations) throws -> Value
    ) throws -> Value {
        let lock = try lock(file)
        defer { withExtendedLifetime(lock) {} }
        var invitations = try Invitations(file: file)
        return try body(&invitations)
    }

    private static func lock(_ file: String) throws -> StateLock {
        let deadline = Clock.monotonicNanos() + lockNanosMax
        while true {
            do throws(StateLockError) {
                return try StateLock(directory: Directory.parent(of: file) ?? ".", name: lockName)
            } catch {
                guard case .held(_, let process) = error else { throw error }
                guard Clock.monotonicNanos() < deadline else {
                    throw CommandError(
                        "\(file) is being changed by process \(process.map { "\($0)" } ?? "?")",
                        repair: "wait until it has ended, then repeat the same command")
                }
                Clock.sleep(nanos: 5_000_000)
            }
        }
    }

    /// A change takes milliseconds.
    private static let lockNanosMax: Int64 = 10_000_000_000
    private static let lockName = "invitations.lock"

    /// Adds one in place of the host's former one, and makes that durable.
    package mutating func put(_ invitation: Invitation) throws {
        all.removeAll { $0.host == invitation.host }
        all.append(invitation)
        try write()
    }

    private func write() throws {
        let rows = all.map { one -> JSONValue in
            [
                "host": .string(one.host), "hash": .string(one.hash.hexText),
                "ends": .number(one.ends), "usedBy": .string(one.usedBy.hexText),
                "done": .bool(one.isDone),
            ]
        }
        try TextFile.write(JSONValue.array(rows).pretty + "\n", to: file, mode: 0o600)
    }

    /// Takes back the one of a host, and makes that durable.
    package mutating func withdraw(_ host: String) throws {
        guard all.contains(where: { $0.host == host }) else { return }
        all.removeAll { $0.host == host }
        try write()
    }

    /// The one with this secret; each is compared in the same time.
    package func find(_ secret: [UInt8]) -> Invitation? {
        let hash = SHA256.digest(secret)
        return all.first { isEqual($0.hash, hash) }
    }

    /// Whether this host has joined.
    package func isDone(_ host: String) -> Bool { all.contains { $0.host == host && $0.isDone } }

    private static func invitation(_ json: JSONValue) -> Invitation? {
        guard let host = json["host"]?.text,
            let hash = json["hash"]?.text.flatMap({ hexBytes($0, isLowerCase: true) }),
            let ends = json["ends"]?.whole,
            let usedBy = json["usedBy"]?.text.flatMap({ hexBytes($0, isLowerCase: true) }),
            let isDone = json["done"]?.flag
        else { return nil }
        var one = Invitation(host: host, hash: hash, ends: ends)
        (one.usedBy, one.isDone) = (usedBy, isDone)
        return one
    }
}
