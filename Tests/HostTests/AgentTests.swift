// Goal: the agent reads within its limits, survives what hangs, reports each alarm once over
// restarts and torn files, and changes nothing that its owner did not allow.

import Agent
import AgentAPI
import Checks
import Glibc
import HelperAPI
import JSON
import Platform
import Synchronization
import Testing

/// A directory that goes with its last reference.
final class Scratch {
    let path: String

    init() throws {
        path = "/tmp/bourse-host-\(SystemRandom.number())"
        try Directory.create(path)
    }

    deinit {
        _ = try? Program.run("/bin/rm", ["-rf", "--", path], secondsMax: 10)
    }

    func write(_ name: String, _ text: String) throws {
        let file = Directory.join(path, name)
        try Directory.create(Directory.parent(of: file) ?? path, mode: 0o755)
        try File(file, .replace).write(Array(text.utf8))
    }

    func read(_ name: String) throws -> [UInt8] {
        let file = try File(Directory.join(path, name), .read)
        return try file.read(count: file.size())
    }
}

/// Waits up to a minute until something is true; whether it became so.
private func becomes(_ isTrue: () -> Bool) -> Bool {
    let deadline = Clock.monotonicNanos() + 60_000_000_000
    while true {
        if isTrue() { return true }
        guard Clock.monotonicNanos() < deadline else { return false }
        Clock.sleep(nanos: 2_000_000)
    }
}

@Suite struct HostReaderTests {
    let plan = HostPlan()

    @Test func `patterns expand to what exists, and missing files are left out`() throws {
        let tree = try Scratch()
        try tree.write("sys/block/vda/size", "100\n")
        try tree.write("sys/block/vdb/size", "200\n")
        try tree.write("sys/block/loop0/size", "1\n")
        try tree.write("probe/units", "a.service loaded active running 7 0 0\n")
        try tree.write("proc/7/task/7/status", "Name:\tengine\n")
        try tree.write("proc/8/task/8/status", "Name:\tother\n")
        let reader = HostReader(root: tree.path)
        let sets = [["/sys/block/vd*/size", "/sys/block/nothing"], ["/proc/{pid}/task/*/status"]]
        let read = reader.read(sets, plan: plan, at: 5)
        #expect(read.count == 2)
        #expect(read[0].number("/sys/block/vda/size") == 100)
        #expect(read[0].number("/sys/block/vdb/size") == 200)
        #expect(read[0].text("/sys/block/loop0/size") == nil)
        #expect(read[0].text("/sys/block/nothing") == nil)
        #expect(read[0].names("/sys/block") == ["loop0", "vda", "vdb"])
        #expect(read[1].text("/proc/7/task/7/status") == "Name:\tengine")
        #expect(read[1].text("/proc/8/task/8/status") == nil)
        #expect(read[1].time == 5)
    }

    @Test func `a file that hangs is left out, and is read again when it does not`() throws {
        let tree = try Scratch()
        try tree.write("a", "1\n")
        try tree.write("z", "2\n")
        let pipe = Directory.join(tree.path, "pipe")
        try #require(unsafe mkfifo(pipe, 0o600) == 0)
        var bounds = HostReader.Bounds()
        // What does not hang takes less, also on a machine with much to do.
        bounds.stallNanos = 2_000_000_000
        bounds.roundNanos = 60_000_000_000
        let reader = HostReader(root: tree.path, bounds: bounds)
        for round in 0..<3 {
            let began = Clock.monotonicNanos()
            let read = reader.read([["/a", "/pipe", "/z"], ["/z"]], plan: plan, at: 1)
            let took = Clock.monotonicNanos() - began
            #expect(read[0].number("/a") == 1)
            #expect(read[0].text("/pipe") == nil)
            #expect(read[0].number("/z") == 2)
            #expect(read[1].number("/z") == 2)
            if round == 0 { #expect(took >= bounds.stallNanos) }
        }
        let descriptor = unsafe open(pipe, O_WRONLY)
        _ = unsafe write(descriptor, "3\n", 2)
        _ = close(descriptor)
        // Whoever hung has read it; whoever reads from now on finds a writer.
        let isOver = Atomic(false)
        let writer = try PinnedThread.start(name: "writer") {
            // The reader may have left before it is written to.
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGPIPE)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
            while !isOver.load(ordering: .acquiring) {
                let descriptor = unsafe open(pipe, O_WRONLY | O_NONBLOCK)
                if descriptor >= 0 {
                    _ = unsafe write(descriptor, "4\n", 2)
                    _ = close(descriptor)
                }
                Clock.sleep(nanos: 10_000_000)
            }
        }
        let isRead = becomes {
            reader.read([["/pipe"]], plan: plan, at: 1)[0].number("/pipe") == 4
        }
        isOver.store(true, ordering: .releasing)
        writer.join()
        #expect(isRead)
    }

