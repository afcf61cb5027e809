// The running exchange: its status, a replica of it, sessions with it.

import Configuration
import Engine
import Follower
import Link
import Platform
import Presentation
import Terms

/// The exchange that a configuration describes.
struct Exchange {
    /// Its settings.
    let settings: Settings

    /// Maximum time to load a replica, a snapshot of millions of orders included.
    static let replicaNanosMax: Int64 = 600_000_000_000

    /// A connection to matchd.
    func connect(_ name: Text40) throws(CommandError) -> LinkClient {
        try CommandError.wrapping { () throws(LinkError) in
            try LinkClient.connect(unix: settings.matchd.socket, name: name, wantsAcks: false)
        }
    }

    /// The status of matchd.
    func status() throws(CommandError) -> LinkStatus {
        let client = try connect(Self.toolName)
        return try CommandError.wrapping { () throws(LinkError) in try client.status() }
    }

    /// The state as it is now.
    func replica() throws(CommandError) -> ExchangeReplica {
        let client = try connect(Self.toolName)
        let replica = ExchangeReplica(client.welcome)
        var meter = ProgressMeter("Loading", unit: "records")
        defer { meter.clear() }
        let deadline = Clock.monotonicNanos() + Self.replicaNanosMax
        do {
            try client.send(replica.subscription)
            while Clock.monotonicNanos() < deadline {
                guard let frame = try client.receive(timeoutNanos: 10_000_000_000) else {
                    throw LinkError.timedOut
                }
                if case .caughtUp = unsafe try replica.receive(frame, { _, _, _, _ in }) {
                    return replica
                }
                meter.draw(done: replica.engine.sequence, total: client.welcome.released)
            }
            throw LinkError.timedOut
        } catch { throw CommandError(error) }
    }

    /// A session that takes an operator's commands.
    func session(_ who: OperatorOption) throws(CommandError) -> OperatorSession {
        try OperatorSession(self, operator: who)
    }

    /// The name of connections that belong to no operator.
    private static var toolName: Text40 { Text40("boursectl") ?? Text40() }
}
