// Operators with keys, and what two of them decide together. Rules 3. What is signed of these is in
// `SignedCommand.swift`.

public import Terms

/// Gives a name a key and roles, or other roles. A name keeps its key for the life of the log, so
/// that each signature in it can be checked; without roles the operator is removed.
///
///      0  text40 name
///     40  32   key
///     72  u8   approves   73  u8 administers, then 6 reserved, then `Audit`
public struct SetOperator: CommandPayload {
    public static var kind: CommandKind { .setOperator }
    /// The operator's name.
    public var name: Text40
    /// Its Ed25519 public key.
    public var key: OperatorKey
    /// Whether it approves withdrawals.
    public var approves: Bool
    /// Whether it proposes and endorses.
    public var administers: Bool
    /// The operator who says so, and the reason.
    public var audit: Audit

    /// An operator of these roles.
    public init(
        name: Text40, key: OperatorKey, approves: Bool, administers: Bool, audit: Audit
    ) {
        (self.name, self.key, self.audit) = (name, key, audit)
        (self.approves, self.administers) = (approves, administers)
    }

    public func encode(into w: inout WireWriter) {
        w.text(name)
        w.integer(key.high)
        w.integer(key.low)
        w.flag(approves)
        w.flag(administers)
        w.reserved(6)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        name = r.text()
        key = OperatorKey(high: r.integer(), low: r.integer())
        approves = r.flag()
        administers = r.flag()
        r.reserved(6)
        audit = Audit(from: &r)
    }
}

/// Sets how many administrators endorse a proposal beside its proposer.
///
///      0  u8   endorsements, then 7 reserved, then `Audit`
public struct SetCustodyPolicy: CommandPayload {
    public static var kind: CommandKind { .setCustodyPolicy }
    /// How many; up to `Limits.approvalsMax`. 0: each alone, by a signature. Else at least two
    /// more administer, so that one key may be lost.
    public var endorsements: UInt8
    /// The operator and the reason.
    public var audit: Audit

    /// A policy.
    public init(endorsements: UInt8, audit: Audit) {
        (self.endorsements, self.audit) = (endorsements, audit)
    }

    public func encode(into w: inout WireWriter) {
        w.integer(endorsements)
        w.reserved(7)
        audit.encode(into: &w)
    }

    public init(from r: inout WireReader) {
        endorsements = r.integer()
        r.reserved(7)
        audit = Audit(from: &r)
    }
}

/// Proposes a command that takes two persons (`Command.isProposable`). It is applied in the record
/// of the last endorsement that the policy asks for, with its own outcome; in this one if it asks
/// for none.
///
///      0  u128 id
///     16  i64  deadline
///     24  u16  kind    26  u16 bytes    28  4 reserved
///     32  the command's payload, then `OperatorSeal`
public struct Propose: SignedCommand {
    public static var kind: CommandKind { .propose }
    /// Above that of each earlier one of its proposer, so that none counts twice; never zero.
    public var id: ProposalID
    /// The last moment of the log's clock at which it is endorsed; within
    /// `Limits.proposalNanosMax`, or `signatureNanosMax` where nobody has to endorse it.
    public var deadline: Int64
    /// The proposed command's kind, as in a record's header.
    public var proposedKind: UInt16
    /// Its payload, up to `Limits.proposedBytesMax`.
    public var payload: [UInt8]
    /// Who signed it.
    public var seal: OperatorSeal

    /// A proposal of a command.
    public init(id: ProposalID, deadline: Int64, _ command: Command, seal: OperatorSeal) {
        (self.id, self.deadline, self.seal) = (id, deadline, seal)
        (proposedKind, payload) = (command.kind.rawValue, command.payload.payloadBytes())
    }

    /// The command that is proposed; nil: it does not decode, or is not to be proposed.
    public var command: Command? {
        guard let kind = CommandKind(rawValue: proposedKind),
            let command = unsafe payload.withUnsafeBytes({
                unsafe Command(kind: kind, payload: $0)
            }), command.isProposable, command.payload.payloadBytes() == payload
        else { return nil }
        return command
    }

    /// What endorsements name: the SHA-256 of this payload, its signature included.
    public var digest: Digest256 { Digest256(of: payloadBytes()) }

    /// Writes the fields before the seal.
    public func encodeSigned(into w: inout WireWriter) {
        w.integer(id.number)
        w.integer(deadline)
        w.integer(proposedKind)
        w.integer(UInt16(payload.count))
        w.reserved(4)
        for byte in payload { w.integer(byte) }
    }

    public init(from r: inout WireReader) {
        id = ProposalID(r.integer())
        deadline = r.integer()
        proposedKind = r.integer()
        let count = Int(r.integer(UInt16.self))
        r.reserved(4)
        payload = r.bytes(count: count, most: Limits.proposedBytesMax)
        seal = OperatorSeal(from: &r)
    }
}

