// The withdrawals of the wallet's chains, as walletd reports them.

import AgentAPI
import Terms

extension CheckKind {
    static let payouts = CheckKind(
        636, "wallet.payouts",
        why: "Withdrawals that are approved and not paid leave customers without their money.")
}

/// What is wrong with the withdrawals of a chain.
struct PayoutCheck {
    let input: CheckInput
    let chain: WalletReading.Chain
    let payouts: WalletReading.Payouts
    let source: String

    /// What was found.
    var finding: Finding {
        let name = chain.subject
        guard !payouts.isSound else { return ok("withdrawals of \(name): \(payouts.condition)") }
        guard input.now.exchange?[.role] != "standby" else {
            return ok("withdrawals of \(name) wait: they are paid at the primary")
        }
        let (state, advice) = verdict
        guard state != .ok else { return ok("no withdrawal of \(name) waits") }
        return Finding(
            .payouts, name, state,
            "withdrawals of \(name): \(payouts.condition)"
                + (payouts.text.isEmpty ? "" : ": \(payouts.text)"),
            source: source, fix: .advice(advice))
    }

    /// How bad it is, and what to do.
    private var verdict: (CheckState, [String]) {
        // A host without withdrawals needs no signer.
        let harm: CheckState = payouts.approved > 0 || payouts.open > 0 ? .critical : .ok
        let signer = HostPlan.signerUnit
        let log = "journalctl -u \(HostPlan.walletUnit) -n 50"
        let signerLog = "journalctl -u \(signer) -n 50"
        switch payouts.condition {
        case "no signer":
            return (
                harm,
                [
                    "systemctl status \(signer)", signerLog,
                    "bourse.toml: [signerd] wallet_users has to name the user of walletd",
                ]
            )
        case "signer refuses":
            return (
                harm,
                [
                    signerLog, "bourse.toml: [signerd] limits has what may leave of a chain",
                    "boursectl wallet withdrawals: compare with what the signer says",
                ]
            )
        case "log refuses":
            return (harm, ["boursectl wallet withdrawals", "boursectl status", log])
        case "node refuses":
            return (
                harm,
                [
                    "getrawtransaction, at the node of \(chain.subject): does it know the payment?",
                    "compare with another node: is one of its coins spent already?", log,
                ]
            )
        case "coins differ":
            return (
                .critical,
                [
                    "compare the coin with another node of \(chain.subject): gettxout",
                    "boursectl journal dump: which record has brought that coin", log,
                ]
            )
        case "not enough coins":
            return (
                .warning,
                [
                    "boursectl wallet status: coins may come back with the next block",
                    "pay coins in to the wallet, or refuse withdrawals: boursectl wallet refuse",
                ]
            )
        case "failed":
            return (
                harm,
                [
                    "see at a second node or an explorer whether the payment moved nothing",
                    "boursectl wallet fail, then it is paid again; with --refuse it is not", log,
                ]
            )
        case "held by screening":
            return (
                .warning,
                [
                    "boursectl wallet status: which withdrawal the service holds, and why",
                    "boursectl wallet refuse: if it is not to go out",
                ]
            )
        case "no screening":
            return (
                .critical,
                ["start the screening service, or look at [walletd] screening", log]
            )
        case "foreign transaction":
            return (
                .critical,
                [
                    "see at an explorer what the transaction is, and who sent it",
                    "if nobody of the house did, the seed is known to others: stop \(signer), and "
                        + "move what is left to a new seed",
                    "boursectl wallet adopt, and boursectl wallet reconcile: what it took", log,
                ]
            )
        case "not swept":
            return (
                .warning,
                [
                    "boursectl wallet status: which address, and why",
                    "bourse.toml: [walletd] sweep_above; the account that pays needs coins for gas",
                    log,
                ]
            )
        case "not moved":
            return (
                .warning,
                [
                    "boursectl wallet status: why coins are not brought to cold storage or merged",
                    "boursectl wallet cold list", signerLog,
                ]
            )
        case "unpayable":
            return (.warning, ["boursectl wallet withdrawals", "boursectl wallet refuse"])
        case "coins spent elsewhere":
            return (
                .critical,
                [
                    "at the node of \(chain.subject): which transaction has spent the coin",
                    "boursectl wallet drop: once that one is final", log,
                ]
            )
        case "slow":
            return (
                .warning,
                [
                    "boursectl wallet status: a payment waits long for its block",
                    "boursectl wallet bump: for a higher fee now",
                    "getmempoolentry, at the node of \(chain.subject): what its fee is",
                ]
            )
        case "waits for the chain":
            return (.warning, ["see wallet.node and wallet.chain of \(chain.subject)", log])
        default:
            return (.critical, ["boursectl wallet status", log])
        }
    }

    private func ok(_ text: String) -> Finding {
        Finding(.payouts, chain.subject, .ok, text, source: source)
    }
}
