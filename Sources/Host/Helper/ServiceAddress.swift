// The service address of the exchange, by ip(8).

import HelperAPI
import Platform

/// The address under which clients reach the primary: added and removed by ip(8).
enum ServiceAddress {
    static func set(
        adds: Bool, _ address: String, _ nic: String
    ) throws(HelperError) -> HelperAnswer {
        let shown = try run(["-o", "address", "show", "dev", nic])
        let isThere = shown.split(separator: "\n").contains { line in
            line.split(separator: " ").contains { $0 == address }
        }
        guard isThere != adds else { return HelperAnswer() }
        _ = try run(["address", adds ? "add" : "delete", address, "dev", nic])
        return HelperAnswer(undo: .serviceAddress(adds: !adds, address: address, nic: nic))
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
