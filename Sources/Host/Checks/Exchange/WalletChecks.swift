// The chains of the wallet, as walletd reports them. Numbers 631 … 639; 633 is not used any more.

import AgentAPI
import Terms

extension CheckKind {
    static let scanner = CheckKind(
        631, "wallet.scanner", unit: "blocks", warning: 3, critical: 20,
        why: "Deposits in blocks that were not read are not credited.")
    static let node = CheckKind(
        632, "wallet.node",
        why: "A node that is away, cut off or behind shows no deposits, and none is credited.")
    static let walletAnswers = CheckKind(
        634, "wallet.answers",
        why: "Without walletd, or while a node holds it up, no deposit is seen or credited.")
    static let chain = CheckKind(
        635, "wallet.chain",
        why: "What a chain shows has to agree with what the log says was credited.")
}

extension CheckGroup {
    /// walletd.
    static let wallet = CheckGroup(
        "wallet", seconds: 5,
        kinds: [.scanner, .node, .walletAnswers, .chain, .payouts, .books, .hot],
        sources: ["{wallet}", ClockReading.path, ExchangeReading.path]
    ) { input in
        let unit = HostPlan.walletUnit
        guard let path = input.plan.wallet else { return [] }
        guard let text = input.now.text(path) else {
            guard input.plan.units.contains(unit) else { return [] }
            return [
                Finding(
                    .walletAnswers, "", .critical, "walletd does not report: there is no \(path)",
                    source: path,
                    fix: .advice(["systemctl status \(unit)", "journalctl -u \(unit) -n 50"]))
            ]
        }
        guard let reading = WalletReading(text) else {
            return [input.unknown(.walletAnswers, source: path)]
        }
        return WalletCheck(input: input, reading: reading, source: path).findings
    }
}

private struct WalletCheck {
    let input: CheckInput
    let reading: WalletReading
    let source: String

    private static let log = "journalctl -u \(HostPlan.walletUnit) -n 50"

    var findings: [Finding] {
        let answers = answers
        let isCurrent = reading.isCurrent(input.now.clock?.realtimeNanos)
        return [answers]
            + reading.chains.flatMap { chain in
                isCurrent
                    ? all(chain)
                    : kinds(chain).map { kind, subject in
                        input.unknown(
                            kind, subject, source: source, "walletd reports nothing new of it")
                    }
            }
    }

    private func all(_ chain: WalletReading.Chain) -> [Finding] {
        let node = [blocks(chain), node(chain), log(chain)]
        return node + payouts(chain) + books(chain)
            + HotCheck.all(input, chain, source).map(\.finding)
    }

    private func kinds(_ chain: WalletReading.Chain) -> [(CheckKind, String)] {
        let kinds: [CheckKind] =
            [.scanner, .node, .chain] + (chain.payouts == nil ? [] : [.payouts])
            + (chain.books == nil ? [] : [.books])
        return kinds.map { ($0, chain.subject) }
            + HotCheck.all(input, chain, source).map { (.hot, $0.subject) }
    }

    private func books(_ chain: WalletReading.Chain) -> [Finding] {
        chain.books.map {
            [BooksCheck(input: input, chain: chain, books: $0, source: source).finding]
        } ?? []
    }

    private func payouts(_ chain: WalletReading.Chain) -> [Finding] {
        chain.payouts.map {
            [PayoutCheck(input: input, chain: chain, payouts: $0, source: source).finding]
        } ?? []
    }

    private var answers: Finding {
        guard let age = reading.ageSeconds(input.now.clock?.realtimeNanos) else {
            return input.unknown(.walletAnswers, source: source, "the time is not known")
        }
        guard age >= -10 else {
            return input.unknown(
                .walletAnswers, source: source, "walletd wrote \(source) at a time yet to come")
        }
        let state: CheckState = age >= 60 ? .critical : age >= 10 ? .warning : .ok
        guard state == .ok else {
            return Finding(
                .walletAnswers, "", state, "walletd reported its chains \(age) s ago",
                source: source,
                fix: .advice([
                    "systemctl status \(HostPlan.walletUnit)", Self.log,
                    "boursectl wallet status: a node may hold it up",
                ]))
        }
        return input.verdict(
            .walletAnswers, isRight: reading.isConnected, wrong: .critical,
            reading.isConnected
                ? "walletd reports its chains"
                : "walletd has no connection to matchd: no deposit is credited", source: source,
            fix: .advice([
                "boursectl status", Self.log, "bourse.toml: [matchd] wallet_users has to name it",
            ]))
    }

