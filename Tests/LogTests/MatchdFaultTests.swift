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
        var gateways: [LinkClient] = []
        while gateways.count < 100,
            let one = try? LinkClient.connect(host: "127.0.0.1", port: port, key: key, name: name)
        {
            gateways.append(one)
        }
        // Gateways got all but the operators' connections.
        #expect(gateways.count == 56)
        // Operators that do nothing, and such that do not even greet.
        var operators = [first]
        while operators.count < 4 { operators.append(try connect(place)) }
        var silent = try (0..<20).map { _ in try RawLink(place.socket) }
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
        #expect(process.end(SIGTERM) == 0)
    }

    @Test func `who is idle gives way with a reason`() throws {
        let place = try matchdPlace()
        let process = try MatchdProcess(
            try Self.program(), ["--config", place.path + "/bourse.toml"])
        var all = [try connect(place)]
        while all.count < 64 { all.append(try connect(place)) }
        #expect(throws: LinkError.self) {
            _ = try LinkClient.connect(
                unix: place.socket, name: try #require(Text40("early")))
        }
        usleep(1_100_000)
        for client in all.dropFirst() { _ = try client.status() }
        // The first one is idle for longest.
        let late = try connect(place)
        #expect(try late.status().connections == 64)
        do {
            _ = try all[0].receive(timeoutNanos: 5 * second)
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
        usleep(500_000)
        let began = Clock.monotonicNanos()
        let feed = try LinkClient.connect(
            host: "127.0.0.1", port: port, key: key, name: name, wantsAcks: false)
        var follower = Follower(feed.welcome)
        let released = try client.status().released
        try feed.send(follower.subscription)
        var buffer = [UInt8](repeating: 0, count: 1_024)
        var reading = Clock.monotonicNanos()
        while follower.engine.sequence < released, Clock.monotonicNanos() - began < 60 * second {
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
        #expect(Clock.monotonicNanos() - began < 30 * second)
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
            if case .acks(let acks) = try client.receive(timeoutNanos: 20 * second) {
                acked += acks.count
            }
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
        usleep(1_200_000)
        #expect(process.end(SIGTERM) == 0)
        let file = try File(log, .read)
        let text = String(decoding: try file.read(count: try file.size()), as: UTF8.self)
        #expect(text.contains("died while applying command \(desk.number + 1) of session"))
        #expect(text.contains("died 2 times while applying command \(desk.number + 1)"))
        #expect(text.contains("refused a command with which matchd had died twice"))
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
        for hours in [Int64(1), -1, 0] {
            try library.shift(seconds: hours * 3_600)
            usleep(1_200_000)
            #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
            let status = try client.status()
            #expect(status.isClockApart == (hours != 0))
            #expect((status.clockOffset - hours * 3_600 * second).magnitude < UInt64(second))
            // Killed while the clock is wrong, and started again by a service manager.
            process.end(SIGKILL)
            process = try start()
            client = try connect(place)
            desk = try Self.again(desk, client)
            #expect(try desk.submit(TestDesk.place(2)).refusal == .none)
            #expect(try client.status().isClockApart == (hours != 0))
        }
        usleep(1_200_000)
        let feed = try connect(place, wantsAcks: false)
        var follower = Follower(feed.welcome)
        var times: [Int64] = []
        try followRaw(feed, &follower, to: try client.status().released) {
            times.append($0.timestamp)
        }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
        #expect((times[times.count - 1] - times[0]) < 120 * second)
        #expect((times[times.count - 1] - Clock.realtimeNanos()).magnitude < UInt64(5 * second))
        #expect(process.end(SIGTERM) == 0)
        let file = try File(log, .read)
        let text = String(decoding: try file.read(count: try file.size()), as: UTF8.self)
        #expect(text.contains("the host's clock jumped by"))
        #expect(text.contains("which does not follow it"))
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
