// Start, and the claim's steps 1 and 2.

extension FailoverCore {
    /// Start: recover and sync the journal; in one transaction get record and floor; promise at
    /// least the record's epoch. An agent that starts beside a matchd at work takes it as it is.
    mutating func start(
        at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        guard let report = view.report else { return .recovering }
        if report.process == endedProcess { return .recovering }
        switch report.state {
        case .stopped: return stopped(report)
        case .leading, .sealed: return adopt(report, at: now, &effects)
        case .promised, .following(isConfirmed: true):
            phase = .following(since: now)
            return .reading
        case .recovered, .following(isConfirmed: false): break
        }
        if view.isOtherCluster { return .otherCluster }
        if let record = view.record, let askedAt = view.askedAt, askedAt >= processSeenAt {
            followConfirmed(record, report, at: now, &effects)
            return .ordering(record.epoch)
        }
        if view.lacksRecord { return .noRecord }
        guard report.state == .recovered else { return .unconfirmed }
        if startedProcess != report.process, now.since(processSeenAt) >= timing.graceNanos {
            startedProcess = report.process
            let action = MatchdAction.follow(
                renewsReplica: false, isConfirmed: false, forced: nil)
            order(action, epoch: report.promise, &effects)
            effects.transitions.append(.followedUnconfirmed)
        }
        return .reading
    }

    private mutating func followConfirmed(
        _ record: ClusterRecord, _ report: MatchdReport, at now: BootTime,
        _ effects: inout FailoverEffects
    ) {
        let isBelowFloor = report.end < view.floor
        let action = MatchdAction.follow(
            renewsReplica: isBelowFloor, isConfirmed: true, forced: record.forced)
        order(action, epoch: max(record.epoch, report.promise), &effects)
        belong(record, report, &effects)
        effects.transitions.append(isBelowFloor ? .renewed : .followed)
        phase = .following(since: now)
    }

    /// The replica belongs to the etcd that is its own, or was made in the place of its own.
    private mutating func belong(
        _ record: ClusterRecord, _ report: MatchdReport, _ effects: inout FailoverEffects
    ) {
        guard view.cluster != 0, view.cluster != report.cluster else { return }
        order(.belong(to: view.cluster), epoch: max(record.epoch, report.promise), &effects)
    }

    /// The role is matchd's already; the next floor confirms it.
    private mutating func adopt(
        _ report: MatchdReport, at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        term = FailoverTerm(epoch: report.epoch, process: report.process, since: now)
        if let record = view.record, record.epoch < report.epoch { view.record = nil }
        mayHaveOrphan = true
        hasAddress = report.isLinkOpen
        if report.state == .sealed {
            phase = .sealed(since: now)
        } else if report.isIntakeHeld {
            phase = .handingOver(since: now)
        } else {
            phase = report.isLinkOpen ? .open : .applying
        }
        effects.transitions.append(.adopted)
        return .reading
    }

    mutating func follow(
        since: BootTime, at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        guard let report = view.report else { return .recovering }
        guard let record = view.record else { return .reading }
        guard isCurrent else { return .ordering(record.epoch) }
        switch report.state {
        case .stopped: return stopped(report)
        case .following(isConfirmed: true), .promised: break
        default:
            phase = .starting
            return .reading
        }
        if view.isOtherCluster { return .otherCluster }
        if report.isHandedOver {
            handedOverAt = handedOverAt ?? now
        } else {
            handedOverAt = nil
        }
        belong(record, report, &effects)
        guard isCurrent else { return .ordering(record.epoch) }
        let isInSync = record.replica(of: settings.host) == report.replica
        if let asked,
            asked.cause == .failover && !isInSync
                || asked.cause == .forced && asked.record != record
                || now.since(asked.at) >= timing.verbNanos
        {
            self.asked = nil
        }
        guard let (cause, from) = trigger(record, report, since: since, isInSync, at: now) else {
            if record.primary == settings.host {
                return isInSync ? .waitingGrace(record.epoch) : .lostJournal(record.epoch)
            }
            if let reason = report.reason {
                return .hindered(record.primary, record.epoch, reason)
            }
            return isInSync
                ? .following(record.primary, record.epoch) : .learning(record.primary, record.epoch)
        }
        if isBarred {
            asked = nil
            return .barred(view.watchdog)
        }
        if view.isPaused, asked == nil { return .paused }
        if isSuperseded(record, report) { return superseded }
        // A record that cannot be claimed, as one with a lower epoch than before, is not tried for
        // without a pause.
        if let lost = lostClaim, asked == nil, cause != .switchover,
            now.since(lost.at) < timing.readNanos
        {
            return .lost(lost.epoch, record.primary)
        }
        if let peer = settings.peer, view.peer == nil, asked == nil, cause != .switchover,
            now.since(startedAt ?? now) < timing.peerNanos
        {
            return .waitingPeer(peer)
        }
        guard pending == nil, works(report, at: now), let askedAt = view.askedAt, askedAt >= from
        else {
            ask(at: now, &effects)
            return .asking(cause)
        }
        let proven = asked?.cause == .forced ? asked?.record : nil
        let highest = max(record.epoch, report.promise, report.endEpoch)
        let epoch = min(highest, ClusterRecord.epochMax) + 1
        asked = nil
        phase = .promising(
            FailoverClaim(
                epoch: epoch, cause: cause, process: report.process, proven: proven))
        order(.promise, epoch: epoch, &effects)
        effects.transitions.append(.promised)
        return .promising(epoch, cause)
    }

