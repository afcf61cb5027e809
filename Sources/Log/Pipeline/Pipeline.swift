// The pipeline of matchd: its threads, from their start to their end.

public import Engine
import Glibc
public import Link
public import Platform
import Synchronization
import Terms

/// What a pipeline is made with.
public struct PipelineOptions: Sendable {
    /// The CPU of the engine thread, or nil: not pinned.
    public var cpu: Int?
    /// What the engine thread does while there is nothing to do.
    public var idle: Idle = .park
    /// Size of the log ring: a power of two, at least 1 MiB.
    public var ringBytes = 64 << 20
    /// Size of the ring of commands: a power of two, at least 2 MiB; its last MiB is for operators.
    public var requestBytes = 16 << 20
    /// Records between two hash marks.
    public var hashEvery: UInt64 = 65_536
    /// Nanoseconds of the log's time after which a hash mark is written where any record was.
    public var hashNanos: Int64 = 60_000_000_000
    /// Maximum number of connections.
    public var connectionsMax = 64
    /// A follower fed from disk is closed when it takes fewer than `progressBytesMin` bytes while
    /// its socket is full for this long; so is a connection that takes nothing for this long, ns.
    public var stallNanos: Int64 = 10_000_000_000
    /// See `stallNanos`.
    public var progressBytesMin = 1 << 20
    /// Interval at which a follower that has all released records gets the log's position, ns.
    public var heartbeatNanos: Int64 = 1_000_000_000
    /// Who may connect to the Unix socket, beside this process's own user and root.
    public var users = LinkUsers()
    /// The journal's identity.
    public var journal: (high: UInt64, low: UInt64) = (0, 0)
    /// The disk reserve, for status.
    public var reserveBytes: UInt64 = 0
    /// Sequences that replicas pass over.
    public var voids: [UInt64] = []
    /// What holds releases back besides this host's disk.
    public var inSync = InSyncSet()
    /// The role of this matchd at the start.
    public var role = LinkServerRole.standalone
    /// The mark that outlives the process, or nil: none could be made.
    public var mark: CommandMark?
    /// Where samples of commands are stamped, or nil.
    public var trace: LatencyTrace?
    /// Identifies this process; different at each start.
    public var process: UInt64 = SystemRandom.number()
    /// The last epoch that an operator forced and its first record; 0: none.
    public var forced: (epoch: UInt32, from: UInt64) = (0, 0)
    /// Where the log comes from a primary at first: the records behind the engine's, which are on
    /// disk and may not be released; nil: this process leads from the start.
    public var tail: [UInt8]?

    /// The defaults.
    public init() {}
}

/// A running pipeline: takes commands from the Link, sequences, applies and journals them, and
/// releases what is durable here and, where a peer is required, there.
///
/// Three threads share it, see `Stages`. `start` takes the engine; `stop` returns it, with every
/// command that was taken in the journal.
public final class Pipeline: Sendable {
    let stages: Stages
    /// The journal's identity.
    let journal: (high: UInt64, low: UInt64)
    let threads: PipelineThreads

    /// Starts the threads. `engine` stands at the journal's end, or before `options.tail` where
    /// this process follows; `sink` appends at the end; `history` reads what is in the journal for
    /// followers that begin far behind; `listeners` are open. `onFault` is called once, on the
    /// thread with the fault, when the disk fails or a thread cannot continue: nothing more is
    /// released, so the owner ends the process.
    public static func start(
        engine: consuming Engine, sink: any LogSink, history: any LogArchive,
        listeners: [LinkListener], options: PipelineOptions,
        onFault: @escaping @Sendable (SinkError) -> Void
    ) throws(SystemError) -> Pipeline {
        let stages = try Stages(
            requestBytes: options.requestBytes, logBytes: options.ringBytes,
            answerBytes: 1 << 24, connections: options.connectionsMax, sequence: engine.sequence,
            epoch: engine.epoch, rules: engine.rules, role: options.role,
            isFollowing: options.tail != nil, trace: options.trace, onFault: onFault)
        if let tail = options.tail { stages.preload(tail) }
        options.inSync.attach(stages.linkBell)
        let server = try LinkServer(
            stages: stages, history: history, listeners: listeners, options: options,
            sequence: engine.sequence)
        let threads = PipelineThreads()
        try threads.start(engine, sink, server, stages, options)
        return Pipeline(stages, threads, options.journal)
    }

    private init(
        _ stages: Stages, _ threads: PipelineThreads, _ journal: (high: UInt64, low: UInt64)
    ) {
        (self.stages, self.threads, self.journal) = (stages, threads, journal)
    }

