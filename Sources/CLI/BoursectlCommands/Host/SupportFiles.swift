// The files of a support bundle.

import AgentAPI
import Configuration
import Glibc
import JSON
import Platform
import Presentation

/// The files of a bundle.
struct SupportFiles {
    let folder: String
    /// The files, in order.
    private var files: [(name: String, bytes: Int)] = []
    /// What is missing, and why.
    private var missing: [String] = []

    /// Maximum lines of each log.
    private static let logLines = 2_000
    /// Maximum bytes of each log that systemd does not keep.
    private static let logBytes = 256 << 10
    /// Maximum files of the state that are listed.
    private static let namesMax = 10_000
    /// Maximum seconds of another program.
    private static let secondsMax = 60

    init(folder: String) { self.folder = folder }

    mutating func fill(
        _ settings: Settings, status: () throws(CommandError) -> JSONValue
    ) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in try Directory.create(folder) }
        let about: JSONValue = [
            "version": .string(Version.text), "host": .string(Host.name),
            "time": .string(Readable.time(Clock.realtimeNanos())),
        ]
        try add("about.json", about.pretty)
        try add("bourse.toml", Self.configuration(try TextFile.read(settings.file) ?? ""))
        try add("files.txt", Self.names(in: settings.state))
        try attempt("status.json", status)
        let agent = HostAgent(socket: settings.agent.socket)
        for name in ["state", "observation", "changes"] {
            try attempt("\(name).json") { () throws(CommandError) in
                try agent.ask { (agent) throws(AgentError) in try agent.get("/v1/\(name)") }
            }
        }
        try attempt("events.json") { () throws(CommandError) in try Self.events(agent) }
        for unit in settings.agent.units { try addLog(unit, settings) }
    }

    /// Without comments, and of the fencing command its program only: its words may have a
    /// password.
    private static func configuration(_ text: String) -> String {
        TOMLEdit.withoutComments(text).split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in
                let words = line.split(separator: " ")
                guard words.first == "fence_command", words.count > 3 else { return String(line) }
                return words[..<3].joined(separator: " ") + " …\""
            }.joined(separator: "\n")
    }

    /// Packs the files and removes them.
    mutating func pack(into target: String) throws(CommandError) {
        let parent = Directory.parent(of: folder) ?? "."
        let name = folder.split(separator: "/").last.map(String.init) ?? folder
        let done = try CommandError.wrapping { () throws(SystemError) in
            // Whose it is may read it.
            _ = try File(target, .createNew)
            return try Program.run(
                "/bin/tar", ["-czf", target, "-C", parent, "--", name], secondsMax: Self.secondsMax)
        }
        guard done.status == 0 else {
            try? Directory.remove(target)
            throw CommandError("tar could not write \(target): \(done.errors)")
        }
        remove()
    }

    /// Removes the files.
    func remove() {
        for file in files { try? Directory.remove(Directory.join(folder, file.name)) }
        _ = unsafe rmdir(folder)
    }

    func json(_ target: String) -> JSONValue {
        [
            "path": .string(target),
            "files": .array(files.map { ["name": .string($0.name), "bytes": .number($0.bytes)] }),
            "missing": .array(missing.map { .string($0) }),
        ]
    }

    func text(_ target: String) -> [String] {
        var table = Table([.words("FILE"), .numbers("SIZE")])
        for file in files { table.add([file.name, Readable.bytes(file.bytes)]) }
        return ["Wrote \(target)"] + table.lines(.none) + missing.map { "missing: \($0)" }
    }

    // MARK: Parts

    private mutating func add(_ name: String, _ text: String) throws(CommandError) {
        try TextFile.write(text.hasSuffix("\n") ? text : text + "\n", to: "\(folder)/\(name)")
        files.append((name, text.utf8.count))
    }

    /// Adds a file that may be unavailable.
    private mutating func attempt(
        _ name: String, _ get: () throws(CommandError) -> JSONValue
    ) throws(CommandError) {
        let json: JSONValue
        do throws(CommandError) {
            json = try get()
        } catch {
            missing.append("\(name): \(error.problem)")
            return
        }
        try add(name, json.pretty)
    }

    private mutating func addLog(_ unit: String, _ settings: Settings) throws(CommandError) {
        let name = "log-\(unit).txt"
        let arguments = [
            "--unit", unit, "--lines", "\(Self.logLines)", "--no-pager", "--output", "short-iso",
            "--quiet",
        ]
        let done = try? Program.run("/usr/bin/journalctl", arguments, secondsMax: Self.secondsMax)
        if let done, done.status == 0, !done.output.isEmpty { return try add(name, done.output) }
        // Where the daemons do not run under systemd, their supervisor keeps their logs.
        let short = unit.replacing("bourse-", with: "").replacing(".service", with: "")
        let path = Directory.join(settings.logDirectory, "\(short).log")
        guard let file = try? File(path, .read), let size = try? file.size(),
            let bytes = try? file.read(count: Self.logBytes, at: max(0, size - Self.logBytes))
        else {
            missing.append("\(name): neither systemd's journal nor \(path) holds its log")
            return
        }
        try add(name, String(decoding: bytes, as: UTF8.self))
    }

    /// All events that the agent keeps.
    private static func events(_ agent: HostAgent) throws(CommandError) -> JSONValue {
        var all: [AlarmEvent] = []
        while true {
            let after = all.last?.sequence ?? 0
            let more = try agent.ask { (agent) throws(AgentError) in
                try agent.events(after: after).events
            }
            guard let last = more.last, last.sequence > after else {
                return .array(all.map(\.json))
            }
            all += more
        }
    }

    /// The files of a state directory, one per line: bytes, permissions and path.
    private static func names(in state: String) -> String {
        var lines: [String] = []
        var pending = [""]
        while let path = pending.popLast(), lines.count < namesMax {
            let whole = path.isEmpty ? state : "\(state)/\(path)"
            var status = stat()
            // A link is listed but not followed: it may form a cycle.
            guard unsafe lstat(whole, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                let names = (try? Directory.names(in: whole)) ?? []
                pending += names.reversed().map { path.isEmpty ? $0 : "\(path)/\($0)" }
            } else {
                let mode = String(status.st_mode & 0o7777, radix: 8)
                lines.append("\(status.st_size)\t\(mode)\t\(path)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
