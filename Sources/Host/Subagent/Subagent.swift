// The AgentX subagent: one thread owns libnetsnmp, serves a view, and sends notifications.

internal import AgentAPI
internal import CNetSNMP
internal import Glibc
public import Platform
internal import SNMP

/// What a subagent needs to know.
public struct SubagentSettings: Sendable {
    /// Where the master agent listens, as `/var/agentx/master`.
    public var agentx: String
    /// The host agent's Unix socket.
    public var agentSocket: String
    /// The directory of the cursor.
    public var state: String
    /// Seconds between two questions to the host agent.
    public var pollSeconds: Int
    /// The enterprise's number that BOURSE-MIB is below.
    public var enterprise: UInt32
    /// This build's version.
    public var version: String

    /// Settings of these.
    public init(
        agentx: String, agentSocket: String, state: String, pollSeconds: Int, enterprise: UInt32,
        version: String
    ) {
        (self.agentx, self.agentSocket, self.state) = (agentx, agentSocket, state)
        (self.pollSeconds, self.enterprise, self.version) = (pollSeconds, enterprise, version)
    }
}

/// The subagent of one host. Make one for a process: the library behind it knows no second.
public final class Subagent {
    private let settings: SubagentSettings
    private let report: (_ isFault: Bool, String) -> Void
    private let lock: StateLock
    private let cursorFile: String
    private let mib: BourseMIB
    private let poller: AgentPoller
    private var queue: NotificationQueue
    private var view = MIBView()
    private var viewTime: Int64 = 0
    private var state: AgentState?
    private var cluster: ClusterDocument?
    private var stateTime: Int64 = 0
    private var isSessionUp = false
    private var isCursorKept = true
    /// The failure of the agent that was last reported, so that it is reported once.
    private var fault: AgentError?

    /// Seconds between two questions to the master agent whether it is still there, and between two
    /// attempts to reach it.
    static let pingSeconds: Int32 = 2
    /// Seconds that an answer of the host agent is believed, at least.
    static let believedSecondsMin: Int64 = 5

    /// Takes the state directory and starts as a subagent; the master agent need not be there yet.
    ///
    /// `report` gets lines for a log.
    public init(_ settings: SubagentSettings, report: @escaping (_ isFault: Bool, String) -> Void)
        throws
    {
        (self.settings, self.report) = (settings, report)
        lock = try StateLock(directory: settings.state)
        cursorFile = Directory.join(settings.state, "cursor")
        mib = BourseMIB(enterprise: settings.enterprise)
        queue = NotificationQueue(try Self.readCursor(cursorFile, report))
        poller = try AgentPoller(
            AgentClient(socket: settings.agentSocket), seconds: settings.pollSeconds,
            asksAfter: queue.asksAfter)
        makeView()
    }

