// The kernel's own troubles, and who would notice them. Numbers 541 … 559.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let taint = CheckKind(
        541, "kernel.taint", unit: "flags",
        why: "After an error the kernel keeps running, but its behaviour is no longer certain.")
    static let machineChecks = CheckKind(
        542, "kernel.machine-checks", unit: "exceptions", critical: 1,
        why: "The processor found an error in itself, its memory or its buses.")
    static let lockupDetector = CheckKind(
        543, "kernel.lockup-detector", why: "Nothing detects a CPU or a task that hangs.")
    static let hungTasks = CheckKind(
        544, "kernel.hung-tasks", unit: "tasks", critical: 1,
        why: "A task that waits for minutes waits for a disk or a driver that fails.")
    static let hardwareWatchdog = CheckKind(
        545, "kernel.watchdog",
        why: "A host that hangs stays down until it is reset, and the standby has to guess.")
    static let slowSources = CheckKind(
        546, "kernel.slow-sources", unit: "sources", warning: 1,
        why: "What does not answer the agent in time may not answer the exchange either.")
}

extension CheckGroup {
    /// The kernel and its watchers.
    static let kernel = CheckGroup(
        "kernel", seconds: 10,
        kinds: [
            .taint, .machineChecks, .lockupDetector, .hungTasks, .hardwareWatchdog, .slowSources,
        ],
        sources: [
            "/proc/sys/kernel/tainted", InterruptTable.interrupts, "/proc/cmdline",
            "/proc/sys/kernel/watchdog", "/proc/sys/kernel/nmi_watchdog",
            "/proc/sys/kernel/soft_watchdog", "/proc/sys/kernel/hung_task_timeout_secs",
            "/proc/sys/kernel/hung_task_detect_count", Observation.hungPath,
        ] + WatchdogTable.sources + CheckInput.virtualSources
    ) { input in
        [
            input.taint, input.machineChecks,
            input.lockup("soft", "a CPU that hangs", "soft_watchdog"),
            input.lockup("hard", "a CPU that hangs without interrupts", "nmi_watchdog"),
            input.hangDetector, input.hungTasks, input.hardwareWatchdog, input.slowSources,
        ].compactMap { $0 }
    }
}

extension CheckInput {
    /// The flags that stand for errors (kernel documentation, "Tainted kernels"); the others
    /// stand for kinds of modules.
    private static var taints: [(bit: Int64, state: CheckState, text: String)] {
        [
            (1, .warning, "a module was forced in"),
            (2, .warning, "a processor is out of specification"),
            (3, .warning, "a module was forced out"), (4, .critical, "a machine check happened"),
            (5, .critical, "a page was bad"), (6, .warning, "a program requested it"),
            (7, .critical, "it crashed once"), (9, .warning, "it logged a warning"),
            (11, .warning, "it works around the firmware"), (14, .critical, "a CPU locked up"),
            (17, .warning, "a test was run in it"),
        ]
    }

    fileprivate var taint: Finding {
        let source = "/proc/sys/kernel/tainted"
        guard let flags = now.number(source), flags >= 0 else {
            return unknown(.taint, source: source)
        }
        let found = Self.taints.filter { flags >> $0.bit & 1 == 1 }
        let state = found.map(\.state).max { $0.severity < $1.severity } ?? .ok
        let words = found.map(\.text).joined(separator: ", ")
        return Finding(
            .taint, "", state, value: flags,
            found.isEmpty ? "the kernel recorded no error" : "the kernel is tainted: \(words)",
            source: source,
            fix: found.isEmpty
                ? nil : .advice(["journalctl -k -p warning", "boursectl switchover, then reboot"]))
    }

    /// The line MCE of `/proc/interrupts`.
    fileprivate var machineChecks: Finding {
        let source = InterruptTable.interrupts
        if now.commandLine.contains("mce=off") {
            return Finding(
                .machineChecks, "", .warning,
                "not detected: machine checks, as the kernel's command line has mce=off",
                source: "/proc/cmdline",
                fix: .advice([
                    "remove mce=off from the kernel's command line in /etc/default/grub",
                    "update-grub", "reboot",
                ]))
        }
        guard let table = InterruptTable(now.text(source)) else {
            return unknown(.machineChecks, source: source)
        }
        guard let row = table.rows.first(where: { $0.label == "MCE" }) else {
            return isVirtual
                ? unknown(
                    .machineChecks, source: source, "the hypervisor does not report machine checks")
                : Finding(
                    .machineChecks, "", .warning,
                    "not detected: machine checks, which this kernel does not count",
                    source: source,
                    fix: .advice(["use a kernel with CONFIG_X86_MCE"]))
        }
        guard let count = Observation.sum(row.counts) else {
            return unknown(.machineChecks, source: source)
        }
        return finding(
            .machineChecks, value: count, "CPUs had \(some(count, "machine check")) since boot",
            source: source,
            fix: .advice([
                "ras-mc-ctl --errors", "boursectl switchover, then replace the part it names",
            ]))
    }

