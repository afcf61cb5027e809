// Disks at work, and the file systems on them. Numbers 301 … 319.

import AgentAPI
import HelperAPI

extension CheckKind {
    static let writeLatency = CheckKind(
        301, "disk.write-latency", unit: "microseconds", warning: 2_000, critical: 20_000,
        why: "No order is acknowledged before it is written.")
    static let flushLatency = CheckKind(
        302, "disk.flush-latency", unit: "microseconds", warning: 2_000, critical: 20_000,
        why: "No order is acknowledged before the disk reports it durable.")
    static let writeCache = CheckKind(
        303, "disk.write-cache",
        why: "Without power-loss protection what a disk has cached is lost with the power.")
    static let scheduler = CheckKind(
        304, "disk.scheduler",
        why: "A scheduler delays requests to sort them: a loss on a disk without heads.")
    static let space = CheckKind(
        305, "disk.space", unit: "percent", warning: 80, critical: 90,
        why: "A full disk stops the journal, and with it the exchange.")
    static let inodes = CheckKind(
        306, "disk.inodes", unit: "percent", warning: 80, critical: 90,
        why: "Without inodes no file can be created, however much space is free.")
    static let fullWithin = CheckKind(
        307, "disk.full-within", unit: "hours", warning: 24, critical: 4, isWorseBelow: true,
        why: "At the rate of the last minutes the disk will be full by then.")
    static let readOnly = CheckKind(
        308, "disk.read-only",
        why: "A file system turns read-only after an error; nothing can be written to it.")
    static let array = CheckKind(
        309, "disk.array",
        why: "An array that lacks a disk may lose everything when the next one fails.")
    static let fileSystemErrors = CheckKind(
        310, "disk.filesystem-errors", unit: "errors", critical: 1,
        why: "ext4 found damage: the file system needs a check before it is relied upon.")
    static let requestErrors = CheckKind(
        311, "disk.request-errors", unit: "errors", warning: 1, critical: 10,
        why: "Requests to the disk failed or were repeated.")
    static let ioPressure = CheckKind(
        312, "disk.pressure", unit: "per-mille", warning: 100, critical: 500,
        why: "In this share of the time some task waited for a disk.")
}

extension CheckGroup {
    /// What disks do, and how full and sound their file systems are.
    static let disks = CheckGroup(
        "disk", seconds: 5,
        kinds: [
            .writeLatency, .flushLatency, .space, .inodes, .readOnly, .array, .fileSystemErrors,
            .requestErrors, .ioPressure,
        ],
        sources: [
            "/sys/block/{disk}/ro", DiskStatistics.path, FileSystemSpace.path, Mount.path,
            ArrayReading.path, "/sys/fs/ext4/*/errors_count", "/sys/block/{disk}/device/ioerr_cnt",
            "/proc/pressure/io",
        ]
    ) { input in
        let disks = input.now.disks
        let (old, new) = (input.before?.diskStatistics ?? [:], input.now.diskStatistics)
        let unseen =
            input.now.names("/sys/block") == nil
            ? [input.unknown(.writeLatency, source: "/sys/block")] : []
        return unseen
            + disks.flatMap { disk in
                [
                    input.latency(
                        .writeLatency, disk, "write", old[disk]?.writes, new[disk]?.writes),
                    input.latency(
                        .flushLatency, disk, "flush", old[disk]?.flushes, new[disk]?.flushes),
                ]
            } + input.plan.directories.flatMap { [input.space($0), input.readOnly($0)] }
            + input.plan.directories.compactMap(input.inodes) + input.arrays
            + input.fileSystemErrors + disks.compactMap(input.requestErrors)
            + [input.pressure(.ioPressure, "io", "disks")]
    }

    /// How long the space lasts, seen over minutes.
    static let diskTrend = CheckGroup(
        "disk.trend", seconds: 600, kinds: [.fullWithin], sources: [FileSystemSpace.path]
    ) { input in
        input.plan.directories.map(input.fullWithin)
    }

    /// How disks are set.
    static let diskSettings = CheckGroup(
        "disk.settings", seconds: 10, kinds: [.writeCache, .scheduler],
        sources: ["write_cache", "scheduler", "rotational"].map { "/sys/block/{disk}/queue/\($0)" }
    ) { input in
        input.now.disks.flatMap { [input.writeCache($0), input.scheduler($0)] }
    }
}

