// One host's part in primary and standby, without a clock, a disk or a network: an event and a
// moment in, effects out. agentd carries them out; matchd enforces promise, gate and lease.
//
//   starting ─► following ─► promising ─► claiming ─► applying ─► reconciling ─► open
//      ▲            ▲   ▲        │            │                                   │ ▲
//      │            └───┼────────┴────────────┘                       handingOver ◄ │
//      └── reaped, demoted ◄──────────── any role                     sealed ───────┘

/// What a host is about to lead.
struct FailoverClaim: Hashable, Sendable {
    let epoch: UInt32
    let cause: ClaimCause
    let process: ProcessNumber
    /// What a forced claim compares: the record as it was when the peer was proven to be off. Any
    /// other one shows that the peer was at work since.
    let proven: ClusterRecord?

    func isProven(with record: ClusterRecord) -> Bool { proven == nil || proven == record }
}

/// A claim that an operator asked for.
struct OperatorClaim {
    let cause: ClaimCause
    let at: BootTime
    /// The record as it was then.
    let record: ClusterRecord
}

/// What a host leads.
struct FailoverTerm: Hashable, Sendable {
    var epoch: UInt32
    let process: ProcessNumber
    /// When it began; echoes are expected from here on.
    var since: BootTime
}

/// The phase of a host.
enum FailoverPhase: Hashable, Sendable {
    case starting
    case following(since: BootTime)
    case promising(FailoverClaim)
    case claiming(FailoverClaim)
    case applying
    case reconciling
    case open
    case handingOver(since: BootTime)
    case sealed(since: BootTime)
}

/// A swap that is not known to be done or not done.
struct PendingSwap: Hashable, Sendable {
    let swap: RecordSwap
    /// When to send it again; nil while an answer is awaited.
    var retryAt: BootTime?
}

/// The failover core.
public struct FailoverCore: Sendable {
    /// Host, peer and times.
    public let settings: FailoverSettings
    /// What is known.
    public internal(set) var view: FailoverView

    /// Random, one for each run.
    let run: UInt64
    var swapCount: UInt64 = 0
    var orderCount: UInt64 = 0
    /// The number of the last order before those to the current process.
    var processOrders: UInt64 = 0
    var phase = FailoverPhase.starting
    var term: FailoverTerm?
    var pending: PendingSwap?
    /// Readings: the last number, when it was asked for, whether it is still unanswered, whether
    /// it failed.
    var reading: (number: UInt64, askedAt: BootTime, isAwaited: Bool, hasFailed: Bool) = (
        0, BootTime(nanos: 0), false, false
    )
    var floorAwaited = false
    var floorAt: BootTime?
    var addressAt: BootTime?
    var hasAddress = false
    /// When the first step was.
    var startedAt: BootTime?
    /// The last step's moment: a gap means that this agent did not run.
    var steppedAt: BootTime?
    /// Since when this agent and matchd have run without a gap.
    var freshSince: BootTime?
    /// Process whose start was answered by an order to follow.
    var startedProcess: ProcessNumber?
    /// Process that was ordered to end.
    var endedProcess: ProcessNumber?
    /// When the process that runs was first seen.
    var processSeenAt = BootTime(nanos: 0)
    /// A primary at work was found at start: an earlier run may have left a swap under way.
    var mayHaveOrphan = false
    /// An operator's claim that waits for its reading.
    var asked: OperatorClaim?
    /// The last claim that was lost, and when.
    var lostClaim: (epoch: UInt32, at: BootTime)?
    /// When this host first knew of the handover.
    var handedOverAt: BootTime?
    var operatorRemoves = false

    /// A host that has just started its agent; `run` is random.
    public init(
        _ settings: FailoverSettings, run: UInt64, start: FailoverStart = FailoverStart()
    ) {
        self.settings = settings
        self.run = run
        view = FailoverView(start)
    }

    var timing: FailoverTiming { settings.timing }

