// Goal: what the daemons build on does what it says: files whole, wake-ups never lost, signals
// read.

import Glibc
import Platform
import Synchronization
import Testing

@Suite struct JournalPlatformTests {
    @Test func `a wake-up is never lost between two threads`() throws {
        final class Shared: Sendable {
            let (ping, pong) = (Parking(), Parking())
            let sent = Atomic<Int>(0)
            let answered = Atomic<Int>(0)
        }
        let shared = Shared()
        let rounds = 5_000
        let thread = try PinnedThread.start(name: "answers") {
            var seen = 0
            while seen < rounds {
                let now = shared.sent.load(ordering: .acquiring)
                if now == seen {
                    shared.ping.park()
                } else {
                    seen = now
                    shared.answered.store(now, ordering: .releasing)
                    shared.pong.unpark()
                }
            }
        }
        for round in 1...rounds {
            shared.sent.store(round, ordering: .releasing)
            shared.ping.unpark()
            while shared.answered.load(ordering: .acquiring) < round { shared.pong.park() }
        }
        thread.join()
        #expect(shared.answered.load(ordering: .relaxed) == rounds)
    }

    @Test func `parking ends after its time, or at once with a permit`() {
        let parking = Parking()
        let start = Clock.monotonicNanos()
        parking.park(timeoutNanos: 20_000_000)
        #expect(Clock.monotonicNanos() - start >= 19_000_000)
        parking.unpark()
        parking.park()
    }

    @Test func `a doorbell wakes a poller when it is armed, and costs nothing else`() throws {
        let bell = try Doorbell()
        let poller = try Poller()
        try poller.add(bell.descriptor, .readable, token: 7)
        bell.ring()
        #expect(try poller.wait(milliseconds: 0) { _, _ in } == 0)
        bell.arm()
        bell.ring()
        bell.ring()
        var tokens: [UInt64] = []
        #expect(try poller.wait(milliseconds: 1000) { token, _ in tokens.append(token) } == 1)
        #expect(tokens == [7])
        bell.disarm(isReadable: true)
        #expect(try poller.wait(milliseconds: 0) { _, _ in } == 0)
        bell.arm()
        bell.disarm(isReadable: false)
        #expect(try poller.wait(milliseconds: 0) { _, _ in } == 0)
        poller.remove(bell.descriptor)
    }

    /// The sleeper takes the processor in the middle of the ring.
    @Test func `a doorbell that is rung on the sleeper's own processor wakes it once`() throws {
        final class Shared: Sendable {
            let isOver = Atomic<Bool>(false)
            let turns = Atomic<Int>(0)
            let waits = Atomic<Int>(0)
        }
        let (rings, shared) = (3_000, Shared())
        let (bell, poller) = (try Doorbell(), try Poller())
        try poller.add(bell.descriptor, .readable, token: 1)
        let sleeper = try PinnedThread.start(name: "sleeper", cpu: 0) {
            while true {
                bell.arm()
                if shared.isOver.load(ordering: .acquiring) { break }
                let found = (try? poller.wait(milliseconds: 10_000) { _, _ in }) ?? 0
                bell.disarm(isReadable: found > 0)
                shared.turns.add(1, ordering: .relaxed)
                if found == 0 { shared.waits.add(1, ordering: .relaxed) }
            }
        }
        let ringer = try PinnedThread.start(name: "ringer", cpu: 0) {
            for _ in 0..<rings {
                let until = Clock.monotonicNanos() + 20_000
                while Clock.monotonicNanos() < until {}
                bell.ring()
            }
            shared.isOver.store(true, ordering: .releasing)
            bell.ring()
        }
        ringer.join()
        sleeper.join()
        let turns = shared.turns.load(ordering: .relaxed)
        #expect(turns > 0 && turns <= 2 * rings, "\(turns) turns for \(rings) rings")
        #expect(shared.waits.load(ordering: .relaxed) == 0, "a ring was lost")
        poller.remove(bell.descriptor)
    }