    /// The last record on disk.
    public var durable: UInt64 { stages.durable.now.sequence }
    /// The last record that is released. It never decreases.
    public var released: UInt64 { stages.released.now }
    /// The epoch of the term.
    public var epoch: UInt32 { UInt32(truncatingIfNeeded: stages.epoch.now) }
    /// The log's records before they are released, for replication.
    public var sealedFeed: SealedFeed { SealedFeed(stages) }
    /// Commands refused because the process died twice with them.
    public var poisoned: UInt64 { stages.poisoned.now }
    /// How many followers were refused because the journal could not be read for them, and the last
    /// error.
    public var unreadable: (count: UInt64, error: SinkError?) { stages.unreadable.withLock { $0 } }
    /// The host's clock compared with the log's: the difference (host minus log) and the last jump
    /// in ns, jumps since the start, and whether the host's is too far away to be followed.
    public var clock: (offset: Int64, jumps: UInt64, lastJump: Int64, isApart: Bool) {
        (
            stages.clock.offset.load(ordering: .relaxed),
            stages.clock.jumps.load(ordering: .relaxed),
            stages.clock.lastJump.load(ordering: .relaxed),
            stages.clock.isApart.load(ordering: .relaxed)
        )
    }
    /// The last record that the engine applied.
    public var applied: UInt64 { stages.applied.now }
    /// Commands of writers so far.
    public var commands: UInt64 { stages.commands.now }
    /// Whether only cancels are taken, because the disk is nearly full.
    public var isBelowReserve: Bool { stages.isBelowReserve.load(ordering: .relaxed) }
    /// Turns of the engine thread's loop. It is alive while this moves, and it moves at least twice
    /// a second.
    public var turns: UInt64 { stages.turns.now }
    /// Median and 99th percentile of the duration of the last group commits, ns.
    public var syncNanos: (p50: UInt64, p99: UInt64) {
        (
            stages.syncStats.p50.load(ordering: .relaxed),
            stages.syncStats.p99.load(ordering: .relaxed)
        )
    }

    /// Begins the term `epoch`, whose first record is an `EpochMark` of `term`. Returns false if
    /// the engine is in that term or a later one already, or the term did not begin within
    /// `timeoutNanos`; it may begin after that.
    public func raise(
        epoch: UInt32, _ term: TermStart = TermStart(), timeoutNanos: Int64 = 1_000_000_000
    ) -> Bool {
        guard UInt64(epoch) > stages.epoch.now else { return false }
        stages.termWanted.withLock { $0 = term }
        stages.epochWanted.store(epoch, ordering: .releasing)
        stages.sequencerPark.unpark()
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while stages.epoch.now < UInt64(epoch) || stages.isFollowing.load(ordering: .acquiring) {
            guard Clock.monotonicNanos() < deadline else { return false }
            Clock.sleep(nanos: 50_000)
        }
        return stages.epoch.now == UInt64(epoch)
    }

    /// The version of the engine's rules in force.
    public var rules: UInt32 { UInt32(truncatingIfNeeded: stages.rules.now) }

    /// Lets the engine thread, where this process leads, raise the rules in force to a version that
    /// its engine knows, by a `SetRules` record. It never lowers them.
    public func raiseRules(to version: UInt32) {
        guard stages.rulesWanted.load(ordering: .relaxed) != version else { return }
        stages.rulesWanted.store(version, ordering: .releasing)
        stages.sequencerPark.unpark()
    }

    /// Ends following and begins the term `epoch`: the records that came and are not applied yet
    /// are applied, then the `EpochMark` of `term` follows. Nothing may come from a primary any
    /// more. Returns as `raise` does; a long tail may take seconds to apply.
    public func lead(
        epoch: UInt32, _ term: TermStart, timeoutNanos: Int64 = 60_000_000_000
    ) -> Bool {
        // In this order: the engine thread begins no term but this one.
        stages.termWanted.withLock { $0 = term }
        stages.epochWanted.store(epoch, ordering: .releasing)
        stages.isLeadWanted.store(true, ordering: .releasing)
        return raise(epoch: epoch, term, timeoutNanos: timeoutNanos)
    }

    /// Lets a process whose log is held (`isLogHeld`) and durable follow again: the log then comes
    /// from a primary, through a new `StandbyIntake`. Returns false if the engine thread did not
    /// change over within `timeoutNanos`.
    public func follow(timeoutNanos: Int64 = 1_000_000_000) -> Bool {
        stages.isFollowWanted.store(true, ordering: .releasing)
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while !isFollowing {
            stages.sequencerPark.unpark()
            guard Clock.monotonicNanos() < deadline else { return false }
            Clock.sleep(nanos: 50_000)
        }
        stages.isIntakeHeld.store(false, ordering: .releasing)
        // What the peer knew then says nothing about the one of the next term.
        stages.rulesWanted.store(0, ordering: .releasing)
        return true
    }

