// Goal: the history has each deposit once and as it was last seen, and with each withdrawal the
// transaction that paid it, whatever was signed, replaced and dropped before.

import Engine
import History
import Terms
import Testing
import Wire

private typealias Scene = CustodyVenue

/// A venue with a network, whose records go into a history.
private final class RecordedCustody {
    private let directory: TestDirectory
    private(set) var feed: HistoryFeed
    private(set) var venue: TestVenue

    init() throws {
        let directory = TestDirectory()
        var feed = HistoryFeed(try History(file: directory.file, journalHigh: 1, journalLow: 2))
        venue = TestVenue { feed.add($0, $1) }
        (self.directory, self.feed) = (directory, feed)
        run(Scene.open())
    }

    /// Applies a command, which must be accepted.
    func run(_ command: Command) {
        venue.time += 1_000
        var credit: CreditDeposit?
        if case .creditDeposit(let deposit) = command { credit = deposit }
        var feed = self.feed
        let outcome = venue.run(command) { feed.add($0, $1, credit: credit) }
        self.feed = feed
        #expect(outcome.refusal == .none, "\(command.kind)")
    }

    func withdrawals(
        _ account: AccountID = TestVenue.alice,
        _ change: (inout WithdrawalFilter) -> Void = { _ in }
    ) throws -> [WithdrawalRecord] {
        var filter = WithdrawalFilter()
        change(&filter)
        feed.flush()
        return try feed.history.readNow { try $0.withdrawals(account, filter) }
    }

    func deposits(
        _ account: AccountID = TestVenue.alice, _ change: (inout DepositFilter) -> Void = { _ in }
    ) throws -> [DepositRecord] {
        var filter = DepositFilter()
        change(&filter)
        feed.flush()
        return try feed.history.readNow { try $0.deposits(account, filter) }
    }
}

@Suite struct HistoryCustodyTests {
    @Test func `a withdrawal has its terms, its status and what paid it`() throws {
        let scene = try RecordedCustody()
        scene.run(Scene.request(clientID: "mine"))
        let requested = scene.venue.time
        var shown = try #require(try scene.withdrawals().first)
        #expect(shown.id == WithdrawalID(1) && shown.account == TestVenue.alice)
        #expect(shown.asset == Scene.asset && shown.network == Scene.network)
        #expect(shown.amount.units == 10_000 && shown.fee.units == 500)
        #expect(shown.address == Scene.destination && shown.clientID == "mine")
        #expect(shown.status == .approved && shown.transaction == nil)
        #expect(shown.createdTime == requested && shown.updatedTime == requested)

        scene.run(Scene.sign(1, [1]))
        shown = try #require(try scene.withdrawals().first)
        #expect(shown.status == .signed && shown.transaction == Scene.transaction(1))
        scene.run(Scene.sign(2, replaces: 1, [1]))
        #expect(try scene.withdrawals().first?.transaction == Scene.transaction(2))
        scene.run(Scene.settle(1))
        shown = try #require(try scene.withdrawals().first)
        #expect(shown.status == .settled && shown.transaction == Scene.transaction(1))
        #expect(shown.createdTime == requested && shown.updatedTime == scene.venue.time)
        #expect(scene.feed.history.close() == nil)
    }

    @Test func `what is dropped pays nothing, and what it replaced pays again`() throws {
        let scene = try RecordedCustody()
        for _ in 1...2 { scene.run(Scene.request()) }
        scene.run(Scene.sign(1, [1, 2]))
        scene.run(Scene.sign(2, replaces: 1, [1, 2]))
        scene.run(Scene.drop(2))
        var shown = try scene.withdrawals()
        #expect(shown.map(\.transaction) == [Scene.transaction(1), Scene.transaction(1)])
        #expect(shown.map(\.status) == [.signed, .signed])
        scene.run(Scene.drop(1))
        shown = try scene.withdrawals()
        #expect(shown.map(\.transaction) == [nil, nil])
        #expect(shown.map(\.status) == [.approved, .approved])
        scene.run(Scene.sign(3, [2]))
        // Its customer cannot take it back any more: what paid it may be final all the same.
        let audit = Audit(operatorName: Text40("olga") ?? Text40(), reason: "never final")
        scene.run(
            .decideWithdrawal(
                DecideWithdrawal(withdrawal: WithdrawalID(1), approves: false, audit: audit)))
        scene.run(Scene.settle(3))
        shown = try scene.withdrawals()
        #expect(shown.map(\.id.number) == [2, 1])
        #expect(shown.map(\.status) == [.settled, .refused])
        #expect(shown.map(\.transaction) == [Scene.transaction(3), nil])
        #expect(scene.feed.history.close() == nil)
    }

