// Guarded commands in an operator's session: proposed where operators have keys.

import Engine
import Platform
import Presentation
import Terms
import Wire

extension Exchange {
    /// A session for the commands of operators with keys. Throws where the log's rules are older.
    func operatorsSession(_ who: OperatorOption) throws(CommandError) -> OperatorSession {
        let session = try session(who)
        let rules = session.replica.engine.rules
        guard rules >= CommandKind.propose.rules else {
            throw CommandError(
                "the exchange's log follows rules \(rules), and operators' keys are part of rules "
                    + "\(CommandKind.propose.rules)",
                repair: "rules rise by themselves once all its hosts run this version: see "
                    + "`boursectl cluster status`")
        }
        return session
    }
}

extension OperatorSession {
    /// How long a proposal waits, unless its operator takes it back.
    private static let proposalNanos: Int64 = 3 * 86_400_000_000_000

    /// The operator's key, which has to be given.
    func signer(_ who: OperatorOption) throws(CommandError) -> OperatorSigner {
        guard let path = who.keyFile else {
            throw CommandError(
                "this is signed by an operator's key",
                repair: "give its file, or its place on a token: --operator-key KEY", code: .usage)
        }
        return try OperatorSigner(OperatorKeyPlace.find(path))
    }

    /// The proposal of a guarded command where operators have keys; nil: it is submitted as it is.
    func proposal(
        of payload: some CommandPayload, _ who: OperatorOption
    ) throws(CommandError) -> Propose? {
        let kind = type(of: payload).kind
        let bytes = payload.payloadBytes()
        let command = unsafe bytes.withUnsafeBytes { unsafe Command(kind: kind, payload: $0) }
        guard let command, needsTwo(command), !replica.engine.operatorViews.isEmpty else {
            return nil
        }
        guard who.keyFile != nil else {
            throw CommandError(
                "operators have keys, so this has to be proposed and signed",
                repair: "repeat it with --operator-key KEY; see `boursectl proposal --help`")
        }
        let signer = try signer(who)
        // The log's clock, then bits that nobody guesses: above each earlier one of this operator.
        let random = SystemRandom.bytes(8).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        let last = replica.engine.operatorViews.first { $0.name == signer.name }?.lastProposal
        let id = ProposalID(
            max(
                UInt128(UInt64(clamping: replica.logTime)) << 64 | random,
                (last?.number ?? 0).addingReportingOverflow(1).partialValue))
        // Where nobody endorses it is done now or not at all.
        let deadline =
            replica.engine.endorsements == 0
            ? OperatorSigner.deadline(replica)
            : OperatorSigner.moment(Self.proposalNanos, after: replica.logTime)
        return try signer.sign(for: replica) {
            Propose(id: id, deadline: deadline, command, seal: $0)
        }
    }
}

extension OperatorSession {
    /// Whether a command is proposed where operators have keys: what gives a withdrawal's money
    /// back that a transaction pays or paid as well.
    private func needsTwo(_ command: Command) -> Bool {
        switch command {
        case .dropTransaction: return true
        case .decideWithdrawal(let c):
            let view = replica.engine.withdrawal(c.withdrawal)
            return !c.approves && (view?.wasSigned == true || view?.status == .signed)
        default: return command.isGuarded
        }
    }
}

extension CommandError {
    /// Not an error: what was given waits for others.
    init(proposed proposal: Propose, _ receipt: CommandReceipt, _ endorsements: UInt8) {
        self.init(
            "proposed, not done: \(endorsements) "
                + (endorsements == 1 ? "other administrator has" : "other administrators have")
                + " to endorse proposal \(proposal.id.hex). \(receipt.text)",
            repair: "boursectl proposal approve \(proposal.id.hex) --operator-key KEY",
            code: .proposed)
    }
}
