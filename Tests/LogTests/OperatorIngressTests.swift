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
            Endorse(proposal: ProposalID(1), digest: .none, seal: seal),
            WithdrawProposal(proposal: ProposalID(1), seal: seal),
            SignDecision(
                withdrawal: WithdrawalID(1), approves: true, account: AccountID(1),
                asset: AssetID(1), network: NetworkID(1), amount: Amount(units: 1), fee: .zero,
                address: Text64(), tag: Text40(), reason: "theft", seal: seal),
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
        #expect(outcome.refusal == .termsInvalid, "the engine judges what is signed")
        try running.stop()
    }
}