    @Test func `sources that hang are listed`() throws {
        /// A probe that hangs until it is let go.
        final class Hanging: HostProbe {
            let places = ["/probe/slow"]
            let go = Mutex(false)
            func text(_ path: String) -> String? {
                while !go.withLock({ $0 }) { Clock.sleep(nanos: 1_000_000) }
                return "x\n"
            }
        }
        let probe = Hanging()
        var bounds = HostReader.Bounds()
        bounds.stallNanos = 2_000_000_000
        bounds.stuckMax = 1
        let reader = HostReader(probes: [probe], bounds: bounds)
        let first = reader.read([["/probe/slow"]], plan: plan, at: 1)
        #expect(first[0].text("/probe/hung") == "/probe/slow")
        // With as many threads stuck as there may be, nothing more is read: it is not known.
        let second = reader.read([["/proc/uptime"]], plan: plan, at: 2)
        #expect(second[0].text("/proc/uptime") == nil)
        #expect(second[0].text("/probe/hung") == "/probe/slow")
        probe.go.withLock { $0 = true }
        // Its thread comes back a moment later.
        let isBack = becomes {
            reader.read([["/proc/uptime"]], plan: plan, at: 3)[0].text("/proc/uptime") != nil
        }
        #expect(isBack)
        let third = reader.read([["/proc/uptime", "/probe/slow"]], plan: plan, at: 3)
        #expect(third[0].text("/proc/uptime") != nil)
        #expect(third[0].text("/probe/slow") == "x")
        #expect(third[0].text("/probe/hung") == "")
    }

    @Test func `files beyond the limits are left out, not cut`() throws {
        let tree = try Scratch()
        try tree.write("long", String(repeating: "x", count: 1_001))
        try tree.write("whole", String(repeating: "x", count: 1_000))
        var bounds = HostReader.Bounds()
        bounds.fileBytesMax = 1_000
        let read = HostReader(root: tree.path, bounds: bounds)
            .read([["/long", "/whole"]], plan: plan, at: 1)
        #expect(read[0].text("/long") == nil)
        #expect(read[0].text("/whole")?.utf8.count == 1_000)
        bounds.filesMax = 3
        for index in 0..<9 { try tree.write("many/\(index)", "\(index)\n") }
        let few = HostReader(root: tree.path, bounds: bounds)
            .read([["/many/*"]], plan: plan, at: 1)
        #expect(few[0].all.count <= 3)
    }
}

@Suite struct AlarmLogTests {
    private func event(_ sequence: UInt64, _ name: String, raised: Bool = true) throws -> AlarmEvent
    {
        let json: JSONValue = [
            "sequence": .number(sequence), "time": .number(Int64(sequence) * 1_000),
            "raised": .bool(raised), "name": .string(name), "kind": .number(9_001),
            "subject": "a", "state": .string(raised ? "critical" : "ok"), "value": .number(95),
            "text": "ä \"quoted\"\nline",
        ]
        return try #require(AlarmEvent(json))
    }

    @Test func `events outlive the process, and a torn end`() throws {
        let scratch = try Scratch()
        let path = Directory.join(scratch.path, "events")
        let first = try AlarmLog(path)
        #expect(first.end.sequence == 0)
        let events = [
            try event(1, "a"), try event(2, "b"), try event(3, "a", raised: false),
        ]
        first.add(events)
        first.close()
        let whole = try scratch.read("events")
        for torn in [whole + Array("0123456789".utf8), Array(whole.dropLast(1))] {
            try File(path, .replace).write(torn)
            let second = try AlarmLog(path)
            #expect(second.damaged == 1)
            let kept = torn.count > whole.count ? 3 : 2
            #expect(second.end.sequence == UInt64(kept))
            #expect(second.end.raised == (kept == 3 ? ["b"] : ["a", "b"]))
            #expect(second.events(after: 0).events == Array(events.prefix(kept)))
            // What comes next stands behind what is whole.
            second.add([try event(UInt64(kept + 1), "c")])
            second.close()
            let third = try AlarmLog(path)
            #expect(third.damaged == 0)
            #expect(third.events(after: UInt64(kept)).events.map(\.name) == ["c"])
            third.close()
        }
    }

