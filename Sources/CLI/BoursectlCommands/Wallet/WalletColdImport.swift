// wallet cold import

package import Addresses
import ArgumentParser
import Configuration
import Engine
import JSON
import Payments
import Platform
package import Presentation
import Terms
package import UTXO

struct WalletColdImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Gives the wallet a signed PSBT from cold storage.",
        discussion: """
            Of several signers give all their files at once, or one that all have signed; binary \
            or Base64. It has to spend coins of cold storage only, and to pay the wallet and cold \
            storage only; what it does is shown, and --yes confirms beforehand. bourse-walletd \
            checks it again, has it in the log, and then gives it to the node until a block has \
            it. Importing it once more does nothing. On the host that leads.

            JSON: {"transaction", "chain", "amount", "fee", "rest", "text"}; amounts are decimals.

            EXAMPLE
              sudo boursectl wallet cold import bring-alice.psbt bring-bob.psbt
            """)

    /// Files of one transaction.
    private static let filesMax = 16
    /// How long the wallet may take to answer.
    private static let answerNanosMax: Int64 = 40_000_000_000

    @OptionGroup var common: CommonOptions
    @Argument(help: "The signed PSBTs, all of one transaction.", completion: .file())
    var files: [String]
    @Flag(help: "Bring it without confirmation.") var yes = false

    func run() throws {
        guard 1...Self.filesMax ~= files.count else {
            throw CommandError("give 1 to \(Self.filesMax) files", code: .usage)
        }
        let contents = try files.map { try ColdFile($0) }
        let exchange = try common.exchange()
        let replica = try exchange.replica()
        if contents.count == 1,
            let (evm, bytes) = try WalletColdEVM.signed(contents[0].bytes, exchange, replica)
        {
            let (json, text) = try evm.take(bytes, isConfirmed: yes)
            return common.out.give(json, text: text)
        }
        let seenChains = SeenChains(exchange.settings.walletd.status)
        if let warning = seenChains.warning { throw CommandError(warning) }
        let found = try ColdImport(contents, replica, seenChains)
        if replica.engine.payment(found.id) != nil {
            return give(found, "the log has it already, and the node gets it until a block has it")
        }
        let spend = try found.signed()
        try Confirmation.agree(
            to: found.lines(spend), "Bring them? Type yes: ", isGiven: yes)
        let time = Clock.realtimeNanos()
        do throws(SystemError) {
            let request = "\(found.number.number) \(spend.transaction.bytes.hexText)\n"
            try File.replace(
                exchange.settings.walletd.coldFile, with: Array(request.utf8), mode: 0o644)
        } catch {
            throw CommandError(
                "the wallet cannot be asked: \(error)",
                repair: "run it as root, on the host where bourse-walletd runs")
        }
        give(found, try answer(found, since: time, exchange))
    }

    /// Waits for what the wallet says of it.
    private func answer(
        _ found: ColdImport, since time: Int64, _ exchange: Exchange
    ) throws(CommandError) -> String {
        let deadline = Clock.monotonicNanos() + Self.answerNanosMax
        while Clock.monotonicNanos() < deadline {
            let seen = SeenChains(exchange.settings.walletd.status)
            if let answer = seen.chains?[found.number]?.json["cold"]?["answer"],
                answer["transaction"]?.text == found.id.hex, answer["time"]?.whole ?? 0 >= time
            {
                let text = answer["text"]?.text ?? ""
                guard answer["isTaken"]?.flag == true else {
                    throw CommandError("the wallet does not take it: \(text)")
                }
                return text
            }
            Clock.sleep(nanos: 200_000_000)
        }
        throw CommandError(
            "bourse-walletd does not answer",
            repair: "see `boursectl wallet status`, and import it again: it is done once only")
    }

    private func give(_ found: ColdImport, _ text: String) {
        func decimal(_ units: Int64?) -> JSONValue {
            .orNull(units.map { "\(DecimalNumber(units: Int128($0), scale: found.scale))" })
        }
        common.out.give(
            [
                "transaction": .string(found.id.hex), "chain": .number(found.number.number),
                "amount": decimal(found.spend?.toHot), "fee": decimal(found.spend?.fee),
                "rest": decimal(found.spend?.toCold), "text": .string(text),
            ], text: ["\(found.id.hex): \(text)."])
    }
}

