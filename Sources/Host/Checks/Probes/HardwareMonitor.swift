// hwmon: the sensors of a chip, "sysfs-interface" in the kernel's documentation of hwmon.

extension Observation {
    /// The sensors of a kind in a chip's directory by their number, as `temp1`.
    func sensors(_ chip: String, _ kind: String) -> [String] {
        names(chip, beginning: kind).filter { $0.hasSuffix("_input") }
            .map { String($0.dropLast(6)) }
    }

    /// What a sensor of temperature reads, thousandths of a degree Celsius; nil where it cannot be
    /// read, or no part can be so cold or hot.
    func milliDegrees(_ chip: String, _ sensor: String) -> Int64? {
        number("\(chip)/\(sensor)_input").flatMap { -273_000...1_000_000 ~= $0 ? $0 : nil }
    }

    /// The temperature of a disk, degrees Celsius; nil: not known.
    func diskTemperature(_ disk: String) -> Int64? {
        let device = "/sys/block/\(disk)/device"
        let direct = names(device, beginning: "hwmon").map { "\(device)/\($0)" }
        let below = (names("\(device)/hwmon") ?? []).map { "\(device)/hwmon/\($0)" }
        return (direct + below).lazy.compactMap { self.milliDegrees($0, "temp1") }.first
            .map { $0 / 1_000 }
    }
}
