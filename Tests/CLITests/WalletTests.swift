// Goal: what `boursectl wallet` decides before it asks the exchange: which keys and addresses it
// takes, that no error repeats a secret, and how terms and approvals are shown.

import Addresses
import BoursectlCommands
import Engine
import JSON
import Presentation
import Terms
import Testing
import Wire

/// Keys of the seed of "abandon … about" (BIP39, BIP84): at m/84'/1'/0', but for those that say
/// otherwise.
private enum WalletSample {
    static let tpub =
        "tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQo"
        + "QgewGiYZqrA9DsP4zbQ1M"
    static let tprv =
        "tprv8fSjiqEQ8YG7Ro7gw2ScwcvweYuuWi1ZzGUtrPz918HvDtBzL5s2voFTrN4y3yUwj5cYD54pLhxk6NKCzHUjck"
        + "a3zbKjbTEcsuAnkzbjhkL"
    /// m/84'/1'
    static let shallow =
        "tpubDB5GSFrKWykZsJgwdd9ViGUECU8AQvTxig4iZonrS5BJ2k9V4ucfHifnXTNfRExUaDsLvZedPfbEN2iphbq11C"
        + "MDe4WJQAvQRqXaGJuwhwk"
    /// m/84'/1'/1'
    static let secondAccount =
        "tpubDC8msFGeGuwnP2xwTZBBZSie1BLgRAkJhgzpFYTdpGgZNzguXQhNDVWp7mJbHJUjQQvV2myLU9dkx67a7VAUnz"
        + "Y7yT7nvhHj7FgS4oNivvq"
    /// m/84'/0'/0'
    static let xpub =
        "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4Z"
        + "eZXYVUhLv1VMrjPC7PW6V"
    static let zpub =
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf3"
        + "1mGDtKsAYz2oz2AGutZYs"
    static let zprv =
        "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm"
        + "1yYNZKEm7z6qUWCroSQnE"
}

@Suite struct WalletKeyTests {
    private func network(_ name: String) throws -> ChainKind {
        try #require(ChainKind.named(name))
    }

