// When and why the exchange moved from one host to the other. Each agent keeps the last changes
// over restarts; the one of the new primary notes a change, the other takes it over.

internal import Control
public import Failover
public import JSON
internal import Terms

/// One change of the primary from one host to the other.
public struct PrimaryChange: Hashable, Sendable {
    /// Counts the changes, from 1, as this agent knows them.
    public var number: UInt32
    /// When the new primary opened its Link, by its clock, nanoseconds since 1970.
    public var realtimeNanos: Int64
    /// Who led before; nil: not known.
    public var from: HostName?
    /// Who leads since.
    public var to: HostName
    /// The epoch that began with it.
    public var epoch: UInt32
    /// Why; nil: the agent did not run when the claim was made.
    public var cause: ClaimCause?
    /// What showed that the former primary was off; nil: nothing had to.
    public var proof: String?
    /// How long no command was acknowledged, as the new primary's agent saw it: from the last sign
    /// that the former one could to the opening of the Link. `HandoverWatch` says what a sign is.
    /// Nil: no sign came in this run of the agent.
    public var pauseNanos: Int64?

    /// Why, as a clause of a sentence; nil: not known.
    public var why: String? { cause.map { $0.words + (proof.map { "; \($0)" } ?? "") } }

    /// As JSON, with the members of AgentAPI's `ClusterHandover`, which this wing does not import:
    /// kept in a file, and read out of the peer's document.
    public var json: JSONValue {
        [
            "number": .number(number), "time": .number(realtimeNanos), "from": .orNull(from?.text),
            "to": .string(to.text), "epoch": .number(epoch), "cause": .orNull(cause?.text),
            "why": .orNull(why),
            "proof": .orNull(proof), "pauseNanos": .orNull(pauseNanos),
        ]
    }

    init(
        number: UInt32, realtimeNanos: Int64, from: HostName?, to: HostName, epoch: UInt32,
        cause: ClaimCause?, proof: String? = nil, pauseNanos: Int64?
    ) {
        (self.number, self.realtimeNanos) = (number, realtimeNanos)
        (self.from, self.to, self.epoch) = (from, to, epoch)
        (self.cause, self.proof, self.pauseNanos) = (cause, proof, pauseNanos)
    }

    /// Reads `json`; nil for anything else. A cause of a newer version is not known.
    init?(_ json: JSONValue) {
        guard let number = json["number"]?.epoch, number > 0, let time = json["time"]?.whole,
            let to = json["to"]?.host, let epoch = json["epoch"]?.epoch,
            epoch <= ClusterRecord.epochMax
        else { return nil }
        self.init(
            number: number, realtimeNanos: time, from: json["from"]?.host, to: to, epoch: epoch,
            cause: json["cause"]?.text.flatMap(ClaimCause.init(text:)),
            proof: json["proof"]?.text.map { String($0.prefix(300)) },
            pauseNanos: json["pauseNanos"]?.whole)
    }
}

/// The last changes of the primary, in the order of their epochs.
public struct PrimaryHistory: Hashable, Sendable {
    /// Maximum number of changes that are kept.
    public static var changesMax: Int { 16 }

    /// The changes, oldest first.
    public private(set) var changes: [PrimaryChange] = []

    /// None.
    public init() {}

    /// How often the primary has changed; 0: never, as far as this agent knows.
    public var count: UInt32 { changes.last?.number ?? 0 }

    /// Adds a change, numbered as the next one; not if a change of this or a later epoch is known.
    package mutating func add(_ change: PrimaryChange) {
        guard change.epoch > changes.last?.epoch ?? 0 else { return }
        var next = change
        // The other host may have counted more, before this one's disk was new.
        next.number = max(count == .max ? .max : count + 1, change.number)
        if changes.count == Self.changesMax { changes.removeFirst() }
        changes.append(next)
    }

