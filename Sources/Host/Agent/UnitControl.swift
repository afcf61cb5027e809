// Starting and stopping daemons: polkit allows it to the agent's user, by exact name.

import Checks
import Glibc
import HelperAPI
import Platform

/// Starts, stops and restarts daemons of the exchange by the service manager.
enum UnitControl {
    /// Nanoseconds that it may take: matchd recovers its journal before it is ready.
    private static var jobNanosMax: Int64 { 50_000_000_000 }
    /// Nanoseconds that a call may take.
    private static var callNanosMax: Int64 { 5_000_000_000 }

    /// Runs the job and waits until it is done; returns the request that undoes it, if there is
    /// one, and whether it changed anything.
    static func run(
        _ verb: HelperRequest.UnitVerb, _ name: String
    ) throws(HelperClientError) -> (undo: HelperRequest?, isChanged: Bool) {
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
            throw HelperClientError(
                description: error.code == EACCES || error.code == EPERM
                    ? "refused polkit denies the agent: reinstall the package of \(name)"
                    : "failed \(error)")
        }
        guard result == "done" else {
            throw HelperClientError(
                description: "failed the service manager says \(result): journalctl -u \(name)")
        }
        return switch verb {
        case .start: (wasActive ? nil : .unit(.stop, name: name), !wasActive)
        case .stop: (wasActive ? .unit(.start, name: name) : nil, wasActive)
        case .restart: (nil, true)
        }
    }
}
