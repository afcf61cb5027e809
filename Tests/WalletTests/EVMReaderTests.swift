// Goal: reading a block of an EVM chain stops and goes on without asking twice, and its deposits
// go through the same reader as those of other chains: in units of the ledger, once they are final.

import Addresses
import Deposits
import EVM
import Nodes
import Terms
import Testing

/// A node that counts what it is asked, and fails when it is to.
private final class CountingNode: EVMChainNode {
    var scene: EVMScene
    var asked = 0
    /// The question that fails, by its number from 1; 0: none.
    var failing = 0

    init(_ scene: EVMScene) { self.scene = scene }

    private func count() throws(NodeError) {
        asked += 1
        if asked == failing { throw .unreachable("asked once too often") }
    }

    func tip() -> ChainTip { scene.tip() }
    func block(at height: UInt64) -> BlockID? { scene.block(at: height) }
    func block(_ id: BlockID) throws(NodeError) -> EVMBlock {
        try count()
        return scene.block(id)
    }
    func transfers(
        in block: BlockID, of tokens: [EVMAddress]
    ) throws(NodeError) -> [EVMTransferNotice] {
        try count()
        return scene.transfers(in: block, of: tokens)
    }
    func receipt(
        _ transaction: TransactionID, in block: BlockID
    ) throws(NodeError) -> EVMReceipt {
        try count()
        return try scene.receipt(transaction, in: block)
    }
    func balance(_ holding: EVMHolding, after block: BlockID) throws(NodeError) -> EVMWord? {
        try count()
        return try scene.balance(holding, after: block)
    }
}

/// The integers' coins: 18 decimals on the chain.
private let coin = EVMUnits(decimals: 18, scale: 8)

@Suite(.timeLimit(.minutes(5))) struct EVMReaderTests {
    /// A block with a deposit of native coin and of a token for each customer.
    private func scene() throws -> EVMScene {
        var scene = try EVMScene()
        for index in 1...3 as ClosedRange<UInt32> {
            let owner = scene.customer(index)
            let amount = EVMWord(UInt128(index) * 10_000_000_000)
            scene.add(to: owner, amount)
            scene.add(
                to: EVMScene.token(1),
                logs: [try transferLog(EVMScene.token(1), EVMScene.stranger(), owner, amount)])
            scene.balance(owner, 1, amount.adding(1))
            scene.balance(owner, .token(EVMScene.token(1)), 0, amount)
        }
        return scene
    }

    @Test func `a block that takes too long is read on where it stopped`() throws {
        let node = CountingNode(try scene())
        let whole = try EVMBlockReader.read(EVMScene.id, node, node.scene.watch)
        let questions = node.asked
        // The block, its logs, six receipts, and six balances before and after.
        #expect(whole.deposits.count == 6 && questions == 20)

        // At each look only one more question, or two of a balance, is asked.
        node.asked = 0
        var (reader, looks) = (EVMBlockReader(), 0)
        while true {
            var steps = 0
            let found = try reader.read(EVMScene.id, node, node.scene.watch) {
                steps += 1
                return steps > 1
            }
            looks += 1
            if let found {
                #expect(found == whole)
                break
            }
            try #require(looks < 30)
        }
        #expect(node.asked == questions && looks == 12)
    }

    @Test func `a node that fails is asked again for what it did not say`() throws {
        let whole = try EVMBlockReader.read(EVMScene.id, try scene(), try scene().watch)
        for failing in 1...20 {
            let node = CountingNode(try scene())
            node.failing = failing
            var reader = EVMBlockReader()
            #expect(throws: NodeError.self) {
                try reader.read(EVMScene.id, node, node.scene.watch)
            }
            #expect(try reader.read(EVMScene.id, node, node.scene.watch) == whole)
            #expect(node.asked <= 22)
        }
    }

    @Test func `a new address or token is looked for in the block that is known`() throws {
        let node = CountingNode(try scene())
        var watch = node.scene.watch
        watch.addresses = try EVMDepositAddresses(try evmAccountKey())
        watch.tokens = []
        var reader = EVMBlockReader()
        #expect(try reader.read(EVMScene.id, node, watch)?.deposits == [])
        try watch.addresses.update([AccountID(5)])
        #expect(try reader.read(EVMScene.id, node, watch)?.deposits.count == 1)
        watch.tokens = [EVMScene.token(1)]
        #expect(try reader.read(EVMScene.id, node, watch)?.deposits.count == 2)
    }

    @Test func `outputs are in units of the ledger, and name address and coin`() throws {
        let scene = try scene()
        let token = EVMCoin.token(EVMScene.token(1))
        let node = EVMDepositNode(
            scene, scene.watch,
            units: [.native: coin, token: EVMUnits(decimals: 11, scale: 2)])
        let block = try node.block(EVMScene.id)
        #expect(block.outputs.map(\.units) == [1, 10, 2, 20, 3, 30])
        #expect(block.outputs.map(\.index).prefix(2) == [EVMDeposits.nativeOutput, 0])
        #expect(
            block.outputs.compactMap { node.account($0.script) }.map(\.number) == [
                5, 5, 6, 6, 7, 7,
            ])
        let holdings = block.outputs.compactMap { EVMHolding(script: $0.script) }
        #expect(holdings.prefix(2).map(\.coin) == [.native, token])
        #expect(node.takeAnomalies().isEmpty)
        // Only coins that are counted.
        node.units = [.native: coin]
        #expect(try node.block(EVMScene.id).outputs.count == 3)
        node.watch.addresses = try EVMDepositAddresses(try evmAccountKey())
        #expect(try node.block(EVMScene.id).outputs.isEmpty)
        for length in [0, 19, 21, 39, 41] {
            #expect(EVMHolding(script: [UInt8](repeating: 7, count: length)) == nil)
        }
    }

    @Test func `what the ledger cannot hold, or a contract does not say, is reported`() throws {
        var scene = try EVMScene()
        let owner = scene.customer(1)
        scene.add(to: owner, .max)
        scene.add(
            to: EVMScene.token(1),
            logs: [try transferLog(EVMScene.token(1), EVMScene.stranger(), owner, 10)])
        // Less than one unit.
        scene.add(to: scene.customer(2), 9_999_999_999)
        scene.balance(owner, 0, .max)
        scene.balance(owner, .token(EVMScene.token(1)), 0, 5)
        scene.balance(scene.customer(2), 0, 9_999_999_999)
        // Every address is looked at, whether or not something was sent to it.
        scene.balance(scene.customer(3), 4, 4)
        let token = EVMCoin.token(EVMScene.token(1))
        let node = EVMDepositNode(
            scene, scene.watch, units: [.native: coin, token: EVMUnits(decimals: 0, scale: 0)])
        let block = try node.block(EVMScene.id)
        #expect(block.outputs.map(\.units) == [5, 0])
        let found = node.takeAnomalies()
        #expect(
            found.map(\.anomaly) == [
                .outOfRange(EVMHolding(owner, .native)), .shortfall(EVMHolding(owner, token), 5),
            ])
        #expect(found.allSatisfy { $0.height == 7 && $0.block == EVMScene.id })
        #expect(node.takeAnomalies().isEmpty)
    }

    @Test func `no more time for a block is said`() throws {
        let scene = try scene()
        let node = EVMDepositNode(scene, scene.watch, units: [.native: coin])
        node.isLate = { true }
        #expect(throws: NodeError.self) { try node.block(EVMScene.id) }
        node.isLate = { false }
        #expect(try node.block(EVMScene.id).outputs.count == 3)
    }
}
