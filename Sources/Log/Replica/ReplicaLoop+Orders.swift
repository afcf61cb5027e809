// Orders, one after the other. One that does not apply in the current state, or is of an epoch
// below the promise, counts as done without effect: the reported state shows that it changed
// nothing. One for another process is skipped.

internal import Failover
internal import Journal
internal import Link
internal import Pipeline
internal import Platform
internal import Replication
internal import Terms
internal import Wire

extension ReplicaLoop {
    /// Continues the current order, or begins the next ones that wait.
    func obey() {
        while true {
            if let order = current {
                guard continues(order) else { return }
                current = nil
                done = (order.run, order.number)
            }
            guard !queue.isEmpty else { return }
            let order = queue.removeFirst()
            guard order.process == process else { continue }
            // An agent that connects again repeats the orders that no report showed as done.
            if order.run == done.run, order.number <= done.number { continue }
            current = order
            guard order.binds(process, epoch: lead == nil ? client.least : parts.pipeline.epoch)
            else {
                note("an order of epoch \(order.epoch) is below the promise: it is not obeyed")
                finish(order)
                continue
            }
            begin(order)
        }
    }

    /// The order is carried out or refused.
    private func finish(_ order: MatchdOrder) {
        current = nil
        done = (order.run, order.number)
    }

    private func begin(_ order: MatchdOrder) {
        do throws(SinkError) {
            switch order.action {
            case .follow(let renews, let isConfirmed, let forced):
                try follow(order, renews, isConfirmed, forced)
            case .belong(let cluster): try standby.note(cluster: cluster)
            case .promise: try promise(order)
            case .lead(let terms): try lead(order, terms)
            case .require(let replica): require(replica)
            case .raise(let from, let attempt): try raise(order, from: from, attempt)
            case .openLink: openLink()
            case .holdIntake: if lead == .leading { holdIntake(true) }
            case .resumeIntake: holdIntake(false)
            case .seal: seal()
            case .end: end(.ordered)
            }
        } catch {
            end(.fault("an order of the agent could not be carried out: \(error)"))
        }
    }

    /// Whether an order that was begun is carried out.
    private func continues(_ order: MatchdOrder) -> Bool {
        switch order.action {
        case .promise:
            // Step 1 of a claim: what came is on disk.
            return lead != nil || parts.pipeline.durable >= standby.last.sequence
        case .lead: return leads(order)
        case .raise:
            return lead == nil || parts.pipeline.epoch >= order.epoch
        default: return true
        }
    }

    // MARK: Following

    private func follow(
        _ order: MatchdOrder, _ renews: Bool, _ isConfirmed: Bool, _ forced: ForcedStart?
    ) throws(SinkError) {
        if lead != nil {
            guard lead == .sealed else { return }
            // All that it wrote is released, so this process itself can follow.
            guard !renews, parts.pipeline.durable == parts.pipeline.applied,
                parts.pipeline.follow()
            else { end(.ordered) }
            resign()
        }
        if renews {
            try standby.renew()
            note("the journal ends before what was released: it is a new replica")
        }
        try client.follow(
            epoch: order.epoch, isConfirmed: isConfirmed, forced: forced,
            replica: standby.file.replica)
    }

    /// Gives up the role of a primary.
    private func resign() {
        parts.set.followAgain(released: parts.pipeline.released)
        parts.pipeline.setRole(.standby)
        standby.reopen()
        client.resign(
            durable: parts.pipeline.durable, released: parts.pipeline.released,
            epoch: parts.pipeline.epoch)
        (lead, primary, isLinkOpen, holdsIntake) = (nil, nil, false, false)
        guard let old = server else { return }
        server = nil
        // Its thread takes a moment to end; an order must not wait for that.
        do throws(SystemError) {
            _ = try PinnedThread.start(name: "resign") { old.stop() }
        } catch {
            old.stop()
        }
    }

    private func promise(_ order: MatchdOrder) throws(SinkError) {
        guard lead == nil else { return }
        switch client.status.state {
        case .following, .promised: try client.promise(order.epoch)
        default: break
        }
    }

    // MARK: Leading

