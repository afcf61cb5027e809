// What this host's agent and the peer's agree on: whether claims are paused, which process was
// seen to end, and when the primary changed. It goes through a restart of either agent: what
// operators ordered and those changes are on disk.

public import Failover
public import JSON
public import Platform
internal import Synchronization

/// What an agent keeps over a restart, in one file.
struct KeptOrders: Hashable, Sendable {
    var hold = ClusterHold()
    /// The peer is not added until an operator asks.
    var isPeerOut = false
    /// The last changes of the primary.
    var primaryChanges = PrimaryHistory()

    /// Largest file, bytes.
    static var bytesMax: Int { 65_536 }

    var json: JSONValue {
        [
            "version": .number(1), "hold": hold.json, "peerOut": .bool(isPeerOut),
            "primaryChanges": primaryChanges.json,
        ]
    }

    init() {}

    /// Reads `json`; nil for anything else.
    init?(_ json: JSONValue) {
        guard json["version"]?.count == 1, let hold = json["hold"].flatMap(ClusterHold.init(_:)),
            let isPeerOut = json["peerOut"]?.flag
        else { return nil }
        (self.hold, self.isPeerOut) = (hold, isPeerOut)
        // To show only: an older version has none, and what is not understood stops nobody.
        primaryChanges = json["primaryChanges"].flatMap(PrimaryHistory.init(_:)) ?? primaryChanges
    }

    /// What the file holds; nothing was ordered where there is none.
    static func read(_ path: String) throws(SystemError) -> KeptOrders? {
        guard Directory.exists(path) else { return KeptOrders() }
        let bytes = try File(path, .read).read(count: bytesMax)
        return JSONValue(parsing: bytes).flatMap(KeptOrders.init(_:))
    }
}

/// The peer's agent, as this one knows it. Any thread may use it.
public final class PeerAgent: Sendable {
    private struct State {
        var shell: FailoverShell?
        var link: PeerLink?
        var kept: KeptOrders
        /// What is on disk.
        var saved: KeptOrders?
        /// Why `kept` is not.
        var fault: String?
        /// The highest epoch whose process ended here, and at the peer.
        var reaped: UInt32 = 0
        var peerReaped: UInt32 = 0
        var document: JSONValue?
        var documentNanos: Int64 = 0
    }

    private let path: String
    private let note: @Sendable (String) -> Void
    private let state: Mutex<State>
    /// One writer of the file at a time.
    private let saving = Mutex(())

    /// What operators ordered before, from `file`; it does nothing yet. `note` gets a line about
    /// what its owner has to know, on any thread.
    public init(file: String, note: @escaping @Sendable (String) -> Void) throws(SystemError) {
        (path, self.note) = (file, note)
        var kept = try KeptOrders.read(file)
        if kept == nil {
            // Whether claims were paused is not known: none are made until somebody says.
            kept = KeptOrders()
            kept?.hold = ClusterHold(isPaused: true)
            note("\(file) cannot be read: claims are paused until `resume` on either host")
        }
        state = Mutex(State(kept: kept ?? KeptOrders()))
    }

    /// How the core begins.
    public var start: FailoverStart {
        state.withLock {
            FailoverStart(isPaused: $0.kept.hold.isPaused, isPeerOut: $0.kept.isPeerOut)
        }
    }

    /// The changes of the primary that were kept.
    public var primaryChanges: PrimaryHistory { state.withLock { $0.kept.primaryChanges } }

    /// Connects, and gives this shell what the peer's agent reports. `document` is what the peer
    /// is shown of this host.
    public func start(
        _ options: PeerLinkOptions, feeding shell: FailoverShell,
        document: @escaping @Sendable () -> JSONValue
    ) throws {
        state.withLock { $0.shell = shell }
        let link = try PeerLink(
            options,
            outgoing: { [self] in
                save()
                let shown = document()
                return state.withLock {
                    PeerMessage(hold: $0.kept.hold, reapedEpoch: $0.reaped, document: shown)
                }
            },
            incoming: { [self] message in take(message) }, note: note)
        state.withLock { $0.link = link }
    }

    /// Ends. Call it once, before the shell is stopped.
    public func stop() {
        let link = state.withLock { state in
            defer { (state.link, state.shell) = (nil, nil) }
            return state.link
        }
        link?.stop()
    }

    /// The process that led this epoch has ended: the peer need not wait for G. It is repeated for
    /// ever, which is safe, since no other process ever leads that epoch.
    public func reportReaped(epoch: UInt32) {
        let link = state.withLock { state in
            state.reaped = max(state.reaped, epoch)
            return state.link
        }
        link?.changed()
    }

