// Goal: from the first operator with a key on nobody alone takes money out or makes way for that,
// whatever bytes come in; and what was done stands in a chain that nobody can mend unseen.

import Engine
import Secrets
import Terms
import Testing
import Wire

@Suite struct OperatorTests {
    private let office = Office()
    private var venue: Venue { office.venue }

    @Test func `without operators names are enough, and the first one ends that`() {
        #expect(venue.apply(office.credit()).refusal == .none)
        #expect(office.propose(office.credit("wire 2")).refusal == .operatorUnknown)
        #expect(venue.apply(office.policy(0)).refusal == .stateInvalid)
        #expect(venue.apply(office.setOperator("olga")).refusal == .none)
        let audit = Office.audit("olga")
        let guarded: [Command] = [
            office.credit("wire 3"), office.setOperator("otto"), office.policy(0),
            .transferFees(
                TransferFees(
                    account: Venue.ann, asset: Venue.gold, amount: Amount(units: 1),
                    reference: Text64("f")!, audit: audit)),
            .raiseLimits(RaiseLimits(limits: .small, audit: audit)),
            .setNetwork(
                SetNetwork(
                    asset: Venue.gold, network: NetworkID(1), confirmations: 1,
                    minimum: Amount(units: 1), fee: .zero, name: Text16("GLD")!, audit: audit)),
            .setChain(
                SetChain(
                    network: NetworkID(1), firstBlock: 1, chain: Text40("c")!, key: "k",
                    audit: audit)),
            .resumeWithdrawals(ResumeWithdrawals(asset: Venue.gold, audit: audit)),
            .setInstrument(venue.terms),
            .setReferencePrice(
                SetReferencePrice(
                    instrument: Venue.goldDollar, price: Price(ticks: 9), audit: audit)),
            .setFees(
                SetFees(tier: 0, maker: FeeRate(e8: 1), taker: FeeRate(e8: 1), audit: audit)),
            .setAccountTier(SetAccountTier(account: Venue.ann, tier: 1, audit: audit)),
            .addAPIKey(
                AddAPIKey(
                    account: Venue.ann, permissions: [.read, .withdraw], algorithm: .ed25519,
                    keyID: Text64("k")!, sealedSecret: [1], audit: audit)),
            .addAPIKey(
                AddAPIKey(
                    account: Venue.ann, permissions: .trade, algorithm: .ed25519,
                    keyID: Text64("k")!, sealedSecret: [1], audit: audit)),
            .setKillSwitch(SetKillSwitch(account: Venue.ann, isOn: false, audit: audit)),
            .setWithdrawalPolicy(
                SetWithdrawalPolicy(addressDelay: 0, keyFreeze: 0, audit: audit)),
            .setWithdrawalLimits(
                SetWithdrawalLimits(
                    account: Venue.ann, asset: Venue.gold, dayCountMax: 9, amountMax: .zero,
                    dayAmountMax: .zero, monthAmountMax: .zero, audit: audit)),
            .setWithdrawalTerms(
                SetWithdrawalTerms(
                    account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                    minimum: Amount(units: 1), fee: .zero, audit: audit)),
            .setColdStorage(
                SetColdStorage(
                    asset: Venue.gold, network: NetworkID(1), ceiling: Amount(units: 1),
                    target: .zero, descriptor: "thief", audit: audit)),
            .addWithdrawalAddress(
                AddWithdrawalAddress(
                    account: Venue.ann, network: NetworkID(1), address: Text64("thief")!,
                    audit: audit)),
            .addAPIKey(
                AddAPIKey(
                    account: Venue.ann, permissions: [.withdraw, .withdrawAnywhere],
                    algorithm: .ed25519, keyID: Text64("k")!, sealedSecret: [1], audit: audit)),
            .requestWithdrawal(
                RequestWithdrawal(
                    account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                    amount: Amount(units: 1), address: Text64("a")!, requester: Text40("olga")!)),
        ]
        #expect(guarded.allSatisfy { $0.isGuarded })
        for command in guarded {
            #expect(venue.apply(command).refusal == .approvalRequired, "\(command)")
        }
        let decision = DecideWithdrawal(
            withdrawal: WithdrawalID(1), approves: true, audit: audit)
        #expect(venue.apply(.decideWithdrawal(decision)).refusal == .approvalRequired)
        let refusal = DecideWithdrawal(
            withdrawal: WithdrawalID(1), approves: false, audit: audit)
        #expect(venue.apply(.decideWithdrawal(refusal)).refusal == .withdrawalUnknown, "free")
        let reading = AddAPIKey(
            account: Venue.ann, permissions: .read, algorithm: .ed25519, keyID: Text64("r")!,
            sealedSecret: [1], audit: audit)
        #expect(venue.apply(.addAPIKey(reading)).refusal == .none, "reading is free")
        let stop = StopWithdrawals(asset: Venue.gold, reason: "")
        #expect(venue.apply(.stopWithdrawals(stop)).refusal == .none, "stopping is free")
        #expect(office.gold == 5)
        // Alone, as long as the policy asks for nobody else; but signed, and now.
        let late = venue.engine.timestamp + 2 + Limits.signatureNanosMax
        #expect(
            office.propose(office.credit("wire 3")) { $0.deadline = late }.refusal == .termsInvalid)
        #expect(office.propose(office.credit("wire 4")).refusal == .none)
        #expect(office.gold == 10)
    }

    @Test func `what one proposes another endorses, never the proposer, and once each`() {
        office.open("opal")
        #expect(office.propose(office.policy(2)).refusal == .none)
        #expect(office.endorse("olga").refusal == .approvalInvalid)
        #expect(office.endorse("otto").refusal == .none && venue.engine.endorsements == 2)
        #expect(office.propose(office.credit()).refusal == .none)
        #expect(office.gold == 0 && venue.engine.appliedProposal == nil)
        #expect(office.endorse("otto").refusal == .none && office.gold == 0)
        #expect(office.endorse("otto").refusal == .approvalInvalid)
        #expect(office.endorse("omar") { $0.digest = .none }.refusal == .termsInvalid)
        #expect(office.endorse("omar") { $0.proposal = ProposalID(99) }.refusal == .proposalUnknown)
        #expect(office.endorse("mallory").refusal == .operatorUnknown)
        #expect(
            office.endorse("omar") { $0.seal.key = Office.key("x") }.refusal == .operatorUnknown)
        #expect(office.endorse("omar").refusal == .none)
        #expect(office.gold == 5 && venue.engine.proposals.isEmpty)
        #expect(venue.engine.appliedProposal?.kind == .adjustBalance)
        #expect(office.endorse("omar").refusal == .proposalUnknown)
    }

    @Test func `each reason to refuse a proposal`() {
        office.open()
        let now = venue.engine.timestamp
        func refusal(
            _ command: Command, by name: String = "olga", _ change: (inout Propose) -> Void
        ) -> Refusal { office.propose(command, by: name, change).refusal }
        let credit = office.credit()
        #expect(refusal(credit) { $0.deadline = now - 1 } == .deadlinePassed)
        #expect(refusal(credit) { $0.deadline = .min } == .deadlinePassed)
        #expect(refusal(credit) { $0.deadline = .max } == .termsInvalid)
        #expect(
            refusal(credit) { $0.deadline = now + 2 + Limits.proposalNanosMax } == .termsInvalid)
        #expect(refusal(credit, by: "mallory") { _ in } == .operatorUnknown)
        #expect(refusal(credit) { $0.seal.key = Office.key("otto") } == .operatorUnknown)
        #expect(refusal(credit) { $0.seal.seen.count += 1 } == .auditHeadUnknown)
        #expect(refusal(credit) { $0.seal.seen.digest = .none } == .auditHeadUnknown)
        #expect(refusal(credit) { $0.id = ProposalID(0) } == .termsInvalid)
        #expect(refusal(credit) { $0.payload.append(0) } == .termsInvalid)
        #expect(refusal(credit) { $0.payload.removeLast(8) } == .termsInvalid)
        for kind in CommandKind.allCases where kind != .adjustBalance && kind != .transferFees {
            #expect(refusal(credit) { $0.proposedKind = kind.rawValue } == .termsInvalid)
        }
        // Another's name in the command.
        var other = office.proposal(credit, by: "olga")
        other.seal.name = Text40("otto")!
        other.seal.key = Office.key("otto")
        #expect(venue.apply(.propose(other)).refusal == .termsInvalid)
        let proposal = office.proposal(credit, by: "olga")
        #expect(venue.apply(.propose(proposal)).refusal == .none)
        #expect(venue.apply(.propose(proposal)).refusal == .referenceDuplicate)
        #expect(office.endorse("otto").refusal == .none)
        #expect(venue.apply(.propose(proposal)).refusal == .referenceDuplicate, "for ever")
        #expect(office.gold == 5)
    }

    @Test func `a command that is refused leaves its proposal open`() {
        office.open()
        #expect(office.propose(office.credit(units: -2_000_000)).refusal == .none)
        let head = venue.engine.auditHead
        #expect(office.endorse("otto").refusal == .insufficientFunds)
        #expect(venue.engine.proposals.first?.endorsers == [] && venue.engine.auditHead == head)
        venue.adjustByProposal(office)
        #expect(venue.engine.proposals.count == 1)
    }

    @Test func `proposals are few, and end by their deadline or their proposer`() {
        office.open()
        for n in 0..<Limits.proposalsOfOperatorMax {
            #expect(office.propose(office.credit("wire \(n)")).refusal == .none)
        }
        #expect(office.propose(office.credit("more")).refusal == .tableFull)
        #expect(office.propose(office.credit("more"), by: "otto").refusal == .none)
        let first = venue.engine.proposals[0].id
        func withdraw(_ name: String) -> Refusal {
            venue.apply(
                .withdrawProposal(
                    Office.signed(
                        WithdrawProposal(proposal: first, seal: office.seal(name)), name))
            ).refusal
        }
        #expect(withdraw("otto") == .approvalInvalid && withdraw("olga") == .none)
        #expect(withdraw("olga") == .proposalUnknown)
        // The deadline itself is still in time.
        let due = venue.engine.proposals[0].proposal.deadline
        #expect(venue.engine.nextTimer == due + 1)
        venue.now = due + 1
        #expect(
            office.endorse("omar") {
                $0.proposal = venue.engine.proposals[0].id
                $0.digest = venue.engine.proposals[0].proposal.digest
            }.refusal == .deadlinePassed)
        venue.apply(.tick(Tick()))
        #expect(venue.engine.proposals.allSatisfy { $0.proposal.deadline > due })
    }

    @Test func `each reason to refuse an operator, in order`() {
        office.open()
        func set(_ name: String, _ change: (inout SetOperator) -> Void = { _ in }) -> Refusal {
            office.propose(office.setOperator(name, change))
            let refusal = office.endorse("otto").refusal
            if refusal != .none {
                venue.apply(
                    .withdrawProposal(
                        Office.signed(
                            WithdrawProposal(
                                proposal: venue.engine.proposals.last!.id,
                                seal: office.seal("olga")), "olga")))
            }
            return refusal
        }
        #expect(set("opal") { $0.name = Text40() } == .nameInvalid)
        #expect(set("opal") { $0.key = OperatorKey(high: 1, low: 0) } == .termsInvalid)
        #expect(set("otto") { $0.key = Office.key("opal") } == .nameInvalid, "a key is for ever")
        #expect(set("opal") { ($0.approves, $0.administers) = (false, false) } == .termsInvalid)
        #expect(set("opal") { $0.key = Office.key("otto") } == .referenceDuplicate)
        #expect(set("opal") { $0.administers = false } == .none)
        #expect(office.propose(office.credit(), by: "opal").refusal == .operatorUnknown)
        #expect(set("omar") { $0.administers = false } == .stateInvalid, "a key may be lost")
        #expect(set("opal") == .none && set("omar") { $0.administers = false } == .none)
        #expect(set("otto") { $0.administers = false } == .stateInvalid, "three have to be left")
        #expect(set("omar") == .none, "and comes back with the same key")
    }

    @Test func `who is removed takes proposals and endorsements along`() {
        office.open("opal", "owen")
        #expect(office.propose(office.policy(2)).refusal == .none)
        #expect(office.endorse("otto").refusal == .none)
        office.propose(office.credit("of omar"), by: "omar")
        office.propose(office.credit("of olga"), by: "olga")
        #expect(office.endorse("omar").refusal == .none)
        office.propose(
            office.setOperator("omar", approves: false, administers: false), by: "olga")
        #expect(office.endorse("otto").refusal == .none && office.endorse("opal").refusal == .none)
        let left = venue.engine.proposals
        #expect(left.count == 1 && left.first?.endorsers == [])
    }

    @Test func `a withdrawal that was changed after its approval was signed is not approved`() {
        office.open("opal")
        office.propose(office.network(approvals: 2))
        #expect(office.endorse("otto").refusal == .none)
        let view = office.request("customer", requester: "omar")
        let changes: [(inout SignDecision) -> Void] = [
            { $0.address = Text64("thief")! }, { $0.amount.units += 1 }, { $0.fee.units -= 1 },
            { $0.asset = Venue.dollar }, { $0.network = NetworkID(2) }, { $0.account = Venue.ben },
            { $0.tag = Text40("memo")! },
        ]
        for change in changes { #expect(office.decide(view, "olga", change) == .termsInvalid) }
        #expect(office.decide(view, "omar") == .approvalInvalid, "who asked for it")
        #expect(office.decide(view, "mallory") == .operatorUnknown)
        #expect(
            office.decide(view, "olga") { $0.seal.seen = .none } == .auditHeadUnknown, "too old")
        #expect(office.decide(view, "olga") == .none)
        #expect(
            office.decide(view, "olga") == .approvalInvalid && office.decide(view, "otto") == .none)
        #expect(venue.engine.withdrawal(view.id)?.status == .approved)
        #expect(office.decide(view, "otto") == .stateInvalid)
        #expect(
            office.decide(view, "otto") { $0.approves = false } == .none, "and may be refused still"
        )
        // Another request of the same form is another withdrawal.
        let next = office.request("customer")
        #expect(office.decide(next, "olga") { $0.withdrawal = view.id } == .withdrawalUnknown)
        #expect(office.decide(next, "olga") == .none)
        // Who may not approve any more has not approved.
        office.propose(office.setOperator("olga", approves: false), by: "otto")
        #expect(office.endorse("omar").refusal == .none)
        #expect(office.decide(next, "otto") == .none)
        #expect(venue.engine.withdrawal(next.id)?.approvers == [Text40("otto")!])
        #expect(venue.engine.withdrawal(next.id)?.status == .requested)
    }

    @Test func `a signature is of one command, one key, one journal and one past`() {
        office.open()
        let proposal = office.proposal(office.credit(), by: "olga")
        #expect(Office.isValid(proposal))
        let message = proposal.message(journalHigh: 1, journalLow: 2)
        #expect(message != proposal.message(journalHigh: 2, journalLow: 2))
        #expect(message != proposal.message(journalHigh: 1, journalLow: 3))
        #expect(message.prefix(16).elementsEqual("bourse-operator1".utf8))
        var bytes = proposal.payloadBytes()
        for place in bytes.indices {
            bytes[place] ^= 1
            let changed = unsafe bytes.withUnsafeBytes {
                unsafe Command(kind: .propose, payload: $0)?.signed
            }
            if let changed {
                let isValid = Office.isValid(changed)
                #expect(!isValid, "byte \(place)")
            }
            bytes[place] ^= 1
        }
        // The same bytes as another kind are not signed.
        let withdrawal = WithdrawProposal(proposal: proposal.id, seal: office.seal("olga"))
        #expect(
            withdrawal.message(journalHigh: 1, journalLow: 2)
                != Endorse(
                    proposal: proposal.id, deadline: 1, digest: .none, seal: office.seal("olga")
                )
                .message(journalHigh: 1, journalLow: 2))
    }

    @Test func `the chain has each command of operators, and no refused one`() {
        let start = venue.engine.auditHead
        #expect(start.count > 0)
        #expect(venue.apply(.tick(Tick())).refusal == .none && venue.engine.auditHead == start)
        let command = office.credit()
        let next = AuditHead(count: start.count, digest: start.digest).next(
            sequence: venue.engine.sequence + 1, timestamp: venue.engine.timestamp,
            kind: CommandKind.adjustBalance.rawValue, payload: command.payload.payloadBytes())
        venue.apply(command)
        #expect(venue.engine.auditHead == next)
        let head = venue.engine.auditHead
        #expect(venue.apply(command).refusal == .referenceDuplicate)
        #expect(venue.engine.auditHead == head)
    }

    @Test func `only the last ends of the chain may have been seen`() {
        office.open()
        let old = venue.engine.auditHead
        let audit = Office.audit("olga")
        for n in 1..<Limits.auditHeadsMax {
            venue.apply(.openAccount(OpenAccount(name: Text40("a\(n % 40)")!, audit: audit)))
        }
        #expect(office.propose(office.credit()) { $0.seal.seen = old }.refusal == .none)
        #expect(
            office.propose(office.credit("2")) { $0.seal.seen = old }.refusal == .auditHeadUnknown)
    }

    @Test func `nobody proposes what newer rules brought`() {
        let office = Office(Venue(rules: 3))
        office.open()
        let command = Command.setWithdrawalTerms(
            SetWithdrawalTerms(
                account: Venue.ann, asset: Venue.gold, network: NetworkID(1),
                minimum: Amount(units: 1), fee: .zero, audit: Office.audit("olga")))
        #expect(office.propose(command).refusal == .termsInvalid)
        #expect(office.venue.apply(.setRules(SetRules(version: 4))).refusal == .none)
        #expect(office.propose(command).refusal == .none)
    }

    @Test func `a log of rules 2 goes on under rules 3, and its snapshot is read`() {
        let venue = Venue(rules: 2)
        let command = office.setOperator("olga")
        #expect(venue.apply(command).refusal == .malformed)
        #expect(venue.engine.auditHead == .none)
        var bytes: [UInt8] = []
        unsafe venue.engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes { unsafe read = Engine(snapshot: $0) }
        guard var engine = read.take() else {
            Issue.record("a snapshot of rules 2 is read")
            return
        }
        #expect(engine.stateHash() == venue.engine.stateHash())
        for command in [Command.setRules(SetRules(version: 3)), command] {
            let header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: engine.timestamp, kind: command.kind)
            #expect(engine.apply(header, command).refusal == .none)
        }
        #expect(engine.operatorViews.count == 1 && engine.auditHead.count == 1)
        bytes = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        let older = unsafe bytes.withUnsafeBytes {
            unsafe Engine(snapshot: $0, rulesKnown: 2)?.sequence
        }
        #expect(older == nil, "an earlier release does not read it")
        var before = Engine(limits: .small, rulesKnown: 2)
        let header = RecordHeader(sequence: 1, timestamp: 1, kind: .setRules)
        _ = before.apply(header, .setRules(SetRules(version: 3)))
        let hasDiverged = before.hasDiverged
        #expect(hasDiverged, "nor executes its log")
    }

    // MARK: Bytes

    /// FIPS 180-4's own examples, and NIST's of a million letters.
    @Test func `a digest is the one of NIST's vectors`() {
        let vectors: [([UInt8], String)] = [
            ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (
                Array("abc".utf8),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ),
            (
                Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                [UInt8](repeating: 0x61, count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
        for (message, hex) in vectors {
            #expect(Digest256(of: message).hex == hex)
            #expect(Digest256(hex: hex)?.bytes == SHA256.digest(message))
        }
    }

    @Test func `a digest is libcrypto's, of each length`() {
        for count in 0..<600 {
            let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Digest256(of: message).bytes == SHA256.digest(message))
        }
    }

    @Test func `keys of small order are weak, others are not`() {
        for hex in ["00", "01", "ec", "ed", "ee"] {
            let isLong = hex.hasPrefix("e")
            let rest = String(repeating: isLong ? "ff" : "00", count: 30)
            for last in isLong ? ["7f", "ff"] : ["00", "80"] {
                #expect(OperatorKey(hex: hex + rest + last)?.isWeak == true)
            }
        }
        #expect(!Office.key("olga").isWeak)
        // RFC 8032, 7.1, test 1.
        let secret = SecretBytes(
            hexBytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")!)
        #expect(
            Ed25519.publicKey(of: secret)?.hexText
                == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        #expect(
            Ed25519.signature(of: [], by: secret)?.hexText
                == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33b"
                + "acc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
    }
}

extension Venue {
    /// Otto gives Ann what a booking by Olga takes, and that is applied then.
    fileprivate func adjustByProposal(_ office: Office) {
        #expect(
            office.propose(office.credit("more", units: 1_500_000), by: "otto").refusal == .none)
        #expect(office.endorse("omar").refusal == .none)
        #expect(engine.proposals.count == 1)
        #expect(office.endorse("otto").refusal == .none)
        #expect(engine.proposals.isEmpty)
        #expect(office.propose(office.credit("last")).refusal == .none)
    }
}