    /// Takes one event and decides. Constant time.
    public mutating func step(_ event: FailoverEvent, at now: BootTime) -> FailoverEffects {
        var effects = FailoverEffects()
        startedAt = startedAt ?? now
        noteGap(now)
        take(event, at: now, &effects)
        switch phase {
        case .starting: effects.explanation = start(at: now, &effects)
        case .following(let since): effects.explanation = follow(since: since, at: now, &effects)
        case .promising(let claim): effects.explanation = promise(claim, at: now, &effects)
        case .claiming(let claim): effects.explanation = .claiming(claim.epoch, claim.cause)
        default: effects.explanation = lead(at: now, &effects)
        }
        sendAgain(at: now, &effects)
        keepAddress(at: now, &effects)
        read(at: now, &effects)
        return effects
    }

    /// While agent or matchd did not run they received nothing: the peer's silence then does not
    /// count.
    private mutating func noteGap(_ now: BootTime) {
        let last = min(steppedAt ?? now, view.reportedAt ?? now)
        if freshSince == nil || now.since(last) > timing.removalNanos / 2 { freshSince = now }
        steppedAt = now
    }

    private mutating func take(
        _ event: FailoverEvent, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        switch event {
        case .tick: break
        case .recordRead(let reading): take(reading, at: now)
        case .readFailed(let number):
            if number == reading.number { (reading.isAwaited, reading.hasFailed) = (false, true) }
        case .swapAnswered(let attempt, let answer):
            if answer != .unknown { view.answeredAt = now }
            answered(attempt, answer, at: now, &effects)
        case .floorAnswered(let answer):
            floorAwaited = false
            if answer != .unknown { view.answeredAt = now }
            if case .notDone(let value) = answer { learn(value, at: now, &effects) }
        case .reported(let report): take(report, at: now, &effects)
        case .reaped(let process):
            if process == view.report?.process { processEnded(&effects) }
        case .peerReaped(let epoch):
            if epoch > view.reaped?.epoch ?? 0 { view.reaped = (epoch, now) }
        case .peerReported(let cluster, let epoch): view.peer = (cluster, epoch)
        case .peerBarred(let isBarred): view.isPeerBarred = isBarred
        case .watchdog(let state): view.watchdog = state
        case .walletReconciled(let epoch):
            if phase == .reconciling, epoch == term?.epoch { openLink(&effects) }
        case .verb(let verb): effects.refusal = obey(verb, at: now, &effects)
        }
    }

    private mutating func take(_ answer: RecordReading, at now: BootTime) {
        guard answer.number == reading.number, reading.isAwaited else { return }
        reading.isAwaited = false
        view.isOtherCluster = !answer.isOwnCluster
        guard answer.isOwnCluster else { return }
        view.askedAt = reading.askedAt
        view.answeredAt = now
        view.lacksRecord = answer.record == nil
        view.floor = answer.floor
        guard let record = answer.record else { return }
        // A reading may be old; what is known from a swap's answer, and the own term, stand.
        let known = max(view.record?.epoch ?? 0, term?.epoch ?? 0)
        if record.epoch > known || (term == nil || view.record == nil) && record.epoch == known {
            (view.record, view.cluster) = (record, answer.cluster)
        }
    }

    private mutating func take(
        _ report: MatchdReport, at now: BootTime, _ effects: inout FailoverEffects
    ) {
        if let old = view.report, old.process != report.process {
            if report.process < old.process { return }
            processEnded(&effects)
        }
        if view.report == nil { processSeenAt = now }
        view.report = report
        view.reportedAt = now
    }

    /// The process that ran is gone, and its role with it. A swap under way stays so.
    private mutating func processEnded(_ effects: inout FailoverEffects) {
        if let report = view.report, report.isPrimary || term?.process == report.process {
            effects.reapedEpoch = term?.epoch ?? report.epoch
        }
        effects.transitions.append(.reaped)
        giveUpRole(&effects)
        view.report = nil
        view.reportedAt = nil
        processOrders = orderCount
    }

