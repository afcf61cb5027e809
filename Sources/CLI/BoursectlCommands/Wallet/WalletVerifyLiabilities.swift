// wallet verify-liabilities

import ArgumentParser
import JSON
import Liabilities
import Presentation

struct WalletVerifyLiabilitiesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify-liabilities",
        abstract: "Checks that an account is part of a published total.",
        discussion: """
            Checks a proof that `boursectl wallet liabilities` made against the root that the \
            exchange published: the account's name and amount are then part of the root's total. \
            It needs no exchange. A file may have several proofs, one in a line; where it has that \
            of each account, their sum is compared with the total as well.

            Compare the root's hash with what others got: an exchange that shows each customer \
            another root has proven nothing.

            JSON: {"asset", "sequence", "total", "accounts", "hash", "proofs", "account", "units", \
            "isComplete"}; total and units in base units; account and units are null where there \
            are several proofs. Exit status 1: a proof is wrong.

            EXAMPLE
              boursectl wallet verify-liabilities alice.json root.json
            """)

    @Option(help: "Form of the result: text or json.") var output: OutputFormat = .text
    @Argument(help: "File with the proof.", completion: .file()) var proof: String
    @Argument(help: "File with the root.", completion: .file()) var root: String

    func run() throws {
        let root = try LiabilityFiles.readRoot(self.root)
        let seen = try check(root)
        guard let last = seen.last else { throw CommandError("\(proof) has no proof") }
        let isComplete = seen.isInOrder && seen.count == root.accounts
        if isComplete, seen.sum != root.total {
            throw CommandError("the accounts' sum is not the root's total")
        }
        let isOne = seen.count == 1
        let number = { DecimalNumber(units: $0, scale: Int(root.scale)) }
        let who =
            isOne
            ? "\(last.account) with \(number(last.units)) \(root.asset) is"
            : "\(Readable.count(seen.count)) accounts with \(number(seen.sum)) \(root.asset) are"
        let all = isComplete ? ["These are all accounts, and their sum is the total."] : []
        Output(format: output).give(
            [
                "asset": .string("\(root.asset)"), "sequence": .number(root.sequence),
                "total": .string("\(root.total)"), "accounts": .number(root.accounts),
                "hash": .string(root.hash.text), "proofs": .number(seen.count),
                "account": isOne ? .string("\(last.account)") : .null,
                "units": isOne ? .string("\(last.units)") : .null,
                "isComplete": .bool(isComplete),
            ],
            text: [
                "\(who) part of the total of \(number(root.total)) that "
                    + "\(Readable.count(root.accounts)) accounts have, at record "
                    + "\(Readable.count(root.sequence))."
            ] + all + [
                "Compare the root's hash with what others got: \(root.hash.text)"
            ])
    }

    /// What was seen of a file's proofs.
    private struct Seen {
        var count: UInt64 = 0
        /// Not above the total: each was found to be part of it, at a place of its own.
        var sum: Int128 = 0
        /// Whether the places are 0, 1, 2 and so on.
        var isInOrder = true
        var last: LiabilityProof?
    }

    private func check(_ root: LiabilityRoot) throws(CommandError) -> Seen {
        var meter = ProgressMeter("Checking", unit: "bytes")
        defer { meter.clear() }
        var seen = Seen()
        try LiabilityFiles.forEachProof(proof) { one, done, total throws(CommandError) in
            do throws(LiabilityProofError) { try one.check(root) } catch {
                throw CommandError("\(proof), line \(seen.count + 1): \(error)")
            }
            let (sum, isTooLarge) = seen.sum.addingReportingOverflow(one.units)
            guard !isTooLarge else {
                throw CommandError("\(proof): the accounts' sum is too large")
            }
            seen.isInOrder = seen.isInOrder && one.place == seen.count
            (seen.sum, seen.last) = (sum, one)
            seen.count += 1
            meter.draw(done: done, total: total)
        }
        return seen
    }
}
