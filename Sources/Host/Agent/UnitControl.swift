// Starting and stopping daemons: the agent's own user does it, as polkit lets it by exact name.

import Checks
import Glibc
import HelperAPI
import Platform

/// Has the service manager start, stop and restart daemons of the exchange.
enum UnitHand {
    /// Nanoseconds that it may take: matchd recovers its journal before it is ready.
    private static var jobNanosMax: Int64 { 50_000_000_000 }
    /// Nanoseconds that a call may take.
    private static var callNanosMax: Int64 { 5_000_000_000 }

    /// Does it and waits until it is done; gives what takes it back, if anything does, and whether
    /// it was not so already.
    static func run(
        _ verb: HelperRequest.UnitVerb, _ name: String
    ) throws(HelperFault) -> (undo: HelperRequest?, isChanged: Bool) {
        let wasActive: Bool
        let result: String
        do throws(SystemError) {
            let bus = try SystemBus(timeoutNanos: callNanosMax)
            wasActive = try bus.text(name, "ActiveState", .unit) == "active"
            result =
                switch verb {
                case .start: try bus.run(.start, name, waitNanos: jobNanosMax)
                case .stop: try bus.run(.stop, name, waitNanos: jobNanosMax)
                case .restart: try bus.run(.restart, name, waitNanos: jobNanosMax)
                }
        } catch {
            throw HelperFault(
                description: error.code == EACCES || error.code == EPERM
                    ? "refused polkit does not let the agent: reinstall the package of \(name)"
                    : "failed \(error)")
        }
        guard result == "done" else {
            throw HelperFault(
                description: "failed the service manager says \(result): journalctl -u \(name)")
        }
        return switch verb {
        case .start: (wasActive ? nil : .unit(.stop, name: name), !wasActive)
        case .stop: (wasActive ? .unit(.start, name: name) : nil, wasActive)
        case .restart: (nil, true)
        }
    }
}
