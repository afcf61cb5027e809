// Random commands of operators with keys, in the logs that have some.

import Engine
import Slabs
import Terms
import Wire

extension CommandStream {
    static let names = ["olga", "otto", "omar", "tester", "opal"]

    /// The key of a name.
    static func key(_ name: Text40) -> OperatorKey {
        OperatorKey(high: UInt128(name.w0) << 64 | 77, low: 5)
    }

    private mutating func name() -> Text40 {
        let known = twin.operators.filter { $0.administers || $0.approves }
        return known.isEmpty || random.once(in: 15)
            ? Text40(random.pick(Self.names))! : random.pick(known).name
    }

    private mutating func seal(_ name: Text40) -> OperatorSeal {
        let last = twin.heads.count - 1
        let back = random.once(in: 12) ? Int(random.within(0...300)) : Int(random.within(0...3))
        var count = max(0, last - back)
        // The one before the first command of some minute.
        let firsts = twin.minutes.indices.filter {
            $0 == 0 || twin.minutes[$0] > twin.minutes[$0 - 1]
        }
        let old = firsts.filter { $0 < last - Limits.auditHeadsMax }
        if !firsts.isEmpty, random.once(in: 8) { count = random.pick(old.isEmpty ? firsts : old) }
        return OperatorSeal(
            name: name,
            key: random.once(in: 40) ? OperatorKey(high: 1, low: 3) : Self.key(name),
            seen: AuditHead(
                count: random.once(in: 60) ? .max : UInt64(count),
                digest: random.once(in: 40) ? .none : twin.heads[count]),
            signature: OperatorSignature(
                first: Digest256(high: UInt128(random.next()), low: 1), second: .none))
    }

    private mutating func signatureDeadline() -> Int64 {
        let wait: Int64 = random.once(in: 30) ? random.pick([-1, 0, 3_600_000_000_009]) : 1
        return max(0, twin.timestamp + wait * (wait == 1 ? 3_000_000_000 : 1))
    }

    mutating func operators(_ kind: CommandKind) -> Command {
        switch kind {
        case .endorse:
            // Who decides changes seldom, as it is proposed seldom.
            let people = twin.proposals.filter {
                $0.proposal.proposedKind == CommandKind.setOperator.rawValue
            }
            let known = people.isEmpty || random.once(in: 2) ? twin.proposals : people
            let open = random.once(in: 12) || known.isEmpty ? nil : random.pick(known)
            return .endorse(
                Endorse(
                    proposal: open?.id ?? ProposalID(3), deadline: signatureDeadline(),
                    digest: random.once(in: 20) ? .none : open?.proposal.digest ?? .none,
                    seal: seal(name())))
        case .withdrawProposal:
            let open = twin.proposals.isEmpty ? nil : random.pick(twin.proposals)
            return .withdrawProposal(
                WithdrawProposal(
                    proposal: open?.id ?? ProposalID(3),
                    seal: seal(random.once(in: 3) ? name() : open?.proposer ?? name())))
        case .signDecision: return .signDecision(decision())
        case .setOperator: return guarded(.setOperator(person()))
        case .setCustodyPolicy:
            return guarded(
                .setCustodyPolicy(
                    SetCustodyPolicy(
                        endorsements: random.pick([0, 1, 1, 2, 2, 2, 3, 9]), audit: audit)))
        default:
            return propose(.resumeWithdrawals(ResumeWithdrawals(asset: AssetID(1), audit: audit)))
        }
    }

    /// A guarded command as it is given: by a proposal once there are operators, most times.
    mutating func guarded(_ command: Command) -> Command {
        twin.operators.isEmpty || twin.rules < 3 || random.once(in: 12) ? command : propose(command)
    }

    /// The command, or its proposal if it is a guarded one.
    mutating func guardedIfSo(_ command: Command) -> Command {
        let isProposed = command.isProposable && !command.isGuarded && random.once(in: 2)
        return command.isGuarded || isProposed ? guarded(command) : command
    }

    private mutating func propose(_ command: Command) -> Command {
        let name = name()
        let inner = random.once(in: 20) ? command : command.said(by: name)
        let last = twin.operatorNamed(name)?.lastProposal.number ?? 0
        let id =
            random.once(in: 30)
            ? 0 : random.once(in: 30) ? last : last + UInt128(random.within(1...9))
        // What is applied at once is of the hour.
        let most: Int64 = twin.endorsements == 0 ? 3_600_000_000_000 : 604_800_000_000_000
        let wait: Int64 = random.pick([-1, 0, 1, 3_000_000_000, 90_000_000_000, most])
        var proposal = Propose(
            id: ProposalID(id),
            deadline: max(0, twin.timestamp + wait + (random.once(in: 50) ? 9 : 0)),
            inner, seal: seal(name))
        if random.once(in: 30) { proposal.proposedKind = random.pick([1, 20, 40, 62, 999]) }
        if random.once(in: 40) { proposal.payload.append(0) }
        return .propose(proposal)
    }

