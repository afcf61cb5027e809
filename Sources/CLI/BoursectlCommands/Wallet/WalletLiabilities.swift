// wallet liabilities

import ArgumentParser
import Engine
import JSON
import Liabilities
import Presentation
import Secrets
import Terms

struct WalletLiabilitiesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "liabilities", abstract: "Proves to each customer what the exchange owes.",
        discussion: """
            Makes a Merkle sum tree over what all accounts have of an asset: free, held for orders \
            and held for withdrawals. --out is a new directory (mode 0700). Its root.json is to be \
            published, the same for all: it has the total, the last record of the log that counts, \
            and one hash that commits to them and to the tree. proofs.jsonl has a proof for each \
            account in a line; give each customer only the own one. With --account it has that \
            one proof alone, in proof-ID.json, and no other can ever be made of this root. All \
            proofs of a million accounts take 2.2 GB, 300 MB of memory and about 20 seconds.

            A customer checks the proof with `boursectl wallet verify-liabilities`, which needs no \
            exchange, or with verify-liabilities.py in /usr/share/doc/boursectl/examples, which \
            needs Python only. It shows that the amount is part of the total, of others nothing \
            but how many there are and some sums without names. It does not show that the \
            exchange has the coins.

            JSON: {"out", "asset", "sequence", "accounts", "total", "hash"}; total is a decimal.

            EXAMPLE
              boursectl wallet liabilities LTC --out ./liabilities
              boursectl wallet verify-liabilities ./liabilities/proofs.jsonl \\
                ./liabilities/root.json
              grep '"account":"alice"' ./liabilities/proofs.jsonl > alice.json
            """)

    private static let saltBytes = 32

    @OptionGroup var common: CommonOptions
    @Argument(help: "The asset's code.") var asset: String
    @Option(help: ArgumentHelp("The new directory.", valueName: "dir")) var out: String
    @Option(help: "One account's proof only: its name, or id:NUMBER.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let view = try replica.asset(asset)
        let wanted = try account.map { try replica.account($0).id }
        let tree = try Self.tree(view, replica)
        // The engine's own sum, from the house's side of the ledger.
        guard tree.root.total == replica.engine.house(view.id).customers.units else {
            throw CommandError(
                "the accounts' sum is not that of the ledger: the replica is damaged")
        }
        let files = LiabilityFiles(directory: out)
        try files.make()
        if let wanted, let place = tree.place(of: wanted) {
            try files.write(place..<place + 1, of: tree, to: files.proof(wanted.number))
        } else {
            try files.write(0..<tree.count, of: tree, to: files.proofs)
        }
        // The root is last: with it all is there.
        try TextFile.write(tree.root.json.pretty + "\n", to: files.root)
        give(tree.root, view, replica)
    }

    private static func tree(
        _ asset: AssetView, _ replica: ExchangeReplica
    ) throws(CommandError) -> LiabilityTree {
        let accounts = replica.accounts.map {
            LiabilityAccount(
                id: $0.id, name: $0.name, units: replica.engine.balance($0.id, asset.id).total.units
            )
        }
        var meter = ProgressMeter("Hashing", unit: "nodes")
        defer { meter.clear() }
        return try CommandError.wrapping { () throws(LiabilityTreeError) in
            try LiabilityTree(
                asset: asset.code, scale: asset.scale, sequence: replica.sequence,
                accounts: accounts, salt: .random(count: saltBytes)
            ) { done, total in
                if done % 1_024 == 0 { meter.draw(done: UInt64(done), total: UInt64(total)) }
            }
        }
    }

    private func give(_ root: LiabilityRoot, _ asset: AssetView, _ replica: ExchangeReplica) {
        let total = replica.number(Amount(units: root.total), asset.id)
        var facts = Facts()
        facts.add("asset", "\(asset.code)")
        facts.add("record", Readable.count(root.sequence))
        facts.add("accounts", Readable.count(root.accounts))
        facts.add("total", "\(total)")
        facts.add("hash", root.hash.text)
        common.out.give(
            [
                "out": .string(out), "asset": .string("\(asset.code)"),
                "sequence": .number(root.sequence), "accounts": .number(root.accounts),
                "total": .string("\(total)"), "hash": .string(root.hash.text),
            ],
            text: facts.lines(common.out.ink) + [
                "Publish \(out)/root.json, and give each customer the own proof alone."
            ])
    }
}
