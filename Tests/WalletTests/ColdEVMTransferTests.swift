// Goal: of signed bytes from outside only a transfer from cold storage to the account that pays is
// taken; changed, cut off and foreign ones are refused with a reason, and nothing traps.

import Addresses
import EVM
import Keys
import Payments
import Slabs
import Terms
import Testing

@Suite struct ColdEVMTransferTests {
    private let network = EVMNetwork.named("ethereum")!
    private let hot = EVMAddress(bytes: [UInt8](repeating: 0x51, count: 20))!
    private let contract = EVMAddress(bytes: [UInt8](repeating: 0x70, count: 20))!

    /// Derived once: a key takes longer to derive than all else here.
    private static let coldAddress = (try? testAccount(0)).flatMap {
        EVMAddress(publicKey: $0.publicKey.key)
    }

    private func cold() throws -> EVMAddress { try #require(Self.coldAddress) }

    private func assets() throws -> [EVMAsset] {
        try EVMAssetList(["ETH=ethereum", "USDT=ethereum:\(contract):6"]).assets
    }

    private func signed(
        to: EVMAddress? = nil, value: EVMWord = EVMWord(7), data: [UInt8] = [],
        chainID: UInt64 = 1, gas: UInt64 = 21_000, fee: EVMFee = .dynamic(most: 9, priority: 7),
        by account: UInt32 = 0
    ) throws -> [UInt8] {
        try EVMTransaction(
            chainID: chainID, nonce: 5, fee: fee, gasLimit: gas, destination: to ?? hot,
            value: value, data: data
        ).signed(by: testAccount(account)).bytes
    }

    private func token(_ amount: EVMWord = EVMWord(9), to: EVMAddress? = nil) -> [UInt8] {
        TokenTransfer(to: to ?? hot, amount: amount).data
    }

    private func read(_ bytes: [UInt8]) throws(ColdEVMTransferError) -> ColdEVMTransfer {
        guard let cold = try? cold(), let assets = try? assets() else {
            throw .nothing
        }
        return try ColdEVMTransfer(bytes, on: network, hot: hot, cold: [cold], assets: assets)
    }

    private func error(_ bytes: [UInt8]) -> ColdEVMTransferError? {
        do throws(ColdEVMTransferError) { _ = try read(bytes) } catch { return error }
        return nil
    }

    @Test func `coin and tokens come back to the account that pays`() throws {
        let coins = try read(signed())
        #expect(coins.movement == EVMMovement(coin: .native, receiver: hot, units: EVMWord(7)))
        #expect(try coins.signed.sender == cold())
        let tokens = try read(signed(to: contract, value: .zero, data: token(), gas: 65_000))
        #expect(
            tokens.movement
                == EVMMovement(coin: .token(contract), receiver: hot, units: EVMWord(9)))
    }

    @Test func `anything else is refused, with a reason`() throws {
        let thief = try #require(EVMAddress(bytes: [UInt8](repeating: 0x66, count: 20)))
        let other = try #require(EVMAddress(publicKey: testAccount(1).publicKey.key))
        #expect(error(try signed(by: 1)) == .sender(other))
        #expect(error(try signed(to: thief)) == .receiver(thief))
        #expect(error(try signed(chainID: 5)) == .otherChain(5))
        #expect(error(try signed(fee: .legacy(gasPrice: 9))) == .legacy)
        #expect(error(try signed(value: .zero)) == .nothing)
        #expect(error(try signed(data: [1])) == .nothing)
        #expect(error(try signed(to: contract, data: token(), gas: 65_000)) == .nothing)
        #expect(error(try signed(to: contract, value: .zero, data: token(.zero))) == .nothing)
        #expect(error(try signed(to: thief, value: .zero, data: token())) == .contract(thief))
        #expect(
            error(try signed(to: contract, value: .zero, data: token(to: thief)))
                == .receiver(thief))
        #expect(error(try signed(gas: 100_001)) == .fee)
        #expect(error(try signed(gas: 20_999)) == .fee)
        let most = EVMFee.dynamic(most: EVMCeiling.feePerGas + 1, priority: 1)
        #expect(error(try signed(fee: most)) == .fee)
        #expect(error([]) == .unreadable(.encoding(.truncated)))
        for refusal in [
            error([]), error(try signed(by: 1)), error(try signed(chainID: 5)),
            error(try signed(fee: most)),
        ] {
            #expect(refusal?.description.isEmpty == false)
        }
    }

    @Test func `changed bytes are none, and no bytes trap`() throws {
        let all = [
            try signed(), try signed(to: contract, value: .zero, data: token(), gas: 65_000),
        ]
        for bytes in all {
            for length in bytes.indices { #expect(error(Array(bytes[..<length])) != nil) }
            #expect(error(bytes + [0]) != nil)
            // Whatever bit is another: what was signed is not what is there, or nobody signed it.
            for place in bytes.indices {
                for bit in 0..<8 {
                    var changed = bytes
                    changed[place] ^= 1 << UInt8(bit)
                    #expect(error(changed) != nil)
                }
            }
        }
        var random = SplitMix64(seed: WalletFuzz.seed)
        for round in 0..<WalletFuzz.iterations {
            let bytes =
                random.below(2) == 0
                ? random.bytes(random.below(200)) : random.damaged(all[random.below(2)])
            guard let taken = try? read(bytes) else { continue }
            #expect(all.contains(taken.signed.bytes), WalletFuzz.replay(round))
        }
    }
}
