// Goal: the real matchd keeps a way in for operators, feeders for those who read, its log's time
// from the host's clock, and starts although a command kills it.

import Engine
import Follower
import Glibc
import Link
import Platform
import Secrets
import Synchronization
import Terms
import Testing
import Wire

/// A library that is loaded into the unmodified matchd: it ends the process when the engine's
/// thread copies a command that holds a certain price, and shifts CLOCK_REALTIME by what a file
/// says.
private struct FaultLibrary {
    let path: String
    let clock: File
    let clockPath: String

    static let price: Int64 = 0x5EED_F00D_DEAD

    init(_ place: PipelinePlace) throws {
        let source = place.path + "/fault.c"
        path = place.path + "/fault.so"
        clockPath = place.path + "/clock"
        clock = try File(clockPath, .create)
        try clock.write([UInt8](repeating: 0, count: 4096))
        try File(source, .create).write(Array(Self.text.utf8))
        let arguments = ["-shared", "-fPIC", "-O1", "-fno-builtin", "-o", path, source]
        let compiler = ["/usr/bin/cc", "/usr/bin/clang", "/usr/bin/gcc"].first {
            Directory.exists($0)
        }
        let status = try MatchdProcess(try #require(compiler), arguments).wait()
        #expect(status == 0, "the compiler makes a library")
    }

    var environment: [String] { ["LD_PRELOAD=\(path)", "BOURSE_FAULT_CLOCK=\(clockPath)"] }

    /// Shifts the host's clock as matchd sees it.
    func shift(seconds: Int64) throws {
        let nanos = seconds * 1_000_000_000
        try clock.write((0..<8).map { UInt8(truncatingIfNeeded: nanos >> (8 * $0)) })
    }

    private static let text = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <signal.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>
        #include <sys/prctl.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        static volatile int64_t *shift;
        __attribute__((constructor)) static void begin(void) {
            int fd = open(getenv("BOURSE_FAULT_CLOCK"), O_RDONLY);
            if (fd >= 0) shift = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
        }
        static void look(const volatile unsigned char *s, size_t n) {
            if (n < 64 || n > 256) return;
            for (size_t i = 0; i + 8 <= n; i += 8) {
                int64_t v = 0;
                for (int k = 7; k >= 0; k--) v = v << 8 | s[i + k];
                if (v != \(price)LL) continue;
                char name[17] = {0};
                prctl(PR_GET_NAME, name);
                if (name[0] == 'e' && name[1] == 'n' && name[2] == 'g') raise(SIGKILL);
            }
        }
        void *memmove(void *to, const void *from, size_t n) {
            volatile unsigned char *d = to;
            const volatile unsigned char *s = from;
            look(s, n);
            if (d < s) for (size_t i = 0; i < n; i++) d[i] = s[i];
            else for (size_t i = n; i > 0; i--) d[i - 1] = s[i - 1];
            return to;
        }
        void *memcpy(void *to, const void *from, size_t n) { return memmove(to, from, n); }
        int clock_gettime(clockid_t id, struct timespec *t) {
            int r = syscall(SYS_clock_gettime, id, t);
            if (r == 0 && id == CLOCK_REALTIME && shift) {
                int64_t all = t->tv_sec * 1000000000LL + t->tv_nsec + *shift;
                t->tv_sec = all / 1000000000LL;
                t->tv_nsec = all % 1000000000LL;
            }
            return r;
        }
        """
}

private let second: Int64 = 1_000_000_000

@Suite(.serialized) struct MatchdFaultTests {
    private static func program() throws -> String { try #require(MatchdProcess.program) }

    /// A place whose matchd listens on TCP as well.
    private static func remotePlace() throws -> (PipelinePlace, UInt16, LinkKey) {
        let probe = try LinkListener.tcp(
            host: "127.0.0.1", port: 0,
            key: try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32)))))
        let port = probe.port
        let place = try matchdPlace(
            "listen = \"127.0.0.1:\(port)\"\nlink_key = \"link.key\"")
        try File(place.path + "/link.key", .create).write([UInt8](repeating: 7, count: 32))
        return (place, port, try #require(probe.key))
    }

    @Test func `an operator gets in and kills the venue though all connections are taken`() throws {
        let (place, port, key) = try Self.remotePlace()
        let process = try MatchdProcess(
            try Self.program(), ["--config", place.path + "/bourse.toml"])
        let name = try #require(Text40("idle"))
        let first = try connect(place)
        // Some are turned away; on a slow machine others give way, as they are idle by then.
        let gateways = (0..<100).compactMap { _ in
            try? LinkClient.connect(host: "127.0.0.1", port: port, key: key, name: name)
        }
        // Gateways got all but the operators' connections.
        #expect(gateways.count >= 56)
        #expect(try first.status().connections == 57)
        // Operators that do nothing, and such that do not even greet.
        var operators = [first]
        while operators.count < 4 { operators.append(try connect(place)) }
        var silent = try (0..<20).map { _ in try RawLink(place.socket) }
        // From now on all of them are idle.
        usleep(1_200_000)
        for _ in 0..<3 {
            silent.append(try RawLink(place.socket))
            let client = try connect(place)
            var desk = try TestDesk(client, "operator/kill")
            let kill = SetKillSwitch(
                account: AccountID(0), isOn: true,
                audit: Audit(operatorName: try #require(Text40("op")), reason: "stop"))
            #expect(try desk.submit(kill).refusal == .none)
            #expect(try client.status().connections <= 64)
            operators.append(client)
        }
        #expect(try operators[operators.count - 1].status().evicted > 0)
        // Else they may be closed when they are used last.
        withExtendedLifetime((gateways, operators, silent)) {}
        #expect(process.end(SIGTERM) == 0)
    }

    /// Whether all of them are connected still, by using each.
    private static func areIn(_ clients: [LinkClient]) -> Bool {
        for client in clients {
            do { _ = try client.status() } catch { return false }
        }
        return true
    }

    /// Whether a further connection is taken.
    private static func isTaken(_ place: PipelinePlace, _ name: Text40) -> Bool {
        do { _ = try LinkClient.connect(unix: place.socket, name: name) } catch { return false }
        return true
    }

    /// Takes all connections, and sees one more turned away while nobody is idle: that is less than
    /// a second after the first was used. A machine that took longer showed nothing: once more.
    private static func takeAll(_ place: PipelinePlace) throws -> [LinkClient] {
        let early = try #require(Text40("early"))
        for _ in 0..<100 {
            let all = try (0..<64).map { _ in try connect(place) }
            let began = Clock.monotonicNanos()
            let areIn = Self.areIn(all)
            let isTaken = Self.isTaken(place, early)
            guard areIn, Clock.monotonicNanos() - began < second else { continue }
            if isTaken { Issue.record("a connection was taken though nobody is idle") }
            return all
        }
        throw LinkError.timedOut
    }

    @Test func `who is idle gives way with a reason`() throws {
        let place = try matchdPlace()
        let process = try MatchdProcess(
            try Self.program(), ["--config", place.path + "/bourse.toml"])
        let all = try Self.takeAll(place)
        // Now all are idle.
        usleep(1_100_000)
        for client in all.dropFirst() { _ = try client.status() }
        // The first one is idle for longest.
        let late = try connect(place)
        #expect(try late.status().connections == 64)
        do {
            _ = try all[0].receive(timeoutNanos: patience)
            Issue.record("the first connection is closed")
        } catch LinkError.refused(let refusal) {
            #expect(refusal.code == .evicted)
        }
        #expect(process.end(SIGTERM) == 0)
    }

    @Test func `followers that read too little do not keep the others out`() throws {
        let (place, port, key) = try Self.remotePlace()
        let process = try MatchdProcess(
            try Self.program(), ["--config", place.path + "/bourse.toml"])
        let client = try connect(place)
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        try Self.load(client, &desk, orders: 60_000)
        let name = try #require(Text40("slow"))
        let slow = try (0..<8).map { _ in
            try LinkClient.connect(
                host: "127.0.0.1", port: port, key: key, name: name, wantsAcks: false)
        }
        for one in slow {
            try one.send(.subscribe(LinkSubscription(from: 1, epoch: 0, crc: 0)))
        }
        // All of them are fed, so there is no thread for another.
        for one in slow {
            #expect(
                TCPSocket.wait(
                    one.descriptor, Int16(POLLIN), deadline: Clock.monotonicNanos() + patience))
        }
        let deadline = Clock.monotonicNanos() + 3 * patience
        let feed = try LinkClient.connect(
            host: "127.0.0.1", port: port, key: key, name: name, wantsAcks: false)
        var follower = Follower(feed.welcome)
        let released = try client.status().released
        try feed.send(follower.subscription)
        var buffer = [UInt8](repeating: 0, count: 1_024)
        var reading = Clock.monotonicNanos()
        while follower.engine.sequence < released, Clock.monotonicNanos() < deadline {
            if let frame = try feed.receive(timeoutNanos: 50_000_000) {
                _ = unsafe try follower.receive(frame) { _, _, _, _ in }
            }
            // They drip, so that none stands quite still.
            if Clock.monotonicNanos() - reading > second {
                reading = Clock.monotonicNanos()
                for one in slow { _ = unsafe recv(one.descriptor, &buffer, 1_024, 0) }
            }
        }
        #expect(follower.engine.sequence >= released)
        #expect(try client.status().evicted >= 1)
        #expect(process.end(SIGTERM) == 0)
    }

    private static func load(_ client: LinkClient, _ desk: inout TestDesk, orders: Int) throws {
        var out = LinkEncoder()
        var (sent, acked) = (0, 0)
        while acked < orders {
            while sent < orders, sent - acked < 4_000 {
                sent += 1
                out.submit(
                    session: desk.session, number: desk.number + UInt64(sent),
                    TestDesk.place(Int64(sent % 50 + 1)))
            }
            try client.send(&out)
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                throw LinkError.timedOut
            }
            acked += acks.count
        }
        desk.number += UInt64(orders)
    }

    @Test func `a command that kills matchd twice is refused, and nothing else is`() throws {
        let place = try matchdPlace()
        let library = try FaultLibrary(place)
        let arguments = ["--config", place.path + "/bourse.toml"]
        let log = place.path + "/matchd.log"
        func start() throws -> MatchdProcess {
            try MatchdProcess(
                try Self.program(), arguments, environment: library.environment, log: log)
        }
        var process = try start()
        var client = try connect(place)
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let poison = TestDesk.place(FaultLibrary.price)
        for death in 1...2 {
            #expect(throws: LinkError.self) {
                _ = try client.execute(poison, session: desk.session, number: desk.number + 1)
            }
            #expect(process.wait() == nil, "death \(death)")
            process = try start()
            client = try connect(place)
            let session = try client.session(of: try #require(Text40("desk")))
            #expect(session.id == desk.session && session.lastNumber == desk.number)
        }
        // It is sent a third time, as a gateway would, with others behind it.
        for _ in 0..<2 {
            let ack = try client.execute(poison, session: desk.session, number: desk.number + 1)
            #expect(ack.refusal == .poisoned && !ack.isLogged)
        }
        #expect(try client.status().poisoned == 2)
        let ack = try client.execute(
            TestDesk.place(5), session: desk.session, number: desk.number + 1)
        #expect(ack.refusal == .none && ack.isLogged)
        let said = "refused a command with which matchd had died twice"
        #expect(try becomes { try Self.text(log).contains(said) })
        #expect(process.end(SIGTERM) == 0)
        let text = try Self.text(log)
        #expect(text.contains("died while applying command \(desk.number + 1) of session"))
        #expect(text.contains("died 2 times while applying command \(desk.number + 1)"))
    }

    private static func text(_ log: String) throws -> String {
        let file = try File(log, .read)
        return String(decoding: try file.read(count: try file.size()), as: UTF8.self)
    }

    /// Waits until matchd has seen that the host's clock is that far from the log's, and whether it
    /// follows it.
    private static func seesClock(_ client: LinkClient, hours: Int64) throws -> Bool {
        try becomes {
            let status = try client.status()
            return status.isClockApart == (hours != 0)
                && (status.clockOffset - hours * 3_600 * second).magnitude < UInt64(second)
        }
    }

    @Test func `an hour of the host's clock is in no record, over kills and restarts as well`()
        throws
    {
        let place = try matchdPlace()
        let library = try FaultLibrary(place)
        let log = place.path + "/matchd.log"
        func start() throws -> MatchdProcess {
            try MatchdProcess(
                try Self.program(), ["--config", place.path + "/bourse.toml"],
                environment: library.environment, log: log)
        }
        var process = try start()
        var client = try connect(place)
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        for (jumps, hours) in [Int64(1), -1, 0].enumerated() {
            try library.shift(seconds: hours * 3_600)
            #expect(try Self.seesClock(client, hours: hours))
            // It has said so, before it is killed.
            let isSaid = try becomes {
                let lines = try Self.text(log).split(separator: "\n")
                return lines.count { $0.contains("the host's clock jumped by") } > jumps
                    && lines.contains { $0.contains("which does not follow it") }
            }
            #expect(isSaid)
            #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
            // Killed while the clock is wrong, and started again by a service manager.
            process.end(SIGKILL)
            process = try start()
            client = try connect(place)
            desk = try Self.again(desk, client)
            #expect(try desk.submit(TestDesk.place(2)).refusal == .none)
            #expect(try client.status().isClockApart == (hours != 0))
        }
        let feed = try connect(place, wantsAcks: false)
        var follower = Follower(feed.welcome)
        var times: [Int64] = []
        try followRaw(feed, &follower, to: try client.status().released) {
            times.append($0.timestamp)
        }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
        // None is off by an hour.
        #expect(times[times.count - 1] - times[0] < 1_800 * second)
        #expect((times[times.count - 1] - Clock.realtimeNanos()).magnitude < UInt64(1_800 * second))
        #expect(process.end(SIGTERM) == 0)
        // An orderly restart does not take the host's clock, an operator who removes the mark does.
        try library.shift(seconds: 3_600)
        process = try start()
        client = try connect(place)
        desk = try Self.again(desk, client)
        #expect(try desk.submit(TestDesk.place(3)).refusal == .none)
        #expect(try client.status().isClockApart)
        #expect(process.end(SIGTERM) == 0)
        let mark = place.path + "/matchd.mark"
        #expect(Directory.exists(mark))
        try Directory.remove(mark)
        process = try start()
        client = try connect(place)
        #expect(try !client.status().isClockApart)
        #expect(process.end(SIGTERM) == 0)
    }

    private static func again(_ desk: TestDesk, _ client: LinkClient) throws -> TestDesk {
        let session = try client.session(of: try #require(Text40("desk")))
        #expect(session.id == desk.session && session.lastNumber == desk.number)
        return TestDesk(client, session: desk.session, number: desk.number)
    }
}
