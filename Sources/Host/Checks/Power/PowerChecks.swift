// Heat, fans, and power. Numbers 521 … 529.

import AgentAPI

extension CheckKind {
    static let temperature = CheckKind(
        521, "power.temperature", unit: "degrees-celsius", warning: 85, critical: 95,
        why: "A part that is too hot slows itself down, then turns itself off.")
    static let fans = CheckKind(
        522, "power.fans", unit: "fans", critical: 1,
        why: "Everything behind a stopped fan gets hot.")
    static let sensors = CheckKind(
        523, "power.sensors", unit: "sensors",
        why: "The board's own sensors see what the kernel does not: voltages, fans, air.")
    static let supplies = CheckKind(
        524, "power.supplies", why: "With one supply gone the host depends on the other alone.")
}

extension CheckGroup {
    /// Sensors of the kernel and of the board.
    static let power = CheckGroup(
        "power", seconds: 60, kinds: [.temperature, .fans, .sensors, .supplies],
        sources: [
            "/sys/class/hwmon/hwmon*/name", "/sys/class/hwmon/hwmon*/temp*",
            "/sys/class/hwmon/hwmon*/fan*", BoardSensor.path,
        ] + CheckInput.virtualSources
    ) { input in
        let folder = "/sys/class/hwmon"
        let chips = input.now.names(folder, beginning: "hwmon")
        // A virtual machine has no sensors.
        let unseen =
            chips.isEmpty && !input.isVirtual ? [input.unknown(.temperature, source: folder)] : []
        return unseen + chips.compactMap(input.temperature) + chips.compactMap(input.fans)
            + input.board
    }
}

extension CheckInput {
    /// The first of some optional files that exists and holds no number.
    private func garbage(_ paths: [String]) -> String? {
        paths.first { now.text($0) != nil && now.number($0) == nil }
    }

    private func title(_ chip: String) -> String {
        let name = now.text("/sys/class/hwmon/\(chip)/name")?.trimming.prefix(32) ?? ""
        return name.isEmpty ? chip : String(name)
    }

    /// The worst sensor of a chip, by its own limits where it has them.
    fileprivate func temperature(_ chip: String) -> Finding? {
        var worst: Finding?
        let folder = "/sys/class/hwmon/\(chip)"
        for sensor in now.sensors(folder, "temp") {
            let path = "\(folder)/\(sensor)"
            guard let milli = now.milliDegrees(folder, sensor) else {
                return unknown(.temperature, chip, source: "\(path)_input")
            }
            if let unreadable = garbage(["\(path)_max", "\(path)_crit"]) {
                return unknown(.temperature, chip, source: unreadable)
            }
            func limit(_ file: String) -> Int64? {
                // Chips that have no limit say 0, or the largest number they know.
                now.number("\(path)_\(file)").flatMap {
                    1_000...200_000 ~= $0 ? $0 / 1_000 : nil
                }
            }
            let limits = thresholds(.temperature)
            let own = Thresholds(
                warning: limit("max") ?? limit("crit") ?? limits.warning,
                critical: limit("crit") ?? limits.critical)
            let degrees = milli / 1_000
            let isFirst = own.warning == own.critical
            let state = CheckKind.temperature.state(
                of: degrees, by: isFirst ? Thresholds(critical: own.critical) : own)
            let finding = Finding(
                .temperature, chip, state, value: degrees,
                "\(sensor) of \(title(chip)) is at \(degrees) °C, its limit is "
                    + "\(own.warning.map { "\($0)" } ?? "?") °C", source: "\(path)_input",
                fix: state == .ok
                    ? nil : .advice(["check fans, filters and the airflow to the host"]))
            if let last = worst,
                (last.state.severity, last.value ?? 0) >= (state.severity, degrees)
            {
                continue
            }
            worst = finding
        }
        return worst
    }

    /// Fans that are slower than their lowest speed, or whose alarm is on.
    fileprivate func fans(_ chip: String) -> Finding? {
        let fans = now.sensors("/sys/class/hwmon/\(chip)", "fan")
        var still: [String] = []
        for fan in fans {
            let path = "/sys/class/hwmon/\(chip)/\(fan)"
            guard let turns = now.number("\(path)_input"), turns >= 0 else {
                return unknown(.fans, chip, source: "\(path)_input")
            }
            if let unreadable = garbage(["\(path)_min", "\(path)_alarm"]) {
                return unknown(.fans, chip, source: unreadable)
            }
            let least = now.number("\(path)_min") ?? 0
            if turns < least || now.number("\(path)_alarm") == 1 { still.append(fan) }
        }
        guard let first = fans.first else { return nil }
        return finding(
            .fans, chip, value: Int64(still.count),
            still.isEmpty
                ? "\(some(Int64(fans.count), "fan")) of \(title(chip)), none has stopped"
                : "\(title(chip)) reports failed fans: \(still.joined(separator: ", "))",
            source: "/sys/class/hwmon/\(chip)/\(still.first ?? first)_input",
            fix: .advice(["replace the fan; boursectl switchover before the host gets hot"]))
    }

    /// What the board's controller reports.
    fileprivate var board: [Finding] {
        let source = BoardSensor.path
        guard let text = now.text(source) else {
            let text =
                "the board's controller does not answer: install freeipmi-tools, "
                + "modprobe ipmi_devintf"
            return isVirtual ? [] : [unknown(.sensors, source: source, text)]
        }
        guard let all = BoardSensor.all(text) else { return [unknown(.sensors, source: source)] }
        let others = all.filter { !$0.isSupply }
        let bad = others.filter(\.state.isAlarm)
        let worst = bad.map(\.state).max { $0.severity < $1.severity } ?? .ok
        let names = bad.prefix(6).map { "\($0.name) (\($0.reading))" }.joined(separator: ", ")
        let fix = Fix.advice(["ipmi-sensors --output-sensor-state", "ipmi-sel | tail"])
        return [
            Finding(
                .sensors, "", worst, value: Int64(bad.count),
                bad.isEmpty
                    ? "\(others.count) sensors of the board are nominal"
                    : "sensors of the board are not nominal: \(names)", source: source,
                fix: bad.isEmpty ? nil : fix)
        ] + all.filter(\.isSupply).map(supply)
    }

    private func supply(_ sensor: BoardSensor) -> Finding {
        Finding(
            .supplies, String(sensor.name.map { $0 == " " || $0 == "/" ? "-" : $0 }), sensor.state,
            "\(sensor.name) reports \(sensor.event)", source: BoardSensor.path,
            fix: sensor.state.isAlarm
                ? .advice(["check its cord and its feed, then replace it while the host runs"])
                : nil)
    }
}