extension CheckInput {
    /// The average of a round.
    fileprivate func latency(
        _ kind: CheckKind, _ disk: String, _ word: String, _ old: DiskStatistics.Requests?,
        _ new: DiskStatistics.Requests?
    ) -> Finding {
        let source = DiskStatistics.path
        switch (
            growth(from: old?.count, to: new?.count), growth(from: old?.millis, to: new?.millis)
        ) {
        case (.by(let done), .by(let spent)):
            let micros = DiskStatistics.Requests.averageMicros(millis: spent, count: done)
            return finding(
                kind, disk, value: micros ?? 0,
                micros.map { "a \(word) to \(disk) took \($0) µs on average over \(done)" }
                    ?? "\(disk) had no \(word) since the last round", source: source,
                fix: .advice([
                    "check the health of \(disk), and what else writes to it: iotop -o",
                    "if it persists: boursectl switchover",
                ]))
        case (.unreadable, _), (_, .unreadable):
            return unknown(
                kind, disk, source: source, "\(source) has no \(word) counters of \(disk)")
        default: return unknown(kind, disk, source: source, "\(source) was read once: no rate yet")
        }
    }

    private func used(_ all: Int64, _ free: Int64) -> Int64? {
        guard all > 0, free <= all else { return nil }
        return Int64(Int128(all - free) * 100 / Int128(all))
    }

    fileprivate func space(_ directory: (name: String, path: String)) -> Finding {
        let source = FileSystemSpace.path
        guard let space = now.fileSystems[directory.path],
            let percent = used(space.bytes, space.freeBytes)
        else {
            return unknown(
                .space, directory.name, source: source,
                "the size of the file system of \(directory.path) is unknown")
        }
        return finding(
            .space, directory.name, value: percent,
            "\(percent) % of the file system of \(directory.path) is used", source: source,
            fix: .advice([
                "du -xh --max-depth=2 \(directory.path) | sort -h | tail",
                "move other files elsewhere, or enlarge the disk",
            ]))
    }

    /// Some file systems have inodes as they need them, and say 0.
    fileprivate func inodes(_ directory: (name: String, path: String)) -> Finding? {
        let source = FileSystemSpace.path
        guard let space = now.fileSystems[directory.path] else {
            return unknown(
                .inodes, directory.name, source: source,
                "the inodes of the file system of \(directory.path) are unknown")
        }
        guard space.inodes > 0 else { return nil }
        guard let percent = used(space.inodes, space.freeInodes) else {
            return unknown(.inodes, directory.name, source: source)
        }
        return finding(
            .inodes, directory.name, value: percent,
            "\(percent) % of the inodes of \(directory.path) are used", source: source,
            fix: .advice(["du -x --inodes --max-depth=2 \(directory.path) | sort -n | tail"]))
    }

    fileprivate func fullWithin(_ directory: (name: String, path: String)) -> Finding {
        let source = FileSystemSpace.path
        func taken(_ space: FileSystemSpace?) -> Int64? {
            space.flatMap { $0.freeBytes <= $0.bytes ? $0.bytes - $0.freeBytes : nil }
        }
        guard let space = now.fileSystems[directory.path], let new = taken(space) else {
            return unknown(
                .fullWithin, directory.name, source: source,
                "the size of the file system of \(directory.path) is unknown")
        }
        guard let elapsedNanos, let old = taken(before?.fileSystems[directory.path]) else {
            return unknown(
                .fullWithin, directory.name, source: source,
                "\(directory.path) was read once: no rate yet")
        }
        guard new > old else {
            return Finding(
                .fullWithin, directory.name, .ok, "\(directory.path) is not filling up",
                source: source)
        }
        let nanos = Int128(space.freeBytes) * Int128(elapsedNanos) / Int128(new - old)
        let hours = Int64(clamping: nanos / 3_600_000_000_000)
        return finding(
            .fullWithin, directory.name, value: hours,
            "at this rate the file system of \(directory.path) is full in \(some(hours, "hour"))",
            source: source,
            fix: .advice([
                "find \(directory.path) -xdev -mmin -15 -size +16M -ls",
                "move other files elsewhere, or enlarge the disk",
            ]))
    }

    fileprivate func readOnly(_ directory: (name: String, path: String)) -> Finding {
        let source = Mount.path
        let found = now.text(source).flatMap { Mount.holding(directory.path, in: Mount.table($0)) }
        guard let found else { return unknown(.readOnly, directory.name, source: source) }
        return verdict(
            .readOnly, directory.name, isRight: !found.isReadOnly, wrong: .critical,
            "the file system of \(directory.path) is "
                + "\(found.isReadOnly ? "read-only" : "writable"), mounted at \(found.point)",
            source: source,
            fix: .advice([
                "dmesg | grep -iE 'ext4|xfs|i/o error'",
                "boursectl switchover, then fsck \(found.device)",
            ]))
    }

    /// Nothing is found where there are no arrays.
    fileprivate var arrays: [Finding] {
        let source = ArrayReading.path
        guard let text = now.text(source) else { return [] }
        guard let arrays = ArrayReading.all(text) else { return [unknown(.array, source: source)] }
        return arrays.map { array in
            switch array {
            case .inactive(let name, let state): return broken(name, "\(name) is \(state)")
            case .invalid(let name): return unknown(.array, name, source: source)
            case .disks(let name, let present, let all):
                let text = "\(name) has \(present) of \(all) disks"
                return present < all
                    ? broken(name, text) : Finding(.array, name, .ok, text, source: source)
            }
        }
    }