    /// Gives up the role and starts over.
    mutating func giveUpRole(_ effects: inout FailoverEffects) {
        // Dropped for want of a lease: once more, as a leave would take the place of a removal that
        // is not carried out yet.
        if hasAddress, addressAt == nil { effects.dropsAddress = true }
        if hasAddress, addressAt != nil { effects.leavesAddress = true }
        hasAddress = false
        addressAt = nil
        phase = .starting
        term = nil
        mayHaveOrphan = false
        operatorRemoves = false
        asked = nil
        handedOverAt = nil
        startedProcess = nil
    }

    /// All orders are carried out, as far as the report shows.
    var isCurrent: Bool {
        guard orderCount > processOrders, let report = view.report else { return true }
        return report.ordersRun == run && report.ordersDone == orderCount
    }

    /// Whether etcd answered of late.
    func hasArbiter(at now: BootTime) -> Bool {
        settings.peer == nil
            || view.answeredAt.map { now.since($0) <= 2 * timing.floorNanos } ?? false
    }

    mutating func order(
        _ action: MatchdAction, epoch: UInt32, _ effects: inout FailoverEffects
    ) {
        guard let report = view.report else { return }
        orderCount += 1
        effects.orders.append(
            MatchdOrder(
                run: run, number: orderCount, process: report.process, epoch: epoch,
                action: action))
    }

    /// Reads the record: at each start, while a claim is near, at once where it must have changed,
    /// and once a second by a follower.
    private mutating func read(at now: BootTime, _ effects: inout FailoverEffects) {
        guard effects.read == nil else { return }
        if term != nil, view.record != nil { return }
        if let askedAt = view.askedAt, now.since(askedAt) < timing.readNanos,
            phase != .starting || askedAt >= processSeenAt, !isRecordOld(askedAt)
        {
            return
        }
        if reading.number > 0, now.since(reading.askedAt) < timing.retryNanos { return }
        ask(at: now, &effects)
    }

    /// matchd follows an epoch that the record does not have yet, or a handover began since: a
    /// switchover must not wait for the next reading.
    private func isRecordOld(_ askedAt: BootTime) -> Bool {
        if let handedOverAt, askedAt < handedOverAt { return true }
        guard let record = view.record, let report = view.report else { return false }
        return record.epoch < report.epoch
    }

    mutating func ask(at now: BootTime, _ effects: inout FailoverEffects) {
        let pause = reading.isAwaited ? timing.removalNanos : timing.retryNanos
        // An etcd that refuses at once must not be asked without a pause.
        if reading.isAwaited || reading.hasFailed, now.since(reading.askedAt) < pause { return }
        reading = (reading.number + 1, now, true, false)
        effects.read = RecordRequest(number: reading.number, mustWrite: phase == .starting)
    }

    /// Renews the address while this host may answer, and drops it when it may not.
    private mutating func keepAddress(at now: BootTime, _ effects: inout FailoverEffects) {
        guard hasAddress else { return }
        guard let report = view.report, let reportedAt = view.reportedAt,
            now.since(reportedAt) < timing.removalNanos
        else { return }  // It ends by itself.
        if !report.holdsLease {
            if addressAt != nil { effects.dropsAddress = true }
            addressAt = nil
        } else if addressAt.map({ now.since($0) >= timing.addressNanos }) ?? true {
            addressAt = now
            effects.takesAddress = true
        }
    }

    mutating func openLink(_ effects: inout FailoverEffects) {
        guard let term, let report = view.report else { return }
        phase = .open
        hasAddress = true
        orderCount += 1
        effects.opensLink = MatchdOrder(
            run: run, number: orderCount, process: report.process, epoch: term.epoch,
            action: .openLink)
        effects.transitions.append(.opened)
    }
}
