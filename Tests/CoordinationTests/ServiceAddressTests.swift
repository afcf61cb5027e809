// Goal: of the changes of the service address only the newest is made, it is left only to a peer
// that has it, and an operator reads each fault once.

import Coordination
import Dispatch
import Failover
import Synchronization
import Testing

/// A helper that notes what it is asked.
private final class AddressHost: ServiceAddressHost {
    struct State {
        var made: [ServiceAddressChange] = []
        var notes: [ClusterNote] = []
        var changes = 0
        var isHere: Bool? = false
        var isAtPeer = false
        /// Which changes fail.
        var failing: Set<ServiceAddressChange> = []
        var connections: String?
    }
    let state = Mutex(State())
    /// Held while the helper is not to reply.
    let gate = DispatchSemaphore(value: 0)
    let isHeld: Bool

    init(isHeld: Bool = false) { self.isHeld = isHeld }

    let address = "10.0.0.9/24"
    var isHere: Bool? { state.withLock { $0.isHere } }
    var isAtPeer: Bool { state.withLock { $0.isAtPeer } }
    var made: [ServiceAddressChange] { state.withLock { $0.made } }
    var notes: [ClusterNote] { state.withLock { $0.notes } }

    func make(_ change: ServiceAddressChange) throws(ServiceAddressError) -> ServiceAddressOutcome {
        if isHeld { gate.wait() }
        let (isFailing, connections) = state.withLock { state in
            state.made.append(change)
            return (state.failing.contains(change), state.connections)
        }
        if isFailing { throw ServiceAddressError("failed no") }
        return ServiceAddressOutcome(
            isChanged: true, connections: change == .leave ? connections : nil)
    }
    func changed() { state.withLock { $0.changes += 1 } }
    func log(_ note: ClusterNote) { state.withLock { $0.notes.append(note) } }
}

@Suite struct ServiceAddressTests {
    @Test func `behind a helper that hangs only the newest change is made`() {
        let host = AddressHost(isHeld: true)
        let changer = ServiceAddressChanger(host)
        changer.take()
        // Whether the first was begun already or not, of the others only the last one is.
        for _ in 0..<20 { changer.take() }
        changer.drop()
        for _ in 0..<22 { host.gate.signal() }
        changer.finish()
        #expect(host.made.last == .remove)
        #expect(host.made.count <= 2)
        #expect(host.state.withLock { $0.changes } == host.made.count)
    }

    @Test func `an address is left to a peer that has it, and removed where none does`() {
        let host = AddressHost()
        host.state.withLock { ($0.isAtPeer, $0.connections) = (true, "connections reset: 3") }
        let changer = ServiceAddressChanger(host)
        changer.leave()
        changer.finish()
        #expect(host.made == [.leave])
        #expect(
            host.notes == [
                ClusterNote(
                    .notice, "the service address 10.0.0.9/24 is left: connections reset: 3")
            ])

        let alone = AddressHost()
        let late = ServiceAddressChanger(alone, leaveNanosMax: 5_000_000)
        late.leave()
        late.finish()
        #expect(alone.made == [.remove])
    }

    @Test func `a later wish ends the wait for the peer`() {
        let host = AddressHost()
        let changer = ServiceAddressChanger(host, leaveNanosMax: 3_600_000_000_000)
        changer.leave()
        changer.take()
        changer.finish()
        #expect(host.made == [.add])
    }

    @Test func `a helper that cannot leave it removes it`() {
        let host = AddressHost()
        host.state.withLock { ($0.isAtPeer, $0.failing) = (true, [.leave]) }
        let changer = ServiceAddressChanger(host)
        changer.leave()
        changer.finish()
        #expect(host.made == [.leave, .remove])
        #expect(host.notes.isEmpty)
    }

    @Test func `a fault is logged once, and its end`() {
        let host = AddressHost()
        host.state.withLock { $0.failing = [.add] }
        let changer = ServiceAddressChanger(host)
        for _ in 0..<3 {
            changer.take()
            changer.finish()
        }
        host.state.withLock { $0.failing = [] }
        changer.take()
        changer.finish()
        #expect(
            host.notes == [
                ClusterNote(.error, "the service address 10.0.0.9/24 was not taken: failed no"),
                ClusterNote(.notice, "the service address 10.0.0.9/24 can be changed again"),
            ])
    }

    @Test func `before a claim what an earlier term left is removed, but not an address in use`() {
        for (isHere, made) in [
            (false, [.remove]), (nil, [.remove]), (true, []),
        ] as [(Bool?, [ServiceAddressChange])] {
            let host = AddressHost()
            host.state.withLock { $0.isHere = isHere }
            let changer = ServiceAddressChanger(host)
            changer.prepare()
            changer.finish()
            #expect(host.made == made)
        }
    }
}

@Suite struct WatchdogWatchTests {
    private func second(_ count: Int64) -> Int64 { count * 1_000_000_000 }

    @Test func `it is armed at once, and tried again after a minute`() {
        var watch = WatchdogWatch(arms: true, isRequired: false)
        var tries = 0
        var state = WatchdogState.inactive
        func look(_ at: Int64) -> ClusterNote? {
            watch.look(at: second(at), find: { state }) {
                tries += 1
                return "failed no"
            }.note
        }
        let first = look(0)
        #expect(first == ClusterNote(.warning, "\(WatchdogState.inactive.text): failed no"))
        for at in stride(from: 2, to: 60, by: 2) {
            let none = look(Int64(at))
            #expect(none == nil)
        }
        #expect(tries == 1)
        let again = look(60)
        #expect(again == nil && tries == 2)
        state = .armed
        let armed = look(62)
        #expect(armed == ClusterNote(.notice, WatchdogState.armed.text))
    }

    @Test func `one that is required is an error, and one that is off is left alone`() {
        var required = WatchdogWatch(arms: true, isRequired: true)
        let missing = required.look(at: 0, find: { .absent }, arm: { nil })
        #expect(missing.note?.severity == .error)
        #expect(missing.note?.text.hasSuffix("required: this host takes no lead") == true)
        var off = WatchdogWatch(arms: false, isRequired: false)
        var isTried = false
        let idle = off.look(at: 0, find: { .inactive }) {
            isTried = true
            return nil
        }
        #expect(idle.note?.severity == .notice && idle.state == .inactive)
        #expect(!isTried)
    }
}
