// Other devices around the host, as they are read over SNMP: power supplies, switch ports, sensors.
// Numbers 701 … 709.

import AgentAPI

extension CheckKind {
    static let deviceAnswers = CheckKind(
        701, "gear.answers",
        why: "A device that does not answer may be down, and its faults go unreported.")
    static let deviceBattery = CheckKind(
        702, "gear.battery",
        why: "A battery that is low or worn out carries no load when the mains fail.")
    static let deviceSource = CheckKind(
        703, "gear.source", unit: "minutes",
        why: "On battery a power supply lasts for minutes; on bypass it protects nothing.")
    static let deviceAlarms = CheckKind(
        704, "gear.alarms", unit: "alarms", warning: 1,
        why: "The power supply itself reports that something is wrong with it.")
    static let devicePort = CheckKind(
        705, "gear.port",
        why: "Behind the switch's port is this exchange, its standby or its clients.")
    static let devicePortErrors = CheckKind(
        706, "gear.port-errors", unit: "per-minute", warning: 1, critical: 1_000,
        why: "Frames that a switch damages or drops come late, by retransmission, or never.")
    static let deviceOutlet = CheckKind(
        708, "gear.outlet",
        why: "Without its outlet a supply of this host is dead, and the other carries all load.")
    static let deviceFeeds = CheckKind(
        709, "gear.feeds", unit: "feeds",
        why: "If all supplies share one feed, its breaker takes the host down.")
    static let deviceSensor = CheckKind(
        707, "gear.sensor", why: "A failed sensor detects no heat, no water and no open door.")
}

extension CheckGroup {
    /// The devices that the plan's directory declares, by their readings.
    static let devices = CheckGroup(
        "gear", seconds: 10,
        kinds: [
            .deviceAnswers, .deviceBattery, .deviceSource, .deviceAlarms, .devicePort,
            .devicePortErrors, .deviceSensor, .deviceOutlet, .deviceFeeds,
        ], sources: ["{targets}/", "{readings}/*", ClockReading.path]
    ) { input in
        guard let devices = input.plan.devices else { return [] }
        let declared = (input.now.names(devices.targets) ?? [])
            .filter { $0.hasSuffix(".toml") }.map { String($0.dropLast(5)) }
        return declared.flatMap { input.found(of: $0, devices) } + input.feeds(declared, devices)
    }
}

extension CheckInput {
    fileprivate func found(of name: String, _ devices: HostPlan.Devices) -> [Finding] {
        let path = "\(devices.readings)/\(name)"
        guard let reading = now.device(name, devices) else {
            return [
                unknown(
                    .deviceAnswers, name, source: path,
                    "there is no reading of \(name): is bourse-poller running?")
            ]
        }
        guard let time = reading.number("time"), let clock = now.clock?.realtimeNanos else {
            return [unknown(.deviceAnswers, name, source: path)]
        }
        let age = (Int128(clock) - Int128(time)) / 1_000_000_000
        guard age <= DeviceReading.secondsMax else {
            return [
                unknown(
                    .deviceAnswers, name, source: path,
                    "\(name) was read \(age) s ago: is bourse-poller running?")
            ]
        }
        if let error = reading.text("error") {
            return [
                Finding(
                    .deviceAnswers, name, .critical, "\(name) \(error)", source: path,
                    fix: .advice([
                        "check the device, its address and its user in "
                            + "\(devices.targets)/\(name).toml",
                        "systemctl edit bourse-poller: IPAddressAllow= has to name it",
                        "journalctl -u bourse-poller -n 50",
                    ]))
            ]
        }
        return [Finding(.deviceAnswers, name, .ok, "\(name) answers", source: path)]
            + supply(name, reading) + ports(name, reading, devices) + sensors(name, reading)
            + outlets(name, reading)
    }

    // MARK: Power supplies

    private func supply(_ name: String, _ reading: DeviceReading) -> [Finding] {
        guard reading.hasObjects("ups") else { return [] }
        return [battery(name, reading), source(name, reading)]
            + (reading.number("upsAlarmsPresent.0").map { count in
                [
                    finding(
                        .deviceAlarms, name, value: count,
                        "\(name) reports \(some(count, "alarm"))", source: reading.path,
                        fix: .advice(["check its panel, or upsAlarmTable"]))
                ]
            } ?? [])
    }

    private func battery(_ name: String, _ reading: DeviceReading) -> Finding {
        let percent = reading.number("upsEstimatedChargeRemaining.0")
        let charge = percent.map { ", \($0) % charged" } ?? ""
        let (state, word): (CheckState, String) =
            switch reading.number("upsBatteryStatus.0") {
            case 2: (.ok, "normal")
            case 3: (.critical, "low")
            case 4: (.critical, "depleted")
            default: (.unknown, "unknown")
            }
        return Finding(
            .deviceBattery, name, state, "the battery of \(name) is \(word)\(charge)",
            source: reading.path,
            fix: state == .critical ? .advice(["replace the battery, or restore the mains"]) : nil)
    }