    private func broken(_ name: String, _ text: String) -> Finding {
        Finding(
            .array, name, .critical, text, source: ArrayReading.path,
            fix: .advice(["mdadm --detail /dev/\(name)", "mdadm /dev/\(name) --add /dev/DISK"]))
    }

    fileprivate var fileSystemErrors: [Finding] {
        (now.names("/sys/fs/ext4") ?? []).filter { $0 != "features" }.map { device in
            number(
                .fileSystemErrors, device, at: "/sys/fs/ext4/\(device)/errors_count",
                fix: .advice([
                    "dmesg | grep -i 'ext4-fs error'",
                    "boursectl switchover, then e2fsck -f /dev/\(device)",
                ])
            ) { "ext4 on \(device) has recorded \(some($0, "error"))" }
        }
    }

    /// Only disks that speak SCSI count; their number is hexadecimal.
    fileprivate func requestErrors(_ disk: String) -> Finding? {
        let source = "/sys/block/\(disk)/device/ioerr_cnt"
        guard now.text(source) != nil else { return nil }
        switch growth({ seen in
            guard let text = seen.text(source)?.trimming, text.hasPrefix("0x") else { return nil }
            return Int64(text.dropFirst(2), radix: 16)
        }) {
        case .unreadable: return unknown(.requestErrors, disk, source: source)
        case .first:
            return unknown(
                .requestErrors, disk, source: source,
                "\(source) was read once: no change known yet")
        case .by(let count):
            return finding(
                .requestErrors, disk, value: count,
                "\(some(count, "request")) to \(disk) failed since the last round", source: source,
                fix: .advice([
                    "dmesg | grep \(disk)", "boursectl switchover, then replace the disk",
                ]))
        }
    }

    fileprivate func writeCache(_ disk: String) -> Finding {
        let source = "/sys/block/\(disk)/queue/write_cache"
        let mode = now.text(source)?.trimming
        guard mode == "write back" || mode == "write through" else {
            return unknown(.writeCache, disk, source: source)
        }
        let isProtected = plan.protectedDisks.contains(disk)
        let isRight = mode == "write through" || isProtected
        let off =
            disk.hasPrefix("nvme")
            ? "nvme set-feature /dev/\(disk) --feature-id=6 --value=0" : "hdparm -W0 /dev/\(disk)"
        return verdict(
            .writeCache, disk, isRight: isRight,
            mode == "write through"
                ? "\(disk) uses no write cache"
                : "\(disk) caches writes and is "
                    + "\(isProtected ? "" : "not ")declared to survive a power loss",
            source: source,
            fix: .advice([
                "if it has power-loss protection: add it to [agent] protected_disks",
                "if not: \(off)",
            ]))
    }

    fileprivate func scheduler(_ disk: String) -> Finding {
        let folder = "/sys/block/\(disk)/queue"
        guard let name = now.text("\(folder)/scheduler").flatMap({ KernelChoice.chosen(in: $0) }),
            ["none", "mq-deadline", "kyber", "bfq"].contains(name)
        else { return unknown(.scheduler, disk, source: "\(folder)/scheduler") }
        guard let turns = now.number("\(folder)/rotational"), 0...1 ~= turns else {
            return unknown(.scheduler, disk, source: "\(folder)/rotational")
        }
        let isRight = name == "none" || turns == 1 && name == "mq-deadline"
        let wanted = turns == 1 ? "mq-deadline" : "none"
        return verdict(
            .scheduler, disk, isRight: isRight, "\(disk) uses the scheduler \(name)",
            source: "\(folder)/scheduler",
            fix: .advice([
                "echo \(wanted) > \(folder)/scheduler",
                "in /etc/udev/rules.d/60-scheduler.rules: ACTION==\"add|change\", "
                    + "KERNEL==\"\(disk)\", ATTR{queue/scheduler}=\"\(wanted)\"",
            ]))
    }

    /// The share of the last ten seconds in which some task waited, from `/proc/pressure`.
    func pressure(_ kind: CheckKind, _ resource: String, _ word: String) -> Finding {
        let source = "/proc/pressure/\(resource)"
        guard let value = now.text(source).flatMap(PressureReading.someTenSeconds) else {
            return unknown(
                kind, source: source,
                now.text(source) == nil
                    ? "\(source) is missing: psi=1 on the kernel's command line enables it" : nil)
        }
        return finding(
            kind, value: value,
            "tasks waited for \(word) for \(value) ‰ of the last ten seconds", source: source,
            fix: .advice(["systemd-cgtop", "iotop -o", "cat /proc/pressure/\(resource)"]))
    }
}
