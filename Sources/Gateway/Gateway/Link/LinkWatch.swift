// Whether the host that a gateway is connected to is the one to follow.

package import Link
import NIOCore

/// Watches a connection to one of several hosts of the exchange: it ends when the host does not
/// lead, when its term is over, and when nothing comes any more, as after a power failure.
package struct LinkWatch {
    /// The host, for people.
    let host: String
    /// Milliseconds that a host that does not lead is followed before another one is tried. While a
    /// host that will lead soon is followed, commands wait there.
    package let patience: Int64
    /// Whether it led when it greeted, or leads since, as an acknowledgement shows; nil: it has not
    /// greeted.
    package private(set) var isLeading: Bool?
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
    package init(host: String, patience: Int64) {
        (self.host, self.patience) = (host, patience)
    }

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

    /// The end of patience.
    var doesNotLead: MatchdSessionError { .reconnect("matchd on \(host) does not lead") }
}

/// Which of several hosts a gateway connects to next.
package struct PlaceChoice {
    /// How many there are.
    let count: Int
    /// Which is connected to, or is next.
    package private(set) var current = 0
    /// Places that were tried since one led, that one included.
    private var tried = 0

    package init(count: Int) { self.count = count }

    /// Counts an attempt; gives for how many milliseconds a host that does not lead is followed.
    package mutating func attempt() -> Int64 {
        tried = min(tried + 1, count)
        return tried < count ? 0 : 1_000
    }

    /// There is nobody.
    mutating func skip() { current = (current + 1) % count }

    /// The connection has ended.
    package mutating func leave(_ watch: LinkWatch) {
        // The host may lead by now: in the new term, or in the one that it was about to begin, of
        // which nothing says so to who was there before.
        let mayLead = watch.hasTermChanged || watch.isLeading == false && watch.patience > 0
        if mayLead {
            tried = 0
        } else {
            if watch.isLeading == true { tried = 1 }
            skip()
        }
    }
}
