// wallet rescan

import ArgumentParser
import Configuration
import Engine
import JSON
import Platform
import Presentation
import Terms
import Wire

struct WalletRescanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rescan",
        abstract: "Reads an asset's chain again, and credits what is missing.",
        discussion: """
            All blocks from FROM on are read again by bourse-walletd. A deposit that is credited \
            is not credited a second time; one that was missed is credited now. It waits until \
            block TO, or the last one that is final, is done; Ctrl-C ends the waiting, not the \
            reading. It asks for confirmation; --yes confirms beforehand.

            JSON: {"sequence", "chain", "creditedUpTo"}; chain is as in `boursectl wallet chain \
            list`.

            EXAMPLE
              boursectl wallet rescan LTC 2800000
              boursectl wallet rescan LTC 2800000 2801000 --yes
            """)

    /// How long nothing may be read before it is given up.
    private static let stillSecondsMax: Int64 = 60

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Argument(help: "The asset's code.") var asset: String
    @Argument(help: "The first block that is read again.") var from: UInt64
    @Argument(help: "The block up to which it waits.") var to: UInt64?
    @Option(help: "The chain's number, where the asset has several.") var chain: ChainNumber?
    @Flag(inversion: .prefixedNo, help: "Wait until it is read.") var wait = true
    @Flag(help: "Read again without confirmation.") var yes = false

    func run() throws {
        guard 1...Limits.blockMax ~= from, to.map({ from...Limits.blockMax ~= $0 }) ?? true else {
            throw CommandError(
                "blocks are 1 to \(Limits.blockMax), and TO is not below FROM", code: .usage)
        }
        let audit = try signature.audit()
        let exchange = try common.exchange()
        let session = try exchange.walletSession(signature.who)
        let view = try session.replica.asset(asset)
        let (before, network) = try chain(of: view, session.replica)
        guard from <= before.nextBlock else {
            throw CommandError(
                "block \(from) is not read yet: what lies before it, from \(before.nextBlock) on, "
                    + "would never be credited", repair: "give a block up to \(before.nextBlock)",
                code: .usage)
        }
        let lines = [
            "Chain \(before.network.number) is \(before.chain); \(view.code) comes in by it.",
            "Its \(Readable.count(before.nextBlock - from)) blocks from \(Readable.count(from)) on "
                + "are "
                + "read again, by a node that has them all. No deposit is credited a second time.",
            "No withdrawal of it is paid until that is done; to end it: boursectl wallet rescan "
                + "\(view.code) \(before.nextBlock)",
        ]
        try Confirmation.agree(to: lines, "Read them again? Type yes: ", isGiven: yes)
        let receipt = try session.submit(
            SetChain(
                network: before.network, firstBlock: from, chain: before.chain, key: before.key,
                audit: audit))
        if wait { try awaitCredits(network, session, exchange) }
        let replica = session.replica
        let now = replica.engine.chain(before.network) ?? before
        common.out.give(
            [
                "sequence": .number(receipt.sequence), "chain": replica.json(now),
                "creditedUpTo": .number(now.checkedHeight),
            ],
            text: [
                wait
                    ? "All deposits up to block \(Readable.count(now.checkedHeight)) are credited. "
                        + receipt.text
                    : "They are read again: see `boursectl wallet status`. \(receipt.text)"
            ])
    }

    /// The chain that is read again, and the asset's terms there.
    private func chain(
        of asset: AssetView, _ replica: ExchangeReplica
    ) throws(CommandError) -> (ChainView, NetworkView) {
        let networks = replica.networks.filter { $0.asset == asset.id }
        guard let first = networks.first else {
            throw CommandError(
                "\(asset.code) is on no chain", repair: "boursectl wallet network set --help")
        }
        guard let chain else {
            guard networks.count == 1, let view = replica.engine.chain(first.network) else {
                let numbers = networks.map { "\($0.network.number)" }.joined(separator: ", ")
                throw CommandError(
                    "\(asset.code) is on chain \(numbers)",
                    repair: "name one that is set: --chain NUMBER", code: .usage)
            }
            return (view, first)
        }
        guard let network = networks.first(where: { $0.network == chain.id }) else {
            throw CommandError("\(asset.code) is not on chain \(chain.id.number)")
        }
        return (try replica.chain(chain), network)
    }

    /// Waits until the log says that what is final is credited.
    private func awaitCredits(
        _ network: NetworkView, _ session: OperatorSession, _ exchange: Exchange
    ) throws {
        var meter = ProgressMeter("Reading", unit: "blocks")
        defer { meter.clear() }
        var (last, since) = (UInt64(0), Clock.monotonicNanos())
        while true {
            try session.follow(milliseconds: 200)
            let credited = session.replica.engine.chain(network.network)?.checkedHeight ?? 0
            let seen = SeenChains(exchange.settings.walletd.status)
            if let warning = seen.warning { throw CommandError(warning) }
            let json = seen.chains?[network.network]?.json
            if let read = json?["read"]?.count, let tip = json?["tip"]?.count,
                max(read, tip) <= Limits.blockMax
            {
                // The last block that is final; a chain that is shorter has none from FROM on.
                let final = tip + 1 - min(tip + 1, UInt64(network.confirmations))
                let wanted = min(to ?? final, final)
                meter.draw(done: max(read, from) - from, total: max(wanted, read, from) - from + 1)
                let isRead = json?["condition"]?.text == "in step" || to != nil
                if isRead, credited >= wanted || wanted < from { return }
                if read + credited != last {
                    (last, since) = (read + credited, Clock.monotonicNanos())
                }
            }
            guard Clock.monotonicNanos() - since < Self.stillSecondsMax * 1_000_000_000 else {
                throw CommandError(
                    "for \(Self.stillSecondsMax) s nothing more was read: "
                        + (seen.chains?[network.network]?.text
                            ?? "bourse-walletd does not follow the chain"),
                    repair: "it goes on by itself: see `boursectl wallet status`")
            }
        }
    }
}
