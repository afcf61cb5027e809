// Goal: an operator reads names and decimals of the very bytes that its key signs, whatever they
// say.

import BoursectlCommands
import Engine
import Terms
import Testing
import Wire

@Suite struct SignedTextTests {
    private static let audit = Audit(operatorName: Text40("olga")!, reason: "because")
    private static let seal = OperatorSeal(
        name: Text40("olga")!, key: OperatorKey(high: 7, low: 8), seen: .none)
    private static let deadline: Int64 = 1_700_000_000_000_000_000

    /// An exchange with LTC on chain 1, USD, their market, alice, and a withdrawal of hers.
    private func venue(_ more: [Command] = []) -> Engine {
        var engine = Engine(limits: .small)
        var commands: [Command] = [
            .setAsset(SetAsset(code: Text16("LTC")!, scale: 8, audit: Self.audit)),
            .setAsset(SetAsset(code: Text16("USD")!, scale: 2, audit: Self.audit)),
            .setInstrument(market),
            .openAccount(OpenAccount(name: Text40("alice")!, audit: Self.audit)),
            .setNetwork(network),
            .adjustBalance(booking(2_000_000_000)),
            .addAPIKey(
                AddAPIKey(
                    account: AccountID(1), permissions: [.withdraw, .withdrawAnywhere],
                    algorithm: .ed25519, keyID: Text64("k")!, sealedSecret: [1],
                    audit: Self.audit)),
            .requestWithdrawal(
                RequestWithdrawal(
                    account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
                    amount: Amount(units: 150_000_000), address: Text64("rltc1qcustomer")!,
                    keyID: Text64("k")!)),
        ]
        commands += more
        commands.append(
            .setOperator(
                SetOperator(
                    name: Text40("olga")!, key: OperatorKey(high: 7, low: 8), approves: true,
                    administers: true, audit: Self.audit)))
        for command in commands {
            let outcome = engine.apply(
                RecordHeader(
                    sequence: engine.sequence + 1, timestamp: 1_000, kind: command.kind), command)
            #expect(outcome.refusal == .none, "\(command)")
        }
        return engine
    }

    private var market: SetInstrument {
        SetInstrument(
            symbol: Text16("LTCUSD")!, base: AssetID(1), quote: AssetID(2), tickMantissa: 1,
            tickScale: 2, lotUnits: 100_000_000, priceMax: Price(ticks: 1 << 20),
            quantityMax: Quantity(lots: 1 << 20), audit: Self.audit)
    }

    private var network: SetNetwork {
        SetNetwork(
            asset: AssetID(1), network: NetworkID(1), approvals: 2, confirmations: 3,
            minimum: Amount(units: 1_000_000), fee: Amount(units: 100_000),
            name: Text16("LITECOIN")!, audit: Self.audit)
    }

    private func booking(_ units: Int128) -> AdjustBalance {
        AdjustBalance(
            account: AccountID(1), asset: AssetID(1), amount: Amount(units: units),
            reference: Text64("wire 7")!, audit: Self.audit)
    }

    private func read(_ command: some CommandPayload) -> [String: String] {
        let engine = venue()
        let text = SignedText(
            kind: type(of: command).kind, payload: command.payloadBytes(), engine)
        return Dictionary((text?.facts ?? []).map { ($0.name, $0.value) }) { $1 }
    }

    private func proposal(_ command: Command) -> Propose {
        Propose(id: ProposalID(1), deadline: Self.deadline, command, seal: Self.seal)
    }

