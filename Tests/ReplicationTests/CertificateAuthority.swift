// A private authority for tests, by openssl(1).

import Glibc
import Platform
import Secrets
import Synchronization

/// A directory that goes away with its owner.
final class TestPlace: Sendable {
    let path: String

    init() throws {
        var template = Array("/var/tmp/bourse-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        guard unsafe made != nil else { throw SystemError.last("make a directory in", "/var/tmp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    static func remove(_ path: String) {
        for name in (try? Directory.names(in: path)) ?? [] {
            let entry = Directory.join(path, name)
            if Directory.isDirectory(entry) { remove(entry) } else { _ = unsafe unlink(entry) }
        }
        unsafe rmdir(path)
    }
}

/// One cluster's authority and the certificates that it gives.
final class CertificateAuthority: Sendable {
    private let place: TestPlace
    private let lock = Mutex(())
    private var certificate: String { place.path + "/ca.crt" }
    private var key: String { place.path + "/ca.key" }

    /// The one that most tests use.
    static let shared = try! CertificateAuthority()

    init() throws {
        place = try TestPlace()
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test cluster",
        ])
    }

    /// A certificate for a host of this name and its key.
    func issue(_ name: String, days: Int = 2) throws -> TLSFiles {
        try lock.withLock { _ in try issueAlone(name, days) }
    }

    private func issueAlone(_ name: String, _ days: Int) throws -> TLSFiles {
        let base = place.path + "/\(name)\(days)"
        let files = TLSFiles(
            authority: certificate, certificate: base + ".crt", key: base + ".key")
        if Directory.exists(files.certificate) { return files }
        try File.replace(
            base + ".ext",
            with: Array(
                "subjectAltName=DNS:\(name)\nextendedKeyUsage=serverAuth,clientAuth\n".utf8))
        try openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", files.key, "-out", base + ".csr", "-subj", "/CN=\(name)",
        ])
        try openssl([
            "x509", "-req", "-in", base + ".csr", "-CA", certificate, "-CAkey", key,
            "-CAcreateserial", "-days", "\(days)", "-extfile", base + ".ext", "-out",
            files.certificate,
        ])
        return files
    }

    private func openssl(_ arguments: [String]) throws {
        let result = try Program.run("/usr/bin/openssl", arguments, secondsMax: 30)
        guard result.status == 0 else {
            throw SystemError(code: EIO, operation: "run openssl", path: result.errors)
        }
    }
}
