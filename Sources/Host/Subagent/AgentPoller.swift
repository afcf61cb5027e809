// A thread that polls the agent, so that a slow agent never delays SNMP.

internal import AgentAPI
internal import Glibc
internal import Platform
internal import Synchronization

/// The replies of one round.
struct AgentRound: Sendable {
    /// The state, or why there is none.
    var state: Result<AgentState, AgentError>
    /// The host's part in its cluster; nil: it is in none, or the agent did not say.
    var cluster: ClusterDocument?
    /// When the state came (CLOCK_BOOTTIME, nanoseconds).
    var time: Int64
    /// Events, or why there are none; nil: none were requested.
    var events: Result<AlarmEvents, AgentError>?
    /// The event after which they were requested.
    var after: UInt64
}

/// Polls the agent in regular rounds.
final class AgentPoller: Sendable {
    /// Readable when a round is there to be taken.
    let descriptor: Int32
    private let wakeDescriptor: Int32
    private let client: AgentClient
    private let periodNanos: Int64
    private let shared: Mutex<Shared>

    private struct Shared {
        var asksAfter: UInt64?
        var round: AgentRound?
    }

    /// A poller with a round every `seconds`; the first requests the events after `asksAfter`.
    init(_ client: AgentClient, seconds: Int, asksAfter: UInt64?) throws(SystemError) {
        self.client = client
        periodNanos = Int64(seconds) * 1_000_000_000
        shared = Mutex(Shared(asksAfter: asksAfter))
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .last("make", "a pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (descriptor, wakeDescriptor) = (ends[0], ends[1])
    }

    /// Starts the thread, which ends with the process.
    func start() throws(SystemError) {
        _ = try PinnedThread.start(name: "agent") { [self] in
            while true {
                let began = Clock.monotonicNanos()
                let round = ask()
                shared.withLock { $0.round = round }
                var byte: UInt8 = 0
                _ = unsafe write(wakeDescriptor, &byte, 1)
                Clock.sleep(nanos: periodNanos - (Clock.monotonicNanos() - began))
            }
        }
    }

    private func ask() -> AgentRound {
        let after = shared.withLock { $0.asksAfter }
        let state = Result { () throws(AgentError) in try client.state() }
        let time = Clock.monotonicNanos()
        // An agent that gives no state is asked for nothing else.
        guard case .success = state else {
            return AgentRound(state: state, time: time, events: nil, after: 0)
        }
        let cluster = try? client.cluster()
        guard let after else {
            return AgentRound(state: state, cluster: cluster, time: time, events: nil, after: 0)
        }
        let events = Result { () throws(AgentError) in try client.events(after: after) }
        return AgentRound(
            state: state, cluster: cluster, time: time, events: events, after: after)
    }

    /// The newest round that has not been taken, or nil.
    func take() -> AgentRound? {
        var bytes: UInt64 = 0
        while unsafe read(descriptor, &bytes, 8) > 0 {}
        return shared.withLock { shared in
            defer { shared.round = nil }
            return shared.round
        }
    }

    /// Sets the event after which the next rounds request events; nil: none.
    func ask(after sequence: UInt64?) { shared.withLock { $0.asksAfter = sequence } }
}
