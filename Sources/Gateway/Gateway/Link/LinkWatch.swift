// Whether the host that a gateway is connected to is the one to follow.

package import Link
import NIOCore

/// Watches a connection to one of several hosts of the exchange, and ends it when the host does not
/// lead, when its term is over, or when nothing arrives any more, as after a power failure.
package struct LinkWatch {
    /// The host, for messages.
    let host: String
    /// Milliseconds for which a host that does not lead is followed before another one is tried. If
    /// it is about to lead, commands wait there meanwhile.
    package let patience: Int64
    /// Whether its welcome said that it leads, or an acknowledgement has shown so since; nil: no
    /// welcome has arrived.
    package private(set) var isLeading: Bool?
    /// Whether another term began meanwhile.
    private(set) var hasTermChanged = false
    private var epoch: UInt32 = 0
    private var isLive = false
    private var heardAt = NIODeadline.now()

    /// The matchd of a cluster sends the log's position four times a second to each follower that
    /// has all records.
    private static var silenceMax: TimeAmount { .milliseconds(1_500) }
    private static var greetingMax: TimeAmount { .seconds(2) }
    /// The same while matchd prepares to read the log back from its disk.
    private static var startMax: TimeAmount { .seconds(15) }

    /// A watch of a host that has just been connected to.
    package init(host: String, patience: Int64) {
        (self.host, self.patience) = (host, patience)
    }

    /// Bytes have arrived, or reading is paused.
    mutating func heard() { heardAt = .now() }

    /// Throws if nothing has arrived for too long.
    func checkSilence() throws(MatchdSessionError) {
        let most = isLeading == nil ? Self.greetingMax : isLive ? Self.silenceMax : Self.startMax
        if NIODeadline.now() - heardAt > most {
            throw .reconnect("nothing came from matchd on \(host) for too long")
        }
    }

    /// Takes a frame before it has an effect.
    package mutating func receive(_ frame: LinkFrame) throws(MatchdSessionError) {
        switch frame {
        case .welcome(let welcome):
            (isLeading, epoch) = (welcome.role.takesCommands, welcome.epoch)
            if isLeading == false, patience == 0 { throw doesNotLead }
        case .position(_, _, let epoch):
            isLive = true
            if epoch != self.epoch {
                hasTermChanged = true
                throw .reconnect("another term has begun")
            }
        case .acks: isLeading = true
        default: break
        }
    }

    /// The reason for leaving a host that does not lead.
    var doesNotLead: MatchdSessionError { .reconnect("matchd on \(host) does not lead") }
}

/// Which of several hosts a gateway connects to next.
package struct PlaceChoice {
    /// How many there are.
    let count: Int
    /// The one that is connected to, or that is next.
    package private(set) var current = 0
    /// Places that were tried since one of them led, that one included.
    private var tried = 0

    package init(count: Int) { self.count = count }

    /// Counts an attempt; returns for how many milliseconds a host that does not lead is followed.
    package mutating func attempt() -> Int64 {
        tried = min(tried + 1, count)
        return tried < count ? 0 : 1_000
    }

    /// Nobody answers at this place.
    mutating func skip() { current = (current + 1) % count }

    /// The connection has ended.
    package mutating func leave(_ watch: LinkWatch) {
        // The host may lead by now: in the new term, or in the one that it was about to begin. It
        // does not announce either on connections that were there before.
        let mayLead = watch.hasTermChanged || watch.isLeading == false && watch.patience > 0
        if mayLead {
            tried = 0
        } else {
            if watch.isLeading == true { tried = 1 }
            skip()
        }
    }
}
