// Goal: what an operator's key is to have signed does not get into the log unless it has: altered
// anywhere, of another key or of another exchange, it is refused before.

import Journal
import Link
import Pipeline
import Secrets
import Terms
import Testing
import Wire

@Suite struct OperatorIngressTests {
    /// Each kind of their commands, unsigned.
    static func commands(_ audit: Audit) -> [any CommandPayload] {
        let seal = OperatorSeal(
            name: audit.operatorName, key: OperatorKey(high: 7, low: 8), seen: .none)
        let policy = SetCustodyPolicy(endorsements: 0, audit: audit)
        return [
            policy,
            SetOperator(
                name: audit.operatorName, key: seal.key, approves: true, administers: true,
                audit: audit),
            Propose(id: ProposalID(1), deadline: 1, .setCustodyPolicy(policy), seal: seal),
            Endorse(proposal: ProposalID(1), deadline: 1, digest: .none, seal: seal),
            WithdrawProposal(proposal: ProposalID(1), seal: seal),
            SignDecision(
                withdrawal: WithdrawalID(1), deadline: 1, approves: true, account: AccountID(1),
                asset: AssetID(1), network: NetworkID(1), amount: Amount(units: 1), fee: .zero,
                address: Text64(), tag: Text40(), reason: "theft", seal: seal),
            SetWithdrawalPolicy(addressDelay: 0, keyFreeze: 0, audit: audit),
            SetWithdrawalTerms(
                account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
                minimum: Amount(units: 1), fee: .zero, audit: audit),
            SetWithdrawalLimits(
                account: AccountID(1), asset: AssetID(1), dayCountMax: 1, amountMax: .zero,
                dayAmountMax: .zero, monthAmountMax: .zero, audit: audit),
            SetColdStorage(
                asset: AssetID(1), network: NetworkID(1), ceiling: Amount(units: 1), target: .zero,
                descriptor: "cold", audit: audit),
            AddWithdrawalAddress(
                account: AccountID(1), network: NetworkID(1), address: Text64(), audit: audit),
            RemoveWithdrawalAddress(
                account: AccountID(1), network: NetworkID(1), address: Text64(), audit: audit),
        ]
    }

    @Test func `only what its key has signed gets into the log`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        let secret = SecretBytes([UInt8](repeating: 9, count: 32))
        let key = try #require(Ed25519.publicKey(of: secret).flatMap(OperatorKey.init(bytes:)))
        let name = try #require(Text40("olga"))
        let audit = Audit(operatorName: name, reason: "")
        var own = try TestDesk(running.connect(), "operator/own")
        try own.prepare()
        let first = SetOperator(
            name: name, key: key, approves: true, administers: true, audit: audit)
        #expect(try own.submit(first).refusal == .none)
        #expect(try own.submit(first).refusal == .approvalRequired)

