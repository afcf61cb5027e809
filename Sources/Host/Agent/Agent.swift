// The agent of a host, put together.

public import Checks
public import Platform
internal import Synchronization

/// The files of an agent, and its helper.
public struct AgentPlaces: Sendable {
    /// The directory of its events and changes; made where there is none.
    public var state: String
    /// The root helper's socket.
    public var helper: String

    /// Places of these.
    public init(state: String, helper: String) { (self.state, self.helper) = (state, helper) }
}

/// A running agent. Any thread may use it.
public final class Agent: Sendable {
    /// What it knows.
    public let core: AgentCore
    private let loop: AgentLoop
    private let server: AgentServer
    private let lock: StateLock

    /// Begins to watch this host. `probes` are further ones, which other targets know how to ask:
    /// they are given what to call when something of theirs changed.
    ///
    /// Throws where its directory cannot be used, or it cannot listen.
    public init(
        _ options: AgentOptions, places: AgentPlaces, policy: ChangePolicy,
        server serverOptions: AgentServerOptions, cluster: (any ClusterRole)? = nil,
        probes: (@escaping @Sendable () -> Void) throws -> [any HostProbe]
    ) throws {
        if !Directory.exists(places.state) { try Directory.create(places.state, mode: 0o750) }
        lock = try StateLock(directory: places.state, name: "agentd.lock")
        core = AgentCore(
            options, alarmLog: try AlarmLog(Directory.join(places.state, "events")),
            executor: try ChangeExecutor(
                Directory.join(places.state, "changes"), helper: places.helper, policy: policy),
            cluster: cluster)
        let loopBox = AgentLoopBox()
        let changed: @Sendable () -> Void = { loopBox.loop?.changed() }
        var all = try HostReader.probes(options.plan, changed: changed) + probes(changed)
        let helper = HelperClient(socket: places.helper)
        all.append(
            try Sampler(
                [NVMeHealth.directory, ATAHealth.directory], thread: "health",
                periodNanos: 300_000_000_000,
                freshNanos: 900_000_000_000
            ) {
                let disks = (try? Directory.names(in: "/sys/block")) ?? []
                return helper.health(of: disks.filter(Self.hasHealthLog))
            })
        loop = AgentLoop(core, reader: HostReader(probes: all))
        loopBox.loop = loop
        server = try AgentServer(serverOptions, core: core)
        try loop.start()
    }

    /// The port on loopback; 0: none.
    public var port: Int { server.port }

    /// Stops serving and checking; returns once all events are on disk.
    public func stop() {
        server.stop()
        loop.stop()
        core.alarmLog.close()
    }

    /// Whether a disk may have a health log: NVMe, or SMART behind SCSI.
    private static func hasHealthLog(_ disk: String) -> Bool {
        disk.hasPrefix("nvme") || disk.hasPrefix("sd")
    }
}

extension HostReader {
    /// The probes of every host. `changed` is called when a unit changed.
    public static func probes(
        _ plan: HostPlan, changed: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) -> [any HostProbe] {
        [
            ClockProbe(), EthernetProbe(), FencingProbe(program: plan.fencing),
            FileSystemProbe(directories: plan.directories.map(\.path)),
            try UnitWatcher(plan.watchedUnits, changed: changed),
            try Sampler(
                [ChronyTracking.path], thread: "chrony", periodNanos: 10_000_000_000,
                freshNanos: 60_000_000_000
            ) {
                let done = try? Program.run("/usr/bin/chronyc", ["-c", "tracking"], secondsMax: 5)
                guard let done, done.status == 0 else { return [:] }
                return [ChronyTracking.path: done.output]
            },
        ]
    }
}

/// The loop, once there is one: probes begin before it.
private final class AgentLoopBox: Sendable {
    private let stored = Mutex<AgentLoop?>(nil)

    var loop: AgentLoop? {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}
