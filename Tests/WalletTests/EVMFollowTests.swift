// Goal: the reader of all chains follows a real EVM chain: deposits are credited once they are
// final, reorganisations before that are followed, and one after it stops the chain.

import Addresses
import Deposits
import EVM
import Nodes
import Terms
import Testing

/// A wallet that credits in memory what the reader has it credit.
private struct MemoryWallet {
    let node: EVMDepositNode<EVMNode>
    var reader = ChainReader()
    var terms: ReaderTerms
    var credited: [ChainOutput] = []
    var gone: [ChainOutput] = []

    init(_ node: EVMNode, tokens: EVMAddress...) throws {
        var addresses = try EVMDepositAddresses(try evmAccountKey())
        try addresses.update([AccountID(5), AccountID(6), AccountID(7)])
        var units: [EVMCoin: EVMUnits] = [.native: EVMUnits(decimals: 18, scale: 8)]
        for token in tokens { units[.token(token)] = EVMUnits(decimals: 6, scale: 6) }
        let watch = EVMWatch(addresses: addresses, tokens: [])
        self.node = EVMDepositNode(node, watch, units: units)
        terms = ReaderTerms(
            record: 1, firstBlock: 1, checkedHeight: 0, checkedBlock: .none, confirmations: 3,
            addresses: addresses.count)
    }

    /// Looks at the chain until there is nothing to do.
    mutating func look() {
        for _ in 0..<20 {
            for step in reader.read(node, terms, account: node.account) {
                switch step {
                case .note, .settle: break
                case .gone(let deposit): gone.append(deposit.output)
                case .credit(let deposit):
                    if !credited.contains(deposit.output) { credited.append(deposit.output) }
                case .finalize(let height, let block, _):
                    (terms.finalHeight, terms.finalBlock) = (height, block)
                case .check(let height, let block, _):
                    (terms.checkedHeight, terms.checkedBlock) = (height, block)
                    (terms.finalHeight, terms.finalBlock) = (height, block)
                }
                reader.done(step)
            }
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(5))) struct EVMFollowTests {
    @Test func `deposits are found, followed and final`() throws {
        let bench = try EVMBench()
        let (token, payer) = (try bench.deploy("Token"), try bench.deploy("Payer"))
        var wallet = try MemoryWallet(try bench.node(), tokens: token)
        let one = try wallet.node.watch.addresses.address(1)
        let three = try wallet.node.watch.addresses.address(3)
        wallet.look()
        #expect(wallet.reader.state == .reading(behind: 0) && wallet.reader.pending.isEmpty)

        let first = try bench.pay(one, 1_500_000_019_999_999_999)
        let second = try bench.run(token, "transfer(address,uint256)", three, 2_000_001)
        try bench.run(payer, "pay(address)", one, value: 7)
        try bench.mine()
        wallet.look()
        #expect(wallet.credited.isEmpty && wallet.reader.pending.count == 2)
        #expect(wallet.reader.pending.map { $0.0.account.number } == [5, 7])
        try bench.mine(2)
        wallet.look()
        #expect(wallet.credited.map(\.units) == [150_000_001, 2_000_001])
        #expect(wallet.credited.map(\.transaction) == [first, second])
        #expect(wallet.terms.checkedHeight == 3)
        // What came by the contract shows in the balance that was looked at for the other's sake.
        #expect(
            wallet.node.takeAnomalies().map(\.anomaly) == [.surplus(EVMHolding(one, .native), 7)])

        // A reorganisation takes a deposit away, and another comes in its place.
        let snapshot = try bench.call("evm_snapshot")
        try bench.pay(one, 20_000_000_000)
        try bench.mine()
        wallet.look()
        #expect(wallet.reader.pending.count == 1)
        try bench.call("evm_revert", snapshot)
        try bench.pay(one, 30_000_000_000)
        try bench.mine(2)
        wallet.look()
        #expect(
            wallet.gone.map(\.units) == [2] && wallet.reader.pending.map(\.0.output.units) == [3])
        try bench.mine(2)
        wallet.look()
        #expect(wallet.credited.map(\.units).last == 3 && wallet.credited.count == 3)

        // A reorganisation below what is final: nothing is credited from then on.
        try bench.call("evm_revert", snapshot)
        try bench.pay(one, 40_000_000_000)
        try bench.mine(9)
        wallet.look()
        guard case .forked(let height, _, .some) = wallet.reader.state else {
            Issue.record("\(wallet.reader.state)")
            return
        }
        #expect(height == wallet.terms.checkedHeight && wallet.credited.count == 3)
    }
}
