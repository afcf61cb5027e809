// What may leave matchd.

/// How far the peers of the in-sync set have the log on their disks.
public protocol Replicator: Sendable {
    /// The last record that every peer of the in-sync set has made durable in this epoch;
    /// `UInt64.max` when the set holds nobody but this host.
    var durable: UInt64 { get }
}

/// An in-sync set of one: this host alone.
public struct SoleReplicator: Replicator {
    /// This host alone.
    public init() {}
    /// No peer holds anything back.
    public var durable: UInt64 { .max }
}

/// Decides what may leave: only what is durable here, durable on every peer in the in-sync set, and
/// applied. Pure.
struct ReleaseGate: Sendable {
    let replicator: any Replicator

    /// The last record that may leave.
    func released(durable: UInt64, applied: UInt64) -> UInt64 {
        min(durable, applied, replicator.durable)
    }
}
