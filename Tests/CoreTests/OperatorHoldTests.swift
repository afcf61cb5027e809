// Goal: an operator who knows the wire gets nothing out alone that tools would not let him: not by
// old signatures, not by dropping what was paid, not by filling tables or the audit chain, and no
// key that is lost locks the exchange.

import Engine
import Terms
import Testing
import Wire

@Suite struct OperatorHoldTests {
    private let office = Office()
    private var venue: Venue { office.venue }

    // MARK: Whose a command is

    @Test func `RULES says of each kind whose it is, as the code does`() throws {
        let page = readText(testFile("../../Sources/Core/Engine/RULES.md"))
        var rows: [String: String] = [:]
        for line in page.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { trimmed($0) }
            guard cells.count == 3 else { continue }
            for kind in cells[0].split(separator: ",") {
                let name = trimmed(kind)
                #expect(rows.updateValue(cells[1], forKey: name) == nil, "\(name) twice")
            }
        }
        for kind in CommandKind.allCases {
            let name = "\(kind)".prefix(1).uppercased() + "\(kind)".dropFirst()
            #expect(rows[name] == kind.authority.rawValue, "\(name)")
        }
        #expect(rows.count == CommandKind.allCases.count + 1, "a head, and no row of another")
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    @Test func `what is guarded may be proposed and says its operator, nothing else may`() {
        let samples = WireSamples.counting()
        for kind in CommandKind.allCases {
            let command = samples.command(kind)
            let said = command.said(by: Text40("olga")!)
            switch kind.authority {
            case .guarded:
                #expect(command.isGuarded && command.isOfOperators, "\(kind)")
                #expect(said.mayBeProposed(by: Text40("olga")!), "\(kind)")
                #expect(!said.mayBeProposed(by: Text40("otto")!), "\(kind)")
            case .partly: #expect(!command.isGuarded || command.isOfOperators, "\(kind)")
            default: #expect(!command.isGuarded && !command.isProposable, "\(kind)")
            }
        }
    }

    // MARK: Signatures

