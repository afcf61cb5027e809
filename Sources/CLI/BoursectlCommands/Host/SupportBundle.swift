// support-bundle

import ArgumentParser
import JSON
import Platform
import Presentation

struct SupportBundleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support-bundle",
        abstract: "Collects what somebody who helps needs to see, and no secret.",
        discussion: """
            The configuration without its comments, the states of exchange and host, everything \
            that the agent read of the host, its events and changes, the names and sizes of the \
            files of the state, and what the daemons logged last. Keys, secrets and the journal \
            itself are never read for it. Look into it before you give it away.

            JSON: {"path", "files": [{"name", "bytes"}], "missing": [why]}.
            """)

    @OptionGroup var common: CommonOptions

    @Argument(help: "Where it goes: a file NAME.tar.gz, or else a directory. It must not exist.")
    var target: String

    func run() throws {
        guard !Directory.exists(target) else {
            throw CommandError("\(target) exists", repair: "name another one", code: .usage)
        }
        let isArchive = target.hasSuffix(".tar.gz")
        let folder = isArchive ? String(target.dropLast(7)) : target
        guard !Directory.exists(folder) else {
            throw CommandError("\(folder) exists", repair: "name another one", code: .usage)
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
