// What `wallet cold export` and `wallet cold import` do for an EVM chain.
//
// An account has no coins to choose from, and its next nonce is all that a transaction needs to
// know of it: bourse-walletd says that, as its node has it. What is signed elsewhere comes back as
// raw bytes, is checked here and again by bourse-walletd, which has it in the log before the node
// gets it.

import Addresses
import Configuration
import EVM
import Engine
import JSON
import Keys
import Payments
import Platform
import Presentation
import Terms

/// Cold storage of an EVM chain, as the log and the host's list of assets have it.
struct WalletColdEVM {
    /// The chain.
    let chain: ChainView
    /// Which one it is.
    let network: EVMNetwork
    /// The account that withdrawals are paid from.
    let hot: EVMAddress
    /// What the host's list has of the chain.
    private let assets: [EVMAsset]
    private let settings: Settings
    private let replica: ExchangeReplica

    /// Maximum bytes of a file with a signed transaction: it has less than 5,000, two digits each.
    static var fileBytesMax: Int { 16_384 }

    /// Of a chain of the log; nil: it is none of Ethereum's kin.
    init?(_ chain: ChainView, _ exchange: Exchange, _ replica: ExchangeReplica) throws(CommandError)
    {
        guard case .evm(let network) = ChainKind.named("\(chain.chain)") else { return nil }
        (self.chain, self.network, self.replica) = (chain, network, replica)
        settings = exchange.settings
        do throws(EVMAssetListError) {
            assets = try EVMAssetList(settings.walletd.assets).assets
                .filter { $0.network == network }
        } catch { throw CommandError("[walletd] assets cannot be used: \(error)") }
        do throws(KeyError) { hot = try EVMDepositAddresses(key: chain.key).hot } catch {
            throw CommandError("the chain's key cannot be used: \(error)")
        }
    }

    /// The chain of the log that a signed transaction's file is of; nil: it is no file of such a
    /// transaction.
    static func signed(
        _ file: [UInt8], _ exchange: Exchange, _ replica: ExchangeReplica
    ) throws(CommandError) -> (WalletColdEVM, [UInt8])? {
        let text = String(decoding: file, as: UTF8.self).filter { !$0.isWhitespace }
        let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
        guard file.count <= fileBytesMax, !digits.isEmpty, let bytes = hexBytes(String(digits))
        else { return nil }
        let transaction: EVMTransaction
        do throws(EVMTransactionError) {
            transaction = try SignedEVMTransaction(decoding: bytes).transaction
        } catch { throw CommandError("\(ColdEVMTransferError.unreadable(error))") }
        for chain in replica.chains {
            guard let found = try WalletColdEVM(chain, exchange, replica),
                found.network.chainID == transaction.chainID
            else { continue }
            return (found, bytes)
        }
        throw CommandError(
            "the transaction is of the chain of id \(transaction.chainID), which is none of the "
                + "exchange's", repair: "see `boursectl wallet chain list`")
    }

    // MARK: Export

    /// Writes the unsigned transaction that brings an amount of an asset from cold storage to the
    /// account that pays; what it is, and the same in words.
    func export(
        _ asset: AssetView, _ amount: DecimalNumber, to path: String
    ) throws(CommandError) -> (json: JSONValue, text: [String]) {
        let (listed, cold) = try storage(asset)
        guard let units = amount.units(scale: Int(asset.scale)), units > 0,
            units <= Limits.amountUnitsMax,
            let word = try? EVMWord(
                Amount(units: units), scale: asset.scale, decimals: listed.decimals)
        else {
            throw CommandError(
                "\(amount) is no amount of \(asset.code)",
                repair: "it has \(asset.scale) decimals, and is above zero", code: .usage)
        }
        let seen = try seen(asset, cold)
        let due = listed.transfer(to: hot, word)
        let gas =
            listed.coin == .native
            ? EVMCeiling.nativeGas.lowerBound : ColdEVMTransfer.tokenGas
        let transaction: EVMTransaction
        do throws(EVMTransactionError) {
            transaction = try EVMTransaction(
                chainID: network.chainID, nonce: seen.nonce,
                fee: .dynamic(most: seen.most, priority: seen.priority), gasLimit: gas,
                destination: due.to, value: due.value, data: due.data)
        } catch { throw CommandError("no transaction can be made of it: \(error)") }
        let json = Self.json(transaction, asset, amount, from: cold, to: hot, network)
        do throws(SystemError) {
            try File.replace(path, with: Array((json.compact + "\n").utf8), mode: 0o644)
        } catch { throw CommandError("\(path) is not written: \(error)") }
        return (
            json,
            [
                "\(path) has the transaction, which is not signed: \(amount) \(asset.code) from "
                    + "\(cold) to \(hot), nonce \(seen.nonce).",
                "Sign it with the key of \(cold), on a device that shows the same, and bring the "
                    + "raw transaction back: boursectl wallet cold import FILE. No other "
                    + "transaction of that account may come before it.",
            ]
        )
    }

