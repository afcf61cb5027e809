// From a file to settings.

import Glibc
import Platform
import Terms

extension Settings {
    /// Maximum size of a configuration file.
    public static var fileBytesMax: Int { 1 << 20 }

    /// The settings in the file at `path`. `also` returns further problems: keys, each with what
    /// was expected.
    public static func load(
        path: String, also: (Settings) -> [(key: String, text: String)] = { _ in [] }
    ) throws(SettingsError) -> Settings {
        let file = Path.join(Path.current(), path)
        return try parse(read(file), file: file, also: also)
    }

    /// The settings of a file with this text at the absolute path `file`.
    public static func parse(
        _ text: [UInt8], file: String,
        also: (Settings) -> [(key: String, text: String)] = { _ in [] }
    ) throws(SettingsError) -> Settings {
        var settings = Settings.defaults(state: Path.parent(file))
        settings.file = file
        // Relative until `exchange.state` is known.
        settings.secretsDirectory = "secrets"
        settings.matchd.socket = "run/match.sock"
        settings.agent.socket = "run/agent.sock"
        settings.agent.state = "agent"
        settings.gatewayd.state = "."
        var document = TOMLDocument(parsing: text)
        let known = Dictionary(uniqueKeysWithValues: SettingsKey.all.map { ($0.name, $0) })
        for entry in document.entries {
            guard let key = known[entry.key] else {
                document.problems.append(unknown(entry, known: Array(known.keys)))
                continue
            }
            if let text = key.set(&settings, entry.value) {
                document.problems.append(
                    SettingsError.Problem(line: entry.line, key: entry.key, text: text))
            }
        }
        settings.resolve()
        settings.check(&document, also(settings))
        guard document.problems.isEmpty else {
            throw SettingsError(
                file: file, problems: document.problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) })
        }
        return settings
    }

    /// The settings of an empty file `bourse.toml` in the state directory.
    public static func defaults(state: String) -> Settings {
        let state = Path.join(Path.current(), state)
        return Settings(
            file: Path.join(state, "bourse.toml"), state: state,
            secretsDirectory: Path.join(state, "secrets"), limits: .standard,
            matchd: Matchd(
                socket: Path.join(state, "run/match.sock"), listen: nil, linkKey: nil,
                gatewayUsers: [], walletUsers: [], operatorUsers: [], observerUsers: [], cpu: nil,
                idle: .park, segmentBytes: 64 << 20, reserveBytes: 256 << 20, ringBytes: 64 << 20,
                hashEvery: 65_536),
            auditd: Auditd(snapshotEvery: 1_000_000, snapshotSeconds: 3_600, snapshotsKeep: 4),
            gatewayd: Gatewayd(
                listen: ListenAddress(host: "127.0.0.1", port: 8080),
                name: gatewayName, state: state, connections: 4_096, connectionsPerAddress: 2_048,
                clientMemoryBytes: 256 << 20, weightPerMinute: 600_000, ordersPer10Seconds: 100_000,
                ordersPerDay: 100_000_000),
            walletd: Walletd(state: state, status: Path.join(state, "run/wallet.json")),
            signerd: Signerd(
                socket: Path.join(state, "run/signer.sock"), state: Path.join(state, "signer")),
            agent: Agentd(
                listen: ListenAddress(host: "127.0.0.1", port: 9467),
                socket: Path.join(state, "run/agent.sock"), state: Path.join(state, "agent"),
                helper: "/run/bourse-helper/helper.sock", allow: [], isAutomatic: false,
                interfaces: [], protectedDisks: [], thresholds: [], off: [],
                units: ["matchd", "auditd", "gatewayd"].map { "bourse-\($0).service" }))
    }

    /// A configuration file with every key, explained. `values` replace defaults: TOML literals by
    /// key, as `["gatewayd.listen": "\"0.0.0.0:8080\""]`.
    public static func text(overriding values: [String: String] = [:]) -> String {
        var text = """
            # Bourse: the settings of one exchange on one host.
            #
            # Every key is listed with its default. Paths are relative to the state directory, and
            # `exchange.state` is relative to the directory of this file. The daemons read the file
            # when they start; check it with `bourse-matchd --check-config --config FILE`.

            """
        var table = ""
        for key in SettingsKey.all {
            if key.table != table {
                table = key.table
                text += "\n[\(table)]\n"
            }
            for line in key.note.split(separator: "\n") { text += "# \(line)\n" }
            text += "\(key.field) = \(values[key.name] ?? key.literal)\n"
        }
        return text
    }

    private static var gatewayName: Text40 {
        guard let name = Text40("gateway/1") else { preconditionFailure("a printable name") }
        return name
    }

    /// Makes every path absolute.
    private mutating func resolve() {
        state = Path.join(Path.parent(file), state)
        secretsDirectory = Path.join(state, secretsDirectory)
        gatewayd.state = Path.join(state, gatewayd.state)
        gatewayd.tlsCertificate = gatewayd.tlsCertificate.map { Path.join(state, $0) }
        gatewayd.tlsKey = gatewayd.tlsKey.map { Path.join(state, $0) }
        matchd.socket = Path.join(state, matchd.socket)
        matchd.linkKey = matchd.linkKey.map { Path.join(state, $0) }
        walletd.state = Path.join(state, walletd.state)
        walletd.status = Path.join(state, walletd.status)
        signerd.socket = Path.join(state, signerd.socket)
        signerd.state = Path.join(state, signerd.state)
        for index in walletd.nodes.indices {
            walletd.nodes[index].loginFile = walletd.nodes[index].loginFile.map {
                Path.join(state, $0)
            }
        }
        if let login = walletd.screening?.loginFile {
            walletd.screening?.loginFile = Path.join(state, login)
        }
        agent.socket = Path.join(state, agent.socket)
        agent.state = Path.join(state, agent.state)
        agent.helper = Path.join(state, agent.helper)
        snmp.resolve(below: state)
        clusterSection.directory = Path.join(state, clusterSection.directory)
    }

    /// What keeps the gateway from starting, by key. The other daemons start all the same: trading
    /// does not end over how clients reach it.
    public var gatewayProblems: [(key: String, text: String)] {
        var found: [(key: String, text: String)] = []
        if (gatewayd.tlsCertificate == nil) != (gatewayd.tlsKey == nil) {
            found.append(
                (
                    gatewayd.tlsKey == nil ? "gatewayd.tls_key" : "gatewayd.tls_certificate",
                    "is missing: TLS needs a certificate and its key"
                ))
        }
        if !gatewayd.listen.isLoopback, gatewayd.tlsCertificate == nil, !gatewayd.takesPlainHTTP {
            found.append(
                (
                    "gatewayd.listen",
                    "others than this host reach it, and without TLS whoever is between reads and "
                        + "repeats what clients send: set gatewayd.tls_certificate and "
                        + "gatewayd.tls_key, or gatewayd.plain_http = true where a proxy in front "
                        + "of it speaks TLS"
                ))
        }
        return found
    }

    /// Constraints between keys.
    private func check(
        _ document: inout TOMLDocument, _ others: [(key: String, text: String)]
    ) {
        func refuse(_ key: String, _ text: String) {
            let line = document.entries.first { $0.key == key }?.line
            document.problems.append(SettingsError.Problem(line: line, key: key, text: text))
        }
        for other in others + clusterSection.problems { refuse(other.key, other.text) }
        if matchd.listen != nil, matchd.linkKey == nil {
            refuse(
                "matchd.listen",
                "TCP clients need a key to authenticate: set matchd.link_key to its file")
        }
        if cluster != nil, !gatewayd.hosts.isEmpty {
            refuse(
                "gatewayd.hosts",
                "is for a gateway on a host of its own, and this one is in [cluster]: leave it "
                    + "empty")
        }
        // A balance takes 32 bytes: this is 8 GiB of them.
        let balances = UInt64(limits.accounts) * UInt64(limits.assets)
        if balances > 1 << 28 {
            refuse(
                "limits.accounts",
                "accounts × assets is \(balances), at most \(1 << 28): lower limits.accounts or "
                    + "limits.assets")
        }
        // sockaddr_un holds 108 bytes with the final zero, unix(7).
        let sockets = [
            ("matchd.socket", matchd.socket), ("agent.socket", agent.socket),
            ("agent.helper", agent.helper), ("signerd.socket", signerd.socket),
        ]
        for (key, path) in sockets where path.utf8.count > 107 {
            refuse(
                key,
                "a Unix socket's path has at most 107 bytes, this one \(path.utf8.count): "
                    + "choose a shorter path, as below /run")
        }
    }

    private static func unknown(
        _ entry: TOMLDocument.Entry, known: [String]
    ) -> SettingsError.Problem {
        if let advice = SettingsKey.gone[entry.key] {
            return SettingsError.Problem(line: entry.line, key: entry.key, text: advice)
        }
        let field = entry.key.split(separator: ".").last.map(String.init) ?? entry.key
        let table = entry.key.split(separator: ".").first.map(String.init) ?? ""
        // Of several tables with this key, the one with the most similar name.
        let elsewhere = known.sorted().filter { $0.hasSuffix(".\(field)") }
            .max { Self.likeness($0, table) < Self.likeness($1, table) }
        let fields = known.filter { $0.hasPrefix("\(table).") }.sorted()
        let hint =
            if let elsewhere {
                "did you mean \(elsewhere)?"
            } else if fields.isEmpty {
                "the tables are [exchange], [limits], [matchd], [auditd], [gatewayd], [walletd], "
                    + "[signerd], [agent], [snmp] and [cluster]"
            } else {
                "known are \(fields.joined(separator: ", "))"
            }
        return SettingsError.Problem(
            line: entry.line, key: entry.key, text: "unknown key: \(hint)")
    }

    /// Length of the common prefix of two names.
    private static func likeness(_ a: String, _ b: String) -> Int {
        zip(a, b).prefix { $0 == $1 }.count
    }

    /// The bytes of a file.
    static func read(_ file: String) throws(SettingsError) -> [UInt8] {
        func failure(_ text: String) -> SettingsError {
            SettingsError(
                file: file, problems: [SettingsError.Problem(line: nil, key: "", text: text)])
        }
        let bytes: [UInt8]
        do throws(SystemError) {
            // Not by offsets: it may be a pipe.
            let opened = try File(file, .read)
            bytes = try File.readToEnd(opened.descriptor, path: file, bytesMax: fileBytesMax)
        } catch { throw failure(explain(error)) }
        guard bytes.count <= fileBytesMax else {
            throw failure("more than \(fileBytesMax) bytes: this is not a configuration file")
        }
        return bytes
    }

    private static func explain(_ error: SystemError) -> String {
        switch error.code {
        case ENOENT: "no such file: give one with --config, or write one with `boursectl init`"
        case EACCES: "this user may not read it: check its owner and mode"
        case EISDIR: "is a directory: give the file in it"
        default: "cannot be read: \(error.reason)"
        }
    }
}
