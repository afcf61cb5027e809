// Goal: the pipeline has what a standby needs: records before release, one release point that never
// goes back, a set and an epoch that change while it runs, and nobody who goes back to an old term.

import Engine
import Failover
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

@Suite(.serialized) struct PipelineTermTests {
    private static func code(_ work: () throws -> Void) -> LinkRefusal.Code? {
        do { try work() } catch LinkError.refused(let refusal) { return refusal.code } catch {}
        return nil
    }

    /// Takes all that is sealed now; gives the sequences.
    private static func take(_ feed: SealedFeed) -> (sequences: [UInt64], isBehind: Bool) {
        var sequences: [UInt64] = []
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 8)
        defer { unsafe room.deallocate() }
        while true {
            let taken = unsafe feed.take(into: room)
            switch taken {
            case .none: return (sequences, false)
            case .behind: return (sequences, true)
            case .records(let bytes, _):
                _ = unsafe LinkRecords.forEachRecord(
                    UnsafeRawBufferPointer(rebasing: room[0..<bytes])
                ) { header, record in
                    #expect(unsafe CRC32C.record(record) == header.crc)
                    sequences.append(header.sequence)
                }
            }
        }
    }

    @Test func `a peer gets records before this disk has them`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let before = running.pipeline.released
        let feed = running.pipeline.sealedFeed
        #expect(feed.attach(after: before))
        #expect(Self.take(feed).sequences == [])
        running.sink.isStalled.store(true, ordering: .releasing)
        var out = LinkEncoder()
        out.submit(session: desk.session, number: desk.number + 1, TestDesk.place(1))
        try client.send(&out)
        var got: [UInt64] = []
        _ = becomes {
            got = Self.take(feed).sequences
            return !got.isEmpty
        }
        #expect(got == [before + 1])
        #expect(running.pipeline.durable == before)
        // Behind what is released, but sealed: there is a place for it as well.
        #expect(feed.attach(after: before + 1))
        #expect(feed.attach(after: before))
        #expect(Self.take(feed).sequences == [before + 1])
        #expect(!feed.attach(after: before + 5))
        running.sink.isStalled.store(false, ordering: .releasing)
        try running.stop()
    }

    @Test func `a sender that falls behind loses its place and delays nobody`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let feed = running.pipeline.sealedFeed
        #expect(feed.attach(after: running.pipeline.released))
        var out = LinkEncoder()
        var (sent, acked) = (0, 0)
        // Three times the ring.
        while acked < 20_000 {
            while sent < 20_000, sent - acked < 1_000 {
                sent += 1
                out.submit(
                    session: desk.session, number: desk.number + UInt64(sent),
                    TestDesk.place(Int64(sent % 50 + 1)))
            }
            try client.send(&out)
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                Issue.record("acknowledgements were due")
                return
            }
            acked += acks.count
        }
        #expect(Self.take(feed).isBehind)
        #expect(!feed.attach(after: 3))
        let end = running.pipeline.released
        #expect(feed.attach(after: end))
        feed.detach()
        #expect(Self.take(feed).isBehind)
        try running.stop()
    }

    @Test func `an epoch begins while it runs, with its own record`() throws {
        let place = try PipelinePlace()
        let running = try RunningPipeline(place)
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let before = running.pipeline.applied
        #expect(!running.pipeline.raise(epoch: 1))
        #expect(running.pipeline.raise(epoch: 5))
        #expect(!running.pipeline.raise(epoch: 4))
        let ack = try desk.submit(TestDesk.place(1))
        #expect(ack.sequence == before + 2)
        #expect(running.pipeline.epoch == 5)
        #expect(try client.status().epoch == 5)
        let feed = try running.connect("follower", wantsAcks: false)
        #expect(feed.welcome.epoch == 5)
        var follower = Follower(feed.welcome)
        var epochs: [(UInt16, UInt32)] = []
        try followRaw(feed, &follower, to: ack.sequence) {
            epochs.append(($0.kind, $0.epoch))
        }
        #expect(epochs[Int(before) - 1].1 == 1)
        #expect(epochs[Int(before)] == (CommandKind.epochMark.rawValue, 5))
        #expect(epochs[Int(before) + 1].1 == 5)
        try running.stop()
        let again = try RunningPipeline(place)
        #expect(again.pipeline.epoch == 5)
        try again.stop()
    }

    @Test func `who has seen a later epoch is sent away, and a follower goes to no earlier one`()
        throws
    {
        let running = try RunningPipeline(try PipelinePlace())
        let name = try #require(Text40("x"))
        #expect(
            Self.code {
                _ = try LinkClient.connect(unix: running.place.socket, name: name, epochMax: 2)
            } == .epoch)
        let client = try LinkClient.connect(unix: running.place.socket, name: name, epochMax: 1)
        var later = client.welcome
        later.epoch = 3
        var follower = Follower(later)
        #expect(throws: FollowerError.staleEpoch(seen: 3, found: 1)) {
            try follower.reconnected(client.welcome)
        }
        var writer = WriterSession<Int>(name: name)
        var out = LinkEncoder()
        #expect(writer.connected(&out, epoch: 3))
        writer.disconnected()
        #expect(!writer.connected(&out, epoch: 2))
        #expect(writer.connected(&out, epoch: 3))
        try running.stop()
    }

    @Test func `a follower of a branch that was cut is refused, from the ring and from disk`()
        throws
    {
        let place = try PipelinePlace()
        var running = try RunningPipeline(place)
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        for round in 0..<2 {
            let client = try running.connect("follower", wantsAcks: false)
            let released = try client.status().released
            var follower = Follower(client.welcome)
            try follow(client, &follower, to: released)
            guard case .subscribe(let right) = follower.subscription else {
                Issue.record("a follower subscribes")
                return
            }
            #expect(right.crc != 0 && right.from == released + 1)
            var wrong = right
            wrong.crc ^= 1
            var other = right
            other.epoch += 1
            var beyond = right
            beyond.from += 1
            for fork in [wrong, other, beyond] {
                let forked = try running.connect("forked", wantsAcks: false)
                try forked.send(.subscribe(fork))
                let code = Self.code {
                    while try forked.receive(timeoutNanos: patience) != nil {}
                }
                #expect(code == .forked, "round \(round)")
            }
            let same = try running.connect("same", wantsAcks: false)
            try same.send(.subscribe(right))
            let next = try desk.submit(TestDesk.place(1))
            try follower.reconnected(same.welcome)
            while follower.engine.sequence < next.sequence {
                guard let frame = try same.receive(timeoutNanos: patience) else {
                    Issue.record("the log was due")
                    return
                }
                _ = unsafe try follower.receive(frame) { _, _, _, _ in }
            }
            // After a restart the ring is empty: the disk has to be asked.
            if round == 0 {
                try running.stop()
                running = try RunningPipeline(place)
                desk = try PipelineTests.again(desk, running)
            }
        }
        try running.stop()
    }

    @Test func `a follower hears at once that it has all, however quiet the log is`() throws {
        let place = try PipelinePlace()
        for round in 0..<2 {
            // From the ring, then, after a start, from disk. No beat comes to help.
            let running = try RunningPipeline(place) { $0.heartbeatNanos = .max / 4 }
            if round == 0 {
                var desk = try TestDesk(running.connect(), "desk")
                try desk.prepare()
            }
            let client = try running.connect("follower", wantsAcks: false)
            var follower = Follower(client.welcome)
            let released = try client.status().released
            try client.send(follower.subscription)
            var heard: UInt64 = 0
            while heard < released {
                guard let frame = try client.receive(timeoutNanos: patience) else {
                    Issue.record("the log's position was due")
                    return
                }
                if case .position(let sequence, _, _) = frame { heard = sequence }
                _ = unsafe try follower.receive(frame) { _, _, _, _ in }
            }
            #expect(follower.engine.sequence == released)
            try running.stop()
        }
    }

    @Test func `a matchd that is not primary refuses commands and names the primary`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        var desk = try TestDesk(running.connect(), "desk")
        try desk.prepare()
        for (role, code) in [
            (LinkServerRole.standby, LinkRefusal.Code.notPrimary), (.sealed, .sealed),
        ] {
            running.pipeline.setRole(role)
            let client = try running.connect()
            #expect(client.welcome.role == role)
            #expect("\(try client.status().role)" == role.description)
            #expect(
                Self.code {
                    _ = try client.execute(
                        TestDesk.place(1), session: desk.session, number: desk.number + 1)
                } == code)
        }
        // A sealed log ends with a hash mark.
        let last = try running.connect()
        #expect(try becomes { try last.status().hashMark == running.pipeline.applied })
        running.pipeline.setRole(.standalone)
        desk = try PipelineTests.again(desk, running)
        #expect(try desk.submit(TestDesk.place(1)).refusal == .none)
        try running.stop()
    }

    @Test func `a quiet exchange is compared as well`() throws {
        let running = try RunningPipeline(try PipelinePlace()) { $0.hashNanos = 300_000_000 }
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        var marks: [UInt64] = []
        for round in 0..<2 {
            let ack = try desk.submit(TestDesk.place(Int64(round + 1)))
            #expect(try becomes { try client.status().hashMark > ack.sequence })
            marks.append(try client.status().hashMark)
        }
        // Nothing happened, so nothing is marked.
        usleep(900_000)
        #expect(try client.status().hashMark == marks[1])
        #expect(running.pipeline.applied == marks[1])
        try running.stop()
    }

    @Test func `a wallet submits nothing of traders and operators, and they nothing of its name`()
        throws
    {
        #expect(LinkPolicy.allows(.wallet, MassCancel(account: AccountID(1))) == false)
        #expect(LinkPolicy.allows(.wallet, TestDesk.place(1)) == false)
        let deposit = CreditDeposit(
            account: AccountID(1), asset: AssetID(1), transactionHigh: 1, transactionLow: 2,
            output: 3, amount: Amount(units: 4))
        #expect(LinkPolicy.allows(.wallet, deposit) && !LinkPolicy.allows(.gateway, deposit))
        #expect(!LinkPolicy.allows(.operator, deposit), "money from nowhere")
        let rows: [(String, LinkRole, Bool)] = [
            ("wallet/a", .wallet, true), ("wallet/a", .gateway, false),
            ("wallet/a", .operator, false), ("operator/a", .wallet, false),
            ("gateway/a", .wallet, false), ("gateway/a", .gateway, true),
            ("operator/a", .gateway, false), ("operator/a", .observer, false),
        ]
        for (name, role, isAllowed) in rows {
            let open = OpenSession(name: try #require(Text40(name)))
            #expect(LinkPolicy.allows(role, open) == isAllowed, "\(name) \(role)")
        }
    }

    @Test func `names of sessions that were closed are free again`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        // The table has 16 places.
        for round in 0..<100 {
            let name = try #require(Text40("desk/\(round)"))
            var writer = WriterSession<Int>(name: name)
            var out = LinkEncoder()
            writer.connected(&out)
            let early = writer.close(&out)
            #expect(!early)
            while writer.state == .opening || writer.state == .closed && !writer.isClosed {
                try client.send(&out)
                guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                    Issue.record("an answer was due")
                    return
                }
                for ack in acks { _ = writer.acked(ack, &out) }
                if case .open = writer.state {
                    let isClosing = writer.close(&out)
                    #expect(isClosing)
                }
            }
            #expect(writer.state == .closed && writer.isClosed, "round \(round)")
            #expect(try client.session(of: name).id.number == 0)
        }
        // Nothing of a closed session enters the log, and its end is not logged twice.
        let before = running.pipeline.applied
        let late = try client.execute(TestDesk.place(1), session: SessionID(50), number: 1)
        #expect(late.refusal == .sessionUnknown && !late.isLogged)
        let again = try client.execute(
            CloseSession(session: SessionID(50)), session: SessionID(0), number: 777)
        #expect(again.refusal == .sessionUnknown && !again.isLogged)
        #expect(running.pipeline.applied == before)
        try running.stop()
    }

    @Test func `a gateway closes its own session and no other's`() throws {
        let key = try #require(LinkKey(SecretBytes([UInt8](repeating: 7, count: 32))))
        let running = try RunningPipeline(try PipelinePlace(), tcpKey: key)
        let name = try #require(Text40("gateway/1"))
        func remote() throws -> LinkClient {
            try LinkClient.connect(
                host: "127.0.0.1", port: running.listeners[1].port, key: key, name: name)
        }
        let own = try TestDesk(running.connect(), "operator/own")
        let first = try remote()
        let session = SessionID(UInt32(try first.openSession(name).id))
        #expect(
            Self.code {
                _ = try remote().execute(
                    CloseSession(session: own.session), session: SessionID(0), number: 9)
            } == .access)
        #expect(
            Self.code {
                _ = try remote().execute(
                    CloseSession(session: session), session: SessionID(0), number: 9)
            } == .access)
        let ack = try first.execute(
            CloseSession(session: session), session: SessionID(0), number: 9)
        #expect(ack.refusal == .none && ack.isLogged)
        try running.stop()
    }

    @Test func `commands wait while their instrument is busy, in order, and others go on`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let audit = Audit(operatorName: try #require(Text40("t")), reason: "t")
        try desk.submit(
            SetInstrument(
                symbol: try #require(Text16("OTHER")), base: AssetID(1), quote: AssetID(2),
                tickMantissa: 1, tickScale: 2, lotUnits: 1000, priceMax: Price(ticks: 1 << 32),
                quantityMax: Quantity(lots: 1 << 40), audit: audit))
        try desk.submit(OpenAccount(name: try #require(Text40("bob")), audit: audit))
        for asset in [AssetID(1), AssetID(2)] {
            try desk.submit(
                AdjustBalance(
                    account: AccountID(2), asset: asset, amount: Amount(units: 1 << 70),
                    reference: try #require(Text64("bob \(asset.number)")),
                    audit: audit))
        }
        var out = LinkEncoder()
        let asks: UInt64 = 3_000
        for number in 1...asks {
            out.submit(
                session: desk.session, number: desk.number + number, TestDesk.place(10, .sell))
        }
        desk.number += asks
        try client.send(&out)
        var acked: UInt64 = 0
        while acked < asks {
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                break
            }
            acked += UInt64(acks.count { $0.refusal == .none })
        }
        #expect(acked == asks)
        // Bob takes all of them, which is the work of several ticks, and goes on at once.
        func place(_ instrument: UInt16, _ lots: Int64, _ side: Side = .buy) -> Place {
            Place(
                account: AccountID(2), instrument: InstrumentID(instrument), side: side,
                type: .limit, price: Price(ticks: 10), quantity: Quantity(lots: lots))
        }
        let other = try running.connect("other")
        let second = try TestDesk(other, "second")
        let lane = try TestDesk(client, "lane")
        out.submit(session: desk.session, number: desk.number + 1, place(1, Int64(asks)))
        out.submit(session: desk.session, number: desk.number + 2, place(1, 1))
        out.submit(session: desk.session, number: desk.number + 3, place(2, 1))
        // Another session of the same connection.
        out.submit(session: lane.session, number: 1, place(2, 1))
        try client.send(&out)
        out.submit(session: second.session, number: 1, place(2, 1))
        try other.send(&out)
        var sequences: [UInt64: UInt64] = [:]
        while sequences.count < 4 {
            guard case .acks(let acks) = try client.receive(timeoutNanos: patience) else {
                Issue.record("acknowledgements were due")
                return
            }
            for ack in acks {
                #expect(ack.refusal == .none && ack.isLogged, "\(ack)")
                sequences[ack.session == lane.session ? 4 : ack.number - desk.number] = ack.sequence
            }
        }
        guard case .acks(let acks) = try other.receive(timeoutNanos: patience) else {
            Issue.record("an acknowledgement was due")
            return
        }
        #expect(acks[0].refusal == .none)
        let (sweep, behind) = (try #require(sequences[1]), try #require(sequences[2]))
        #expect(behind > sweep + 3, "ticks are between: \(sequences)")
        #expect(try #require(sequences[3]) > behind)
        #expect(try #require(sequences[4]) < behind)
        try running.stop()
    }

    @Test func `below the disk reserve a cancel of nothing does not grow the log`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let client = try running.connect()
        var desk = try TestDesk(client, "desk")
        try desk.prepare()
        let order = OrderID(try desk.submit(TestDesk.place(5)).id)
        running.sink.isFull.store(true, ordering: .releasing)
        #expect(becomes { running.pipeline.isBelowReserve })
        let before = running.pipeline.applied
        let (account, instrument) = (AccountID(1), InstrumentID(1))
        let nothing: [any CommandPayload] = [
            Cancel(account: account, instrument: instrument, order: OrderID(999)),
            Cancel(account: AccountID(2), instrument: instrument, order: order),
            Cancel(account: account, instrument: InstrumentID(2), order: order),
            Cancel(account: account, instrument: instrument, clOrdID: try #require(Text40("no"))),
            MassCancel(account: AccountID(2)),
            SetKillSwitch(
                account: account, isOn: false,
                audit: Audit(operatorName: try #require(Text40("t")), reason: "t")),
        ]
        for command in nothing {
            for _ in 0..<50 {
                let ack = try client.execute(
                    command, session: desk.session, number: desk.number + 1)
                #expect(!ack.isLogged && ack.refusal != .none, "\(command)")
            }
        }
        #expect(running.pipeline.applied == before)
        // One that hits nothing on its side is not known to, but there is room for a few only.
        for _ in 0..<300 {
            let ack = try client.execute(
                MassCancel(account: account, side: .sell), session: desk.session,
                number: desk.number + 1)
            if ack.isLogged { desk.number += 1 }
        }
        #expect(running.pipeline.applied <= before + 256 + 3)
        let cancel = Cancel(account: account, instrument: instrument, order: order)
        #expect(try desk.submit(cancel).refusal == .none)
        try running.stop()
    }
}

final class Flag: Sendable { let isSet = Atomic<Bool>(false) }

/// Follows the log and gives each header.
func followRaw(
    _ client: LinkClient, _ follower: inout Follower, to sequence: UInt64,
    _ each: (RecordHeader) -> Void
) throws {
    try client.send(follower.subscription)
    while follower.engine.sequence < sequence {
        guard let frame = try client.receive(timeoutNanos: patience) else {
            Issue.record("nothing more came after record \(follower.engine.sequence)")
            return
        }
        _ = unsafe try follower.receive(frame) { header, _, _, _ in each(header) }
    }
}
