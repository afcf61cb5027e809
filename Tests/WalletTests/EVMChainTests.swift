// Goal: on a real EVM chain with real contracts, well and badly made, deposits are what arrived;
// and a reorganisation takes them away and brings them back by the same names.

import Addresses
import Deposits
import EVM
import JSON
import Keys
import Nodes
import Terms
import Testing

private let ether = EVMWord(1_000_000_000_000_000_000)
private let transferSignature = "transfer(address,uint256)"

@Suite(.serialized, .timeLimit(.minutes(5))) struct EVMChainTests {
    /// Three customers; their addresses are children of the account key of `testAccount`.
    private func watch(_ tokens: EVMAddress...) throws -> EVMWatch {
        var addresses = try EVMDepositAddresses(try evmAccountKey())
        try addresses.update([AccountID(5), AccountID(6), AccountID(7)])
        return EVMWatch(addresses: addresses, tokens: Set(tokens))
    }

    @Test func `native coin is seen, and what looks like it is not`() throws {
        let bench = try EVMBench()
        let (node, watch) = (try bench.node(), try watch())
        let payer = try bench.deploy("Payer")
        let (one, two) = (try watch.addresses.address(1), try watch.addresses.address(2))
        let first = try bench.pay(one, ether)
        try bench.run(payer, "payAndFail(address)", one, value: 5)
        try bench.run(payer, "pay(address)", two, value: 7)
        let second = try bench.pay(one, 3)
        let block = try bench.mine()
        let tip = try node.tip()
        #expect(tip == ChainTip(height: 2, block: block))
        #expect(try node.block(at: 2) == block && node.block(at: 3) == nil)
        let found = try EVMBlockReader.read(block, node, watch)
        #expect(found.parent == (try node.block(at: 1)) && found.height == 2)
        #expect(found.deposits.map(\.transaction) == [first, second])
        #expect(found.deposits.map(\.units) == [ether, 3])
        #expect(found.deposits.allSatisfy { $0.output == EVMDeposits.nativeOutput })
        #expect(found.deposits.allSatisfy { $0.account == AccountID(5) })
        #expect(found.anomalies.isEmpty)
        // What came by an internal call shows where it is looked for.
        let holding = EVMHolding(two, .native)
        let looked = try EVMBlockReader.read(block, node, watch, also: [holding])
        #expect(looked.deposits == found.deposits)
        #expect(looked.anomalies == [.surplus(holding, 7)])
        // An empty block, and the first one.
        #expect(try EVMBlockReader.read(try bench.mine(), node, watch).deposits.isEmpty)
        let genesis = try #require(try node.block(at: 0))
        #expect(try EVMBlockReader.read(genesis, node, watch).parent == .none)
    }

    @Test func `the wallet's own signed transactions are no deposits, and hide none`() throws {
        let bench = try EVMBench()
        let node = try bench.node()
        let token = try bench.deploy("Token")
        var watch = try watch(token)
        let one = try watch.addresses.address(1)
        // The hot wallet is the first address of the tree, customers have those from 1 on.
        let (hotKey, key) = (try testAccount(0), try testAccount(1))
        let hot = try #require(EVMAddress(publicKey: hotKey.publicKey.key))
        watch.wallet = [hot]
        func send(
            _ key: ExtendedPrivateKey, nonce: UInt64, _ to: EVMAddress, _ value: EVMWord,
            _ call: TokenTransfer? = nil
        ) throws -> TransactionID {
            let transaction = try EVMTransaction(
                chainID: node.network.chainID, nonce: nonce,
                fee: .dynamic(most: 3_000_000_000, priority: 1_000_000_000), gasLimit: 200_000,
                destination: to, value: value, data: call?.data ?? [])
            return try bench.send(try transaction.signed(by: key))
        }
        try bench.pay(hot, ether)
        try bench.pay(one, ether)
        try bench.run(token, transferSignature, one, 500)
        let before = try EVMBlockReader.read(try bench.mine(), node, watch)
        #expect(before.deposits.map(\.units) == [ether, 500] && before.anomalies.isEmpty)

        // In one block: gas from the hot wallet, sweeps of both coins, and two deposits.
        _ = try send(hotKey, nonce: 0, one, 1_000)
        _ = try send(key, nonce: 0, hot, 12_345)
        _ = try send(key, nonce: 1, token, 0, TokenTransfer(to: hot, amount: 499))
        // One that fails: it has no more so much. Only its gas is gone.
        _ = try send(key, nonce: 2, token, 0, TokenTransfer(to: hot, amount: 2))
        let paid = try bench.pay(one, 77)
        let moved = try bench.run(token, transferSignature, one, 20)
        let block = try bench.mine()
        let found = try EVMBlockReader.read(block, node, watch)
        #expect(found.deposits.map(\.transaction) == [paid, moved])
        #expect(found.deposits.map(\.units) == [77, 20])
        #expect(found.anomalies.isEmpty, "\(found.anomalies)")

        // A withdrawal to a customer's address is a deposit there.
        let payment = try send(hotKey, nonce: 1, one, 2_000)
        let last = try bench.mine()
        #expect(try EVMBlockReader.read(last, node, watch).deposits.isEmpty)
        watch.payments = [payment]
        let credited = try EVMBlockReader.read(last, node, watch)
        #expect(credited.deposits.map(\.units) == [2_000] && credited.anomalies.isEmpty)
    }

    @Test func `tokens are credited as far as they moved`() throws {
        let bench = try EVMBench()
        let node = try bench.node()
        let (good, silent) = (try bench.deploy("Token"), try bench.deploy("SilentToken"))
        let (refusing, fee) = (try bench.deploy("RefusingToken"), try bench.deploy("FeeToken"))
        let (lying, unknown) = (try bench.deploy("LyingToken"), try bench.deploy("Token"))
        let watch = try watch(good, silent, refusing, fee, lying)
        let (one, two) = (try watch.addresses.address(1), try watch.addresses.address(2))
        func read() throws -> (deposits: [String], anomalies: [EVMAnomaly]) {
            let found = try EVMBlockReader.read(try bench.mine(), node, watch)
            return (
                found.deposits.map { "\($0.account.number) \($0.output) \($0.units)" },
                found.anomalies
            )
        }
        for token in [good, silent, refusing, unknown] {
            try bench.run(token, transferSignature, one, 100)
        }
        var found = try read()
        #expect(found.deposits == ["5 0 100", "5 0 100"] && found.anomalies.isEmpty)

        // Two logs of one transaction, and one of another, to two customers.
        try bench.run(good, "transferTwice(address,uint256,uint256)", one, 30, 4)
        try bench.run(good, transferSignature, two, 9)
        found = try read()
        #expect(found.deposits == ["5 0 30", "5 1 4", "6 0 9"] && found.anomalies.isEmpty)

        // A fee of a tenth: what arrived in the block, by the first of its names.
        try bench.run(fee, transferSignature, one, 1_000)
        try bench.run(fee, transferSignature, one, 10)
        found = try read()
        let charged = EVMHolding(one, .token(fee))
        #expect(found.deposits == ["5 0 909"])
        #expect(found.anomalies == [.shortfall(charged, 101)])

        // Logs without a movement, a movement without a log, and more logged than moved.
        let holding = EVMHolding(one, .token(lying))
        try bench.run(lying, transferSignature, one, 1_000)
        found = try read()
        #expect(found.deposits.isEmpty && found.anomalies == [.shortfall(holding, 1_000)])
        try bench.run(lying, "mint(address,uint256)", one, 50)
        found = try read()
        #expect(found.deposits.isEmpty && found.anomalies.isEmpty)
        try bench.run(lying, "mintAndLog(address,uint256,uint256)", one, 50, 80)
        found = try read()
        #expect(found.deposits == ["5 0 50"] && found.anomalies == [.shortfall(holding, 30)])
        try bench.run(lying, "mintAndLog(address,uint256,uint256)", one, 50, 20)
        found = try read()
        #expect(found.deposits == ["5 0 20"] && found.anomalies == [.surplus(holding, 30)])

        // A contract that fails whenever it is asked: only its own deposits are left out.
        try bench.run(lying, "close()")
        try bench.run(lying, transferSignature, one, 5)
        try bench.run(good, transferSignature, one, 6)
        found = try read()
        #expect(found.deposits == ["5 0 6"] && found.anomalies == [.unreadable(holding)])
    }

    @Test func `a reorganisation takes deposits away, and they come back by the same names`() throws
    {
        let bench = try EVMBench()
        let node = try bench.node()
        let token = try bench.deploy("Token")
        let watch = try watch(token)
        let one = try watch.addresses.address(1)
        let snapshot = try bench.call("evm_snapshot")
        // A deposit of a customer's key's own money would be the wallet's: a stranger's, signed.
        let strangerKey = try testAccount(0)
        let stranger = try #require(EVMAddress(publicKey: strangerKey.publicKey.key))
        try bench.pay(stranger, ether)
        try bench.run(token, transferSignature, stranger, 100)
        try bench.mine()
        func signed(
            _ nonce: UInt64, _ to: EVMAddress, _ value: EVMWord, _ call: TokenTransfer? = nil
        ) throws -> SignedEVMTransaction {
            try EVMTransaction(
                chainID: node.network.chainID, nonce: nonce,
                fee: .legacy(gasPrice: 5_000_000_000), gasLimit: 200_000, destination: to,
                value: value, data: call?.data ?? []
            ).signed(by: strangerKey)
        }
        let native = try signed(0, one, 55)
        let transfer = try signed(1, token, 0, TokenTransfer(to: one, amount: 60))
        try bench.send(native)
        try bench.send(transfer)
        let block = try bench.mine()
        try bench.mine(2)
        let before = try EVMBlockReader.read(block, node, watch)
        #expect(before.deposits.map(\.units) == [55, 60])

        // The blocks leave the chain: the node has them still, and answers for them no more.
        #expect(try bench.call("evm_revert", snapshot).flag == true)
        try bench.mine(1)
        #expect(try node.block(at: before.height) != block)
        #expect(throws: NodeError.self) { try EVMBlockReader.read(block, node, watch) }
        for height in 1...(try node.tip().height) {
            let id = try #require(try node.block(at: height))
            #expect(try EVMBlockReader.read(id, node, watch).deposits.isEmpty)
        }

        // The same transactions in other blocks, with others' logs before them.
        try bench.pay(stranger, ether)
        try bench.run(token, transferSignature, stranger, 100)
        try bench.mine()
        try bench.run(token, "transferTwice(address,uint256,uint256)", stranger, 1, 2)
        try bench.send(native)
        try bench.send(transfer)
        let again = try bench.mine()
        let after = try EVMBlockReader.read(again, node, watch)
        #expect(again != block && after.deposits == before.deposits)
        #expect(
            after.deposits.map(\.transaction.hex)
                == [native, transfer].map { signed in
                    signed.hash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
                        .joined()
                })
    }

    @Test func `a payment is made of what the node says, and its receipt says what became of it`()
        throws
    {
        let bench = try EVMBench()
        let node = try bench.node()
        let token = try bench.deploy("Token")
        let key = try testAccount(0)
        let payer = try #require(EVMAddress(publicKey: key.publicKey.key))
        let receiver = EVMScene.stranger()
        #expect(try node.transactionCount(of: payer) == 0)
        try bench.pay(payer, ether)
        try bench.run(token, transferSignature, payer, 100)
        try bench.mine(3)
        let prices = try node.gasPrices()
        // What Tests/tools/evm.py pays, and a base fee that falls with empty blocks.
        #expect(prices.priorityFee == 1_000_000_000)
        #expect(1...1_000_000_000 ~= prices.nextBaseFee)
        func signed(_ nonce: UInt64, _ amount: EVMWord) throws -> SignedEVMTransaction {
            let call = TokenTransfer(to: receiver, amount: amount)
            return try EVMTransaction(
                chainID: node.network.chainID, nonce: nonce,
                fee: .dynamic(
                    most: 2 * prices.nextBaseFee + prices.priorityFee,
                    priority: prices.priorityFee),
                gasLimit: try node.gas(
                    from: payer, to: token, value: 0, data: call.data, most: 1_000_000),
                destination: token, value: 0, data: call.data
            ).signed(by: key)
        }
        let (first, failing) = (try signed(0, 60), try signed(1, 60))
        #expect(try node.broadcast(first) == .taken)
        #expect(try node.broadcast(failing) == .taken)
        #expect(try node.broadcast(first) == .known)
        #expect(try node.transactionCount(of: payer) == 0)
        #expect(try node.transactionCount(of: payer, isPending: true) == 2)
        let ids = try [first, failing].map { try #require(TransactionID(hex: hex($0.hash))) }
        #expect(try node.receipt(ids[0]) == nil)
        let block = try bench.mine()
        let receipt = try #require(try node.receipt(ids[0]))
        #expect(receipt.block == block && receipt.isSuccess && receipt.transfers.count == 1)
        #expect(receipt.gasCost <= EVMWord(first.transaction.feeMax))
        #expect(try node.receipt(ids[1])?.isSuccess == false)
        #expect(try node.transactionCount(of: payer) == 2)
        // Again, as after a crash; and one that no account pays for.
        #expect(try node.broadcast(first) == .nonceUsed)
        let poor = try EVMTransaction(
            chainID: node.network.chainID, nonce: 2,
            fee: .dynamic(most: prices.nextBaseFee * 2, priority: 1), gasLimit: 21_000,
            destination: receiver, value: .max
        ).signed(by: key)
        guard case .refused(let words) = try node.broadcast(poor) else {
            Issue.record("it took what cannot be paid")
            return
        }
        #expect(!words.isEmpty)
    }

    @Test func `a node of another network is not asked further`() throws {
        let bench = try EVMBench()
        let stranger = try bench.node("ethereum")
        do throws(NodeError) {
            _ = try stranger.tip()
            Issue.record("it took a node of another chain")
        } catch {
            guard case .otherChain(let found, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(found.hasPrefix("chain 31337"))
        }
        let node = try bench.node()
        #expect(try node.tip().height == 0)
        #expect(throws: NodeError.self) { try node.block(BlockID(high: 1, low: 2)) }
    }
}
