// Transactions as a second implementation signs them.

import Addresses
import EVM
import Testing

/// What eth-account 0.14 makes of the same fields and keys.
struct GoldenTransaction: Sendable {
    let account: UInt32
    let chainID: UInt64
    let nonce: UInt64
    let fee: EVMFee
    let gasLimit: UInt64
    let destination: String
    let value: EVMWord
    let data: String
    let raw: String
    let hash: String

    static let coin = "0x3535353535353535353535353535353535353535"
    static let token = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
    static let tokenData =
        "a9059cbb000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266"
        + "00000000000000000000000000000000000000000000000000000000000f4240"
    static let ether: UInt128 = 1_000_000_000_000_000_000

    func transaction() throws -> EVMTransaction {
        try EVMTransaction(
            chainID: chainID, nonce: nonce, fee: fee, gasLimit: gasLimit,
            destination: try #require(EVMAddress(destination)), value: value, data: bytes(data))
    }

    static let all = [
        GoldenTransaction(
            account: 0, chainID: 1, nonce: 9, fee: .legacy(gasPrice: 20_000_000_000),
            gasLimit: 21_000, destination: coin, value: EVMWord(ether), data: "",
            raw: "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764"
                + "00008025a03016c5b00acdf2ab6417652b9af1b5458ae73a8f2ddbc2ce03ccddde54184f71a0"
                + "160362f6bf9e0af5a6f543153b85cfce8bce64cf08607f2cfd486fecb81eba1d",
            hash: "fdd8467edead7f7fbf2fc51a9dfb9f6a36a536553f8d0e51682469a7d4a97a6e"),
        GoldenTransaction(
            account: 1, chainID: 56, nonce: 0, fee: .legacy(gasPrice: 0), gasLimit: 60_000,
            destination: token, value: .zero, data: tokenData,
            raw: "f8a5808082ea6094dac17f958d2ee523a2206206994597c13d831ec780b844a9059cbb0000000000"
                + "00000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb9226600000000000000000000000000"
                + "000000000000000000000000000000000f42408194a08cf968eb50648eff0f80c1c3688232b819b1"
                + "ce548c2fa7931d79a73bb9b6bf58a04c160adf64c3a6d33178a1247c20322c49facd4374bb32e59f"
                + "d24e0a6a5b483f",
            hash: "30434ef5a1be3574c790ebbda3d8bdb2d193933971cd5f7a1864a1131117508c"),
        GoldenTransaction(
            account: 2, chainID: EVMTransaction.chainIDMax, nonce: .max - 1,
            fee: .legacy(gasPrice: .max), gasLimit: .max, destination: coin, value: .max,
            data: "00",
            raw: "f89d88fffffffffffffffe88ffffffffffffffff88ffffffffffffffff9435353535353535353535"
                + "35353535353535353535a0ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                + "ffffffff0088ffffffffffffffdaa0fd6c156b15523f07ce5c7c54ae074846c7030072988b509d"
                + "aa9dcbe827d6fdb0a00a684204230ecbd4f8c3de24b8224169c85672f1d80c83c8436697fcc0bb"
                + "2092",
            hash: "d60a70093aa6fb4e2b5134cb2a30552ca536878f504f4e8dda21270e8acdc612"),
        GoldenTransaction(
            account: 0, chainID: 1, nonce: 0,
            fee: .dynamic(most: 30_000_000_000, priority: 1_000_000_000), gasLimit: 21_000,
            destination: coin, value: EVMWord(ether), data: "",
            raw: "02f8730180843b9aca008506fc23ac00825208943535353535353535353535353535353535353535"
                + "880de0b6b3a764000080c080a091a96d211aaa15c1c3d88a15b666ee653f9574d85444f9332087"
                + "7258ac988c9da017c2b542faf001882c95254a6c992c8ffb5498c8b83cdf90281465e98e40c304",
            hash: "196351a10af8197db71e86c5b1c2da3e2242666ceb0a297426026e5fd3a009aa"),
        GoldenTransaction(
            account: 1, chainID: 11_155_111, nonce: 127,
            fee: .dynamic(most: 2_000_000_000, priority: 0), gasLimit: 65_000, destination: token,
            value: .zero, data: tokenData,
            raw: "02f8ae83aa36a77f80847735940082fde894dac17f958d2ee523a2206206994597c13d831ec780b8"
                + "44a9059cbb000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb922660000"
                + "0000000000000000000000000000000000000000000000000000000f4240c001a05e190a10312b"
                + "f9c9891a53a703836c967667b67b01692ee07dd37a13921019d4a00be4ec03d5d54bda0181377f"
                + "f2fd4803bf476b0a2fa6f53ccd2169a8f6241209",
            hash: "b61bd8b024608514d25ac4ab5ba4ecb3fa2a772b9ef7b6d84e752976bca89826"),
        GoldenTransaction(
            account: 2, chainID: 137, nonce: 128, fee: .dynamic(most: .max, priority: .max),
            gasLimit: 30_000_000, destination: coin,
            value: EVMWord(bytes: [0x80] + [UInt8](repeating: 0, count: 31)) ?? .zero, data: "7f",
            raw: "02f8968189818088ffffffffffffffff88ffffffffffffffff8401c9c38094353535353535353535"
                + "3535353535353535353535a0800000000000000000000000000000000000000000000000000000"
                + "00000000007fc001a0219f088adfea0f8f8dbc2831245ca98de0f21609471e2af64e8832753ad4"
                + "42eba024f737d799f6a53dfd1596103ea7ff6da18698e6790dc8f4e6e816b9a25922cd",
            hash: "37c0b801539de49a69e33f6f2097e1c102bc4482d213eb4a966b19de0958e354"),
        // An s of 31 bytes.
        GoldenTransaction(
            account: 0, chainID: 1, nonce: 93, fee: .dynamic(most: 1_000_000_000, priority: 1),
            gasLimit: 21_000, destination: coin, value: EVMWord(1), data: "",
            raw: "02f865015d01843b9aca008252089435353535353535353535353535353535353535350180c080a0"
                + "e1f61ab5c8703a88608af0dce2c484c87323467fe30ca532c7e8a21b2928895f9f2660d6f7b2fd"
                + "7367e38278fcfb629e5fe539e881dd6ec084093d8e40c07cf6",
            hash: "7a8d0bdd17a92090d38ed26f867d000b0d35859e750973693e2213eaf2e0a17e"),
    ]
}