    /// Serves until a signal.
    public func run(until signals: Signals) throws(SystemError) {
        // The library keeps this for as long as the process lives, which is not longer than this.
        let me = unsafe Unmanaged.passUnretained(self).toOpaque()
        let started = unsafe bourse_snmp_start(
            "bourse-snmp", settings.state, settings.agentx, Self.pingSeconds, mib.root.numbers,
            mib.root.numbers.count,
            bourse_snmp_callbacks(
                context: me,
                answer: { context, variable, isNext, name, count in
                    let agent = unsafe Subagent.from(context)
                    let name = unsafe ObjectID(
                        Array(UnsafeBufferPointer(start: name, count: count)))
                    return unsafe agent.answer(variable, name, isNext: isNext != 0)
                },
                session: { context, isUp in unsafe Subagent.from(context).session(isUp: isUp != 0)
                },
                delivered: { context, token, isTaken in
                    unsafe Subagent.from(context).delivered(token, isTaken: isTaken != 0)
                }))
        guard started == 0 else {
            throw SystemError(code: EINVAL, operation: "start the SNMP library", path: "")
        }
        if !isSessionUp { report(true, "waits for the master agent at \(settings.agentx)") }
        try poller.start()
        ServiceManager.ready()
        let descriptors = [signals.descriptor, poller.descriptor]
        var statusTime: Int64 = 0
        while true {
            let ready = unsafe bourse_snmp_wait(250, descriptors, descriptors.count)
            guard ready >= 0 else { throw .last("wait for", "the master agent") }
            if ready > 0 {
                if let signal = signals.next() {
                    report(false, "got signal \(signal)")
                    break
                }
                if let round = poller.take() { take(round) }
            }
            let now = Clock.monotonicNanos()
            if now - viewTime >= 1_000_000_000 { makeView() }
            sendNext()
            if now - statusTime >= 1_000_000_000 {
                statusTime = now
                ServiceManager.watchdog()
                ServiceManager.status(status)
            }
        }
        ServiceManager.stopping()
        unsafe bourse_snmp_stop("bourse-snmp")
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> Subagent {
        guard let context = unsafe context else { preconditionFailure("the context is there") }
        return unsafe Unmanaged<Subagent>.fromOpaque(context).takeUnretainedValue()
    }

    // MARK: Answers

    private func answer(_ variable: UnsafeMutableRawPointer, _ name: ObjectID, isNext: Bool)
        -> Int32
    {
        if isNext {
            guard let entry = view.next(after: name) else { return 0 }
            unsafe bourse_snmp_set_name(variable, entry.name.numbers, entry.name.numbers.count)
            unsafe Self.set(variable, entry.value)
        } else {
            guard let value = view[name] else { return 0 }
            unsafe Self.set(variable, value)
        }
        return 1
    }

    private static func set(_ variable: UnsafeMutableRawPointer, _ value: MIBValue) {
        func number(_ type: Int, _ value: UInt64) {
            unsafe bourse_snmp_set_number(variable, Int32(type), value)
        }
        switch value {
        case .integer(let value): number(BOURSE_SNMP_INTEGER, UInt64(bitPattern: Int64(value)))
        case .gauge(let value): number(BOURSE_SNMP_GAUGE32, UInt64(value))
        case .counter32(let value): number(BOURSE_SNMP_COUNTER32, UInt64(value))
        case .counter64(let value): number(BOURSE_SNMP_COUNTER64, value)
        case .octets(let bytes): unsafe bourse_snmp_set_octets(variable, bytes, bytes.count)
        case .objectID(let id):
            unsafe bourse_snmp_set_object_id(variable, id.numbers, id.numbers.count)
        }
    }

    // MARK: The agent

    /// Seconds since the agent's last good answer; nil: there was none.
    private var age: Int64? {
        state == nil ? nil : max(0, (Clock.monotonicNanos() - stateTime) / 1_000_000_000)
    }

    private var isBelieved: Bool {
        guard let age else { return false }
        return age < max(Self.believedSecondsMin, 5 * Int64(settings.pollSeconds))
    }

    private func take(_ round: AgentRound) {
        var now: AgentError?
        switch round.state {
        case .success(let new):
            if state == nil { report(false, "the agent of \(new.host) answers") }
            (state, cluster, stateTime) = (new, round.cluster, round.time)
            if let exchange = new.tables.exchange,
                let cursor = queue.take(role: exchange.role, epoch: exchange.epoch)
            {
                keep(cursor)
            }
        case .failure(let error): now = error
        }
        switch round.events {
        case .success(let events): queue.take(events, after: round.after)
        case .failure(let error): now = error
        case nil: break
        }
        if now != fault { report(now != nil, now?.description ?? "the agent answers again") }
        fault = now
        poller.ask(after: queue.asksAfter)
        makeView()
    }

    private func makeView() {
        viewTime = Clock.monotonicNanos()
        view = mib.view(
            of: state, cluster: cluster, age: age, isBelieved: isBelieved,
            sent: queue.cursor.sequence,
            version: settings.version)
    }

    private var status: String {
        let master = isSessionUp ? "connected to" : "waits for"
        let agent = age.map { "the agent's data is \($0) s old" } ?? "the agent has not answered"
        return "\(master) \(settings.agentx); \(agent); last sent event \(queue.cursor.sequence)"
    }

    // MARK: Notifications

    private func session(isUp: Bool) {
        isSessionUp = isUp
        if !isUp { queue.sessionEnded() }
        report(!isUp, "\(isUp ? "connected to" : "lost") the master agent at \(settings.agentx)")
    }

    /// Sends the next notification, if there is one and a session.
    private func sendNext() {
        guard isSessionUp, let (token, notice) = queue.next() else { return }
        let content = mib.notification(notice, host: state?.host ?? "", at: Clock.realtimeNanos())
        guard
            let notification = unsafe bourse_snmp_notification(
                content.name.numbers, content.name.numbers.count)
        else { return delivered(token, isTaken: false) }
        for (name, value) in content.variables {
            let variable = unsafe bourse_snmp_notification_add(
                notification, name.numbers, name.numbers.count)
            if let variable = unsafe variable { unsafe Self.set(variable, value) }
        }
        if unsafe bourse_snmp_notification_send(notification, token) == 0 {
            delivered(token, isTaken: false)
        }
    }

    private func delivered(_ token: UInt64, isTaken: Bool) {
        if let cursor = queue.answered(token, isTaken: isTaken) { keep(cursor) }
    }

    // MARK: The cursor

    /// Keeps the cursor: written aside, made durable, renamed. Where that fails (a full disk) the
    /// events are sent all the same: after a restart some are sent again, and none is lost.
    private func keep(_ cursor: NotificationCursor) {
        do throws(SystemError) {
            try File.replace(cursorFile, with: Array(cursor.text.utf8))
            isCursorKept = true
        } catch {
            if isCursorKept { report(true, "cannot store how far events were sent: \(error)") }
            isCursorKept = false
        }
    }

    private static func readCursor(
        _ path: String, _ report: (_ isFault: Bool, String) -> Void
    ) throws(SystemError) -> NotificationCursor {
        guard Directory.exists(path) else { return NotificationCursor() }
        let bytes = try File(path, .read).read(count: 4_096)
        if let cursor = NotificationCursor(String(decoding: bytes, as: UTF8.self)) { return cursor }
        report(true, "\(path) is damaged: every event that the agent keeps is sent again")
        return NotificationCursor()
    }
}