    @Test func `a thread can't be pinned to a processor that is not there`() throws {
        #expect(throws: SystemError.self) {
            _ = try PinnedThread.start(name: "nowhere", cpu: Host.processorCount) {}
        }
        try PinnedThread.start(name: "first", cpu: 0) {}.join()
    }

    @Test func `a signal is read, not suffered`() async throws {
        await #expect(processExitsWith: .exitCode(3)) {
            let signals = try Signals { _ in exit(5) }
            #expect(signals.next() == nil)
            // To this thread, as the test's process has others that do not block it.
            _ = pthread_kill(pthread_self(), SIGTERM)
            let found = signals.wait(milliseconds: 5_000)
            exit(found == .terminate ? 3 : 4)
        }
    }

    @Test func `signals that mean nothing are noted and end nothing`() async throws {
        await #expect(processExitsWith: .exitCode(3)) {
            let notes = Mutex<[String]>([])
            let signals = try Signals { text in notes.withLock { $0.append(text) } }
            let passed = Signal.allCases.filter { !$0.isStop }
            for signal in passed { _ = pthread_kill(pthread_self(), signal.rawValue) }
            for number in [SIGPIPE, SIGXFSZ, 34, 64] {
                _ = pthread_kill(pthread_self(), number)
            }
            guard signals.wait(milliseconds: 5_000) == nil else { exit(4) }
            _ = pthread_kill(pthread_self(), SIGINT)
            guard signals.wait(milliseconds: 5_000) == .interrupt else { exit(5) }
            let texts = notes.withLock { $0 }
            exit(texts.count == passed.count && texts[0].contains("restart") ? 3 : 6)
        }
    }

    @Test func `files and directories are written whole and for their owner only`() throws {
        let scratch = try JournalScratch()
        try Directory.create(scratch.file("a/b/c"))
        try Directory.create(scratch.file("a/b/c"))
        let path = scratch.file("a/b/c/x")
        let file = try File(path, .createNew)
        #expect(try file.permissions() == 0o600)
        #expect(throws: SystemError.self) { _ = try File(path, .createNew) }
        try file.write([1, 2, 3], at: 5)
        #expect(try file.size() == 8)
        #expect(try file.read(count: 100) == [0, 0, 0, 0, 0, 1, 2, 3])
        #expect(try file.read(count: 4, at: 6) == [2, 3])
        let (one, two): ([UInt8], [UInt8]) = ([9, 8], [7])
        try unsafe one.withUnsafeBytes { a throws in
            try unsafe two.withUnsafeBytes { b throws in try unsafe file.write(a, b, at: 0) }
        }
        #expect(try file.read(count: 4) == [9, 8, 7, 0])
        try Directory.rename(path, to: scratch.file("a/y"))
        #expect(try Directory.names(in: scratch.file("a")) == ["b", "y"])
        try Directory.remove(scratch.file("a/y"))
        try Directory.remove(scratch.file("a/y"))
        #expect(try Directory.freeBytes(scratch.path) > 0)
        #expect(Directory.parent(of: "/a/b/") == "/a")
        #expect(Directory.parent(of: "/a") == "/")
        #expect(Directory.parent(of: "a") == nil)
        #expect(Directory.join("/a/", "b") == "/a/b")
        #expect(Directory.join("/a", "/b") == "/b")
    }

    @Test(arguments: [ENOSPC, EROFS, EACCES, ENOENT, EMFILE, EDQUOT, EIO, EADDRINUSE])
    func `an error names what failed, where, why and what to do`(code: Int32) {
        let error = SystemError(code: code, operation: "write", path: "/state/x")
        #expect(error.description.hasPrefix("cannot write /state/x: "))
        #expect(!error.advice.isEmpty)
        #expect(error.description.hasSuffix(error.advice))
    }
}

/// What is sent to the service manager, on a socket of its own.
private final class ManagerSocket {
    private let descriptor: Int32
    private let path: String

    init() throws {
        path = "/tmp/bourse-notify-\(getpid())-\(SystemRandom.number())"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        let bound = unsafe withUnsafeBytes(of: &address) { raw in
            unsafe bind(
                descriptor, raw.baseAddress!.assumingMemoryBound(to: sockaddr.self),
                socklen_t(raw.count))
        }
        guard bound == 0 else { throw SystemError.last("bind", path) }
        unsafe setenv("NOTIFY_SOCKET", path, 1)
    }

    deinit {
        unsafe unsetenv("NOTIFY_SOCKET")
        close(descriptor)
        unsafe unlink(path)
    }

    /// What came since the last call.
    func lines() -> [String] {
        var all: [String] = []
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return all }
            all.append(String(decoding: bytes[..<count], as: UTF8.self))
        }
    }
}

@Suite(.serialized) struct WorkProgressTests {
    @Test func `the timeout is extended for work that progresses, not for stalled work`()
        async
    {
        // In a process of its own: what others report would come to the same manager.
        await #expect(processExitsWith: .success) {
            let manager = try ManagerSocket()
            let work = WorkProgress()
            final class Lines: Sendable {
                let all = Mutex<[String]>([])
            }
            let lines = Lines()
            work.begin("replaying", unit: "records", from: 100, to: 100_100)
            let reporter = try WorkReporter(
                work, patienceNanos: 1_500_000_000, lineNanos: 1_500_000_000
            ) { line in lines.all.withLock { $0.append(line) } }
            // Read as it comes: a datagram socket keeps ten that nobody reads, and drops the rest.
            var said: [String] = []
            var count: UInt64 = 1_100
            let speaks = becomes {
                count += 1
                work.advance(to: count)
                said += manager.lines()
                Clock.sleep(nanos: 50_000_000)
                return said.count { $0.hasPrefix("EXTEND_TIMEOUT_USEC=") } >= 3
                    && said.count { $0 == "WATCHDOG=1" } >= 3
                    && lines.all.withLock { $0.count } >= 2
            }
            #expect(speaks)
            let status = try #require(said.last { $0.hasPrefix("STATUS=replaying 1") })
            #expect(status.contains(" of 100100 records, 1 %, ") && status.contains(" s left"))
            // A record that takes for ever: after a while nobody speaks for it.
            let isSilent = becomes {
                _ = manager.lines()
                Clock.sleep(nanos: 2_200_000_000)
                said = manager.lines()
                return !said.isEmpty && said.allSatisfy { $0.hasPrefix("STATUS=") }
            }
            #expect(isSilent)
            reporter.end()
            _ = manager.lines()
            Clock.sleep(nanos: 1_200_000_000)
            #expect(manager.lines().isEmpty)
        }
    }
}
