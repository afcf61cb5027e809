// key list

import ArgumentParser
import Engine
import JSON
import Presentation

struct KeyListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the API keys that are not revoked.",
        discussion: #"JSON: [{"keyID", "account", "permissions", "algorithm"}]"#)

    @OptionGroup var common: CommonOptions
    @Option(help: "Only this account's.") var account: String?

    func run() throws {
        let replica = try common.exchange().replica()
        let only = try account.map { try replica.account($0).id }
        var table = Table([
            .words("KEY"), .words("ACCOUNT"), .words("PERMISSIONS"), .words("ALGORITHM"),
        ])
        var rows: [JSONValue] = []
        replica.engine.forEachAPIKey { key in
            guard only == nil || key.account == only else { return }
            let account = replica.name(key.account)
            let permissions = key.permissions.names
            table.add([
                "\(key.keyID)", account, permissions.joined(separator: ","), "\(key.algorithm)",
            ])
            rows.append([
                "keyID": .string("\(key.keyID)"), "account": .string(account),
                "permissions": .array(permissions.map { .string($0) }),
                "algorithm": .string("\(key.algorithm)"),
            ])
        }
        common.out.give(
            .array(rows), table: table,
            empty: "There are no keys. Add one: boursectl key add ACCOUNT")
    }
}
