// Ledger and chains of the wallet, as walletd compares them.

import AgentAPI
import Terms

extension CheckKind {
    static let books = CheckKind(
        637, "wallet.books",
        why: "What customers are owed has to be there: on the chain, or where the owner says.")
    static let hot = CheckKind(
        638, "wallet.hot",
        why: "Where less than half the target is hot, withdrawals soon wait for cold storage.")
}

/// What is wrong between the ledger and what there is of a chain's asset.
struct BooksCheck {
    let input: CheckInput
    let chain: WalletReading.Chain
    let books: WalletReading.Books
    let source: String

    /// What was found.
    var finding: Finding {
        let name = chain.subject
        if books.isSound {
            return Finding(
                .books, name, .ok, "ledger and chain of \(name): \(books.condition)",
                source: source)
        }
        // Its replica may lack a payment that its node has already.
        guard !input.isStandby else {
            return Finding(
                .books, name, .ok, "ledger and chain of \(name) are compared at the primary",
                source: source)
        }
        let (state, advice): (CheckState, [String]) =
            switch books.condition {
            case "house owes":
                (
                    .warning,
                    [
                        "boursectl wallet reconcile",
                        "pay coins in to the wallet, or raise the fee of withdrawals: boursectl "
                            + "wallet network set, wallet terms set",
                    ]
                )
            case "not comparable", "coins not seen":
                (
                    // Where they are not compared nothing would show that something is missing.
                    books.condition == "not comparable" ? .critical : .warning,
                    [
                        "boursectl wallet reconcile", "boursectl wallet status",
                        "journalctl -u \(HostPlan.walletUnit) -n 50",
                    ]
                )
            case "coins vanished":
                (
                    .critical,
                    [
                        "boursectl wallet reconcile: which coins, and what spent them",
                        "if nobody of the house did it, the seed is known to others: stop "
                            + "\(HostPlan.signerUnit), and move what is left to a new seed",
                        "what is lost for good: [walletd] written_off of bourse.toml, and in "
                            + "elsewhere what makes up for it",
                        "withdrawals go on with: boursectl wallet resume \(chain.asset)",
                    ]
                )
            default:
                (
                    .critical,
                    [
                        "boursectl wallet reconcile: both sides, and what is between them",
                        "look for a booking by hand: boursectl journal dump --kind adjustBalance",
                        "what is kept elsewhere: [walletd] elsewhere of bourse.toml",
                        "withdrawals go on with: boursectl wallet resume \(chain.asset)",
                    ]
                )
            }
        return Finding(
            .books, name, state,
            "ledger and chain of \(name): \(books.condition)"
                + (books.text.isEmpty ? "" : ": \(books.text)"), source: source,
            fix: .advice(advice))
    }
}

/// An asset's hot coins against their band.
struct HotCheck {
    let input: CheckInput
    let chain: WalletReading.Chain
    let band: WalletReading.Band
    let source: String

    /// The assets of a chain that have cold storage.
    static func all(
        _ input: CheckInput, _ chain: WalletReading.Chain, _ source: String
    ) -> [HotCheck] {
        chain.bands.filter(\.hasCeiling).map {
            HotCheck(input: input, chain: chain, band: $0, source: source)
        }
    }

    var subject: String { "\(chain.subject)/\(band.asset)" }

    /// What was found. Above the ceiling walletd moves them: wallet.payouts says where it cannot.
    var finding: Finding {
        guard let percent = band.hotPercent else {
            return input.unknown(
                .hot, subject, source: source, "what is hot of \(subject) is not counted yet")
        }
        let text =
            "of \(subject) \(percent) % of the ceiling are hot"
            + (band.remark.map { ": \($0)" } ?? "")
        guard band.isLow, !input.isStandby else {
            return Finding(.hot, subject, .ok, text, source: source)
        }
        return Finding(
            .hot, subject, .warning, text, source: source,
            fix: .advice([
                "boursectl wallet cold export --help: from cold storage",
                "a lower target: boursectl wallet cold set",
            ]))
    }
}

extension CheckInput {
    /// Whether another host leads: its replica may lack what its node has already.
    fileprivate var isStandby: Bool { now.exchange?[.role] == "standby" }
}
