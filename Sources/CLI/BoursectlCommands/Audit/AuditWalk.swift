// The journal's signatures and the audit chain, checked record by record.

import Engine
import JSON
package import Journal
import Presentation
import Terms
package import Wire

/// What does not fit, and where.
package struct AuditTrailError: Error {
    /// The record; nil: of none.
    package let record: UInt64?
    /// What is wrong.
    package let problem: String
    /// What to do.
    let repair: String

    init(
        _ problem: String, at record: UInt64? = nil,
        repair: String = "keep this journal as it is, and compare it with the standby's and with "
            + "copies"
    ) {
        (self.record, self.problem, self.repair) = (record, problem, repair)
    }
}

/// A walk over a journal.
package final class AuditWalk {
    /// What was found.
    package struct Report {
        /// The journal's last record.
        package var last: UInt64 = 0
        /// Commands that were signed.
        package var signatures: UInt64 = 0
        /// Commands of operators and of the wallet that are voided.
        package var voided: [UInt64] = []
        /// Signed commands that were refused, whose signer is no operator, or names a past that
        /// this journal never had: of no effect, and to be looked at.
        package var unknown: [UInt64] = []
        /// The chain's end.
        package var head = AuditHead.none
        var operators: [OperatorView] = []

        var json: JSONValue {
            [
                "ok": .bool(true), "last": .number(last), "commands": .number(head.count),
                "signatures": .number(signatures),
                "voided": .array(voided.map { .number($0) }),
                "unknown": .array(unknown.map { .number($0) }), "head": .string(head.text),
                "operators": .array(
                    operators.map {
                        ["name": .string("\($0.name)"), "publicKey": .string($0.key.hex)]
                    }),
            ]
        }

        func text(_ ink: Ink) -> [String] {
            var facts = Facts()
            facts.add("records", Readable.count(last))
            facts.add("commands of operators", Readable.count(head.count))
            facts.add("signatures", Readable.count(signatures))
            facts.add("end of the chain", head.text)
            for one in operators { facts.add("key of \(one.name)", one.key.hex) }
            func add(_ name: String, _ records: [UInt64]) {
                if records.isEmpty { return }
                facts.add(name, records.prefix(20).map { "\($0)" }.joined(separator: ", "))
            }
            add("voided records, to be looked at", voided)
            add("refused: signed by no operator, or late", unknown)
            return [ink.good("All signatures and the chain fit.")] + facts.lines(ink)
        }
    }

    /// Records of a kind that are listed.
    private static let listedMax = 1_000

    private let identity: (high: UInt64, low: UInt64)
    private var report = Report()
    /// The chain's ends, from the one without a command on.
    private var digests = [Digest256.none]
    private var fault: AuditTrailError?
    /// The first command that names another past.
    private var strange: AuditTrailError?

    private init(_ identity: (high: UInt64, low: UInt64)) { self.identity = identity }

    /// Walks a journal; `expected` is an end that it had. Throws at the first record that does not
    /// fit.
    package static func run(
        _ journal: RecoveredJournal, _ expected: AuditHead?, progress: (UInt64) -> Void
    ) throws(AuditTrailError) -> Report {
        guard let genesis = journal.genesis, journal.firstSequence <= 1 else {
            throw AuditTrailError(
                "the journal lacks its first records: the chain begins with them",
                repair: "put its oldest segments back, from a backup or a standby")
        }
        let walk = AuditWalk((genesis.journalHigh, genesis.journalLow))
        var engine = Engine(limits: genesis.limits, keepsEvents: false)
        // By thousands, so that a record that does not fit ends it soon.
        var through: UInt64 = 0
        while through < journal.lastSequence, walk.fault == nil {
            through = min(through + 100_000, journal.lastSequence)
            do throws(JournalError) {
                try unsafe Journal.replay(
                    journal, into: &engine, through: through,
                    each: { unsafe walk.see($0, $1, $2, $3) })
            } catch {
                if let fault = walk.fault { throw fault }
                throw AuditTrailError("\(error)", at: engine.sequence)
            }
            progress(through)
        }
        if let fault = walk.fault ?? walk.strange { throw fault }
        walk.report.last = engine.sequence
        walk.report.head = engine.auditHead
        walk.report.operators = engine.operatorViews
        if let expected, !walk.had(expected) {
            throw AuditTrailError(
                "the chain never had the end \(expected.text): its past is another one")
        }
        return walk.report
    }

    private func had(_ end: AuditHead) -> Bool {
        end.count < UInt64(digests.count) && digests[Int(end.count)] == end.digest
    }

    private func see(
        _ header: RecordHeader, _ record: UnsafeRawBufferPointer, _ outcome: Outcome,
        _ engine: borrowing Engine
    ) {
        guard fault == nil else { return }
        if outcome.refusal == .voided,
            // From 60 on all are of operators.
            20...39 ~= header.kind || 50...56 ~= header.kind || header.kind >= 60
        {
            list(header.sequence, in: \.voided)
        } else if let kind = CommandKind(rawValue: header.kind), kind.isSigned {
            let payload = unsafe UnsafeRawBufferPointer(rebasing: record[RecordHeader.size...])
            if let signed = unsafe Command(kind: kind, payload: payload)?.signed {
                check(signed, kind, header.sequence, outcome)
            } else if outcome.refusal == .malformed, engine.rules >= kind.rules {
                fault = AuditTrailError(
                    "record \(header.sequence): a \(kind) that is not well formed was never taken",
                    at: header.sequence)
            }
        }
        if engine.auditHead.count == UInt64(digests.count) {
            digests.append(engine.auditHead.digest)
        }
    }

    private func list(_ record: UInt64, in place: WritableKeyPath<Report, [UInt64]>) {
        if report[keyPath: place].count < Self.listedMax {
            report[keyPath: place].append(record)
        }
    }

    private func check(
        _ signed: any SignedCommand, _ kind: CommandKind, _ sequence: UInt64, _ outcome: Outcome
    ) {
        let seal = signed.seal
        let what = "record \(sequence), \(kind) by \(seal.name)"
        report.signatures += 1
        if !SealCheck.isSound(signed, of: identity) {
            fault = AuditTrailError("\(what): its signature is of something else", at: sequence)
        } else if had(seal.seen) {
            return
        } else if outcome.refusal != .none, outcome.refusal != .auditHeadUnknown {
            // Anybody who reaches the log may sign by a key of his own; the engine looked at the
            // past that he names only if it knows his name, key and role.
            list(sequence, in: \.unknown)
        } else if strange == nil {
            // What is behind it is checked all the same: whoever has a key may name any past. By
            // its refusal alone it shows that the past was changed: the chain is another one then.
            strange = AuditTrailError(
                "\(what): its signer saw the chain's end \(seal.seen.text), which this journal "
                    + "never had: a command before it was changed, added or taken out, unless its "
                    + "signer named another. All signatures behind it fit",
                at: sequence)
        }
    }
}
