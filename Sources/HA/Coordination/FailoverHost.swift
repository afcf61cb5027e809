// What the shell drives, as protocols that tests can implement.

public import Failover

/// Where the record is: etcd. Each request is answered once, within bounded time.
public protocol RecordStore: Sendable {
    /// Carries out a swap of the record.
    func swap(_ swap: RecordSwap) async -> EtcdAnswer
    /// Puts the floor, if the record has the value that it compares.
    func put(_ floor: FloorPut) async -> EtcdAnswer
    /// Reads record and floor in one transaction, which also writes a key of `host`.
    func read(by host: HostName, number: UInt64) async throws(EtcdError) -> EtcdReading
    /// From now on only the etcd cluster of this id counts, or one in whose record it says that it
    /// was made in its place; 0: any.
    func expect(_ cluster: UInt64)
}

extension EtcdClient: RecordStore {}

/// What carries the core's decisions out on this host. The shell calls it in the order of
/// `FailoverEffects` from its own thread, which also detects failures: no method may block, and
/// what they begin is carried out in the order of the calls. `reconcileWallet` has a task of its
/// own.
public protocol FailoverHost: Sendable {
    /// Removes the service address.
    func dropAddress()
    /// Removes the service address once the peer has it, or after a second.
    func leaveAddress()
    /// Sends an order to matchd.
    func send(_ order: MatchdOrder)
    /// Reports to the peer's agent that the process that led this epoch has ended.
    func reportReaped(epoch: UInt32)
    /// Adds or renews the service address, which expires by itself.
    func takeAddress()
    /// Logs what happened.
    func log(_ change: FailoverChange)
    /// Reconciles the wallet's outbox with the log of this epoch; returns when that is done, at
    /// once where there is no wallet.
    func reconcileWallet(epoch: UInt32) async
}
