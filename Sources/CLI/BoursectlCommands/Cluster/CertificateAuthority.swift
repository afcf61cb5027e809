// The cluster's own certificate authority, and hosts' keys and certificates: by openssl(1).

import Checks
import Configuration
import Glibc
import Link
import Platform
import Presentation
import Secrets
import Terms

/// The files of a host's directory of certificates.
struct ClusterFiles: Hashable {
    /// The directory, /etc/bourse/cluster.
    let directory: String

    /// The files in this directory.
    init(directory: String) { self.directory = directory }

    /// The authority's certificate.
    var authority: String { path("ca.crt") }
    /// Its key, on the first host alone; for root's eyes only.
    var authorityKey: String { path("ca.key") }
    /// This host's certificate.
    var certificate: String { path("host.crt") }
    /// Its key, which the daemons' group may read.
    var key: String { path("host.key") }
    /// What is asked of the authority.
    var request: String { path("host.csr") }
    /// The plan.
    var plan: String { path("hosts.json") }
    /// The name of the gateway that this host is, on a host of a gateway alone.
    var gateway: String { path("gateway") }
    /// The journal's first record, for root's eyes only: what this host's copy begins with, should
    /// the journal's own volume be lost.
    var firstRecord: String { path("first.record") }
    /// The invitations, on the first host alone.
    var invitations: String { path("invitations.json") }
    /// The gateways on hosts of their own that were removed.
    var removedGateways: String { path("gateways.removed") }
    /// The settings of this host's member of etcd.
    var etcd: String { path("etcd.conf") }
    /// That this host's member has begun: its data may never be missing again.
    var etcdBegun: String { path("etcd.begun") }
    /// The token of a new etcd that has no record yet.
    var etcdRemake: String { path("etcd.remake") }

    /// A file in the directory.
    func path(_ name: String) -> String { Directory.join(directory, name) }

    /// The group that reads the key: matchd, the agent and etcd are in it.
    static let group = "bourse-cluster"

    /// Makes the directory.
    func make() throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            try Directory.create(directory, mode: 0o750)
            let group = Host.groupID(named: Self.group) ?? 0
            let opened = try File(directory, .read)
            try opened.setPermissions(0o750)
            try opened.setOwner(0, group: group)
        }
    }

    /// Lets the group read a file of the directory.
    func share(_ path: String, mode: UInt32 = 0o640) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in
            let file = try File(path, .write)
            try file.setOwner(Host.userID, group: Host.groupID(named: Self.group) ?? 0)
            try file.setPermissions(mode)
            try file.sync()
        }
    }
}

/// openssl(1) as the cluster uses it.
struct CertificateAuthority {
    /// Where everything is.
    let files: ClusterFiles

    /// Days that a host's certificate is good for.
    static let hostDays = 730
    /// Days that the authority is good for.
    static let authorityDays = 7_300

    /// The authority in this directory.
    init(_ files: ClusterFiles) { self.files = files }

    /// The certificate in a file.
    static func certificate(_ path: String) throws(CommandError) -> Certificate {
        guard let text = try TextFile.read(path) else {
            throw CommandError("\(path) is missing")
        }
        guard let found = Certificate(pem: text.utf8) else {
            throw CommandError("\(path) holds no certificate")
        }
        return found
    }

