// The system's service manager over D-Bus: org.freedesktop.systemd1(5).

internal import CSystemd

/// A connection to the system bus. One thread uses it. After an error make a new one.
@safe public final class SystemBus {
    /// The interface of a unit's property.
    public enum Interface: Int32, Sendable {
        /// Of all units.
        case unit = 0
        /// Of services.
        case service = 1
    }

    /// Actions on a unit.
    public enum Verb: String, Sendable {
        /// Starts it.
        case start = "StartUnit"
        /// Stops it.
        case stop = "StopUnit"
        /// Restarts it, or starts it if it does not run.
        case restart = "RestartUnit"
    }

    /// Maximum units that can be watched.
    public static var watchedMax: Int { 64 }

    private let handle: UnsafeMutableRawPointer

    /// Connects; every call takes at most `timeoutNanos`.
    public init(timeoutNanos: Int64) throws(SystemError) {
        var handle: UnsafeMutableRawPointer?
        let result = unsafe bourse_bus_open(UInt64(timeoutNanos / 1_000), &handle)
        _ = try checked(result, "reach", "the system bus")
        guard let handle = unsafe handle else { preconditionFailure("an open bus has a handle") }
        unsafe self.handle = handle
    }

    deinit { unsafe bourse_bus_close(handle) }

    /// A text property of a unit, at most 255 bytes.
    public func text(
        _ unit: String, _ property: String, _ interface: Interface
    ) throws(SystemError) -> String {
        var text = [CChar](repeating: 0, count: 256)
        let result = unsafe bourse_bus_text(
            handle, unit, interface.rawValue, property, &text, text.count)
        _ = try checked(result, "ask for \(property) of", unit)
        return Self.string(text)
    }

    /// A numeric property of a unit: 32 bits if `isNarrow`, else 64.
    public func number(
        _ unit: String, _ property: String, _ interface: Interface, isNarrow: Bool = false
    ) throws(SystemError) -> UInt64 {
        var number: UInt64 = 0
        let type = CChar(UInt8(ascii: isNarrow ? "u" : "t"))
        let result = unsafe bourse_bus_number(
            handle, unit, interface.rawValue, property, type, &number)
        _ = try checked(result, "ask for \(property) of", unit)
        return number
    }

    /// The states of a unit, org.freedesktop.systemd1(5): LoadState, ActiveState and SubState, and
    /// its main process, 0: none.
    public func state(
        of unit: String
    ) throws(SystemError) -> (load: String, active: String, sub: String, process: UInt64) {
        (
            try text(unit, "LoadState", .unit), try text(unit, "ActiveState", .unit),
            try text(unit, "SubState", .unit),
            try number(unit, "MainPID", .service, isNarrow: true)
        )
    }

    /// A number of 64 bits among the service manager's own properties.
    public func managerNumber(_ property: String) throws(SystemError) -> UInt64 {
        var number: UInt64 = 0
        let result = unsafe bourse_bus_manager_number(handle, property, &number)
        _ = try checked(result, "ask the service manager for", property)
        return number
    }

    /// Sets one of those, until the next boot.
    public func setManagerNumber(_ property: String, _ number: UInt64) throws(SystemError) {
        let result = unsafe bourse_bus_set_manager_number(handle, property, number)
        _ = try checked(result, "set of the service manager", property)
    }

    /// Watches these units, at most `watchedMax`; see `changes`.
    public func watch(_ units: [String]) throws(SystemError) {
        for unit in units { _ = try checked(unsafe bourse_bus_watch(handle, unit), "watch", unit) }
        _ = try checked(unsafe bourse_bus_subscribe(handle), "watch", "the service manager")
    }

    /// Waits until a watched unit changes, at most `waitNanos`; returns their numbers in the order
    /// of `watch`.
    public func changes(waitNanos: Int64) throws(SystemError) -> [Int] {
        var units: UInt64 = 0
        let wait = UInt64(max(0, waitNanos) / 1_000)
        _ = try checked(
            unsafe bourse_bus_changed(handle, wait, &units), "listen to", "the system bus")
        return (0..<Self.watchedMax).filter { units >> $0 & 1 == 1 }
    }

    /// Starts, stops or restarts a unit and waits for the job, at most `waitNanos`; returns
    /// systemd's result: `done` is success.
    public func run(
        _ verb: Verb, _ unit: String, waitNanos: Int64
    ) throws(SystemError) -> String {
        var text = [CChar](repeating: 0, count: 32)
        let result = unsafe bourse_bus_job(
            handle, verb.rawValue, unit, UInt64(waitNanos / 1_000), &text, text.count)
        _ = try checked(result, "ask the service manager for \(verb.rawValue) of", unit)
        return Self.string(text)
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
