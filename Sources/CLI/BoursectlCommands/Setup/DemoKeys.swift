// The demo accounts' keys, kept so that they can be shown again.

import Configuration
import FoundationEssentials
import JSON
import Presentation

/// `secrets/demo-keys.json`, mode 0600. It is written before the keys go into the log, so that the
/// log holds no key whose secret is lost.
struct DemoKeys: Codable {
    /// One account and its key.
    struct Account: Codable {
        let name: String
        let keyID: String
        let secret: String
        var isFunded: Bool
    }

    /// The accounts, in order.
    var accounts: [Account]

    private static func path(_ settings: Settings) -> String {
        settings.secretsDirectory + "/demo-keys.json"
    }

    /// The keys of an earlier run, else new ones, written to disk.
    static func load(_ settings: Settings) throws(CommandError) -> DemoKeys {
        let path = Self.path(settings)
        if let text = try TextFile.read(path) {
            guard let keys = try? JSONDecoder().decode(DemoKeys.self, from: Data(text.utf8)) else {
                throw CommandError(
                    "\(path) is not a list of demo keys",
                    repair: "move it away, revoke the old keys, and run this again")
            }
            return keys
        }
        let keys = DemoKeys(
            accounts: ["demo1", "demo2"].map {
                let made = APIKey.random()
                return Account(name: $0, keyID: made.keyID, secret: made.secret, isFunded: false)
            })
        try keys.save(settings)
        return keys
    }

    /// Writes the file.
    func save(_ settings: Settings) throws(CommandError) {
        let json: JSONValue = [
            "accounts": .array(
                accounts.map {
                    [
                        "name": .string($0.name), "keyID": .string($0.keyID),
                        "secret": .string($0.secret), "isFunded": .bool($0.isFunded),
                    ]
                })
        ]
        try TextFile.write(json.pretty + "\n", to: Self.path(settings))
    }
}