    /// Writes what has to go through a restart, if it changed. It waits for the disk.
    public func save() {
        if let fault = keep() { noteOnce(fault) }
    }

    /// Something that the peer is shown has changed.
    public func changed() { state.withLock { $0.link }?.changed() }

    /// Carries out an operator's verb; gives why it is refused or does not last, or nil.
    public func obey(
        _ verb: FailoverVerb, by shell: FailoverShell, words: (VerbRefusal) -> String
    ) async -> String? {
        if let refusal = await shell.obey(verb) { return words(refusal) }
        switch verb {
        case .pause, .resume:
            let isPaused = verb == .pause
            state.withLock { state in
                state.kept.hold = state.kept.hold.changed(
                    to: isPaused, at: Clock.realtimeNanos())
                // Once more behind this lock: so the core obeys the order that is kept, whatever
                // came from the peer meanwhile.
                shell.take(.verb(verb))
            }
        case .standbyAdd, .standbyRemove: break
        case .switchover, .failover: return nil
        }
        let fault = keep()
        changed()
        return fault.map { "done here, but it will not last over a restart of this agent: \($0)" }
    }

    /// What GET /v1/cluster shows of the peer's agent, as JSON: AgentAPI, which has the type, is of
    /// a wing that this one does not import. `since` and `documentTime` are nanoseconds
    /// since 1970; `reapedEpoch` is the highest epoch whose process it saw end, 0: none.
    public var json: JSONValue {
        state.withLock { state in
            let status = state.link?.status
            return [
                "reachable": .bool(status?.isReachable ?? false),
                "since": .orNull(status?.sinceNanos), "fault": .orNull(status?.fault),
                "documentTime": .orNull(state.document.map { _ in state.documentNanos }),
                "reapedEpoch": .number(state.peerReaped), "document": state.document ?? .null,
            ]
        }
    }

    /// Whether the peer, which is reachable, shows that it has the service address.
    public var hasServiceAddress: Bool {
        state.withLock {
            $0.link?.status.isReachable ?? false && $0.document?["serviceHere"]?.flag ?? false
        }
    }

    /// When claims were paused or resumed last, nanoseconds since 1970; 0: never.
    public var pauseOrderedAt: Int64 { state.withLock { $0.kept.hold.orderedAt } }

    // MARK: From the peer

    private func take(_ message: PeerMessage) {
        let isNewer = state.withLock { state in
            (state.document, state.documentNanos) = (message.document, Clock.realtimeNanos())
            if message.reapedEpoch > state.peerReaped {
                state.peerReaped = message.reapedEpoch
                state.shell?.take(.peerReaped(epoch: message.reapedEpoch))
            }
            let role = message.document["role"]?.text.flatMap(FailoverRole.init(rawValue:))
            state.shell?.take(
                message.document["primaryChanges"].flatMap(PrimaryHistory.init(_:))
                    ?? PrimaryHistory(),
                isPeerMute: role == .handingOver || role == .promoting,
                muteNanos: message.document["muteNanos"]?.whole)
            state.shell?.take(.peerReported(cluster: message.etcdCluster, epoch: message.epoch))
            state.shell?.take(.peerBarred(message.document["barred"]?.flag ?? false))
            guard message.hold.isNewer(than: state.kept.hold) else { return false }
            state.kept.hold = message.hold
            state.shell?.take(.verb(message.hold.isPaused ? .pause : .resume))
            return true
        }
        if isNewer { save() }
    }

    // MARK: On disk

    /// Writes what changed; gives why it could not.
    private func keep() -> String? {
        saving.withLock { _ in
            let kept: KeptOrders? = state.withLock { state in
                if let status = state.shell?.status {
                    state.kept.isPeerOut = status.isPeerOut
                    state.kept.primaryChanges.take(status.primaryChanges)
                }
                return state.kept == state.saved ? nil : state.kept
            }
            guard let kept else { return nil }
            let fault: String?
            do throws(SystemError) {
                try File.exchange(path, with: Array("\(kept.json.compact)\n".utf8))
                fault = nil
            } catch { fault = error.description }
            state.withLock { state in
                if fault == nil { (state.saved, state.fault) = (kept, nil) }
            }
            return fault
        }
    }

    private func noteOnce(_ fault: String) {
        let isNews = state.withLock { state in
            defer { state.fault = fault }
            return state.fault != fault
        }
        if isNews { note("\(path) was not written: \(fault)") }
    }
}
