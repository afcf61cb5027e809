// What operators with keys decide. RULES.md, "Operators".

internal import Terms
internal import Wire

extension Engine {
    /// Applies a command of operators: not alone if it is guarded, and into the audit chain.
    mutating func executeOfOperators(_ command: Command) -> Outcome {
        if !operators.isEmpty, needsTwo(command) { return .refused(.approvalRequired) }
        let outcome = carryOut(command)
        if outcome.refusal == .none {
            operators.chain(
                operators.head.next(
                    sequence: sequence, timestamp: timestamp, kind: command.kind.rawValue,
                    payload: command.payload.payloadBytes()), at: timestamp)
        }
        return outcome
    }

    /// Whether a command that one person gives takes two, or a signature.
    private func needsTwo(_ command: Command) -> Bool {
        guard case .decideWithdrawal(let c) = command else { return command.isGuarded }
        return c.approves || custody.withdrawals[c.withdrawal.number]?.wasSigned == true
    }

    // MARK: Operators

    mutating func setOperator(_ c: SetOperator) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if c.key.isWeak { return .refused(.termsInvalid) }
        if let known = operators.find(c.name) {
            if known.key != c.key { return .refused(.nameInvalid) }
        } else {
            if !c.approves && !c.administers { return .refused(.termsInvalid) }
            if operators.list.contains(where: { $0.key == c.key }) {
                return .refused(.referenceDuplicate)
            }
            if operators.list.count >= Limits.operatorsMax { return .refused(.tableFull) }
        }
        let administrators =
            operators.administrators(without: c.name) + (c.administers ? 1 : 0)
        if administrators
            < Operators.administratorsMin(endorsements: operators.endorsements)
            || takesApprover(c)
        {
            return .refused(.stateInvalid)
        }
        let known = operators.find(c.name)
        // Names alone counted until now, and who loses the role has not approved.
        if operators.isEmpty {
            custody.disownAll()
        } else if known?.approves == true, !c.approves {
            custody.disown(c.name)
        }
        operators.set(
            OperatorView(
                name: c.name, key: c.key, approves: c.approves, administers: c.administers,
                since: operators.head.count + 1,
                lastProposal: known?.lastProposal ?? ProposalID(0)))
        events.append(.operatorChanged(c.name))
        if !c.administers {
            for proposal in operators.proposals where proposal.proposer == c.name {
                end(proposal.id, .withdrawn)
            }
            operators.disown(c.name)
        }
        return Outcome()
    }

    /// Whether an operator would approve no more whom some network's withdrawals need; those of a
    /// network that cannot be approved anyway need nobody.
    private func takesApprover(_ c: SetOperator) -> Bool {
        guard !c.approves, operators.find(c.name)?.approves == true else { return false }
        return custody.networks.values.contains {
            canApprove($0.approvals) && !canApprove($0.approvals, without: c.name)
        }
    }

    /// Whether so many can approve what one of them asks for, `name` left out.
    func canApprove(_ approvals: UInt8, without name: Text40 = Text40()) -> Bool {
        approvals == 0 || operators.approvers(without: name) > Int(approvals)
    }

    mutating func setCustodyPolicy(_ c: SetCustodyPolicy) -> Outcome {
        if c.endorsements > Limits.approvalsMax { return .refused(.termsInvalid) }
        if operators.administrators() < Operators.administratorsMin(endorsements: c.endorsements) {
            return .refused(.stateInvalid)
        }
        operators.endorsements = c.endorsements
        events.append(.custodyPolicyChanged(endorsements: c.endorsements))
        return Outcome()
    }

    /// Why a seal is not one of this log; its signature was checked before the log.
    private func refusal(of seal: OperatorSeal, _ role: KeyPath<OperatorView, Bool>) -> Refusal? {
        guard let known = operators.find(seal.name), known.key == seal.key, known[keyPath: role]
        else { return .operatorUnknown }
        return seal.seen.count >= known.since && operators.knows(seal.seen)
            ? nil : .auditHeadUnknown
    }

    /// Why a signature of this deadline is too late, is none of this log, or waits for longer than
    /// `most`. In this order: what is refused behind the seal is an operator's who knows this log,
    /// and a reader of the log may rely on that.
    private func refusal(
        of seal: OperatorSeal, _ role: KeyPath<OperatorView, Bool>, until deadline: Int64,
        _ most: Int64 = Limits.signatureNanosMax
    ) -> Refusal? {
        if timestamp > deadline { return .deadlinePassed }
        if let refusal = refusal(of: seal, role) { return refusal }
        return deadline - timestamp > most ? .termsInvalid : nil
    }

    // MARK: Proposals

    mutating func propose(_ c: Propose) -> Outcome {
        // Where nobody endorses it is done at once or refused, and what was refused must not be
        // submitted again by others for days.
        let most =
            operators.endorsements > 0 ? Limits.proposalNanosMax : Limits.signatureNanosMax
        if let refusal = refusal(of: c.seal, \.administers, until: c.deadline, most) {
            return .refused(refusal)
        }
        // A program that does not know the kind refuses it too, and the log's rules are no newer.
        guard c.id.number != 0, let command = c.command, command.kind.rules <= rules,
            command.mayBeProposed(by: c.seal.name)
        else { return .refused(.termsInvalid) }
        // Of one operator they rise, so none has to be remembered: there is always room for one
        // that raises limits.
        if let known = operators.find(c.seal.name), c.id.number <= known.lastProposal.number {
            return .refused(.referenceDuplicate)
        }
        if operators.proposal(c.id) != nil { return .refused(.referenceDuplicate) }
        if operators.proposals.count >= Limits.proposalsMax
            || operators.proposals.count(where: { $0.proposer == c.seal.name })
                >= Limits.proposalsOfOperatorMax
        {
            return .refused(.tableFull)
        }
        if operators.endorsements > 0 {
            operators.noteProposal(c.id, of: c.seal.name)
            operators.open(ProposalView(proposal: c, sequence: sequence))
            events.append(.proposalChanged(c.id, .open))
            return Outcome()
        }
        let outcome = apply(command, of: c.id)
        if outcome.refusal == .none { operators.noteProposal(c.id, of: c.seal.name) }
        return outcome
    }

    mutating func endorse(_ c: Endorse) -> Outcome {
        if let refusal = refusal(of: c.seal, \.administers, until: c.deadline) {
            return .refused(refusal)
        }
        guard let open = operators.proposal(c.proposal) else {
            return .refused(.proposalUnknown)
        }
        if timestamp > open.proposal.deadline { return .refused(.deadlinePassed) }
        if c.digest != open.proposal.digest { return .refused(.termsInvalid) }
        let name = c.seal.name
        if name == open.proposer || open.endorsers.contains(name) {
            return .refused(.approvalInvalid)
        }
        if open.endorsers.count + 1 < Int(operators.endorsements) {
            operators.endorse(c.proposal, name)
            events.append(.proposalChanged(c.proposal, .endorsed))
            return Outcome()
        }
        guard let command = open.proposal.command else {
            preconditionFailure("what is proposed decodes")
        }
        return apply(command, of: c.proposal)
    }

    /// Applies a proposed command; if it is refused, the record changes nothing.
    private mutating func apply(_ command: Command, of id: ProposalID) -> Outcome {
        let outcome = carryOut(command)
        if outcome.refusal != .none { return outcome }
        operators.note(command, at: sequence)
        end(id, .applied)
        return outcome
    }

    mutating func withdrawProposal(_ c: WithdrawProposal) -> Outcome {
        if let refusal = refusal(of: c.seal, \.administers) { return .refused(refusal) }
        guard let open = operators.proposal(c.proposal) else {
            return .refused(.proposalUnknown)
        }
        if open.proposer != c.seal.name { return .refused(.approvalInvalid) }
        end(c.proposal, .withdrawn)
        return Outcome()
    }

    private mutating func end(_ id: ProposalID, _ status: ProposalStatus) {
        operators.close(id)
        events.append(.proposalChanged(id, status))
    }

    /// Ends proposals whose deadline has passed, each a step, while there are steps.
    mutating func expireProposals() {
        while operators.firstDeadline < timestamp, steps < Int(limits.turnSteps) {
            guard let first = operators.proposals.first(where: { $0.proposal.deadline < timestamp })
            else { preconditionFailure("a proposal is due") }
            steps += 1
            end(first.id, .expired)
        }
    }

    // MARK: Withdrawals

    mutating func signDecision(_ c: SignDecision) -> Outcome {
        if let refusal = refusal(of: c.seal, \.approves, until: c.deadline) {
            return .refused(refusal)
        }
        guard let withdrawal = custody.withdrawals[c.withdrawal.number] else {
            return .refused(.withdrawalUnknown)
        }
        if c.account != withdrawal.account || c.asset != withdrawal.asset
            || c.network != withdrawal.network || c.amount != withdrawal.amount
            || c.fee != withdrawal.fee || c.address != withdrawal.address
            || c.tag != withdrawal.tag
        {
            return .refused(.termsInvalid)
        }
        // Its first payment may be final all the same: two give its money back.
        if !c.approves, withdrawal.wasSigned { return .refused(.approvalRequired) }
        return decide(withdrawal, by: c.seal.name, approves: c.approves)
    }

    // MARK: What always holds

    /// Each proposal and endorsement is an administrator's, and there are as many of these as the
    /// policy asks for.
    func checkOperators() -> String? {
        if operators.isEmpty {
            return operators.proposals.isEmpty && operators.endorsements == 0
                ? nil : "nobody has a key, and something is proposed"
        }
        if operators.administrators()
            < Operators.administratorsMin(endorsements: operators.endorsements)
        {
            return "\(operators.administrators()) administer, \(operators.endorsements) endorse"
        }
        if let one = operators.list.first(where: { $0.since > operators.head.count }) {
            return "operator \(one.name) is of a command that is still to come"
        }
        for open in operators.proposals {
            let names = open.endorsers + [open.proposer]
            if !names.allSatisfy({ operators.administers($0) }) || Set(names).count != names.count
                || open.endorsers.count >= Int(Limits.approvalsMax)
            {
                return "proposal \(open.id.hex) is endorsed wrongly"
            }
        }
        let first = operators.proposals.map(\.proposal.deadline).min() ?? .max
        return first == operators.firstDeadline ? nil : "the first deadline is wrong"
    }
}
