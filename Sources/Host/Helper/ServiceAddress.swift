// The service address of the exchange, by ip(8) and ARP.

import HelperAPI
import Platform

/// The address under which clients reach the primary. It lives for two seconds: whoever holds it
/// renews it, so that a host whose agent or helper hangs loses it by itself.
enum ServiceAddress {
    private static let lifetimeSeconds = 2

    /// Adds or renews it and announces it to the network, or removes it.
    static func set(
        adds: Bool, _ address: String, _ nic: String
    ) throws(HelperError) -> HelperAnswer {
        if adds {
            let lifetime = "\(lifetimeSeconds)"
            _ = try run(
                ["address", "replace", address, "dev", nic, "valid_lft", lifetime]
                    + ["preferred_lft", lifetime])
            try announce(address, nic)
        } else {
            let shown = try run(["-o", "address", "show", "dev", nic])
            let isThere = shown.split(separator: "\n").contains { line in
                line.split(separator: " ").contains { $0 == address }
            }
            guard isThere else { return HelperAnswer() }
            _ = try run(["address", "delete", address, "dev", nic])
        }
        return HelperAnswer(undo: .serviceAddress(adds: !adds, address: address, nic: nic))
    }

    /// Clients and switches send to the host that announced it last, so each renewal repeats it.
    private static func announce(_ address: String, _ nic: String) throws(HelperError) {
        let bytes = address.prefix { $0 != "/" }.split(separator: ".").compactMap { UInt8($0) }
        guard bytes.count == 4 else { return }
        _ = try attempt { () throws(SystemError) in
            .success(try Host.announce(bytes, on: nic))
        }
    }

    private static func run(_ arguments: [String]) throws(HelperError) -> String {
        let done = try attempt { () throws(SystemError) in
            .success(try Program.run("/usr/sbin/ip", arguments, secondsMax: 5))
        }
        guard done.status == 0 else {
            throw .failed(done.errors.split(separator: "\n").first.map(String.init) ?? "ip failed")
        }
        return done.output
    }
}
