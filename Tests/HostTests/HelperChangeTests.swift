// Goal: the helper changes what was asked and nothing else, says how to undo it, and the undo puts
// back exactly what was there.

import Checks
import Glibc
import Helper
import HelperAPI
import Platform
import Testing

/// A tree that looks like a host, removed with its owner.
private final class HostTree {
    let root: String

    init(_ files: [String: String]) throws {
        var template = Array("/tmp/bourse-helper-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { preconditionFailure("a directory in /tmp") }
        root = String(
            decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        for (path, text) in files {
            var directory = root
            for part in path.split(separator: "/").dropLast() {
                directory += "/" + part
                if !Directory.exists(directory) { try Directory.create(directory) }
            }
            try File(root + path, .create).write(Array(text.utf8))
        }
    }

    deinit { _ = try? Program.run("/bin/rm", ["-rf", root], secondsMax: 10) }

    func text(_ path: String) throws -> String {
        let file = try File(root + path, .read)
        let text = String(decoding: try file.read(count: 4_096), as: UTF8.self)
        return String(text.prefix { $0 != "\n" })
    }
}

@Suite struct HelperChangeTests {
    private static let files = [
        "/proc/irq/24/smp_affinity_list": "0-3\n",
        "/sys/class/net/eth0/queues/rx-1/rps_cpus": "00000000,0000000c\n",
        "/sys/class/net/eth0/queues/tx-1/xps_cpus": "3\n",
        "/sys/devices/virtual/workqueue/cpumask": "ff\n",
        "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n",
        "/sys/devices/system/cpu/cpu2/cpufreq/scaling_available_governors":
            "performance powersave\n",
        "/proc/sys/vm/swappiness": "60\n",
        "/dev/cpu_dma_latency": "",
        "/proc/77/cgroup": "0::/system.slice/ssh.service\n",
        // A user may name what runs below the user's own slice.
        "/proc/79/cgroup": "0::/user.slice/user-1000.slice/bourse-x.service\n",
        "/proc/79/task/79/comm": "x\n",
    ]

    @Test(arguments: [
        ("irq-affinity 24 1,3", "irq-affinity 24 0-3", "/proc/irq/24/smp_affinity_list", "1,3"),
        (
            "rps eth0 1 none", "rps eth0 1 2-3", "/sys/class/net/eth0/queues/rx-1/rps_cpus",
            "00000000"
        ),
        (
            "xps eth0 1 33", "xps eth0 1 0-1", "/sys/class/net/eth0/queues/tx-1/xps_cpus",
            "00000002,00000000"
        ),
        ("workqueue 0", "workqueue 0-7", "/sys/devices/virtual/workqueue/cpumask", "00000001"),
        (
            "governor 2 performance", "governor 2 powersave",
            "/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "performance"
        ),
        ("parameter vm.swappiness 1", "parameter vm.swappiness 60", "/proc/sys/vm/swappiness", "1"),
    ])
    func `a change is made and undone`(
        line: String, undo: String, path: String, text: String
    ) throws {
        let tree = try HostTree(Self.files)
        let changer = HostChanger(root: tree.root)
        let request = try #require(HelperRequest(line))
        #expect(try changer.perform(request).undo?.line == undo)
        #expect(try tree.text(path) == text)
        // Asked again, nothing is left to do.
        #expect(try changer.perform(request).undo == nil)
        let back = try #require(HelperRequest(undo))
        #expect(try changer.perform(back).undo?.line == line)
        for (other, before) in Self.files where other != path {
            #expect(try tree.text(other) == before.prefix { $0 != "\n" })
        }
    }

    @Test(arguments: [
        "irq-affinity 25 1", "governor 2 turbo", "governor 3 performance",
        "parameter kernel.numa_balancing 0", "thread-affinity 77 77 0", "thread-affinity 78 78 0",
        "thread-affinity 79 79 0",
        "channels bourse-none 2", "health bourse-none",
    ])
    func `missing or foreign targets are refused, and nothing changes`(line: String) throws {
        let tree = try HostTree(Self.files)
        let request = try #require(HelperRequest(line))
        #expect(throws: HelperError.self) {
            try HostChanger(root: tree.root).perform(request)
        }
        for (path, before) in Self.files {
            #expect(try tree.text(path) == before.prefix { $0 != "\n" })
        }
    }

    @Test func `garbage in a file is named, and not overwritten`() throws {
        var files = Self.files
        files["/proc/irq/24/smp_affinity_list"] = "what?\n"
        let tree = try HostTree(files)
        #expect(throws: HelperError.self) {
            try HostChanger(root: tree.root).perform(.irqAffinity(irq: 24, cpus: CPUSet([1])))
        }
        #expect(try tree.text("/proc/irq/24/smp_affinity_list") == "what?")
    }

