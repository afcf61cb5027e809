// What a host that joins and the first host say to each other: a line of JSON each way, and a last
// one when the host has everything.
//
//   first host → BOURSE-JOIN 1, the authority's certificate in PEM, an empty line (in the clear:
//                the token holds its SHA-256)
//   TLS 1.3, the first host with its certificate
//   host       → a `JoinRequest`
//   first host → a `JoinReply`, or {"problem", "repair"}
//   host       → {"done": true}

import Glibc
import JSON
import Platform
import Secrets
import Terms

/// The bounds of a join.
enum JoinLimits {
    /// What both sides begin with.
    static let greeting = "BOURSE-JOIN 1\n"
    /// Maximum size of a line, in bytes: a configuration file is most of it.
    static let lineBytesMax = 1 << 20
    /// Maximum size of what a host asks, in bytes.
    static let requestBytesMax = 16_384
    /// Maximum size of the greeting with the certificate, in bytes.
    static let greetingBytesMax = 16_384
    /// How long each side waits for the other, in nanoseconds.
    static let nanosMax: Int64 = 10_000_000_000
    /// How long a connection may say nothing while others wait, in nanoseconds: behind as many of
    /// them as wait at most, the next is served within `nanosMax`.
    static let idleNanosMax: Int64 = 500_000_000
    /// Maximum number of connections that wait.
    static let waitingMax: Int32 = 8
    /// How long the first host waits until a host has everything in its files.
    static let storeNanosMax: Int64 = 60_000_000_000
    /// How far the clocks of two hosts may be apart, in seconds.
    static let clockSecondsMax: Int64 = 30
}

/// What a host that joins asks.
struct JoinRequest: Hashable {
    /// The token's secret.
    var secret: [UInt8]
    /// Its name.
    var host: String
    /// Its address.
    var address: String
    /// What it asks the authority to sign, PEM.
    var request: String
    /// Whether it only renews its certificate.
    var isRenewal = false
    /// The token of the cluster that its member of etcd has data of; empty: it has none.
    var memberToken = ""
    /// The identity of the journal that it has, 32 hexadecimal digits; empty: none.
    var journal = ""

    /// As JSON.
    var json: JSONValue {
        [
            "secret": .string(secret.hexText), "host": .string(host),
            "address": .string(address), "request": .string(request),
            "renewal": .bool(isRenewal), "member": .string(memberToken),
            "journal": .string(journal),
        ]
    }

    init(secret: [UInt8], host: String, address: String, request: String) {
        (self.secret, self.host, self.address, self.request) = (secret, host, address, request)
    }

    init?(_ json: JSONValue) {
        guard let secret = json["secret"]?.text.flatMap({ hexBytes($0, isLowerCase: true) }),
            let host = json["host"]?.text, let address = json["address"]?.text,
            let request = json["request"]?.text, let isRenewal = json["renewal"]?.flag,
            let memberToken = json["member"]?.text,
            let journal = json["journal"]?.text
        else { return nil }
        self.init(secret: secret, host: host, address: address, request: request)
        (self.isRenewal, self.memberToken, self.journal) = (isRenewal, memberToken, journal)
    }
}

/// What the first host answers.
struct JoinReply: Hashable {
    /// The host's certificate, PEM.
    var certificate: String
    /// The plan.
    var plan: ClusterPlan
    /// The first host's clock, in seconds since 1970.
    var time: Int64
    /// Whether etcd goes on already, and this host's member is one that was added to it.
    var isAdded = false
    /// The members of etcd with the one that was added, as ETCD_INITIAL_CLUSTER has them.
    var etcdMembers = ""
    /// The journal's identity; empty for the witness.
    var journal = ""
    /// The journal's first record; empty for the witness.
    var firstRecord: [UInt8] = []
    /// The first host's bourse.toml; empty for the witness.
    var configuration = ""
    /// The key that seals API secrets; empty for the witness.
    var sealKey: [UInt8] = []
    /// The gateways that were removed, as `RemovedGateways` has them; empty for the witness.
    var removedGateways = ""

    /// As JSON.
    var json: JSONValue {
        [
            "certificate": .string(certificate), "plan": plan.json, "time": .number(time),
            "added": .bool(isAdded), "etcdMembers": .string(etcdMembers),
            "journal": .string(journal),
            "configuration": .string(configuration),
            "firstRecord": .string(firstRecord.hexText),
            "sealKey": .string(sealKey.hexText),
            "removedGateways": .string(removedGateways),
        ]
    }