    @Test func `takes the key of account 0 and nothing else of its tree`() throws {
        let regtest = try network("litecoin-regtest")
        #expect(try ChainKey(WalletSample.tpub, on: regtest).text == WalletSample.tpub)
        #expect(try ChainKey(WalletSample.xpub, on: network("bitcoin")).text == WalletSample.xpub)
        let shallow = #expect(throws: InputError.self) {
            try ChainKey(WalletSample.shallow, on: regtest)
        }
        #expect(shallow?.problem.contains("2 steps below") == true)
        #expect(shallow?.repair.contains("m/84'/1'/0'") == true)
        let other = #expect(throws: InputError.self) {
            try ChainKey(WalletSample.secondAccount, on: regtest)
        }
        #expect(other?.problem.contains("another account") == true)
    }

    @Test func `says what is wrong with a key`() throws {
        func problem(_ text: String, _ name: String) throws -> String {
            let error = #expect(throws: InputError.self) {
                try ChainKey(text, on: network(name))
            }
            return "\(try #require(error))"
        }
        #expect(try problem(WalletSample.tpub, "litecoin").contains("none for tests"))
        #expect(try problem(WalletSample.tpub, "ethereum-sepolia").contains("one form of keys"))
        #expect(try problem(WalletSample.xpub, "bitcoin-signet").contains("a test network"))
        #expect(try problem(WalletSample.zpub, "bitcoin").contains("the same key as xpub"))
        #expect(try problem("", "bitcoin").contains("letters"))
        #expect(try problem("xpub", "bitcoin").contains("letters"))
        #expect(try problem(String(repeating: "1", count: 10_000), "bitcoin").contains("letters"))
        // Each wrong letter, each missing one.
        for place in WalletSample.tpub.indices where place > WalletSample.tpub.startIndex {
            var text = WalletSample.tpub
            text.replaceSubrange(place...place, with: text[place] == "8" ? "9" : "8")
            #expect(try problem(text, "litecoin-regtest").contains("a letter is wrong"))
            text.remove(at: place)
            #expect(try problem(text, "litecoin-regtest").contains("a letter is wrong"))
        }
    }

    @Test(arguments: [
        WalletSample.tprv, WalletSample.zprv, WalletSample.tprv + "x",
        String(WalletSample.tprv.dropLast()),
        // A single private key, as wallets export it (Bitcoin's wiki, WIF), in both forms.
        "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
        String(repeating: "abandon ", count: 11) + "about",
        "000102030405060708090a0b0c0d0e0f",
    ])
    func `refuses a secret and does not repeat it`(text: String) throws {
        for network in ChainKind.all {
            let thrown = #expect(throws: InputError.self) { try ChainKey(text, on: network) }
            let error = try #require(thrown)
            #expect(!"\(error)".contains(text.prefix(12)), "\(error)")
            #expect(error.repair.contains("move what it guards"))
        }
    }

    @Test func `finds a private key among all arguments, and takes no other text for one`() {
        let key = WalletSample.tprv
        for all in [["wallet", "chain", "set", "1", "x", key], ["--key=\(key)"], ["--key", key]] {
            let secret = CommandArguments(all).secret
            #expect(secret?.problem.contains("private key") == true)
            #expect(secret.map { "\($0)".contains(key) } == false)
        }
        let others = [
            "wallet", "chain", "set", "1", "litecoin-regtest", "--key", WalletSample.tpub,
            "--reason",
            "one two three four five six seven eight nine ten eleven twelve", "--first-block", "1",
            "rltc1qd7spv5q28348xl4myc8zmh983w5jx32cwn4h9f", "--reference",
            String(repeating: "0", count: 64), "", "--", "-", "=", "--=", "xprv",
        ]
        #expect(CommandArguments(others).secret == nil)
    }

    @Test func `the verbs of the seed take no words as arguments, and repeat none`() {
        let words = String(repeating: "abandon ", count: 23) + "art"
        for verb in ["init", "key"] {
            for wrong in [
                ["abandon"], words.split(separator: " ").map(String.init), [words],
                ["--recover", "abandon"], ["--recover=abandon"], ["--word=abandon"],
                ["--words-file", words], ["--", "abandon"], [""],
            ] {
                let secret = CommandArguments(["--state", "s", "wallet", verb] + wrong).secret
                #expect(secret?.problem.contains("takes no words") == true, "\(wrong)")
                #expect(secret.map { "\($0)".contains("abandon") } == false, "\(wrong)")
            }
            for right in [
                [], ["--recover"], ["--words-file", "/a/b", "--chain", "litecoin"], ["--help"],
                ["--chain=bitcoin", "--words-file=./words", "--output", "json"],
            ] {
                #expect(CommandArguments(["wallet", verb] + right).secret == nil, "\(right)")
            }
        }
    }

    @Test func `an unknown kind of chain names those that exist`() {
        let error = #expect(throws: InputError.self) { try ChainKind.checked("dogecoin") }
        #expect(error?.repair.contains("litecoin-regtest") == true)
    }
}

@Suite struct PayoutAddressTests {
    private let rltc = "rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna754"

    private func read(_ text: String, _ name: String = "litecoin-regtest") throws -> PayoutAddress {
        try PayoutAddress(text, on: try #require(UTXONetwork.named(name)))
    }

    @Test func `takes what nodes pay to, in one form`() throws {
        #expect(try read(rltc).text == rltc)
        #expect(try read(rltc.uppercased()).text == rltc)
        #expect(try read("QiVkp2SXSPgR9vebwdanVUd6wZj1iJ9tiP").dustLimit == 5_400)
        #expect(try read("n3QiznEo4xErVu3CEsEgC83oJJP1TXWrGR").dustLimit == 5_460)
        #expect(try read(rltc).dustLimit == 2_940)
        let taproot = "rltc1p94c3vs4hy6cygqtz0j5lhtpj7hy9xra3jq7vfkczykr30ys6fzqsryp8l2"
        #expect(try Text64(read(taproot).text) != nil)
    }

    @Test(arguments: [
        ("rltc1Q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna754", "a letter is wrong"),
        ("rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna75", "a letter is wrong"),
        ("rltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rnna755", "a letter is wrong"),
        ("ltc1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rpdldhp", "an address of litecoin"),
        ("bcrt1q7qjjh3a33jhsmxwxxs5pdm9nralyr68rd78hrt", "an address of bitcoin-regtest"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "a letter is wrong"),
        ("", "some are missing"),
    ])
    func `says why an address cannot be paid to`(text: String, reason: String) throws {
        let error = #expect(throws: InputError.self) { try read(text) }
        #expect(error?.problem.contains(reason) == true, "\(error?.problem ?? "")")
    }

    @Test func `knows the highest amount that any address makes dust`() throws {
        #expect(PayoutAddress.highestDustLimit(try #require(UTXONetwork.named("bitcoin"))) == 546)
        let litecoin = try #require(UTXONetwork.named("litecoin"))
        #expect(PayoutAddress.highestDustLimit(litecoin) == 5_460)
    }
}

@Suite struct WalletPresentationTests {
    private func terms(approvals: UInt8 = 0, above: Int128 = 0, fee: Int128 = 100_000) throws
        -> NetworkTerms
    {
        NetworkTerms(
            SetNetwork(
                asset: AssetID(1), network: NetworkID(7), takesWithdrawals: false,
                approvals: approvals, confirmations: 6, minimum: Amount(units: 1_000_000),
                fee: Amount(units: fee), approvalsAbove: Amount(units: above),
                name: try #require(Text16("LTC")),
                audit: Audit(operatorName: Text40(), reason: "")),
            code: "LTC", scale: 8)
    }