    /// When a certificate ends, in words: what is beyond the year 2262 is that.
    static func time(_ seconds: Int64) -> String {
        let (nanos, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return Readable.time(isOver ? .max : nanos, digits: 0)
    }

    /// SHA-256 of a certificate in DER.
    static func fingerprint(_ certificate: Certificate) -> [UInt8] {
        SHA256.digest(certificate.der)
    }

    /// Makes the authority unless it is there.
    func makeAuthority(cluster: String) throws(CommandError) {
        guard !Directory.exists(files.authority) else { return }
        try Self.makeKey(files.authorityKey)
        let configuration = """
            [req]
            prompt = no
            distinguished_name = name
            x509_extensions = authority
            [name]
            CN = Bourse cluster \(cluster.prefix(8))
            [authority]
            basicConstraints = critical, CA:TRUE, pathlen:0
            keyUsage = critical, keyCertSign, cRLSign
            subjectKeyIdentifier = hash
            """
        try withText(configuration, "ca.cnf") { (path) throws(CommandError) in
            let made = files.authority + ".new"
            try Self.run([
                "req", "-new", "-x509", "-config", path, "-key", files.authorityKey, "-sha256",
                "-days", "\(Self.authorityDays)", "-set_serial", Self.serial, "-out", made,
            ])
            try TextFile.replace(files.authority, by: made, mode: 0o644)
        }
    }

    /// Makes this host's key and what is asked of the authority; a key that is there stays.
    func makeRequest(_ host: String) throws(CommandError) -> String {
        if !Directory.exists(files.key) { try Self.makeKey(files.key) }
        try files.share(files.key)
        let configuration = """
            [req]
            prompt = no
            distinguished_name = name
            [name]
            CN = \(host)
            """
        try withText(configuration, "host.cnf") { (path) throws(CommandError) in
            try Self.run([
                "req", "-new", "-config", path, "-key", files.key, "-sha256", "-out", files.request,
            ])
        }
        guard let text = try TextFile.read(files.request) else {
            throw CommandError("\(files.request) is missing")
        }
        return text
    }

    /// The public key of a request, hashed; throws where the request is none, or not signed by its
    /// own key.
    func keyHash(request: String) throws(CommandError) -> [UInt8] {
        let done = try Self.run(
            ["req", "-verify", "-noout", "-pubkey"], input: request,
            refusing: "what asks for a certificate is no request")
        return SHA256.digest(Array(done.utf8))
    }

    /// A certificate for this host, PEM. Its names are the plan's, whatever the request says.
    func sign(
        request: String, for member: ClusterPlan.Member
    ) throws(CommandError) -> String {
        try sign(
            request: request, usage: "serverAuth, clientAuth",
            names: "DNS:\(member.name), IP:\(member.address)")
    }

    /// A certificate for a gateway, PEM. Its use is none that etcd or a host's daemons accept, and
    /// its name none that a host has: it is good for matchd's Link alone.
    func sign(request: String, forGateway name: String) throws(CommandError) -> String {
        try sign(
            request: request, usage: Self.gatewayUsage,
            names: "DNS:\(name)\(LinkProtocol.gatewaySuffix)")
    }

    private static let gatewayUsage = "1.3.6.1.4.1.32473.2"

    private func sign(
        request: String, usage: String, names: String
    ) throws(CommandError) -> String {
        let extensions = """
            basicConstraints = critical, CA:FALSE
            keyUsage = critical, digitalSignature
            extendedKeyUsage = \(usage)
            subjectKeyIdentifier = hash
            authorityKeyIdentifier = keyid
            subjectAltName = \(names)
            """
        return try withText(extensions, "extensions.cnf") { (path) throws(CommandError) in
            try Self.run(
                [
                    "x509", "-req", "-CA", files.authority, "-CAkey", files.authorityKey,
                    "-sha256", "-days", "\(Self.hostDays)", "-set_serial", Self.serial,
                    "-extfile", path,
                ], input: request)
        }
    }

    /// Puts this host's certificate in place.
    func store(certificate: String, isGateway: Bool = false) throws(CommandError) {
        let made = files.certificate + ".new"
        try TextFile.write(certificate, to: made, mode: 0o644)
        let purpose = isGateway ? "any" : "sslserver"
        try Self.run(["verify", "-CAfile", files.authority, "-purpose", purpose, made])
        try TextFile.replace(files.certificate, by: made, mode: 0o644)
        try CommandError.wrapping { () throws(SystemError) in try Directory.remove(files.request) }
    }

    // MARK: openssl

    private static let program = "/usr/bin/openssl"

    /// 19 random bytes: RFC 5280, 4.1.2.2 allows 20, positive.
    private static var serial: String {
        "0x40" + SystemRandom.bytes(18).hexText
    }

    private static func makeKey(_ path: String) throws(CommandError) {
        let made = path + ".new"
        // Nobody else reads it, from its first byte on.
        try TextFile.write("", to: made, mode: 0o600)
        try run([
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", made,
        ])
        try TextFile.replace(path, by: made)
    }

    @discardableResult private func withText<Value>(
        _ text: String, _ name: String, _ body: (String) throws(CommandError) -> Value
    ) throws(CommandError) -> Value {
        let path = files.path("\(name).\(getpid())")
        try TextFile.write(text + "\n", to: path)
        defer { _ = unsafe unlink(path) }
        return try body(path)
    }

    @discardableResult private static func run(
        _ arguments: [String], input: String = "", refusing: String? = nil
    ) throws(CommandError) -> String {
        let done: Program.Result
        do throws(SystemError) {
            done = try Program.run(
                program, arguments, input: Array(input.utf8), secondsMax: 30)
        } catch {
            throw CommandError(
                "openssl cannot be run: \(error.reason)", repair: "apt-get install openssl")
        }
        guard done.status == 0 else {
            let words = done.errors.split(separator: "\n").first.map(String.init) ?? ""
            throw CommandError(refusing ?? "openssl \(arguments[0]) failed: \(words)")
        }
        return done.output
    }
}
