// Goal: the table of counted withdrawals may be full without keeping operators from paying out, and
// what is over makes room a few rows at a time.

import Engine
import Terms
import Testing
import Wire

@Suite struct WithdrawalCountTests {
    /// Commands to an engine and its twin, whose states are too large to compare after each.
    private struct Counter: ~Copyable {
        static let assets: UInt16 = 16
        static let accounts = UInt32(Limits.withdrawalCountsMax) / UInt32(assets)
        static let key = Text64("key")!
        var engine: Engine
        /// The engine's slow twin, which takes the same commands.
        let twin: SlowExchange
        var now: Int64 = 1_000

        /// One account more than the table has room for, all with some of each asset, limited.
        init() {
            var limits = EngineLimits.small
            (limits.assets, limits.accounts) = (UInt32(Self.assets), Self.accounts + 1)
            limits.references = 2 * UInt32(Limits.withdrawalCountsMax)
            engine = Engine(limits: limits, rulesKnown: SetRules.next)
            twin = SlowExchange(limits: limits)
            for asset in 1...Self.assets { limit(asset) }
            for account in 1...Self.accounts + 1 {
                let name = Text40("a\(account)")!
                apply(.openAccount(OpenAccount(name: name, audit: Venue.audit)))
                for asset in 1...Self.assets { credit(account, asset) }
            }
            let account = AccountID(Self.accounts + 1)
            apply(
                .addAPIKey(
                    AddAPIKey(
                        account: account, permissions: [.withdraw, .withdrawAnywhere],
                        algorithm: .ed25519, keyID: Self.key, sealedSecret: [1],
                        audit: Venue.audit)))
        }

        private mutating func limit(_ asset: UInt16) {
            apply(
                .setAsset(SetAsset(code: Text16("C\(asset)")!, scale: 0, audit: Venue.audit)))
            apply(
                .setNetwork(
                    SetNetwork(
                        asset: AssetID(asset), network: NetworkID(1), confirmations: 1,
                        minimum: Amount(units: 1), fee: .zero, name: Text16("N")!,
                        audit: Venue.audit)))
            apply(
                .setWithdrawalLimits(
                    SetWithdrawalLimits(
                        account: AccountID(0), asset: AssetID(asset), dayCountMax: .max,
                        amountMax: .zero, dayAmountMax: .zero, monthAmountMax: .zero,
                        audit: Venue.audit)))
        }

        private mutating func credit(_ account: UInt32, _ asset: UInt16) {
            apply(
                .adjustBalance(
                    AdjustBalance(
                        account: AccountID(account), asset: AssetID(asset),
                        amount: Amount(units: 100), reference: Text64("\(account)-\(asset)")!,
                        audit: Venue.audit)))
        }

        /// Applies what has to be accepted.
        private mutating func apply(_ command: Command) {
            let outcome = send(command)
            #expect(outcome.refusal == .none)
        }

        private mutating func send(_ command: Command) -> Outcome {
            let header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: now, kind: command.kind)
            let outcome = engine.apply(header, command)
            let theirs = twin.apply(header, command)
            #expect(outcome == theirs)
            return outcome
        }

        /// What was counted by the last request, before it was cancelled.
        private(set) var counted: UInt64 = 0

        /// Requests one unit, with the key or for an operator, and cancels it.
        mutating func request(_ account: UInt32, _ asset: UInt16, byKey: Bool = false) -> Refusal {
            let outcome = send(
                .requestWithdrawal(
                    RequestWithdrawal(
                        account: AccountID(account), asset: AssetID(asset),
                        network: NetworkID(1), amount: Amount(units: 1),
                        address: Text64("there")!,
                        requester: byKey ? Text40() : Text40("olga")!,
                        keyID: byKey ? Self.key : Text64())))
            if outcome.refusal == .none {
                counted = count(account, asset)
                let id = WithdrawalID(outcome.id)
                apply(
                    .cancelWithdrawal(
                        CancelWithdrawal(account: AccountID(account), withdrawal: id)))
            }
            return outcome.refusal
        }

        /// Goes on with what a snapshot gives.
        mutating func restore() {
            var bytes: [UInt8] = []
            unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
            var read: Engine? = nil
            unsafe bytes.withUnsafeBytes {
                unsafe read = Engine(snapshot: $0, rulesKnown: SetRules.next)
            }
            guard let restored = read.take() else {
                Issue.record("the engine does not read its own snapshot")
                return
            }
            engine = restored
        }

        func count(_ account: UInt32, _ asset: UInt16) -> UInt64 {
            let (account, asset) = (AccountID(account), AssetID(asset))
            let count = engine.withdrawalCount(account, asset)
            let theirs = twin.counted(account, asset)
            #expect(count == theirs)
            return count.dayCount
        }
    }

    @Test func `a full table refuses customers, not operators, until months are over`() {
        var counter = Counter()
        let last = Counter.accounts + 1
        for account in 1..<last {
            for asset in 1...Counter.assets {
                let refusal = counter.request(account, asset)
                #expect(refusal == .none)
            }
        }
        var refusal = counter.request(last, 1, byKey: true)
        #expect(refusal == .tableFull)
        refusal = counter.request(last, 1)
        var count = counter.counted
        #expect(refusal == .none && count == 0, "an operator's is accepted, and not counted")
        // The second 32 rows are of accounts 3 and 4: one of them has a request of this month.
        counter.now += 31 * 86_400_000_000_000
        counter.restore()
        refusal = counter.request(3, 1)
        #expect(refusal == .none)
        for asset in 1...Counter.assets {
            refusal = counter.request(last, asset, byKey: true)
            count = counter.counted
            #expect(refusal == .none && count == 1)
        }
        count = counter.count(3, 1)
        let fault = counter.engine.checkInvariants()
        #expect(count == 0 && fault == nil)
    }
}