    @Test func `shows terms, and a change beside what was`() throws {
        #expect(try terms().approvals == "none")
        #expect(try terms(approvals: 2).approvals == "2 always")
        #expect(try terms(approvals: 2, above: 1_000_000_000_000).approvals == "2 above 10,000 LTC")
        #expect(
            try terms().lines(before: nil, .none) == [
                "name           LTC", "confirmations  6", "minimum        0.01 LTC",
                "fee            0.001 LTC", "approvals      none", "deposits       open",
                "withdrawals    closed",
            ])
        let changed = try terms(approvals: 1, fee: 0).lines(before: terms(), .none)
        #expect(changed[0] == "TERM           BEFORE     NOW")
        #expect(changed[4] == "fee            0.001 LTC  0 LTC")
        #expect(changed[5] == "approvals      none       1 always")
        let json = try terms(approvals: 2, above: 5).json
        #expect(json["approvalsAbove"] == .string("0.00000005") && json["chain"] == .number(7))
        #expect(json["withdrawals"] == .bool(false) && json["minimum"] == .string("0.01"))
    }

    private func withdrawal(
        _ status: WithdrawalStatus, approvals: UInt8, _ approvers: String...
    ) throws -> WithdrawalView {
        var view = WithdrawalView(
            id: WithdrawalID(12),
            RequestWithdrawal(
                account: AccountID(1), asset: AssetID(1), network: NetworkID(1),
                amount: Amount(units: 1), address: try #require(Text64("rltc1q"))),
            status: status, approvals: approvals, fee: .zero, createdTime: 0)
        view.approvers = try approvers.map { try #require(Text40($0)) }
        return view
    }

    @Test func `says who approved a withdrawal and what it waits for`() throws {
        let none = try withdrawal(.requested, approvals: 2)
        #expect(none.approvalsText == "0 of 2")
        #expect(none.next.contains("2 more approvals") && none.next.hasSuffix("wallet approve 12"))
        let one = try withdrawal(.requested, approvals: 2, "bob")
        #expect(one.approvalsText == "1 of 2: bob" && one.next.contains("1 more approval by"))
        let all = try withdrawal(.approved, approvals: 2, "bob", "dora")
        #expect(all.approvalsText == "2 of 2: bob, dora" && all.next.contains("waits to be paid"))
        #expect(try withdrawal(.approved, approvals: 0).approvalsText == "none needed")
    }

    @Test func `waiting times are read and shown in whole units`() {
        let read = ["0": 0, "30": 30, "30s": 30, "90m": 5_400, "24h": 86_400, "90d": 7_776_000]
        for (text, seconds) in read {
            #expect(WaitingTime(argument: text)?.seconds == UInt32(seconds), "\(text)")
        }
        for text in [
            "", "h", "-1", "+1", "1.5h", "1w", "91d", "7776001", "99999999999", "4000000000d",
        ] {
            #expect(WaitingTime(argument: text) == nil, "\(text)")
        }
        #expect(
            [0, 59, 60, 5_400, 86_400, 90_000].map(WaitingTime.text) == [
                "none", "59s", "1m", "90m", "1d", "25h",
            ])
    }

    @Test func `a log of older rules is named, with what raises them`() {
        #expect(CustodyRules.problem(rules: CustodyRules.needed) == nil)
        #expect(CustodyRules.problem(rules: .max) == nil)
        let problem = CustodyRules.problem(rules: 1)
        #expect(problem?.problem.contains("follows rules 1") == true)
        #expect(problem?.problem.contains("part of rules 2") == true)
        #expect(problem?.repair.contains("boursectl upgrade") == true)
    }
}
