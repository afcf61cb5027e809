// Goal: against a real node, deposits to our addresses are found and counted; whatever the node
// does, nothing is credited that its chain does not hold.

import Addresses
import Deposits
import JSON
import Keys
import Nodes
import Platform
import Secrets
import Terms
import Testing
import UTXO

/// A wallet that credits in memory what the reader tells it to.
private struct MemoryWallet {
    static let confirmations: UInt32 = 3
    let addresses: DepositAddresses
    var reader = ChainReader()
    var terms: ReaderTerms
    var credited: [ChainOutput] = []
    var gone = 0

    /// Three accounts with an address each.
    init(firstBlock: UInt64) throws {
        let network = try #require(UTXONetwork.named("litecoin-regtest"))
        let seed = SecretBytes([UInt8](repeating: 7, count: 32))
        let account = try ExtendedPrivateKey(seed: seed).descendant(
            .hardened(84), .hardened(network.coinType), .hardened(0))
        var addresses = try DepositAddresses(account.publicKey, on: network)
        try addresses.update([AccountID(5), AccountID(6), AccountID(7)])
        self.addresses = addresses
        terms = ReaderTerms(
            record: 1, firstBlock: firstBlock, checkedHeight: 0, checkedBlock: .none,
            confirmations: Self.confirmations, addresses: addresses.count)
    }

    /// Looks at the chain until there is nothing to do.
    mutating func look(_ node: UTXONode) {
        for _ in 0..<20 {
            for step in reader.read(node, terms, account: addresses.account) {
                switch step {
                case .note, .settle: break
                case .gone: gone += 1
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

@Suite(.serialized, .timeLimit(.minutes(5))) struct LitecoinTests {
    @Test func `deposits to derived addresses are found, followed and final`() throws {
        let bench = try LitecoinBench()
        let node = try bench.node()
        var wallet = try MemoryWallet(firstBlock: 1)
        let first = try bench.pay(try wallet.addresses.address(1), "1.50000001")
        try bench.pay(try wallet.addresses.address(3), "0.0002")
        try bench.mine(1)
        wallet.look(node)
        #expect(wallet.reader.state == .reading(behind: 0))
        #expect(wallet.credited.isEmpty && wallet.reader.pending.count == 2)
        #expect(
            Set(wallet.reader.pending.map { $0.0.account }) == [AccountID(5), AccountID(7)])
        try bench.mine(2)
        wallet.look(node)
        #expect(wallet.credited.map(\.units).sorted() == [20_000, 150_000_001])
        #expect(wallet.credited.contains { $0.transaction.hex == first })
        #expect(wallet.terms.checkedHeight == 102 && wallet.reader.pending.isEmpty)

        // A shorter reorganisation takes a deposit away and brings it back.
        try bench.pay(try wallet.addresses.address(2), "3")
        let taken = try #require(try bench.mine(1).first)
        wallet.look(node)
        #expect(wallet.reader.pending.count == 1)
        try bench.call("invalidateblock", .string(taken))
        wallet.look(node)
        #expect(wallet.gone == 1 && wallet.reader.pending.isEmpty)
        try bench.mine(3)
        wallet.look(node)
        #expect(wallet.credited.count == 3)

        // The node dies and comes back. What it has is on its disk: this writes it there.
        try bench.call("gettxoutsetinfo")
        bench.kill()
        wallet.look(node)
        guard case .noNode(.unreachable) = wallet.reader.state else {
            Issue.record("\(wallet.reader.state)")
            return
        }
        try bench.start()
        wallet.look(node)
        #expect(wallet.reader.state == .reading(behind: 0) && wallet.credited.count == 3)

        // A deeper reorganisation: it stops, and goes on by itself once the block is back.
        let final = wallet.terms.checkedBlock.hex
        try bench.call("invalidateblock", .string(final))
        wallet.look(node)
        let height = wallet.terms.checkedHeight
        #expect(wallet.reader.state == .nodeBehind(height: height - 1))
        try bench.mine(5)
        try bench.pay(try wallet.addresses.address(2), "4")
        try bench.mine(5)
        wallet.look(node)
        guard case .forked(height, wallet.terms.checkedBlock, .some) = wallet.reader.state else {
            Issue.record("\(wallet.reader.state)")
            return
        }
        #expect(wallet.credited.count == 3)
        try bench.call("reconsiderblock", .string(final))
        try bench.mine(1)
        wallet.look(node)
        guard case .forked = wallet.reader.state else {
            Issue.record("the longer chain is without it: \(wallet.reader.state)")
            return
        }
        let other = try #require(
            try bench.call("getblockhash", .number(wallet.terms.checkedHeight)).text)
        try bench.call("invalidateblock", .string(other))
        // Longer than what it knows of the other branch, of which it keeps the headers.
        try bench.mine(20)
        wallet.look(node)
        #expect(wallet.reader.state == .reading(behind: 0) && wallet.credited.count >= 3)
    }

    /// Killed before it wrote them, a node forgets blocks: it comes back as an older copy.
    @Test func `a node that lost its last blocks is not believed`() throws {
        let bench = try LitecoinBench()
        var wallet = try MemoryWallet(firstBlock: 1)
        wallet.look(try bench.node())
        #expect(wallet.terms.checkedHeight == 99)
        bench.kill()
        try bench.start()
        let older = try bench.node()
        let height = try older.tip().height
        try #require(height < 99, "it had written its blocks")
        wallet.look(older)
        #expect(wallet.reader.state == .nodeBehind(height: height))
        // It goes on with other blocks than those that were final.
        try bench.mine(205)
        wallet.look(older)
        guard case .forked(99, wallet.terms.checkedBlock, .some) = wallet.reader.state else {
            Issue.record("\(wallet.reader.state)")
            return
        }
        #expect(wallet.credited.isEmpty)
    }

    @Test func `a node of another chain, and one that refuses the login, are not asked further`()
        throws
    {
        let bench = try LitecoinBench()
        let stranger = try bench.node("bitcoin-regtest")
        do throws(NodeError) {
            _ = try stranger.tip()
            Issue.record("it took a node of another chain")
        } catch {
            guard case .otherChain(_, let expected) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(expected.contains("bitcoin-regtest"))
        }
        var settings = try bench.settings
        settings.loginFile = "\(bench.folder)/login"
        try File.replace("\(bench.folder)/login", with: Array("someone:else".utf8))
        do throws(NodeError) {
            _ = try NodeClient(settings).call("getblockcount")
            Issue.record("it let anybody in")
        } catch {
            #expect(error.description.contains("refuses the login"))
            #expect(!error.description.contains("someone"))
        }
        let node = try bench.node()
        #expect(try node.block(at: 999_999) == nil)
        #expect(try node.tip().height == 101)
        #expect(throws: NodeError.self) { try node.block(BlockID(high: 1, low: 2)) }
    }
}