    @Test func `only a damaged line is skipped`() throws {
        let scratch = try Scratch()
        let path = Directory.join(scratch.path, "events")
        let first = try AlarmLog(path)
        first.add([try event(1, "a"), try event(2, "b"), try event(3, "c")])
        first.close()
        var bytes = try scratch.read("events")
        let middle = try #require(bytes.firstIndex(of: 0x0A)) + 40
        bytes[middle] ^= 1
        try File(path, .replace).write(bytes)
        let second = try AlarmLog(path)
        #expect(second.damaged == 1)
        #expect(second.events(after: 0).events.map(\.sequence) == [1, 3])
        second.close()
    }

    @Test func `the newest events are kept, and the alarms raised before them are known`() throws {
        let scratch = try Scratch()
        let path = Directory.join(scratch.path, "events")
        let total = UInt64(2 * AlarmLog.eventsMax + 700)
        let first = try AlarmLog(path)
        first.add([try event(1, "stands")])
        for begin in stride(from: UInt64(2), through: total, by: 1_000) {
            first.add(
                try (begin...min(begin + 999, total)).map {
                    try event($0, "other", raised: $0 % 2 == 0)
                })
            // Each batch is written by itself, so that the file grows beyond what it may hold.
            Clock.sleep(nanos: 20_000_000)
        }
        first.close()
        let second = try AlarmLog(path)
        let found = second.events(after: 0)
        #expect(found.first == total - UInt64(AlarmLog.eventsMax) + 1)
        #expect(found.last == total)
        #expect(found.events.count == AlarmLog.answerMax)
        #expect(found.events.first?.sequence == found.first)
        #expect(second.events(after: total - 2).events.map(\.sequence) == [total - 1, total])
        #expect(second.events(after: total).events.isEmpty)
        #expect(second.end.raised.contains("stands"))
        #expect(second.end.sequence == total)
        second.close()
        #expect(try scratch.read("events").count < 3 * AlarmLog.eventsMax * 250)
    }

    @Test func `an alarm is not raised again by a restart`() throws {
        let scratch = try Scratch()
        let path = Directory.join(scratch.path, "events")
        let kind = CheckKind(9_001, "test.sample", why: "It is a test.")
        let finding = Finding(kind, "a", .critical, "it is bad", source: "here")
        var sequences: [[UInt64]] = []
        for time in 1...3 {
            let alarmLog = try AlarmLog(path)
            let end = alarmLog.end
            var table = AlarmTable(sequence: end.sequence, raised: end.raised)
            let events = table.take([finding], of: [kind], at: Int64(time))
            sequences.append(events.map(\.sequence))
            alarmLog.add(events)
            alarmLog.close()
        }
        #expect(sequences == [[1], [], []])
    }
}

/// Something that answers as the root helper does.
final class FakeHelper: Sendable {
    let path: String
    private let listener: Int32
    private let asked = Mutex<[String]>([])

