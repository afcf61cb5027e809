// Goal: against a real etcd that is killed, stopped, cut, wiped and written to by others, each
// request is answered by what is so, or by nothing: never by what may not be so.

import Control
import Coordination
import Failover
import Glibc
import Requests
import Terms
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct EtcdClientTests {
    private static let a = InSyncReplica(
        host: HostName("a"), replica: ReplicaID(high: 0, low: 1))
    private static let b = InSyncReplica(
        host: HostName("b"), replica: ReplicaID(high: 0, low: 2))

    private func record(
        _ epoch: UInt32, run: UInt64 = 1, number: UInt64? = nil, _ set: [InSyncReplica] = [a, b]
    ) -> ClusterRecord {
        ClusterRecord(
            epoch: epoch, primary: set[0].host, inSync: set,
            attempt: SwapAttempt(run: run, number: number ?? UInt64(epoch)))
    }

    private func swap(
        _ old: ClusterRecord, for new: ClusterRecord, floor: UInt64? = nil
    ) -> RecordSwap {
        RecordSwap(purpose: .claim, compared: old, value: new, floor: floor)
    }

    private struct Found: Equatable {
        var record: ClusterRecord?
        var floor: UInt64
    }

    private func read(_ client: EtcdClient) async throws -> Found {
        let reading = try await client.read(by: Self.a.host, number: 1)
        return Found(record: reading.record, floor: reading.floor)
    }

    private func isUnknown(_ answer: EtcdAnswer) -> Bool {
        if case .unknown = answer { true } else { false }
    }

    // MARK: What each request means

    @Test func `compares the whole value, and puts or reads it`() async throws {
        let bench = try await EtcdBench()
        let client = try EtcdClient(bench.settings())
        #expect(try await read(client) == Found(record: nil, floor: 0))
        let early = await client.swap(swap(record(1), for: record(2)))
        #expect(early == .unknown(.noRecord))
        #expect(await client.create(record(1), floor: 90) == .done)
        #expect(await client.create(record(1), floor: 90) == .done)
        #expect(await client.create(record(1, run: 2), floor: 0) == .notDone(record(1)))
        #expect(try await read(client) == Found(record: record(1), floor: 90))

        let lost = swap(record(1, run: 2), for: record(3))
        #expect(await client.swap(lost) == .notDone(record(1)))
        let won = swap(record(1), for: record(2))
        #expect(await client.swap(won) == .done)
        #expect(await client.swap(won) == .done, "sent twice: the value has its attempt")
        #expect(await client.swap(swap(record(2), for: record(4), floor: 5)) == .done)
        #expect(try await read(client) == Found(record: record(4), floor: 5))
        #expect(await client.swap(won) == .notDone(record(4)), "late: nothing changes")
    }

    @Test func `puts the floor while the record is mine and the floor is no higher`() async throws {
        let bench = try await EtcdBench()
        let client = try EtcdClient(bench.settings())
        let mine = record(1)
        _ = await client.create(mine, floor: 0)
        for floor in [9, 10, 100, 100, UInt64.max - 1] {
            #expect(await client.put(FloorPut(compared: mine, sequence: floor)) == .done)
        }
        // An old put that comes late.
        for floor in [0, 9, 100] as [UInt64] {
            #expect(await client.put(FloorPut(compared: mine, sequence: floor)) == .notDone(mine))
        }
        #expect(try await read(client).floor == .max - 1)
        #expect(await client.swap(swap(mine, for: record(2))) == .done)
        let late = await client.put(FloorPut(compared: mine, sequence: .max))
        #expect(late == .notDone(record(2)))
        #expect(try await read(client).floor == .max - 1)
    }

    @Test func `lets one of two swappers win, each time`() async throws {
        let bench = try await EtcdBench()
        let clients = try [
            EtcdClient(bench.settings([0, 1, 2])), EtcdClient(bench.settings([1, 2, 0])),
        ]
        var current = record(1)
        _ = await clients[0].create(current, floor: 0)
        var wins = [0, 0]
        for round in 2...1_001 as ClosedRange<UInt32> {
            let values = [record(round, run: 1, [Self.a]), record(round, run: 2, [Self.b])]
            let swaps = values.map { swap(current, for: $0) }
            async let first = clients[0].swap(swaps[0])
            async let second = clients[1].swap(swaps[1])
            var answers = await [first, second]
            for index in 0...1 where isUnknown(answers[index]) {
                answers[index] = await clients[index].swap(swaps[index])
            }
            let winner = answers[0] == .done ? 0 : 1
            guard answers[winner] == .done, answers[1 - winner] == .notDone(values[winner]) else {
                Issue.record("round \(round): \(answers)")
                return
            }
            wins[winner] += 1
            current = values[winner]
        }
        #expect(wins[0] + wins[1] == 1_000)
        #expect(wins.allSatisfy { $0 > 0 }, "there was a race: \(wins)")
    }

    // MARK: Members that fail

    @Test func `goes on when the leader is killed`() async throws {
        let bench = try await EtcdBench()
        let client = try EtcdClient(bench.settings())
        _ = await client.create(record(1), floor: 0)
        let leader = try await bench.leader()
        bench.kill(leader)
        try await answers(client, swap(record(1), for: record(2)))
        #expect(try await bench.leader() != leader)
        #expect(try await read(client).record == record(2))
    }

    @Test func `goes on when a member is stopped, whichever it asks first`() async throws {
        let bench = try await EtcdBench()
        _ = await (try EtcdClient(bench.settings())).create(record(1), floor: 0)
        let leader = try await bench.leader()
        for (round, stopped) in [leader, (leader + 1) % 3].enumerated() {
            bench.stop(stopped)
            let order = [stopped, (stopped + 1) % 3, (stopped + 2) % 3]
            let client = try EtcdClient(bench.settings(order))
            let epoch = UInt32(round + 1)
            try await answers(client, swap(record(epoch), for: record(epoch + 1)))
            bench.resume(stopped)
            try await eventually("member \(stopped) answers again") {
                await (try EtcdClient(bench.settings([stopped]))).swap(
                    swap(record(epoch), for: record(epoch + 1))) == .done
            }
        }
    }

    @Test func `knows nothing without a majority, and the truth with it`() async throws {
        let bench = try await EtcdBench()
        let client = try EtcdClient(bench.settings())
        _ = await client.create(record(1), floor: 7)
        for index in [0, 1] { bench.stop(index) }
        let next = swap(record(1), for: record(2))
        #expect(isUnknown(await client.swap(next)))
        #expect(isUnknown(await client.put(FloorPut(compared: record(1), sequence: 8))))
        await #expect(throws: EtcdError.self) { try await self.read(client) }
        await #expect(throws: EtcdError.self) {
            try await client.read(by: Self.b.host, number: 1)
        }
        for index in [0, 1] { bench.resume(index) }
        try await answers(client, next)
        let reading = try await read(client)
        #expect(reading.record == record(2))
        #expect(reading.floor == 7 || reading.floor == 8, "the put may have come late")
    }

    @Test func `passes an endpoint that refuses, is silent or answers nonsense`() async throws {
        let bench = try await EtcdBench()
        _ = await (try EtcdClient(bench.settings())).create(record(1), floor: 0)
        let closed = try freePorts(1)[0]
        let (silent, port) = try listeningSocket()
        defer { _ = close(silent) }
        var ports = [closed, port]
        let nonsense = [
            "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"header\":{\"cluster_id\":\"1\"},",
            "HTTP/1.1 200 OK\r\ncontent-length: 34\r\n\r\n"
                + "{\"header\":{\"cluster_id\":\"1\"},\"a\":0}",
            "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "{\"a\":", count: 20_000),
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        ]
        var servers: [CannedServer] = []
        for text in nonsense { servers.append(try CannedServer(text)) }
        ports += servers.map(\.port)
        for port in ports {
            var settings = bench.settings()
            settings.endpoints = [HTTPEndpoint("http://127.0.0.1:\(port)")!]
            let alone = try EtcdClient(settings)
            #expect(isUnknown(await alone.swap(swap(record(1), for: record(9)))))
            settings.endpoints += [bench.endpoint(2)]
            #expect(try await read(try EtcdClient(settings)).record == record(1))
        }
    }

    @Test func `takes no answer of a member that was wiped, until it is added anew`() async throws {
        let bench = try await EtcdBench()
        let client = try EtcdClient(bench.settings())
        _ = await client.create(record(1), floor: 0)
        let wiped = (try await bench.leader() + 1) % 3
        let alone = try EtcdClient(bench.settings([wiped]))
        let other = (wiped + 1) % 3
        bench.kill(wiped)
        bench.wipe(wiped)
        try bench.start(wiped)
        try await eventually("the wiped member refuses to start empty") { bench.hasEnded(wiped) }
        #expect(isUnknown(await alone.swap(swap(record(1), for: record(9)))))
        try await answers(client, swap(record(1), for: record(2)))

        let list = try await client.members()
        #expect(list.count == 3)
        let id = try #require(list.first { $0.name == bench.members[wiped].name }).id
        try bench.control("member", "remove", String(id, radix: 16), at: other)
        let url = "http://127.0.0.1:\(bench.members[wiped].peerPort)"
        try await eventually("the others take it in again") {
            let name = bench.members[wiped].name
            return (try? bench.control("member", "add", name, "--peer-urls=\(url)", at: other))
                != nil
        }
        bench.wipe(wiped)
        try bench.start(wiped, state: "existing")
        try await answers(alone, swap(record(2), for: record(3)))
    }

    // MARK: Values and clusters that are not ours

    @Test func `takes nothing from the etcd of another cluster`() async throws {
        let own = try await EtcdBench(count: 1)
        let id = try await EtcdClient(own.settings()).status(of: own.endpoint(0)).clusterID
        let client = try EtcdClient(own.settings())
        client.expect(id)
        #expect(await client.create(record(1), floor: 0) == .done)
        let stranger = try await EtcdBench(count: 1)
        let found = try await EtcdClient(stranger.settings()).status(of: stranger.endpoint(0))
            .clusterID
        #expect(found != id)
        let wrong = EtcdError.otherCluster(expected: id, found: found)
        let lost = try EtcdClient(stranger.settings())
        lost.expect(id)
        _ = await (try EtcdClient(stranger.settings())).create(record(1), floor: 0)
        // Even where it would be done.
        #expect(await lost.swap(swap(record(1), for: record(2))) == .unknown(wrong))
        #expect(await lost.put(FloorPut(compared: record(2), sequence: 1)) == .unknown(wrong))
        await #expect(throws: wrong) { try await self.read(lost) }
        var settings = own.settings()
        settings.endpoints.insert(stranger.endpoint(0), at: 0)
        let both = try EtcdClient(settings)
        both.expect(id)
        #expect(try await read(both).record == record(1))
    }

    @Test func `takes the etcd that was made in its own's place`() async throws {
        let lost: UInt64 = 0xfeed
        let bench = try await EtcdBench(count: 1)
        let client = try EtcdClient(bench.settings())
        client.expect(lost)
        let first = record(1_001)
        let made = ClusterRecord(
            epoch: first.epoch, primary: first.primary, inSync: first.inSync,
            attempt: first.attempt, replaces: lost)
        #expect(await (try EtcdClient(bench.settings())).create(made, floor: 7) == .done)
        let found = try await client.read(by: HostName("a"), number: 1)
        #expect((found.record, found.floor) == (made, 7))
        #expect(found.cluster != 0 && found.cluster != lost)
        // A swap that compares what the lost one had finds the new record.
        #expect(await client.swap(swap(record(5), for: record(6))) == .notDone(made))
        client.expect(found.cluster)
        #expect(try await read(client) == Found(record: made, floor: 7))
        // Whoever belongs to a third one takes nothing from it.
        client.expect(0xbeef)
        #expect(
            await client.swap(swap(made, for: record(1_002)))
                == .unknown(.otherCluster(expected: 0xbeef, found: found.cluster)))
    }

    @Test func `takes no value that is garbled or of a newer version`() async throws {
        let bench = try await EtcdBench(count: 1)
        let client = try EtcdClient(bench.settings())
        _ = await client.create(record(1), floor: 3)
        let newer = record(1).text.replacing("\"version\":1", with: "\"version\":2")
        let refused: [(String, RecordError)] = [
            ("garbage", .garbled("it is no JSON")), (newer, .newerVersion(2)),
            (record(1).text + " ", .garbled("it is not written as this release writes it")),
            (String(repeating: "x", count: 3_000), .tooLong(3_000)),
        ]
        for (text, why) in refused {
            try bench.control("put", "/bourse/record", text)
            let error = EtcdError.value(key: "/bourse/record", why)
            await #expect(throws: error) { try await self.read(client) }
            #expect(await client.swap(swap(record(1), for: record(2))) == .unknown(error))
            let put = FloorPut(compared: record(1), sequence: 9)
            #expect(await client.put(put) == .unknown(error))
        }
        try bench.control("put", "/bourse/record", record(1).text)
        try bench.control("put", "/bourse/floor", "4")
        await #expect(throws: EtcdError.self) { try await self.read(client) }
        try bench.control("del", "/bourse/floor")
        await #expect(throws: EtcdError.noRecord) { try await self.read(client) }
        let put = FloorPut(compared: record(1), sequence: 9)
        #expect(await client.put(put) == .notDone(record(1)), "a floor is never made by a put")
        try bench.control("put", "/bourse/floor", "00000000000000000004")
        #expect(try await read(client) == Found(record: record(1), floor: 4))
    }

    // MARK: Certificates

    @Test func `speaks to those of its authority only, and they to it`() async throws {
        let folder = try temporaryFolder()
        defer { remove(folder) }
        let authority = try TestAuthority("\(folder)/own")
        let host = try authority.certificates("host", for: "IP:127.0.0.1,DNS:localhost")
        let bench = try await EtcdBench(certificates: host)
        let client = try EtcdClient(bench.settings())
        #expect(await client.create(record(1), floor: 0) == .done)
        var byName = bench.settings()
        byName.endpoints = [HTTPEndpoint("https://localhost:\(bench.members[0].clientPort)")!]
        #expect(try await read(try EtcdClient(byName)).record == record(1))

        // A stranger with a certificate of its own: etcd refuses it.
        let strangers = try TestAuthority("\(folder)/other")
        let stranger = try strangers.certificates("host", for: "IP:127.0.0.1")
        var settings = bench.settings()
        settings.certificates = EtcdCertificates(
            authority: host.authority, certificate: stranger.certificate, key: stranger.key)
        #expect(isUnknown(await (try EtcdClient(settings)).swap(swap(record(1), for: record(2)))))
        // One that trusts another authority: it refuses etcd.
        settings.certificates = EtcdCertificates(
            authority: stranger.authority, certificate: host.certificate, key: host.key)
        await #expect(throws: EtcdError.self) { try await self.read(try EtcdClient(settings)) }
        // None at all.
        settings.endpoints = [HTTPEndpoint("http://127.0.0.1:\(bench.members[0].clientPort)")!]
        settings.certificates = nil
        await #expect(throws: EtcdError.self) { try await self.read(try EtcdClient(settings)) }
        #expect(try await read(client).record == record(1))
    }

    @Test func `refuses an etcd whose certificate is another host's`() async throws {
        let folder = try temporaryFolder()
        defer { remove(folder) }
        let authority = try TestAuthority("\(folder)/own")
        let own = try authority.certificates("own", for: "IP:127.0.0.1")
        let bench = try await EtcdBench(count: 1, certificates: own)
        let client = try EtcdClient(bench.settings())
        #expect(try await read(client).record == nil)
        bench.kill(0)
        bench.certificates = try authority.certificates("other", for: "DNS:other,IP:127.0.0.2")
        try bench.start(0)
        try await eventually("etcd listens, and its certificate is refused") {
            do {
                _ = try await self.read(client)
                throw EtcdBenchError(description: "it was taken")
            } catch let error as EtcdError {
                return error.description.contains("certificate")
            }
        }
        bench.kill(0)
        bench.certificates = own
        try bench.start(0)
        try await eventually("it is taken with its own again") {
            (try? await self.read(client)) != nil
        }
    }

    @Test func `says which settings and files cannot be used`() throws {
        let endpoint = try #require(HTTPEndpoint("https://127.0.0.1:1"))
        #expect(throws: EtcdError.settings("https needs certificates")) {
            try EtcdClient(EtcdSettings(endpoints: [endpoint]))
        }
        #expect(throws: EtcdError.settings("it needs 1 to 16 endpoints")) {
            try EtcdClient(EtcdSettings(endpoints: []))
        }
        #expect(throws: EtcdError.self) {
            try EtcdClient(
                EtcdSettings(
                    endpoints: [endpoint],
                    certificates: EtcdCertificates(
                        authority: "/nowhere/ca", certificate: "/nowhere/c", key: "/nowhere/k")))
        }
        for text in [
            "", "https://", "https://a", "a:1", "ftp://a:1", "http://a:0", "http://a:65536",
            "http://a:1/", "http://::1:1", "http://a b:1", "http://:1",
        ] {
            #expect(HTTPEndpoint(text) == nil)
        }
        for text in ["https://etcd-1.example:2379", "http://[::1]:2379", "http://127.0.0.1:65535"] {
            #expect(HTTPEndpoint(text)?.description == text)
        }
    }

    /// Sends the swap until it is done, as the failover core would.
    private func answers(_ client: EtcdClient, _ swap: RecordSwap) async throws {
        try await eventually("the swap to epoch \(swap.value.epoch) is done") {
            switch await client.swap(swap) {
            case .done: return true
            case .notDone(let record):
                throw EtcdBenchError(description: "it found \(record.text)")
            case .unknown: return false
            }
        }
    }
}