/// Endorses a proposal.
///
///      0  u128 proposal
///     16  i64  deadline
///     24  32   its digest, then `OperatorSeal`
public struct Endorse: SignedCommand {
    public static var kind: CommandKind { .endorse }
    /// The proposal.
    public var proposal: ProposalID
    /// The last moment of the log's clock at which it counts; within `Limits.signatureNanosMax`. So
    /// a signature that was refused or held back does not wait for a better time.
    public var deadline: Int64
    /// What was seen of it: `Propose.digest`.
    public var digest: Digest256
    /// Who signed it.
    public var seal: OperatorSeal

    /// An endorsement.
    public init(proposal: ProposalID, deadline: Int64, digest: Digest256, seal: OperatorSeal) {
        (self.proposal, self.deadline) = (proposal, deadline)
        (self.digest, self.seal) = (digest, seal)
    }

    /// Writes the fields before the seal.
    public func encodeSigned(into w: inout WireWriter) {
        w.integer(proposal.number)
        w.integer(deadline)
        w.integer(digest.high)
        w.integer(digest.low)
    }

    public init(from r: inout WireReader) {
        proposal = ProposalID(r.integer())
        deadline = r.integer()
        digest = Digest256(high: r.integer(), low: r.integer())
        seal = OperatorSeal(from: &r)
    }
}

/// Takes an own proposal back.
///
///      0  u128 proposal, then `OperatorSeal`
public struct WithdrawProposal: SignedCommand {
    public static var kind: CommandKind { .withdrawProposal }
    /// The proposal.
    public var proposal: ProposalID
    /// Who signed it.
    public var seal: OperatorSeal

    /// Its end.
    public init(proposal: ProposalID, seal: OperatorSeal) {
        (self.proposal, self.seal) = (proposal, seal)
    }

    /// Writes the fields before the seal.
    public func encodeSigned(into w: inout WireWriter) { w.integer(proposal.number) }

    public init(from r: inout WireReader) {
        proposal = ProposalID(r.integer())
        seal = OperatorSeal(from: &r)
    }
}

/// An operator's signed approval or refusal of a withdrawal, of all that it saw of it: whatever is
/// different in the log makes it void.
///
///      0  u64  withdrawal
///      8  i64  deadline
///     16  u8   approves   17  3 reserved
///     20  u32  account
///     24  u16  asset      26  u16 network    28  4 reserved
///     32  i128 amount
///     48  i128 fee
///     64  text64 address
///    128  text40 tag, then the reason: u16 bytes, UTF-8; then `OperatorSeal`
public struct SignDecision: SignedCommand {
    public static var kind: CommandKind { .signDecision }
    /// The withdrawal.
    public var withdrawal: WithdrawalID
    /// The last moment of the log's clock at which it counts; within `Limits.signatureNanosMax`.
    public var deadline: Int64
    /// Whether it is approved; else it is refused, and its money released.
    public var approves: Bool
    /// Whose it is.
    public var account: AccountID
    /// What leaves.
    public var asset: AssetID
    /// By which chain.
    public var network: NetworkID
    /// What arrives, in the asset's smallest units.
    public var amount: Amount
    /// What it costs the customer beside it.
    public var fee: Amount
    /// Where it goes.
    public var address: Text64
    /// The destination's tag, or empty.
    public var tag: Text40
    /// Why, up to `Limits.reasonBytesMax` bytes.
    public var reason: String
    /// Who signed it.
    public var seal: OperatorSeal

    /// A decision by what was shown of a withdrawal.
    public init(
        withdrawal: WithdrawalID, deadline: Int64, approves: Bool, account: AccountID,
        asset: AssetID, network: NetworkID, amount: Amount, fee: Amount, address: Text64,
        tag: Text40, reason: String, seal: OperatorSeal
    ) {
        (self.withdrawal, self.deadline, self.approves) = (withdrawal, deadline, approves)
        self.account = account
        (self.asset, self.network, self.amount, self.fee) = (asset, network, amount, fee)
        (self.address, self.tag, self.reason, self.seal) = (address, tag, reason, seal)
    }

    /// Writes the fields before the seal.
    public func encodeSigned(into w: inout WireWriter) {
        w.integer(withdrawal.number)
        w.integer(deadline)
        w.flag(approves)
        w.reserved(3)
        w.integer(account.number)
        w.integer(asset.number)
        w.integer(network.number)
        w.reserved(4)
        w.integer(amount.units)
        w.integer(fee.units)
        w.text(address)
        w.text(tag)
        w.string(reason)
    }

    public init(from r: inout WireReader) {
        withdrawal = WithdrawalID(r.integer())
        deadline = r.integer()
        approves = r.flag()
        r.reserved(3)
        account = AccountID(r.integer())
        asset = AssetID(r.integer())
        network = NetworkID(r.integer())
        r.reserved(4)
        amount = Amount(units: r.integer())
        fee = Amount(units: r.integer())
        address = r.text()
        tag = r.text()
        reason = r.string(most: Limits.reasonBytesMax)
        seal = OperatorSeal(from: &r)
    }
}
