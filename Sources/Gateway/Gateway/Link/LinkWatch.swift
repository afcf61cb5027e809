// Whether the host that a gateway is connected to is the one to follow.

import Link
import NIOCore

/// Watches a connection to one of several hosts of the exchange: it ends when the host does not
/// lead, when its term is over, and when nothing comes any more, as after a power failure.
struct LinkWatch {
    /// The host, for people.
    let host: String
    /// How long a host that does not lead is followed before another one is tried. While a host
    /// that will lead soon is followed, commands wait there.
    let patience: TimeAmount
    /// Whether it led when it greeted; nil: it has not greeted.
    private(set) var isLeading: Bool?
    /// Whether another term began meanwhile.
    private(set) var hasTermChanged = false
    private var epoch: UInt32 = 0
    private var isLive = false
    private var heardAt = NIODeadline.now()

    /// matchd of a cluster sends the log's position four times a second to who has all of it.
    private static var silenceMax: TimeAmount { .milliseconds(1_500) }
    private static var greetingMax: TimeAmount { .seconds(2) }
    /// While matchd prepares to read the log back from its disk.
    private static var startMax: TimeAmount { .seconds(15) }

    /// Of a host that is connected to now.
    init(host: String, patience: TimeAmount) { (self.host, self.patience) = (host, patience) }

    /// Bytes came, or none are wanted.
    mutating func heard() { heardAt = .now() }

    /// Throws when nothing came for too long.
    func checkSilence() throws(MatchdSessionError) {
        let most = isLeading == nil ? Self.greetingMax : isLive ? Self.silenceMax : Self.startMax
        if NIODeadline.now() - heardAt > most {
            throw .reconnect("nothing came from matchd on \(host) for too long")
        }
    }

    /// Takes a frame before it has an effect.
    mutating func receive(_ frame: LinkFrame) throws(MatchdSessionError) {
        switch frame {
        case .welcome(let welcome):
            (isLeading, epoch) = (welcome.role.takesCommands, welcome.epoch)
            if isLeading == false, patience <= .zero { throw doesNotLead }
        case .position(_, _, let epoch):
            isLive = true
            if epoch != self.epoch {
                hasTermChanged = true
                throw .reconnect("another term has begun")
            }
        default: break
        }
    }

    /// The end of patience.
    var doesNotLead: MatchdSessionError { .reconnect("matchd on \(host) does not lead") }
}
