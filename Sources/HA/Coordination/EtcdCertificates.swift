// The certificates for etcd's members.

internal import NIOSSL

/// The files that TLS to etcd needs, all PEM.
public struct EtcdCertificates: Hashable, Sendable {
    /// The cluster's own authority; no other is trusted.
    public let authority: String
    /// This host's certificate.
    public let certificate: String
    /// Its key.
    public let key: String

    /// Those files, by path.
    public init(authority: String, certificate: String, key: String) {
        (self.authority, self.certificate, self.key) = (authority, certificate, key)
    }

    /// The context of connections. Reads the files.
    func context() throws(EtcdError) -> NIOSSLContext {
        do {
            var settings = TLSConfiguration.makeClientConfiguration()
            settings.minimumTLSVersion = .tlsv13
            settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
            settings.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate)
                .map { .certificate($0) }
            settings.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            return try NIOSSLContext(configuration: settings)
        } catch {
            throw .certificates("\(authority), \(certificate), \(key): \(error)")
        }
    }
}