    /// I4 and the times: what makes a replica in sync claim, and since when it holds. The record
    /// must be read after that, so that no claim rests on an old one and none begins without etcd.
    private func trigger(
        _ record: ClusterRecord, _ report: MatchdReport, since: BootTime, _ isInSync: Bool,
        at now: BootTime
    ) -> (ClaimCause, BootTime)? {
        if let asked {
            if asked.cause == .forced || isInSync { return (asked.cause, asked.at) }
            return nil
        }
        guard isInSync else { return nil }
        if record.inSync.count == 1 { return (.alone, processSeenAt) }
        let isOwn = record.primary == settings.host
        if !isOwn, let handedOverAt, report.epoch == record.epoch {
            return (.switchover, handedOverAt)
        }
        if !isOwn, let reaped = view.reaped, reaped.epoch == record.epoch {
            return (.reaped, reaped.at)
        }
        var heard = max(since, freshSince ?? now)
        if !isOwn, let heardAt = report.heardAt { heard = max(heard, heardAt) }
        guard now.since(heard) >= timing.graceNanos else { return nil }
        return (isOwn ? .restart : .grace, heard.after(timing.graceNanos))
    }

    /// The owner wants a watchdog behind whoever leads, and here is none. It bars claims only: a
    /// host that leads goes on, as its loss of a role would help nobody.
    public var isBarred: Bool { settings.requiresWatchdog && view.watchdog != .armed }

    private func stopped(_ report: MatchdReport) -> FailoverExplanation {
        .stopped(report.reason ?? "matchd stopped")
    }

    /// The peer is of another etcd, whose record is newer: that one was made in the place of this
    /// host's, without it. What this host's etcd says is the past.
    func isSuperseded(_ record: ClusterRecord, _ report: MatchdReport) -> Bool {
        guard let peer = view.peer, peer.cluster != 0, report.cluster != 0 else { return false }
        return peer.cluster != report.cluster && peer.epoch > record.epoch
    }

    var superseded: FailoverExplanation {
        .superseded(settings.peer ?? settings.host, view.peer?.epoch ?? 0)
    }

    /// A fresh report, and nothing that waits on engine or disk.
    func works(_ report: MatchdReport, at now: BootTime) -> Bool {
        guard let reportedAt = view.reportedAt, now.since(reportedAt) < timing.removalNanos else {
            return false
        }
        return BeaconRule.hasProgress(
            oldestWaiting: report.oldestWaiting, at: now, timing: timing)
    }

    /// Step 1 is done when matchd reports its promise; then step 2, the swap.
    mutating func promise(
        _ claim: FailoverClaim, at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        guard let report = view.report, let record = view.record else { return .recovering }
        let isListed =
            claim.cause == .forced || record.replica(of: settings.host) == report.replica
        if record.epoch >= claim.epoch || !isListed
            || !claim.isProven(with: record)
            || isSuperseded(record, report)
            || isCurrent && (report.state != .promised || report.promise != claim.epoch)
        {
            return lose(claim, at: now, &effects)
        }
        guard isCurrent, pending == nil else { return .promising(claim.epoch, claim.cause) }
        // A beacon may have been echoed while the promise was under way: its lease runs out first.
        if claim.cause == .grace, let heardAt = report.heardAt,
            now.since(heardAt) < timing.graceNanos
        {
            return .promising(claim.epoch, claim.cause)
        }
        let own = InSyncReplica(host: settings.host, replica: report.replica)
        let keepsSet = claim.cause == .switchover || claim.cause == .restart
        let isForced = claim.cause == .forced
        send(
            .claim, comparing: record, epoch: claim.epoch,
            inSync: keepsSet ? record.inSync : [own],
            forced: isForced
                ? ForcedStart(
                    epoch: claim.epoch, released: report.commitPoint, endEpoch: report.endEpoch,
                    earlier: record.forced) : record.forced,
            floor: isForced ? report.end : nil, &effects)
        phase = .claiming(claim)
        effects.transitions.append(isForced ? .forced : .claimed)
        return .claiming(claim.epoch, claim.cause)
    }

    mutating func lose(
        _ claim: FailoverClaim, at now: BootTime, _ effects: inout FailoverEffects
    ) -> FailoverExplanation {
        phase = .following(since: now)
        lostClaim = (claim.epoch, now)
        effects.transitions.append(.lost)
        return .lost(claim.epoch, view.record?.primary ?? settings.host)
    }
}
