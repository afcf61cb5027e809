// Goal: a customer's key takes money only to where the account's address book has had time to be
// seen, only so much in a day and a month, and not right after its keys changed; the engine and its
// twin agree on it, and a snapshot forgets none of it.

import Engine
import Terms
import Testing
import Wire

@Suite struct WithdrawalRulesTests {
    private let venue = Venue()
    private static let hour: Int64 = 3_600_000_000_000

    init() {
        venue.openNetwork(Venue.gold)
        venue.openNetwork(Venue.dollar)
        // A key that withdraws by the book.
        #expect(venue.addKey(Venue.ann, [.read, .withdraw]).refusal == .none)
    }

    private func add(
        _ address: String, tag: String = "", account: AccountID = Venue.ann,
        network: UInt16 = 1
    ) -> Refusal {
        venue.apply(
            .addWithdrawalAddress(
                AddWithdrawalAddress(
                    account: account, network: NetworkID(network), address: Text64(address)!,
                    tag: Text40(tag)!, label: Text40("home")!, audit: Venue.audit))
        ).refusal
    }

    private func remove(_ address: String, tag: String = "") -> Refusal {
        venue.apply(
            .removeWithdrawalAddress(
                RemoveWithdrawalAddress(
                    account: Venue.ann, network: NetworkID(1), address: Text64(address)!,
                    tag: Text40(tag)!, audit: Venue.audit))
        ).refusal
    }

    private func cold(
        _ descriptor: String, ceiling: Int128 = 9, target: Int128 = 4, network: UInt16 = 1
    ) -> Refusal {
        venue.apply(
            .setColdStorage(
                SetColdStorage(
                    asset: Venue.gold, network: NetworkID(network),
                    ceiling: Amount(units: ceiling), target: Amount(units: target),
                    descriptor: descriptor, audit: Venue.audit))
        ).refusal
    }

    @Test func `cold storage has a ceiling and a target, and is of a network`() {
        #expect(cold("cold", network: 7) == .networkUnknown)
        for (ceiling, target): (Int128, Int128) in [
            (0, 0), (-1, -1), (9, 10), (9, -1), (1 << 120 + 1, 0), (.max, 0),
        ] {
            #expect(cold("cold", ceiling: ceiling, target: target) == .termsInvalid)
        }
        #expect(cold("cold", ceiling: 1 << 120, target: 1 << 120) == .none)
        #expect(cold("colder") == .none)
        let view = venue.engine.coldStorage(Venue.gold, NetworkID(1))
        #expect(view?.descriptor == "colder")
        #expect(view?.ceiling == Amount(units: 9) && view?.target == Amount(units: 4))
        // Whatever its amounts are, none is none.
        #expect(cold("", ceiling: 0) == .none)
        #expect(venue.engine.coldStorage(Venue.gold, NetworkID(1)) == nil)
    }

    private func policy(delay: UInt32 = 0, freeze: UInt32 = 0) -> Refusal {
        venue.apply(
            .setWithdrawalPolicy(
                SetWithdrawalPolicy(addressDelay: delay, keyFreeze: freeze, audit: Venue.audit))
        ).refusal
    }

    private func limit(
        _ account: AccountID = AccountID(0), tier: UInt16? = nil, count: UInt32 = 0,
        each: Int128 = 0, day: Int128 = 0, month: Int128 = 0
    ) -> Refusal {
        venue.apply(
            .setWithdrawalLimits(
                SetWithdrawalLimits(
                    account: account, tier: tier, asset: Venue.gold, dayCountMax: count,
                    amountMax: Amount(units: each), dayAmountMax: Amount(units: day),
                    monthAmountMax: Amount(units: month), audit: Venue.audit))
        ).refusal
    }

    private func request(
        _ units: Int128 = 10, to address: String = "home",
        _ change: (inout RequestWithdrawal) -> Void = { _ in }
    ) -> Refusal {
        var request = RequestWithdrawal(
            account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
            amount: Amount(units: units), address: Text64(address)!, keyID: Venue.key(Venue.ann))
        change(&request)
        return venue.apply(.requestWithdrawal(request)).refusal
    }

