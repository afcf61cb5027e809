// Swaps: one at a time, sent again until its answer is definite. Until then the peer counts as in
// sync, and there is no new role.

extension FailoverCore {
    mutating func send(
        _ purpose: SwapPurpose, comparing compared: ClusterRecord, epoch: UInt32,
        inSync: [InSyncReplica], forced: ForcedStart?, floor: UInt64? = nil,
        _ effects: inout FailoverEffects
    ) {
        precondition(pending == nil, "one swap at a time")
        swapCount += 1
        let value = ClusterRecord(
            epoch: epoch, primary: settings.host, inSync: inSync,
            attempt: SwapAttempt(run: run, number: swapCount), forced: forced,
            replaces: compared.replaces)
        let swap = RecordSwap(purpose: purpose, compared: compared, value: value, floor: floor)
        pending = PendingSwap(swap: swap, retryAt: nil)
        effects.swap = swap
    }

    /// The swap of this attempt, while it is not known to be done or not done.
    public func swapUnderWay(_ attempt: SwapAttempt) -> RecordSwap? {
        pending?.swap.value.attempt == attempt ? pending?.swap : nil
    }

    mutating func sendAgain(at now: BootTime, _ effects: inout FailoverEffects) {
        guard var again = pending, let retryAt = again.retryAt, now >= retryAt else { return }
        again.retryAt = nil
        pending = again
        effects.swap = again.swap
    }

    mutating func answered(
        _ attempt: SwapAttempt, _ answer: SwapAnswer, at now: BootTime,
        _ effects: inout FailoverEffects
    ) {
        guard let swap = pending?.swap, swap.value.attempt == attempt else { return }
        switch answer {
        case .unknown: pending = PendingSwap(swap: swap, retryAt: now.after(timing.retryNanos))
        case .done: done(swap, at: now, &effects)
        case .notDone(let value):
            if value.attempt == attempt { return done(swap, at: now, &effects) }
            pending = nil
            know(value)
            if case .claiming(let claim) = phase, swap.purpose == .claim {
                _ = lose(claim, at: now, &effects)
            }
        }
    }

    /// A put of the floor found another value.
    mutating func learn(
        _ value: ClusterRecord, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        if let swap = pending?.swap, swap.value.attempt == value.attempt {
            done(swap, at: now, &effects)
        } else {
            know(value)
        }
    }

    /// What a transaction found. Answers may overtake each other, so no lower epoch is taken.
    private mutating func know(_ value: ClusterRecord) {
        if value.epoch >= view.record?.epoch ?? 0 { view.record = value }
    }

    private mutating func done(
        _ swap: RecordSwap, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        pending = nil
        let isNewest = swap.value.epoch >= view.record?.epoch ?? 0
        if isNewest { view.record = swap.value }
        if let floor = swap.floor { view.floor = floor }
        switch swap.purpose {
        case .claim: claimDone(swap, isNewest, at: now, &effects)
        case .raise: raiseDone(swap, at: now, &effects)
        case .remove, .add, .settle:
            guard term?.epoch == swap.value.epoch else { return }
            mayHaveOrphan = false
            if swap.purpose == .add {
                effects.transitions.append(.added)
                return
            }
            // I3: it releases alone only now.
            order(.require(nil), epoch: swap.value.epoch, &effects)
            if swap.purpose == .remove { noteRemoval(at: now) }
            effects.transitions.append(swap.purpose == .remove ? .removed : .settled)
        }
    }

    /// Step 3 begins.
    private mutating func claimDone(
        _ swap: RecordSwap, _ isNewest: Bool, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        guard case .claiming(let claim) = phase, claim.epoch == swap.value.epoch else { return }
        guard isNewest else {
            _ = lose(claim, at: now, &effects)
            return
        }
        term = FailoverTerm(epoch: claim.epoch, process: claim.process, since: now)
        phase = .applying
        let terms = LeadTerms(
            attempt: swap.value.attempt,
            requirement: settings.peer.flatMap { swap.value.replica(of: $0) },
            cause: claim.cause, forced: swap.value.forced)
        order(.lead(terms), epoch: claim.epoch, &effects)
        effects.transitions.append(.led)
    }

    private mutating func raiseDone(
        _ swap: RecordSwap, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        guard let old = term, old.epoch == swap.compared.epoch else { return }
        term = FailoverTerm(epoch: swap.value.epoch, process: old.process, since: now)
        mayHaveOrphan = false
        if phase == .reconciling { phase = .applying }
        if case .sealed = phase {
            phase = .open
            effects.transitions.append(.gaveUp)
        }
        order(
            .raise(from: old.epoch, attempt: swap.value.attempt), epoch: swap.value.epoch,
            &effects)
        effects.transitions.append(.raised)
    }

    /// Three removals in 10 min: out until an operator adds it. One at a term's start is not
    /// counted: the host that led before comes back from that.
    mutating func noteRemoval(at now: BootTime) {
        operatorRemoves = false
        if let term, now.since(term.since) < timing.handoverNanos { return }
        let span = timing.removalSpanNanos
        view.removals.removeAll { now.since($0) >= span }
        view.removals.append(now)
        if view.removals.count >= timing.removalsMax { view.isPeerOut = true }
    }
}
