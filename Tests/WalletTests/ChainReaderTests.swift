// Goal: every deposit is credited once and only once it is final, whatever the chain, its node and
// restarts do; a final block that is replaced stops everything and says so.

import Deposits
import Engine
import Glibc
import Nodes
import Slabs
import Terms
import Testing
import Wire

/// A number of the environment, or a fallback.
private func environment(_ name: String, _ fallback: Int) -> Int {
    unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) } ?? fallback
}

/// An exchange with one chain, whose wallet reads a simulated one.
private final class Reading {
    static let confirmations: UInt32 = 3
    let chain = SimulatedChain()
    let node: SimulatedNode
    private(set) var engine: Engine
    var reader = ChainReader()
    /// How often the wallet was started.
    var lives = 1
    /// What is credited, by the log.
    private(set) var credited: [ChainOutput] = []
    private(set) var notes: [(output: ChainOutput, confirmations: UInt32)] = []
    private(set) var gone: [ChainOutput] = []
    private var sequence: UInt64 = 0

    init(seed: UInt64 = 1, firstBlock: UInt64 = 1) throws {
        node = SimulatedNode(chain, seed: seed)
        engine = Engine(limits: .small, rulesKnown: SetRules.next)
        let audit = Audit(operatorName: try #require(Text40("olga")), reason: "test")
        let genesis = Genesis(
            rules: 2, limits: .small, journalHigh: 1, journalLow: 2, hashKeyHigh: 3, hashKeyLow: 4)
        try #require(apply(.genesis(genesis)) == .none)
        let code = try #require(Text16("LTC"))
        try #require(apply(.setAsset(SetAsset(code: code, scale: 8, audit: audit))) == .none)
        for name in ["ann", "ben", "cid"] {
            let open = OpenAccount(name: try #require(Text40(name)), audit: audit)
            try #require(apply(.openAccount(open)) == .none)
        }
        let network = SetNetwork(
            asset: AssetID(1), network: NetworkID(1), confirmations: Self.confirmations,
            minimum: Amount(units: 1), fee: .zero, name: code, audit: audit)
        try #require(apply(.setNetwork(network)) == .none)
        try declare(firstBlock: firstBlock)
        for account in 1...2 as ClosedRange<UInt32> { try assign(account) }
    }

    func declare(firstBlock: UInt64) throws {
        let chain = SetChain(
            network: NetworkID(1), firstBlock: firstBlock, chain: try #require(Text40("regtest")),
            key: "xpub",
            audit: Audit(operatorName: try #require(Text40("olga")), reason: "read anew"))
        try #require(apply(.setChain(chain)) == .none)
    }

    func apply(_ command: Command) -> Refusal {
        sequence += 1
        let header = RecordHeader(
            sequence: sequence, timestamp: Int64(sequence), kind: command.kind)
        return engine.apply(header, command).refusal
    }

    static func script(_ account: UInt32) -> [UInt8] { [UInt8(account)] }

    /// Whose addresses the log knows.
    var owners: [AccountID] { engine.addressees(NetworkID(1)) }

    func assign(_ account: UInt32) throws {
        let assign = AssignAddress(account: AccountID(account), network: NetworkID(1))
        try #require(apply(.assignAddress(assign)) == .none)
    }

    /// What the log says of the chain.
    var view: ChainView? { engine.chain(NetworkID(1)) }

    private var terms: ReaderTerms {
        get throws {
            let view = try #require(self.view)
            return ReaderTerms(
                record: view.record, firstBlock: view.firstBlock, checkedHeight: view.checkedHeight,
                checkedBlock: view.checkedBlock, finalHeight: view.finalHeight,
                finalBlock: view.finalBlock, confirmations: Self.confirmations,
                addresses: owners.count)
        }
    }

    /// One look at the chain. Of its steps only the first `most` are carried out, as when the
    /// wallet is killed.
    func look(carryingOut most: Int = .max, isLate: Bool = false) throws {
        let owners = owners
        let steps = reader.read(
            node, try terms,
            account: { script in owners.first { Self.script($0.number) == script } },
            isLate: { isLate })
        for step in steps.prefix(most) { try carryOut(step) }
    }

    private func carryOut(_ step: ReaderStep) throws {
        switch step {
        case .note(let deposit, let confirmations):
            #expect(confirmations < Self.confirmations || node.isSyncing)
            let refusal = apply(.noteDeposit(note(deposit, confirmations, .pending)))
            if refusal == .none { notes.append((deposit.output, confirmations)) }
            reader.done(step)
        case .gone(let deposit):
            #expect(apply(.noteDeposit(note(deposit, 0, .gone))) == .none)
            gone.append(deposit.output)
            reader.done(step)
        case .credit(let deposit):
            try checkFinal(deposit.output)
            let credit = CreditDeposit(
                account: deposit.account, asset: AssetID(1), network: NetworkID(1),
                transactionHigh: deposit.output.transaction.high,
                transactionLow: deposit.output.transaction.low, output: deposit.output.index,
                amount: Amount(units: Int128(deposit.output.units)))
            let refusal = apply(.creditDeposit(credit))
            #expect(refusal == .none || refusal == .referenceDuplicate)
            if refusal == .none { credited.append(deposit.output) }
            reader.done(step)
        case .settle: Issue.record("no payment was signed")
        case .finalize(let height, let block, let addresses):
            try check(height, block, addresses, .final)
        case .check(let height, let block, let addresses):
            try check(height, block, addresses, .credited)
        }
    }

    private func check(
        _ height: UInt64, _ block: BlockID, _ addresses: Int, _ stage: CheckStage
    ) throws {
        let check = CheckBlock(
            network: NetworkID(1), stage: stage, addresses: UInt32(addresses), height: height,
            block: block, chainRecord: view?.record ?? 0)
        try #require(apply(.checkBlock(check)) == .none)
    }

    private func note(
        _ deposit: FoundDeposit, _ confirmations: UInt32, _ status: DepositStatus
    ) -> NoteDeposit {
        NoteDeposit(
            account: deposit.account, asset: AssetID(1), network: NetworkID(1),
            transaction: deposit.output.transaction, output: deposit.output.index,
            amount: Amount(units: Int128(deposit.output.units)), confirmations: confirmations,
            status: status)
    }

    /// Whether the chain itself has it, deep enough.
    private func checkFinal(_ output: ChainOutput) throws {
        // Between its reading and now the chain may have changed, but not so deeply.
        let found = try #require(chain.outputs.first { $0.0 == output }, "credited from nowhere")
        #expect(found.confirmations + 1 >= UInt64(Self.confirmations))
    }

    /// What a look at the whole chain says should be credited.
    var due: [ChainOutput] {
        chain.outputs.filter {
            $0.confirmations >= UInt64(Self.confirmations) && $0.0.units > 0
                && owners.map { Self.script($0.number) }.contains($0.0.script)
        }.map(\.0)
    }

    /// What the account has.
    func balance(_ account: UInt32) -> Int128 {
        engine.balance(AccountID(account), AssetID(1)).available.units
    }
}

@Suite struct ChainReaderTests {
    @Test func `a deposit is noted, counted up, credited once and checked`() throws {
        let reading = try Reading()
        reading.chain.mine([reading.chain.payment(Reading.script(1), 500)])
        for _ in 0..<2 { try reading.look() }
        #expect(reading.notes.map(\.confirmations) == [1])
        #expect(reading.reader.pending.map(\.confirmations) == [1])
        reading.chain.mine([])
        try reading.look()
        #expect(reading.notes.map(\.confirmations) == [1, 2] && reading.balance(1) == 0)
        reading.chain.mine([])
        for _ in 0..<3 { try reading.look() }
        #expect(reading.balance(1) == 500 && reading.reader.pending.isEmpty)
        #expect(reading.view?.checkedHeight == 1)
        #expect(reading.reader.state == .reading(behind: 0))
    }

    @Test func `two outputs of one transaction are two deposits, and strangers' are none`() throws {
        let reading = try Reading()
        let first = reading.chain.payment(Reading.script(1), 100)
        var second = first
        second.index = 1
        second.units = 30
        let other = reading.chain.payment([9], 70)
        let nothing = reading.chain.payment(Reading.script(2), 0)
        reading.chain.mine([first, second, other, nothing])
        for _ in 0..<4 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.balance(1) == 130 && reading.balance(2) == 0)
        #expect(reading.credited.count == 2)
    }

    @Test func `a reorganisation before credit is followed`() throws {
        let reading = try Reading()
        let payment = reading.chain.payment(Reading.script(1), 500)
        reading.chain.mine([payment])
        try reading.look()
        // The same coins go elsewhere on the other branch.
        reading.chain.reorganise(depth: 1) { _ in false }
        try reading.look()
        try reading.look()
        #expect(reading.gone == [payment])
        for _ in 0..<6 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.credited.isEmpty && reading.balance(1) == 0)
        #expect(reading.reader.state == .reading(behind: 0))
    }

    @Test func `a final block that is replaced stops everything until it is read anew`() throws {
        let reading = try Reading()
        reading.chain.mine([reading.chain.payment(Reading.script(1), 500)])
        for _ in 0..<6 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.balance(1) == 500)
        reading.chain.reorganise(depth: 6) { _ in false }
        reading.chain.mine([reading.chain.payment(Reading.script(2), 70)])
        for _ in 0..<5 {
            reading.chain.mine([])
            try reading.look()
            guard case .forked(let height, _, let found) = reading.reader.state else {
                Issue.record("\(reading.reader.state)")
                return
            }
            #expect(height >= 3 && found != nil)
        }
        #expect(reading.balance(2) == 0)
        // A wallet that has just started sees it as well.
        reading.reader = ChainReader()
        try reading.look()
        guard case .forked = reading.reader.state else {
            Issue.record("\(reading.reader.state)")
            return
        }
        try reading.declare(firstBlock: 1)
        for _ in 0..<3 { try reading.look() }
        #expect(reading.balance(1) == 500 && reading.balance(2) == 70)
    }

    /// Of two deposits in a block the first is credited, the wallet is killed, and the block is
    /// replaced before it starts again.
    @Test func `what was credited right before a kill is missed when its block is gone`() throws {
        let reading = try Reading()
        let pay = reading.chain.payment
        reading.chain.mine([pay(Reading.script(1), 500, 0), pay(Reading.script(2), 70, 0)])
        for _ in 0..<Int(Reading.confirmations) - 1 { reading.chain.mine([]) }
        while reading.balance(1) == 0 { try reading.look(carryingOut: 1) }
        #expect(reading.balance(2) == 0 && reading.view?.checkedHeight == 0)
        #expect(reading.view?.finalHeight == 1)
        reading.reader = ChainReader()
        reading.chain.reorganise(depth: 8) { _ in false }
        for _ in 0..<3 { try reading.look() }
        guard case .forked(1, _, .some) = reading.reader.state else {
            Issue.record("\(reading.reader.state)")
            return
        }
        #expect(reading.balance(2) == 0)
    }

    @Test func `a node that lags, boasts or mixes blocks up is not believed`() throws {
        let reading = try Reading()
        for _ in 0..<8 {
            reading.chain.mine([])
            try reading.look()
        }
        reading.node.lag = 7
        try reading.look()
        #expect(reading.reader.state == .nodeBehind(height: 1))
        reading.node.lag = 0
        reading.chain.mine([reading.chain.payment(Reading.script(1), 5)])
        reading.node.boasts = true
        try reading.look()
        #expect(reading.credited.isEmpty, "50 blocks that nobody has seen confirm nothing")
        reading.node.boasts = false
        reading.node.isConfused = true
        for _ in 0..<20 {
            reading.chain.mine([])
            try reading.look()
        }
        reading.node.isConfused = false
        for _ in 0..<3 { try reading.look() }
        #expect(reading.credited.map(\.units) == [5])
    }

    @Test func `nothing is credited while the node catches up with its chain`() throws {
        let reading = try Reading()
        reading.node.isSyncing = true
        reading.chain.mine([reading.chain.payment(Reading.script(1), 500)])
        for _ in 0..<6 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.reader.state == .nodeSyncing && reading.credited.isEmpty)
        #expect(reading.view?.checkedHeight == 0)
        reading.node.isSyncing = false
        for _ in 0..<3 { try reading.look() }
        #expect(reading.balance(1) == 500)
    }

