// From a configuration to a running pipeline, and back.

import Configuration
import DaemonKit
import Engine
import Glibc
import Journal
import Link
import Logging
import Pipeline
import Platform
import Secrets
import Terms
import Wire

/// The matching daemon of one state directory.
final class MatchingDaemon {
    let settings: Settings
    let log: Logger
    /// Held as long as the process lives.
    let lock: StateLock
    let snapshots: SnapshotStore
    let pipeline: Pipeline
    let memory: TableMemory?
    let sink: JournalSink
    let writer: JournalWriter

    /// Recovers the journal and starts to serve.
    ///
    /// `trace`: the file that takes samples of where commands spend their time; nil: none are
    /// taken.
    init(_ settings: Settings, _ log: Logger, trace: String? = nil) throws {
        guard Directory.isDirectory(settings.state) else {
            throw SettingsError(
                file: settings.file, key: "exchange.state",
                text: """
                    there is no state directory \(settings.state): make it with `boursectl init`, \
                    or correct this key
                    """)
        }
        self.settings = settings
        self.log = log
        lock = try StateLock(directory: settings.state)
        // Not the journal's: that one is made with the journal, and missed where it is not mounted.
        for directory in [
            settings.snapshotsDirectory,
            Directory.parent(of: settings.matchd.socket) ?? settings.state,
        ] where !Directory.exists(directory) { try Directory.create(directory) }

        snapshots = SnapshotStore(directory: settings.snapshotsDirectory)
        let place = JournalPlace(settings)
        let start = try JournalStart(settings, place, snapshots, log)
        writer = start.writer
        let identity = writer.identity
        sink = try JournalSink(writer)
        let listeners = try Self.listeners(settings)
        var options = PipelineOptions()
        options.cpu = settings.matchd.cpu
        options.idle =
            switch settings.matchd.idle {
            case .spin: .spin
            case .yield: .yield
            case .park: .park
            }
        options.ringBytes = settings.matchd.ringBytes
        options.hashEvery = settings.matchd.hashEvery
        options.users = try Self.linkUsers(settings)
        options.journal = (identity.high, identity.low)
        options.reserveBytes = UInt64(settings.matchd.reserveBytes)
        options.voids = start.voided
        options.mark = Self.openMark(settings, identity, log)
        options.trace = try trace.map { path throws(SystemError) in try LatencyTrace(path) }
        try Self.checkClock(place, writer, options.mark)
        let history = JournalHistory(
            directory: settings.journalDirectory, snapshots: snapshots, identity: identity)
        let engine = start.takeEngine()
        memory = TableMemory.take(engine, log)
        pipeline = try Pipeline.start(
            engine: engine, sink: sink, history: history, listeners: listeners,
            options: options
        ) { fault in
            // The note of it may be where nothing can be written either.
            let latched = place.latched()
            let status =
                fault.isDiskFault || latched != nil ? DaemonExit.journal : DaemonExit.fault
            log.fatal(
                "the journal failed, nothing more was acknowledged: "
                    + (latched?.detail ?? fault.description), status: status)
        }
        for listener in listeners { log.notice("the Link listens at \(listener.address)") }
    }

    /// Refuses a host clock that is too far ahead of a log to be taken without an operator's word.
    /// A log that was only begun has nothing to compare it with.
    static func checkClock(
        _ place: JournalPlace, _ writer: JournalWriter, _ mark: CommandMark?
    ) throws(JournalError) {
        let (host, monotonic) = LogClock.readHost()
        let last = writer.lastTimestamp
        guard writer.lastSequence > 1,
            LogClock.isFarAhead(last: last, line: mark?.line, host: host, monotonic: monotonic),
            !place.hasAcceptedClock(host, within: LogClock.aheadNanosMax)
        else { return }
        throw .clockAhead(nanos: host - last)
    }

    /// Opens the mark that outlives the process, beside the Link's socket, and says what it shows.
    static func openMark(
        _ settings: Settings, _ identity: JournalIdentity, _ log: Logger
    ) -> CommandMark? {
        do throws(SystemError) {
            let mark = try CommandMark(
                markPath(settings), journal: (identity.high, identity.low))
            for suspect in mark.suspects {
                let what =
                    suspect.session == 0
                    ? "a record of kind \(suspect.kind)"
                    : "command \(suspect.number) of session \(suspect.session), of kind "
                        + "\(suspect.kind)"
                let isRefused = suspect.session != 0 && suspect.deaths > 1
                log.report(
                    isRefused ? .critical : .error,
                    isRefused
                        ? "died \(suspect.deaths) times while applying \(what): it is refused as "
                            + "poisoned if it comes again; report it with "
                            + "`boursectl support-bundle`"
                        : "died while applying \(what)")
            }
            return mark
        } catch {
            log.error("no mark outlives this process: \(error)")
            return nil
        }
    }