    @Test func `a signature that is late, or waits for too long, does not count`() {
        office.open("opal")
        office.propose(office.network(approvals: 2))
        let now = venue.engine.timestamp
        #expect(office.endorse("otto") { $0.deadline = now - 1 }.refusal == .deadlinePassed)
        #expect(office.endorse("otto") { $0.deadline = .min }.refusal == .deadlinePassed)
        #expect(office.endorse("otto") { $0.deadline = .max }.refusal == .termsInvalid)
        #expect(
            office.endorse("otto") { $0.deadline = now + 2 + Limits.signatureNanosMax }.refusal
                == .termsInvalid)
        // Whoever has no key says nothing by a far deadline: the seal comes first.
        #expect(
            office.endorse("mallory") { $0.deadline = .max }.refusal == .operatorUnknown)
        #expect(
            office.endorse("otto") {
                $0.deadline = .max
                $0.seal.seen.count += 1
            }.refusal == .auditHeadUnknown)
        #expect(office.endorse("otto") { $0.deadline = now }.refusal == .none, "in time")
        let view = office.request()
        #expect(office.decide(view, "olga") { $0.deadline = now - 1 } == .deadlinePassed)
        #expect(office.decide(view, "olga") { $0.deadline = .max } == .termsInvalid)
        #expect(office.decide(view, "mallory") { $0.deadline = .max } == .operatorUnknown)
        #expect(office.decide(view, "olga") == .none)
    }

    @Test func `approvals by name count no more once somebody has a key`() {
        #expect(venue.apply(office.network(approvals: 2)).refusal == .none)
        let view = office.request()
        let approval = DecideWithdrawal(
            withdrawal: view.id, approves: true, audit: Office.audit("otto"))
        #expect(venue.apply(.decideWithdrawal(approval)).refusal == .none)
        office.open()
        #expect(venue.engine.withdrawal(view.id)?.approvers == [])
        #expect(office.decide(view, "olga") == .none)
        #expect(venue.engine.withdrawal(view.id)?.status == .requested)
        #expect(office.decide(view, "otto") == .none)
        #expect(venue.engine.withdrawal(view.id)?.status == .approved)
    }

    @Test func `who was removed and comes back has approved nothing, by old signatures neither`() {
        office.open("opal", "owen")
        office.propose(office.network(approvals: 2))
        office.endorse("otto")
        let view = office.request()
        let before = office.seal("omar").seen
        #expect(office.decide(view, "omar") == .none)
        for approves in [false, true] {
            office.propose(office.setOperator("omar", approves: approves))
            #expect(office.endorse("otto").refusal == .none)
            #expect(venue.engine.withdrawal(view.id)?.approvers == [])
        }
        #expect(office.decide(view, "omar") { $0.seal.seen = before } == .auditHeadUnknown)
        #expect(office.decide(view, "olga") == .none)
        #expect(venue.engine.withdrawal(view.id)?.status == .requested)
        #expect(office.decide(view, "omar") == .none, "what it signs now counts")
        #expect(venue.engine.withdrawal(view.id)?.status == .approved)
    }

    @Test func `whatever others do, what was seen stays known for an hour`() {
        office.open()
        venue.now += Limits.auditMarkNanos
        let audit = Office.audit("olga")
        func flood(_ count: Int) {
            for n in 0..<count {
                venue.apply(.openAccount(OpenAccount(name: Text40("a\(n % 20)")!, audit: audit)))
            }
        }
        flood(1)
        let mark = venue.engine.auditHead(for: Text40("olga")!)
        #expect(mark.count + 1 == venue.engine.auditHead.count)
        flood(Limits.auditHeadsMax + 40)
        #expect(venue.engine.auditHead(for: Text40("olga")!) == mark)
        for _ in 0..<60 {
            venue.now += Limits.auditMarkNanos
            flood(3)
        }
        #expect(office.propose(office.credit()) { $0.seal.seen = mark }.refusal == .none)
        for _ in 0..<10 {
            venue.now += Limits.auditMarkNanos
            flood(30)
        }
        #expect(
            office.propose(office.credit("2")) { $0.seal.seen = mark }.refusal
                == .auditHeadUnknown)
        let newest = venue.engine.auditHead(for: Text40("olga")!)
        #expect(office.propose(office.credit("3")) { $0.seal.seen = newest }.refusal == .none)
        // Who is new has to have seen that.
        office.propose(office.setOperator("opal"))
        #expect(office.endorse("otto").refusal == .none)
        #expect(venue.engine.auditHead(for: Text40("opal")!) == venue.engine.auditHead)
    }

    // MARK: What was paid

    private let transaction = TransactionID(high: 7, low: 8)

    /// A withdrawal whose payment was signed and dropped.
    private func dropped() -> WithdrawalView {
        #expect(venue.apply(office.network(approvals: 0)).refusal == .none)
        let view = office.request()
        let payment = SignWithdrawals(
            asset: Venue.gold, network: NetworkID(1), transaction: transaction,
            withdrawals: [view.id], bytes: [1])
        #expect(venue.apply(.signWithdrawals(payment)).refusal == .none)
        let drop = Command.dropTransaction(DropTransaction(transaction: transaction))
        #expect(venue.apply(drop).refusal == .none)
        #expect(venue.engine.withdrawal(view.id)?.wasSigned == true)
        return view
    }

    private func refusal(_ view: WithdrawalView, by name: String) -> Command {
        .decideWithdrawal(
            DecideWithdrawal(withdrawal: view.id, approves: false, audit: Office.audit(name)))
    }

    @Test func `nobody alone gives back what a dropped payment may still pay`() {
        let view = dropped()
        let cancel = CancelWithdrawal(account: Venue.ann, withdrawal: view.id)
        #expect(venue.apply(.cancelWithdrawal(cancel)).refusal == .stateInvalid)
        office.open()
        #expect(venue.apply(refusal(view, by: "olga")).refusal == .approvalRequired)
        #expect(office.decide(view, "olga") { $0.approves = false } == .approvalRequired)
        #expect(office.propose(refusal(view, by: "olga")).refusal == .none)
        #expect(venue.engine.withdrawal(view.id) != nil)
        #expect(office.endorse("otto").refusal == .none)
        #expect(venue.engine.withdrawal(view.id) == nil && office.gold == 0)
    }

    @Test func `a payment is dropped by two, and while names count by one`() {
        let view = dropped()
        #expect(venue.apply(refusal(view, by: "olga")).refusal == .none, "names count")
        office.open()
        let other = office.request()
        let payment = SignWithdrawals(
            asset: Venue.gold, network: NetworkID(1), transaction: TransactionID(high: 9, low: 9),
            withdrawals: [other.id], bytes: [1])
        #expect(venue.apply(.signWithdrawals(payment)).refusal == .none)
        let drop = Command.dropTransaction(DropTransaction(transaction: payment.transaction))
        #expect(office.propose(drop).refusal == .none)
        #expect(venue.engine.payment(payment.transaction) != nil)
        #expect(office.endorse("otto").refusal == .none)
        #expect(venue.engine.payment(payment.transaction) == nil)
    }

    // MARK: Never locked

    @Test func `limits are raised while no reference is left`() {
        var limits = EngineLimits.small
        limits.references = 8
        let office = Office(Venue(limits: limits))
        office.open()
        var number = 0
        func book() -> Refusal {
            number += 1
            office.propose(office.credit("\(number)"))
            let refusal = office.endorse("otto").refusal
            if refusal != .none {
                office.venue.apply(
                    .withdrawProposal(
                        Office.signed(
                            WithdrawProposal(
                                proposal: office.venue.engine.proposals.last!.id,
                                seal: office.seal("olga")), "olga")))
            }
            return refusal
        }
        while number < 20, book() == .none {}
        #expect(book() == .tableFull)
        var raised = limits
        raised.references = 64
        office.propose(
            .raiseLimits(RaiseLimits(limits: raised, audit: Office.audit("olga"))))
        #expect(office.endorse("otto").refusal == .none && book() == .none)
    }

    @Test func `no policy is set that could not be met, or not without each key`() {
        office.open()
        func change(_ command: Command) -> Refusal {
            office.propose(command)
            let refusal = office.endorse("otto").refusal
            if refusal != .none, let open = venue.engine.proposals.last {
                venue.apply(
                    .withdrawProposal(
                        Office.signed(
                            WithdrawProposal(proposal: open.id, seal: office.seal("olga")),
                            "olga")))
            }
            return refusal
        }
        #expect(change(office.policy(2)) == .stateInvalid, "three administer")
        #expect(change(office.network(approvals: 3)) == .stateInvalid, "three approve")
        #expect(change(office.network(approvals: 2)) == .none)
        #expect(change(office.setOperator("omar", approves: false)) == .stateInvalid)
        #expect(change(office.setOperator("omar", administers: false)) == .stateInvalid)
        #expect(change(office.setOperator("opal")) == .none)
        #expect(change(office.setOperator("omar", approves: false, administers: false)) == .none)
        #expect(change(office.policy(0)) == .none)
    }

    @Test func `what could not be met before may be changed, and needs no approver`() {
        // As names alone approved it.
        #expect(venue.apply(office.network(approvals: 4)).refusal == .none)
        office.open()
        for (approvals, fee, refusal): (UInt8, Int128, Refusal) in [
            (5, 3, .stateInvalid), (4, 5, .none), (3, 5, .none),
        ] {
            office.propose(office.network(approvals: approvals, fee: fee))
            #expect(office.endorse("otto").refusal == refusal, "\(approvals) and \(fee)")
        }
        office.propose(office.setOperator("omar", approves: false))
        #expect(office.endorse("otto").refusal == .none)
    }

    // MARK: Snapshots

    @Test func `a snapshot has what was signed once, the marks and the last proposals`() {
        let view = dropped()
        office.open()
        venue.now += 3 * Limits.auditMarkNanos
        office.propose(office.credit())
        var bytes: [UInt8] = []
        unsafe venue.engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes { unsafe read = Engine(snapshot: $0) }
        guard let engine = read.take() else {
            Issue.record("it is read")
            return
        }
        #expect(engine.stateHash() == venue.engine.stateHash())
        #expect(engine.withdrawal(view.id)?.wasSigned == true)
        #expect(engine.operatorViews == venue.engine.operatorViews)
        let name = Text40("olga")!
        #expect(engine.auditHead(for: name) == venue.engine.auditHead(for: name))
        #expect(engine.operatorViews[0].lastProposal.number > 0)
    }
}
