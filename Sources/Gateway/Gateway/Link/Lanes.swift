// The gateway's sessions: several, so that a busy instrument holds up no other.

import Follower
import Link
import SpotAPI
package import Terms
package import Wire

/// A command for one instrument, or for none.
package protocol InstrumentCommand: CommandPayload {
    /// The instrument; 0: none, and the first lane takes it.
    var instrument: InstrumentID { get }
}

extension Place: InstrumentCommand {}
extension Cancel: InstrumentCommand {}
extension Amend: InstrumentCommand {}
extension MassCancel: InstrumentCommand {}
extension CancelReplace: InstrumentCommand {
    package var instrument: InstrumentID { place.instrument }
}
extension AssignAddress: InstrumentCommand {
    package var instrument: InstrumentID { InstrumentID(0) }
}
extension RequestWithdrawal: InstrumentCommand {
    package var instrument: InstrumentID { InstrumentID(0) }
}

/// Sessions of one gateway, each for some of the instruments: `NAME`, `NAME#2`, `NAME#3`, …
///
/// matchd lets a command wait while its instrument is busy with a large order that fills over
/// many turns or with a cascade of stops, and with it all commands behind it in its session, for
/// they are numbered in order. Commands for one instrument stay in their order; those for other
/// instruments proceed in other lanes. There are as many lanes as instruments, up to
/// `LinkProtocol.lanesMax`. A lane that matchd refuses is retried at the next connection; until
/// then the first one serves its instruments.
struct Lanes {
    typealias Resolved = WriterSession<UInt64>.Resolved

    private let name: Text40
    private let capacity: Int
    private var sessions: [WriterSession<UInt64>]

    /// One lane. At most `capacity` commands may be in flight, over all lanes.
    init(name: Text40, capacity: Int) {
        (self.name, self.capacity) = (name, capacity)
        sessions = [WriterSession(name: name, capacity: capacity)]
    }

    /// Whether commands for any instrument can be sent now.
    var isOpen: Bool { sessions.indices.allSatisfy { lane(at: $0) != nil } }

    /// Whether there is a connection.
    var isConnected: Bool { sessions[0].isConnected }

    /// The states of the sessions that were not refused, and of the first one.
    var states: [WriterSession<UInt64>.State] {
        sessions.enumerated().filter { $0 == 0 || !Self.isRefused($1) }.map(\.element.state)
    }

    /// Adds lanes for so many instruments.
    mutating func open(_ instruments: Int, _ out: inout LinkEncoder) {
        while sessions.count < min(instruments, LinkProtocol.lanesMax) {
            var session = session(sessions.count)
            if isConnected { session.connected(&out) }
            sessions.append(session)
        }
    }

    /// Submits a command. Throws where it cannot be sent now, or too many are in flight: a lane may
    /// use at most half of what the others leave.
    mutating func submit(
        _ payload: some InstrumentCommand, tag: UInt64, _ out: inout LinkEncoder
    ) throws(APIError) {
        let number = max(1, Int(payload.instrument.number)) - 1
        guard let lane = lane(at: min(number % LinkProtocol.lanesMax, sessions.count - 1)) else {
            throw .matchingUnavailable
        }
        let own = sessions[lane].inFlight
        let left = capacity - (sessions.reduce(0) { $0 + $1.inFlight } - own)
        guard own < (sessions.count - refusedCount == 1 ? left : max(1, left / 2)), own < left,
            sessions[lane].submit(payload, tag: tag, &out)
        else { throw .overloaded }
    }

    mutating func connected(_ out: inout LinkEncoder) {
        for lane in sessions.indices {
            // A refused lane has nothing in flight.
            if lane > 0, Self.isRefused(sessions[lane]) { sessions[lane] = session(lane) }
            sessions[lane].connected(&out)
        }
    }

    /// Number of lanes that matchd refused: their instruments share the first one.
    var refusedCount: Int { sessions.dropFirst().count { Self.isRefused($0) } }

    private func session(_ lane: Int) -> WriterSession<UInt64> {
        WriterSession(
            name: Text40("\(name)#\(lane + 1)") ?? name, capacity: capacity,
            attempt: UInt64(lane) << 32)
    }

    mutating func disconnected() { for lane in sessions.indices { sessions[lane].disconnected() } }

    /// Takes an acknowledgement; returns what it resolves.
    mutating func acked(_ ack: LinkAck, _ out: inout LinkEncoder) -> [Resolved] {
        var resolved: [Resolved] = []
        for lane in sessions.indices { resolved += sessions[lane].acked(ack, &out) }
        return resolved
    }

    /// Takes a record of the log; returns what it resolves.
    mutating func applied(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ out: inout LinkEncoder
    ) -> [Resolved] {
        var resolved: [Resolved] = []
        for lane in sessions.indices {
            resolved += unsafe sessions[lane].applied(header, record, outcome, &out)
        }
        return resolved
    }

    /// The lane that serves a lane's instruments: itself, or the first if it was refused; nil where
    /// that is not open.
    private func lane(at lane: Int) -> Int? {
        let lane = Self.isRefused(sessions[lane]) ? 0 : lane
        guard sessions[lane].isConnected, case .open = sessions[lane].state else { return nil }
        return lane
    }

    private static func isRefused(_ session: WriterSession<UInt64>) -> Bool {
        if case .refused = session.state { true } else { false }
    }
}
