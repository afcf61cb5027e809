// The primary's side of one joined standby: finds what both have, then sends what is missing.

internal import Failover
internal import Journal
internal import Pipeline
internal import Platform
internal import Terms

/// One standby that has joined a term. One thread uses it.
final class PeerSession {
    private enum Phase {
        /// It is sent nothing more: its promise is above this term, or it differs in released
        /// records.
        case refused
        /// Its points are compared with this journal.
        case matching
        /// It lacks records that it acknowledged, and the gate requires it: it is sent no records
        /// until it is removed.
        case lacking(LogPoint)
        case snapshot(SentSnapshot, offset: Int)
        case disk(any RecordReader)
        case ring
    }

    let connection: ReplicationConnection
    let replica: ReplicaID
    let process: ProcessNumber
    let epoch: UInt32
    private let log: any PrimaryLog
    private let options: ReplicationOptions
    private let join: ReplicationJoin
    private var phase: Phase
    private var matching: PointMatcher?
    /// The record before the next one to be sent.
    private var sent = LogPoint.start
    private var inFlight = InFlight()
    private var beaconAt: Int64 = 0
    private var firstBeaconAt: Int64?
    private var beaconCommit: UInt64 = 0
    private var beaconSealedEnd: UInt64 = 0
    private var attachAt: Int64 = 0
    private(set) var report: PeerReport
    /// The most that this replica acknowledged to this process, in any term.
    private(set) var counted: UInt64

    /// About how many bytes of records are read from the disk at once.
    private static var readBytes: Int { 256 << 10 }

    /// Answers a join. `counted`: what this replica acknowledged before; `prior`: what was last
    /// known of this process in this term.
    init(
        _ connection: ReplicationConnection, _ join: ReplicationJoin, _ log: any PrimaryLog,
        _ options: ReplicationOptions, counted: UInt64, prior: PeerReport?
    ) throws(ReplicationError) {
        if let identity = join.identity, identity != log.identity {
            throw .rejected(
                "that host has journal \(identity), not \(log.identity) of this cluster: set its "
                    + "journal aside, then add it as a learner")
        }
        guard join.replica != log.replica else {
            throw .rejected(
                "replica \(join.replica) is this host's own: that host has a copy of its disk; "
                    + "set the copy's journal and replica file aside, then add it as a learner")
        }
        guard join.cluster == 0 || log.cluster == 0 || join.cluster == log.cluster else {
            throw .rejected(
                "that host is of another etcd than this one's, which was made in the place of an "
                    + "earlier one: it has to join this one, by cluster invite here and cluster "
                    + "join there")
        }
        let level = log.term.level
        guard join.level.covers(level) else {
            throw .rejected(
                "that host's version knows logs of \(join.level), and this one uses \(level): "
                    + "install this host's version there, then `boursectl upgrade`")
        }
        guard join.released <= join.last.sequence, join.first > 0,
            join.promise <= ClusterRecord.epochMax
        else { throw .malformed }
        let term = log.term
        guard join.promise <= Self.promiseMax(term.epoch) else {
            throw .rejected(
                "that host promised epoch \(join.promise), which is out of all proportion to "
                    + "\(term.epoch), the one that leads: there, boursectl rejoin")
        }
        self.connection = connection
        self.join = join
        self.log = log
        self.options = options
        self.counted = counted
        (replica, process, epoch) = (join.replica, join.process, term.epoch)
        report = prior ?? PeerReport(replica: join.replica)
        report.level = join.level
        phase = join.promise > term.epoch ? .refused : .matching
        if join.promise > term.epoch { report.promise = join.promise }
        try connection.queue(
            .welcome(
                ReplicationWelcome(
                    identity: log.identity, replica: log.replica, process: log.process,
                    level: options.level, epoch: term.epoch, commitPoint: log.commitPoint,
                    forced: term.forced)))
    }

    /// The highest promise that this primary would raise its epoch to.
    private static func promiseMax(_ epoch: UInt32) -> UInt32 {
        min(ClusterRecord.epochMax, min(epoch, ClusterRecord.epochMax) + ClusterRecord.leapMax)
    }

    /// Whether to read more frames of the peer now.
    var reads: Bool { matching?.isFull != true }

    deinit { log.feed.detach() }

    // MARK: Receiving

    /// Takes a frame.
    func receive(_ frame: ReplicationFrame, at now: BootTime) throws(ReplicationError) {
        switch frame {
        case .points(let points):
            guard case .matching = phase else { return }
            if matching == nil { matching = PointMatcher(log) }
            guard matching?.offer(points) == true else { throw .malformed }
        case .appended(let acknowledgement): try take(acknowledgement, at: now)
        case .echo(let echo):
            guard echo.epoch == epoch, echo.process == process else { return }
            // An echo of a beacon that was never sent would extend the lease.
            guard let firstBeaconAt, echo.sentAt.nanos >= firstBeaconAt,
                echo.sentAt.nanos <= beaconAt
            else { throw .malformed }
            report.echoedAt = now
            log.echoed(epoch: echo.epoch, sentAt: echo.sentAt)
        case .refuse(let promise, let process):
            guard promise <= Self.promiseMax(epoch) else { throw .malformed }
            guard process == self.process, promise > epoch else { return }
            phase = .refused
            report.promise = max(report.promise, promise)
            log.peerChanged()
        case .reject(let reason): throw .rejected("the standby ended it: \(reason)")
        default: throw .malformed
        }
    }

