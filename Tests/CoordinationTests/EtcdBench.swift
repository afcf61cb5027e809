// A real etcd of three members on loopback, which tests kill, stop, wipe and cut.

import Coordination
import Glibc
import Platform
import Requests

struct EtcdBenchError: Error, CustomStringConvertible {
    let description: String
}

/// Certificates of a private authority, made by openssl(1).
struct TestAuthority {
    let folder: String

    /// An authority with its files in `folder`, which it makes.
    init(_ folder: String) throws {
        self.folder = folder
        try Directory.create(folder, mode: 0o700)
        try Self.run([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "\(folder)/ca.key", "-out", "\(folder)/ca.crt", "-subj", "/CN=test",
            "-days", "2",
        ])
    }

    /// Files of a host with this subject alternative name, as `IP:127.0.0.1` or `DNS:a`.
    func certificates(_ name: String, for subject: String) throws -> EtcdCertificates {
        let base = "\(folder)/\(name)"
        try Self.run([
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "\(base).key", "-out", "\(base).csr", "-subj", "/CN=\(name)", "-addext",
            "subjectAltName=\(subject)", "-addext", "extendedKeyUsage=serverAuth,clientAuth",
        ])
        try Self.run([
            "x509", "-req", "-in", "\(base).csr", "-CA", "\(folder)/ca.crt", "-CAkey",
            "\(folder)/ca.key", "-CAcreateserial", "-copy_extensions", "copyall", "-days", "2",
            "-out", "\(base).crt",
        ])
        return EtcdCertificates(
            authority: "\(folder)/ca.crt", certificate: "\(base).crt", key: "\(base).key")
    }

    private static func run(_ arguments: [String]) throws {
        let result = try Program.run("/usr/bin/openssl", arguments, secondsMax: 60)
        guard result.status == 0 else {
            throw EtcdBenchError(description: "openssl: \(result.errors)")
        }
    }
}

/// One etcd, whose members run until the bench goes.
final class EtcdBench {
    struct Member {
        let name: String
        let clientPort: Int
        let peerPort: Int
        var process: pid_t = 0
    }

    let folder: String
    private let token: String
    /// What members serve with that are started from now on.
    var certificates: EtcdCertificates?
    private(set) var members: [Member]

    /// Starts `count` members, and waits until they have a leader.
    init(count: Int = 3, certificates: EtcdCertificates? = nil) async throws {
        folder = try temporaryFolder()
        token = folder
        self.certificates = certificates
        let ports = try freePorts(2 * count)
        members = (0..<count).map {
            Member(name: "m\($0)", clientPort: ports[2 * $0], peerPort: ports[2 * $0 + 1])
        }
        for index in members.indices { try start(index) }
        try await waitForLeader()
    }

    deinit {
        for index in members.indices { end(index) }
        remove(folder)
    }

    // MARK: Members

    /// Starts a member; `state` is what etcd's option --initial-cluster-state takes.
    func start(_ index: Int, state: String = "new") throws {
        let scheme = certificates == nil ? "http" : "https"
        let member = members[index]
        let client = "\(scheme)://127.0.0.1:\(member.clientPort)"
        let all = members.map { "\($0.name)=\(scheme)://127.0.0.1:\($0.peerPort)" }
        var words = [
            "--name", member.name, "--data-dir", "\(folder)/\(member.name)",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", "\(scheme)://127.0.0.1:\(member.peerPort)",
            "--initial-advertise-peer-urls", "\(scheme)://127.0.0.1:\(member.peerPort)",
            "--initial-cluster", all.joined(separator: ","), "--initial-cluster-token", token,
            "--initial-cluster-state", state, "--heartbeat-interval", "50",
            "--election-timeout", "500", "--pre-vote", "--logger", "zap",
        ]
        if let certificates {
            words += [
                "--cert-file", certificates.certificate, "--key-file", certificates.key,
                "--trusted-ca-file", certificates.authority, "--client-cert-auth",
                "--peer-cert-file", certificates.certificate,
                "--peer-key-file", certificates.key,
                "--peer-trusted-ca-file", certificates.authority, "--peer-client-cert-auth",
            ]
        }
        members[index].process = try spawn(
            try program("etcd"), words, log: "\(folder)/\(member.name).log")
    }

    func kill(_ index: Int) { end(index) }

    func stop(_ index: Int) { _ = Glibc.kill(members[index].process, SIGSTOP) }

    func resume(_ index: Int) { _ = Glibc.kill(members[index].process, SIGCONT) }

    func wipe(_ index: Int) {
        remove("\(folder)/\(members[index].name)")
    }

    /// Whether the member's process has ended by itself.
    func hasEnded(_ index: Int) -> Bool {
        var status: Int32 = 0
        guard members[index].process > 0,
            unsafe waitpid(members[index].process, &status, WNOHANG) == members[index].process
        else { return false }
        members[index].process = 0
        return true
    }

