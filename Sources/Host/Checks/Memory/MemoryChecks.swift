// Memory: its errors, its shortage, and what keeps it in place. Numbers 401 … 419.

import AgentAPI

extension CheckKind {
    static let corrected = CheckKind(
        401, "memory.ecc-corrected", unit: "errors", warning: 1, critical: 1_000,
        why: "A module with corrected errors will one day have one that cannot be corrected.")
    static let uncorrected = CheckKind(
        402, "memory.ecc-uncorrected", unit: "errors", critical: 1,
        why: "Memory returned other data than was written.")
    static let errorDetector = CheckKind(
        403, "memory.error-detector",
        why: "Memory whose errors nobody counts looks like good memory.")
    static let swapIn = CheckKind(
        404, "memory.swap-in", unit: "pages-per-second", warning: 1, critical: 100,
        why: "A page that was swapped out takes milliseconds to come back.")
    static let outOfMemory = CheckKind(
        405, "memory.oom-kills", unit: "kills", critical: 1,
        why: "The kernel killed a process because memory ran out.")
    static let lockLimit = CheckKind(
        406, "memory.lock-limit", unit: "bytes",
        why: "Memory that a daemon may not lock can be reclaimed, and must be read again.")
    static let memoryPressure = CheckKind(
        407, "memory.pressure", unit: "per-mille", warning: 10, critical: 100,
        why: "In this share of the time some task waited for memory.")
    static let hugePagePool = CheckKind(
        408, "memory.huge-pages", unit: "pages",
        why: "Huge pages that were not allocated at start are missing later.")
}

extension CheckGroup {
    /// Memory.
    static let memory = CheckGroup(
        "memory", seconds: 5,
        kinds: [
            .corrected, .uncorrected, .errorDetector, .swapIn, .outOfMemory, .lockLimit,
            .memoryPressure, .hugePagePool,
        ],
        sources: [
            "/sys/devices/system/edac/mc/mc*/ce_count", "/sys/devices/system/edac/mc/mc*/ue_count",
            "/sys/devices/system/machinecheck/machinecheck0/ignore_ce", "/proc/cmdline",
            PagingCounters.path, "/proc/pressure/memory", MemoryInfo.path, UnitStatus.path,
            "/proc/{pid}/limits",
        ] + CheckInput.virtualSources
    ) { input in
        let controllers = input.now.names("/sys/devices/system/edac/mc", beginning: "mc")
        return controllers.flatMap {
            [
                input.memoryErrors(.corrected, $0, "ce_count", "corrected"),
                input.memoryErrors(.uncorrected, $0, "ue_count", "uncorrected"),
            ]
        } + [
            input.detector(controllers),
            input.rate(
                .swapIn, source: PagingCounters.path,
                fix: .advice(["swapoff -a", "sed -i '/\\sswap\\s/ s/^/#/' /etc/fstab"]),
                of: { $0.text(PagingCounters.path).flatMap { PagingCounters($0).swappedIn } },
                { "\(some($0, "page")) a second were swapped in" }),
            input.outOfMemory, input.pressure(.memoryPressure, "memory", "memory"),
        ] + input.lockLimits + [input.hugePagePool].compactMap { $0 }
    }
}

extension CheckInput {
    fileprivate func memoryErrors(
        _ kind: CheckKind, _ controller: String, _ file: String, _ word: String
    ) -> Finding {
        number(
            kind, controller, at: "/sys/devices/system/edac/mc/\(controller)/\(file)",
            fix: .advice([
                "grep . /sys/devices/system/edac/mc/\(controller)/dimm*/dimm_{label,ce_count}",
                "boursectl switchover, then replace the module",
            ])
        ) { "\(controller) counted \(some($0, "\(word) memory error")) since boot" }
    }

