// wallet chain list

import ArgumentParser
import Engine
import JSON
import Presentation
import Terms

struct WalletChainListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the chains and how far their deposits are credited.",
        discussion: """
            JSON: [{"number", "kind", "firstBlock", "creditedBlock", "addresses", "key"}]; \
            creditedBlock is null where no block is credited yet.
            """)

    @OptionGroup var common: CommonOptions

    func run() throws {
        let replica = try common.exchange().replica()
        let chains = replica.chains
        common.out.give(
            .array(chains.map { replica.json($0) }), table: replica.table(chains),
            empty: "There are no chains yet. Add one: see `boursectl wallet chain set --help`")
    }
}

extension ExchangeReplica {
    /// Chains as a table.
    func table(_ chains: [ChainView]) -> Table {
        var table = Table([
            .numbers("CHAIN"), .words("KIND"), .numbers("FIRST BLOCK"), .numbers("CREDITED UP TO"),
            .numbers("ADDRESSES"),
        ])
        for chain in chains {
            table.add([
                "\(chain.network.number)", "\(chain.chain)", Readable.count(chain.firstBlock),
                chain.checkedHeight == 0 ? "-" : Readable.count(chain.checkedHeight),
                Readable.count(engine.addressees(chain.network).count),
            ])
        }
        return table
    }
}