/// A file with a PSBT, binary or Base64.
package struct ColdFile {
    private let path: String
    /// Its content.
    let bytes: [UInt8]

    /// Reads a file.
    init(_ path: String) throws(CommandError) {
        let read = try CommandError.wrapping { () throws(SystemError) in
            try File(path, .read).read(count: PSBT.bytesMax / 3 * 4 + 5)
        }
        self.init(path, read)
    }

    /// The content of a file.
    package init(_ path: String, _ bytes: [UInt8]) { (self.path, self.bytes) = (path, bytes) }

    /// The PSBT, of a chain.
    package func psbt(on network: UTXONetwork) throws(InputError) -> PSBT {
        do throws(PSBTError) {
            if bytes.starts(with: Array("psbt".utf8)) { return try PSBT(bytes, on: network) }
            let letters = bytes.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
            return try PSBT(base64: String(decoding: letters, as: UTF8.self), on: network)
        } catch { throw InputError("\(path) is no PSBT: \(error)", repair: "") }
    }
}

/// A PSBT that brings coins of one chain back, and all that is known of it.
private struct ColdImport {
    let number: NetworkID
    let id: TransactionID
    let scale: Int
    /// What it does, signatures aside; nil: the log has it.
    let spend: ColdSpend?
    private let psbt: PSBT
    private let network: UTXONetwork
    private let code: String
    private let outputs: (hot: [UInt8], cold: [[UInt8]])
    private let coins: [OutPoint: SeenCold.Coin]

    init(
        _ files: [ColdFile], _ replica: ExchangeReplica, _ seen: SeenChains
    ) throws {
        let chains = replica.chains.compactMap { chain -> (ChainView, UTXONetwork, SeenCold)? in
            guard let network = UTXONetwork.named("\(chain.chain)"),
                let cold = SeenCold(seen.chains?[chain.network]?.json, on: network),
                !cold.storages.isEmpty
            else { return nil }
            return (chain, network, cold)
        }
        guard let first = chains.first else {
            throw CommandError(
                "bourse-walletd knows of no cold storage", repair: "see `boursectl wallet status`")
        }
        // The chain of a coin that it spends.
        let (chain, network, cold) =
            chains.first { _, network, cold in
                guard let inputs = try? files[0].psbt(on: network).transaction.inputs else {
                    return false
                }
                return inputs.contains { input in
                    cold.coins.contains { $0.coin.outPoint == input.outPoint }
                }
            } ?? first
        var psbt = try files[0].psbt(on: network)
        for file in files.dropFirst() {
            let other = try file.psbt(on: network)
            do throws(PSBTError) { psbt = try psbt.combined(with: other) } catch {
                throw CommandError("the files do not fit together: \(error)")
            }
        }
        guard let terms = replica.networks.first(where: { $0.network == chain.network }),
            let asset = replica.engine.asset(terms.asset),
            let hot = chain.hotDestination(network)
        else { throw CommandError("chain \(chain.network.number) has no asset, or no key") }
        coins = Dictionary(
            cold.coins.map { ($0.coin.outPoint, $0) }, uniquingKeysWith: { first, _ in first })
        (number, id, scale) = (chain.network, psbt.transaction.id, Int(asset.scale))
        (self.psbt, self.network, code) = (psbt, network, "\(asset.code)")
        // What is left goes to the storage of now, or to one that it comes from.
        let named = replica.engine.coldStorage(terms.asset, terms.network)?.descriptor
        var storages = cold.storage(named: named).map { [$0] } ?? []
        for input in psbt.transaction.inputs {
            guard let storage = coins[input.outPoint]?.storage,
                !storages.contains(where: { $0.number == storage.number })
            else { continue }
            storages.append(storage)
        }
        outputs = (hot.script, cold.scripts(of: storages))
        if replica.engine.payment(id) != nil {
            spend = nil
        } else {
            spend = try Self.spend(
                psbt.transaction, outputs, coins, network, size: Self.size(psbt, coins))
            try Self.compare(psbt, coins, network)
        }
    }

