// support-bundle

import ArgumentParser
import JSON
import Platform
import Presentation

struct SupportBundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support-bundle",
        abstract: "Collects diagnostics for support, without secrets.",
        discussion: """
            Contains the configuration without comments, the state of exchange and host, \
            everything that the agent read of the host, its events and changes, the names and \
            sizes of the state's files, and the latest logs of the daemons. Keys, secrets and the \
            journal itself are never read. Review it before you hand it over.

            JSON: {"path", "files": [{"name", "bytes"}], "missing": [why]}.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "A new file NAME.tar.gz, or else a new directory.")
    var target: String

    func run() throws {
        guard !Directory.exists(target) else {
            throw CommandError("\(target) exists", repair: "choose another name", code: .usage)
        }
        let isArchive = target.hasSuffix(".tar.gz")
        let folder = isArchive ? String(target.dropLast(7)) : target
        guard !Directory.exists(folder) else {
            throw CommandError("\(folder) exists", repair: "choose another name", code: .usage)
        }
        let settings = try common.settings()
        var bundle = SupportFiles(folder: folder)
        do throws(CommandError) {
            try bundle.fill(
                settings,
                status: { () throws(CommandError) in
                    JSONValue.object(try common.exchange().status().members)
                })
            if isArchive { try bundle.pack(into: target) }
        } catch {
            bundle.remove()
            throw error
        }
        common.out.give(bundle.json(target), text: bundle.text(target))
    }
}