    @Test func `the wake-up latency is held until it is let go`() throws {
        let tree = try HostTree(Self.files)
        let changer = HostChanger(root: tree.root)
        let first = try changer.perform(.wakeupLatency(micros: 20))
        #expect(first.undo?.line == "wakeup-latency release")
        #expect(changer.holdsSomething)
        #expect(try changer.perform(.wakeupLatency(micros: 0)).undo?.line == "wakeup-latency 20")
        #expect(try changer.perform(.wakeupLatency(micros: -1)).undo?.line == "wakeup-latency 0")
        #expect(!changer.holdsSomething)
    }

    @Test func `a thread of the exchange is moved for real, and no other`() throws {
        // This process stands in a tree that says it is a daemon of the exchange.
        let thread = Int(getpid())
        let tree = try HostTree([
            "/proc/\(thread)/cgroup":
                "9:name=systemd:/\n0::/bourse.slice/bourse-matchd.service\n",
            "/proc/\(thread)/task/\(thread)/comm": "x\n",
        ])
        let before = CPUSet(try Host.affinity(thread: Int32(thread)))
        let one = CPUSet([try #require(before.numbers.last)])
        let changer = HostChanger(root: tree.root)
        defer { try? Host.setAffinity(thread: Int32(thread), before.numbers) }
        let done = try changer.perform(.threadAffinity(process: thread, thread: thread, cpus: one))
        #expect(CPUSet(try Host.affinity(thread: Int32(thread))) == one)
        #expect(done.undo == .threadAffinity(process: thread, thread: thread, cpus: before))
        #expect(throws: HelperError.self) {
            try changer.perform(.threadAffinity(process: thread, thread: 2, cpus: one))
        }
    }

    @Test func `a watchdog that is armed, or not there, is left as it is`() throws {
        func answer(_ files: [String: String]) throws -> [String] {
            let tree = try HostTree(files)
            let done = try HostChanger(root: tree.root).perform(.armWatchdog)
            #expect(done.undo == nil)
            return done.lines
        }
        let one = "/sys/class/watchdog/watchdog0"
        #expect(try answer([:]) == ["absent"])
        #expect(
            try answer(["\(one)/state": "active\n", "\(one)/identity": "iTCO_wdt\n"]) == ["armed"])
        // In software it hangs with its kernel.
        let soft = ["\(one)/state": "active\n", "\(one)/identity": "Software Watchdog\n"]
        #expect(try answer(soft) == ["absent"])
        let second = "/sys/class/watchdog/watchdog1"
        let both = ["\(second)/state": "active\n", "\(second)/identity": "iTCO_wdt\n"]
        #expect(try answer(soft.merging(both) { $1 }) == ["armed"])
        #expect(try answer(["\(one)/identity": "iTCO_wdt\n"]) == ["unknown"])
        // A container shows the machine's, and has no device to arm.
        #expect(
            try answer(["\(one)/state": "inactive\n", "\(one)/identity": "x\n"]) == ["inactive"])
    }

    @Test func `a program's output, status and time are bounded`() throws {
        let echo = try Program.run("/bin/cat", [], input: Array("abc".utf8), secondsMax: 60)
        #expect((echo.status, echo.output, echo.errors) == (0, "abc", ""))
        let much = [UInt8](repeating: 0x61, count: 300_000)
        let all = try Program.run("/bin/cat", [], input: much, secondsMax: 60)
        #expect(all.output.utf8.count == 300_000)
        let loud = try Program.run(
            "/bin/sh", ["-c", "head -c 3000000 /dev/zero; echo no >&2; exit 7"], secondsMax: 60)
        #expect(loud.status == 7)
        #expect(loud.output.utf8.count == Program.outputBytesMax)
        #expect(loud.errors == "no\n")
        let slow = try Program.run("/bin/sleep", ["60"], secondsMax: 1)
        #expect(slow.status == 137)
        // One that reads nothing of its input ends nobody by SIGPIPE.
        for _ in 0..<20 {
            let unread = try Program.run("/bin/true", [], input: [0x61], secondsMax: 60)
            #expect(unread.status == 0)
        }
        #expect(throws: SystemError.self) {
            try Program.run("/bin/bourse-none", [], secondsMax: 1)
        }
    }

    @Test func `what a program started is killed with it, where it has a group`() throws {
        // The sleep's number is printed; the shell waits for it.
        let words = ["-c", "sleep 60 & echo $!; wait"]
        let done = try Program.run("/bin/sh", words, secondsMax: 5, isGroup: true)
        #expect(done.status == 137)
        let child = try #require(Int32(done.output.split(separator: "\n").first ?? ""))
        let deadline = Clock.monotonicNanos() + 60_000_000_000
        // Whoever takes over orphans collects it, if anybody does.
        func isGone() -> Bool {
            guard let stat = try? File("/proc/\(child)/stat", .read).read(count: 512) else {
                return true
            }
            return String(decoding: stat, as: UTF8.self).contains(") Z ")
        }
        while !isGone(), Clock.monotonicNanos() < deadline { Clock.sleep(nanos: 1_000_000) }
        #expect(isGone())
    }
}