    @Test func `a decision says who gets how much of what, and where`() {
        var decision = SignDecision(
            withdrawal: WithdrawalID(1), deadline: Self.deadline, approves: true,
            account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
            amount: Amount(units: 150_000_000), fee: Amount(units: 100_000),
            address: Text64("rltc1qcustomer")!, tag: Text40("memo")!, reason: "called back",
            seal: Self.seal)
        var said = read(decision)
        #expect(said["approves"] == "withdrawal 1" && said["account"] == "alice (account 1)")
        #expect(said["amount"] == "1.5 LTC" && said["fee"] == "0.001 LTC")
        #expect(said["network"] == "LITECOIN (chain 1)" && said["to address"] == "rltc1qcustomer")
        #expect(said["tag"] == "memo" && said["reason"] == "called back")
        #expect(said["signed by"] == "olga" && said["valid until"]?.hasPrefix("2023-11-14") == true)
        // What the bytes say counts, not what the log has.
        decision.amount.units = 1
        decision.account = AccountID(9)
        decision.asset = AssetID(2)
        decision.approves = false
        said = read(decision)
        #expect(said["amount"] == "0.01 USD" && said["account"] == "UNKNOWN (account 9)")
        #expect(said["refuses"] == "withdrawal 1" && said["approves"] == nil)
        decision.asset = AssetID(9)
        decision.amount.units = .min
        #expect(read(decision)["amount"]?.contains("UNKNOWN") == true)
    }