    init(certificate: String, plan: ClusterPlan, time: Int64) {
        (self.certificate, self.plan, self.time) = (certificate, plan, time)
    }

    init?(_ json: JSONValue) {
        guard let certificate = json["certificate"]?.text,
            let plan = json["plan"].flatMap(ClusterPlan.init), let time = json["time"]?.whole,
            let isAdded = json["added"]?.flag, let etcdMembers = json["etcdMembers"]?.text,
            let journal = json["journal"]?.text, let configuration = json["configuration"]?.text,
            let firstRecord = json["firstRecord"]?.text.flatMap({ hexBytes($0, isLowerCase: true) }
            ),
            let sealKey = json["sealKey"]?.text.flatMap({ hexBytes($0, isLowerCase: true) })
        else { return nil }
        self.init(certificate: certificate, plan: plan, time: time)
        (self.isAdded, self.etcdMembers, self.journal) = (isAdded, etcdMembers, journal)
        (self.firstRecord, self.configuration) = (firstRecord, configuration)
        self.sealKey = sealKey
        // An earlier version has none.
        removedGateways = json["removedGateways"]?.text ?? ""
    }
}

extension TLSStream {
    /// Writes a line of JSON.
    func send(_ json: JSONValue, deadline: Int64) throws(TLSError) {
        let line = Array((json.compact + "\n").utf8)
        var failure: TLSError?
        unsafe line.withUnsafeBytes { bytes in
            do throws(TLSError) { try unsafe writeAll(bytes, deadline: deadline) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Reads a line of JSON; nil where it is none, or longer than `bytesMax`.
    func receive(bytesMax: Int, deadline: Int64) throws(TLSError) -> JSONValue? {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while line.last != 0x0A {
            guard line.count <= bytesMax else { return nil }
            var (count, failure): (Int, TLSError?) = (0, nil)
            unsafe chunk.withUnsafeMutableBytes { room in
                do throws(TLSError) {
                    count = try unsafe read(into: room, deadline: deadline)
                } catch { failure = error }
            }
            if let failure { throw failure }
            guard count > 0 else { return nil }
            line += chunk[..<count]
        }
        return JSONValue(parsing: line)
    }
}

/// The greeting, in the clear: it is the same for everybody.
enum JoinGreeting {
    /// Writes it to a socket that does not block.
    static func send(
        _ certificate: String, _ socket: Int32, deadline: Int64
    ) throws(CommandError) {
        // One empty line ends it, however many the file ends with: what follows is TLS.
        let lines = certificate.split(separator: "\n").joined(separator: "\n")
        var rest = Array((JoinLimits.greeting + lines + "\n\n").utf8)[...]
        while !rest.isEmpty {
            let part = Array(rest)
            let count = retryingInterrupts {
                unsafe Glibc.send(socket, part, part.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            guard errno == EAGAIN,
                TCPSocket.wait(socket, Int16(POLLOUT), deadline: deadline)
            else { throw CommandError("it does not take the greeting") }
        }
    }

    /// What came in its place.
    enum GreetingError: Error {
        /// Nothing at all.
        case silence
        /// Something else.
        case other
    }

    /// Reads it, and nothing behind it; gives the certificate.
    static func receive(_ socket: Int32, deadline: Int64) throws(GreetingError) -> String {
        var bytes: [UInt8] = []
        while bytes.count <= JoinLimits.greetingBytesMax {
            if bytes.suffix(2) == [0x0A, 0x0A] {
                let text = String(decoding: bytes, as: UTF8.self)
                guard text.hasPrefix(JoinLimits.greeting) else { throw .other }
                return String(text.dropFirst(JoinLimits.greeting.count).dropLast())
            }
            // Byte by byte: what is behind it belongs to TLS.
            var byte: UInt8 = 0
            let count = retryingInterrupts { unsafe recv(socket, &byte, 1, 0) }
            if count == 1 {
                bytes.append(byte)
                continue
            }
            guard count < 0, errno == EAGAIN,
                TCPSocket.wait(socket, Int16(POLLIN), deadline: deadline)
            else { throw bytes.isEmpty ? .silence : .other }
        }
        throw .other
    }
}
