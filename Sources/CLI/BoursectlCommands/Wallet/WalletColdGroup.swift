// wallet cold, and what its verbs share.

import Addresses
import ArgumentParser
import Configuration
import EVM
import Engine
import JSON
import Keys
import Payments
import Platform
import Presentation
import Terms
import UTXO
import Wire

struct WalletColdGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cold", abstract: "Cold storage: coins that the exchange's keys cannot spend.",
        discussion: """
            What the wallet holds of an asset above its ceiling goes to cold storage by itself, \
            down to the target. Back it comes only by its own devices: `export` makes a PSBT \
            (BIP174), they sign it, `import` gives it to the wallet.

            EXAMPLE
              boursectl wallet cold set LTC 1 --descriptor 'wsh(sortedmulti(2,[d34db33f/48h/2h/0h\
            /2h]xpub6…/0/*,[…]xpub6…/0/*,[…]xpub6…/0/*))#…' --ceiling 500 --target 200
              boursectl wallet cold list
              boursectl wallet cold export LTC 1 100 --out bring.psbt
              sudo boursectl wallet cold import bring-alice.psbt bring-bob.psbt
            """,
        subcommands: [
            WalletColdSetCommand.self, WalletColdRemoveCommand.self, WalletColdListCommand.self,
            WalletColdExportCommand.self, WalletColdImportCommand.self,
        ], defaultSubcommand: WalletColdListCommand.self)
}

/// An asset's network and its chain, as the log has them.
struct ColdPlace {
    let asset: AssetView
    let network: NetworkView
    let chain: ChainView
    let kind: ChainKind

    init(_ asset: String, _ number: ChainNumber, _ replica: ExchangeReplica) throws(CommandError) {
        let needed = CommandKind.setColdStorage.rules
        let rules = replica.engine.rules
        guard rules >= needed else {
            throw CommandError(
                "the exchange's log follows rules \(rules), and cold storage is part of rules "
                    + "\(needed)",
                repair: "rules rise by themselves once all its hosts run this version: see "
                    + "`boursectl cluster status`")
        }
        self.asset = try replica.asset(asset)
        network = try replica.network(self.asset, number)
        chain = try replica.chain(number)
        guard let kind = ChainKind.named("\(chain.chain)") else {
            throw CommandError("this version does not know the chain \(chain.chain)")
        }
        self.kind = kind
    }

    /// The chain of Bitcoin's kin; throws where it is another one.
    func utxo() throws(CommandError) -> UTXONetwork {
        guard case .utxo(let network) = kind else {
            throw CommandError(
                "\(chain.chain) has no PSBTs",
                repair: "send from the cold device to the wallet's own account, which `boursectl "
                    + "wallet status` shows")
        }
        return network
    }

    /// That so many base units in the wallet are above the ceiling, so that some go to cold storage
    /// again by themselves; nil: they are not.
    static func warning(hot: Int128, _ band: ColdStorageView?) -> String? {
        guard let band, hot > band.ceiling.units else { return nil }
        return "With it the wallet is above the ceiling of its cold storage: it sends all but the "
            + "target back there by itself. Raise --ceiling first: boursectl wallet cold set"
    }

    /// A number of base units, in coins with the asset's code.
    func text(_ units: Int128) -> String {
        DecimalNumber(units: units, scale: Int(asset.scale)).grouped() + " \(asset.code)"
    }
}

extension ChainView {
    /// Where the wallet's own transfers pay on a chain of Bitcoin's kin; nil: its key is none.
    func hotDestination(_ network: UTXONetwork) -> UTXODestination? {
        let place = CoinPlace.change(of: [])
        guard let account = ExtendedPublicKey(key, isTest: network.isTest),
            let key = try? account.descendant(place.branch.rawValue, place.index)
        else { return nil }
        return UTXODestination(script: SpendKind.publicKeyHash.script(of: key))
    }
}

