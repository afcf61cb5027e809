// The clock: is it right, who keeps it, does it jump. Numbers 501 … 509.

import AgentAPI

extension CheckKind {
    static let synchronised = CheckKind(
        501, "time.synchronised",
        why: "Nothing corrects the clock: timestamps of orders drift away from everyone else's.")
    static let clockError = CheckKind(
        502, "time.max-error", unit: "microseconds", warning: 50_000, critical: 1_000_000,
        why: "The clock may be wrong by this much.")
    static let clockOffset = CheckKind(
        503, "time.offset", unit: "microseconds", warning: 1_000, critical: 100_000,
        why: "The clock is off by this much, as chrony measured last.")
    static let stratum = CheckKind(
        504, "time.stratum", unit: "hops", warning: 6, critical: 16,
        why: "Each hop from a reference clock adds its error.")
    static let precisionOffset = CheckKind(
        505, "time.ptp-offset", unit: "nanoseconds", warning: 1_000, critical: 100_000,
        why: "With PTP the clock must be accurate to a microsecond.")
    static let clockStep = CheckKind(
        506, "time.step", unit: "microseconds", warning: 1_000, critical: 1_000_000,
        why: "The clock was set: timestamps from before and after do not compare.")
    static let clockSource = CheckKind(
        507, "time.clocksource",
        why: "Every other source takes a call into the kernel or the chipset to read the time.")
}

extension CheckGroup {
    /// The clock and who keeps it.
    static let time = CheckGroup(
        "time", seconds: 10,
        kinds: [
            .synchronised, .clockError, .clockOffset, .stratum, .precisionOffset, .clockStep,
            .clockSource,
        ],
        sources: [
            ClockReading.path, ChronyTracking.path,
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        ]
    ) { input in
        [input.synchronised, input.clockError] + input.chrony + [
            input.clockStep, input.clockSource,
        ]
    }
}

extension CheckInput {
    private var restart: Fix {
        .advice(["chronyc -n sources", "systemctl restart chrony", "journalctl -u chrony -n 50"])
    }

    fileprivate var synchronised: Finding {
        let source = ClockReading.path
        guard let isRight = now.clock?.isSynchronised else {
            return unknown(.synchronised, source: source)
        }
        return verdict(
            .synchronised, isRight: isRight, wrong: .critical,
            "the kernel's clock is \(isRight ? "" : "not ")synchronised", source: source,
            fix: restart)
    }

    fileprivate var clockError: Finding {
        let source = ClockReading.path
        guard let error = now.clock?.errorMicrosMax else {
            return unknown(.clockError, source: source)
        }
        return finding(
            .clockError, value: error, "the clock may be off by up to \(error) µs", source: source,
            fix: restart)
    }

    fileprivate var chrony: [Finding] {
        let source = ChronyTracking.path
        let isPrecise = plan.interfaces.contains { $0.isPTP }
        guard let tracking = now.text(source).flatMap({ ChronyTracking($0) }) else {
            let text = now.text(source) == nil ? "chrony does not answer" : nil
            let all: [CheckKind] = [.clockOffset, .stratum, .precisionOffset]
            return all.prefix(isPrecise ? 3 : 2).map { unknown($0, source: source, text) }
        }
        let (size, hops) = (Int64(clamping: tracking.offsetNanos.magnitude), tracking.stratum)
        var all = [
            finding(
                .clockOffset, value: size / 1_000,
                "the clock is off by \(size / 1_000) µs, as chrony measured", source: source,
                fix: restart)
        ]
        all.append(
            !tracking.hasSource
                ? Finding(
                    .stratum, "", .critical, value: hops, "chrony has no time source",
                    source: source, fix: restart)
                : finding(
                    .stratum, value: hops,
                    "the time comes from \(tracking.source), \(some(hops, "hop")) from a "
                        + "reference clock", source: source, fix: restart))
        guard isPrecise else { return all }
        let isHardware = ["PHC", "PTP"].contains { tracking.source.hasPrefix($0) }
        let fix = Fix.advice([
            "systemctl status ptp4l", "in /etc/chrony/chrony.conf: refclock PHC /dev/ptp0 poll 0",
        ])
        all.append(
            isHardware
                ? finding(
                    .precisionOffset, value: size, "the clock is \(size) ns from PTP's",
                    source: source, fix: fix)
                : Finding(
                    .precisionOffset, "", .critical,
                    "the time comes from \(tracking.source), not from PTP as declared",
                    source: source, fix: fix))
        return all
    }

    /// Both clocks are slewed alike: their difference changes when one is set.
    fileprivate var clockStep: Finding {
        let source = ClockReading.path
        func difference(_ seen: Observation?) -> Int64? {
            guard let clock = seen?.clock, let real = clock.realtimeNanos,
                let steady = clock.monotonicNanos
            else { return nil }
            return real - steady
        }
        guard let new = difference(now) else { return unknown(.clockStep, source: source) }
        guard let old = difference(before) else {
            return unknown(
                .clockStep, source: source, "\(source) was read once: no change known yet")
        }
        let micros = Int64(clamping: (Int128(new) - Int128(old)).magnitude / 1_000)
        return finding(
            .clockStep, value: micros, "the clock was stepped by \(micros) µs since the last round",
            source: source,
            fix: .advice([
                "journalctl -u chrony -n 50",
                "in /etc/chrony/chrony.conf: makestep 0.1 3, so that it steps at start only",
            ]))
    }

    fileprivate var clockSource: Finding {
        let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        let known = [
            "tsc", "kvm-clock", "hpet", "acpi_pm", "jiffies", "xen", "hyperv_clocksource_tsc_page",
            "hyperv_clocksource_msr", "arch_sys_counter",
        ]
        guard let name = now.text(source)?.trimming, known.contains(String(name)) else {
            return unknown(.clockSource, source: source)
        }
        return verdict(
            .clockSource, isRight: name == "tsc" || name == "arch_sys_counter",
            "the kernel reads the time from \(name)", source: source,
            fix: .advice([
                "journalctl -k --grep tsc, to see why it was rejected",
                "in /etc/default/grub, GRUB_CMDLINE_LINUX: tsc=reliable clocksource=tsc",
                "update-grub", "reboot",
            ]))
    }
}
