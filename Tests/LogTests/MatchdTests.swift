// A real matchd, killed at any moment under load: what it acknowledged is there, once.

import Engine
import Follower
import Glibc
import Journal
import Link
import Platform
import Terms
import Testing
import Wire

/// A matchd process on a state directory.
final class MatchdProcess {
    let id: pid_t
    private var isRunning = true

    /// The program beside the tests' own.
    static var program: String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(
            decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let beside = [own, CommandLine.arguments.first ?? ""].compactMap {
            Directory.parent(of: $0).map { Directory.join($0, "bourse-matchd") }
        }
        return beside.first { Directory.exists($0) }
    }

    /// `environment` is added to this process's own; what it says goes to the file `log`.
    init(
        _ program: String, _ arguments: [String], environment more: [String] = [],
        log: String = "/dev/null"
    ) throws {
        var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map {
            unsafe strdup($0)
        }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(
            &actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let variables: [UnsafeMutablePointer<CChar>?] = unsafe more.map { unsafe strdup($0) }
        defer { unsafe variables.forEach { unsafe free($0) } }
        var all = unsafe variables
        var next = unsafe environ
        while let variable = unsafe next.pointee {
            unsafe all.append(variable)
            unsafe next += 1
        }
        unsafe all.append(nil)
        var child: pid_t = 0
        let failed = unsafe posix_spawn(&child, program, &actions, nil, words, all)
        guard failed == 0 else {
            throw SystemError(code: failed, operation: "start", path: program)
        }
        id = child
    }

    deinit { if isRunning { end(SIGKILL) } }

    /// Sends a signal, and waits until it has ended; gives its exit status, or nil after a signal.
    @discardableResult func end(_ signal: Int32) -> Int32? {
        kill(id, signal)
        return wait()
    }

    func wait() -> Int32? {
        var status: Int32 = 0
        while unsafe waitpid(id, &status, 0) < 0, errno == EINTR {}
        isRunning = false
        return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
    }
}

/// A state directory with a configuration.
func matchdPlace(_ more: String = "") throws -> PipelinePlace {
    let place = try PipelinePlace()
    let text = """
        [limits]
        assets = 8
        instruments = 8
        accounts = 64
        open_orders = 100000
        api_keys = 64
        sessions = 16
        fee_tiers = 8
        [matchd]
        socket = "match.sock"
        segment_mib = 1
        reserve_mib = 1
        hash_every = 1000
        \(more)
        """
    let file = place.path + "/bourse.toml"
    try File(file, .create).write(Array(text.utf8))
    let limits = EngineLimits(
        assets: 8, instruments: 8, accounts: 64, openOrders: 100_000, apiKeys: 64, sessions: 16,
        feeTiers: 8, orderLimits: 64, references: 1_024, turnSteps: 512)
    _ = try Journal.begin(
        place.journal, limits: limits,
        snapshots: SnapshotStore(directory: place.path + "/snapshots"),
        options: JournalOptions(segmentBytes: 1 << 20))
    return place
}

extension PipelinePlace {
    /// The journal as a matchd with `bourse.toml` in this directory has it.
    var journal: JournalPlace {
        JournalPlace(
            directory: path + "/journal", state: path, runtime: path,
            configuration: path + "/bourse.toml")
    }
}

func connect(_ place: PipelinePlace, wantsAcks: Bool = true) throws -> LinkClient {
    let name = try #require(Text40("test"))
    for _ in 0..<6_000 {
        if let client = try? LinkClient.connect(
            unix: place.socket, name: name, wantsAcks: wantsAcks)
        {
            return client
        }
        usleep(10_000)
    }
    return try LinkClient.connect(unix: place.socket, name: name, wantsAcks: wantsAcks)
}

@Suite(.serialized) struct MatchdTests {
    @Test func `kill -9 under load loses nothing that was acknowledged and doubles nothing`() throws
    {
        guard let program = MatchdProcess.program else {
            Issue.record("bourse-matchd is not beside the tests: build all products first")
            return
        }
        var random = LinkFuzz()
        let place = try matchdPlace()
        let arguments = ["--config", place.path + "/bourse.toml"]
        var process = try MatchdProcess(program, arguments)
        var client = try connect(place)
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let session = desk.session
        /// Order ids by the number of the command that was acknowledged.
        var acknowledged: [UInt64: UInt64] = [:]
        var sent = desk.number
        let firstNumber = sent + 1
        for round in 0..<8 {
            let killAt = acknowledged.count + 500 + random.below(3_000)
            var out = LinkEncoder()
            do {
                while acknowledged.count < killAt {
                    while sent + 1 - firstNumber - UInt64(acknowledged.count) < 512 {
                        sent += 1
                        out.submit(
                            session: session, number: sent, TestDesk.place(Int64(sent % 50 + 1)))
                    }
                    try client.send(&out)
                    if let frame = try client.receive(timeoutNanos: patience),
                        case .acks(let acks) = frame
                    {
                        for ack in acks {
                            #expect(ack.refusal == .none && ack.isLogged)
                            acknowledged[ack.number] = ack.id
                        }
                    }
                }
            }
            process.end(SIGKILL)
            // What it still had sent counts: it was acknowledged.
            while let frame = try? client.receive(timeoutNanos: 0) {
                if case .acks(let acks) = frame {
                    for ack in acks { acknowledged[ack.number] = ack.id }
                }
            }
            process = try MatchdProcess(program, arguments)
            client = try connect(place)
            let view = try client.session(of: try #require(Text40("desk")))
            #expect(view.id == session)
            let highest = acknowledged.keys.max() ?? 0
            #expect(view.lastNumber >= highest, "round \(round): \(random.replay)")
            #expect(view.lastNumber <= sent)
            // The rest is sent again, with numbers that are in the log among it.
            var number = min(view.lastNumber, highest + 1)
            while number < sent {
                number += 1
                out.submit(session: session, number: number, TestDesk.place(Int64(number % 50 + 1)))
            }
            try client.send(&out)
            while acknowledged[sent] == nil {
                guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                    Issue.record("acknowledgements were due")
                    return
                }
                for ack in acks where ack.isLogged { acknowledged[ack.number] = ack.id }
                if acks.contains(where: { $0.number == sent }) { break }
            }
            // Those that were in the log without an acknowledgement have the ids between.
            let base = acknowledged[firstNumber] ?? 0
            for (number, id) in acknowledged {
                #expect(id == base + number - firstNumber, "each command once, in order")
            }
            for number in firstNumber...sent { acknowledged[number] = base + number - firstNumber }
        }
        // A replica from the log says the same.
        let feed = try connect(place, wantsAcks: false)
        var follower = Follower(feed.welcome)
        try follow(feed, &follower, to: try client.status().released)
        #expect(follower.engine.openOrderCount == acknowledged.count)
        for id in acknowledged.values { #expect(follower.engine.order(OrderID(id)) != nil) }
        #expect(follower.engine.checkInvariants() == nil)
        #expect(process.end(SIGTERM) == 0)
    }

    @Test func `a second instance on the same state ends with an error`() throws {
        guard let program = MatchdProcess.program else {
            Issue.record("bourse-matchd is not beside the tests: build all products first")
            return
        }
        let place = try matchdPlace()
        let arguments = ["--config", place.path + "/bourse.toml"]
        let first = try MatchdProcess(program, arguments)
        _ = try connect(place)
        let second = try MatchdProcess(program, arguments)
        #expect(second.wait() == 1)
        _ = try connect(place).status()
        #expect(first.end(SIGTERM) == 0)
        // It left a snapshot, so the next start replays nothing.
        #expect(try !Directory.names(in: place.path + "/snapshots").isEmpty)
    }

    @Test func `other limits than the journal's change nothing, a wrong configuration ends it`()
        throws
    {
        guard let program = MatchdProcess.program else {
            Issue.record("bourse-matchd is not beside the tests: build all products first")
            return
        }
        let place = try matchdPlace()
        let first = try MatchdProcess(program, ["--config", place.path + "/bourse.toml"])
        _ = try connect(place)
        #expect(first.end(SIGTERM) == 0)
        let other = place.path + "/other.toml"
        try File(other, .create).write(
            Array("[limits]\naccounts = 65\n[matchd]\nsocket = \"match.sock\"\n".utf8))
        let second = try MatchdProcess(program, ["--config", other])
        _ = try connect(place).status()
        #expect(second.end(SIGTERM) == 0)
        #expect(try MatchdProcess(program, ["--config", place.path + "/none.toml"]).wait() == 78)
        #expect(try MatchdProcess(program, ["--frob"]).wait() == 64)
    }
}
