// What operators ask for. A refusal has a reason; everything else shows in the sentences.

extension FailoverCore {
    mutating func obey(
        _ verb: FailoverVerb, at now: BootTime, _ effects: inout FailoverEffects
    ) -> VerbRefusal? {
        switch verb {
        case .pause: view.isPaused = true
        case .resume: view.isPaused = false
        case .standbyAdd:
            guard settings.peer != nil else { return .standalone }
            (view.isPeerOut, operatorRemoves, view.removals) = (false, false, [])
        case .standbyRemove:
            guard settings.peer != nil else { return .standalone }
            guard term != nil else { return .notPrimary }
            (view.isPeerOut, operatorRemoves) = (true, true)
        case .switchover: return handOver(at: now, &effects)
        case .failover(let epoch): return claim(peerOffInEpoch: epoch, at: now)
        }
        return nil
    }

    /// Healthy only: the peer in sync and near, the lease held, etcd there, no swap under way.
    private mutating func handOver(
        at now: BootTime, _ effects: inout FailoverEffects
    ) -> VerbRefusal? {
        guard let peer = settings.peer else { return .standalone }
        guard phase == .open, isCurrent, let report = view.report, let record = view.record,
            report.isPrimary
        else { return .notPrimary }
        guard !view.isPaused else { return .paused }
        guard !view.isPeerBarred else { return .peerNoWatchdog }
        guard let replica = record.replica(of: peer) else { return .peerNotInSync }
        guard pending == nil else { return .swapPending }
        guard hasArbiter(at: now) else { return .noArbiter }
        guard report.holdsLease, let joined = report.peer, joined.replica == replica,
            report.end - min(report.end, joined.matched) <= timing.addLagMax
        else { return .notHealthy }
        phase = .handingOver(since: now)
        order(.holdIntake, epoch: record.epoch, &effects)
        effects.transitions.append(.held)
        return nil
    }

    private mutating func claim(peerOffInEpoch: UInt32?, at now: BootTime) -> VerbRefusal? {
        if term != nil { return .isPrimary }
        guard case .following = phase, isCurrent, let report = view.report,
            let record = view.record, report.state != .stopped
        else { return .notFollowing }
        if isBarred { return .noWatchdog }
        if record.replica(of: settings.host) == report.replica {
            asked = OperatorClaim(cause: .failover, at: now, record: record)
        } else {
            guard let peerOffInEpoch else { return .peerNotProvenOff }
            guard record.epoch == peerOffInEpoch else { return .peerWorkedSince }
            asked = OperatorClaim(cause: .forced, at: now, record: record)
        }
        return nil
    }
}
