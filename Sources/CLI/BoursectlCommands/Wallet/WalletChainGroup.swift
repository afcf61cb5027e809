// wallet chain

import ArgumentParser
import Engine
import JSON
import Terms

struct WalletChainGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chain", abstract: "Chains, and the keys of their deposit addresses.",
        subcommands: [WalletChainSetCommand.self, WalletChainListCommand.self])
}

extension ExchangeReplica {
    /// A chain as JSON.
    func json(_ chain: ChainView) -> JSONValue {
        [
            "number": .number(chain.network.number), "kind": .string("\(chain.chain)"),
            "firstBlock": .number(chain.firstBlock),
            "creditedBlock": chain.checkedHeight == 0 ? .null : .number(chain.checkedHeight),
            "addresses": .number(engine.addressees(chain.network).count),
            "key": .string(chain.key),
        ]
    }
}
