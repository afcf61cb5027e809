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
        let request = try WalletRequest(
            "\(found.number.number) \(spend.transaction.bytes.hexText)",
            in: exchange.settings.walletd.coldFile)
        // Nobody waits for it any more then.
        defer { request.takeBack() }
        give(found, try answer(found, since: time, exchange))
        if let warning = found.warning(spend) { Terminal.warn(warning) }
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
    let path: String
    /// Its content.
    let bytes: [UInt8]

    /// Base64 of the largest PSBT, with its ends of lines.
    private static let bytesMax = PSBT.bytesMax / 3 * 4 + PSBT.bytesMax / 24

    /// Reads a file.
    init(_ path: String) throws(CommandError) {
        let (size, read) = try CommandError.wrapping { () throws(SystemError) in
            let file = try File(path, .read)
            let size = try file.size()
            return (size, size > Self.bytesMax ? [] : try file.read(count: size))
        }
        guard size <= Self.bytesMax else {
            throw CommandError(
                "\(path) is no PSBT: it is too large, with \(size) bytes",
                repair: "at most \(Self.bytesMax) are read")
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
    /// What the wallet's own keys have, in base units.
    private let hot: Int128
    /// Where coins go now, and above what; nil: nowhere.
    private let band: ColdStorageView?
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
        guard !chains.isEmpty else {
            throw CommandError(
                "bourse-walletd knows of no cold storage", repair: "see `boursectl wallet status`")
        }
        let (chain, network, cold) = try Self.chain(of: files[0], chains, replica)
        var psbt = try files[0].psbt(on: network)
        psbt.leaveOutInvalidSignatures(on: network)
        for file in files.dropFirst() {
            var other = try file.psbt(on: network)
            other.leaveOutInvalidSignatures(on: network)
            do throws(PSBTError) { psbt = try psbt.combined(with: other) } catch {
                throw CommandError(
                    "the files do not fit together: \(file.path) and those before it: \(error)")
            }
        }
        guard let terms = replica.networks.first(where: { $0.network == chain.network }),
            let asset = replica.engine.asset(terms.asset),
            let hot = chain.hotDestination(network)
        else { throw CommandError("chain \(chain.network.number) has no asset, or no key") }
        coins = cold.allCoins
        (number, id, scale) = (chain.network, psbt.transaction.id, Int(asset.scale))
        (self.psbt, self.network, code) = (psbt, network, "\(asset.code)")
        // What is left goes to the storage of now, or to one that it comes from.
        band = replica.engine.coldStorage(terms.asset, terms.network)
        self.hot = cold.hot
        let named = band?.descriptor
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

    /// The chain that a file is of: the one whose log has it, or that of a coin that it spends.
    private static func chain(
        of file: ColdFile, _ chains: [(ChainView, UTXONetwork, SeenCold)],
        _ replica: ExchangeReplica
    ) throws -> (ChainView, UTXONetwork, SeenCold) {
        for found in chains {
            guard let transaction = try? file.psbt(on: found.1).transaction else { continue }
            if let payment = replica.engine.payment(transaction.id) {
                if payment.network == found.0.network { return found }
                continue
            }
            let coins = found.2.allCoins
            if transaction.inputs.contains(where: { coins[$0.outPoint] != nil }) { return found }
        }
        // What it is on the first says why not.
        return chains[0]
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
            ) { place in
                coins[place].map { ColdSpend.Coin(output: $0.coin.output, taker: $0.taker) }
            }
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
                repair: "have it signed by all who have to, with the device's default type of "
                    + "signature, and give all their files at once")
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
        lines.append("The fee is \(text(spend.fee)), at the house's expense.")
        if let replaces = spend.replaces {
            lines.append("It takes the place of the transfer \(replaces.hex).")
        }
        return lines + (warning(spend).map { [$0] } ?? [])
    }

    /// That what comes would go back to cold storage; nil: it would not.
    func warning(_ spend: ColdSpend) -> String? {
        ColdPlace.warning(hot: hot + Int128(spend.toHot), band)
    }
}