    @Test func `withdrawals are found by each term, the newest first`() throws {
        let scene = try RecordedCustody()
        scene.run(Scene.open(approvals: 1))
        for id in ["a", "b", ""] { scene.run(Scene.request(clientID: id)) }
        scene.run(Scene.request(TestVenue.bob, clientID: "a"))
        for (id, approves) in [(1, true), (2, false)] as [(UInt64, Bool)] {
            scene.run(
                .decideWithdrawal(
                    DecideWithdrawal(
                        withdrawal: WithdrawalID(id), approves: approves, audit: Scene.audit)))
        }
        func ids(_ change: (inout WithdrawalFilter) -> Void) throws -> [UInt64] {
            try scene.withdrawals(TestVenue.alice, change).map(\.id.number)
        }
        let times = try scene.withdrawals().map(\.createdTime)
        #expect(try ids { _ in } == [3, 2, 1])
        #expect(try ids { $0.statuses = [.requested] } == [3])
        #expect(try ids { $0.statuses = [.approved, .refused] } == [2, 1])
        #expect(try ids { $0.statuses = [] } == [])
        #expect(try ids { $0.clientID = TestVenue.text("a") } == [1])
        #expect(try ids { $0.clientID = Text40() } == [])
        #expect(try ids { $0.ids = [WithdrawalID(2), WithdrawalID(4)] } == [2])
        #expect(try ids { $0.ids = [] } == [])
        #expect(
            try ids { $0.ids = (1...100).map { WithdrawalID($0) } } == [3, 2, 1],
            "more ids than are read")
        #expect(try ids { $0.asset = AssetID(2) } == [])
        #expect(try ids { $0.start = times[1] } == [3, 2])
        #expect(try ids { $0.end = times[1] } == [2, 1])
        #expect(try ids { ($0.limit, $0.offset) = (1, 1) } == [2])
        #expect(try ids { ($0.limit, $0.offset) = (0, .max) } == [])
        #expect(try scene.withdrawals(TestVenue.bob).map(\.id.number) == [4])
        #expect(scene.feed.history.close() == nil)
    }

    @Test func `a deposit is one row from its first sight to its credit`() throws {
        let scene = try RecordedCustody()
        scene.run(Scene.note(1, confirmations: 0))
        let first = scene.venue.time
        scene.run(Scene.note(1, confirmations: 2))
        var shown = try scene.deposits()
        #expect(shown.map(\.state) == [.pending] && shown.map(\.confirmations) == [2])
        scene.run(Scene.note(1, confirmations: 0, .gone))
        shown = try scene.deposits()
        #expect(shown.map(\.state) == [.gone] && shown.map(\.confirmations) == [0])
        scene.run(Scene.note(1, confirmations: 1))
        scene.run(Scene.credit(1))
        shown = try scene.deposits()
        let one = try #require(shown.first)
        #expect(shown.count == 1 && one.state == .credited && one.confirmations == 1)
        #expect(one.time == first && one.creditedTime == scene.venue.time)
        #expect(one.transaction == Scene.transaction(1) && one.output == 1)
        #expect(one.amount.units == 4_000 && one.asset == Scene.asset)
        #expect(one.network == Scene.network && one.account == TestVenue.alice)
        #expect(scene.feed.history.close() == nil)
    }

    @Test func `deposits are found by each term, the newest first`() throws {
        let scene = try RecordedCustody()
        scene.run(Scene.credit(1))
        scene.run(Scene.note(2, confirmations: 1))
        scene.run(Scene.credit(3, account: TestVenue.bob))
        scene.run(Scene.credit(4))
        func found(_ change: (inout DepositFilter) -> Void) throws -> [UInt128] {
            try scene.deposits(TestVenue.alice, change).map(\.transaction.high)
        }
        let times = try scene.deposits().map(\.time)
        #expect(try found { _ in } == [4, 2, 1])
        #expect(try found { $0.state = .pending } == [2])
        #expect(try found { $0.state = .credited } == [4, 1])
        #expect(try found { $0.transaction = Scene.transaction(3) } == [])
        #expect(try found { $0.transaction = Scene.transaction(1) } == [1])
        #expect(try found { $0.asset = AssetID(3) } == [])
        #expect(try found { $0.start = times[1] } == [4, 2])
        #expect(try found { $0.end = times[1] } == [2, 1])
        #expect(try found { ($0.limit, $0.offset) = (1, 2) } == [1])
        #expect(scene.feed.history.close() == nil)
    }
}
