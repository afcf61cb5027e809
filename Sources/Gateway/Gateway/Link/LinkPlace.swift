// Where the matchd is that a gateway follows: on this host, or on one of the exchange's two hosts.

import Link
import NIOCore
import NIOPosix
import NIOSSL
import Secrets

/// A host of the exchange whose matchd takes gateways by TLS.
public struct LinkHost: Hashable, Sendable {
    /// Its name, as its certificate has it.
    public var name: String
    /// Its address, numeric.
    public var address: String
    /// Its port.
    public var port: UInt16

    /// A host of these values.
    public init(name: String, address: String, port: UInt16) {
        (self.name, self.address, self.port) = (name, address, port)
    }
}

/// Where a Link is.
enum LinkPlace {
    /// A Unix socket on this host.
    case socket(String)
    /// A host, and the certificate that this gateway presents to it.
    case host(LinkHost, TLSFiles)

    /// The places that the options name, at least one.
    static func all(_ options: GatewayOptions) -> [LinkPlace] {
        guard let files = options.linkFiles, !options.linkHosts.isEmpty else {
            return [.socket(options.linkSocket)]
        }
        return options.linkHosts.map { .host($0, files) }
    }

    /// The place in one line, for messages.
    var name: String {
        switch self {
        case .socket(let path): path
        case .host(let host, _): "\(host.name) (\(host.address))"
        }
    }

    var isRemote: Bool { if case .host = self { true } else { false } }

    /// Connects, and adds `handler` to the channel. Throws if a file of the certificate cannot be
    /// used.
    func connect(
        _ eventLoop: any EventLoop, _ handler: LinkHandler
    ) throws -> EventLoopFuture<any Channel> {
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
        switch self {
        case .socket(let path):
            return bootstrap.connectTimeout(.seconds(2))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(bound.value)
                    }
                }.connect(unixDomainSocketPath: path)
        case .host(let host, let files):
            // Read at each connection, so that a renewed certificate is used.
            let tls = try Self.context(files)
            return bootstrap.connectTimeout(.seconds(1))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: host.name))
                        try pipeline.addHandler(bound.value)
                    }
                }.connect(host: host.address, port: Int(host.port))
        }
    }

    /// Why a connection broke; where TLS was the reason, with what to do about it.
    static func words(_ error: any Error) -> String {
        if case .uncleanShutdown? = error as? NIOSSLError { return "the connection was cut" }
        guard error is NIOSSLError || error is BoringSSLError else { return "\(error)" }
        return "that host and this gateway do not take each other's certificate (expired, of "
            + "another cluster, or a clock is wrong; renew: sudo boursectl cluster renew, with a "
            + "token of cluster invite NAME --gateway): \(error)"
    }

    private static func context(_ files: TLSFiles) throws -> NIOSSLContext {
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.minimumTLSVersion = .tlsv13
        settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(files.authority))
        settings.certificateChain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
            .certificate($0)
        }
        settings.privateKey = .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        // A host that loses its power closes no connection.
        settings.shutdownTimeout = .milliseconds(100)
        return try NIOSSLContext(configuration: settings)
    }
}
