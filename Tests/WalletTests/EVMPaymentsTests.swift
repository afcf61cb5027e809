// Goal: the payments of an EVM chain's account follow the log: which nonce is next, which are used,
// and what may still be final; and unsigned transactions are read in one way only.

import Addresses
import EVM
import Keys
import Payments
import Slabs
import Terms
import Testing
import UTXO

@Suite struct EVMPaymentsTests {
    private let there = EVMAddress(bytes: [UInt8](repeating: 0x51, count: 20))!

    private func transaction(
        nonce: UInt64 = 3, value: EVMWord = .max, data: [UInt8] = []
    ) throws -> EVMTransaction {
        try EVMTransaction(
            chainID: 1, nonce: nonce, fee: .dynamic(most: 9, priority: 7), gasLimit: 21_000,
            destination: there, value: value, data: data)
    }

    @Test func `a nonce is a coin of its account`() throws {
        let other = EVMAddress(bytes: [UInt8](repeating: 0x52, count: 20))!
        var coins: Set<OutPoint> = []
        for account in [there, other] {
            for nonce in [0, 1, UInt64.max - 1] { coins.insert(OutPoint(account, nonce: nonce)) }
        }
        #expect(coins.count == 6)
        #expect(OutPoint(there, nonce: 7) == OutPoint(there, nonce: 7))
    }

    @Test func `the log's name of a transaction is its hash`() throws {
        let signed = try transaction().signed(by: testAccount(0))
        #expect(signed.id.hex == hex(signed.hash))
    }

    @Test func `an unsigned transaction is read in the one way in which it is written`() throws {
        for data in [[], TokenTransfer(to: there, amount: .max).data] {
            let wanted = try transaction(data: data)
            let bytes = wanted.signingBytes
            #expect(try EVMTransaction(decodingUnsigned: bytes) == wanted)
            for length in 0..<bytes.count {
                #expect(throws: EVMTransactionError.self) {
                    try EVMTransaction(decodingUnsigned: Array(bytes[..<length]))
                }
            }
            #expect(throws: EVMTransactionError.self) {
                try EVMTransaction(decodingUnsigned: bytes + [0])
            }
            // Signed bytes are none, nor is a legacy transaction.
            let signed = try wanted.signed(by: testAccount(0)).bytes
            #expect(throws: EVMTransactionError.shape) {
                try EVMTransaction(decodingUnsigned: signed)
            }
            let legacy = try EVMTransaction(
                chainID: 1, nonce: 0, fee: .legacy(gasPrice: 1), gasLimit: 21_000,
                destination: there, value: .zero)
            #expect(throws: EVMTransactionError.self) {
                try EVMTransaction(decodingUnsigned: legacy.signingBytes)
            }
        }
    }

    @Test func `changed bytes are read as what they say, or not at all`() throws {
        let bytes = try transaction(data: TokenTransfer(to: there, amount: 5).data).signingBytes
        for place in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[place] ^= 1 << UInt8(bit)
                guard let read = try? EVMTransaction(decodingUnsigned: changed) else { continue }
                #expect(read.signingBytes == changed)
            }
        }
    }

    @Test func `amounts count against limits rounded up, and never wrap`() {
        let ether = EVMWord(1_000_000_000_000_000_000)
        #expect(EVMSpending.units(ether, decimals: 18) == 1_000_000_000)
        #expect(EVMSpending.units(1, decimals: 18) == 1)
        #expect(EVMSpending.units(.zero, decimals: 18) == 0)
        #expect(EVMSpending.units(7, decimals: 6) == 7 && EVMSpending.units(7, decimals: 0) == 7)
        #expect(EVMSpending.units(.max, decimals: 18) == nil)
        #expect(EVMSpending.units(.max, decimals: 36) == nil)
        let most = EVMWord(UInt128(Int64.max) * 1_000_000_000)
        #expect(EVMSpending.units(most, decimals: 18) == .max)
        #expect(most.adding(1).flatMap { EVMSpending.units($0, decimals: 18) } == nil)
    }
}

@Suite struct EVMAssetListTests {
    private let contract = "0xdAC17F958D2ee523a2206206994597C13D831ec7"

    @Test func `an operator's list is read`() throws {
        let list = try EVMAssetList(["ETH=ethereum", "USDT=ethereum:\(contract):6"])
        let (mainnet, sepolia) = (
            try #require(EVMNetwork.named("ethereum")),
            try #require(EVMNetwork.named("ethereum-sepolia"))
        )
        #expect(list.asset("ETH", on: mainnet)?.coin == .native)
        #expect(list.asset("ETH", on: mainnet)?.decimals == 18)
        let token = try #require(list.asset("USDT", on: mainnet))
        #expect(token.coin == .token(try #require(EVMAddress(contract))) && token.decimals == 6)
        #expect(list.asset("ETH", on: sepolia) == nil && list.asset("eth", on: mainnet) == nil)
        #expect(EVMSpending.limitName(token) == Text40("ethereum:USDT"))
    }

    @Test func `what is none, or twice, is refused`() {
        let wrong = [
            "", "=", "ETH", "ETH=", "=ethereum", "ETH=bitcoin", "ETH=ethereum=", "A=ethereum:",
            "A=ethereum:\(contract)", "A=ethereum:\(contract):", "A=ethereum:\(contract):37",
            "A=ethereum:\(contract):-1", "A=ethereum:\(contract):6:",
            "A=ethereum:\(contract.lowercased().dropLast()):6",
            "A=ethereum:\(contract.replacing("d", with: "D")):6",
            "A=ethereum:0x0000000000000000000000000000000000000001:6",
        ]
        for text in wrong {
            #expect(throws: EVMAssetListError.malformed(text)) { try EVMAssetList([text]) }
        }
        let twice = [
            ["A=ethereum", "B=ethereum"], ["A=ethereum", "A=ethereum:\(contract):6"],
            ["A=ethereum:\(contract):6", "B=ethereum:\(contract.lowercased()):8"],
        ]
        for texts in twice {
            #expect(throws: EVMAssetListError.twice(texts[1])) { try EVMAssetList(texts) }
        }
        let many = [String](repeating: "A=ethereum", count: EVMAssetList.assetsMax + 1)
        #expect(throws: EVMAssetListError.tooMany) { try EVMAssetList(many) }
    }
}
