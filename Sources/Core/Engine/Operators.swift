// Operators with keys, what they propose, and the chain over what they did.

public import Terms
public import Wire

/// An operator with a key.
public struct OperatorView: Hashable, Sendable {
    /// The name.
    public var name: Text40
    /// Its key, for the life of the log.
    public var key: OperatorKey
    /// Whether it approves withdrawals.
    public var approves: Bool
    /// Whether it proposes and endorses.
    public var administers: Bool
    /// How many commands the audit chain had with the one that gave these roles: what it signed
    /// before counts no more.
    public var since: UInt64
    /// Its last proposal that was taken; a later one has a higher id.
    public var lastProposal: ProposalID

    /// All fields, for projections and tests in this package.
    package init(
        name: Text40, key: OperatorKey, approves: Bool, administers: Bool, since: UInt64,
        lastProposal: ProposalID = ProposalID(0)
    ) {
        (self.name, self.key, self.approves) = (name, key, approves)
        (self.administers, self.since, self.lastProposal) = (administers, since, lastProposal)
    }
}

/// An open proposal.
public struct ProposalView: Hashable, Sendable {
    /// The command, as it was signed.
    public var proposal: Propose
    /// The record of the log that has it.
    public var sequence: UInt64
    /// Who endorsed it, in the order of the log.
    public var endorsers: [Text40]

    /// All fields, for projections and tests in this package.
    package init(proposal: Propose, sequence: UInt64, endorsers: [Text40] = []) {
        (self.proposal, self.sequence, self.endorsers) = (proposal, sequence, endorsers)
    }

    /// Its id.
    public var id: ProposalID { proposal.id }
    /// Who made it.
    public var proposer: Text40 { proposal.seal.name }
}

/// Operators, proposals and the audit chain. Bounded by `Limits`; rules 3.
struct Operators: ~Copyable {
    /// In the order of the log. None: names alone count, as before rules 3.
    private(set) var list: [OperatorView] = []
    /// How many endorse a proposal beside its proposer.
    var endorsements: UInt8 = 0
    /// Open proposals, in the order of the log.
    private(set) var proposals: [ProposalView] = []
    /// The last moment of the proposal that expires first.
    private(set) var firstDeadline = Int64.max
    /// The audit chain's end.
    private(set) var head = AuditHead.none
    /// The digests of its last ends, the newest last.
    private(set) var digests = [Digest256.none]
    /// The ends before the first command of each of the last minutes that had one.
    private(set) var marks: [AuditHead] = []
    /// The last of these minutes, on the log's clock; -1: none.
    private(set) var markedMinute: Int64 = -1
    /// The command that the record `sequence` applied by a proposal.
    private(set) var applied: (sequence: UInt64, command: Command)?

    /// Bytes of full tables.
    static var bytesMax: Int {
        Limits.operatorsMax * MemoryLayout<OperatorView>.stride
            + Limits.auditHeadsMax * MemoryLayout<Digest256>.stride
            + Limits.auditMarksMax * MemoryLayout<AuditHead>.stride
            + Limits.proposalsMax
            * (MemoryLayout<ProposalView>.stride + Limits.proposedBytesMax
                + Int(Limits.approvalsMax) * MemoryLayout<Text40>.stride)
    }

    var isEmpty: Bool { list.isEmpty }

    func find(_ name: Text40) -> OperatorView? { list.first { $0.name == name } }

    func administers(_ name: Text40) -> Bool { find(name)?.administers ?? false }

    /// How many administer, `name` left out.
    func administrators(without name: Text40 = Text40()) -> Int {
        list.count { $0.administers && $0.name != name }
    }

    /// How many have to administer where so many endorse: one key may be lost, and those that are
    /// left still give another one.
    static func administratorsMin(endorsements: UInt8) -> Int {
        endorsements == 0 ? 1 : Int(endorsements) + 2
    }

    /// How many approve, `name` left out.
    func approvers(without name: Text40 = Text40()) -> Int {
        list.count { $0.approves && $0.name != name }
    }

    mutating func set(_ view: OperatorView) {
        if let place = list.firstIndex(where: { $0.name == view.name }) {
            list[place] = view
        } else {
            list.append(view)
        }
    }

    /// Notes an operator's last proposal.
    mutating func noteProposal(_ id: ProposalID, of name: Text40) {
        guard let place = list.firstIndex(where: { $0.name == name }) else { return }
        list[place].lastProposal = id
    }

    // MARK: Proposals

    func proposal(_ id: ProposalID) -> ProposalView? { proposals.first { $0.id == id } }

    mutating func open(_ proposal: ProposalView) {
        proposals.append(proposal)
        firstDeadline = min(firstDeadline, proposal.proposal.deadline)
    }

    mutating func endorse(_ id: ProposalID, _ name: Text40) {
        guard let place = proposals.firstIndex(where: { $0.id == id }) else { return }
        proposals[place].endorsers.append(name)
    }

    mutating func close(_ id: ProposalID) {
        proposals.removeAll { $0.id == id }
        firstDeadline = proposals.reduce(.max) { min($0, $1.proposal.deadline) }
    }

    /// Takes an operator's endorsements back.
    mutating func disown(_ name: Text40) {
        for place in proposals.indices { proposals[place].endorsers.removeAll { $0 == name } }
    }

    mutating func note(_ command: Command, at sequence: UInt64) { applied = (sequence, command) }

    // MARK: The audit chain

    mutating func chain(_ next: AuditHead, at timestamp: Int64) {
        let minute = timestamp / Limits.auditMarkNanos
        if minute > markedMinute {
            markedMinute = minute
            marks.append(head)
            if marks.count > Limits.auditMarksMax { marks.removeFirst() }
        }
        head = next
        digests.append(next.digest)
        if digests.count > Limits.auditHeadsMax { digests.removeFirst() }
    }

    /// Whether the chain had this end, not too long ago.
    func knows(_ seen: AuditHead) -> Bool { isRecent(seen) || marks.contains(seen) }

    private func isRecent(_ seen: AuditHead) -> Bool {
        guard seen.count <= head.count, head.count - seen.count < UInt64(digests.count) else {
            return false
        }
        return digests[digests.count - 1 - Int(head.count - seen.count)] == seen.digest
    }

    /// What a snapshot has of the chain; false where it cannot be.
    mutating func restore(
        count: UInt64, _ digests: [Digest256], marks: [AuditHead], minute: Int64
    ) -> Bool {
        guard let last = digests.last, count < 1 << 62, minute >= -1,
            marks.isEmpty == (minute == -1), marks.count <= Limits.auditMarksMax,
            marks.last?.count ?? 0 <= count,
            zip(marks, marks.dropFirst()).allSatisfy({ $0.count < $1.count }),
            UInt64(digests.count) == min(count + 1, UInt64(Limits.auditHeadsMax)),
            digests.count == Limits.auditHeadsMax || digests[0] == .none
        else { return false }
        (head, self.digests) = (AuditHead(count: count, digest: last), digests)
        (self.marks, markedMinute) = (marks, minute)
        return true
    }
}
