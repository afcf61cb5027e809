// The device poller: one thread owns libnetsnmp and reads the devices around the host.

internal import CNetSNMP
public import Platform

/// The settings of a poller.
public struct DevicePollerSettings: Sendable {
    /// The devices, each read into a file of its name in `readings`.
    public var devices: [PolledDevice]
    /// Seconds between two rounds of a device.
    public var seconds: Int
    /// The directory of the readings; made where there is none.
    public var readings: String

    /// Settings of these.
    public init(devices: [PolledDevice], seconds: Int, readings: String) {
        (self.devices, self.seconds, self.readings) = (devices, seconds, readings)
    }
}

/// The poller of one host. Make one for a process: the library behind it knows no second.
public final class DevicePoller {
    private let settings: DevicePollerSettings
    private let report: (_ isFault: Bool, String) -> Void
    private let lock: StateLock

    private static let name = "bourse-poller"

    /// Takes the directory of the readings. `report` gets lines for a log.
    public init(
        _ settings: DevicePollerSettings, report: @escaping (_ isFault: Bool, String) -> Void
    ) throws {
        (self.settings, self.report) = (settings, report)
        if !Directory.exists(settings.readings) {
            try Directory.create(settings.readings, mode: 0o755)
        }
        lock = try StateLock(directory: settings.readings, name: ".lock")
    }

    /// Polls until a signal.
    public func run(until signals: Signals) throws(SystemError) {
        // The library makes a directory for certificates, which are not used here.
        unsafe bourse_snmp_start_manager(Self.name, Directory.join(settings.readings, ".net-snmp"))
        let readers = settings.devices.map {
            DeviceReader($0, directory: settings.readings, report: report)
        }
        report(false, "polls \(readers.count) devices")
        ServiceManager.ready()
        var statusTime: Int64 = 0
        while true {
            let ready = unsafe bourse_snmp_wait(250, [signals.descriptor], 1)
            guard ready >= 0 else { throw .last("wait for", "devices") }
            if ready > 0, let signal = signals.next() {
                report(false, "got signal \(signal)")
                break
            }
            let now = Clock.monotonicNanos()
            for reader in readers {
                reader.reopen()
                reader.run(at: now, periodNanos: Int64(settings.seconds) * 1_000_000_000)
            }
            if now - statusTime >= 1_000_000_000 {
                statusTime = now
                ServiceManager.watchdog()
                let answering = readers.count(where: \.isAnswering)
                ServiceManager.status("\(answering) of \(readers.count) devices answer")
            }
        }
        ServiceManager.stopping()
        unsafe bourse_snmp_stop(Self.name)
    }
}