    private func source(_ name: String, _ reading: DeviceReading) -> Finding {
        let minutes = reading.number("upsEstimatedMinutesRemaining.0")
        let (state, word): (CheckState, String) =
            switch reading.number("upsOutputSource.0") {
            case 3: (.ok, "the mains")
            case 4: (.warning, "its bypass, without a battery behind it")
            case 5: (.critical, "its battery")
            case 6, 7: (.warning, "mains whose voltage it corrects")
            case 2: (.critical, "no source")
            default: (.unknown, "an unknown source")
            }
        let left = minutes.map { ", which lasts for \(some($0, "minute"))" } ?? ""
        return Finding(
            .deviceSource, name, state, value: minutes,
            "\(name) supplies power from \(word)\(word == "its battery" ? left : "")",
            source: reading.path,
            fix: state.isAlarm
                ? .advice([
                    "check the mains",
                    "before the battery ends: systemctl stop bourse.target, then poweroff",
                ]) : nil)
    }

    // MARK: Switches

    private func ports(
        _ name: String, _ reading: DeviceReading, _ devices: HostPlan.Devices
    ) -> [Finding] {
        let old = before?.device(name, devices)
        return reading.instances("ifOperStatus").flatMap { port -> [Finding] in
            let title = reading.text("ifName.\(port)").map { String($0) } ?? port
            let subject = "\(name)/\(port)"
            let isUp = reading.number("ifOperStatus.\(port)") == 1
            let isWanted = reading.number("ifAdminStatus.\(port)") != 2
            let state: CheckState = isUp ? .ok : isWanted ? .critical : .warning
            let columns = ["ifInErrors", "ifOutErrors", "ifInDiscards", "ifOutDiscards"]
            func lost(_ reading: DeviceReading?) -> Int64? {
                Observation.sum(columns.map { reading?.number("\($0).\(port)") })
            }
            return [
                Finding(
                    .devicePort, subject, state,
                    "port \(title) of \(name) is "
                        + (isUp ? "up" : isWanted ? "down" : "switched off"), source: reading.path,
                    fix: isUp ? nil : .advice(["check the cable and the port's settings"])),
                rate(
                    .devicePortErrors, subject, over: 60, source: reading.path,
                    fix: .advice(["check the cable and the load of the port"]),
                    from: lost(old), to: lost(reading),
                    { "port \(title) of \(name) damaged or dropped \($0) frames a minute" }),
            ]
        }
    }

    // MARK: Outlets

    /// The outlets of a PDU that feed this host: of `outletState` 2 is on.
    private func outlets(_ name: String, _ reading: DeviceReading) -> [Finding] {
        reading.outlets.map { outlet in
            let (state, word): (CheckState, String) =
                switch reading.number("outletState.\(outlet)") {
                case 2: (.ok, "on")
                case 1: (.critical, "off")
                default: (.unknown, "in an unknown state")
                }
            return Finding(
                .deviceOutlet, "\(name)/\(outlet)", state,
                "outlet \(outlet) of \(name), which feeds this host, is \(word)",
                source: reading.path,
                fix: state == .critical
                    ? .advice(["find out who switched it off, and switch it on"]) : nil)
        }
    }

    /// The feeds that this host's outlets hang on, once there are two outlets.
    fileprivate func feeds(_ names: [String], _ devices: HostPlan.Devices) -> [Finding] {
        let readings = names.compactMap { now.device($0, devices) }.filter {
            !$0.outlets.isEmpty
        }
        guard readings.reduce(0, { $0 + $1.outlets.count }) > 1 else { return [] }
        let feeds = Set(readings.compactMap { $0.text("feed").map { String($0) } }).sorted()
        let isOne = feeds.count < 2
        return [
            Finding(
                .deviceFeeds, "", isOne ? .critical : .ok, value: Int64(feeds.count),
                "the supplies of this host use \(isOne ? "one feed only" : "several feeds"): "
                    + feeds.joined(separator: ", "), source: "\(devices.readings)/*",
                fix: isOne ? .advice(["move one supply to an outlet of another feed"]) : nil)
        ]
    }

    // MARK: Sensors

    private func sensors(_ name: String, _ reading: DeviceReading) -> [Finding] {
        reading.instances("entPhySensorOperStatus").map { sensor in
            let title = reading.text("entPhysicalName.\(sensor)").map { String($0) } ?? sensor
            let (state, word): (CheckState, String) =
                switch reading.number("entPhySensorOperStatus.\(sensor)") {
                case 1: (.ok, "works")
                case 3: (.critical, "failed")
                default: (.unknown, "has no value now")
                }
            return Finding(
                .deviceSensor, "\(name)/\(sensor)", state, "sensor \(title) of \(name) \(word)",
                source: reading.path,
                fix: state == .critical ? .advice(["replace the sensor"]) : nil)
        }
    }
}