    init(_ path: String, answer: @escaping @Sendable (String) -> String) throws {
        self.path = path
        let listener = try UnixSocket.listen(path, mode: 0o600, backlog: 8)
        self.listener = listener
        try #require(fcntl(listener, F_SETFL, 0) == 0)
        _ = try PinnedThread.start(name: "helper") { [weak self] in
            while true {
                let peer = accept(listener, nil, nil)
                guard peer >= 0 else { return }
                var bytes = [UInt8](repeating: 0, count: 1_024)
                let count = unsafe read(peer, &bytes, bytes.count)
                let line =
                    String(decoding: bytes[..<max(0, count)], as: UTF8.self)
                    .split(separator: "\n").first.map(String.init) ?? ""
                self?.asked.withLock { $0.append(line) }
                let reply = Array((answer(line) + "\n\n").utf8)
                _ = unsafe write(peer, reply, reply.count)
                _ = close(peer)
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    /// The lines that it was asked.
    var lines: [String] { asked.withLock { $0 } }
}

@Suite struct ChangeExecutorTests {
    static let request = HelperRequest.governor(cpu: 0, name: "performance")
    static let undo = "governor 0 powersave"

    private func helper(_ scratch: Scratch) throws -> FakeHelper {
        try FakeHelper(Directory.join(scratch.path, "helper")) { line in
            line.hasPrefix("governor 0") ? "ok \(Self.undo)" : "failed it does not take"
        }
    }

    private func executor(_ scratch: Scratch, _ policy: ChangePolicy) throws -> ChangeExecutor {
        try ChangeExecutor(
            Directory.join(scratch.path, "changes"), helper: Directory.join(scratch.path, "helper"),
            policy: policy)
    }

    private func carryOut(_ executor: ChangeExecutor, _ requests: [HelperRequest]) async
        -> [ChangeResult]
    {
        await withCheckedContinuation { continuation in
            let isTaken = executor.carryOut(requests, by: "7") {
                continuation.resume(returning: $0)
            }
            #expect(isTaken)
        }
    }

    private func undo(_ executor: ChangeExecutor, _ id: Int64) async -> ChangeResult? {
        await withCheckedContinuation { continuation in
            #expect(executor.undo(id, by: "7") { continuation.resume(returning: $0) })
        }
    }

    @Test func `a change that the disk does not take is known, with why, and written later`()
        async throws
    {
        let scratch = try Scratch()
        let helper = try helper(scratch)
        let path = Directory.join(scratch.path, "changes")
        // Each write fails, and no other file can take the place of this one.
        try #require(unsafe symlink("/dev/full", path) == 0)
        try Directory.create(path + ".new")
        let policy = ChangePolicy(allowed: ["governor"])
        let full = try executor(scratch, policy)
        #expect(full.fault == nil)
        _ = await carryOut(full, [Self.request])
        #expect(full.changes.count == 1)
        #expect(full.fault != nil)
        unsafe rmdir(path + ".new")
        _ = await carryOut(full, [Self.request])
        #expect(full.fault == nil)
        #expect(try executor(scratch, policy).changes == full.changes)
        #expect(helper.lines.count == 2)
    }

    @Test func `the helper gets no request that is not allowed`() async throws {
        let scratch = try Scratch()
        let helper = try helper(scratch)
        for policy in [ChangePolicy(), ChangePolicy(allowed: ["rps"])] {
            let executor = try executor(scratch, policy)
            let results = await carryOut(
                executor, [.channels(nic: "eth0", count: 1), Self.request])
            #expect(results.map(\.isDone) == [false, false])
            #expect(results[0].answer.contains("does not have channels, governor"))
            #expect(executor.changes.isEmpty)
        }
        #expect(helper.lines.isEmpty)
    }

    @Test func `a change is recorded with its undo, and undone once`() async throws {
        let scratch = try Scratch()
        let helper = try helper(scratch)
        let policy = ChangePolicy(allowed: ["governor"])
        let first = try executor(scratch, policy)
        let results = await carryOut(first, [Self.request])
        #expect(results.map(\.undo) == [Self.undo])
        // The next process knows it, and may take it back though policy allows nothing any more.
        let second = try executor(scratch, ChangePolicy())
        #expect(second.changes.map(\.line) == [Self.request.line])
        #expect(second.changes.map(\.by) == ["7"])
        #expect(await undo(second, 1)?.isDone == true)
        #expect(await undo(second, 1) == nil)
        #expect(await undo(second, 99) == nil)
        #expect(helper.lines == [Self.request.line, Self.undo])
        let third = try executor(scratch, policy)
        #expect(third.changes.map(\.isUndone) == [true, false])
    }

    @Test func `a request that fails does not stop the others`() async throws {
        let scratch = try Scratch()
        let helper = try helper(scratch)
        let executor = try executor(scratch, ChangePolicy(allowed: ["governor", "channels"]))
        let results = await carryOut(
            executor, [.channels(nic: "eth0", count: 1), Self.request])
        #expect(results.map(\.isDone) == [false, true])
        #expect(results[0].answer == "failed it does not take")
        #expect(helper.lines == ["channels eth0 1", Self.request.line])
        #expect(executor.changes.map(\.line) == [Self.request.line])
    }

    @Test func `a socket's path may be longer than an address holds`() async throws {
        let scratch = try Scratch()
        let folder = Directory.join(scratch.path, String(repeating: "d", count: 120))
        try Directory.create(folder)
        let path = Directory.join(folder, "helper")
        let helper = try FakeHelper(path) { _ in "ok" }
        let answer = try UnixSocket.ask(
            path, Array("health sda\n".utf8), bytesMax: 100, timeoutNanos: 60_000_000_000)
        #expect(answer == Array("ok\n\n".utf8))
        #expect(helper.lines == ["health sda"])
    }

    @Test func `a missing helper is reported`() async throws {
        let scratch = try Scratch()
        let executor = try executor(scratch, ChangePolicy(allowed: ["governor", "channels"]))
        // It is waited for once.
        let results = await carryOut(executor, [Self.request, .channels(nic: "eth0", count: 1)])
        #expect(results.map(\.isDone) == [false])
        #expect(results[0].answer.hasPrefix("failed cannot connect to"))
    }

    @Test func `automatic changes stay within the policy and are not repeated`()
        async throws
    {
        let scratch = try Scratch()
        let helper = try helper(scratch)
        let kind = CheckKind(9_001, "test.governor", why: "It is a test.")
        func found(_ subject: String, _ request: HelperRequest, _ state: CheckState) -> Finding {
            Finding(kind, subject, state, "it is so", source: "here", fix: .change([request]))
        }
        let findings = [
            found("a", Self.request, .warning), found("b", Self.request, .unknown),
            found("c", .channels(nic: "eth0", count: 1), .critical),
        ]
        try executor(scratch, ChangePolicy(allowed: ["governor"])).repair(findings)
        let executor = try executor(
            scratch, ChangePolicy(allowed: ["governor"], isAutomatic: true))
        executor.repair(findings)
        executor.repair(findings)
        // Behind all that it would have done by itself.
        _ = await carryOut(executor, [.governor(cpu: 0, name: "ondemand")])
        #expect(helper.lines == [Self.request.line, "governor 0 ondemand"])
        #expect(executor.changes.map(\.by) == ["agent", "7"])
    }
}

@Suite struct HostStateTests {
    private func observation(_ time: Int64, writes: Int) -> Observation {
        var seen = Observation(time: time)
        seen.set(
            "/probe/units",
            """
            bourse-matchd.service loaded active running 7 2 10000000 5 4096 99 record 5, good
            bourse-auditd.service not-found inactive dead 0 0 - 0 - -

            """)
        seen.set("/probe/exchange", "role primary\nreleased 12\nbelowReserve 1\n")
        seen.set("/proc/7/task", names: ["7", "9"])
        for (number, name, cpu) in [("7", "bourse-matchd", 0), ("9", "engine", 3)] {
            seen.set(
                "/proc/7/task/\(number)/status",
                "Name:\t\(name)\nCpus_allowed_list:\t3\nvoluntary_ctxt_switches:\t8\n"
                    + "nonvoluntary_ctxt_switches:\t1\n")
            let rest = (3...38).map { $0 == 38 ? "\(cpu)" : "\($0)" }.joined(separator: " ")
            seen.set("/proc/7/task/\(number)/stat", "\(number) (a ) b) S \(rest) 0 0\n")
        }
        seen.set("/sys/block", names: ["sda", "loop0"])
        seen.set("/sys/block/sda/device", names: ["hwmon"])
        seen.set("/sys/block/sda/device/hwmon", names: ["hwmon2"])
        seen.set("/sys/block/sda/device/hwmon/hwmon2/temp1_input", "41000\n")
        seen.set("/sys/block/sda/size", "1000\n")
        seen.set(
            "/proc/diskstats",
            "   8  0 sda 10 0 80 5 \(writes) 0 800 \(writes * 2) 0 \(writes) 40 0 0 0 0 "
                + "\(writes) \(writes * 3)\n")
        seen.set("/probe/statvfs", "/var/lib/bourse 1000 250 100 90\n")
        return seen
    }

    @Test func `chains are what walletd reports, while it does`() throws {
        var plan = HostPlan()
        plan.wallet = "/run/wallet.json"
        func chains(atSeconds seconds: Int) -> [HostTables.Chain] {
            var seen = Observation(time: 1)
            seen.set("/probe/clock", "realtime_ns \(seconds)000000000\n")
            seen.set(
                "/run/wallet.json",
                """
                {"time":100000000000,"isConnected":true,"chains":[{"network":1,"chain":"litecoin",\
                "asset":"LTC","condition":"no node","isSound":false,"text":"no answer","since":1,\
                "tip":null,"read":7,"credited":5,"addresses":3,"pending":2,\
                "payouts":{"condition":"paying","isSound":true,"text":"","approved":4,"open":3,\
                "free":20,"total":50}}]}
                """)
            return HostState(now: seen, before: nil, plan: plan).chains
        }
        let chain = try #require(chains(atSeconds: 101).first)
        #expect((chain.name, chain.asset, chain.condition) == ("litecoin", "LTC", "no node"))
        #expect((chain.tip, chain.read) == (nil, 7))
        #expect((chain.credited, chain.pending, chain.isSound) == (5, 2, false))
        #expect((chain.approved, chain.open, chain.free, chain.total) == (4, 3, 20, 50))
        #expect(chains(atSeconds: 161) == [], "what is old is not shown as if it were so now")
        var state = AgentState(
            host: "h", version: "1", time: 1, started: 1, worst: .ok, sequence: 0, dropped: 0,
            roundNanos: 1, tables: HostTables(), checks: [])
        state.tables.chains = [chain]
        #expect(AgentState(state.json)?.tables.chains == [chain])
    }

    @Test func `tables are what was read`() throws {
        var plan = HostPlan()
        plan.units = ["bourse-matchd.service", "bourse-auditd.service", "bourse-gatewayd.service"]
        plan.hotThreads = [.init(unit: "bourse-matchd.service", thread: "engine", cpu: 2)]
        plan.directories = [("journal", "/var/lib/bourse"), ("other", "/nowhere")]
        let state = HostState(
            now: observation(2_000_000_000, writes: 150),
            before: observation(1_000_000_000, writes: 100), plan: plan)
        func json(_ name: String, _ state: HostState) -> JSONValue? {
            TrendSample(
                time: 0, roundNanos: 0, exchange: state.exchange, disks: state.disks
            ).json[name]
        }
        #expect(
            json("exchange", state)?.compact
                == #"{"running":true,"role":"primary","released":12,"belowReserve":true}"#)
        #expect(state.units.map(\.active) == ["active", "inactive", "unknown"])
        #expect(state.units[0].status == "record 5, good")
        #expect(state.units[0].memoryBytes == 4_096)
        #expect(state.units[0].since == 5_000)
        #expect(state.units[1].memoryBytes == nil)
        #expect(state.threads.map(\.thread) == ["bourse-matchd", "engine"])
        #expect(state.threads.map(\.cpu) == [0, 3])
        #expect(state.threads.map(\.declared) == [nil, 2])
        #expect(state.disks.count == 1)
        #expect(
            json("disks", state)?.compact
                == #"[{"disk":"sda","sizeBytes":512000,"reads":10,"writes":150,"writeMicros":2000,"#
                + #""flushMicros":3000,"busyPercent":5,"temperature":41,"healthPercentUsed":null}]"#
        )
        #expect(state.directories.map(\.freeBytes) == [250])
        let first = HostState(
            now: observation(1, writes: 100), before: nil, plan: plan)
        #expect(first.disks[0].writeMicros == nil)
        let none = HostState(now: Observation(time: 1), before: nil, plan: plan)
        #expect(json("exchange", none)?.compact == #"{"running":false}"#)
    }

    @Test(arguments: [
        ("eth0-TxRx-3", "rx-3", true), ("eth0-TxRx-3", "tx-3", true),
        ("eth0-TxRx-3", "rx-4", false), ("eth0-TxRx-13", "rx-3", false),
        ("i40e-eth0-TxRx-3", "tx-3", true), ("eth0-rx-3", "rx-3", true),
        ("eth0-rx-3", "tx-3", false), ("virtio1-input.3", "rx-3", true),
        ("virtio1-output.3", "rx-3", false), ("virtio2-input.3", "rx-3", false),
        ("eth01-TxRx-3", "rx-3", false),
    ])
    func `an interrupt serves the queue in its name`(
        name: String, queue: String, serves: Bool
    ) {
        var seen = Observation(time: 1)
        seen.set("/sys/class/net", names: ["eth0"])
        seen.set("/sys/class/net/eth0/device", names: ["x"])
        seen.set("/sys/class/net/eth0/queues", names: [queue])
        seen.set("/sys/bus/virtio/devices", names: ["virtio1", "virtio2"])
        seen.set("/sys/bus/virtio/devices/virtio1/net", names: ["eth0"])
        seen.set("/proc/interrupts", "  CPU0\n 41: 7 PCI-MSI 5-edge \(name)\n")
        seen.set("/proc/irq/41/effective_affinity_list", "1\n")
        let row = HostState(now: seen, before: nil, plan: HostPlan()).queues[0]
        #expect(row.irq == (serves ? 41 : nil))
        #expect(row.cpus == (serves ? "1" : ""))
    }
}
