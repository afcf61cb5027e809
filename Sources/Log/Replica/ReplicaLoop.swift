// The control thread.

internal import Failover
internal import Journal
internal import Link
internal import Pipeline
internal import Platform
internal import Replication
internal import Terms

/// The state of a process of a pair, and the order that it carries out. One thread uses it.
final class ReplicaLoop {
    let parts: ReplicaParts
    let process: ProcessNumber
    let options: ReplicaOptions
    let note: @Sendable (String) -> Void
    let end: @Sendable (ReplicaEnd) -> Never
    let socket: ControlSocket
    let work: WorkWatch
    let standby: PipelineStandbyLog
    let client: ReplicationClient

    /// `leading` or `sealed`; nil while it follows (`client.status`).
    var lead: MatchdState?
    var primary: PipelinePrimaryLog?
    var server: ReplicationServer?
    var isLinkOpen = false
    /// Intake is held for a handover, or is to be.
    var holdsIntake = false
    /// The order that is carried out, and those that wait for it.
    var current: MatchdOrder?
    var queue: [MatchdOrder] = []
    var done: (run: UInt64, number: UInt64) = (0, 0)
    private var sent: MatchdReport?
    private var sentAt: Int64 = 0

    /// Orders that wait, at most: an agent sends a few and waits for reports.
    private static let queueMax = 64
    /// The interval between two reports, ns.
    private static let reportNanos: Int64 = 50_000_000

    init(
        _ parts: ReplicaParts, _ file: ReplicaFile, _ process: ProcessNumber,
        _ options: ReplicaOptions, _ note: @escaping @Sendable (String) -> Void,
        _ end: @escaping @Sendable (ReplicaEnd) -> Never
    ) throws(SystemError) {
        self.parts = parts
        self.process = process
        self.options = options
        self.note = note
        self.end = end
        work = WorkWatch(options.primary.timing)
        socket = try ControlSocket(options.socket, users: options.agentUsers)
        standby = PipelineStandbyLog(parts, file, end: end)
        client = try ReplicationClient(
            standby,
            StandbyStart(
                replica: file.replica, process: process, promise: file.promise,
                released: parts.released),
            options.standby, note: note)
    }

    func run(until stop: StopFlag) {
        while !stop.isSet {
            let (orders, isNewAgent) = receive(milliseconds: isChanging ? 1 : 10)
            if isNewAgent {
                queue = []
                sent = nil
            }
            queue += orders
            if queue.count > Self.queueMax {
                note("\(queue.count) orders wait, and they are forgotten: is the agent sound?")
                queue = []
            }
            work.look(parts.pipeline.work, at: Clock.monotonicNanos())
            obey()
            raiseLevel()
            report()
        }
        standby.close()
        client.stop()
        server?.stop()
    }

    /// Whether the next step of a claim or a switchover may wait for a report: an order is carried
    /// out, this host hands over or takes over, or leads and does not serve yet.
    private var isChanging: Bool {
        if current != nil || holdsIntake { return true }
        guard lead != nil else { return client.status.sealedEnd != nil }
        return !isLinkOpen || lead == .sealed
    }

    private func receive(milliseconds: Int32) -> (orders: [MatchdOrder], isNewAgent: Bool) {
        do throws(SystemError) { return try socket.receive(milliseconds: milliseconds) } catch {
            // Deaf to its agent it must not lead on; without a wait it would spin.
            end(.fault("the control socket cannot be waited for: \(error)"))
        }
    }

    // MARK: Reports

    private func report() {
        let now = Clock.monotonicNanos()
        let report = reportNow()
        var shape = report
        // What changes all the time is not reported at once, but what a step waits for is: that
        // the gate covers the EPOCH record, or all of a log that is held.
        let coversTerm = report.commitPoint >= report.epochStart
        let coversAll = report.isIntakeHeld && report.commitPoint == report.end
        (shape.end, shape.durable, shape.commitPoint) = (coversAll ? 1 : 0, 0, coversTerm ? 1 : 0)
        (shape.heardAt, shape.oldestWaiting) = (nil, nil)
        shape.peer?.echoedAt = nil
        shape.peer?.matched = 0
        shape.peer?.waitingSince = nil
        guard shape != sent || now - sentAt >= Self.reportNanos else { return }
        (sent, sentAt) = (shape, now)
        socket.send(report)
    }

    private func reportNow() -> MatchdReport {
        let pipeline = parts.pipeline
        let status = client.status
        let isPrimary = lead != nil
        let last = standby.last
        var report = MatchdReport(
            process: process, state: lead ?? status.state,
            epoch: isPrimary ? pipeline.epoch : status.epoch, replica: standby.file.replica,
            promise: standby.file.promise,
            end: isPrimary ? pipeline.applied : last.sequence,
            endEpoch: isPrimary ? pipeline.epoch : last.epoch, durable: pipeline.durable,
            commitPoint: isPrimary ? pipeline.released : status.position.released)
        report.cluster = standby.file.cluster
        (report.version, report.level) = (Release.version, options.primary.level)
        report.logLevel = primary?.term.level
        (report.ordersRun, report.ordersDone) = done
        report.oldestWaiting = work.oldestWaiting
        report.heardAt = status.heardAt
        report.gateways = options.gateways()
        guard isPrimary else {
            report.isHandedOver = status.isHandedOver
            report.reason = status.reason
            return report
        }
        report.epochStart = pipeline.termStart
        report.requirement = parts.set.requirement
        report.holdsLease = parts.set.holdsLease(
            at: BootTime(nanos: Clock.monotonicNanos()))
        report.isLinkOpen = isLinkOpen
        report.isIntakeHeld = pipeline.isLogHeld
        report.peer = server?.peer
        return report
    }
}
