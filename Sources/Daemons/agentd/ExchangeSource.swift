// How matchd is, over the Link.

import Checks
import Link
import Terms

/// Asks matchd for its status, over a connection that is kept.
// Sendable, as one thread uses it: the one that samples.
final class ExchangeSource: @unchecked Sendable {
    private let socket: String
    private var client: LinkClient?

    /// Nanoseconds that an answer may take.
    private static var answerNanosMax: Int64 { 2_000_000_000 }

    init(socket: String) { self.socket = socket }

    /// The text of `/probe/exchange`; none while matchd does not answer.
    func texts() -> [String: String] {
        do throws(LinkError) {
            return [ExchangeReading.path: Self.text(try status())]
        } catch {
            client = nil
            return [:]
        }
    }

    private func status() throws(LinkError) -> LinkStatus {
        if let client { return try client.status(timeoutNanos: Self.answerNanosMax) }
        let made = try LinkClient.connect(
            unix: socket, name: Text40("agent") ?? Text40(), wantsAcks: false,
            timeoutNanos: Self.answerNanosMax)
        client = made
        return try made.status(timeoutNanos: Self.answerNanosMax)
    }

    private static func text(_ s: LinkStatus) -> String {
        ExchangeReading([
            .role: "\(s.role)", .epoch: "\(s.epoch)", .released: "\(s.released)",
            .durable: "\(s.durable)", .applied: "\(s.applied)", .commands: "\(s.commands)",
            .syncs: "\(s.syncs)", .syncP50Nanos: "\(s.syncP50)", .syncP99Nanos: "\(s.syncP99)",
            .connections: "\(s.connections)", .connectionsMax: "\(s.connectionsMax)",
            .followers: "\(s.followers)", .ingressFillPerMille: "\(s.ingressFill)",
            .logFillPerMille: "\(s.logFill)", .diskFreeBytes: "\(s.diskFree)",
            .diskReserveBytes: "\(s.diskReserve)", .belowReserve: s.isBelowReserve ? "1" : "0",
            .hashMark: "\(s.hashMark)", .peerInSync: s.isPeerInSync ? "1" : "0",
            .atRisk: "\(s.atRisk)", .gateWaitNanos: "\(s.gateWaitNanos)",
            .clockOffsetNanos: "\(s.clockOffset)", .clockJumps: "\(s.clockJumps)",
            .clockApart: s.isClockApart ? "1" : "0", .poisoned: "\(s.poisoned)",
            .evicted: "\(s.evicted)",
        ]).text
    }
}