    private func end(_ index: Int) {
        guard members[index].process > 0 else { return }
        _ = Glibc.kill(members[index].process, SIGKILL)
        var status: Int32 = 0
        unsafe waitpid(members[index].process, &status, 0)
        members[index].process = 0
    }

    // MARK: Use

    func endpoint(_ index: Int) -> HTTPEndpoint {
        let scheme = certificates == nil ? "http" : "https"
        return HTTPEndpoint("\(scheme)://127.0.0.1:\(members[index].clientPort)")!
    }

    /// Settings of a client that asks all members, or these, in this order. A machine with much to
    /// do may take its time.
    func settings(_ order: [Int]? = nil) -> EtcdSettings {
        var settings = EtcdSettings(
            endpoints: (order ?? Array(members.indices)).map(endpoint),
            certificates: certificates)
        settings.endpointMillis = 1_000
        return settings
    }

    /// Runs etcdctl at the first member.
    @discardableResult
    func control(_ words: String..., at index: Int = 0) throws -> String {
        let result = try Program.run(
            try program("etcdctl"),
            ["--endpoints", "127.0.0.1:\(members[index].clientPort)"] + words,
            secondsMax: 30)
        guard result.status == 0 else {
            throw EtcdBenchError(description: "etcdctl \(words): \(result.errors)")
        }
        return result.output
    }

    /// The member that leads, as those that run see it.
    func leader() async throws -> Int {
        var found: Int?
        try await eventually("the members have a leader") {
            found = nil
            for index in members.indices where members[index].process > 0 {
                let client = try EtcdClient(settings([index]))
                guard let status = try? await client.status(of: endpoint(index)) else { continue }
                if status.leaderID == status.memberID { found = index }
            }
            return found != nil
        }
        return found!
    }

    private func waitForLeader() async throws {
        try await eventually("every member knows a leader; \(folder) has their logs") {
            for index in members.indices {
                let client = try EtcdClient(settings([index]))
                guard let status = try? await client.status(of: endpoint(index)),
                    status.leaderID > 0
                else { return false }
            }
            return true
        }
    }

    private func program(_ name: String) throws -> String {
        let places = [".build/etcd/usr/bin", "/usr/bin", "/usr/local/bin"]
        guard let found = places.first(where: { unsafe access("\($0)/\(name)", X_OK) == 0 }) else {
            throw EtcdBenchError(
                description: """
                    \(name) is missing: `make prerequisites-test` unpacks it, or install Debian's \
                    etcd-server and etcd-client
                    """)
        }
        return "\(found)/\(name)"
    }
}

// MARK: Parts

/// Waits up to a minute until something holds.
func eventually(_ what: String, _ holds: () async throws -> Bool) async throws {
    let deadline = Clock.monotonicNanos() + 60_000_000_000
    while try await !holds() {
        guard Clock.monotonicNanos() < deadline else {
            throw EtcdBenchError(description: "not within a minute: \(what)")
        }
        try await Task.sleep(for: .milliseconds(20))
    }
}

func temporaryFolder() throws -> String {
    let base = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/bourse-etcd-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else {
        throw EtcdBenchError(description: "cannot make a folder in \(base)")
    }
    return String(
        decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a folder with all that is in it.
func remove(_ folder: String) {
    _ = try? Program.run("/bin/rm", ["-rf", folder], secondsMax: 60)
}

/// Ports on loopback that nothing listens on.
func freePorts(_ count: Int) throws -> [Int] {
    var sockets: [Int32] = []
    defer { for socket in sockets { _ = close(socket) } }
    return try (0..<count).map { _ in
        let (socket, port) = try listeningSocket()
        sockets.append(socket)
        return port
    }
}

/// A socket on loopback that the kernel accepts connections for; nobody answers there.
func listeningSocket() throws -> (socket: Int32, port: Int) {
    let end = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let failed = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            unsafe bind(end, address, length) != 0 || listen(end, 16) != 0
                || getsockname(end, address, &length) != 0
        }
    }
    guard !failed else { throw EtcdBenchError(description: "cannot listen on loopback") }
    return (end, Int(UInt16(bigEndian: address.sin_port)))
}

/// Starts a program that ends with this process; its output goes to `log`.
func spawn(_ path: String, _ arguments: [String], log: String) throws -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let wrapper = "/usr/bin/setpriv"
    var words: [UnsafeMutablePointer<CChar>?] = unsafe []
    for word in [wrapper, "--pdeathsig", "KILL", path] + arguments {
        unsafe words.append(unsafe strdup(word))
    }
    unsafe words.append(nil)
    defer { unsafe words.forEach { unsafe free($0) } }
    var child: pid_t = 0
    let failed = unsafe posix_spawn(&child, wrapper, &actions, nil, &words, environ)
    guard failed == 0 else {
        throw EtcdBenchError(description: "cannot run \(wrapper), of util-linux: error \(failed)")
    }
    return child
}