    private func blocks(_ chain: WalletReading.Chain) -> Finding {
        let name = chain.subject
        guard let tip = chain.tip, let read = chain.read else {
            return input.unknown(
                .scanner, name, source: source, "how far \(name) is read is not known")
        }
        let count = max(tip - read, 0)
        return input.finding(
            .scanner, name, value: count,
            "\(some(count, "block")) of \(name) \(count == 1 ? "is" : "are") not read yet",
            source: source, fix: .advice(["boursectl wallet status", Self.log]))
    }

    /// What is wrong with its node.
    private func node(_ chain: WalletReading.Chain) -> Finding {
        let name = chain.subject
        let (state, advice): (CheckState, [String])
        switch chain.condition {
        case "node syncing":
            (state, advice) = (.warning, ["wait for it: getblockchaininfo, at the node of \(name)"])
        case "node still":
            (state, advice) = (
                .warning,
                [
                    "getpeerinfo, at the node of \(name): it needs peers, and a way to them",
                    "compare its getbestblockhash with another node's",
                ]
            )
        case "nodes differ":
            (state, advice) = (
                .critical,
                [
                    "getblockcount and getbestblockhash, at both nodes of \(name): which of them "
                        + "is right?",
                    "a deposit waits for the second node: [walletd] nodes names both, and "
                        + "second_above the amounts that need it",
                ]
            )
        case "node behind":
            (state, advice) = (
                .critical,
                [
                    "getblockchaininfo, at the node of \(name): wait for it if it catches up",
                    "if it is an older copy: name another one in [walletd] nodes of bourse.toml, "
                        + "and restart bourse-walletd",
                ]
            )
        case "no node":
            (state, advice) = (
                .critical,
                [
                    "check the node of \(name): that it runs, its disk, its log",
                    "bourse.toml: [walletd] nodes has its address and the file of its login",
                    "systemctl edit bourse-walletd: IPAddressAllow= has to name another host's",
                    Self.log,
                ]
            )
        case "unusable":
            return input.unknown(.node, name, source: source, "no node of \(name) is asked")
        default:
            return Finding(.node, name, .ok, "the node of \(name) answers", source: source)
        }
        return finding(.node, chain, state, advice)
    }

    /// What is wrong between the chain and the log.
    private func log(_ chain: WalletReading.Chain) -> Finding {
        let name = chain.subject
        let again =
            "boursectl wallet chain set \(chain.network) \(chain.name) --key XPUB "
            + "--first-block HEIGHT, from where it is to be read again"
        switch chain.condition {
        case "forked":
            return finding(
                .chain, chain, .critical,
                [
                    "compare the block with another node: is the node of \(name) on a wrong chain?",
                    "if not, the chain itself was reorganised: read it again", again,
                ])
        case "credit vanished":
            return finding(
                .chain, chain, .critical,
                ["boursectl wallet status", "settle the deposit with the customer", again])
        case "unusable":
            return finding(
                .chain, chain, .critical,
                [
                    "boursectl wallet chain list", "boursectl wallet network list",
                    "bourse.toml: [walletd] nodes has to name a node of \(name)",
                ])
        case "not taken":
            guard input.now.exchange?[.role] != "standby" else {
                return Finding(
                    .chain, name, .ok, "\(name) waits: deposits come in at the primary",
                    source: source)
            }
            return finding(
                .chain, chain, .warning,
                ["boursectl status", "see exchange.answers and exchange.disk-reserve", Self.log])
        case "refused":
            return finding(
                .chain, chain, .critical,
                ["boursectl wallet status", "boursectl wallet network list", Self.log])
        case let word where chain.isSound || word == "no node" || word.hasPrefix("node"):
            return Finding(
                .chain, name, .ok, "what was read of \(name) agrees with the log", source: source)
        default:
            return finding(.chain, chain, .critical, ["boursectl wallet status", Self.log])
        }
    }

    private func finding(
        _ kind: CheckKind, _ chain: WalletReading.Chain, _ state: CheckState, _ advice: [String]
    ) -> Finding {
        Finding(
            kind, chain.subject, state, sentence(chain), source: source, fix: .advice(advice))
    }

    private func sentence(_ chain: WalletReading.Chain) -> String {
        "\(chain.subject): \(chain.condition): \(chain.text)"
    }
}
