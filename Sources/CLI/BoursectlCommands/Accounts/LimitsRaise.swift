// limits raise

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms
import Wire

struct LimitsRaiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "raise", abstract: "Raises the limits of the exchange.",
        discussion: """
            Limits that are not given stay unchanged; none can be lowered. All replicas raise \
            their limits at the same record: make sure that each host has the memory shown here, \
            which is used as the tables fill. Raising --accounts rebuilds the balances at that \
            record, in about a second for a million of them; the other limits cost nothing then.

            Without limits to raise it shows the present ones and the memory they take. It asks \
            for confirmation; --yes confirms beforehand.

            JSON: {"sequence", "limits", "memoryBytes", "memoryBytesSparse"}; sequence is null \
            where nothing was raised. The memory is that of one replica with all tables full; the \
            second number applies where each open order has a price far from all others.

            EXAMPLE
              boursectl limits raise --accounts 200000 --open-orders 2000000
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var signature: SignatureOptions
    @Option(help: "Assets.") var assets: UInt32?
    @Option(help: "Instruments.") var instruments: UInt32?
    @Option(help: "Customer accounts.") var accounts: UInt32?
    @Option(help: "Open orders in all instruments.") var openOrders: UInt32?
    @Option(help: "API keys.") var apiKeys: UInt32?
    @Option(help: "Sessions of writers.") var sessions: UInt32?
    @Option(help: "Fee tiers.") var feeTiers: UInt32?
    @Option(help: "Rows of order limits.") var orderLimits: UInt32?
    @Option(help: "References and deposits that are remembered.") var references: UInt32?
    @Flag(help: "Raise without confirmation.") var yes = false

    private var requested: RequestedLimits {
        RequestedLimits([
            .init("assets", \.assets, assets), .init("instruments", \.instruments, instruments),
            .init("accounts", \.accounts, accounts), .init("open-orders", \.openOrders, openOrders),
            .init("api-keys", \.apiKeys, apiKeys), .init("sessions", \.sessions, sessions),
            .init("fee-tiers", \.feeTiers, feeTiers),
            .init("order-limits", \.orderLimits, orderLimits),
            .init("references", \.references, references),
        ])
    }

    func run() throws {
        guard !requested.isEmpty else {
            let limits = try common.exchange().replica().engine.limits
            show(nil, limits, text: lines(limits, limits))
            return
        }
        let audit = try signature.audit()
        let session = try common.exchange().session(signature.who)
        let before = session.replica.engine.limits
        let after = try requested.raised(before)
        try Confirmation.agree(
            to: lines(before, after), "Raise them on every replica? Type yes: ", isGiven: yes)
        let receipt = try session.submit(
            RaiseLimits(limits: after, audit: audit),
            meanings: [
                .termsInvalid:
                    "a market's --qty-max times that many open orders exceeds 2^62 lots: "
                    + "lower its --qty-max first"
            ])
        show(receipt, after, text: ["The limits were raised. \(receipt.text)"])
    }

    private func lines(_ before: EngineLimits, _ after: EngineLimits) -> [String] {
        var table = Table([.words("LIMIT"), .numbers("NOW"), .numbers("AFTER")])
        for limit in requested.limits {
            let (old, new) = (before[keyPath: limit.path], after[keyPath: limit.path])
            table.add([limit.name, Readable.count(old), old == new ? "" : Readable.count(new)])
        }
        let (old, new) = (Engine.memory(before), Engine.memory(after))
        func bytes(_ value: Int) -> String { Readable.bytes(UInt64(value)) }
        table.add(["memory, full tables", bytes(old.dense), old == new ? "" : bytes(new.dense)])
        table.add(["memory, sparse prices", bytes(old.sparse), old == new ? "" : bytes(new.sparse)])
        return table.lines(common.out.ink)
    }

    private func show(_ receipt: CommandReceipt?, _ limits: EngineLimits, text: [String]) {
        let memory = Engine.memory(limits)
        common.out.give(
            [
                "sequence": receipt.map { .number($0.sequence) } ?? .null, "limits": limits.json,
                "memoryBytes": .number(memory.dense), "memoryBytesSparse": .number(memory.sparse),
            ], text: text)
    }
}