    /// Where that mark is.
    static func markPath(_ settings: Settings) -> String {
        Directory.join(
            Directory.parent(of: settings.matchd.socket) ?? settings.state, "matchd.mark")
    }

    /// The users and groups that the configuration names, by their ids.
    static func linkUsers(_ settings: Settings) throws(SettingsError) -> LinkUsers {
        var all = LinkUsers()
        let m = settings.matchd
        for (key, names, role): (String, [String], LinkRole) in [
            ("gateway_users", m.gatewayUsers, .gateway),
            ("wallet_users", m.walletUsers, .wallet),
            ("operator_users", m.operatorUsers, .operator),
            ("observer_users", m.observerUsers, .observer),
        ] {
            for name in names {
                let isGroup = name.hasPrefix("%")
                let id =
                    isGroup
                    ? Host.groupID(named: String(name.dropFirst())) : Host.userID(named: name)
                guard let id else {
                    throw SettingsError(
                        file: settings.file, key: "matchd.\(key)",
                        text: """
                            this host has no \(isGroup ? "group" : "user") \(name): create it, \
                            or take it out
                            """)
                }
                if isGroup { all.groups.append((id, role)) } else { all.users.append((id, role)) }
            }
        }
        return all
    }

    static func listeners(_ settings: Settings) throws -> [LinkListener] {
        var listeners = [try LinkListener.unix(settings.matchd.socket)]
        if let address = settings.matchd.listen, let file = settings.matchd.linkKey {
            let bytes = try File(file, .read).read(count: 4096)
            guard let key = LinkKey(SecretBytes(bytes)) else {
                throw SettingsError(
                    file: settings.file, key: "matchd.link_key",
                    text: """
                        \(file) holds fewer than \(LinkKey.bytesMin) bytes: make \
                        one with `head -c 32 /dev/urandom`, readable by its owner only
                        """)
            }
            listeners.append(
                try LinkListener.tcp(host: address.host, port: address.port, key: key))
        }
        return listeners
    }

    /// Serves until a signal, then drains, journals and writes a snapshot.
    func serve(_ daemon: DaemonProcess) throws {
        ServiceManager.ready()
        log.notice("ready at record \(pipeline.applied)")
        watch(daemon)
        ServiceManager.stopping()
        log.notice("draining")
        let work = WorkProgress()
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        work.begin(
            "draining", unit: "records", from: pipeline.durable, to: pipeline.applied)
        let engine = pipeline.stop { work.advance(to: $0) }
        memory?.end()
        reporter?.end()
        // The thread that did it while it ran has ended.
        sink.noteCommit(pipeline.released)
        try sink.settle()
        sink.close()
        writeSnapshot(engine)
    }

    /// Leaves a snapshot, so that the next start has nothing to replay. The auditor writes them as
    /// well: where it is at it, or has this one, or the disk does not take it, nothing is lost by
    /// leaving it out.
    func writeSnapshot(_ engine: borrowing Engine) {
        let last = writer.last
        // Nobody may see what is not released, in a snapshot either.
        guard last.sequence == engine.sequence, pipeline.released == engine.sequence,
            let turn = try? StateLock(directory: snapshots.directory, name: "writer.lock"),
            (try? snapshots.sequences().contains(engine.sequence)) == false
        else {
            log.notice("stopped at record \(engine.sequence)")
            return
        }
        defer { _ = turn }
        let work = WorkProgress()
        let reporter = try? WorkReporter(work, report: log.reporting(.info))
        defer { reporter?.end() }
        do throws(JournalError) {
            let info = try snapshots.write(
                engine, identity: writer.identity, recordCRC: last.crc,
                keepFree: settings.matchd.reserveBytes, work: work)
            try snapshots.prune(keep: settings.auditd.snapshotsKeep)
            log.notice("stopped at record \(info.sequence), with a snapshot")
        } catch {
            log.warning("stopped at record \(engine.sequence), without a snapshot: \(error)")
        }
    }

