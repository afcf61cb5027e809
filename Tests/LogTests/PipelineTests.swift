// The way of a command through matchd's threads, over real sockets into a real journal.

import Engine
import Follower
import Glibc
import Journal
import Link
import Pipeline
import Platform
import Secrets
import Synchronization
import Terms
import Testing
import Wire

@Suite(.serialized) struct PipelineTests {
    @Test func `what was acknowledged is there after a restart`() throws {
        let place = try PipelinePlace()
        let first = try RunningPipeline(place)
        var desk = try TestDesk(first.connect(), "desk")
        try desk.prepare()
        var order = OrderID(0)
        for price in 1...50 {
            let ack = try desk.submit(TestDesk.place(Int64(price)))
            #expect(ack.refusal == .none && ack.isLogged)
            order = OrderID(ack.id)
        }
        let end = try first.stop()
        let second = try RunningPipeline(place)
        #expect(second.pipeline.applied == end.sequence)
        // The session goes on where it was.
        desk = try Self.again(desk, second)
        let cancel = Cancel(account: AccountID(1), instrument: InstrumentID(1), order: order)
        #expect(try desk.submit(cancel).refusal == .none)
        #expect(try desk.submit(cancel).refusal == .orderUnknown)
        try second.stop()
    }

    /// The same session on a new connection.
    static func again(_ desk: TestDesk, _ running: RunningPipeline) throws -> TestDesk {
        let client = try running.connect()
        let session = try client.session(of: try #require(Text40("desk")))
        #expect(session.id == desk.session)
        #expect(session.lastNumber == desk.number)
        return TestDesk(client, session: desk.session, number: desk.number)
    }

    @Test func `a repeated, a skipped and a stranger's number do not enter the log`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let before = running.pipeline.applied
        let again = try client.execute(
            TestDesk.place(1), session: desk.session, number: desk.number)
        #expect(again.refusal == .duplicateCommand && !again.isLogged)
        let gap = try client.execute(
            TestDesk.place(1), session: desk.session, number: desk.number + 2)
        #expect(gap.refusal == .sessionGap && !gap.isLogged)
        let other = try client.execute(TestDesk.place(1), session: SessionID(99), number: 1)
        #expect(other.refusal == .sessionUnknown && !other.isLogged)
        #expect(running.pipeline.applied == before)
        #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `nothing is acknowledged before it is on disk`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        running.sink.isStalled.store(true, ordering: .releasing)
        var out = LinkEncoder()
        out.submit(session: desk.session, number: desk.number + 1, TestDesk.place(1))
        try client.send(&out)
        // It is applied meanwhile: only the answer is held.
        #expect(becomes { running.pipeline.applied > running.pipeline.durable })
        let early = try client.receive(timeoutNanos: 200_000_000)
        #expect(early == nil)
        running.sink.isStalled.store(false, ordering: .releasing)
        guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
            Issue.record("an acknowledgement was due")
            return
        }
        #expect(acks.count == 1 && acks[0].refusal == .none)
        try running.stop()
    }

    @Test func `a quiet journal's last mark shows that all of it is released`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        for round in 0..<3 {
            try desk.submit(TestDesk.place(100 + Int64(round)))
            var found = try Journal.inspect(directory: place.path + "/journal")
            _ = try becomes {
                found = try Journal.inspect(directory: place.path + "/journal")
                return found.commitPoint == found.lastSequence
            }
            #expect(found.lastSequence == running.pipeline.released)
            #expect(found.commitPoint == found.lastSequence)
        }
        try running.stop()
    }

    @Test func `nothing is released before the peers have it`() throws {
        let peer = PipelineSetTests.leading()
        let running = try RunningPipeline(try PipelinePlace()) { $0.inSync = peer }
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let held = running.pipeline.applied
        #expect(peer.require(PipelineSetTests.replica) == held)
        let feed = try running.connect("follower", wantsAcks: false)
        var follower = Follower(feed.welcome)
        try follow(feed, &follower, to: held)
        var out = LinkEncoder()
        out.submit(session: desk.session, number: desk.number + 1, TestDesk.place(1))
        try client.send(&out)
        #expect(becomes { running.pipeline.durable == held + 1 })
        #expect(try client.receive(timeoutNanos: 200_000_000) == nil)
        while let frame = try feed.receive(timeoutNanos: 1_000_000) {
            _ = unsafe try follower.receive(frame) { _, _, _, _ in }
        }
        #expect(follower.engine.sequence == held)
        peer.acknowledge(PipelineSetTests.acknowledgement(held + 1))
        guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
            Issue.record("an acknowledgement was due")
            return
        }
        #expect(acks.first?.sequence == held + 1)
        #expect(peer.require(nil) == held + 1)
        try running.stop()
    }

    @Test func `after a failed sync nothing more is released`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        running.sink.isBroken.store(true, ordering: .releasing)
        #expect(throws: LinkError.self) {
            try client.execute(
                TestDesk.place(1), session: desk.session, number: desk.number + 1,
                timeoutNanos: 2_000_000_000)
        }
        #expect(becomes { running.faults.count.load(ordering: .relaxed) == 1 })
        try running.stop()
    }

    @Test func `below the disk reserve only cancels are taken`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let order = OrderID(try desk.submit(TestDesk.place(5)).id)
        running.sink.isFull.store(true, ordering: .releasing)
        #expect(becomes { running.pipeline.isBelowReserve })
        let before = running.pipeline.applied
        let refused = try desk.submit(TestDesk.place(6))
        #expect(refused.refusal == .diskReserve && !refused.isLogged)
        #expect(running.pipeline.applied == before)
        desk.number -= 1
        let cancel = Cancel(account: AccountID(1), instrument: InstrumentID(1), order: order)
        #expect(try desk.submit(cancel).refusal == .none)
        #expect(try client.status().isBelowReserve)
        try running.stop()
    }

    @Test func `a follower has the same state as matchd, from the first record on`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        let client = try running.connect("follower", wantsAcks: false)
        var follower = Follower(client.welcome)
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        for price in 1...300 { try desk.submit(TestDesk.place(Int64(price % 40 + 1))) }
        let status = try desk.client.status()
        var sequences: [UInt64] = []
        try follow(client, &follower, to: status.released) { header, _ in
            sequences.append(header.sequence)
        }
        #expect(sequences == Array(1...status.released))
        #expect(status.hashMark > 0)
        #expect(status.followers == 0 || status.followers == 1)
        let end = try running.stop()
        #expect(end.sequence >= follower.engine.sequence)
        while follower.engine.sequence < end.sequence,
            let frame = try? client.receive(timeoutNanos: 1_000_000_000)
        {
            _ = unsafe try follower.receive(frame) { _, _, _, _ in }
        }
        #expect(follower.engine.sequence == end.sequence)
        #expect(follower.engine.stateHash() == end.hash)
    }

    @Test func `what the process before wrote is read once for a follower`() throws {
        let place = try PipelinePlace()
        let first = try RunningPipeline(place)
        var desk = try TestDesk(first.connect(), "desk")
        try desk.prepare()
        // Each has a group commit of its own.
        for price in 1...200 { try desk.submit(TestDesk.place(Int64(price % 40 + 1))) }
        let end = try first.stop()
        for goesOn in [false, true] {
            let second = try RunningPipeline(place)
            if goesOn {
                desk = try Self.again(desk, second)
                for price in 1...20 { try desk.submit(TestDesk.place(Int64(price))) }
            }
            let client = try second.connect("follower", wantsAcks: false)
            let released = try client.status().released
            #expect(released >= end.sequence)
            var follower = Follower(client.welcome)
            try follow(client, &follower, to: released)
            #expect(second.history.readers.load(ordering: .relaxed) == 1)
            try second.stop()
        }
    }

    @Test func `a late follower gets a snapshot and the log behind it`() throws {
        let place = try PipelinePlace()
        let first = try RunningPipeline(place)
        var desk = try TestDesk(first.connect(), "desk")
        try desk.prepare()
        for price in 1...100 { try desk.submit(TestDesk.place(Int64(price))) }
        let end = try first.stop(snapshot: true)
        let second = try RunningPipeline(place)
        desk = try Self.again(desk, second)
        for price in 1...20 { try desk.submit(TestDesk.place(Int64(price))) }
        let client = try second.connect("follower", wantsAcks: false)
        let released = try client.status().released
        var follower = Follower(client.welcome)
        var firstRecord: UInt64?
        try follow(client, &follower, to: released) { header, _ in
            if firstRecord == nil { firstRecord = header.sequence }
        }
        #expect(firstRecord == end.sequence + 1)
        // One that wants history begins before it.
        let other = try second.connect("history", wantsAcks: false)
        var early = Follower(other.welcome, snapshotAtMost: end.sequence - 1)
        var count: UInt64 = 0
        try follow(other, &early, to: released) { _, _ in count += 1 }
        #expect(count == released)
        #expect(early.engine.stateHash() == follower.engine.stateHash())
        // One that was here before goes on where it was.
        let last = try desk.submit(TestDesk.place(1))
        let third = try second.connect("again", wantsAcks: false)
        try follower.reconnected(third.welcome)
        var seen: [UInt64] = []
        try follow(third, &follower, to: last.sequence) { header, _ in seen.append(header.sequence)
        }
        #expect(seen.first == released + 1)
        try second.stop()
    }

    @Test func `a follower that reads slowly loses nothing and delays nobody`() throws {
        // It reads nothing while the load lasts, however long that is.
        let running = try RunningPipeline(try PipelinePlace()) { $0.stallNanos = 20 * patience }
        let slow = try running.connect("slow", wantsAcks: false)
        var follower = Follower(slow.welcome)
        try slow.send(follower.subscription)
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        // Much more than the ring and the socket's buffers hold.
        let total = 40_000
        var out = LinkEncoder()
        var (sent, acked) = (0, 0)
        while acked < total {
            while sent < total, sent - acked < 2_000 {
                sent += 1
                out.submit(
                    session: desk.session, number: desk.number + UInt64(sent),
                    TestDesk.place(Int64(sent % 2 == 0 ? 1 : 2)))
            }
            try client.send(&out)
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                Issue.record("acknowledgements were due")
                return
            }
            acked += acks.count
        }
        let released = try client.status().released
        while follower.engine.sequence < released {
            guard let frame = try slow.receive(timeoutNanos: patience) else {
                Issue.record("nothing more came after \(follower.engine.sequence)")
                return
            }
            _ = unsafe try follower.receive(frame) { _, _, _, _ in }
        }
        #expect(follower.engine.sequence >= released)
        try running.stop()
    }

    @Test func `what is not well formed closes its connection and no other`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        var random = LinkFuzz()
        for round in 0..<60 {
            let raw = try RawLink(running.place.socket)
            if round % 3 > 0 {
                var hello = LinkEncoder()
                hello.append(.hello(LinkHello(wantsAcks: true, name: try #require(Text40("x")))))
                raw.send(hello.take())
            }
            switch round % 6 {
            case 0: raw.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
            case 1: raw.send([0xFF, 0xFF, 0xFF, 0x7F, 3, 0, 0, 0])
            case 2: raw.send((0..<random.below(4000)).map { _ in UInt8(random.below(256)) })
            case 3: raw.send([40, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
            case 4:
                // A command that is none for writers.
                var out = LinkEncoder()
                out.submit(session: SessionID(1), number: 1, Tick())
                raw.send(out.take())
            default:
                // Half a frame, and then nothing more.
                raw.send([64, 0, 0, 0, 3, 0, 0, 0, 1])
            }
            raw.finish()
            #expect(raw.readToEnd(), "round \(round), \(random.replay)")
        }
        #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `another version is refused with what to do`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let raw = try RawLink(running.place.socket)
        var hello = LinkEncoder()
        hello.append(
            .hello(LinkHello(version: 99, wantsAcks: true, name: try #require(Text40("x")))))
        raw.send(hello.take())
        var decoder = LinkDecoder()
        decoder.receive(raw.readAll())
        guard case .error(let refusal) = try decoder.next() else {
            Issue.record("an error was due")
            return
        }
        #expect(refusal.code == .version)
        #expect(refusal.text.contains("install the same version"))
        try running.stop()
    }

    @Test func `over TCP only who has the key comes in`() throws {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        let wrong = try #require(LinkKey(SecretBytes([UInt8](repeating: 8, count: 32))))
        let running = try RunningPipeline(try PipelinePlace(), tcpKey: key)
        let port = running.listeners[1].port
        let name = try #require(Text40("remote"))
        let good = try LinkClient.connect(host: "127.0.0.1", port: port, key: key, name: name)
        #expect(try good.status().released == 1)
        #expect {
            _ = try LinkClient.connect(host: "127.0.0.1", port: port, key: wrong, name: name)
        } throws: { error in
            guard case .refused(let refusal) = error as? LinkError else { return false }
            return refusal.code == .access
        }
        try running.stop()
    }

    @Test func `a gateway submits what traders ask for, and no administration`() throws {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        let running = try RunningPipeline(
            try PipelinePlace(), tcpKey: key, rulesKnown: SetRules.next)
        var own = try TestDesk(running.connect(), "operator/own")
        try own.prepare()
        func remote() throws -> LinkClient {
            try LinkClient.connect(
                host: "127.0.0.1", port: running.listeners[1].port, key: key,
                name: try #require(Text40("remote")))
        }
        var desk = try TestDesk(remote(), "gateway/1")
        let (account, instrument) = (AccountID(1), InstrumentID(1))
        let audit = Audit(operatorName: try #require(Text40("eve")), reason: "theft")
        let text = try #require(Text16("EVE"))
        let network = SetNetwork(
            asset: AssetID(1), network: NetworkID(1), confirmations: 1, minimum: Amount(units: 1),
            fee: .zero, name: text, audit: audit)
        for _ in 0..<20_000 where running.pipeline.rules < SetRules.next { usleep(1_000) }
        let wide = AddAPIKey(
            account: account, permissions: [.withdraw, .withdrawAnywhere], algorithm: .ed25519,
            keyID: try #require(Text64("wide")), sealedSecret: [1], audit: audit)
        #expect(try own.submit(network).refusal == .none)
        #expect(try own.submit(wide).refusal == .none)
        let request = RequestWithdrawal(
            account: account, asset: AssetID(1), network: NetworkID(1), amount: Amount(units: 1),
            address: try #require(Text64("place")), keyID: wide.keyID)
        var byOperator = request
        byOperator.requester = audit.operatorName
        let cancel = Cancel(account: account, instrument: instrument, order: OrderID(1))
        let traders: [any CommandPayload] = [
            TestDesk.place(1),
            Amend(
                account: account, instrument: instrument, order: OrderID(1), price: Price(ticks: 2)
            ),
            CancelReplace(stopOnFailure: true, cancel: cancel, place: TestDesk.place(3)),
            Cancel(account: account, instrument: instrument, order: OrderID(2)),
            MassCancel(account: account), AssignAddress(account: account, network: NetworkID(1)),
            request, CancelWithdrawal(account: account, withdrawal: WithdrawalID(1)),
        ]
        for command in traders {
            #expect(try desk.submit(command).refusal == .none, "\(command)")
        }
        let transaction = TransactionID(high: 1, low: 2)
        var operators: [any CommandPayload] = [
            SetAsset(code: text, scale: 8, audit: audit),
            SetInstrument(
                symbol: text, base: AssetID(1), quote: AssetID(2), tickMantissa: 1, tickScale: 2,
                lotUnits: 1000, priceMax: Price(ticks: 1 << 32),
                quantityMax: Quantity(lots: 1 << 40), audit: audit),
            SetInstrumentState(instrument: instrument, state: .halt, audit: audit),
            SetFees(
                tier: 0, maker: FeeRate(e8: 0), taker: FeeRate(e8: 0), audit: audit),
            OpenAccount(name: try #require(Text40("eve")), audit: audit),
            SetAccountLimits(account: account, audit: audit),
            SetAccountTier(account: account, tier: 0, audit: audit),
            SetKillSwitch(account: account, isOn: true, audit: audit),
            AdjustBalance(
                account: account, asset: AssetID(1), amount: Amount(units: 1),
                reference: try #require(Text64("theft")), audit: audit),
            AddAPIKey(
                account: account, permissions: .trade, algorithm: .ed25519,
                keyID: try #require(Text64("eve")), sealedSecret: [], audit: audit),
            RevokeAPIKey(keyID: try #require(Text64("eve")), audit: audit),
            SetReferencePrice(instrument: instrument, price: Price(ticks: 5), audit: audit),
            TransferFees(
                account: account, asset: AssetID(1), amount: Amount(units: 1),
                reference: try #require(Text64("fees")), audit: audit),
            RaiseLimits(limits: .small, audit: audit),
            SetOrderLimits(account: account, instrument: instrument, audit: audit),
            CreditDeposit(
                account: account, asset: AssetID(1), transactionHigh: 1, transactionLow: 2,
                output: 3, amount: Amount(units: 4)),
            MassCancel(account: AccountID(0)), network, byOperator,
            DecideWithdrawal(withdrawal: WithdrawalID(1), approves: true, audit: audit),
            ResumeWithdrawals(asset: AssetID(1), audit: audit),
            NoteDeposit(
                account: account, asset: AssetID(1), network: NetworkID(1),
                transaction: transaction, output: 1, amount: Amount(units: 1), confirmations: 1,
                status: .pending),
            SignWithdrawals(
                asset: AssetID(1), network: NetworkID(1), transaction: transaction,
                withdrawals: [WithdrawalID(1)], bytes: [1]),
            SettleTransaction(
                transaction: transaction, costAsset: AssetID(1), cost: .zero, block: 1),
            DropTransaction(transaction: transaction),
            StopWithdrawals(asset: AssetID(1), reason: "theft"),
            SetChain(
                network: NetworkID(1), firstBlock: 1, chain: try #require(Text40("regtest")),
                key: "xpub", audit: audit),
            CheckBlock(
                network: NetworkID(1), addresses: 0, height: 1, block: BlockID(high: 0, low: 1),
                chainRecord: 1),
        ]
        operators += OperatorIngressTests.commands(audit)
        let kinds = (traders + operators).map { type(of: $0).kind }
        let others: Set<CommandKind> = [
            .genesis, .tick, .hashMark, .epochMark, .setRules, .voidSequence, .openSession,
            .closeSession,
        ]
        #expect(Set(kinds).union(others) == Set(CommandKind.allCases), "none is forgotten")

        let released = try own.client.status().released
        func isDenied(_ work: (LinkClient) throws -> Void) throws -> Bool {
            do {
                try work(try remote())
            } catch LinkError.refused(let refusal) {
                return refusal.code == .access && refusal.text.contains("operator_users")
            }
            return false
        }
        for command in operators {
            #expect(
                try isDenied {
                    _ = try $0.execute(command, session: desk.session, number: desk.number + 1)
                }, "\(command)")
        }
        // Nor may it become an operator in the log, or shut one out.
        let name = try #require(Text40("operator/own"))
        #expect(try isDenied { _ = try $0.openSession(name) })
        #expect(
            try isDenied {
                _ = try $0.execute(
                    TestDesk.place(1), session: own.session, number: own.number + 1)
            })
        #expect(try own.client.status().released == released, "nothing of it is in the log")
        #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
        #expect(try own.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `a session moves to the connection that submits in it last`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let old = try running.connect()
        var desk = try TestDesk(old, "desk")
        try desk.prepare()
        var moved = TestDesk(
            try running.connect(), session: desk.session, number: desk.number)
        #expect(try moved.submit(TestDesk.place(1)).refusal == .none)
        #expect(throws: LinkError.self) { try desk.submit(TestDesk.place(2)) }
        #expect(try moved.submit(TestDesk.place(3)).refusal == .none)
        try running.stop()
    }

    @Test func `more connections than the limit are turned away`() throws {
        let running = try RunningPipeline(try PipelinePlace()) { $0.connectionsMax = 2 }
        let first = try running.connect()
        let second = try running.connect()
        #expect(throws: LinkError.self) { try running.connect() }
        #expect(try first.status().connections == 2)
        #expect(try second.status().connectionsMax == 2)
        try running.stop()
    }
}

/// A socket without the Link's manners.
final class RawLink {
    let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: Array(path.utf8))
        }
        let connected = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { throw SystemError.last("connect to", path) }
        limitReading()
    }

    /// Over TCP to a port of this host, from 127.0.0.`source`.
    init(port: UInt16, source: UInt32 = 1) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0000 + source).bigEndian
        _ = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw SystemError.last("connect to", "port \(port)") }
        limitReading()
    }

    private func limitReading() {
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        _ = unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) {
        _ = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// Says that nothing more comes.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// All that comes until the other side closes.
    func readAll() -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let got = unsafe recv(descriptor, &buffer, buffer.count, 0)
            guard got > 0 else { return all }
            all += buffer[0..<got]
        }
    }

    /// Whether the other side closed before the time was up.
    func readToEnd() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let got = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if got == 0 { return true }
            if got < 0 { return errno == ECONNRESET }
        }
    }
}
