// Keys of bourse.toml that an operator sets when an exchange is set up.

import Configuration
package import Presentation

/// A key of bourse.toml and its value as TOML.
package struct ConfigurationOverride: Hashable {
    /// The key with its table, as `matchd.cpu`.
    package let key: String
    /// The value as a TOML literal.
    package let value: String

    /// A key and its value.
    package init(key: String, value: String) { (self.key, self.value) = (key, value) }

    /// What differs on an installed host, where each daemon is a user with a directory of its own.
    package static let installed = [
        ("exchange.state", "/var/lib/bourse"), ("exchange.secrets", "/etc/bourse/secrets"),
        ("matchd.socket", "/run/bourse/match/match.sock"),
        ("matchd.gateway_users", "bourse-gateway"), ("matchd.wallet_users", "bourse-wallet"),
        ("matchd.observer_users", "bourse-agent, bourse-signer"),
        ("gatewayd.state", "/var/lib/bourse-gateway"), ("walletd.state", "/var/lib/bourse-wallet"),
        ("walletd.status", "/run/bourse-wallet/wallet.json"),
        ("signerd.socket", "/run/bourse-signer/signer.sock"),
        ("signerd.state", "/var/lib/bourse-signer"), ("signerd.wallet_users", "bourse-wallet"),
        ("agent.socket", "/run/bourse-agent/agent.sock"),
        ("agent.state", "/var/lib/bourse-agent"), ("snmp.targets", "/etc/bourse/targets"),
    ].map { ConfigurationOverride(key: $0, value: "\"\($1)\"") }

    /// The overrides of a command line: `assignments` are `TABLE.KEY=VALUE`.
    package static func parse(
        listen: String?, cpu: Int?, assignments: [String]
    ) throws(InputError) -> [ConfigurationOverride] {
        var all: [ConfigurationOverride] = []
        if let listen {
            guard ListenAddress(listen) != nil else {
                throw InputError(
                    "\(listen) is no address", repair: "give HOST:PORT, as 127.0.0.1:8080")
            }
            all.append(.init(key: "gatewayd.listen", value: "\"\(listen)\""))
        }
        if let cpu { all.append(.init(key: "matchd.cpu", value: "\(cpu)")) }
        for text in assignments {
            guard let equals = text.firstIndex(of: "="), text[..<equals].contains(".") else {
                throw InputError(
                    "--set \(text) is no assignment",
                    repair: "give TABLE.KEY=VALUE, as --set matchd.cpu=2")
            }
            all.append(
                .init(
                    key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
            )
        }
        return all
    }
}