    fileprivate func lockup(_ subject: String, _ what: String, _ file: String) -> Finding {
        let (all, own) = ("/proc/sys/kernel/watchdog", "/proc/sys/kernel/\(file)")
        guard let main = now.number(all), 0...1 ~= main else {
            return unknown(.lockupDetector, subject, source: all)
        }
        guard let mode = now.number(own), 0...1 ~= mode else {
            return unknown(.lockupDetector, subject, source: own)
        }
        return main == 1 && mode == 1
            ? Finding(.lockupDetector, subject, .ok, "\(what) is detected", source: own)
            : Finding(
                .lockupDetector, subject, .warning, "not detected: \(what)", source: own,
                fix: .advice([
                    "sysctl -w kernel.watchdog=1 kernel.\(file)=1",
                    "remove nowatchdog and nmi_watchdog=0 from the kernel's command line",
                ]))
    }

    fileprivate var hangDetector: Finding {
        let source = "/proc/sys/kernel/hung_task_timeout_secs"
        guard let seconds = now.number(source), seconds >= 0 else {
            return unknown(.lockupDetector, "task", source: source)
        }
        return verdict(
            .lockupDetector, "task", isRight: seconds > 0,
            seconds > 0
                ? "a task that waits for \(seconds) s is detected"
                : "not detected: a task that waits for ever", source: source,
            fix: .advice(["sysctl -w kernel.hung_task_timeout_secs=120"]))
    }

    /// Kernels before 6.13 do not count them.
    fileprivate var hungTasks: Finding? {
        let source = "/proc/sys/kernel/hung_task_detect_count"
        guard now.text(source) != nil else { return nil }
        return number(
            .hungTasks, at: source,
            fix: .advice(["journalctl -k --grep 'blocked for more than'", "boursectl switchover"])
        ) { "the kernel saw \(some($0, "task")) hang since boot" }
    }

    private static var drivers: String {
        "modprobe iTCO_wdt || modprobe sp5100_tco || modprobe ipmi_watchdog"
    }

    fileprivate var hardwareWatchdog: Finding {
        let folder = WatchdogTable.directory
        // Where the owner requires one, this host takes no lead without it.
        let state = plan.requiresWatchdog ? CheckState.critical : .warning
        guard let names = now.names(folder) else {
            return unknown(.hardwareWatchdog, source: folder)
        }
        let table = WatchdogTable(names: names) { now.text($0) }
        switch (table.hardware, table.device) {
        case (let row?, .armed):
            let identity = row.identity?.trimming.prefix(40) ?? "?"
            return Finding(
                .hardwareWatchdog, "", .ok, "the watchdog \(identity) is armed",
                source: row.source)
        case (let row?, .inactive):
            // systemd opens the first one unless another is set.
            let device =
                row.name == "watchdog0" ? "" : " and WatchdogDevice=/dev/\(row.name)"
            return Finding(
                .hardwareWatchdog, "", state, "the hardware watchdog is not armed",
                source: row.source,
                fix: .advice([
                    "in /etc/systemd/system.conf: RuntimeWatchdogSec=15s\(device)",
                    "systemctl daemon-reexec",
                ]))
        case (let row?, _): return unknown(.hardwareWatchdog, source: row.source)
        case (nil, _): break
        }
        guard let soft = table.armedSoftware else {
            return Finding(
                .hardwareWatchdog, "", state, "there is no hardware watchdog", source: folder,
                fix: .advice([Self.drivers]))
        }
        return Finding(
            .hardwareWatchdog, "", state,
            "the watchdog is software in the kernel that it should watch", source: soft.source,
            fix: .advice(["rmmod softdog", Self.drivers]))
    }

    fileprivate var slowSources: Finding {
        let source = Observation.hungPath
        guard now.text(source) != nil else { return unknown(.slowSources, source: source) }
        let slow = now.lines(source)
        return finding(
            .slowSources, value: Int64(slow.count),
            slow.isEmpty
                ? "every source answers in time"
                : "no answer in time from "
                    + slow.prefix(4).map { String($0.prefix(80)) }.joined(separator: ", "),
            source: source,
            fix: .advice(["journalctl -k -n 50", "check the disk or the device behind it"]))
    }
}
