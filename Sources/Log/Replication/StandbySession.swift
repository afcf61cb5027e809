// The standby's side of one connection to a primary.

internal import Failover
internal import Journal
internal import Pipeline
internal import Platform
internal import Synchronization
internal import Terms

/// One connection: joins, offers its points, cuts what the primary lacks, then takes records. One
/// thread uses it.
final class StandbySession {
    private enum Phase {
        case welcome
        /// Points are offered from the journal.
        case offering(any RecordReader, next: UInt64, end: UInt64)
        case offered
        /// `remaining` bytes of the snapshot are still to come.
        case snapshot(LogPoint, remaining: Int)
        case records
        /// The primary was refused; a later term of it comes by a new connection.
        case refused
    }

    private let connection: ReplicationConnection
    private let log: any StandbyLog
    private let options: ReplicationOptions
    private let shared: ReplicationClient.Shared
    private var phase = Phase.welcome
    private var epoch: UInt32 = 0
    private var orders: UInt64 = 0
    private var offeredFrom: UInt64 = 0
    private var acknowledged: UInt64 = 0
    /// An append that the log had no room for.
    private var waiting: (item: ReplicationDecoder.Item, append: ReplicationAppend, end: RecordRun)?

    init(
        _ connection: ReplicationConnection, _ log: any StandbyLog,
        _ options: ReplicationOptions, _ shared: ReplicationClient.Shared
    ) {
        self.connection = connection
        self.log = log
        self.options = options
        self.shared = shared
    }

    /// Serves the connection until it ends; returns why it ended.
    func run() -> ReplicationError {
        do throws(ReplicationError) {
            guard try connection.shakeHands() else { throw .malformed }
            try join()
            while true {
                try turn()
                log.bell.arm()
                // Again, for what came before the bell was armed.
                try turn()
                let ready = ReplicationWait.wait(
                    [
                        (log.bell.descriptor, ReplicationWait.readable),
                        (connection.descriptor, connection.events(reads: waiting == nil)),
                    ], nanos: isOffering ? 0 : options.timing.beaconNanos)
                log.bell.disarm(isReadable: ready.contains(log.bell.descriptor))
            }
        } catch {
            log.bell.disarm(isReadable: false)
            if case .rejected(let reason) = error { connection.reject(reason) }
            return error
        }
    }

    private var isOffering: Bool {
        if case .offering = phase { return connection.queued == 0 }
        return false
    }

    private func join() throws(ReplicationError) {
        let (last, first, identity) = (log.last, log.first, log.identity)
        let cluster = log.cluster
        let join = shared.state.withLock { state in
            orders = state.orders
            return ReplicationJoin(
                identity: identity, replica: state.status.replica, process: state.process,
                cluster: cluster, level: options.level, promise: state.keeper.least,
                released: min(state.status.position.released, last.sequence), first: first,
                last: last)
        }
        try connection.queue(.join(join))
    }

    private func turn() throws(ReplicationError) {
        guard !shared.isStopping.load(ordering: .acquiring) else { throw .closed }
        if let failure = log.failure { throw stop(failure.description) }
        guard shared.state.withLock({ $0.orders == orders }) else {
            throw .rejected("another order came")
        }
        try takeWaiting()
        while waiting == nil, let item = try connection.next() { try receive(item) }
        try offer()
        try acknowledge()
        try connection.flush()
        guard Clock.monotonicNanos() - connection.heardAt < options.silenceNanos else {
            throw .silent
        }
    }

    /// Ends replication for good.
    private func stop(_ reason: String) -> ReplicationError {
        shared.state.withLock { $0.stop(reason) }
        return .rejected(reason)
    }

    /// Calls the log. Its error ends replication for good, a full disk only the connection: the
    /// next one tries again.
    private func onLog<R>(_ body: () throws(SinkError) -> R) throws(ReplicationError) -> R {
        do throws(SinkError) { return try body() } catch {
            guard error.isFull else { throw stop(error.description) }
            shared.state.withLock { $0.hinder(error.description) }
            throw .rejected(error.description)
        }
    }

    // MARK: Frames

    private func receive(_ item: ReplicationDecoder.Item) throws(ReplicationError) {
        if case .reject(let reason) = item.frame {
            throw .rejected("the primary ended it: \(reason)")
        }
        if case .refused = phase { return }
        switch (item.frame, phase) {
        case (.welcome(let welcome), .welcome): try take(welcome)
        case (.beacon(let beacon), _): try take(beacon)
        case (.begin(let epoch, let keep), .offered), (.begin(let epoch, let keep), .offering):
            try check(epoch)
            try begin(keep)
        case (.append(let append), .records): try take(item, append)
        case (.snapshot(let epoch, let point, let bytes), .offered),
            (.snapshot(let epoch, let point, let bytes), .offering):
            try check(epoch)
            try beginSnapshot(point, bytes)
        case (.chunk, .snapshot(let point, let remaining)):
            try take(item, point, remaining)
        default: throw .malformed
        }
    }