    private func lead(_ order: MatchdOrder, _ terms: LeadTerms) throws(SinkError) {
        guard lead == nil, client.status.state == .promised else { return }
        try standby.promise(order.epoch)
        // No record of a primary is taken from here on.
        client.lead()
        standby.close()
        parts.set.begin(epoch: order.epoch, requiring: terms.requirement)
        let term = TermStart(
            cause: terms.cause.epochCause,
            replica: (standby.file.replica.high, standby.file.replica.low),
            attempt: (terms.attempt.run, terms.attempt.number),
            format: format(client.status.primaryLevel))
        var ownTerm = PrimaryTerm(
            epoch: order.epoch, forced: terms.forced, requirement: terms.requirement)
        ownTerm.level = LogLevel(format: term.format, rules: parts.pipeline.rules)
        let primary = PipelinePrimaryLog(
            parts, standby.file, process: process, work: work, term: ownTerm)
        self.primary = primary
        _ = parts.pipeline.lead(epoch: order.epoch, term, timeoutNanos: 0)
    }

    /// Whether the term of that order has begun; opens the peer's listener then.
    private func leads(_ order: MatchdOrder) -> Bool {
        guard let primary, lead == nil else { return true }
        guard !parts.pipeline.isFollowing, parts.pipeline.epoch >= order.epoch else { return false }
        lead = .leading
        do throws(SystemError) {
            server = try ReplicationServer(primary, options.primary, note: note)
        } catch {
            end(.fault("this host can't listen for its peer: \(error)"))
        }
        note("leads epoch \(order.epoch) from record \(parts.pipeline.termStart) on")
        return true
    }

    private func require(_ replica: ReplicaID?) {
        guard lead != nil, let primary else { return }
        primary.term.requirement = replica
        if parts.set.require(replica) == nil {
            note("the gate did not take its new rule in time: it will as soon as it turns")
        }
    }

    private func raise(
        _ order: MatchdOrder, from: UInt32, _ attempt: SwapAttempt
    ) throws(SinkError) {
        guard lead != nil, let primary, parts.pipeline.epoch == from else { return }
        try standby.promise(order.epoch)
        parts.set.begin(epoch: order.epoch, requiring: parts.set.requirement)
        var term = primary.term
        (term.epoch, term.sealedEnd) = (order.epoch, 0)
        term.level.format = max(term.level.format, format(server?.peer?.level))
        primary.term = term
        lead = .leading
        holdIntake(false)
        if isLinkOpen { parts.pipeline.setRole(.primary) }
        let file = standby.file
        _ = parts.pipeline.raise(
            epoch: order.epoch,
            TermStart(
                cause: .raise, replica: (file.replica.high, file.replica.low),
                attempt: (attempt.run, attempt.number), format: term.level.format),
            timeoutNanos: 0)
    }

    // MARK: The log's level

    /// What the programs of both hosts know of logs, as far as that is known.
    private func knownToBoth(_ peer: LogLevel?) -> LogLevel {
        options.primary.level.common(peer ?? .oldest)
    }

    /// The format of a term: what both know, and never below what the log uses.
    private func format(_ peer: LogLevel?) -> UInt32 {
        max(parts.format, knownToBoth(peer).format)
    }

    /// Lets the log use the rules that both hosts know, once the gate requires the peer: from then
    /// on neither host can go back to a release that does not know them. The format rises with the
    /// next term.
    func raiseLevel() {
        guard lead == .leading, let primary else { return }
        if let peer = server?.peer, peer.replica == parts.set.requirement {
            parts.pipeline.raiseRules(to: knownToBoth(peer.level).rules)
        }
        let rules = parts.pipeline.rules
        if primary.term.level.rules != rules { primary.term.level.rules = rules }
    }

    private func holdIntake(_ isHeld: Bool) {
        holdsIntake = isHeld
        parts.pipeline.holdIntake(isHeld)
    }

    private func openLink() {
        guard lead == .leading else { return }
        isLinkOpen = true
        parts.pipeline.setRole(.primary)
    }

    private func seal() {
        let pipeline = parts.pipeline
        guard lead == .leading, let primary, pipeline.isLogHeld,
            pipeline.released == pipeline.applied
        else { return }
        lead = .sealed
        pipeline.setRole(.sealed)
        primary.term.sealedEnd = pipeline.applied
    }
}

extension ClaimCause {
    /// The cause as the EPOCH record has it.
    fileprivate var epochCause: EpochCause {
        switch self {
        case .alone, .restart: .restart
        case .reaped, .grace, .failover: .failover
        case .switchover: .switchover
        case .forced: .forced
        case .raise: .raise
        }
    }
}
