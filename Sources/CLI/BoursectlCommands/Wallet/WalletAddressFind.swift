// wallet address find

import Addresses
import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletAddressFindCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "find", abstract: "Says whose a deposit address is.",
        discussion: """
            JSON: {"account", "chain", "kind", "index", "address"}. Exit status 1: it is nobody's \
            here.

            EXAMPLE
              boursectl wallet address find ltc1q…
            """)

    @OptionGroup var common: CommonOptions
    @Argument(help: "The address.") var address: String

    func run() throws {
        let replica = try common.exchange().replica()
        let chains = try replica.chains.map { try WalletChain($0) }
        guard !chains.isEmpty else {
            throw CommandError(
                "there are no chains", repair: "see `boursectl wallet chain set --help`")
        }
        var reason: AddressError?
        for chain in chains {
            do throws(AddressError) {
                let wanted = try chain.canonical(address)
                guard let row = find(wanted, chain, replica) else { continue }
                give(row, replica)
                return
            } catch { reason = reason ?? error }
        }
        if let reason, !chains.contains(where: { reads($0) }) {
            throw CommandError(
                "\(address) is no address of a chain here: \(reason)",
                repair: "copy it again; see `boursectl wallet chain list`", code: .usage)
        }
        throw CommandError(
            "\(address) is no customer's deposit address",
            repair: "if it is the wallet's own or a stranger's, nothing is credited there")
    }

    private func reads(_ chain: WalletChain) -> Bool {
        (try? chain.canonical(address)) != nil
    }

    /// Derives the chain's addresses until one is the wanted one.
    private func find(
        _ wanted: String, _ chain: WalletChain, _ replica: ExchangeReplica
    ) -> DepositAddressRow? {
        let owners = replica.engine.addressees(chain.view.network)
        var meter = ProgressMeter("Looking", unit: "addresses")
        defer { meter.clear() }
        for (place, owner) in owners.enumerated() {
            let index = UInt32(place + 1)
            if chain.address(index) == wanted {
                return DepositAddressRow(account: owner, chain: chain, index: index)
            }
            meter.draw(done: UInt64(index), total: UInt64(owners.count))
        }
        return nil
    }

    private func give(_ row: DepositAddressRow, _ replica: ExchangeReplica) {
        common.out.give(
            .object(row.members(replica)),
            text: [
                "\(row.address) is the deposit address of \(replica.name(row.account)) on chain "
                    + "\(row.chain.view.network.number) (\(row.chain.network.name)), number "
                    + "\(row.index)."
            ])
    }
}
