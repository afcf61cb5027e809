// A venue and operators with true keys, for tests of what one of them alone may not do.

import Engine
import Secrets
import Terms
import Testing
import Wire

/// A venue, and operators with true keys.
final class Office {
    let venue: Venue
    static let journal: (high: UInt64, low: UInt64) = (0x1122, 0x3344)
    private var ids: UInt128 = 0

    init(_ venue: Venue = Venue()) {
        self.venue = venue
        // Once operators have keys it takes two of them.
        #expect(venue.addKey(Venue.ann).refusal == .none)
    }

    static func secret(_ name: String) -> SecretBytes {
        SecretBytes(SHA256.digest(Array(name.utf8)))
    }

    static func key(_ name: String) -> OperatorKey {
        OperatorKey(bytes: Ed25519.publicKey(of: secret(name))!)!
    }

    static func audit(_ name: String) -> Audit {
        Audit(operatorName: Text40(name)!, reason: "test")
    }

    func setOperator(
        _ name: String, approves: Bool = true, administers: Bool = true, by other: String = "olga",
        _ change: (inout SetOperator) -> Void = { _ in }
    ) -> Command {
        var command = SetOperator(
            name: Text40(name)!, key: Self.key(name), approves: approves, administers: administers,
            audit: Self.audit(other))
        change(&command)
        return .setOperator(command)
    }

    func seal(_ name: String) -> OperatorSeal {
        OperatorSeal(name: Text40(name)!, key: Self.key(name), seen: venue.engine.auditHead)
    }

    static func signed<C: SignedCommand>(_ command: C, _ name: String) -> C {
        var command = command
        let message = command.message(journalHigh: journal.high, journalLow: journal.low)
        command.seal.signature = OperatorSignature(
            bytes: Ed25519.signature(of: message, by: secret(name))!)!
        return command
    }

    static func isValid(_ command: some SignedCommand) -> Bool {
        Ed25519.isValid(
            command.seal.signature.bytes, publicKey: command.seal.key.bytes,
            command.message(journalHigh: journal.high, journalLow: journal.low))
    }

    func proposal(
        _ command: Command, by name: String, _ change: (inout Propose) -> Void = { _ in }
    ) -> Propose {
        ids += 1
        var proposal = Propose(
            id: ProposalID(ids), deadline: venue.engine.timestamp + 1_000_000_000,
            command.said(by: Text40(name)!), seal: seal(name))
        change(&proposal)
        return Self.signed(proposal, name)
    }

    @discardableResult
    func propose(
        _ command: Command, by name: String = "olga", _ change: (inout Propose) -> Void = { _ in }
    ) -> Outcome {
        venue.apply(.propose(proposal(command, by: name, change)))
    }

    /// A minute from now.
    var soon: Int64 { venue.engine.timestamp + 60_000_000_000 }

    @discardableResult
    func endorse(_ name: String, _ change: (inout Endorse) -> Void = { _ in }) -> Outcome {
        let open = venue.engine.proposals.last
        var command = Endorse(
            proposal: open?.id ?? ProposalID(1), deadline: soon,
            digest: open?.proposal.digest ?? .none, seal: seal(name))
        change(&command)
        return venue.apply(.endorse(Self.signed(command, name)))
    }

    /// Olga, Otto, Omar and `more` administer and approve; one endorses.
    func open(_ more: String...) {
        #expect(venue.apply(setOperator("olga")).refusal == .none)
        for name in ["otto", "omar"] + more { #expect(propose(setOperator(name)).refusal == .none) }
        #expect(propose(policy(1)).refusal == .none)
    }

    func policy(_ endorsements: UInt8) -> Command {
        .setCustodyPolicy(
            SetCustodyPolicy(endorsements: endorsements, audit: Self.audit("olga")))
    }

    func credit(_ reference: String = "wire 1", units: Int128 = 5) -> Command {
        .adjustBalance(
            AdjustBalance(
                account: Venue.ann, asset: Venue.gold, amount: Amount(units: units),
                reference: Text64("office \(reference)")!, audit: Self.audit("olga")))
    }

    /// Gold's chain 1, of which withdrawals need so many approvals.
    func network(approvals: UInt8, fee: Int128 = 3) -> Command {
        .setNetwork(
            SetNetwork(
                asset: Venue.gold, network: NetworkID(1), approvals: approvals, confirmations: 1,
                minimum: Amount(units: 1), fee: Amount(units: fee), name: Text16("GLD")!,
                audit: Self.audit("olga")))
    }

    /// Ann's withdrawal of 50 gold, or what an operator proposes as one.
    func request(_ address: String = "customer", requester: String = "") -> WithdrawalView {
        let command = Command.requestWithdrawal(
            RequestWithdrawal(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                amount: Amount(units: 50), address: Text64(address)!,
                requester: Text40(requester)!,
                keyID: requester.isEmpty ? Venue.key(Venue.ann) : Text64()))
        if !requester.isEmpty { propose(command, by: requester) }
        let outcome = requester.isEmpty ? venue.apply(command) : endorse("otto")
        return venue.engine.withdrawal(WithdrawalID(outcome.id))!
    }

    func decide(
        _ view: WithdrawalView, _ name: String, _ change: (inout SignDecision) -> Void = { _ in }
    ) -> Refusal {
        var command = SignDecision(
            withdrawal: view.id, deadline: soon, approves: true, account: view.account,
            asset: view.asset, network: view.network, amount: view.amount, fee: view.fee,
            address: view.address, tag: view.tag, reason: "", seal: seal(name))
        change(&command)
        return venue.apply(.signDecision(Self.signed(command, name))).refusal
    }

    var gold: Int128 { venue.balance(Venue.ann, Venue.gold).available.units - 1_000_000 }
}