    /// What the host's list has of an asset, and its cold address.
    private func storage(
        _ asset: AssetView
    ) throws(CommandError) -> (listed: EVMAsset, cold: EVMAddress) {
        guard let listed = assets.first(where: { $0.code == "\(asset.code)" }) else {
            throw CommandError(
                "[walletd] assets does not say what \(asset.code) is on \(network.name)")
        }
        guard let storage = replica.engine.coldStorage(asset.id, chain.network),
            let cold = EVMAddress(storage.descriptor)
        else {
            throw CommandError(
                "\(asset.code) has no cold storage on chain \(chain.network.number)",
                repair: "see `boursectl wallet cold set --help`")
        }
        return (listed, cold)
    }

    /// The next nonce of a cold address and what is paid per gas, as bourse-walletd says.
    private func seen(
        _ asset: AssetView, _ cold: EVMAddress
    ) throws(CommandError) -> (nonce: UInt64, most: UInt64, priority: UInt64) {
        let all = SeenChains(settings.walletd.status)
        if let warning = all.warning { throw CommandError(warning) }
        let rows = all.chains?[chain.network]?.json["coldAccounts"]?.rows { $0 } ?? []
        let found = rows.first {
            $0["asset"]?.text == "\(asset.code)" && $0["address"]?.text == "\(cold)"
        }
        guard let row = found, let nonce = row["nonce"]?.count else {
            throw CommandError(
                "bourse-walletd does not say yet which nonce \(cold) has",
                repair: "wait until the chain is in step: boursectl wallet status")
        }
        guard let most = row["fee"]?.count, let priority = row["priority"]?.count else {
            throw CommandError("gas is dearer now than the wallet pays", repair: "try it later")
        }
        return (nonce, most, priority)
    }

    /// The transaction in the fields that tools for Ethereum take, and as what is signed.
    private static func json(
        _ transaction: EVMTransaction, _ asset: AssetView, _ amount: DecimalNumber,
        from cold: EVMAddress, to hot: EVMAddress, _ network: EVMNetwork
    ) -> JSONValue {
        func number(_ value: UInt64) -> JSONValue { .string(EVMHex.text(EVMWord(UInt128(value)))) }
        guard case .dynamic(let most, let priority) = transaction.fee else { return .null }
        return [
            "chain": .string(network.name), "asset": .string("\(asset.code)"),
            "amount": .string("\(amount)"), "from": .string("\(cold)"), "to": .string("\(hot)"),
            "transaction": [
                "type": "0x2", "chainId": number(transaction.chainID),
                "nonce": number(transaction.nonce), "maxFeePerGas": number(most),
                "maxPriorityFeePerGas": number(priority), "gas": number(transaction.gasLimit),
                "to": .string("\(transaction.destination)"),
                "value": .string(EVMHex.text(transaction.value)),
                "data": .string(EVMHex.text(transaction.data)),
            ],
            "signingBytes": .string(EVMHex.text(transaction.signingBytes)),
            "signingHash": .string(EVMHex.text(transaction.signingHash)),
        ]
    }

    // MARK: Import

    /// Checks a signed transaction and has bourse-walletd take it, once the operator has agreed.
    func take(
        _ bytes: [UInt8], isConfirmed: Bool
    ) throws(CommandError) -> (json: JSONValue, text: [String]) {
        var cold: [EVMAddress] = []
        replica.engine.forEachColdStorage { storage in
            guard storage.network == chain.network, let address = EVMAddress(storage.descriptor)
            else { return }
            cold.append(address)
        }
        let transfer: ColdEVMTransfer
        do throws(ColdEVMTransferError) {
            transfer = try ColdEVMTransfer(bytes, on: network, hot: hot, cold: cold, assets: assets)
        } catch {
            throw CommandError("it is no transfer from cold storage: \(error)")
        }
        let (signed, moved) = (transfer.signed, transfer.movement)
        if replica.engine.payment(signed.id) != nil {
            throw CommandError("0x\(signed.id.hex) is in the log already: nothing is done")
        }
        guard let listed = assets.first(where: { $0.coin == moved.coin }),
            let (amount, _) = try? moved.units.amount(
                decimals: listed.decimals, scale: listed.decimals)
        else { throw CommandError("its amount is more than the ledger holds") }
        let words = DecimalNumber(units: amount.units, scale: Int(listed.decimals))
        let lines = [
            "0x\(signed.id.hex), nonce \(signed.transaction.nonce):",
            "\(words) \(listed.code) from \(signed.sender) to \(hot), the account that pays.",
        ]
        try Confirmation.agree(
            to: lines, "Have it taken and sent? Type yes: ", isGiven: isConfirmed)
        _ = try WalletRequest(
            "\(chain.network.number) \(bytes.hexText)", in: settings.walletd.coldFile)
        return (
            [
                "chain": .number(chain.network.number), "transaction": .string(signed.id.hex),
                "from": .string("\(signed.sender)"), "asset": .string(listed.code),
                "amount": .string("\(words)"),
            ],
            lines + [
                "bourse-walletd takes it into the log and sends it, or says in its log why not: "
                    + "journalctl -u bourse-walletd"
            ]
        )
    }
}
