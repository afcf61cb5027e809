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

    /// When it came.
    private var addedAt: Int64?

    /// Adds or renews it, or removes it.
    mutating func set(
        adds: Bool, _ text: String, _ nic: String
    ) throws(HelperError) -> HelperAnswer {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let prefix = Int(parts[1]) else {
            throw .refused("\(text) is no address with the length of its network")
        }
        let address = String(parts[0])
        do throws(SystemError) {
            let isChanged =
                adds
                ? try Host.addAddress(
                    address, prefix: prefix, to: nic, seconds: Self.lifeSeconds)
                : try Host.removeAddress(address, prefix: prefix, from: nic)
            if adds { try announce(address, nic, isNew: isChanged) } else { addedAt = nil }
            guard isChanged else { return HelperAnswer() }
            return HelperAnswer(undo: .serviceAddress(adds: !adds, address: text, nic: nic))
        } catch { throw .failed(error.description) }
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
