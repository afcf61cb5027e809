// Ledger and chains of the wallet, as walletd compares them.

import AgentAPI
import Terms

extension CheckKind {
    static let books = CheckKind(
        637, "wallet.books",
        why: "What customers are owed has to be there: on the chain, or where the owner says.")
    static let hot = CheckKind(
        638, "wallet.hot",
        why: "Too many coins at the host's own keys are at risk; too few do not pay withdrawals.")
}

/// What is wrong between the ledger and what there is of a chain's asset.
struct BooksCheck {
    let input: CheckInput
    let chain: WalletReading.Chain
    let books: WalletReading.Books
    let source: String

    /// What was found.
    var findings: [Finding] { [balance] + (books.hotPercent.map { [hot($0)] } ?? []) }

    /// The hot coins against their band.
    private func hot(_ percent: Int64) -> Finding {
        let name = chain.subject
        let text = "of \(chain.asset) on \(name) \(percent) % of the ceiling are hot"
        guard let remark = books.remark, !isStandby else {
            return Finding(.hot, name, .ok, text, source: source)
        }
        return Finding(
            .hot, name, .warning, "\(text): \(remark)", source: source,
            fix: .advice(
                percent > 100
                    ? [
                        "boursectl wallet cold list: what walletd, which moves them, waits for",
                        "journalctl -u \(HostPlan.walletUnit) -n 50",
                    ]
                    : [
                        "boursectl wallet cold export --help: from cold storage",
                        "a lower target: boursectl wallet cold set",
                    ]))
    }

    private var isStandby: Bool { input.now.exchange?[.role] == "standby" }

    private var balance: Finding {
        let name = chain.subject
        if books.isSound {
            return Finding(
                .books, name, .ok, "ledger and chain of \(name): \(books.condition)",
                source: source)
        }
        // Its replica may lack a payment that its node has already.
        guard !isStandby else {
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
                            + "wallet network set",
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