    private func take(
        _ acknowledgement: PeerAcknowledgement, at now: BootTime
    ) throws(ReplicationError) {
        // Of an earlier term or process: it does not count.
        guard acknowledgement.epoch == epoch, acknowledgement.process == process,
            acknowledgement.replica == replica
        else { return }
        guard acknowledgement.matched <= sent.sequence else { throw .malformed }
        inFlight.acknowledged(acknowledgement.matched)
        let before = report.matched
        report.matched = max(before, acknowledgement.matched)
        counted = max(counted, acknowledgement.matched)
        if report.matched >= sent.sequence {
            report.waitingSince = nil
        } else if report.matched > before {
            report.waitingSince = now
        }
        log.acknowledged(acknowledgement)
    }

    // MARK: Sending

    /// Queues what there is to send; returns the maximum time until the next call, ns.
    func pump(at now: BootTime) throws(ReplicationError) -> Int64 {
        var pause = options.timing.beaconNanos
        switch phase {
        case .refused: return pause
        case .matching:
            guard let keep = try match() else {
                pause = 1_000_000
                break
            }
            try begin(keep)
            pause = 0
        case .lacking(let keep):
            if log.term.requirement != replica {
                report.lacksAcknowledged = false
                counted = 0
                try start(keep)
                pause = 0
            }
        case .snapshot(let file, let offset):
            try send(file, offset)
            pause = 0
        case .disk, .ring: pause = min(pause, try sendRecords(at: now))
        }
        try sendBeacon(at: now)
        return pause
    }

    private func sendBeacon(at now: BootTime) throws(ReplicationError) {
        let (commit, sealedEnd) = (log.commitPoint, log.term.sealedEnd)
        // At once when all is released: the standby's followers wait for it; and when this host
        // has handed over.
        let isNews = commit > beaconCommit && commit == log.end || sealedEnd != beaconSealedEnd
        guard isNews || now.nanos - beaconAt >= options.timing.beaconNanos else { return }
        beaconAt = now.nanos
        firstBeaconAt = firstBeaconAt ?? beaconAt
        (beaconCommit, beaconSealedEnd) = (commit, sealedEnd)
        try connection.queue(
            .beacon(
                ReplicationBeacon(
                    epoch: epoch, hasProgress: log.hasProgress, commitPoint: commit,
                    sealedEnd: sealedEnd, sentAt: now)))
    }

    /// The result of the comparison, once it is known.
    private func match() throws(ReplicationError) -> PointMatcher.Result? {
        guard matching != nil else { return nil }
        do throws(SinkError) { return try matching?.step() } catch {
            throw .rejected("this host's journal cannot be read: \(error)")
        }
    }

    private func begin(_ result: PointMatcher.Result) throws(ReplicationError) {
        matching = nil
        switch result {
        case .keep(let keep):
            if keep.sequence < counted, log.term.requirement == replica {
                report.lacksAcknowledged = true
                phase = .lacking(keep)
                log.peerChanged()
                return
            }
            try start(keep)
        case .differs(let sequence):
            // They differ in records that it knows to be released. It decides whether to cut or
            // stop.
            try connection.queue(.begin(epoch: epoch, keep: sequence - 1))
            phase = .refused
        case .unknown: try startSnapshot(orKeep: nil)
        }
    }

    /// What the standby has up to `keep` is this journal's.
    private func start(_ keep: LogPoint) throws(ReplicationError) {
        let lag = log.end - min(log.end, keep.sequence)
        if keep.sequence + 1 < log.first || lag > options.snapshotLag {
            try startSnapshot(orKeep: keep)
        } else {
            try startRecords(keep)
        }
    }

    private func startRecords(_ keep: LogPoint) throws(ReplicationError) {
        try connection.queue(.begin(epoch: epoch, keep: keep.sequence))
        sent = keep
        try findRecords()
    }

    private func startSnapshot(orKeep keep: LogPoint?) throws(ReplicationError) {
        guard let file = log.snapshotFile(atMost: log.commitPoint),
            file.point.sequence > (keep?.sequence ?? 0),
            file.point.sequence >= join.last.sequence || keep == nil
        else {
            if let keep, keep.sequence + 1 >= log.first { return try startRecords(keep) }
            throw .rejected(
                "this host's journal begins with record \(log.first), and no snapshot that is "
                    + "whole stands for those before: write one (boursectl snapshot)")
        }
        try connection.queue(
            .snapshot(epoch: epoch, file.point, bytes: UInt64(file.bytes)))
        phase = .snapshot(file, offset: 0)
    }