    private func terms(
        _ account: AccountID = AccountID(0), tier: UInt16? = nil, network: UInt16 = 1,
        minimum: Int128 = 1, fee: Int128
    ) -> Refusal {
        venue.apply(
            .setWithdrawalTerms(
                SetWithdrawalTerms(
                    account: account, tier: tier, asset: Venue.gold, network: NetworkID(network),
                    minimum: Amount(units: minimum), fee: Amount(units: fee), audit: Venue.audit))
        ).refusal
    }

    private func fee(_ account: AccountID = Venue.ann) -> Int128? {
        venue.engine.network(Venue.gold, NetworkID(1), for: account)?.fee.units
    }

    @Test func `terms are an account's, else its tier's, else the network's`() {
        let general = venue.engine.network(Venue.gold, NetworkID(1))
        #expect(fee() == general?.fee.units)
        #expect(terms(tier: 0, minimum: 5, fee: 7) == .none)
        #expect(fee() == 7 && fee(Venue.ben) == 7)
        #expect(venue.engine.network(Venue.gold, NetworkID(1), tier: 0)?.fee.units == 7)
        #expect(venue.engine.network(Venue.gold, NetworkID(1), tier: 1) == general)
        #expect(terms(Venue.ann, minimum: 8, fee: 0) == .none)
        #expect(fee() == 0 && fee(Venue.ben) == 7)
        #expect(add("home") == .none)
        #expect(request(7) == .amountInvalid, "the own minimum counts")
        #expect(request(8) == .none)
        #expect(venue.engine.withdrawal(WithdrawalID(1))?.fee == .zero)
        #expect(terms(Venue.ann, minimum: 1, fee: 2) == .none)
        #expect(venue.engine.withdrawal(WithdrawalID(1))?.fee == .zero, "it keeps its fee")
        #expect(request { $0.feeMost = Amount(units: 1) } == .termsInvalid)
        #expect(request { $0.feeMost = Amount(units: 2) } == .none)
        #expect(venue.engine.withdrawal(WithdrawalID(2))?.fee == Amount(units: 2))
        #expect(terms(Venue.ann, minimum: 0, fee: 0) == .none)
        #expect(fee() == 7, "its tier's count again")
        #expect(terms(tier: 0, minimum: 0, fee: 0) == .none)
        #expect(fee() == general?.fee.units)
        #expect(venue.engine.checkInvariants() == nil)
    }

    @Test func `terms are refused that no network could have`() {
        #expect(terms(Venue.ann, network: 7, fee: 1) == .networkUnknown)
        #expect(terms(AccountID(99), fee: 1) == .accountUnknown)
        #expect(terms(fee: 1) == .termsInvalid, "of nobody")
        #expect(terms(Venue.ann, tier: 1, fee: 1) == .termsInvalid, "of two")
        #expect(terms(tier: 8, fee: 1) == .termsInvalid, "no such tier")
        for (minimum, fee): (Int128, Int128) in [
            (-1, 0), (1, -1), (1 << 120 + 1, 0), (1, 1 << 120 + 1), (.max, .min), (0, 1),
        ] {
            #expect(terms(Venue.ann, minimum: minimum, fee: fee) == .termsInvalid)
        }
        #expect(terms(Venue.ann, minimum: 1 << 120, fee: 1 << 120) == .none)
        #expect(add("home") == .none)
        #expect(request() == .amountInvalid)
    }