    @Test func `a block that does not stand on the one before is not read`() throws {
        let reading = try Reading()
        for _ in 0..<3 { reading.chain.mine([]) }
        try reading.look()
        reading.node.isUprooted = true
        reading.chain.mine([reading.chain.payment(Reading.script(1), 500)])
        for _ in 0..<6 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.credited.isEmpty && reading.reader.height == 3)
        reading.node.isUprooted = false
        for _ in 0..<4 { try reading.look() }
        #expect(reading.balance(1) == 500)
    }

    @Test func `an address that became known later is looked for in blocks read before`() throws {
        let reading = try Reading()
        // The gateway gave the address; this replica of the log is behind.
        reading.chain.mine([reading.chain.payment(Reading.script(3), 70)])
        reading.chain.mine([])
        try reading.look()
        #expect(reading.reader.pending.isEmpty)
        try reading.assign(3)
        for _ in 0..<4 {
            reading.chain.mine([])
            try reading.look()
        }
        #expect(reading.balance(3) == 70)
    }

    @Test func `a node that takes all the time is read nevertheless, a block each time`() throws {
        let reading = try Reading()
        for _ in 0..<4 { reading.chain.mine([]) }
        for height in 1...4 as ClosedRange<UInt64> {
            try reading.look(isLate: true)
            #expect(reading.reader.height == height)
        }
    }

    @Test func `a first block that is not there yet is waited for`() throws {
        let reading = try Reading(firstBlock: 900)
        reading.chain.mine([])
        try reading.look()
        #expect(reading.reader.state == .reading(behind: 0))
    }

    @Test func `a credited block that is replaced before it is checked is seen`() throws {
        let reading = try Reading()
        let payment = reading.chain.payment(Reading.script(1), 500)
        reading.chain.mine([payment])
        for _ in 0..<2 { reading.chain.mine([]) }
        // The credit, and no check yet.
        try reading.look()
        #expect(reading.balance(1) == 500 && reading.view?.checkedHeight == 0)
        reading.chain.reorganise(depth: 3) { _ in false }
        reading.chain.mine([reading.chain.payment(Reading.script(2), 70)])
        for _ in 0..<5 {
            reading.chain.mine([])
            try reading.look()
        }
        guard case .forked(1, _, .some) = reading.reader.state else {
            Issue.record("\(reading.reader.state)")
            return
        }
        #expect(reading.balance(2) == 0)
        // The remedy that it names.
        try reading.declare(firstBlock: 1)
        for _ in 0..<4 { try reading.look() }
        #expect(reading.balance(2) == 70 && reading.reader.state == .reading(behind: 0))
    }

    @Test func `what lies before the first block is not read`() throws {
        let reading = try Reading(firstBlock: 5)
        for number in 1...8 {
            reading.chain.mine([reading.chain.payment(Reading.script(1), Int64(number))])
        }
        for _ in 0..<3 { try reading.look() }
        #expect(reading.credited.map(\.units) == [5, 6])
        // An operator has it read from the beginning: only what is missing is credited.
        try reading.declare(firstBlock: 1)
        for _ in 0..<10 { try reading.look() }
        #expect(reading.credited.map(\.units).sorted() == [1, 2, 3, 4, 5, 6])
    }

    @Test func `reading waits where deposits cannot be credited`() throws {
        let reading = try Reading()
        reading.chain.mine([reading.chain.payment(Reading.script(1), 1)])
        for _ in 0..<1_400 { reading.chain.mine([]) }
        for _ in 0..<40 { try reading.look(carryingOut: 0) }
        let most = UInt64(ChainReader.waitingMax + Int(Reading.confirmations))
        #expect(reading.reader.height == most)
        for _ in 0..<40 { try reading.look() }
        #expect(reading.reader.height == reading.chain.height && reading.balance(1) == 1)
    }

    /// Random deposits, reorganisations short of the confirmations, faults of the node and kills of
    /// the wallet between any two steps.
    @Test func `whatever happens, what is final is credited once`() throws {
        let first = UInt64(environment("BOURSE_SEED", 1))
        let rounds = environment("BOURSE_FUZZ_ITERATIONS", 60_000) / 300
        var (reorganised, killed) = (0, 0)
        for seed in first..<first + UInt64(max(1, rounds)) {
            var random = SplitMix64(seed: seed)
            let reading = try Reading(seed: seed)
            for _ in 0..<300 {
                switch random.next() % 12 {
                case 0...3:
                    let payments = (0..<random.next() % 3).map { _ in
                        reading.chain.payment(
                            Reading.script(UInt32(1 + random.next() % 3)),
                            Int64(random.next() % 100), index: UInt32(random.next() % 2))
                    }
                    reading.chain.mine(payments)
                case 4 where random.next() % 2 == 0:
                    // Shorter than the confirmations: nothing final is replaced.
                    reading.chain.reorganise(depth: 1 + Int(random.next() % 2)) { _ in
                        random.next() % 3 > 0
                    }
                    reorganised += 1
                case 5: reading.node.failures = random.next() % 3 == 0 ? 4 : 0
                case 6: reading.node.isConfused = random.next() % 4 == 0
                case 7:
                    reading.node.lag = random.next() % 4 == 0 ? random.next() % 5 : 0
                    let mayMine = random.next() % 3 == 0
                    var inner = SplitMix64(seed: random.next())
                    // The chain moves between two questions of one look.
                    reading.node.beforeCall = {
                        guard mayMine, inner.next() % 4 == 0 else { return }
                        if inner.next() % 3 > 0 {
                            reading.chain.mine([])
                        } else {
                            reading.chain.reorganise(depth: 1) { _ in true }
                        }
                    }
                case 8:
                    try reading.look(carryingOut: Int(random.next() % 3))
                    guard seed % 2 == 0 else { break }
                    reading.reader = ChainReader()
                    reading.lives += 1
                    killed += 1
                default: try reading.look()
                }
                guard Set(reading.credited).count == reading.credited.count else {
                    Issue.record("credited twice: BOURSE_SEED=\(seed)")
                    return
                }
            }
            (reading.node.failures, reading.node.isConfused, reading.node.lag) = (0, false, 0)
            reading.node.beforeCall = {}
            for _ in 0..<60 { try reading.look() }
            #expect(
                Set(reading.credited) == Set(reading.due), "BOURSE_SEED=\(seed)")
            // Whoever was shown a deposit sees what became of it.
            if reading.lives == 1 {
                let ended = Set(reading.credited + reading.gone)
                let open = Set(reading.reader.pending.map(\.0.output))
                #expect(
                    reading.notes.allSatisfy {
                        ended.contains($0.output) || open.contains($0.output)
                    },
                    "BOURSE_SEED=\(seed)")
            }
            let sum = reading.credited.reduce(0) { $0 + Int128($1.units) }
            #expect(sum == reading.balance(1) + reading.balance(2), "BOURSE_SEED=\(seed)")
        }
        #expect(reorganised > rounds && killed > rounds / 2)
    }
}