    @Test func `a proposal says its command in names and decimals`() {
        var said = read(proposal(.adjustBalance(booking(-150_000_000))))
        #expect(said["proposes"] == "adjustBalance" && said["account"] == "alice (account 1)")
        #expect(said["amount"] == "-1.5 LTC" && said["reference"] == "wire 7")
        #expect(said["reason"] == "because")
        said = read(proposal(.setNetwork(network)))
        #expect(said["asset"] == "LTC (asset 1)" && said["minimum"] == "0.01 LTC")
        #expect(said["fee"] == "0.001 LTC" && said["approvals"] == "2")
        said = read(
            proposal(
                .setFees(
                    SetFees(
                        tier: 1, instrument: InstrumentID(1), maker: FeeRate(e8: -5_000),
                        taker: FeeRate(e8: 100_000), audit: Self.audit))))
        #expect(said["instrument"] == "LTCUSD (instrument 1)")
        #expect(said["maker"] == "-0.005%" && said["taker"] == "0.1%")
        for (tier, whose) in [(UInt16?.none, "all"), (1, "each of the tier")] {
            said = read(
                proposal(
                    .setWithdrawalLimits(
                        SetWithdrawalLimits(
                            account: AccountID(0), tier: tier, asset: AssetID(1), dayCountMax: 0,
                            amountMax: Amount(units: 150_000_000), dayAmountMax: .zero,
                            monthAmountMax: .zero, audit: Self.audit))))
            #expect(said["account"] == whose && said["tier"] == tier.map { "\($0)" })
            #expect(said["amountMax"] == "1.5 LTC")
        }
        said = read(
            proposal(
                .setWithdrawalTerms(
                    SetWithdrawalTerms(
                        account: AccountID(0), tier: 2, asset: AssetID(1), network: NetworkID(1),
                        minimum: Amount(units: 150_000_000), fee: Amount(units: 50_000),
                        audit: Self.audit))))
        #expect(said["account"] == "each of the tier" && said["tier"] == "2")
        #expect(said["minimum"] == "1.5 LTC" && said["fee"] == "0.0005 LTC")
        #expect(said["terms"] == nil)
        said = read(
            proposal(
                .setWithdrawalTerms(
                    SetWithdrawalTerms(
                        account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
                        minimum: .zero, fee: .zero, audit: Self.audit))))
        #expect(said["terms"]?.contains("removed") == true)
        said = read(proposal(.setInstrument(market)))
        #expect(said["priceMax"] == "10,485.76" && said["base"] == "LTC (asset 1)")
        said = read(
            proposal(
                .decideWithdrawal(
                    DecideWithdrawal(
                        withdrawal: WithdrawalID(1), approves: false, audit: Self.audit))))
        #expect(said["withdrawal"]?.contains("1.5 LTC of alice") == true)
        #expect(said["withdrawal"]?.contains("to rltc1qcustomer") == true)
        let drop = DropTransaction(transaction: TransactionID(high: 1, low: 2))
        #expect(
            read(proposal(.dropTransaction(drop)))["transaction"]?.contains("no open payment")
                == true)
    }

    @Test func `each proposable command is read, with hostile terms as well`() {
        var hostile = market
        (hostile.tickScale, hostile.tickMantissa, hostile.lotUnits) = (255, .min, .min)
        hostile.priceMax.ticks = .min
        hostile.notionalMax.units = .min
        #expect(read(proposal(.setInstrument(hostile)))["symbol"] == "LTCUSD")
        #expect(
            read(proposal(.adjustBalance(booking(.min))))["amount"]?.contains("OUT OF RANGE")
                == true)
        var other = proposal(.adjustBalance(booking(1)))
        other.payload = [1, 2, 3]
        #expect(read(other)["proposes"] == "what is not to be proposed")
    }

    @Test func `who endorses cold storage sees its addresses, or what is wrong with it`() {
        let key =
            "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2g"
            + "rBGRjaDMzQLcgJvLJuZZvRcEL"
        let other =
            "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo"
            + "6oDaPPLPxSb7gwQN3ih19Zm4Y"
        let chain = Command.setChain(
            SetChain(
                network: NetworkID(1), firstBlock: 1, chain: Text40("litecoin")!, key: key,
                audit: Self.audit))
        let engine = venue([chain])
        func read(_ descriptor: String) -> [String: String] {
            let command = Command.setColdStorage(
                SetColdStorage(
                    asset: AssetID(1), network: NetworkID(1), ceiling: Amount(units: 200_000_000),
                    target: Amount(units: 1), descriptor: descriptor, audit: Self.audit))
            let facts = SignedText(command, engine).facts
            return Dictionary(facts.map { ($0.name, $0.value) }) { $1 }
        }
        let good = read("wpkh(\(other)/0/*)")
        #expect(good["cold storage"] == "one key" && good["ceiling"] == "2 LTC")
        let addresses = good["first addresses"]?.split(separator: " ") ?? []
        #expect(addresses.count == 3 && addresses.allSatisfy { $0.hasPrefix("ltc1q") })
        #expect(read("wpkh(\(key)/1/*)")["cold storage"]?.contains("wallet's own") == true)
        #expect(read("wpkh(what)")["cold storage"]?.hasPrefix("UNREADABLE") == true)
        #expect(
            read("wsh(sortedmulti(2,\(other)/0/*,\(other)/1/*))")["first addresses"] == nil)
        #expect(
            read("LbTjMGN7gELw4KbeyQf6cTCq859hD18guE")["cold storage"]?.hasPrefix("UNREADABLE")
                == true)
        #expect(read("")["cold storage"] == "none any more")
    }

    @Test func `an endorsement says what it endorses, by its digest`() {
        var engine = venue()
        func apply(_ command: Command) {
            let header = RecordHeader(
                sequence: engine.sequence + 1, timestamp: 1_000, kind: command.kind)
            #expect(engine.apply(header, command).refusal == .none, "\(command)")
        }
        func propose(_ command: Command, _ id: UInt128) -> Propose {
            var seal = Self.seal
            seal.seen = engine.auditHead
            return Propose(id: ProposalID(id), deadline: 5_000, command, seal: seal)
        }
        for (id, name) in [(UInt128(1), "otto"), (2, "omar")] {
            apply(
                .propose(
                    propose(
                        .setOperator(
                            SetOperator(
                                name: Text40(name)!, key: OperatorKey(high: id + 20, low: 9),
                                approves: true, administers: true, audit: Self.audit)), id)))
        }
        apply(
            .propose(
                propose(
                    .setCustodyPolicy(SetCustodyPolicy(endorsements: 1, audit: Self.audit)), 3)))
        let open = propose(.adjustBalance(booking(150_000_000)), 4)
        apply(.propose(open))
        var endorsement = Endorse(
            proposal: open.id, deadline: Self.deadline, digest: open.digest, seal: Self.seal)
        func read() -> [String: String] {
            let text = SignedText(
                kind: .endorse, payload: endorsement.payloadBytes(), engine)
            return Dictionary((text?.facts ?? []).map { ($0.name, $0.value) }) { $1 }
        }
        var said = read()
        #expect(said["command"] == "adjustBalance" && said["amount"] == "1.5 LTC")
        #expect(said["account"] == "alice (account 1)" && said["proposed by"] == "olga")
        endorsement.digest = .none
        said = read()
        #expect(said["command"]?.hasPrefix("UNKNOWN") == true && said["amount"] == nil)
    }
}
