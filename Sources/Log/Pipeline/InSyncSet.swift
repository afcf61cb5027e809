// What holds the release gate back besides this host's disk.

public import Failover
import Link
import Platform
import Synchronization
public import Terms

/// Which host has to have a record before it is released. The owner changes it while the pipeline
/// runs; `require` reports the sequence at which its change takes effect.
///
/// Safe to use from several threads. Without a peer the set holds this host alone for ever.
public final class InSyncSet: Sendable {
    /// What the gate waits for besides this host's disk.
    private enum Rule {
        /// Nothing: there is no other host.
        case alone
        /// This host follows: what the primary has released and this journal has matched.
        case following(visible: UInt64)
        /// This host leads: what `requirement` says, while the lease is held.
        case leading
    }

    private struct State {
        var rule: Rule
        var requirement: PeerRequirement
        var lease: ReleaseLease
        /// Changes of the rule so far.
        var version: UInt64 = 0
        /// The last change that the Link thread has taken.
        var taken: UInt64 = 0
        /// The last record that was released when it took that change.
        var boundary: UInt64 = 0
        /// Wakes the Link thread.
        var bell: Doorbell?
    }
    private let state: Mutex<State>
    /// The other host's name, for status.
    public let peer: String

    /// The set of a host without a peer.
    public init() {
        peer = ""
        state = Mutex(
            State(
                rule: .alone, requirement: PeerRequirement(released: 0),
                lease: ReleaseLease(leaseNanos: .max)))
    }

    /// The set of a host that follows and knows that all up to `released` is released.
    public init(following peer: String, released: UInt64, timing: FailoverTiming) {
        self.peer = peer
        state = Mutex(
            State(
                rule: .following(visible: released),
                requirement: PeerRequirement(released: released),
                lease: ReleaseLease(leaseNanos: timing.leaseNanos)))
    }

    // MARK: Changes

    /// The primary has released all up to `visible`, which stands in this journal as it does there.
    /// A lower value changes nothing; it counts only while this host follows.
    public func follow(visible: UInt64) {
        state.withLock { state in
            guard case .following(let before) = state.rule, visible > before else { return }
            state.rule = .following(visible: visible)
            state.bell?.ring()
        }
    }

    /// This host, which has led and released all up to `released`, follows.
    public func followAgain(released: UInt64) {
        state.withLock { state in
            state.rule = .following(visible: released)
            state.version += 1
            state.bell?.ring()
        }
    }

    /// A term of this host begins: acknowledgements of earlier ones and their echoes do not count.
    /// `epoch` is above that of the term before.
    public func begin(epoch: UInt32, requiring replica: ReplicaID?) {
        state.withLock { state in
            state.requirement.begin(epoch: epoch, requiring: replica)
            state.lease.begin()
            state.rule = .leading
            state.version += 1
            state.bell?.ring()
        }
    }

    /// Makes the gate require this replica, or none, and waits until that is in force. Returns the
    /// last record that was released before, or nil if the pipeline did not take it within
    /// `timeoutNanos`: it may take effect at any time then.
    public func require(
        _ replica: ReplicaID?, timeoutNanos: Int64 = 1_000_000_000
    ) -> UInt64? {
        let version = state.withLock { state in
            state.requirement.require(replica)
            state.version += 1
            state.bell?.ring()
            return state.version
        }
        let deadline = Clock.monotonicNanos() + timeoutNanos
        while Clock.monotonicNanos() < deadline {
            let boundary = state.withLock { $0.taken >= version ? $0.boundary : nil }
            if let boundary { return boundary }
            Clock.sleep(nanos: 50_000)
        }
        return nil
    }

    /// The peer has all up to a record durable and matched, as one of its processes says.
    public func acknowledge(_ acknowledgement: PeerAcknowledgement) {
        state.withLock { state in
            state.requirement.acknowledge(acknowledgement)
            state.bell?.ring()
        }
    }

    /// The beacon of this term that was sent at `sentAt` came back.
    public func echoed(sentAt: BootTime) {
        state.withLock { state in
            state.lease.echoed(sentAt: sentAt)
            state.bell?.ring()
        }
    }

    // MARK: Questions

    /// The replica that the gate requires; nil: none.
    public var requirement: ReplicaID? { state.withLock { $0.requirement.replica } }

    /// The newest acknowledgement of this term.
    public var acknowledgement: PeerAcknowledgement? {
        state.withLock { $0.requirement.acknowledgement }
    }

    /// Whether this host leads and may release now: the lease is held, or no peer is required.
    public func holdsLease(at now: BootTime) -> Bool {
        state.withLock { state in
            guard case .leading = state.rule else { return false }
            return state.lease.isHeld(at: now, isPeerRequired: state.requirement.replica != nil)
        }
    }

    /// Whether this host leads, and may release nothing for want of the peer's echo: the other host
    /// may lead already.
    func isOutOfLease(at now: BootTime) -> Bool {
        state.withLock { state in
            guard case .leading = state.rule else { return false }
            return !state.lease.isHeld(at: now, isPeerRequired: state.requirement.replica != nil)
        }
    }

    /// What the required peer has; nil where none is required.
    var matched: UInt64? {
        state.withLock { state in
            guard case .leading = state.rule, state.requirement.replica != nil else { return nil }
            return state.requirement.limit
        }
    }

    func attach(_ bell: Doorbell) { state.withLock { $0.bell = bell } }

    /// The last record that this set lets be released; never below `released`. The Link thread
    /// calls it each turn.
    func limit(released: UInt64, at now: BootTime) -> UInt64 {
        state.withLock { state in
            if state.taken != state.version {
                state.taken = state.version
                state.boundary = released
            }
            switch state.rule {
            case .alone: return .max
            case .following(let visible): return max(released, visible)
            case .leading:
                let isRequired = state.requirement.replica != nil
                guard state.lease.isHeld(at: now, isPeerRequired: isRequired) else {
                    return released
                }
                return max(released, state.requirement.limit)
            }
        }
    }
}