    private func send(_ file: SentSnapshot, _ first: Int) throws(ReplicationError) {
        var offset = first
        var failure: SinkError?
        while offset < file.bytes, connection.queued < ReplicationConnection.queuedMax {
            let count = min(ReplicationProtocol.payloadBytesMax, file.bytes - offset)
            unsafe try connection.queue(headBytes: ReplicationProtocol.headBytes) { room in
                do throws(SinkError) {
                    let bytes = try file.read(offset, count)
                    unsafe room.copyBytes(from: bytes)
                    return (bytes.count, .chunk)
                } catch {
                    failure = error
                    return nil
                }
            }
            if let failure { throw .rejected("the snapshot cannot be read: \(failure)") }
            offset += count
        }
        phase = .snapshot(file, offset: offset)
        guard offset == file.bytes else { return }
        sent = file.point
        try findRecords()
    }

    // MARK: Records

    /// Continues from memory if the next record is there, else from the disk.
    private func findRecords() throws(ReplicationError) {
        if log.feed.attach(after: sent.sequence) {
            phase = .ring
            return
        }
        do throws(SinkError) { phase = .disk(try log.records(from: sent.sequence + 1)) } catch {
            throw .rejected("this host's journal cannot be read: \(error)")
        }
    }

    private func sendRecords(at now: BootTime) throws(ReplicationError) -> Int64 {
        while connection.queued < ReplicationConnection.queuedMax,
            inFlight.bytes < options.windowBytes
        {
            switch phase {
            case .ring:
                switch try sendFromRing(at: now) {
                case .records: continue
                case .none: return options.timing.beaconNanos
                case .behind: try findRecords()
                }
            case .disk(let reader):
                if try sendFromDisk(reader, at: now) { continue }
                if now.nanos >= attachAt {
                    attachAt = now.nanos + 10_000_000
                    if log.feed.attach(after: sent.sequence) {
                        phase = .ring
                        continue
                    }
                }
                return 1_000_000
            default: return options.timing.beaconNanos
            }
        }
        // There is more to send once the socket or the window has room.
        return inFlight.bytes < options.windowBytes ? 0 : options.timing.beaconNanos
    }

    private func sendFromRing(at now: BootTime) throws(ReplicationError) -> SealedFeed.Taken {
        var taken = SealedFeed.Taken.none
        unsafe try append(at: now) { room in
            taken = unsafe log.feed.take(into: room)
            if case .records(let bytes, _) = taken { return bytes }
            return 0
        }
        return taken
    }

    private func sendFromDisk(
        _ reader: any RecordReader, at now: BootTime
    ) throws(ReplicationError) -> Bool {
        var failure: SinkError?
        var isFound = false
        unsafe try append(at: now) { room in
            var count = 0
            do throws(SinkError) {
                isFound = unsafe try reader.next(upTo: .max, bytesMax: Self.readBytes) { records in
                    unsafe room.copyMemory(from: records)
                    count = records.count
                }
            } catch { failure = error }
            return count
        }
        if let failure { throw .rejected("this host's journal cannot be read: \(failure)") }
        return isFound
    }

    /// Queues an append of the records that `fill` writes.
    private func append(
        at now: BootTime, _ fill: (UnsafeMutableRawBufferPointer) -> Int
    ) throws(ReplicationError) {
        let commit = log.commitPoint
        let before = sent
        var isOfTerm = true
        unsafe try connection.queue(
            headBytes: ReplicationProtocol.headBytes + ReplicationProtocol.appendBytes
        ) { room in
            let count = unsafe fill(room)
            guard count > 0 else { return nil }
            unsafe RecordRun.points(UnsafeRawBufferPointer(rebasing: room[..<count])) { point in
                sent = point
            }
            isOfTerm = sent.epoch <= epoch
            guard isOfTerm else { return nil }
            inFlight.sent(sent.sequence, count)
            return (
                count,
                .append(ReplicationAppend(epoch: epoch, before: before, commitPoint: commit))
            )
        }
        // A later term has begun: the standby joins again.
        guard isOfTerm else { throw .rejected("another term has begun") }
        beaconCommit = max(beaconCommit, commit)
        if sent != before { report.waitingSince = report.waitingSince ?? now }
    }
}

/// What was sent and not acknowledged, in bytes. It holds at most `stepsMax` steps; beyond that it
/// merges the last two.
struct InFlight {
    private var steps: [(last: UInt64, total: Int)] = []
    private var sentTotal = 0
    private var acknowledgedTotal = 0
    private static let stepsMax = 1024

    /// Bytes that wait for an acknowledgement.
    var bytes: Int { sentTotal - acknowledgedTotal }

    /// Records up to `last` were sent, of so many bytes.
    mutating func sent(_ last: UInt64, _ count: Int) {
        sentTotal += count
        if steps.count == Self.stepsMax { steps.removeLast() }
        steps.append((last, sentTotal))
    }

    /// All up to `sequence` was acknowledged.
    mutating func acknowledged(_ sequence: UInt64) {
        guard let index = steps.lastIndex(where: { $0.last <= sequence }) else { return }
        acknowledgedTotal = steps[index].total
        steps.removeFirst(index + 1)
    }
}
