// The service address of the exchange. It lives for two seconds, so that a host that hangs loses it
// by itself, and is announced when it comes.

import HelperAPI
import Platform

/// The address under which clients reach the primary.
struct ServiceAddress {
    /// Seconds that it lives without being renewed.
    private static let lifeSeconds: UInt32 = 2
    /// Announcements go on for this long after it came: one may be lost.
    private static let announceNanos: Int64 = 3_000_000_000

    /// Milliseconds that its connections are ended for, and how often: clients call again at once,
    /// and one that does so before it goes would wait for its own time-out.
    private static let endMillisMax: UInt32 = 100
    private static let endRounds = 3

    /// When it came.
    private var addedAt: Int64?

    /// Adds or renews it, removes it, or leaves it, which says how many connections it ended.
    mutating func make(
        _ change: HelperRequest.AddressChange, _ text: String, _ nic: String
    ) throws(HelperError) -> HelperAnswer {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let prefix = Int(parts[1]) else {
            throw .refused("\(text) is no address with the length of its network")
        }
        let address = String(parts[0])
        var answer = HelperAnswer()
        do throws(SystemError) {
            let isChanged: Bool
            switch change {
            case .add:
                isChanged = try Host.addAddress(
                    address, prefix: prefix, to: nic, seconds: Self.lifeSeconds)
                try announce(address, nic, isNew: isChanged)
                // The kernel loads what that takes now, and not when there is hurry.
                if isChanged { _ = try? Host.endConnections(from: address, milliseconds: 0) }
            case .leave, .remove:
                if change == .leave { answer.lines = [Self.endConnections(address)] }
                isChanged = try Host.removeAddress(address, prefix: prefix, from: nic)
                addedAt = nil
            }
            guard isChanged else { return answer }
            answer.undo = .serviceAddress(
                change == .add ? .remove : .add, address: text, nic: nic)
            return answer
        } catch { throw .failed(error.description) }
    }

    /// Ends its connections; gives in words how many. That it can't does not keep the address here.
    private static func endConnections(_ address: String) -> String {
        var count = 0
        do throws(SystemError) {
            for _ in 0..<endRounds {
                let ended = try Host.endConnections(from: address, milliseconds: endMillisMax)
                count += ended
                if ended == 0 { break }
            }
            return "connections reset: \(count)"
        } catch { return "connections not reset: \(error)" }
    }

    private mutating func announce(
        _ address: String, _ nic: String, isNew: Bool
    ) throws(SystemError) {
        let now = Clock.monotonicNanos()
        if isNew { addedAt = now }
        guard let addedAt, now - addedAt < Self.announceNanos else { return }
        try Host.announceAddress(address, on: nic)
    }
}
