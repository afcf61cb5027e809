// The primary: steps 3 to 5 of the claim, then remove, add, raise, switchover, demotion.

internal import Terms

extension FailoverCore {
    mutating func lead(
        at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        guard let term, let report = view.report else { return .recovering }
        guard let record = view.record else { return .reading }
        if record.epoch > term.epoch
            || record.epoch == term.epoch && record.primary != settings.host
        {
            return demote(record, report, at: now, &effects)
        }
        if isSuperseded(record, report) {
            order(.end, epoch: term.epoch, &effects)
            endedProcess = report.process
            giveUpRole(&effects)
            effects.transitions.append(.demoted)
            return superseded
        }
        if effects.opensLink != nil { return summary(record, report) }
        guard isCurrent else { return .ordering(term.epoch) }
        guard report.isPrimary else {
            // matchd follows a higher epoch already, or refused to lead a lower one.
            giveUpRole(&effects)
            phase = .following(since: now)
            effects.transitions.append(.demoted)
            return .reading
        }
        advance(report, &effects)
        putFloor(record, report, at: now, &effects)
        if let swap = pending?.swap { return explain(swap, record, report, at: now) }
        guard let peer = settings.peer, works(report, at: now) else {
            return summary(record, report)
        }
        if case .sealed(let since) = phase, now.since(since) < timing.handoverNanos {
            // The peer's first record waits until this host follows: it must not wait for the next
            // floor to say that the claim is done.
            ask(at: now, &effects)
            return .sealed(peer)
        }
        if let promise = report.peer?.promise, promise > term.epoch {
            return raise(record, to: max(promise, report.promise), &effects)
        }
        let reason = record.replica(of: peer).flatMap {
            removalReason($0, report, since: term.since, at: now)
        }
        switch phase {
        case .handingOver(let since):
            return handOver(to: peer, record, report, reason, since: since, at: now, &effects)
        case .sealed: return raise(record, to: report.promise, &effects)
        default: break
        }
        guard record.replica(of: peer) != nil else {
            return admit(peer, record, report, at: now, &effects)
        }
        guard let reason else { return summary(record, report) }
        send(
            .remove, comparing: record, epoch: record.epoch,
            inSync: record.inSync.filter { $0.host == settings.host }, forced: record.forced,
            &effects)
        effects.transitions.append(.removing)
        return .removing(peer, record.epoch, reason)
    }

    /// Demotion, by any higher epoch. What a sealed primary wrote is all released, so its process
    /// follows as it is; any other ends.
    private mutating func demote(
        _ record: ClusterRecord, _ report: MatchdReport, at now: BootTime,
        _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        let isSealed = isCurrent && report.state == .sealed
        if isSealed {
            let action = MatchdAction.follow(
                renewsReplica: false, isConfirmed: true, forced: record.forced)
            order(action, epoch: max(record.epoch, report.promise), &effects)
        } else {
            order(.end, epoch: record.epoch, &effects)
            endedProcess = report.process
        }
        giveUpRole(&effects)
        if isSealed { phase = .following(since: now) }
        effects.transitions.append(.demoted)
        return .demoted(record.primary, record.epoch)
    }

    /// Steps 4 and 5, once the gate covers the journal with the EPOCH record at its end.
    private mutating func advance(_ report: MatchdReport, _ effects: inout FailoverEffects) {
        guard phase == .applying, report.epoch == term?.epoch, report.epochStart > 0,
            report.commitPoint >= report.epochStart
        else { return }
        phase = .reconciling
        effects.reconcilesWallet = report.epoch
    }

    /// The floor, every second in every mode; it confirms the role as well.
    private mutating func putFloor(
        _ record: ClusterRecord, _ report: MatchdReport, at now: BootTime,
        _ effects: inout FailoverEffects
    ) {
        guard settings.peer != nil, phase != .applying, !floorAwaited,
            report.commitPoint >= view.floor,
            floorAt.map({ now.since($0) >= timing.floorNanos }) ?? true
        else { return }
        (floorAt, floorAwaited, view.floor) = (now, true, report.commitPoint)
        effects.floor = FloorPut(compared: record, sequence: report.commitPoint)
    }

    private func removalReason(
        _ listed: ReplicaID, _ report: MatchdReport, since: BootTime, at now: BootTime
    ) -> RemovalReason? {
        if operatorRemoves { return .operatorAsked }
        if let joined = report.peer {
            if joined.replica != listed { return .otherReplica }
            if joined.lacksAcknowledged { return .lacksAcknowledged }
        }
        let fresh = max(since, freshSince ?? now)
        if now.since(max(fresh, report.peer?.echoedAt ?? fresh)) > timing.removalNanos {
            return .silent
        }
        return isStalled(report.peer, since: fresh, at: now) ? .stalled : nil
    }

    /// What was sent to the peer has waited too long for its acknowledgement.
    private func isStalled(_ peer: PeerReport?, since fresh: BootTime, at now: BootTime) -> Bool {
        guard let waitingSince = peer?.waitingSince else { return false }
        return now.since(max(fresh, waitingSince)) >= timing.stallNanos
    }

