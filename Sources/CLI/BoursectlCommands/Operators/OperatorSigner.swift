// An operator who signs: what is signed is shown first, then the passphrase is asked for.

import Engine
import Presentation
import Terms
import Wire

/// An operator with a key.
struct OperatorSigner {
    private let place: OperatorKeyPlace

    /// The operator's name.
    var name: Text40 { place.name }

    /// How long a signature of an endorsement or a decision counts, on the log's clock: it is
    /// submitted at once, and matchd may be away for a moment.
    private static let validNanos: Int64 = 600_000_000_000

    /// The operator of a key.
    init(_ place: OperatorKeyPlace) { self.place = place }

    /// The last moment at which a signature that is made now counts.
    static func deadline(_ replica: ExchangeReplica) -> Int64 { replica.logTime + validNanos }

    /// Signs what `make` gives for a seal, for the exchange of `replica` as it is now. Shows what
    /// the bytes that are signed say, then asks for the passphrase or the PIN on the terminal.
    func sign<Signed: SignedCommand>(
        for replica: ExchangeReplica, _ make: (OperatorSeal) -> Signed
    ) throws(CommandError) -> Signed {
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