    @Test func `a log of rules 3 goes on under rules 4, and its snapshot is read`() {
        let venue = Venue(rules: 3)
        venue.openNetwork(Venue.gold)
        let command = Command.setWithdrawalTerms(
            SetWithdrawalTerms(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                minimum: Amount(units: 1), fee: Amount(units: 9), audit: Venue.audit))
        #expect(venue.apply(command).refusal == .malformed)
        var bytes: [UInt8] = []
        unsafe venue.engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes { unsafe read = Engine(snapshot: $0) }
        guard var engine = read.take() else {
            Issue.record("a snapshot of rules 3 is read")
            return
        }
        #expect(engine.stateHash() == venue.engine.stateHash())
        for command in [Command.setRules(SetRules(version: 4)), command] {
            let header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: engine.timestamp, kind: command.kind)
            #expect(engine.apply(header, command).refusal == .none)
        }
        let fee = engine.network(Venue.gold, NetworkID(1), for: Venue.ann)?.fee
        #expect(fee == Amount(units: 9))
        bytes = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        let again = unsafe bytes.withUnsafeBytes { unsafe Engine(snapshot: $0)?.stateHash() }
        #expect(again == engine.stateHash())
        let older = unsafe bytes.withUnsafeBytes {
            unsafe Engine(snapshot: $0, rulesKnown: 3)?.sequence
        }
        #expect(older == nil, "an earlier release does not read it")
        var before = Engine(limits: .small, rulesKnown: 3)
        let header = RecordHeader(sequence: 1, timestamp: 1, kind: .setRules)
        _ = before.apply(header, .setRules(SetRules(version: 4)))
        let hasDiverged = before.hasDiverged
        #expect(hasDiverged, "nor executes its log")
    }

    @Test func `a full table of terms takes changes of what it has`() {
        var limits = EngineLimits.small
        limits.accounts = UInt32(Limits.withdrawalTermsMax) + 2
        var engine = Engine(limits: limits)
        func apply(_ command: Command) -> Refusal {
            let header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: 1, kind: command.kind)
            return engine.apply(header, command).refusal
        }
        func terms(_ account: Int, fee: Int128, minimum: Int128 = 1) -> Refusal {
            apply(
                .setWithdrawalTerms(
                    SetWithdrawalTerms(
                        account: AccountID(UInt32(account)), asset: Venue.gold,
                        network: NetworkID(1), minimum: Amount(units: minimum),
                        fee: Amount(units: fee), audit: Venue.audit)))
        }
        #expect(
            apply(.setAsset(SetAsset(code: Text16("GLD")!, scale: 2, audit: Venue.audit))) == .none)
        #expect(
            apply(
                .setNetwork(
                    SetNetwork(
                        asset: Venue.gold, network: NetworkID(1), confirmations: 1,
                        minimum: Amount(units: 1), fee: .zero, name: Text16("CHAIN")!,
                        audit: Venue.audit)))
                == .none)
        let most = Limits.withdrawalTermsMax
        for number in 1...most + 1 {
            let name = Text40("account-\(number)")!
            #expect(apply(.openAccount(OpenAccount(name: name, audit: Venue.audit))) == .none)
        }
        for number in 1...most { #expect(terms(number, fee: 1) == .none) }
        #expect(terms(most + 1, fee: 1) == .tableFull)
        #expect(terms(most, fee: 2) == .none)
        #expect(terms(7, fee: 0, minimum: 0) == .none)
        #expect(terms(most + 1, fee: 1) == .none)
        #expect(engine.checkInvariants() == nil)
    }

    @Test func `a key withdraws to the book, and to nowhere else`() {
        #expect(request() == .addressNotListed)
        #expect(add("home") == .none)
        #expect(request() == .none)
        #expect(request(to: "elsewhere") == .addressNotListed)
        #expect(request { $0.tag = Text40("memo")! } == .addressNotListed)
        #expect(request { $0.asset = Venue.dollar } == .none, "a destination is of the chain")
        #expect(remove("home") == .none)
        #expect(request() == .addressNotListed)
        #expect(venue.events.isEmpty)
    }

    @Test func `the request names a key of the account that may withdraw`() {
        #expect(add("home") == .none)
        #expect(venue.addKey(Venue.ben).refusal == .none)
        #expect(venue.addKey(Venue.cat, [.read, .trade]).refusal == .none)
        #expect(request { $0.keyID = Text64() } == .apiKeyUnknown)
        #expect(request { $0.keyID = Text64("other")! } == .apiKeyUnknown)
        #expect(request { $0.keyID = Venue.key(Venue.ben) } == .apiKeyUnknown)
        let ofCat: (inout RequestWithdrawal) -> Void = {
            ($0.account, $0.keyID) = (Venue.cat, Venue.key(Venue.cat))
        }
        #expect(request(10, ofCat) == .apiKeyUnknown, "it may not withdraw")
        #expect(
            request {
                ($0.account, $0.keyID) = (Venue.ben, Venue.key(Venue.ben))
                $0.address = Text64("anywhere")!
            } == .none)
        // An operator asks for the customer.
        let operatorAsks: (inout RequestWithdrawal) -> Void = {
            ($0.requester, $0.keyID) = (Text40("olga")!, Text64())
        }
        #expect(request(10, to: "elsewhere", operatorAsks) == .none)
        #expect(request { $0.requester = Text40("olga")! } == .termsInvalid)
        let revocation = RevokeAPIKey(keyID: Venue.key(Venue.ann), audit: Venue.audit)
        #expect(venue.apply(.revokeAPIKey(revocation)).refusal == .none)
        #expect(request() == .apiKeyUnknown)
    }

    @Test func `a new destination waits for as long as the policy had then`() {
        #expect(policy(delay: 3_600) == .none)
        #expect(add("home") == .none)
        #expect(request() == .addressDelayed)
        venue.now += Self.hour - 1
        #expect(policy() == .none, "what waits keeps its time")
        #expect(request() == .addressDelayed)
        #expect(add("second") == .none && request(to: "second") == .none)
        venue.now += 1
        #expect(request() == .none)
        #expect(policy(delay: 7_776_000) == .none && policy(delay: 7_776_001) == .termsInvalid)
        #expect(policy(freeze: 7_776_001) == .termsInvalid)
    }

    @Test func `what is in a book once is not added again, and books are bounded`() {
        #expect(add("", account: Venue.ann) == .addressInvalid)
        #expect(add("home", account: AccountID(9)) == .accountUnknown)
        #expect(add("home", network: 7) == .networkUnknown)
        #expect(add("home") == .none && add("home") == .referenceDuplicate)
        #expect(add("home", tag: "memo") == .none)
        #expect(add("home", account: Venue.ben) == .none)
        #expect(remove("elsewhere") == .addressNotListed)
        for number in 2..<Limits.bookEntriesOfAccountMax { #expect(add("n\(number)") == .none) }
        #expect(add("more") == .tableFull)
        #expect(remove("n2") == .none && add("more") == .none)
    }

    @Test func `withdrawals wait after a change of keys, and an operator's do not`() {
        #expect(add("home") == .none && policy(freeze: 3_600) == .none)
        #expect(request() == .withdrawalsFrozen, "a change of before counts as well")
        venue.now += Self.hour
        #expect(request() == .none)
        #expect(venue.addKey(Venue.ben, [.read]).refusal == .none)
        #expect(request() == .none, "another's")
        let other = AddAPIKey(
            account: Venue.ann, permissions: .read, algorithm: .ed25519, keyID: Text64("new")!,
            sealedSecret: [1], audit: Venue.audit)
        #expect(venue.apply(.addAPIKey(other)).refusal == .none)
        #expect(request() == .withdrawalsFrozen)
        #expect(
            request { ($0.requester, $0.keyID) = (Text40("olga")!, Text64()) } == .none)
        venue.now += Self.hour - 1
        #expect(request() == .withdrawalsFrozen)
        let revocation = RevokeAPIKey(keyID: Text64("new")!, audit: Venue.audit)
        #expect(venue.apply(.revokeAPIKey(revocation)).refusal == .none)
        venue.now += 1
        #expect(request() == .withdrawalsFrozen, "the last change counts")
        #expect(policy(freeze: 1) == .none, "what was set too long is ended")
        #expect(request() == .withdrawalsFrozen)
        venue.now += 999_999_999
        #expect(request() == .none)
        #expect(policy(freeze: 60) == .none && request() == .withdrawalsFrozen)
        #expect(policy() == .none && request() == .none)
    }

    @Test func `to elsewhere than the book a customer's request needs approvals`() {
        let terms = SetNetwork(
            asset: Venue.gold, network: NetworkID(1), approvals: 1, confirmations: 1,
            minimum: Amount(units: 1), fee: .zero, approvalsAbove: Amount(units: 100),
            name: Text16("CHAIN")!, audit: Venue.audit)
        #expect(venue.apply(.setNetwork(terms)).refusal == .none)
        #expect(venue.addKey(Venue.ben).refusal == .none)
        let ofBen: (inout RequestWithdrawal) -> Void = {
            ($0.account, $0.keyID) = (Venue.ben, Venue.key(Venue.ben))
        }
        #expect(add("home") == .none && policy(delay: 1) == .none)
        #expect(add("home", account: Venue.ben) == .none)
        #expect(request() == .none && status(1) == .approved)
        #expect(request(10, ofBen) == .none && status(2) == .requested, "it waits still")
        venue.now += 1_000_000_000
        #expect(request(10, ofBen) == .none && status(3) == .approved)
        #expect(request(101, ofBen) == .none && status(4) == .requested)
        #expect(request(10, to: "elsewhere", ofBen) == .none && status(5) == .requested)
        let operatorAsks: (inout RequestWithdrawal) -> Void = {
            ($0.requester, $0.keyID) = (Text40("olga")!, Text64())
        }
        #expect(request(10, to: "elsewhere", operatorAsks) == .none && status(6) == .approved)
    }

    private func status(_ number: UInt64) -> WithdrawalStatus? {
        venue.engine.withdrawal(WithdrawalID(number))?.status
    }

    @Test func `limits are of one withdrawal, of a day by amount and count, and of a month`() {
        #expect(add("home") == .none && limit(each: 50) == .none)
        #expect(request(51) == .withdrawalLimit && request(50) == .none)
        #expect(limit(day: 100) == .none, "counted from here on")
        #expect(request(60) == .none && request(41) == .withdrawalLimit && request(40) == .none)
        venue.now += 24 * Self.hour
        #expect(request(1) == .withdrawalLimit, "a day back it was the same hour")
        venue.now += Self.hour
        #expect(request(100) == .none)
        #expect(limit(count: 2) == .none && request() == .none && request() == .withdrawalLimit)
        #expect(limit(month: 300) == .none)
        #expect(request(90) == .none && request(1) == .withdrawalLimit)
        venue.now += 29 * 24 * Self.hour
        #expect(request(101) == .withdrawalLimit, "what was first requested is over, the rest not")
        venue.now += 3 * 24 * Self.hour
        #expect(request(300) == .none)
        #expect(venue.engine.withdrawalCount(Venue.ann, Venue.gold).monthAmount.units == 300)
    }

    private func cancel(_ number: UInt64) -> Refusal {
        venue.apply(
            .cancelWithdrawal(
                CancelWithdrawal(account: Venue.ann, withdrawal: WithdrawalID(number)))
        ).refusal
    }

    private var counts: [Int128] {
        let view = venue.engine.withdrawalCount(Venue.ann, Venue.gold)
        return [Int128(view.dayCount), view.dayAmount.units, view.monthAmount.units]
    }

    @Test func `what is canceled or refused counts no more, where it was counted`() {
        #expect(add("home") == .none)
        #expect(request(70) == .none, "1: nothing counts yet")
        #expect(limit(count: 3, day: 100, month: 250) == .none)
        #expect(cancel(1) == .none && counts == [0, 0, 0], "it was not counted")
        #expect(request(60) == .none && request(40) == .none && request(1) == .withdrawalLimit)
        #expect(counts == [2, 100, 100])
        #expect(cancel(2) == .none && counts == [1, 40, 40])
        #expect(cancel(2) == .withdrawalUnknown && counts == [1, 40, 40])
        #expect(request(60) == .none && counts == [2, 100, 100])
        // 3 and 4 are open; two days on they count for the month only, in the sum of their day.
        venue.now += 48 * Self.hour
        #expect(request(50) == .none && counts == [1, 50, 150])
        #expect(cancel(3) == .none && counts == [1, 50, 110])
        let refusal = DecideWithdrawal(
            withdrawal: WithdrawalID(4), approves: false, audit: Venue.audit)
        #expect(venue.apply(.decideWithdrawal(refusal)).refusal == .none)
        #expect(counts == [1, 50, 50])
        #expect(counts == [1, 50, 50])
        #expect(request(50) == .none && cancel(6) == .none && counts == [1, 50, 50])
        // What is over when it is given back leaves nothing to be given back.
        venue.now += 40 * 24 * Self.hour
        #expect(request(90) == .none && counts == [1, 90, 90])
        #expect(cancel(5) == .none && counts == [1, 90, 90])
    }

    @Test func `an account's own limits stand in the place of all accounts'`() {
        #expect(add("home") == .none && limit(each: 50) == .none)
        #expect(limit(Venue.ann, each: 500) == .none && request(500) == .none)
        #expect(limit(Venue.ann) == .none && request(51) == .withdrawalLimit)
        #expect(limit(AccountID(9), each: 1) == .accountUnknown)
        #expect(limit(each: -1) == .termsInvalid && limit(day: .max) == .termsInvalid)
        #expect(limit() == .none && request(51) == .none)
    }

    @Test func `a tier's limits stand between an account's own and those of all`() {
        #expect(add("home") == .none && limit(each: 50) == .none)
        #expect(limit(tier: 0, each: 60) == .none && limit(tier: 1, each: 500) == .none)
        #expect(request(61) == .withdrawalLimit && request(60) == .none)
        let tier = SetAccountTier(account: Venue.ann, tier: 1, audit: Venue.audit)
        #expect(venue.apply(.setAccountTier(tier)).refusal == .none)
        #expect(request(501) == .withdrawalLimit && request(500) == .none)
        #expect(venue.engine.withdrawalLimits(tier: 1, Venue.gold)?.amountMax.units == 500)
        #expect(venue.engine.withdrawalLimits(tier: 2, Venue.gold)?.amountMax.units == 50)
        #expect(venue.engine.withdrawalLimits(AccountID(0), Venue.gold)?.amountMax.units == 50)
        #expect(limit(Venue.ann, each: 9) == .none && request(10) == .withdrawalLimit)
        #expect(limit(Venue.ann) == .none && limit(tier: 1) == .none)
        #expect(request(51) == .withdrawalLimit && request(50) == .none, "as of all again")
        // Only what was requested while it counted counts.
        #expect(limit(tier: 1, count: 2) == .none && limit(count: 1) == .none)
        #expect(request() == .none && request() == .none && request() == .withdrawalLimit)
        let first = SetAccountTier(account: Venue.ann, tier: 2, audit: Venue.audit)
        #expect(venue.apply(.setAccountTier(first)).refusal == .none)
        #expect(request() == .withdrawalLimit, "what one tier has counted counts for the next")
        #expect(limit(tier: 8, each: 1) == .termsInvalid, "there are eight")
        #expect(limit(Venue.ann, tier: 1, each: 1) == .termsInvalid)
    }

    @Test func `counts never leave their range, however often is asked and cancelled`() {
        #expect(add("home") == .none && limit(month: Limits.amountUnitsMax) == .none)
        let most = Limits.amountUnitsMax - 10_000_000
        venue.adjust(Venue.ann, Venue.gold, most)
        for number in 1...3 as ClosedRange<UInt64> {
            #expect(request(most) == .none)
            let cancel = CancelWithdrawal(account: Venue.ann, withdrawal: WithdrawalID(number))
            venue.apply(.cancelWithdrawal(cancel))
        }
    }

    @Test func `under rules 2 a request has no key, and any destination is taken`() {
        let old = Venue(rules: 2)
        old.openNetwork(Venue.gold)
        var request = RequestWithdrawal(
            account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
            amount: Amount(units: 10), address: Text64("home")!)
        #expect(old.apply(.requestWithdrawal(request)).refusal == .none)
        request.keyID = Venue.key(Venue.ann)
        #expect(old.apply(.requestWithdrawal(request)).refusal == .malformed)
        let policy = SetWithdrawalPolicy(addressDelay: 1, keyFreeze: 1, audit: Venue.audit)
        #expect(old.apply(.setWithdrawalPolicy(policy)).refusal == .malformed)
    }
}