/// Cold storage of a chain, as bourse-walletd says.
struct SeenCold {
    /// A cold storage that the log named.
    struct Storage {
        let number: UInt32
        let text: String
        let descriptor: ColdDescriptor?
        let next: UInt32
        let amount: Int128
    }

    /// A coin that can be spent.
    struct Coin {
        let coin: UTXOCoin
        let storage: Storage
        let index: UInt32
        /// The open transfer that spends it; nil: none does.
        let taker: ColdSpend.Taker?
    }

    let storages: [Storage]
    let coins: [Coin]
    /// Coins that open transfers spend.
    let taken: [Coin]
    /// How many there are: not all are listed where they are very many.
    let coinCount: UInt64
    /// What the wallet's own keys have, in base units.
    let hot: Int128
    let feePerKilobyte: Int64?

    /// What the status of a chain says; nil: it says nothing, or nobody knows what.
    init?(_ chain: JSONValue?, on network: UTXONetwork) {
        guard let json = chain?["cold"],
            let storages = json["storages"]?.rows({ Self.storage($0, network) }),
            let coinCount = json["coinCount"]?.count,
            let hot = json["hot"]?.text.flatMap({ Int128($0) }),
            let coins = json["coins"]?.rows({ Self.coin($0, storages, network) }),
            let taken = json["taken"]?.rows({ Self.coin($0, storages, network) })
        else { return nil }
        self.taken = taken
        (self.storages, self.coins, self.coinCount, self.hot) = (storages, coins, coinCount, hot)
        feePerKilobyte = json["feePerKilobyte"]?.whole
    }

    private static func storage(_ json: JSONValue, _ network: UTXONetwork) -> Storage? {
        guard let number = json["number"]?.count.flatMap(UInt32.init(exactly:)),
            let text = json["descriptor"]?.text,
            let next = json["next"]?.count.flatMap(UInt32.init(exactly:)),
            let amount = json["amount"]?.text.flatMap({ Int128($0) })
        else { return nil }
        return Storage(
            number: number, text: text, descriptor: try? ColdDescriptor(text, on: network),
            next: next, amount: amount)
    }

    private static func coin(
        _ json: JSONValue, _ storages: [Storage], _ network: UTXONetwork
    ) -> Coin? {
        // `TRANSACTION:OUTPUT AMOUNT STORAGE INDEX`, and `TRANSFER FEE 1` of one that is taken.
        let words = (json.text ?? "").split { $0 == " " || $0 == ":" }
        guard words.count == 5 || words.count == 8, let id = TransactionID(hex: String(words[0])),
            let output = UInt32(words[1]), let amount = Int64(words[2]),
            1...network.maximumMoney ~= amount, let number = UInt32(words[3]),
            let storage = storages.first(where: { $0.number == number }),
            let index = UInt32(words[4]),
            let script = try? storage.descriptor?.script(index)
        else { return nil }
        var taker: ColdSpend.Taker?
        if words.count == 8 {
            guard let id = TransactionID(hex: String(words[5])), let fee = Int64(words[6]),
                0...network.maximumMoney ~= fee
            else { return nil }
            taker = ColdSpend.Taker(id: id, fee: fee, isReplaceable: words[7] == "1")
        }
        return Coin(
            coin: UTXOCoin(
                outPoint: OutPoint(id, output),
                output: UTXOTransaction.TransactionOutput(amount: amount, script: script)),
            storage: storage, index: index, taker: taker)
    }

    /// The coins that can be spent and those that an open transfer spends, by their places.
    var allCoins: [OutPoint: Coin] {
        Dictionary(
            (coins + taken).map { ($0.coin.outPoint, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The storage of a descriptor, as the log has it.
    func storage(named text: String?) -> Storage? { storages.first { $0.text == text } }

    /// The scripts that what is left of coins of these storages may go to.
    func scripts(of storages: [Storage]) -> [[UInt8]] {
        storages.flatMap { storage in
            let first = storage.next - min(storage.next, ChainCoins.earlierMax)
            return (first...storage.next).compactMap { try? storage.descriptor?.script($0) }
        }
    }
}
