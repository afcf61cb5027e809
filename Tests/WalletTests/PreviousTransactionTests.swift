// Goal: what an input spends is what its own transaction on the chain says, never what the log says
// alone; whatever is sent as that transaction.

import Addresses
import JSON
import Payments
import Platform
import Slabs
import Terms
import Testing
import UTXO
import Wire

@Suite struct PreviousTransactionTests {
    private func venue(paid: Int64? = nil) throws -> (PaymentVenue, SigningRequest) {
        let venue = try PaymentVenue()
        try venue.deposit(1, 40_000_000, paid: paid)
        try venue.deposit(1, 40_000_000)
        #expect(venue.withdraw(1, 60_000_000, to: 1).refusal == .none)
        return (venue, try venue.request())
    }

    @Test func `a coin whose amount the log has wrong is not spent`() throws {
        for paid in [39_999_999, 40_000_001, 1, 4_000_000_000] as [Int64] {
            let (venue, request) = try venue(paid: paid)
            #expect(venue.refusal(request) == .unproved)
        }
        let (venue, request) = try venue()
        #expect(request.previous.count == 2 && venue.refusal(request) == nil)
    }

    @Test func `a coin that is not paid to the wallet is not spent`() throws {
        let venue = try PaymentVenue()
        // The log gives the coin to another key than the chain does.
        let coin = try venue.deposit(1, 40_000_000)
        let other = try venue.deposit(2, 40_000_000)
        let coins = try #require(venue.table.coins(PaymentVenue.network))
        let outputs = try PreviousTransactions(
            [coin, other].compactMap { venue.previous[$0.transaction] }, on: venue.chain)
        let (first, second) = (try #require(outputs[coin]), try #require(outputs[other]))
        #expect(coins.difference(coin, from: first) == nil)
        #expect(coins.difference(coin, from: second)?.contains("key") == true)
        #expect(coins.difference(OutPoint(coin.transaction, 1), from: first) != nil)
        #expect(outputs[OutPoint(coin.transaction, 1)] == nil)
    }

    @Test func `transactions that lack, are others, or are too many prove nothing`() throws {
        let (venue, request) = try venue()
        func refusal(_ change: (inout [[UInt8]]) -> Void) -> SigningRefusal? {
            var request = request
            change(&request.previous)
            return venue.refusal(request)
        }
        #expect(refusal { $0 = [] } == .unproved)
        #expect(refusal { $0.removeLast() } == .unproved)
        #expect(refusal { $0[1] = $0[0] } == .unproved)
        #expect(refusal { $0[0].append(0) } == .unproved)
        #expect(refusal { $0[0] = [] } == .unproved)
        #expect(refusal { $0.append(Array($0[0].reversed())) } == .unproved)
        let more = try UTXOTransaction(request.transaction, on: venue.chain)
        #expect(refusal { $0.append(more.bytes) } == .unproved)
        let large = [UInt8](repeating: 0, count: PreviousTransactions.bytesMax + 1)
        #expect(refusal { $0.append(large) } == .unproved)
        // In any order, and one of them twice.
        #expect(refusal { $0.reverse() } == nil)
        #expect(refusal { $0.append($0[0]) } == nil)
    }

    @Test func `nothing that is changed of a transaction proves what it said`() throws {
        let (venue, request) = try venue()
        var random = SplitMix64(seed: WalletFuzz.seed)
        for round in 0..<2_000 {
            var changed = request
            let damaged = random.damaged(request.previous[0])
            if damaged == request.previous[0] { continue }
            changed.previous[0] = damaged
            #expect(venue.refusal(changed) == .unproved, WalletFuzz.replay(round))
        }
    }

    @Test func `the name's part of a transaction is found whatever else it carries`() throws {
        let (venue, request) = try venue()
        let payment = try venue.sign(request)
        let id = payment.transaction
        func stripped(_ bytes: [UInt8]) -> [UInt8]? {
            UTXOTransaction.withoutWitness(bytes, of: id, on: venue.chain)
        }
        let plain = try #require(stripped(payment.bytes))
        #expect(stripped(plain) == plain && plain.count < payment.bytes.count)
        #expect(try UTXOTransaction(withoutWitness: plain, on: venue.chain).id == id)
        // Data of an extension block between the witnesses and the lock time (Litecoin).
        var extended = payment.bytes
        extended[5] |= 8
        extended.insert(contentsOf: [1, 2, 3, 4, 5], at: extended.count - 4)
        #expect(stripped(extended) == plain)
        #expect(UTXOTransaction.withoutWitness(plain, of: .none, on: venue.chain) == nil)
        for count in 0..<plain.count { #expect(stripped(Array(plain[..<count])) == nil) }
    }

    @Test func `the most that a request may carry is read in time`() throws {
        let (venue, request) = try venue()
        // Transactions of as many outputs as their bytes have room for.
        let outputs = (0..<9_000).map {
            UTXOTransaction.TransactionOutput(
                amount: Int64($0), script: [UInt8](repeating: 1, count: 100))
        }
        var large = request
        large.previous = (0..<4).map { number in
            UTXOTransaction(
                inputs: [
                    UTXOTransaction.TransactionInput(
                        outPoint: OutPoint(.none, UInt32(number)), sequence: 0)
                ], outputs: outputs, lockTime: 0
            ).bytes
        }
        let bytes = large.previous.reduce(0) { $0 + $1.count }
        #expect(3_900_000...PreviousTransactions.totalBytesMax ~= bytes)
        let begin = Clock.monotonicNanos()
        let text = Array(large.json.compact.utf8)
        #expect(text.count <= SigningRequest.textBytesMax)
        let json = try #require(JSONValue(parsing: text))
        let read = try #require(SigningRequest(json))
        #expect(read == large && venue.refusal(read) == .unproved)
        #expect(Clock.monotonicNanos() - begin < 3_000_000_000)
        large.previous.append(large.previous[0])
        #expect(SigningRequest(large.json) == nil)
    }
}
