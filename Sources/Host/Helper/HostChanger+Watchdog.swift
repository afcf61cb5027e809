// Arming the machine's hardware watchdog: systemd opens the device and keeps it from rebooting the
// machine for as long as its own loop turns, RuntimeWatchdogSec= in systemd-system.conf(5).

import HelperAPI
import Platform

extension HostChanger {
    /// The period that is set where the owner has set none.
    private static var watchdogMicros: UInt64 { 15_000_000 }
    /// How long a call of the service manager may take: the service address is renewed by the same
    /// thread, and lives 2 s.
    private static var busNanosMax: Int64 { 400_000_000 }

    /// Arms it if it is there and not armed; one line: `armed`, or what it still is.
    func armWatchdog() throws(HelperError) -> HelperAnswer {
        let found = watchdog
        guard case .inactive = found, Directory.exists("\(root)/dev/watchdog0") else {
            return HelperAnswer(lines: [found.rawValue])
        }
        do throws(SystemError) {
            let bus = try SystemBus(timeoutNanos: Self.busNanosMax)
            let property = "RuntimeWatchdogUSec"
            let old = try bus.managerNumber(property)
            let isSet = old > 0 && old < .max
            // The manager does not try again what is set already, and it may have been set before
            // the device had its driver.
            if isSet { try bus.setManagerNumber(property, 0) }
            do throws(SystemError) {
                try bus.setManagerNumber(property, isSet ? old : Self.watchdogMicros)
            } catch {
                // The owner's value is not to be lost for a manager that was busy.
                if isSet { try? bus.setManagerNumber(property, old) }
                throw error
            }
        } catch { throw .failed("the watchdog is not armed: \(error)") }
        return HelperAnswer(lines: [watchdog.rawValue])
    }

    private var watchdog: WatchdogDevice { WatchdogDevice.find(root: root) }
}