    /// Waits for a signal; reports meanwhile to the service manager that the engine thread turns.
    func watch(_ daemon: DaemonProcess) {
        var turns = pipeline.turns
        var wasBelow = false
        var clock = pipeline.clock
        if clock.isApart { sayClock(clock) }
        var poisoned: UInt64 = 0
        daemon.watch {
            let now = pipeline.turns
            if now != turns { ServiceManager.watchdog() }
            turns = now
            let sync = pipeline.syncNanos
            ServiceManager.status(
                """
                record \(pipeline.durable) durable, \(pipeline.commands) commands, \
                sync p50 \(sync.p50 / 1000) us p99 \(sync.p99 / 1000) us
                """)
            let reading = pipeline.clock
            if reading.jumps != clock.jumps {
                log.error("the host's clock jumped by \(Self.seconds(reading.lastJump)) s")
            }
            if reading.isApart != clock.isApart { sayClock(reading) }
            clock = reading
            if pipeline.poisoned != poisoned {
                poisoned = pipeline.poisoned
                log.critical(
                    "refused a command with which matchd had died twice (\(poisoned) so far)")
            }
            if pipeline.isBelowReserve != wasBelow {
                wasBelow.toggle()
                log.report(
                    wasBelow ? .error : .notice,
                    wasBelow
                        ? "disk space is below the reserve: only cancels are taken; free some"
                        : "disk space is above the reserve again: everything is taken")
            }
            return true
        }
    }
}

extension MatchingDaemon {
    /// Says how the host's clock and the log's differ.
    func sayClock(_ clock: (offset: Int64, jumps: UInt64, lastJump: Int64, isApart: Bool)) {
        let seconds = Self.seconds(clock.offset)
        log.report(
            clock.isApart ? .error : .notice,
            clock.isApart
                ? "the host's clock is \(seconds) s from the log's, which does not follow it: put "
                    + "the host's right; if it is right, stop matchd, remove "
                    + "\(Self.markPath(settings)) and start it again"
                : "the host's clock is \(seconds) s from the log's, which follows it again")
    }

    private static func seconds(_ nanos: Int64) -> String {
        let tenths = nanos / 100_000_000
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}

extension JournalPlace {
    /// The journal of these settings.
    init(_ settings: Settings) {
        self.init(
            directory: settings.journalDirectory, state: settings.state,
            runtime: Directory.parent(of: settings.matchd.socket), configuration: settings.file)
    }
}

/// The journal as it is found, brought to where it can be gone on with.
final class JournalStart {
    let writer: JournalWriter
    let voided: [UInt64]
    private var engine: Engine?

    init(
        _ settings: Settings, _ place: JournalPlace, _ snapshots: SnapshotStore, _ log: Logger
    ) throws {
        let work = WorkProgress()
        let reporter = try WorkReporter(work, report: log.reporting(.info))
        defer { reporter.end() }
        work.begin("checking the journal", unit: "bytes", from: 0, to: 0)
        let opened = try Journal.open(place, snapshots: snapshots) { done, all in
            work.advance(to: UInt64(done), of: UInt64(all))
        }
        let recovered = opened.recovered
        for note in opened.notes { log.warning("\(note)") }
        if let cut = recovered.cut { log.warning("\(cut)") }
        let restored = try Journal.restore(
            recovered, snapshots: snapshots,
            mark: Directory.join(settings.state, "recovery.mark"), report: log.reporting(.warning),
            work: work)
        Self.compare(settings, restored.limits, log)
        // The state knows those whose records are older than what was scanned.
        voided = Array(Set(recovered.voided.all).union(restored.voids)).sorted()
        log.notice("recovered to record \(restored.sequence)")
        writer = try JournalWriter(
            recovered: recovered, replica: opened.replica.replica, place: place,
            options: JournalOptions(
                segmentBytes: settings.matchd.segmentBytes,
                reserveBytes: settings.matchd.reserveBytes))
        engine = consume restored
    }

    /// The engine; once.
    func takeEngine() -> Engine {
        guard let engine = engine.take() else { preconditionFailure("the engine is taken once") }
        return engine
    }

    /// Says where the configuration asks for more than the journal holds: it is begun with these
    /// limits, and raised by records of its own.
    private static func compare(_ settings: Settings, _ limits: EngineLimits, _ log: Logger) {
        guard !limits.covers(settings.limits) else { return }
        log.report(
            .warning,
            "[limits] of \(settings.file) are above those of the journal, which stand: raise them "
                + "with `boursectl limits raise`")
    }
}
