// The keys of `bourse-signerd`.

extension SettingsKey {
    static var signerd: [SettingsKey] {
        [
            .text(
                "signerd", "socket", "\"run/signer.sock\"",
                "The Unix socket at which the wallet asks for signatures."
            ) {
                guard !$1.isEmpty else { return "expected a path" }
                $0.signerd.socket = $1
                return nil
            },
            .text(
                "signerd", "state", "\"signer\"",
                "The signer's own directory: what it signed. `bourse-signerd --begin` begins it."
            ) {
                guard !$1.isEmpty else { return "expected a directory" }
                $0.signerd.state = $1
                return nil
            },
            .text(
                "signerd", "limits", "\"\"",
                "What may leave the wallet, as \"litecoin 50 10, bitcoin 2 0.5\": a chain, how "
                    + "much at once,\nand how much of that comes back in an hour, in coins, with "
                    + "the miners' fees.\nNothing is signed for a chain that is not listed. A "
                    + "token of [walletd] assets has a limit\nof its own, as "
                    + "\"ethereum:USDT 50000 5000\", "
                    + "and its gas counts for the chain."
            ) {
                let parts =
                    $1.isEmpty
                    ? []
                    : $1.split(
                        separator: ",", omittingEmptySubsequences: false)
                let limits = parts.compactMap { Settings.Signerd.Limit($0) }
                guard limits.count == parts.count, Set(limits.map(\.chain)).count == limits.count
                else {
                    return "expected each chain once, with what may leave at once and what comes "
                        + "back in an hour, as \"litecoin 50 10, bitcoin 2 0.5\""
                }
                $0.signerd.limits = limits
                return nil
            },
            .text(
                "signerd", "cold", "\"\"",
                "Cold storage to which the wallet's coins go without counting against these "
                    + "limits, as\n\"LTC@litecoin=wpkh([fingerprint/84h/2h/0h]xpub…/0/*)\"; "
                    + "several are separated by\nspaces. To another one that the log names they "
                    + "go within the limits."
            ) {
                let words = $1.split(separator: " ")
                let pinned = words.compactMap { Settings.Signerd.PinnedDescriptor($0) }
                guard pinned.count == words.count, pinned.count <= 64 else {
                    return "expected up to 64 of ASSET@CHAIN=DESCRIPTOR, separated by spaces"
                }
                $0.signerd.cold = pinned
                return nil
            },
            names(
                "signerd", "wallet_users",
                "Users of wallets, as \"bourse-wallet\", and groups as %name, that may ask for "
                    + "signatures,\nbeside root and the signer's own user. They also need the "
                    + "socket's file permissions."
            ) { $0.signerd.walletUsers = $1 },
        ]
    }
}
