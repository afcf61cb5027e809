// Goal: the client of the control socket gives the shell what a real process reports, sends again
// what was not carried out, and reports a process as ended when it has, not when its socket closes.

import Coordination
import Failover
import Glibc
import Platform
import Synchronization
import Terms
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct MatchdControlTests {
    @Test func `sends orders again until they are carried out, and sees the end of the process`()
        async throws
    {
        let world = try ControlWorld()
        // The first process closes its connection at the first order, once.
        try world.start(process: 1, mode: "drop")
        try await eventually("matchd follows, although the first order was lost") {
            world.shell.status.report?.state == .following(isConfirmed: true)
        }
        #expect(world.shell.status.controlFault == nil)
        #expect(world.changes == [.followed])

        // The socket is gone and the process is not: nothing has ended.
        try world.signal("close")
        try await eventually("the connection is lost") {
            world.shell.status.controlFault != nil
        }
        try await Task.sleep(for: .milliseconds(300))
        #expect(world.shell.status.report?.process == ProcessNumber(1))
        #expect(world.changes == [.followed])

        try world.kill()
        try await eventually("its end is seen") { world.shell.status.report == nil }
        #expect(world.changes == [.followed, .reaped])

        // The next one is given no order that named the first.
        try world.start(process: 2, mode: "serve")
        try await eventually("the next process follows") {
            world.shell.status.report?.process == ProcessNumber(2)
                && world.shell.status.report?.state == .following(isConfirmed: true)
        }
        #expect(world.changes == [.followed, .reaped, .followed])
        #expect(try world.orders.allSatisfy { $0.contains("\"process\":\"000000000000000") })
        #expect(try world.orders.last?.contains("\"process\":\"0000000000000002\"") == true)
        await world.stop()
    }

    @Test(arguments: ["nonsense", "endless"])
    func `takes nothing from a process that sends no reports, and says so`(mode: String)
        async throws
    {
        let world = try ControlWorld()
        try world.start(process: 1, mode: mode)
        let why = mode == "nonsense" ? "a line is no report of this version" : "a line is too long"
        try await eventually("it says why") {
            world.shell.status.controlFault == "matchd's control socket: \(why)"
        }
        #expect(world.shell.status.report == nil)
        try world.kill()
        try world.start(process: 2, mode: "serve")
        try await eventually("the next one is heard") { world.shell.status.report != nil }
        await world.stop()
    }
}

/// A shell whose record is in memory, and a process in matchd's place at a real socket.
final class ControlWorld: FailoverHost, @unchecked Sendable {  // One test uses it, step by step.
    private struct Record: RecordStore {
        let record = ClusterRecord(
            epoch: 1, primary: HostName("b"),
            inSync: [
                InSyncReplica(host: HostName("a"), replica: ReplicaID(high: 0, low: 1)),
                InSyncReplica(host: HostName("b"), replica: ReplicaID(high: 0, low: 2)),
            ], attempt: SwapAttempt(run: 1, number: 1))

        func swap(_ swap: RecordSwap) async -> EtcdAnswer { .notDone(record) }
        func put(_ floor: FloorPut) async -> EtcdAnswer { .notDone(record) }
        func read(by host: HostName, number: UInt64) async throws(EtcdError) -> EtcdReading {
            EtcdReading(record: record, floor: 0, cluster: 1)
        }
        func expect(_ cluster: UInt64) {}
    }

    let folder: String
    private(set) var shell: FailoverShell!
    private let control: MatchdControlClient
    private let noted = Mutex<[FailoverTransition]>([])
    private var process: pid_t = 0

    init() throws {
        folder = try temporaryFolder()
        control = MatchdControlClient(path: "\(folder)/control")
        var timing = FailoverTiming()
        timing.graceNanos = 3_600_000_000_000  // No claim: the peer is only in the record.
        shell = FailoverShell(
            FailoverSettings(host: HostName("a"), peer: HostName("b"), timing: timing), run: 7,
            store: Record(), host: self)
        shell.start()
        control.start(feeding: shell)
    }

    var changes: [FailoverTransition] { noted.withLock { $0 } }

    /// The lines that processes were sent.
    var orders: [String] {
        get throws {
            let text = try Program.run("/bin/cat", ["\(folder)/orders"], secondsMax: 60).output
            return text.split(separator: "\n").map(String.init)
        }
    }

    func start(process number: Int, mode: String) throws {
        process = try spawn(
            "/usr/bin/python3", ["-c", Self.matchd, folder, String(number), mode],
            log: "\(folder)/log")
    }

    func signal(_ what: String) throws {
        _ = try Program.run("/usr/bin/touch", ["\(folder)/\(what)"], secondsMax: 60)
    }

    func kill() throws {
        _ = Glibc.kill(process, SIGKILL)
        var status: Int32 = 0
        unsafe waitpid(process, &status, 0)
        process = 0
    }

    func stop() async {
        control.stop()
        await shell.stop()
        if process > 0 { try? kill() }
        remove(folder)
    }

    func dropAddress() {}
    func leaveAddress() {}
    func takeAddress() {}
    func send(_ order: MatchdOrder) { control.send(order) }
    func reportReaped(epoch: UInt32) {}
    func log(_ change: FailoverChange) { noted.withLock { $0.append(change.transition) } }
    func reconcileWallet(epoch: UInt32) async {}

    /// Listens at `control`, reports, and carries out an order to follow.
    private static let matchd = """
        import json, os, socket, sys, time
        folder, process, mode = sys.argv[1:]
        path = folder + "/control"
        report = {
            "process": "%016x" % int(process), "ordersRun": "0" * 16, "ordersDone": 0,
            "state": "recovered", "epoch": 0, "replica": "%032x" % 1, "promise": 1,
            "cluster": "0" * 16, "end": 9,
            "endEpoch": 1, "durable": 9, "commitPoint": 9, "oldestWaiting": None,
            "heardAt": None, "isHandedOver": False, "epochStart": 0, "requirement": None,
            "holdsLease": False, "isLinkOpen": False, "isIntakeHeld": False, "peer": None,
        }
        if os.path.exists(path): os.unlink(path)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        while True:
            peer, _ = server.accept()
            peer.settimeout(0.02)
            text = b""
            while peer:
                if os.path.exists(folder + "/close"):
                    os.unlink(folder + "/close")
                    server.close()
                    os.unlink(path)
                    peer.close()
                    time.sleep(3600)
                try:
                    if mode == "endless": peer.sendall(b"x" * 1000)
                    else:
                        line = "{}" if mode == "nonsense" else json.dumps(report)
                        peer.sendall(line.encode() + b"\\n")
                    text += peer.recv(65536) or b"\\0"
                except TimeoutError: continue
                except OSError: break
                if text.endswith(b"\\0"): break
                while b"\\n" in text:
                    line, text = text.split(b"\\n", 1)
                    if mode == "drop":
                        mode = "serve"
                        peer.close()
                        peer = None
                        break
                    with open(folder + "/orders", "ab") as file: file.write(line + b"\\n")
                    order = json.loads(line)
                    assert order["process"] == report["process"], order
                    if order["action"] == "belong": report["cluster"] = order["cluster"]
                    else:
                        assert order["action"] == "follow", order
                        report["state"] = "following"
                        report["epoch"] = report["promise"] = order["epoch"]
                    report["ordersRun"], report["ordersDone"] = order["run"], order["number"]
        """
}
