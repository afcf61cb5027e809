// A server that answers whatever it is sent with one text, and leaves the connection open.

import NIOCore
import NIOPosix

final class CannedServer {
    private let channel: any Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    init(_ text: String) throws {
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CannedHandler(text))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit { channel.close(promise: nil) }
}

private final class CannedHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let text: String
    private var hasAnswered = false

    init(_ text: String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasAnswered else { return }
        hasAnswered = true
        let bytes = context.channel.allocator.buffer(string: text)
        context.writeAndFlush(NIOAny(bytes), promise: nil)
    }
}