    private mutating func person() -> SetOperator {
        let name = Text40(random.once(in: 30) ? "" : random.pick(Self.names))!
        var key = Self.key(name)
        if random.once(in: 20) { key = Self.key(Text40(random.pick(Self.names))!) }
        if random.once(in: 40) { key = OperatorKey(high: random.pick([0, 1]), low: 0) }
        // Who has proposed something administers no more.
        if !twin.proposals.isEmpty, random.once(in: 3) {
            let name = random.pick(twin.proposals).proposal.seal.name
            return SetOperator(
                name: name, key: Self.key(name), approves: true, administers: false, audit: audit)
        }
        return SetOperator(
            name: name, key: key, approves: !random.once(in: 4), administers: !random.once(in: 5),
            audit: audit)
    }

    private mutating func decision() -> SignDecision {
        let waiting = twin.withdrawals.filter { $0.status == .requested }
        let all = waiting.isEmpty || random.once(in: 6) ? twin.withdrawals : waiting
        let view = all.isEmpty ? nil : random.pick(all)
        var decision = SignDecision(
            withdrawal: view?.id ?? WithdrawalID(9), deadline: signatureDeadline(),
            approves: !random.once(in: 5),
            account: view?.account ?? AccountID(1), asset: view?.asset ?? AssetID(1),
            network: view?.network ?? NetworkID(1), amount: view?.amount ?? .zero,
            fee: view?.fee ?? .zero, address: view?.address ?? Text64(), tag: view?.tag ?? Text40(),
            reason: "r", seal: seal(name()))
        switch random.within(0...60) {
        case 0: decision.account = AccountID(99)
        case 1: decision.asset = AssetID(99)
        case 2: decision.network = NetworkID(99)
        case 3: decision.amount.units += 1
        case 4: decision.fee.units += 1
        case 5: decision.tag = Text40("other")!
        case 6...9: decision.address = Text64("elsewhere")!
        default: break
        }
        return decision
    }
}

extension Command {
    /// The same command, of an operator of this name where it is guarded.
    func said(by name: Text40) -> Command {
        let audit = Audit(operatorName: name, reason: "said")
        switch self {
        case .setNetwork(var c):
            c.audit = audit
            return .setNetwork(c)
        case .setChain(var c):
            c.audit = audit
            return .setChain(c)
        case .resumeWithdrawals(var c):
            c.audit = audit
            return .resumeWithdrawals(c)
        case .setOperator(var c):
            c.audit = audit
            return .setOperator(c)
        case .setCustodyPolicy(var c):
            c.audit = audit
            return .setCustodyPolicy(c)
        case .adjustBalance(var c):
            c.audit = audit
            return .adjustBalance(c)
        case .transferFees(var c):
            c.audit = audit
            return .transferFees(c)
        case .raiseLimits(var c):
            c.audit = audit
            return .raiseLimits(c)
        case .setKillSwitch(var c):
            c.audit = audit
            return .setKillSwitch(c)
        case .setInstrument(var c):
            c.audit = audit
            return .setInstrument(c)
        case .setReferencePrice(var c):
            c.audit = audit
            return .setReferencePrice(c)
        case .setFees(var c):
            c.audit = audit
            return .setFees(c)
        case .setAccountTier(var c):
            c.audit = audit
            return .setAccountTier(c)
        case .addAPIKey(var c):
            c.audit = audit
            return .addAPIKey(c)
        case .decideWithdrawal(var c):
            c.audit = audit
            return .decideWithdrawal(c)
        case .setWithdrawalPolicy(var c):
            c.audit = audit
            return .setWithdrawalPolicy(c)
        case .setWithdrawalLimits(var c):
            c.audit = audit
            return .setWithdrawalLimits(c)
        case .setWithdrawalTerms(var c):
            c.audit = audit
            return .setWithdrawalTerms(c)
        case .addWithdrawalAddress(var c):
            c.audit = audit
            return .addWithdrawalAddress(c)
        case .setColdStorage(var c):
            c.audit = audit
            return .setColdStorage(c)
        case .requestWithdrawal(var c):
            c.requester = name
            return .requestWithdrawal(c)
        default: return self
        }
    }
}
