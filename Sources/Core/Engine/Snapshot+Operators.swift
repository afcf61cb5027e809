// The operators' part of the state, in canonical form: policy; the audit chain's count, last
// digests and marked ends; operators and open proposals, both in the order of the log. From rules
// 3 on.

internal import Terms
internal import Wire

extension Engine {
    func writeOperators(_ out: inout SnapshotSink) {
        out.writer.integer(UInt64(operators.endorsements))
        out.writer.integer(operators.head.count)
        out.count(operators.digests.count)
        for digest in operators.digests {
            out.writer.integer(digest.high)
            out.writer.integer(digest.low)
            out.endPart()
        }
        out.writer.integer(operators.markedMinute)
        out.count(operators.marks.count)
        for mark in operators.marks {
            out.writer.integer(mark.count)
            out.writer.integer(mark.digest.high)
            out.writer.integer(mark.digest.low)
            out.endPart()
        }
        out.count(operators.list.count)
        for one in operators.list {
            out.writer.text(one.name)
            out.writer.integer(one.key.high)
            out.writer.integer(one.key.low)
            out.flag(one.approves)
            out.flag(one.administers)
            out.writer.integer(one.since)
            out.writer.integer(one.lastProposal.number)
            out.endPart()
        }
        out.count(operators.proposals.count)
        for open in operators.proposals {
            out.writer.integer(open.sequence)
            out.writer.integer(UInt64(open.endorsers.count))
            for name in open.endorsers { out.writer.text(name) }
            open.proposal.encode(into: &out.writer)
            out.endPart()
        }
    }

    mutating func readOperators(_ r: inout WireReader) -> Bool {
        let endorsements: UInt64 = r.integer()
        let chained: UInt64 = r.integer()
        guard r.isValid, endorsements <= UInt64(Limits.approvalsMax), chained <= sequence,
            let digests = r.count(most: Limits.auditHeadsMax)
        else { return false }
        operators.endorsements = UInt8(endorsements)
        var ends: [Digest256] = []
        for _ in 0..<digests {
            ends.append(Digest256(high: r.integer(), low: r.integer()))
            r.endPart()
        }
        let minute: Int64 = r.integer()
        guard r.isValid, minute <= timestamp / Limits.auditMarkNanos,
            let marked = r.count(most: Limits.auditMarksMax)
        else { return false }
        var marks: [AuditHead] = []
        for _ in 0..<marked {
            marks.append(
                AuditHead(
                    count: r.integer(), digest: Digest256(high: r.integer(), low: r.integer())))
            r.endPart()
        }
        guard r.isValid,
            operators.restore(count: chained, ends, marks: marks, minute: minute),
            let count = r.count(most: Limits.operatorsMax)
        else { return false }
        for _ in 0..<count {
            let one = OperatorView(
                name: r.text(), key: OperatorKey(high: r.integer(), low: r.integer()),
                approves: r.flag(), administers: r.flag(), since: r.integer(),
                lastProposal: ProposalID(r.integer()))
            r.endPart()
            guard r.isValid, !one.name.isEmpty, !one.key.isWeak,
                !operators.list.contains(where: { $0.name == one.name || $0.key == one.key })
            else { return false }
            operators.set(one)
        }
        guard let open = r.count(most: Limits.proposalsMax) else { return false }
        var last: UInt64 = 0
        for _ in 0..<open where !readProposal(&r, &last) { return false }
        return r.isValid && checkOperators() == nil
    }

    /// `last` is the record of the proposal before.
    private mutating func readProposal(_ r: inout WireReader, _ last: inout UInt64) -> Bool {
        let sequence: UInt64 = r.integer()
        let count: UInt64 = r.integer()
        guard r.isValid, sequence > last, sequence <= self.sequence,
            count < UInt64(Limits.approvalsMax)
        else { return false }
        last = sequence
        let endorsers: [Text40] = (0..<count).map { _ in r.text() }
        let proposal = Propose(from: &r)
        r.endPart()
        guard r.isValid, proposal.id.number != 0, operators.proposal(proposal.id) == nil,
            proposal.deadline >= 0,
            proposal.deadline <= timestamp
                || proposal.deadline - timestamp <= Limits.proposalNanosMax,
            let command = proposal.command, command.kind.rules <= rules,
            command.mayBeProposed(by: proposal.seal.name),
            let proposer = operators.find(proposal.seal.name), proposer.key == proposal.seal.key,
            proposal.id.number <= proposer.lastProposal.number,
            operators.proposals.count(where: { $0.proposer == proposal.seal.name })
                < Limits.proposalsOfOperatorMax
        else { return false }
        operators.open(
            ProposalView(proposal: proposal, sequence: sequence, endorsers: endorsers))
        return true
    }
}