    /// Frames of another term than the one that is followed end the connection.
    private func check(_ epoch: UInt32) throws(ReplicationError) {
        let follows = shared.state.withLock { $0.orders == orders && $0.follows(epoch) }
        guard epoch == self.epoch, follows else { throw .rejected("another term is followed") }
    }

    private func take(_ welcome: ReplicationWelcome) throws(ReplicationError) {
        if let identity = log.identity {
            guard identity == welcome.identity else {
                throw .rejected(
                    "the primary has journal \(welcome.identity), this host \(identity): set this "
                        + "host's journal aside, then add it as a learner")
            }
        }
        let verdict = try admit(welcome)
        if case .refuse(let promise) = verdict {
            let process = shared.state.withLock { $0.process }
            try connection.queue(.refuse(promise: promise, process: process))
            phase = .refused
            return
        }
        epoch = welcome.epoch
        shared.isJoined.store(true, ordering: .releasing)
        if log.identity == nil {
            try onLog { () throws(SinkError) in try log.begin(welcome.identity) }
        }
        try startOffer()
    }

    /// Promises the primary's epoch before anything of it is taken.
    private func admit(_ welcome: ReplicationWelcome) throws(ReplicationError) -> PromiseVerdict {
        let result: Result<PromiseVerdict, SinkError> = shared.state.withLock { state in
            guard state.orders == orders else { return .success(.refuse(state.keeper.least)) }
            let verdict = state.keeper.verdict(on: welcome.epoch)
            if case .refuse = verdict { return .success(verdict) }
            do throws(SinkError) {
                try ReplicationClient.promise(welcome.epoch, &state, log)
            } catch { return .failure(error) }
            state.begin(welcome.epoch, forced: welcome.forced)
            state.status.primaryLevel = welcome.level
            return .success(verdict)
        }
        return try onLog { () throws(SinkError) in try result.get() }
    }

    private func take(_ beacon: ReplicationBeacon) throws(ReplicationError) {
        if case .welcome = phase { throw .malformed }
        try check(beacon.epoch)
        let now = BootTime(nanos: Clock.monotonicNanos())
        let (echoes, process) = shared.state.withLock { state in
            (state.takeBeacon(beacon, at: now), state.process)
        }
        show()
        guard echoes else { return }
        try connection.queue(
            .echo(ReplicationEcho(epoch: epoch, process: process, sentAt: beacon.sentAt)))
    }

    // MARK: Matching

    private func startOffer() throws(ReplicationError) {
        let (last, first) = (log.last, log.first)
        offeredFrom = shared.state.withLock { $0.offerFrom(first: first) }
        if last.sequence < first {
            // No record; at most the snapshot that the journal begins behind.
            let points = last.sequence > 0 ? [last] : []
            offeredFrom = last.sequence
            try connection.queue(.points(ReplicationPoints(points: points, isLast: true)))
            phase = .offered
            return
        }
        let from = offeredFrom
        let reader = try onLog { () throws(SinkError) in try log.records(from: from) }
        phase = .offering(reader, next: from, end: last.sequence)
    }

    private func offer() throws(ReplicationError) {
        while case .offering(let reader, let next, let end) = phase, connection.queued == 0 {
            var points: [LogPoint] = []
            let bytes = ReplicationProtocol.pointsMax * 8
            _ = try onLog { () throws(SinkError) in
                try unsafe reader.next(upTo: end, bytesMax: bytes) { records in
                    unsafe RecordRun.points(records) { points.append($0) }
                }
            }
            guard let last = points.last, points[0].sequence == next else {
                throw stop(
                    "record \(next) is on this host's disk and cannot be read back: verify its "
                        + "journal (boursectl journal verify)")
            }
            let isLast = last.sequence == end
            try connection.queue(
                .points(ReplicationPoints(points: points, isLast: isLast)))
            phase = isLast ? .offered : .offering(reader, next: last.sequence + 1, end: end)
            try connection.flush()
        }
    }

    private func begin(_ keep: UInt64) throws(ReplicationError) {
        let last = log.last
        guard keep <= last.sequence, keep + 1 >= offeredFrom else { throw .malformed }
        if keep < last.sequence {
            try cut(after: keep)
            // Below what was offered nothing was compared: it is offered anew.
            if keep > 0, keep < offeredFrom { throw .rejected("what was cut is offered anew") }
        }
        shared.state.withLock { state in
            state.status.position.match(keep)
            state.status.reason = nil
        }
        phase = .records
        show()
    }