    /// Takes over what the other host knows beyond this.
    package mutating func take(_ other: PrimaryHistory) {
        for change in other.changes { add(change) }
    }

    /// As JSON.
    public var json: JSONValue { .array(changes.map(\.json)) }

    /// Reads `json`; nil for anything else.
    package init?(_ json: JSONValue) {
        guard let changes = json.rows(PrimaryChange.init), changes.count <= Self.changesMax else {
            return nil
        }
        for change in changes { add(change) }
    }
}

/// Finds out how long a change of the primary lasts, on the host that takes over. Pure.
///
/// A sign that commands can be acknowledged is, on the host that leads, a report of its matchd with
/// the Link open, intake not held and the lease; on the other one, a beacon of the primary that its
/// matchd echoed, unless the primary's agent says that it takes no commands, or all of a sealed
/// primary's records are here. Reports and beacons come every 50 ms, so a pause is too long by up
/// to 0.1 s, and too short by no more than a message between the agents takes.
package struct HandoverWatch: Hashable, Sendable {
    private struct Claim: Hashable, Sendable {
        var cause: ClaimCause
        var from: HostName?
        var proof: String?
    }

    /// The last sign.
    package private(set) var servedAt: BootTime?
    /// Until when the peer's word counts that it takes no commands.
    private var muteUntil: BootTime?
    private var claim: Claim?

    /// A watch that has seen nothing.
    package init() {}

    /// The peer's agent says at `now` whether its host leads without taking commands, and since
    /// when, by this host's clock: the message may come late, behind signs that were none. It says
    /// so each second; where it falls silent its word counts no more.
    package mutating func notePeer(isMute: Bool, servedAt: BootTime? = nil, at now: BootTime) {
        muteUntil = isMute ? now.after(3_000_000_000) : nil
        if isMute, let servedAt { self.servedAt = servedAt }
    }

    /// matchd reports.
    package mutating func note(_ report: MatchdReport?, at reportedAt: BootTime?) {
        guard let report, let reportedAt else { return }
        let sign: BootTime?
        if report.isPrimary {
            let serves = report.isLinkOpen && !report.isIntakeHeld && report.holdsLease
            sign = serves ? reportedAt : nil
        } else {
            let isMute = muteUntil.map { reportedAt < $0 } ?? false
            sign = report.isHandedOver || isMute ? nil : report.heardAt
        }
        if let sign { servedAt = max(servedAt ?? sign, sign) }
    }

    /// The host's claim was done; `primary` is who led by the record before it.
    package mutating func claimed(
        _ cause: ClaimCause, from primary: HostName?, proof: String? = nil
    ) {
        // A claim after one that never opened its Link goes on with that one's change.
        claim = Claim(
            cause: cause, from: claim == nil ? primary : claim?.from, proof: proof ?? claim?.proof)
    }

    /// Another host leads.
    package mutating func demoted() { claim = nil }

    /// The Link is open: the change, if the host that led before is another or not known.
    package mutating func opened(
        by host: HostName, epoch: UInt32, at now: BootTime, realtimeNanos: Int64
    ) -> PrimaryChange? {
        defer { (claim, servedAt) = (nil, now) }
        guard let claim, claim.from != host else { return nil }
        return PrimaryChange(
            number: 1, realtimeNanos: realtimeNanos, from: claim.from, to: host, epoch: epoch,
            cause: claim.cause, proof: claim.proof,
            pauseNanos: servedAt.map { max(0, now.since($0)) })
    }
}

extension ClaimCause {
    /// Why the host of the claim leads, as a clause of a sentence.
    public var words: String {
        switch self {
        case .alone, .restart: "its own matchd had ended"
        case .reaped: "matchd of the former primary had ended"
        case .grace: "the former primary gave no sign"
        case .switchover: "an operator ordered a switchover"
        case .failover: "an operator ordered a failover"
        case .forced: "an operator forced a failover"
        case .raise: "a higher promise was there"
        }
    }
}
