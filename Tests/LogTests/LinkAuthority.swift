// A cluster's authority for tests, by openssl(1).

import Platform
import Secrets

/// One authority and the certificates that it gives.
final class LinkAuthority {
    private let place: PipelinePlace
    private var certificate: String { place.path + "/ca.crt" }
    private var key: String { place.path + "/ca.key" }

    init() throws {
        place = try PipelinePlace()
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test cluster",
        ])
    }

    /// A host's certificate: for servers and clients.
    func host(_ name: String) throws -> TLSFiles {
        try issue(name, usage: "serverAuth,clientAuth")
    }

    /// A gateway's certificate.
    func gateway(_ name: String, days: Int = 2) throws -> TLSFiles {
        try issue("\(name)._gateway", usage: "1.3.6.1.4.1.32473.2", days: days)
    }

    /// A certificate for this name, use and time from now on; negative days: it has expired.
    func issue(_ name: String, usage: String, days: Int = 2) throws -> TLSFiles {
        let base = place.path + "/\(name)\(days)"
        let files = TLSFiles(
            authority: certificate, certificate: base + ".crt", key: base + ".key")
        try File.replace(
            base + ".ext",
            with: Array("subjectAltName=DNS:\(name)\nextendedKeyUsage=\(usage)\n".utf8))
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
            throw SystemError(code: 5, operation: "run openssl", path: result.errors)
        }
    }
}