    /// How much work each stage has taken and finished.
    public var work: PipelineWork {
        PipelineWork(
            taken: stages.requestsTaken.now, requested: stages.requests.head.now,
            durable: stages.durable.now.position, logged: stages.log.head.now)
    }

    /// Whether the log comes from a primary.
    public var isFollowing: Bool { stages.isFollowing.load(ordering: .acquiring) }
    /// The first record of the newest term that this process has begun; 0: none.
    public var termStart: UInt64 { stages.termStart.now }

    /// Stops taking commands from connections, which then wait, or takes them again.
    public func holdIntake(_ isHeld: Bool) {
        stages.isIntakeHeld.store(isHeld, ordering: .releasing)
        stages.linkBell.ring()
        stages.sequencerPark.unpark()
    }

    /// Whether intake is held, all that was taken is in the log, and nothing is added to it, not
    /// even by timers: its last record is a hash mark.
    public var isLogHeld: Bool { stages.isLogHeld.load(ordering: .acquiring) }

    /// Makes this matchd a primary, a standby, or a primary that takes nothing more. Connections
    /// that submit to one that takes no commands are closed with the reason; a sealed one ends its
    /// log with a hash mark.
    public func setRole(_ role: LinkServerRole) {
        stages.role.store(role.rawValue, ordering: .releasing)
        stages.linkBell.ring()
        stages.sequencerPark.unpark()
    }

    /// Takes no more commands, journals those that were taken and a hash mark, answers them, and
    /// ends the threads. Returns the engine, which stands at the journal's end unless this process
    /// follows. `progress` is called meanwhile with the last durable record.
    public func stop(progress: (UInt64) -> Void = { _ in }) -> Engine {
        stages.isStopping.store(true, ordering: .releasing)
        stages.linkBell.ring()
        while !stages.journalClosed.load(ordering: .acquiring),
            !stages.hasFailed.load(ordering: .acquiring)
        {
            progress(durable)
            Clock.sleep(nanos: 2_000_000)
        }
        return threads.join()
    }
}

/// How far the stages of a pipeline are, as positions in their rings.
public struct PipelineWork: Hashable, Sendable {
    /// Commands that the engine thread has taken.
    public let taken: UInt64
    /// Commands that came in.
    public let requested: UInt64
    /// What is on disk of the log.
    public let durable: UInt64
    /// What is in the log.
    public let logged: UInt64
}

/// The threads' handles, and the engine before and after them.
final class PipelineThreads: @unchecked Sendable {
    // Unchecked: the fields are set before the threads start and read after they ended.
    private var engine: Engine?
    private var handles: [PinnedThread] = []

    func start(
        _ engine: consuming Engine, _ sink: any LogSink, _ server: LinkServer, _ stages: Stages,
        _ options: PipelineOptions
    ) throws(SystemError) {
        self.engine = consume engine

        let serverBox = Handover(server)
        handles.append(
            try PinnedThread.start(name: "journal", cpu: -1) {
                var journal = JournalThread(stages: stages, sink: sink)
                do throws(SinkError) {
                    try journal.run()
                } catch { stages.fail(error) }
            })
        handles.append(try PinnedThread.start(name: "link", cpu: -1) { serverBox.value.run() })
        handles.append(
            try PinnedThread.start(name: "engine", cpu: options.cpu ?? -1) {
                self.runEngine(stages, options)
            })
    }

    func join() -> Engine {
        for handle in handles { handle.join() }
        handles = []
        guard let engine = engine.take() else { preconditionFailure("a pipeline is stopped once") }
        return engine
    }

    func runEngine(_ stages: Stages, _ options: PipelineOptions) {
        guard let engine = engine.take() else { preconditionFailure("an engine to run") }
        var sequencer = Sequencer(engine: engine, stages: stages, options: options)
        var idle = EngineIdle(stages: stages, idle: options.idle)
        while true {
            stages.turns.advance(to: stages.turns.now + 1)
            let isClosed = stages.intakeClosed.load(ordering: .acquiring)
            sequencer.followAgain()
            if sequencer.isFollowing {
                if sequencer.follow() { continue }
                if isClosed { break }
                stages.sequencerPark.park(timeoutNanos: EngineIdle.sleepNanosMax)
            } else if sequencer.turn() {
                idle.worked()
            } else if isClosed {
                break
            } else {
                let isTime = idle.wait(nanosToTimer: sequencer.nanosToTimer)
                if isTime, sequencer.turnByTime() { idle.worked() }
            }
        }
        if !sequencer.isFollowing, sequencer.sinceMark > 0 { sequencer.markHash() }
        stages.logClosed.store(true, ordering: .releasing)
        stages.journalPark.unpark()
        self.engine = sequencer.finish()
    }
}
