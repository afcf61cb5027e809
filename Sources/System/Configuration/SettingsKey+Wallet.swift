// The keys of `bourse-walletd`.

extension SettingsKey {
    static var walletd: [SettingsKey] {
        [
            .text(
                "walletd", "nodes", "\"\"",
                "The chains' nodes, as "
                    + "\"litecoin=http://127.0.0.1:9332,/etc/bourse/litecoin.login\"; the"
                    + "\nfile holds USER:PASSWORD, as the node's own .cookie does. Several are "
                    + "separated by\nspaces. With a second one of a chain, what both do not have "
                    + "is not credited."
            ) {
                let words = $1.split(separator: " ").map(String.init)
                let nodes = words.compactMap(Settings.Walletd.Node.init)
                let ofChain = Dictionary(grouping: nodes, by: \.chain)
                guard nodes.count == words.count, ofChain.allSatisfy({ $0.value.count <= 2 })
                else {
                    return "expected each chain once or twice, as "
                        + "\"litecoin=http://127.0.0.1:9332,/etc/bourse/litecoin.login\""
                }
                $0.walletd.nodes = nodes
                return nil
            },
            .text(
                "walletd", "elsewhere", "\"\"",
                "What of the customers' coins is kept elsewhere than on the wallet's chains, as "
                    + "\"LTC 100.5,\nBTC 3\": cold storage, and what operators booked by hand. "
                    + "Where less is there than the ledger\nsays, withdrawals of the asset stop."
            ) {
                guard let kept = kept($1) else { return keptExpected }
                $0.walletd.elsewhere = kept
                return nil
            },
            .text(
                "walletd", "written_off", "\"\"",
                "Coins that are lost for good, as \"TRANSACTION:OUTPUT\" and separated by spaces: "
                    + "they count as\ngone, and stop nothing any more."
            ) {
                let coins = $1.split(separator: " ").map(String.init)
                func isCoin(_ text: String) -> Bool {
                    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
                    return parts.count == 2 && parts[0].utf8.count == 64
                        && parts[0].allSatisfy(\.isHexDigit) && UInt32(parts[1]) != nil
                }
                guard coins.count <= 1_000, coins.allSatisfy(isCoin) else {
                    return "expected up to 1,000 coins, as TRANSACTION:OUTPUT of 64 digits and a "
                        + "number"
                }
                $0.walletd.writtenOff = coins
                return nil
            },
            .text(
                "walletd", "second_above", "\"\"",
                "Where a chain has a second node, deposits up to these amounts are credited "
                    + "without it, as\n\"LTC 10, BTC 0.5\"; of other assets none is."
            ) {
                guard let kept = kept($1) else { return keptExpected }
                $0.walletd.secondAbove = kept
                return nil
            },
            .text(
                "walletd", "screening", "\"\"",
                "A service that is asked by HTTP POST before a withdrawal goes out, as"
                    + "\n\"http://127.0.0.1:8645/screen,/etc/bourse/screen.login\": see "
                    + "bourse-walletd(8). While it is\naway, or holds one, that one waits. Empty: "
                    + "nobody is asked."
            ) {
                guard !$1.isEmpty else { return nil }
                guard let screen = Settings.Walletd.ScreeningService($1) else {
                    return "expected http://HOST:PORT/PATH, and after a comma a file with its login"
                }
                $0.walletd.screening = screen
                return nil
            },
            .text(
                "walletd", "assets", "\"\"",
                "Which assets EVM chains carry, as \"ETH=ethereum USDT=ethereum:0xdAC1…:6\": an "
                    + "asset's\ncode, its chain, and of a token its contract and decimals. No "
                    + "other contract is\ncredited or called; the signer reads the same list."
            ) {
                $0.walletd.assets = $1.split(separator: " ").map(String.init)
                return nil
            },
            .text(
                "walletd", "sweep_above", "\"\"",
                "From which amounts on what customers pay in on EVM chains is swept to the account "
                    + "that pays\nwithdrawals, as \"ETH 0.5, USDT 200\"; \"none\": nothing is. "
                    + "Of other assets it is 50 times the\nnetwork's fee of withdrawals, and its "
                    + "minimum."
            ) {
                $0.walletd.sweeps = $1 != "none"
                guard let kept = kept($1 == "none" ? "" : $1) else { return keptExpected }
                $0.walletd.sweepAbove = kept
                return nil
            },
            .text(
                "walletd", "state", "\".\"",
                "The wallet's own directory: its lock, and requests of operators."
            ) {
                guard !$1.isEmpty else { return "expected a directory" }
                $0.walletd.state = $1
                return nil
            },
            .integer(
                "walletd", "bump_seconds", 7_200, in: 0...31_536_000,
                "Seconds that a payment waits for its block until one with a higher fee replaces "
                    + "it;\n0: it waits for ever. Nodes of Litecoin replace nothing without "
                    + "mempoolreplacement=1."
            ) { $0.walletd.bumpSeconds = $1 },
            .integer(
                "walletd", "consolidate_above", 0, in: 0...1_000_000,
                "With more free coins than these on a UTXO chain its smallest ones are merged "
                    + "into one,\nup to 200 at once; 0: never."
            ) { $0.walletd.consolidateAbove = $1 },
            .integer(
                "walletd", "consolidate_fee", 2_000, in: 1_000...500_000,
                "They are merged while the chain's miners ask for no more than this, in base "
                    + "units for\n1,000 virtual bytes."
            ) { $0.walletd.consolidateFee = $1 },
            .text(
                "walletd", "status", "\"run/wallet.json\"",
                "The file in which it says how the chains stand."
            ) {
                guard !$1.isEmpty else { return "expected a file" }
                $0.walletd.status = $1
                return nil
            },
        ]
    }

    /// Amounts, each asset once; nil for anything else.
    private static func kept(_ text: String) -> [Settings.Walletd.Kept]? {
        let parts = text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false)
        let kept = parts.compactMap { Settings.Walletd.Kept($0) }
        guard kept.count == parts.count, Set(kept.map(\.asset)).count == kept.count else {
            return nil
        }
        return kept
    }

    private static let keptExpected =
        "expected each asset once, with an amount, as \"LTC 100.5, BTC 3\""
}
