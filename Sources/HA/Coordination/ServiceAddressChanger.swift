// Which change of the service address is made, and when: one after the other, and only the newest.

internal import Dispatch
internal import Platform
internal import Synchronization

/// A change of the service address on this host.
public enum ServiceAddressChange: Hashable, Sendable {
    /// It is added, or its lifetime begins anew.
    case add
    /// It is removed, and the connections to it are reset: the peer has it.
    case leave
    /// It is removed.
    case remove
}

/// What came of a change.
public struct ServiceAddressOutcome: Hashable, Sendable {
    /// Whether anything was changed.
    public var isChanged: Bool
    /// What became of the connections to it, where it was left.
    public var connections: String?

    /// This outcome.
    public init(isChanged: Bool, connections: String? = nil) {
        (self.isChanged, self.connections) = (isChanged, connections)
    }
}

/// Why a change failed.
public struct ServiceAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One line.
    public let description: String

    /// An error with this text.
    public init(_ description: String) { self.description = description }
}

/// What holds the service address: the root helper of this host. Its calls may take seconds.
public protocol ServiceAddressHost: Sendable {
    /// The address, for messages.
    var address: String { get }
    /// Whether this host has it; nil: that is not known.
    var isHere: Bool? { get }
    /// Whether the peer shows that it has it.
    var isAtPeer: Bool { get }
    /// Makes a change.
    func make(
        _ change: ServiceAddressChange
    ) throws(ServiceAddressError) -> ServiceAddressOutcome
    /// The address has changed: the peer waits for it.
    func changed()
    /// Logs a line.
    func log(_ note: ClusterNote)
}

/// Changes the service address as the failover wishes, on a queue of its own. Any thread may call
/// it; no method blocks.
public final class ServiceAddressChanger: Sendable {
    /// Nanoseconds between two looks at whether the peer has the address.
    private static var leaveTurnNanos: Int64 { 2_000_000 }

    private let host: any ServiceAddressHost
    private let leaveNanosMax: Int64
    /// One change after the other; the helper may take seconds.
    private let queue = DispatchQueue(label: "service-address")
    /// Numbers the wishes.
    private let newest = Atomic<UInt64>(0)
    /// Why the last change failed; nil: it did not.
    private let fault = Mutex<String?>(nil)

    /// Changes the address of `host`. For at most `leaveNanosMax`, less than the address lives, it
    /// waits for the peer to have an address that it leaves.
    public init(_ host: any ServiceAddressHost, leaveNanosMax: Int64 = 1_000_000_000) {
        (self.host, self.leaveNanosMax) = (host, leaveNanosMax)
    }

    /// Adds or renews it.
    public func take() { wish(.add) }

    /// Removes it.
    public func drop() { wish(.remove) }

    /// Leaves it once the peer has it, and within its lifetime: then its clients learn at once to
    /// call again, and find the peer. Where nobody takes it, it is removed, and they go on trying
    /// by the connections that they have, which a host that takes it resets.
    public func leave() {
        let wish = next()
        let deadline = Clock.monotonicNanos() + leaveNanosMax
        queue.async { [self] in
            while isNewest(wish) {
                let isThere = host.isAtPeer
                if isThere || Clock.monotonicNanos() > deadline {
                    return make(isThere ? .leave : .remove)
                }
                Clock.sleep(nanos: Self.leaveTurnNanos)
            }
        }
    }

    /// A claim needs the helper in a moment: it is started by removing what an earlier term may
    /// have left. Not while the address is here, where the helper runs, and may be about to leave.
    public func prepare() {
        guard host.isHere != true else { return }
        queue.async { [self] in make(.remove) }
    }

    /// Returns when every change that was wished before is made.
    public func finish() { queue.sync {} }

    private func next() -> UInt64 { newest.add(1, ordering: .acquiringAndReleasing).newValue }

    private func isNewest(_ wish: UInt64) -> Bool { newest.load(ordering: .acquiring) == wish }

    private func wish(_ change: ServiceAddressChange) {
        let wish = next()
        queue.async { [self] in
            // Only the newest counts, so that nothing queues up behind a helper that hangs.
            if isNewest(wish) { make(change) }
        }
    }

    private func make(_ change: ServiceAddressChange) {
        var failure: String?
        do throws(ServiceAddressError) {
            let outcome = try host.make(change)
            if outcome.isChanged { host.changed() }
            if let connections = outcome.connections {
                let isDone = connections.hasPrefix("connections reset")
                host.log(
                    ClusterNote(
                        isDone ? .notice : .warning,
                        "the service address \(host.address) is left: \(connections)"))
            }
        } catch {
            failure = "\(change == .add ? "taken" : "given up"): \(error)"
        }
        // A helper of an older release knows no other word.
        if change == .leave, failure != nil { return make(.remove) }
        // It is renewed twice a second: only what differs from before is logged.
        let isNews = fault.withLock { fault in
            defer { fault = failure }
            return fault != failure
        }
        guard isNews else { return }
        host.log(
            failure.map {
                ClusterNote(.error, "the service address \(host.address) was not \($0)")
            }
                ?? ClusterNote(
                    .notice, "the service address \(host.address) can be changed again"))
    }
}
