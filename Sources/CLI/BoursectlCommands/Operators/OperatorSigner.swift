// An operator who signs: what is signed is shown first, then the passphrase is asked for.

import Engine
import Platform
import Presentation
import Terms
import Wire

/// An operator with a key.
package struct OperatorSigner {
    private let place: OperatorKeyPlace

    /// The operator's name.
    var name: Text40 { place.name }

    /// How long a signature of an endorsement or a decision counts, on the log's clock: it is
    /// submitted at once, and matchd may be away for a moment.
    private static let validNanos: Int64 = 600_000_000_000

    /// The operator of a key.
    init(_ place: OperatorKeyPlace) { self.place = place }

    /// How far the log's clock may be from this host's: what is signed for a clock that is ahead
    /// counts for as long as that.
    static let clockNanosMax: UInt64 = 600_000_000_000

    /// The last moment at which a signature that is made now counts.
    static func deadline(_ replica: ExchangeReplica) -> Int64 {
        moment(validNanos, after: replica.logTime)
    }

    /// `nanos` after a moment, nanoseconds since 1970; the last one there is where that is later.
    package static func moment(_ nanos: Int64, after time: Int64) -> Int64 {
        let (sum, isOver) = time.addingReportingOverflow(nanos)
        return isOver ? .max : sum
    }

    /// Whether the log's clock is close enough to this host's to sign by it; both in nanoseconds
    /// since 1970.
    package static func isClose(_ logTime: Int64, to host: Int64) -> Bool {
        let (apart, isOver) = logTime.subtractingReportingOverflow(host)
        return !isOver && apart.magnitude <= clockNanosMax
    }

    /// Signs what `make` gives for a seal, for the exchange of `replica` as it is now. Shows what
    /// the bytes that are signed say, then asks for the passphrase or the PIN on the terminal.
    func sign<Signed: SignedCommand>(
        for replica: ExchangeReplica, _ make: (OperatorSeal) -> Signed
    ) throws(CommandError) -> Signed {
        guard Self.isClose(replica.logTime, to: Clock.realtimeNanos()) else {
            throw CommandError(
                "the exchange's clock is more than ten minutes from this host's: a signature would "
                    + "count for longer than it says, or not at all",
                repair: "compare both with a good one: `boursectl status`, `date`; sign where the "
                    + "clock is right")
        }
        let seen = replica.engine.auditHead(for: name)
        var command = make(OperatorSeal(name: name, key: try place.publicKey(), seen: seen))
        guard
            let text = SignedText(
                kind: Signed.kind, payload: command.payloadBytes(), replica.engine)
        else { throw CommandError("there is nothing to sign") }
        var facts = Facts()
        for fact in text.facts { facts.add(fact.name, fact.value) }
        Terminal.warn("To be signed:")
        for line in facts.lines(Ink(isOn: false)) { Terminal.warn("  " + line) }
        let message = command.message(
            journalHigh: replica.journal.high, journalLow: replica.journal.low)
        let bytes = try place.signature(of: message)
        guard let signature = bytes.flatMap(OperatorSignature.init(bytes:)) else {
            throw CommandError("the key does not sign, or not for its public key")
        }
        command.seal.signature = signature
        return command
    }
}
