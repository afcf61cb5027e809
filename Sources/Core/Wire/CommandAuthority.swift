// Who may give which command, and whether one person is enough: the one place that says so, for the
// engine, for matchd that checks before the log, and for tools. RULES.md has it as a table.

public import Terms

/// Whose a kind of command is, and what becomes of it once operators have keys.
@frozen public enum CommandAuthority: String, Sendable, CaseIterable {
    /// matchd's own; no writer submits it.
    case sequencer
    /// A writer's, for its own session.
    case session
    /// A trader's, through a gateway; no operator's any more once operators have keys.
    case trader
    /// The wallet's alone, whatever role an operator has: it says what chains say.
    case wallet
    /// One person's: it takes no money out and makes no way for that.
    case alone
    /// Two persons': it is proposed and endorsed.
    case guarded
    /// One's or two's, by its fields or by what it is about.
    case partly
    /// Signed by an operator's key.
    case signed
}

extension CommandKind {
    /// Whose it is. Without a default: a new kind has to be decided here.
    public var authority: CommandAuthority {
        switch self {
        case .genesis, .tick, .hashMark, .epochMark, .setRules, .voidSequence: .sequencer
        case .openSession, .closeSession: .session
        case .place, .amend, .cancelReplace: .trader
        case .creditDeposit, .noteDeposit, .signWithdrawals, .settleTransaction, .checkBlock:
            .wallet
        case .setAsset, .setInstrumentState, .openAccount, .setAccountLimits, .setOrderLimits,
            .revokeAPIKey, .cancel, .massCancel, .cancelWithdrawal, .assignAddress,
            .stopWithdrawals, .removeWithdrawalAddress:
            .alone
        case .setInstrument, .setReferencePrice, .setFees, .setAccountTier, .adjustBalance,
            .transferFees, .raiseLimits, .setNetwork, .setChain, .resumeWithdrawals, .setOperator,
            .setCustodyPolicy, .setWithdrawalPolicy, .setWithdrawalLimits, .setWithdrawalTerms,
            .addWithdrawalAddress, .setColdStorage:
            .guarded
        case .setKillSwitch, .addAPIKey, .requestWithdrawal, .decideWithdrawal, .dropTransaction:
            .partly
        case .propose, .endorse, .withdrawProposal, .signDecision: .signed
        }
    }

    /// Whether its commands are signed by an operator's key.
    @inlinable public var isSigned: Bool {
        switch self {
        case .propose, .endorse, .withdrawProposal, .signDecision: true
        default: false
        }
    }
}

extension Command {
    /// Whether it takes two persons once operators have keys, whatever it is about: it can take
    /// money out, or make way for that. What only stops things is not guarded.
    public var isGuarded: Bool {
        switch self {
        // What it stopped would go on.
        case .setKillSwitch(let c): !c.isOn
        // Who has the key trades or withdraws for the customer.
        case .addAPIKey(let c): !c.permissions.isSubset(of: .read)
        // Else its requester's name would be anybody's, and its approver another of his names.
        case .requestWithdrawal(let c): !c.requester.isEmpty
        default: kind.authority == .guarded
        }
    }

    /// Whether it may be proposed: it is guarded, or it is so for what it is about. The payment
    /// that is dropped may be final all the same, and the refusal of what it paid gives its money
    /// back.
    public var isProposable: Bool {
        switch self {
        case .dropTransaction: true
        case .decideWithdrawal(let c): !c.approves
        default: isGuarded
        }
    }

    /// Whether an operator of this name may propose it: it is proposable, and says no other name.
    public func mayBeProposed(by name: Text40) -> Bool {
        guard isProposable else { return false }
        // Who drops it is said by the proposal alone.
        if case .dropTransaction = self { return true }
        return proposedAudit?.operatorName == name
    }

    /// The operator and the reason of a proposable command; nil of any other, and of one that says
    /// none.
    private var proposedAudit: Audit? {
        switch self {
        case .setInstrument(let c): c.audit
        case .setReferencePrice(let c): c.audit
        case .setFees(let c): c.audit
        case .setAccountTier(let c): c.audit
        case .addAPIKey(let c): c.audit
        case .setNetwork(let c): c.audit
        case .setChain(let c): c.audit
        case .resumeWithdrawals(let c): c.audit
        case .decideWithdrawal(let c): c.audit
        case .setOperator(let c): c.audit
        case .setCustodyPolicy(let c): c.audit
        case .adjustBalance(let c): c.audit
        case .transferFees(let c): c.audit
        case .raiseLimits(let c): c.audit
        case .setKillSwitch(let c): c.audit
        case .setWithdrawalPolicy(let c): c.audit
        case .setWithdrawalLimits(let c): c.audit
        case .setWithdrawalTerms(let c): c.audit
        case .addWithdrawalAddress(let c): c.audit
        case .setColdStorage(let c): c.audit
        case .requestWithdrawal(let c): Audit(operatorName: c.requester, reason: "")
        default: nil
        }
    }

    /// Whether it is one of operators, which the audit chain has.
    public var isOfOperators: Bool {
        switch kind.authority {
        case .guarded, .signed: return true
        case .alone:
            // A trader's or the wallet's as well, and then no operator's.
            switch self {
            case .cancel, .massCancel, .cancelWithdrawal, .assignAddress, .stopWithdrawals:
                return false
            default: return true
            }
        case .partly:
            switch self {
            case .requestWithdrawal(let request): return !request.requester.isEmpty
            // The wallet's; an operator's is proposed, and its proposal is chained.
            case .dropTransaction: return false
            default: return true
            }
        case .sequencer: return kind == .voidSequence
        case .session, .trader, .wallet: return false
        }
    }
}
