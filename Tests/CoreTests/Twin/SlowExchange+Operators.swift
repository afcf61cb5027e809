// Operators with keys.

import Engine
import Terms
import Wire

extension SlowExchange {
    func operatorNamed(_ name: Text40) -> OperatorView? { operators.first { $0.name == name } }

    /// Whether a command is refused because it is given by one person.
    func needsTwo(_ command: Command) -> Bool {
        if operators.isEmpty || flaw == .guardedIsTaken { return false }
        switch command {
        case .decideWithdrawal(let c):
            let wasSigned = withdrawal(c.withdrawal)?.wasSigned ?? false
            return c.approves || wasSigned && flaw != .oneRefusesSigned
        case .setKillSwitch(let c): return !c.isOn
        case .requestWithdrawal(let c): return !c.requester.isEmpty
        case .addAPIKey(let c):
            return ![0, 1].contains(c.permissions.rawValue) && flaw != .keyOfOne
        case .setFees: return flaw != .feesOfOne
        default:
            let all: [UInt16] = [21, 26, 28, 32, 33, 34, 36, 38, 39, 60, 61, 70, 71, 72, 74, 75]
            return all.contains(command.kind.rawValue)
        }
    }

    /// Chains a command of operators that was taken.
    func chain(_ command: Command) {
        switch command {
        case .requestWithdrawal(let c): if c.requester.isEmpty { return }
        default:
            let kind = command.kind.rawValue
            if !(20...39 ~= kind || 60...65 ~= kind || 70...75 ~= kind) { return }
        }
        func bytes(_ word: UInt64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
        minutes.append(timestamp / 60_000_000_000)
        let time = flaw == .timeIsNotChained ? 0 : UInt64(timestamp)
        heads.append(
            Digest256(
                of: heads.last!.bytes + bytes(sequence) + bytes(time)
                    + bytes(UInt64(command.kind.rawValue)) + command.payload.payloadBytes()))
    }

    // MARK: Operators

    func setOperator(_ c: SetOperator) -> Outcome {
        if c.name.isEmpty { return .refused(.nameInvalid) }
        if c.key.isWeak { return .refused(.termsInvalid) }
        let known = operatorNamed(c.name)
        if let known, known.key != c.key, flaw != .keyIsChanged { return .refused(.nameInvalid) }
        if known == nil {
            if !c.approves, !c.administers { return .refused(.termsInvalid) }
            if operators.contains(where: { $0.key == c.key }), flaw != .keyOfTwo {
                return .refused(.referenceDuplicate)
            }
            if operators.count == 256 { return .refused(.tableFull) }
        }
        let view = OperatorView(
            name: c.name, key: c.key, approves: c.approves, administers: c.administers,
            since: UInt64(heads.count), lastProposal: known?.lastProposal ?? ProposalID(0))
        var after = operators
        if let place = after.firstIndex(where: { $0.name == c.name }) {
            after[place] = view
        } else {
            after.append(view)
        }
        if !canAdminister(after, endorsements), flaw != .lastIsRemoved {
            return .refused(.stateInvalid)
        }
        if let known, known.approves, !c.approves, flaw != .lastApproverIsRemoved {
            // Its approval is the last spare one of a network whose withdrawals are approved yet.
            let (now, then) = (operators.filter(\.approves).count, after.filter(\.approves).count)
            for network in networks where network.approvals > 0 {
                let needed = Int(network.approvals) + 1
                if now >= needed, then < needed { return .refused(.stateInvalid) }
            }
        }
        for place in withdrawals.indices where withdrawals[place].status == .requested {
            if operators.isEmpty {
                if flaw != .namesStillCount { withdrawals[place].approvers = [] }
            } else if !c.approves, flaw != .removedApproverCounts {
                withdrawals[place].approvers.removeAll { $0 == c.name }
            }
        }
        operators = after
        events.append(.operatorChanged(c.name))
        if !c.administers, flaw != .removedStillCounts {
            for one in proposals where one.proposal.seal.name == c.name {
                events.append(.proposalChanged(one.id, .withdrawn))
            }
            proposals.removeAll { $0.proposal.seal.name == c.name }
            for place in proposals.indices {
                proposals[place].endorsers.removeAll { $0 == c.name }
            }
        }
        return Outcome()
    }

    func setCustodyPolicy(_ c: SetCustodyPolicy) -> Outcome {
        if c.endorsements > 8 { return .refused(.termsInvalid) }
        if !canAdminister(operators, c.endorsements) { return .refused(.stateInvalid) }
        endorsements = c.endorsements
        events.append(.custodyPolicyChanged(endorsements: endorsements))
        return Outcome()
    }

    /// Whether so many can be asked for an endorsement, and one key may be lost.
    private func canAdminister(_ all: [OperatorView], _ endorsements: UInt8) -> Bool {
        let count = all.filter(\.administers).count
        if endorsements == 0 { return count > 0 }
        return count > Int(endorsements) + (flaw == .lastSpareIsRemoved ? 0 : 1)
    }

    private func refusal(_ seal: OperatorSeal, approves: Bool) -> Refusal? {
        guard let known = operatorNamed(seal.name), known.key == seal.key,
            approves ? known.approves : known.administers
        else { return .operatorUnknown }
        if flaw == .anyPastIsTaken { return nil }
        let count = Int(clamping: seal.seen.count)
        guard count < heads.count, heads[count] == seal.seen.digest,
            seal.seen.count >= known.since || flaw == .oldRolesSign
        else { return .auditHeadUnknown }
        // The last 256, the present one included; and those before the first command of each of the
        // last 64 minutes that had one.
        if count + 256 >= heads.count { return nil }
        let firsts = minutes.indices.filter { $0 == 0 || minutes[$0] > minutes[$0 - 1] }
        return firsts.suffix(64).contains(count) && flaw != .marksAreForgotten
            ? nil : .auditHeadUnknown
    }

    private func refusal(
        _ deadline: Int64, _ seal: OperatorSeal, approves: Bool
    ) -> Refusal? {
        if timestamp > deadline, flaw != .heldBackCounts { return .deadlinePassed }
        if let refusal = refusal(seal, approves: approves) { return refusal }
        return deadline - timestamp > 3_600_000_000_000 ? .termsInvalid : nil
    }

    // MARK: Proposals

    func propose(_ c: Propose) -> Outcome {
        if timestamp > c.deadline { return .refused(.deadlinePassed) }
        if let refusal = refusal(c.seal, approves: false) { return .refused(refusal) }
        let hour: Int64 = 3_600 * 1_000_000_000
        let most = endorsements == 0 ? hour : 7 * 24 * hour
        guard c.id.number > 0, c.deadline - timestamp <= most, let command = c.command,
            command.mayBeProposed(by: c.seal.name), rules >= command.kind.rules
        else { return .refused(.termsInvalid) }
        let place = operators.firstIndex { $0.name == c.seal.name }!
        let isAgain =
            operators[place].lastProposal.number >= c.id.number && flaw != .proposedAgain
        if isAgain || proposals.contains(where: { $0.id == c.id }) {
            return .refused(.referenceDuplicate)
        }
        let own = proposals.filter { $0.proposal.seal.name == c.seal.name }
        if proposals.count == 64 || own.count == 16 { return .refused(.tableFull) }
        if endorsements == 0 {
            let outcome = carryOut(command)
            if outcome.refusal != .none { return outcome }
            events.append(.proposalChanged(c.id, .applied))
            operators[place].lastProposal = c.id
            return outcome
        }
        operators[place].lastProposal = c.id
        proposals.append(ProposalView(proposal: c, sequence: sequence))
        events.append(.proposalChanged(c.id, .open))
        return Outcome()
    }

    func endorse(_ c: Endorse) -> Outcome {
        if let refusal = refusal(c.deadline, c.seal, approves: false) { return .refused(refusal) }
        guard let place = proposals.firstIndex(where: { $0.id == c.proposal }) else {
            return .refused(.proposalUnknown)
        }
        let open = proposals[place]
        if timestamp > open.proposal.deadline { return .refused(.deadlinePassed) }
        if open.proposal.digest != c.digest, flaw != .otherIsEndorsed {
            return .refused(.termsInvalid)
        }
        if c.seal.name == open.proposal.seal.name, flaw != .proposerEndorses {
            return .refused(.approvalInvalid)
        }
        if open.endorsers.contains(c.seal.name), flaw != .endorsedTwiceByOne {
            return .refused(.approvalInvalid)
        }
        if open.endorsers.count + 1 < Int(endorsements) {
            proposals[place].endorsers.append(c.seal.name)
            events.append(.proposalChanged(c.proposal, .endorsed))
            return Outcome()
        }
        let outcome = carryOut(open.proposal.command!)
        if outcome.refusal != .none { return outcome }
        proposals.removeAll { $0.id == c.proposal }
        events.append(.proposalChanged(c.proposal, .applied))
        return outcome
    }

    func withdrawProposal(_ c: WithdrawProposal) -> Outcome {
        if let refusal = refusal(c.seal, approves: false) { return .refused(refusal) }
        guard let open = proposals.first(where: { $0.id == c.proposal }) else {
            return .refused(.proposalUnknown)
        }
        if open.proposal.seal.name != c.seal.name { return .refused(.approvalInvalid) }
        proposals.removeAll { $0.id == c.proposal }
        events.append(.proposalChanged(c.proposal, .withdrawn))
        return Outcome()
    }

    func expireProposals() {
        for one in proposals where one.proposal.deadline < timestamp && !isTurnOver {
            steps += 1
            proposals.removeAll { $0.id == one.id }
            events.append(.proposalChanged(one.id, .expired))
        }
    }

    func signDecision(_ c: SignDecision) -> Outcome {
        if let refusal = refusal(c.deadline, c.seal, approves: true) { return .refused(refusal) }
        guard let found = withdrawal(c.withdrawal) else { return .refused(.withdrawalUnknown) }
        let isSame =
            c.account == found.account && c.asset == found.asset && c.network == found.network
            && c.amount == found.amount && c.fee == found.fee && c.tag == found.tag
            && (c.address == found.address || flaw == .addressIsNotSigned)
        if !isSame { return .refused(.termsInvalid) }
        if found.wasSigned, !c.approves, flaw != .oneRefusesSigned {
            return .refused(.approvalRequired)
        }
        return decide(found, c.seal.name, c.approves)
    }
}