        let welcome = own.client.welcome
        var proposal = Propose(
            id: ProposalID(5), deadline: .max,
            .setCustodyPolicy(SetCustodyPolicy(endorsements: 0, audit: audit)),
            seal: OperatorSeal(name: name, key: key, seen: .none))
        func sign(_ high: UInt64) throws {
            let message = proposal.message(journalHigh: high, journalLow: welcome.journalLow)
            let bytes = try #require(Ed25519.signature(of: message, by: secret))
            proposal.seal.signature = try #require(OperatorSignature(bytes: bytes))
        }
        func isForged() throws -> Bool {
            do {
                let client = try running.connect()
                _ = try client.execute(proposal, session: own.session, number: own.number + 1)
            } catch LinkError.refused(let refusal) {
                return refusal.code == .access && refusal.text.contains("signature")
            }
            return false
        }
        #expect(try isForged(), "no signature")
        try sign(welcome.journalHigh ^ 1)
        #expect(try isForged(), "of another exchange")
        try sign(welcome.journalHigh)
        proposal.deadline -= 1
        #expect(try isForged(), "altered")
        try sign(welcome.journalHigh)
        proposal.seal.key = OperatorKey(high: key.high ^ 1, low: key.low)
        #expect(try isForged(), "of another key")
        proposal.seal.key = key
        try sign(welcome.journalHigh)
        let outcome = try running.connect().execute(
            proposal, session: own.session, number: own.number + 1)
        #expect(outcome.refusal == .auditHeadUnknown, "the engine judges what is signed")
        try running.stop()
    }

    private static func deposit(_ number: UInt128) -> CreditDeposit {
        CreditDeposit(
            account: AccountID(1), asset: AssetID(1), transactionHigh: 1, transactionLow: number,
            output: 3, amount: Amount(units: 4))
    }

    private static func isDenied(_ work: () throws -> Void) throws -> Bool {
        do {
            try work()
        } catch LinkError.refused(let refusal) {
            return refusal.code == .access
        }
        return false
    }

    @Test func `what chains say is the wallet's alone`() {
        let transaction = TransactionID(high: 1, low: 2)
        let commands: [any CommandPayload] = [
            Self.deposit(1),
            NoteDeposit(
                account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
                transaction: transaction, output: 1, amount: Amount(units: 1), confirmations: 1,
                status: .pending),
            SignWithdrawals(
                asset: AssetID(1), network: NetworkID(1), transaction: transaction,
                withdrawals: [WithdrawalID(1)], bytes: [1]),
            SettleTransaction(
                transaction: transaction, costAsset: AssetID(1), cost: .zero, block: 1),
            CheckBlock(
                network: NetworkID(1), addresses: 0, height: 1, block: BlockID(high: 0, low: 1),
                chainRecord: 1),
        ]
        let kinds = Set(commands.map { type(of: $0).kind })
        #expect(kinds == Set(CommandKind.allCases.filter { $0.authority == .wallet }))
        for command in commands {
            for role in [LinkRole.observer, .gateway, .wallet, .operator] {
                let isAllowed = LinkPolicy.allows(role, command)
                #expect(isAllowed == (role == .wallet), "\(type(of: command)) by \(role)")
            }
        }
    }

    @Test func `root and matchd's user say what chains say only as the wallet`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        var own = try TestDesk(running.connect(), "operator/own")
        try own.prepare()
        #expect(
            try Self.isDenied {
                _ = try running.connect().execute(
                    Self.deposit(1), session: own.session, number: own.number + 1)
            })
        #expect(try Self.isDenied { _ = try TestDesk(running.connect(), "wallet/main") })
        var wallet = try TestDesk(running.connect(as: .wallet), "wallet/main")
        // It is the wallet and nothing else then, and no operator goes on in its session.
        #expect(try wallet.submit(Self.deposit(1)).refusal == .networkUnknown)
        #expect(
            try Self.isDenied {
                _ = try running.connect(as: .wallet).execute(
                    TestDesk.place(1), session: wallet.session, number: wallet.number + 1)
            })
        let stop = StopWithdrawals(asset: AssetID(1), reason: "test")
        let ack = try running.connect().execute(
            stop, session: wallet.session, number: wallet.number + 1)
        #expect(ack.refusal == .sessionUnknown && !ack.isLogged)
        // Nor does one who tries silence the wallet: it is connected still, and goes on.
        #expect(try wallet.submit(Self.deposit(2)).refusal == .networkUnknown)
        try running.stop()
    }

    @Test func `once there are keys no operator places orders or drops payments`() throws {
        let running = try RunningPipeline(try PipelinePlace())
        var own = try TestDesk(running.connect(), "operator/own")
        try own.prepare()
        #expect(try own.submit(TestDesk.place(1)).refusal == .none)
        let drop = DropTransaction(transaction: TransactionID(high: 1, low: 2))
        #expect(try own.submit(drop).refusal == .transactionUnknown)
        let name = try #require(Text40("olga"))
        let first = SetOperator(
            name: name, key: OperatorKey(high: 7, low: 8), approves: true, administers: true,
            audit: Audit(operatorName: name, reason: ""))
        #expect(try own.submit(first).refusal == .none)
        let number = own.number + 1
        func refusal(_ command: some CommandPayload) throws -> Refusal {
            let ack = try own.client.execute(command, session: own.session, number: number)
            #expect(!ack.isLogged)
            return ack.refusal
        }
        #expect(try refusal(TestDesk.place(2)) == .approvalRequired)
        let amend = Amend(
            account: AccountID(1), instrument: InstrumentID(1), order: OrderID(1),
            price: Price(ticks: 2))
        #expect(try refusal(amend) == .approvalRequired)
        #expect(try refusal(drop) == .approvalRequired)
        #expect(try own.submit(MassCancel(account: AccountID(1))).refusal == .none, "it stops")
        // Customers' orders come through a gateway, and the wallet drops what is dead.
        var gateway = try TestDesk(running.connect(as: .customers), "gateway/1")
        #expect(try gateway.submit(TestDesk.place(3)).refusal == .none)
        var wallet = try TestDesk(running.connect(as: .wallet), "wallet/main")
        #expect(try wallet.submit(drop).refusal == .transactionUnknown)
        try running.stop()
    }
}
