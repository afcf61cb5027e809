// From settings to what the journal, the Link and the pipeline are made with.

import Configuration
import Journal
import Link
import Pipeline
import Platform
import Secrets

extension JournalPlace {
    /// The journal of these settings.
    init(_ settings: Settings) {
        self.init(
            directory: settings.journalDirectory, state: settings.state,
            runtime: Directory.parent(of: settings.matchd.socket), configuration: settings.file)
    }
}

extension LinkListener {
    /// Listens wherever the settings say.
    static func all(_ settings: Settings) throws -> [LinkListener] {
        var listeners = [try LinkListener.unix(settings.matchd.socket)]
        if let address = settings.matchd.listen, let file = settings.matchd.linkKey {
            let bytes = try File(file, .read).read(count: 4096)
            guard let key = LinkKey(SecretBytes(bytes)) else {
                throw SettingsError(
                    file: settings.file, key: "matchd.link_key",
                    text: """
                        \(file) holds fewer than \(LinkKey.bytesMin) bytes: make one with \
                        `head -c 32 /dev/urandom`, readable by its owner only
                        """)
            }
            listeners.append(
                try LinkListener.tcp(host: address.host, port: address.port, key: key))
        }
        return listeners
    }
}

extension PipelineOptions {
    /// The options of these settings, with the users and groups that they name by their ids.
    init(_ settings: Settings) throws(SettingsError) {
        self.init()
        let matchd = settings.matchd
        cpu = matchd.cpu
        idle =
            switch matchd.idle {
            case .spin: .spin
            case .yield: .yield
            case .park: .park
            }
        ringBytes = matchd.ringBytes
        hashEvery = matchd.hashEvery
        reserveBytes = UInt64(matchd.reserveBytes)
        for (key, names, role): (String, [String], LinkRole) in [
            ("gateway_users", matchd.gatewayUsers, .gateway),
            ("wallet_users", matchd.walletUsers, .wallet),
            ("operator_users", matchd.operatorUsers, .operator),
            ("observer_users", matchd.observerUsers, .observer),
        ] {
            if let problem = users.add(names, role) {
                throw SettingsError(file: settings.file, key: "matchd.\(key)", text: problem)
            }
        }
    }
}
