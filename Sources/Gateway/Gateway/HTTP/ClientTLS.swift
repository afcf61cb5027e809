// TLS of clients' connections: the certificate that they see, and how one that speaks plain HTTP is
// told.

import NIOCore
import NIOSSL
import Platform

/// The PEM files by which clients know the gateway.
public struct ClientTLSFiles: Hashable, Sendable {
    /// The certificate, and behind it those that lead to its authority.
    public let certificate: String
    /// Its private key, which not every user may read.
    public let key: String

    /// These files.
    public init(certificate: String, key: String) {
        (self.certificate, self.key) = (certificate, key)
    }

    /// Why they cannot be used; nil: they can. It reads them.
    public var problem: String? {
        do throws(ClientTLSError) { _ = try ClientTLS(self) } catch { return error.description }
        return nil
    }
}

/// Files that cannot be used: what is wrong and what to do. It holds no secret.
public struct ClientTLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text.
    public let description: String
}

/// What the gateway shows of itself to clients: TLS 1.2 (RFC 5246) and 1.3 (RFC 8446), without
/// certificates of clients and without renegotiation.
struct ClientTLS: Sendable {
    /// For new connections.
    let context: NIOSSLContext
    /// When the certificate ends, seconds since 1970.
    let ends: Int64

    /// Reads and checks the files.
    init(_ files: ClientTLSFiles) throws(ClientTLSError) {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(files.certificate) } catch {
            throw Self.unusable(files.certificate, "[gatewayd] tls_certificate", error)
        }
        guard let own = chain.first else {
            throw ClientTLSError(
                description: "\(files.certificate) holds no certificate in PEM: put there the "
                    + "gateway's own, and behind it those of its authority")
        }
        try Self.checkMode(files.key)
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: files.key, format: .pem) } catch {
            throw Self.unusable(files.key, "[gatewayd] tls_key", error)
        }
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        settings.minimumTLSVersion = .tlsv12
        // Of TLS 1.2 those with forward secrecy and authenticated encryption; 1.3 has no others.
        settings.cipherSuites = "ECDH+AESGCM:ECDH+CHACHA20"
        settings.applicationProtocols = ["http/1.1"]
        settings.shutdownTimeout = .seconds(1)
        do { context = try NIOSSLContext(configuration: settings) } catch {
            throw ClientTLSError(
                description: "the key in \(files.key) does not go with the certificate in "
                    + "\(files.certificate) (\(error)): put both there from the same place")
        }
        ends = Int64(own.notValidAfter)
    }

    private static func unusable(
        _ path: String, _ key: String, _ error: any Error
    ) -> ClientTLSError {
        ClientTLSError(
            description: "cannot use \(path), which \(key) names: \(error); it has to be PEM, not "
                + "under a passphrase, and readable by this user")
    }

    private static func checkMode(_ path: String) throws(ClientTLSError) {
        let mode: UInt32
        do throws(SystemError) { mode = try File(path, .read).permissions() } catch {
            throw unusable(path, "[gatewayd] tls_key", error)
        }
        guard mode & 0o007 != 0 else { return }
        throw ClientTLSError(
            description: "\(path) has mode \(String(mode, radix: 8)), so that every user can use "
                + "the key: chmod o= it, and have a new one made if others had access to this host")
    }
}

/// Tells a client that begins with plain HTTP that this port speaks TLS, and closes; of others it
/// sees nothing but the first bytes.
final class PlainHTTPRefusal: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let reply = #"""
        HTTP/1.1 400 Bad Request
        content-type: application/json;charset=UTF-8
        connection: close
        content-length: 59

        {"code":-1000,"msg":"This port speaks HTTPS: use https://"}
        """#.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefused { return }
        let first = unwrapInboundIn(data).readableBytesView.first
        // A handshake begins with a 22 (RFC 8446, 5.1), a request with a method's name.
        guard let first, 0x41...0x5A ~= first else {
            context.fireChannelRead(data)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
            return
        }
        isRefused = true
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.reply)), promise: nil)
        // From here: the handler of TLS would wait for its handshake.
        context.close(mode: .output, promise: nil)
        // Whoever does not close by itself is closed.
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) {
            context.close(promise: nil)
        }
    }
}

/// Hands large writes to TLS in pieces, each sent before the next is encrypted: its buffer keeps
/// the size of the largest that it ever took.
final class SliceWriter: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Bytes of a piece.
    private static let bytesMax = 64 << 10

    func write(
        context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?
    ) {
        guard case .byteBuffer(var buffer) = unwrapOutboundIn(data),
            buffer.readableBytes > Self.bytesMax
        else { return context.write(data, promise: promise) }
        while buffer.readableBytes > Self.bytesMax,
            let piece = buffer.readSlice(length: Self.bytesMax)
        {
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(piece)), promise: nil)
        }
        context.write(wrapOutboundOut(.byteBuffer(buffer)), promise: promise)
    }
}