    /// What it weighs once it is signed, in virtual bytes.
    private static func size(_ psbt: PSBT, _ coins: [OutPoint: SeenCold.Coin]) -> Int {
        let witnesses = psbt.transaction.inputs.reduce(2) { sum, input in
            let weight = coins[input.outPoint]?.storage.descriptor?.inputWeight
            return sum + (weight.map { $0 - 4 * 41 } ?? 0)
        }
        return (psbt.transaction.weight + witnesses + 3) / 4
    }

    private static func spend(
        _ transaction: UTXOTransaction, _ outputs: (hot: [UInt8], cold: [[UInt8]]),
        _ coins: [OutPoint: SeenCold.Coin], _ network: UTXONetwork, size: Int? = nil
    ) throws(CommandError) -> ColdSpend {
        do throws(ColdSpendError) {
            return try ColdSpend(
                transaction, hot: outputs.hot, cold: outputs.cold, size: size, on: network
            ) { place in coins[place].map { ColdSpend.Coin(output: $0.coin.output) } }
        } catch { throw CommandError("it is not taken: \(error)") }
    }

    /// Whether what the file says of the coins is what the log says.
    private static func compare(
        _ psbt: PSBT, _ coins: [OutPoint: SeenCold.Coin], _ network: UTXONetwork
    ) throws(CommandError) {
        for (index, input) in psbt.transaction.inputs.enumerated() {
            let said: UTXOTransaction.TransactionOutput?
            do throws(PSBTError) { said = try psbt.spent(index, on: network) } catch {
                throw CommandError("it is not taken: \(error)")
            }
            guard let said, said != coins[input.outPoint]?.coin.output else { continue }
            throw CommandError(
                "it is not taken: what it says of the coin of input \(index) is not what the log "
                    + "has",
                repair: "it was changed on its way: export it again")
        }
    }

    /// The signed transaction, whose signatures are checked.
    func signed() throws -> ColdSpend {
        let transaction: UTXOTransaction
        do throws(PSBTError) {
            var psbt = psbt
            try psbt.finalize(on: network)
            transaction = try psbt.extracted()
        } catch {
            throw CommandError(
                "it is not signed as it has to be: \(error)",
                repair: "have it signed by all who have to, and give all their files at once")
        }
        guard transaction.bytes.count <= Limits.transactionBytesMax else {
            throw CommandError("it is too large: \(transaction.bytes.count) bytes")
        }
        let spend = try Self.spend(transaction, outputs, coins, network)
        do throws(ColdSpendError) { try spend.checkSignatures() } catch {
            throw CommandError("it is not signed as it has to be: \(error)")
        }
        return spend
    }

    /// What it does, in words.
    func lines(_ spend: ColdSpend) -> [String] {
        func text(_ units: Int64) -> String {
            DecimalNumber(units: Int128(units), scale: scale).grouped() + " \(code)"
        }
        func address(_ script: [UInt8]?) -> String {
            script.flatMap { UTXODestination(script: $0) }?.address(on: network) ?? "?"
        }
        let back = spend.transaction.outputs.first { $0.script != outputs.hot }
        var lines = [
            "\(spend.spent.count) coins of cold storage are spent on \(network.name).",
            "\(text(spend.toHot)) comes to the wallet's \(address(outputs.hot)).",
        ]
        if let back {
            lines.append(
                "\(text(spend.toCold)) goes back to cold storage's \(address(back.script)).")
        }
        return lines + ["The fee is \(text(spend.fee)), at the house's expense."]
    }
}