    private func cut(after keep: UInt64) throws(ReplicationError) {
        let first = keep + 1
        var point: LogPoint?
        try onLog { () throws(SinkError) in
            let reader = try log.records(from: first)
            _ = try unsafe reader.next(upTo: first, bytesMax: 1) { records in
                unsafe RecordRun.points(records) { point = $0 }
            }
        }
        guard let point else { throw stop("record \(first) cannot be read back") }
        let (isAllowed, released, forced) = shared.state.withLock { state in
            (
                state.status.position.mayCut(
                    from: first, epoch: point.epoch, forced: state.status.forced),
                state.status.position.released, state.status.forced
            )
        }
        guard isAllowed else {
            throw stop(
                "the primary's journal differs from record \(point) on, which was released here "
                    + "(all up to \(released)): find out which host is right. Where it is the "
                    + "primary, `boursectl rejoin` here sets this journal aside; else force the "
                    + "failover here that gives the primary's records up")
        }
        let isForced = first <= released
        let reason =
            isForced
            ? "given up by the forced failover to epoch \(forced?.epoch ?? 0)"
            : "never released, and not in the log of epoch \(epoch)"
        try onLog { () throws(SinkError) in
            try log.cut(after: keep, reason: reason, isForced: isForced)
        }
        let last = log.last
        shared.state.withLock { state in
            state.status.position.cut(behind: keep)
            state.keeper.journalEnds(in: last.epoch)
        }
    }

    // MARK: A snapshot

    private func beginSnapshot(_ point: LogPoint, _ bytes: UInt64) throws(ReplicationError) {
        let released = shared.state.withLock { $0.status.position.released }
        guard point.sequence >= released else {
            throw stop(
                "the primary has a snapshot of record \(point.sequence) only, and \(released) was "
                    + "released here")
        }
        guard bytes > 0, bytes <= 1 << 46 else { throw .malformed }
        try onLog { () throws(SinkError) in
            try log.beginSnapshot(point, bytes: Int(bytes))
        }
        phase = .snapshot(point, remaining: Int(bytes))
    }

    private func take(
        _ item: ReplicationDecoder.Item, _ point: LogPoint, _ before: Int
    ) throws(ReplicationError) {
        try check(epoch)
        let count = item.tail.count
        guard count > 0, count <= before else { throw .malformed }
        let result: Result<Void, SinkError> = unsafe connection.withTail(item) { bytes in
            do throws(SinkError) { return .success(unsafe try log.snapshot(bytes)) } catch {
                return .failure(error)
            }
        }
        try onLog { () throws(SinkError) in try result.get() }
        phase = .snapshot(point, remaining: before - count)
        guard count == before else { return }
        try onLog { () throws(SinkError) in try log.adoptSnapshot() }
        guard log.last == point else { throw stop("the snapshot is not of record \(point)") }
        shared.state.withLock { state in
            let commit = state.status.position.commitPoint
            state.status.position = StandbyPosition(
                durable: point.sequence, released: point.sequence)
            state.status.position.commit(max(commit, point.sequence))
            state.status.position.match(point.sequence)
            state.keeper.journalEnds(in: point.epoch)
            state.status.reason = nil
        }
        phase = .records
        show()
    }

    // MARK: Records

    private func take(
        _ item: ReplicationDecoder.Item, _ append: ReplicationAppend
    ) throws(ReplicationError) {
        try check(append.epoch)
        guard append.before == log.last else {
            throw .rejected("an append does not follow record \(log.last)")
        }
        var end = RecordRun(last: log.last, timestamp: log.lastTimestamp)
        let epoch = epoch
        let flaw = unsafe connection.withTail(item) {
            unsafe end.check($0, epochMax: epoch)
        }
        if let flaw { throw .rejected("what the primary sent is refused: \(flaw.words)") }
        waiting = (item, append, end)
        try takeWaiting()
    }

    /// Appends what came to the log, once it has room.
    private func takeWaiting() throws(ReplicationError) {
        guard let (item, append, end) = waiting else { return }
        try check(append.epoch)
        let result: Result<Bool, SinkError> = unsafe connection.withTail(item) { records in
            do throws(SinkError) { return .success(unsafe try log.append(records)) } catch {
                return .failure(error)
            }
        }
        guard try onLog({ () throws(SinkError) in try result.get() }) else { return }
        waiting = nil
        shared.state.withLock { state in
            state.keeper.journalEnds(in: end.last.epoch)
            state.status.position.match(end.last.sequence)
            state.status.position.commit(append.commitPoint)
        }
        show()
    }

    /// Updates what followers may see, after any position changed.
    private func show() {
        let durable = log.durable
        let position = shared.state.withLock { state in
            state.status.position.sync(durable)
            return state.status.position
        }
        log.show(visible: position.visible, released: position.released)
    }

    private func acknowledge() throws(ReplicationError) {
        guard case .records = phase else { return }
        show()
        // Under the lock of the orders: once a promise is made, nothing below it is acknowledged.
        let result: Result<Void, ReplicationError> = shared.state.withLock { state in
            guard state.orders == orders,
                let acknowledgement = state.acknowledgement(epoch),
                acknowledgement.matched > acknowledged
            else { return .success(()) }
            acknowledged = acknowledgement.matched
            do throws(ReplicationError) {
                return .success(try connection.queue(.appended(acknowledgement)))
            } catch { return .failure(error) }
        }
        try result.get()
    }
}