    /// Whether errors of memory are counted at all.
    fileprivate func detector(_ controllers: [String]) -> Finding {
        let edac = "/sys/devices/system/edac/mc"
        let ignore = "/sys/devices/system/machinecheck/machinecheck0/ignore_ce"
        let arguments = now.commandLine.filter { $0.hasPrefix("mce=") }
        let off = arguments.first { $0 == "mce=off" || $0 == "mce=ignore_ce" }
        if let off {
            return undetected(
                "memory errors, as the kernel's command line has \(off)", source: "/proc/cmdline",
                [
                    "remove \(off) from the kernel's command line in /etc/default/grub",
                    "update-grub",
                ])
        }
        guard !controllers.isEmpty else {
            if isVirtual {
                return unknown(
                    .errorDetector, source: edac, "the hypervisor does not report memory errors")
            }
            return undetected(
                "memory errors, as no memory controller counts them", source: edac,
                ["modprobe i10nm_edac || modprobe skx_edac || modprobe amd64_edac"])
        }
        switch now.number(ignore) {
        case 0:
            return Finding(
                .errorDetector, "", .ok,
                "\(some(Int64(controllers.count), "controller")) count memory errors", source: edac)
        case 1:
            return undetected(
                "corrected memory errors, which are ignored", source: ignore, ["echo 0 > \(ignore)"]
            )
        default: return unknown(.errorDetector, source: ignore)
        }
    }

    private func undetected(_ text: String, source: String, _ fix: [String]) -> Finding {
        Finding(
            .errorDetector, "", .warning, "not detected: " + text, source: source, fix: .advice(fix)
        )
    }

    fileprivate var outOfMemory: Finding {
        let source = PagingCounters.path
        switch growth({ $0.text(source).flatMap { PagingCounters($0).killed } }) {
        case .unreadable: return unknown(.outOfMemory, source: source)
        case .first:
            return unknown(
                .outOfMemory, source: source, "\(source) was read once: no change known yet")
        case .by(let count):
            return finding(
                .outOfMemory, value: count,
                "the kernel killed \(some(count, "task")) for lack of memory since the last round",
                source: source,
                fix: .advice(["journalctl -k --grep 'Out of memory'", "systemd-cgtop -m"]))
        }
    }

    /// Of the units with hot threads.
    fileprivate var lockLimits: [Finding] {
        Set(plan.hotThreads.map(\.unit)).sorted().map { unit in
            guard let process = now.units[unit]?.process, process > 0 else {
                return unknown(.lockLimit, unit, source: "systemd", "\(unit) has no process")
            }
            let source = "/proc/\(process)/limits"
            guard let limit = now.text(source).flatMap({ LockLimit($0) }) else {
                return unknown(.lockLimit, unit, source: source)
            }
            let bytes: Int64? = if case .bytes(let bytes) = limit { bytes } else { nil }
            return Finding(
                .lockLimit, unit, bytes == nil ? .ok : .warning, value: bytes,
                bytes.map { "\(unit) may lock \($0) bytes of memory" }
                    ?? "\(unit) may lock all its memory", source: source,
                fix: bytes == nil
                    ? nil
                    : .advice([
                        "systemctl edit \(unit): [Service] LimitMEMLOCK=infinity",
                        "restart it when the exchange is closed",
                    ]))
        }
    }

    fileprivate var hugePagePool: Finding? {
        let source = MemoryInfo.path
        guard let wanted = plan.hugePages else { return nil }
        guard let pages = now.text(source).flatMap({ MemoryInfo($0).hugePages }) else {
            return unknown(.hugePagePool, source: source)
        }
        return Finding(
            .hugePagePool, "", pages < wanted ? .warning : .ok, value: pages,
            "the pool holds \(pages) huge pages, \(wanted) are declared", source: source,
            fix: pages < wanted
                ? .advice([
                    "sysctl -w vm.nr_hugepages=\(wanted)",
                    "hugepages=\(wanted) on the kernel's command line, where that is not enough",
                ]) : nil)
    }
}