    /// Raise: a promise above the own epoch is answered by the same set in a higher one.
    private mutating func raise(
        _ record: ClusterRecord, to promise: UInt32, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        let epoch = max(promise, min(record.epoch, ClusterRecord.epochMax) + 1)
        send(
            .raise, comparing: record, epoch: epoch, inSync: record.inSync, forced: record.forced,
            &effects)
        effects.transitions.append(.raising)
        return .raising(epoch)
    }

    /// Add: the gate requires it → it has acknowledged this epoch's EPOCH record and all released →
    /// swap. One that echoes and acknowledges nothing, as where its disk hangs, is not required, or
    /// no longer: everybody would wait for it.
    private mutating func admit(
        _ peer: HostName, _ record: ClusterRecord, _ report: MatchdReport, at now: BootTime,
        _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        let joined = report.peer.flatMap { joined in
            joined.echoedAt.map { now.since($0) <= timing.removalNanos } ?? false ? joined : nil
        }
        let stalls = isStalled(joined, since: max(term?.since ?? now, freshSince ?? now), at: now)
        guard let required = report.requirement else {
            if stalls, !view.isPeerOut { return .notAdding(peer, record.epoch, .stalled) }
            guard !view.isPeerOut, hasArbiter(at: now), let joined, joined.matched > 0,
                report.end - min(report.end, joined.matched) <= timing.addLagMax
            else { return summary(record, report) }
            order(.require(joined.replica), epoch: record.epoch, &effects)
            effects.transitions.append(.requiring)
            return .requiring(peer, record.epoch)
        }
        guard let joined, joined.replica == required, !view.isPeerOut else {
            return withdraw(record, &effects)
        }
        if stalls {
            noteRemoval(at: now)
            return withdraw(record, &effects)
        }
        guard joined.matched >= max(report.commitPoint, report.epochStart) else {
            return .requiring(peer, record.epoch)
        }
        send(
            .add, comparing: record, epoch: record.epoch,
            inSync: record.inSync + [InSyncReplica(host: peer, replica: required)],
            forced: record.forced, &effects)
        effects.transitions.append(.adding)
        return .adding(peer, record.epoch)
    }

    /// The learner is gone, and no addition is under way; what an earlier run of this agent sent is
    /// ruled out by a swap first.
    private mutating func withdraw(
        _ record: ClusterRecord, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        if mayHaveOrphan {
            send(
                .settle, comparing: record, epoch: record.epoch, inSync: record.inSync,
                forced: record.forced, &effects)
            return .settling(record.epoch)
        }
        order(.require(nil), epoch: record.epoch, &effects)
        effects.transitions.append(.withdrawn)
        return .leadingAlone(record.epoch)
    }

    /// Switchover: intake is held, the hash mark is on both → seal. Given up, intake opens again.
    private mutating func handOver(
        to peer: HostName, _ record: ClusterRecord, _ report: MatchdReport,
        _ reason: RemovalReason?, since: BootTime, at now: BootTime,
        _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        if reason != nil || record.replica(of: peer) == nil
            || now.since(since) >= timing.handoverNanos
        {
            order(.resumeIntake, epoch: record.epoch, &effects)
            phase = .open
            effects.transitions.append(.gaveUp)
            return summary(record, report)
        }
        guard report.isIntakeHeld, report.commitPoint == report.end,
            report.requirement == record.replica(of: peer)
        else { return .handingOver(peer) }
        order(.seal, epoch: record.epoch, &effects)
        phase = .sealed(since: now)
        effects.transitions.append(.sealed)
        return .sealed(peer)
    }

    private func explain(
        _ swap: RecordSwap, _ record: ClusterRecord, _ report: MatchdReport, at now: BootTime
    ) -> FailoverExplanation {
        let peer = settings.peer ?? settings.host
        switch swap.purpose {
        case .claim: return summary(record, report)
        case .remove:
            let reason = record.replica(of: peer).flatMap {
                removalReason($0, report, since: term?.since ?? now, at: now)
            }
            guard let reason else { return summary(record, report) }
            return hasArbiter(at: now)
                ? .removing(peer, record.epoch, reason) : .cannotRemove(peer, reason)
        case .add: return .adding(peer, record.epoch)
        case .raise: return .raising(swap.value.epoch)
        case .settle: return .settling(record.epoch)
        }
    }

    private func summary(
        _ record: ClusterRecord, _ report: MatchdReport
    ) -> FailoverExplanation {
        if phase == .applying { return .applying(record.epoch) }
        if phase == .reconciling { return .reconciling(record.epoch) }
        guard let peer = settings.peer else { return .leadingAlone(record.epoch) }
        if record.replica(of: peer) != nil {
            return report.holdsLease
                ? .leadingWith(peer, record.epoch) : .holding(peer, record.epoch)
        }
        return view.isPeerOut ? .peerOut(peer, record.epoch) : .leadingAlone(record.epoch)
    }
}
