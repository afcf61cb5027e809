// Goal: a configuration file means exactly what it says, and everything wrong with one is reported
// at once, with its line and what was expected.

import Configuration
import Glibc
import Platform
import Slabs
import Terms
import Testing

/// The settings of a file of this text at /etc/bourse/bourse.toml.
private func settings(_ text: String) throws(SettingsError) -> Settings {
    try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml")
}

/// The problems of a file of this text, as they are printed.
private func problems(_ text: String) -> [String] {
    do throws(SettingsError) {
        _ = try settings(text)
        return []
    } catch {
        return error.description.split(separator: "\n").map(String.init)
    }
}

@Suite struct ConfigurationTests {
    @Test func `an empty file gives the defaults, relative to its directory`() throws {
        let settings = try settings("")
        #expect(settings.state == "/etc/bourse")
        #expect(settings.limits == .standard)
        #expect(settings.matchd.socket == "/etc/bourse/run/match.sock")
        #expect(settings.matchd.listen == nil)
        #expect(settings.matchd.linkKey == nil)
        #expect(settings.matchd.gatewayUsers == [])
        #expect(settings.matchd.operatorUsers == [])
        #expect(settings.matchd.observerUsers == [])
        #expect(settings.matchd.cpu == nil)
        #expect(settings.matchd.idle == .park)
        #expect(settings.matchd.segmentBytes == 67_108_864)
        #expect(settings.matchd.reserveBytes == 268_435_456)
        #expect(settings.matchd.ringBytes == 67_108_864)
        #expect(settings.matchd.hashEvery == 65_536)
        #expect(settings.auditd.snapshotEvery == 1_000_000)
        #expect(settings.auditd.snapshotSeconds == 3_600)
        #expect(settings.auditd.snapshotsKeep == 4)
        #expect(settings.gatewayd.listen == ListenAddress(host: "127.0.0.1", port: 8080))
        #expect(settings.gatewayd.name.description == "gateway/1")
        #expect(settings.gatewayd.connections == 4_096)
        #expect(settings.gatewayd.connectionsPerAddress == 2_048)
        #expect(settings.gatewayd.clientMemoryBytes == 256 << 20)
        #expect(settings.gatewayd.weightPerMinute == 600_000)
        #expect(settings.gatewayd.ordersPer10Seconds == 100_000)
        #expect(settings.gatewayd.ordersPerDay == 100_000_000)
        #expect(settings.agent.listen == ListenAddress(host: "127.0.0.1", port: 9467))
        #expect(settings.agent.socket == "/etc/bourse/run/agent.sock")
        #expect(settings.agent.state == "/etc/bourse/agent")
        #expect(settings.agent.helper == "/run/bourse-helper/helper.sock")
        #expect(settings.agent.allow.isEmpty)
        #expect(!settings.agent.isAutomatic)
        #expect(settings.agent.units.first == "bourse-matchd.service")
        #expect(settings.cluster == nil)
        #expect(settings == Settings.defaults(state: "/etc/bourse"))
    }

    @Test func `what is left out follows the state directory`() throws {
        let settings = try settings("[exchange]\nstate = '/srv/x'")
        #expect(settings.matchd.socket == "/srv/x/run/match.sock")
        #expect(settings.historyFile == "/srv/x/history/history.sqlite")
        #expect(settings.sealKeyFile == "/srv/x/secrets/seal.key")
        #expect(settings.gatewayd.state == "/srv/x")
        #expect(settings.file == "/etc/bourse/bourse.toml")
    }

    @Test func `every key of a file is taken`() throws {
        let settings = try settings(
            """
            [exchange]
            state = "../../var/lib/börse"     # not ASCII, and relative to the file
            secrets = "/etc/bourse/secrets"
            [limits]
            assets = 10
            instruments = 20
            accounts = 1_000
            open_orders = 0x1000
            api_keys = 30
            sessions = 40
            fee_tiers = 5
            [matchd]
            socket = '/run/bourse/match.sock'
            listen = "[::1]:7400"
            link_key = "secrets/link.key"
            gateway_users = "bourse-gateway"
            operator_users = " alice,%bourse-admin , bob"
            observer_users = "bourse-agent"
            cpu = 3
            idle = "spin"
            segment_mib = 1
            reserve_mib = 0
            ring_mib = 16
            hash_every = 1
            [auditd]
            snapshot_every = 5000
            snapshot_seconds = 60
            snapshots_keep = 2
            [gatewayd]
            listen = "localhost:0"
            name = "gateway/2"
            state = "../bourse-gateway"
            connections = 1
            connections_per_address = 2
            client_memory_mib = 16
            weight_per_minute = 1000
            orders_per_10_seconds = 3
            orders_per_day = 4
            """)
        #expect(settings.state == "/var/lib/börse")
        #expect(
            settings.limits
                == EngineLimits(
                    assets: 10, instruments: 20, accounts: 1_000, openOrders: 4_096, apiKeys: 30,
                    sessions: 40, feeTiers: 5, orderLimits: 100_000, references: 4_000_000,
                    turnSteps: 256))
        #expect(settings.matchd.socket == "/run/bourse/match.sock")
        #expect(settings.matchd.listen == ListenAddress(host: "::1", port: 7400))
        #expect(settings.matchd.linkKey == "/var/lib/börse/secrets/link.key")
        #expect(settings.matchd.gatewayUsers == ["bourse-gateway"])
        #expect(settings.matchd.operatorUsers == ["alice", "%bourse-admin", "bob"])
        #expect(settings.matchd.observerUsers == ["bourse-agent"])
        #expect(settings.matchd.cpu == 3)
        #expect(settings.matchd.idle == .spin)
        #expect(settings.matchd.segmentBytes == 1 << 20)
        #expect(settings.matchd.reserveBytes == 0)
        #expect(settings.matchd.ringBytes == 16 << 20)
        #expect(settings.matchd.hashEvery == 1)
        #expect(settings.auditd.snapshotEvery == 5_000)
        #expect(settings.auditd.snapshotSeconds == 60)
        #expect(settings.auditd.snapshotsKeep == 2)
        #expect(settings.gatewayd.listen == ListenAddress(host: "localhost", port: 0))
        #expect(settings.gatewayd.name.description == "gateway/2")
        #expect(settings.gatewayd.connections == 1)
        #expect(settings.gatewayd.connectionsPerAddress == 2)
        #expect(settings.gatewayd.clientMemoryBytes == 16 << 20)
        #expect(settings.gatewayd.weightPerMinute == 1_000)
        #expect(settings.gatewayd.ordersPer10Seconds == 3)
        #expect(settings.gatewayd.ordersPerDay == 4)
        #expect(settings.journalDirectory == "/var/lib/börse/journal")
        #expect(settings.gatewayd.state == "/var/lib/bourse-gateway")
        #expect(settings.historyFile == "/var/lib/bourse-gateway/history/history.sqlite")
        #expect(settings.sealKeyFile == "/etc/bourse/secrets/seal.key")
    }

    @Test func `all mistakes are reported at once, in the order of the file`() {
        let found = problems(
            """
            [matchd]
            cpu = "two"
            idle = "sleep"
            ring_mib = 48
            colour = 1
            [auditd]
            snapshot_seconds = 0
            cpu = 4
            [gateway]
            listen = "127.0.0.1:8080"
            [gatewayd]
            listen = "127.0.0.1"
            """)
        let file = "/etc/bourse/bourse.toml"
        #expect(
            found == [
                "\(file):2: matchd.cpu: expected a whole number, as -1, not a string",
                "\(file):3: matchd.idle: expected \"spin\", \"yield\" or \"park\"",
                "\(file):4: matchd.ring_mib: expected a power of two, as 16, 32 or 64",
                "\(file):5: matchd.colour: unknown key: known are matchd.cpu, "
                    + "matchd.gateway_users, matchd.hash_every, matchd.idle, matchd.link_key, "
                    + "matchd.listen, matchd.observer_users, matchd.operator_users, "
                    + "matchd.reserve_mib, matchd.ring_mib, matchd.segment_mib, matchd.socket, "
                    + "matchd.wallet_users",
                "\(file):7: auditd.snapshot_seconds: 0 is out of range: expected 1 … 604800",
                "\(file):8: auditd.cpu: unknown key: did you mean matchd.cpu?",
                "\(file):10: gateway.listen: unknown key: did you mean gatewayd.listen?",
                "\(file):12: gatewayd.listen: expected host:port or [IPv6 address]:port, as "
                    + "\"127.0.0.1:8080\"",
            ])
    }

    @Test func `a key of an earlier version is reported as one to remove`() {
        #expect(
            problems("[gatewayd]\nthreads = 1") == [
                "/etc/bourse/bourse.toml:2: gatewayd.threads: this key was removed; it had no "
                    + "effect, as a gateway is one event loop around its replica: remove the line"
            ])
    }

    @Test(arguments: [",", "a,", "a b", "%", "a,,b", "a, %", " "])
    func `a list of users is names separated by commas`(text: String) {
        #expect(
            problems("[matchd]\noperator_users = \"\(text)\"") == [
                "/etc/bourse/bourse.toml:2: matchd.operator_users: expected names of users, and of "
                    + "groups as %name, separated by commas"
            ])
    }

    @Test func `every key of the agent is taken`() throws {
        let agent = try settings(
            """
            [agent]
            listen = ""
            socket = "/run/bourse-agent/agent.sock"
            state = "/var/lib/bourse-agent"
            helper = "helper.sock"
            allow = "rps  governor"
            automatic = true
            interfaces = "eth0:4 eth1"
            protected_disks = "nvme0n1"
            thresholds = "disk.space=70:85 cpu.steal=:10 cpu.noise=-1:"
            off = "cpu.smt-sibling"
            units = "bourse-matchd.service x@1.service"
            """
        ).agent
        #expect(agent.listen == nil)
        #expect(agent.socket == "/run/bourse-agent/agent.sock")
        #expect(agent.state == "/var/lib/bourse-agent")
        #expect(agent.helper == "/etc/bourse/helper.sock")
        #expect(agent.allow == ["rps", "governor"])
        #expect(agent.isAutomatic)
        #expect(agent.interfaces.map(\.name) == ["eth0", "eth1"])
        #expect(agent.interfaces.map(\.channels) == [4, nil])
        #expect(agent.protectedDisks == ["nvme0n1"])
        #expect(agent.thresholds.map(\.kind) == ["disk.space", "cpu.steal", "cpu.noise"])
        #expect(agent.thresholds.map(\.warning) == [70, nil, -1])
        #expect(agent.thresholds.map(\.critical) == [85, 10, nil])
        #expect(agent.off == ["cpu.smt-sibling"])
        #expect(agent.units == ["bourse-matchd.service", "x@1.service"])
    }

    @Test(arguments: [
        ("listen = \"0.0.0.0:9467\"", "expected a loopback address"),
        ("listen = \"127.0.0.1.example:9467\"", "expected a loopback address"),
        ("listen = \"9467\"", "expected host:port"),
        ("automatic = 1", "expected true or false, not a number"),
        ("allow = \"rps rps\"", "a word is listed twice"),
        ("interfaces = \"eth0:0\"", "expected names with or without a number of queues"),
        ("interfaces = \"eth0:four\"", "expected names with or without a number of queues"),
        ("thresholds = \"disk.space\"", "expected a check's kind with two whole numbers"),
        ("thresholds = \"disk.space=80\"", "expected a check's kind with two whole numbers"),
        ("thresholds = \"disk.space=80:9x\"", "expected a check's kind with two whole numbers"),
        ("thresholds = \"a=1:2 a=3:4\"", "a kind is listed twice"),
        ("units = \"bourse-matchd\"", "expected names of services"),
        ("units = \"a/../b.service\"", "expected names of services"),
        ("socket = \"\"", "expected a path"),
        ("socket = \"/\(String(repeating: "a", count: 107))\"", "at most 107 bytes, this one 108"),
    ])
    func `what the agent cannot take is refused with its line`(line: String, expected: String) {
        let found = problems("[agent]\n\(line)")
        let key = line.split(separator: " ")[0]
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix("/etc/bourse/bourse.toml:2: agent.\(key): ") == true, "\(found)")
        #expect(found.first?.contains(expected) == true, "\(found)")
    }

    @Test func `what others find is reported with its line as well`() {
        let error = #expect(throws: SettingsError.self) {
            try Settings.parse(Array("[agent]\noff = \"x\"".utf8), file: "/f") {
                [("agent.off", "there is no kind \($0.agent.off[0])")]
            }
        }
        #expect(error?.description == "/f:2: agent.off: there is no kind x")
    }

    @Test func `clients elsewhere need TLS, or the word that they do without`() throws {
        func found(_ lines: String) throws -> [String] {
            try settings("[gatewayd]\n" + lines).gatewayProblems.map { "\($0.key): \($0.text)" }
        }
        let place = "listen = \"0.0.0.0:8080\"\n"
        let refused = try found(place)
        #expect(refused.count == 1 && refused[0].contains("gatewayd.listen: others than this host"))
        for one in ["127.0.0.1:8080", "[::1]:8080", "localhost:80"] {
            #expect(try found("listen = \"\(one)\"").isEmpty)
        }
        for one in ["[::]:8080", "10.0.0.1:1", "exchange.example:443"] {
            #expect(try found("listen = \"\(one)\"").count == 1)
        }
        #expect(try found(place + "plain_http = true").isEmpty)
        let both = "tls_certificate = \"tls/a.crt\"\ntls_key = \"/a.key\""
        #expect(try found(place + both).isEmpty)
        let taken = try settings("[gatewayd]\n" + both).gatewayd
        #expect(taken.tlsCertificate == "/etc/bourse/tls/a.crt" && taken.tlsKey == "/a.key")
        #expect(try found("tls_key = \"k\"").first?.contains("tls_certificate: is missing") == true)
        #expect(try found("tls_certificate = \"c\"").first?.contains("tls_key: is missing") == true)
        #expect(problems("[gatewayd]\nplain_http = 1").first?.contains("true or false") == true)
    }

    @Test func `proxies are addresses and ranges, and not all`() throws {
        let found = try settings("[gatewayd]\nproxies = \"10.0.0.5 fd00::/8\"").gatewayd.proxies
        #expect(found == ["10.0.0.5", "fd00::/8"].compactMap { AddressRange($0) })
        for text in ["10.0.0.1/8", "proxy", "0.0.0.0/0", "::/0", "10.0.0.1,10.0.0.2"] {
            #expect(problems("[gatewayd]\nproxies = \"\(text)\"").count == 1)
        }
    }

    @Test func `a TCP listener needs a key`() {
        #expect(
            problems("[matchd]\nlisten = \"0.0.0.0:7400\"") == [
                "/etc/bourse/bourse.toml:2: matchd.listen: TCP clients need a key to authenticate: "
                    + "set matchd.link_key to its file"
            ])
    }

    @Test func `limits that no memory holds are refused`() {
        #expect(
            problems("[limits]\naccounts = 1_000_000\nassets = 300") == [
                "/etc/bourse/bourse.toml:2: limits.accounts: accounts × assets is 300000000, at "
                    + "most 268435456: lower limits.accounts or limits.assets"
            ])
    }

    @Test func `a socket path that the kernel cannot hold is refused`() {
        let long = String(repeating: "a", count: 100)
        let found = problems("[matchd]\nsocket = \"\(long)\"")
        #expect(found.count == 1)
        #expect(found[0].contains("at most 107 bytes, this one 112"))
    }

    @Test(arguments: [
        ("a = ", "expected a value after ="),
        ("a", "expected = after the key"),
        ("= 1", "expected a key (letters, digits, _ and -), a [table] or a # comment"),
        ("\"a\" = 1", "quoted keys are not used here: write it without quotes"),
        ("a = 1 2", "expected the end of the line after it"),
        ("a = 1.5", "expected a whole number, true, false or a string in quotes"),
        ("a = 01", "expected a whole number, true, false or a string in quotes"),
        ("a = 1__0", "expected a whole number, true, false or a string in quotes"),
        ("a = 9223372036854775808", "expected a whole number, true, false or a string in quotes"),
        ("a = +-1", "expected a whole number, true, false or a string in quotes"),
        ("a = [1]", "arrays and inline tables are not used here"),
        ("a = {}", "arrays and inline tables are not used here"),
        ("a = \"x", "the string has no closing \""),
        ("a = 'x", "the string has no closing '"),
        ("a = \"\\x\"", "unknown escape in the string: write \\\\ for a backslash"),
        ("a = \"\\uD800\"", "expected 4 hexadecimal digits of a character"),
        ("a = \"\\u12", "expected 4 hexadecimal digits of a character"),
        ("a = \"\"\"x\"\"\"", "strings over several lines are not used here"),
        ("a = \"\u{1}\"", "control character in the string"),
        ("# \u{1}", "control character in a comment"),
        ("[a", "expected ] after the table's name"),
        ("[[a]]", "arrays of tables are not used here"),
        ("[a]\n[a]", "table [a] appears twice: put its keys together"),
        ("[matchd]\ncpu = 1\ncpu = 1", "the key appears twice"),
    ])
    func `what is not well formed is reported`(text: String, expected: String) {
        let found = problems(text)
        #expect(found.contains { $0.hasSuffix(": " + expected) }, "\(found)")
    }

    @Test func `bytes that are no text are reported, and the rest is still read`() {
        let bytes = Array("[matchd]\n# ".utf8) + [0xFF, 0x0A] + Array("cpu = 5000".utf8)
        let error = #expect(throws: SettingsError.self) { try Settings.parse(bytes, file: "/f") }
        #expect(
            error?.description == """
                /f:2: not UTF-8 text
                /f:3: matchd.cpu: 5000 is out of range: expected -1 … 1023
                """)
    }

    @Test func `escapes, comments, blanks and line ends are as in TOML`() throws {
        let text =
            "\u{FEFF}\r\n  [ gatewayd ]  # here\r\n\tname = \"a\\u0062\\\"\\\\c\" # there\r\n"
            + "matchd.cpu = 1\r\n"
        #expect(throws: SettingsError.self) { try settings(text) }
        let good = text.replacing("matchd.cpu = 1", with: "[auditd]\r\nsnapshots_keep=+2")
        #expect(try settings(good).gatewayd.name.description == "ab\"\\c")
        #expect(try settings(good).auditd.snapshotsKeep == 2)
        #expect(try settings("matchd.cpu = 7\nmatchd . idle = 'yield'").matchd.cpu == 7)
    }

    @Test func `a missing file is reported with advice`() {
        let missing = #expect(throws: SettingsError.self) {
            try Settings.load(path: "/nowhere/at all/bourse.toml")
        }
        #expect(
            missing?.description == "/nowhere/at all/bourse.toml: no such file: give one with "
                + "--config, or write one with `boursectl init`")
        let directory = #expect(throws: SettingsError.self) { try Settings.load(path: "/") }
        #expect(directory?.description == "/: is a directory: give the file in it")
    }

    @Test func `addresses are read as they are printed`() {
        for text in ["127.0.0.1:8080", "localhost:0", "[::1]:65535", "a-b.example:1"] {
            #expect(ListenAddress(text)?.description == text)
        }
        for text in [
            "", ":", ":80", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:80",
            "[host]:80", "[]:80", "ho st:80", "höst:80", "host:80 ", "[::1]80",
        ] {
            #expect(ListenAddress(text) == nil, "\(text)")
        }
    }

    @Test func `random files give settings or an error, never a crash`() {
        var random = SplitMix64(seed: 0x5E77_1265)
        let pieces = [
            "[", "]", "matchd", "cpu", ".", "=", " ", "\n", "\r\n", "#", "\"", "'", "\\", "u",
            "0x", "1", "_", "-", "true", "gatewayd", "listen", "é", "\u{0}", "{",
            "9999999999999999999",
        ]
        var refused = 0
        for _ in 0..<5_000 {
            let text = (0..<random.below(40)).map { _ in pieces[random.below(pieces.count)] }
            if !problems(text.joined()).isEmpty { refused += 1 }
        }
        #expect(refused > 2_500)
    }

    @Test func `the example file is the settings' own text, and gives the defaults`() throws {
        // Tests/SystemTests/ConfigurationTests.swift is three steps below the checkout.
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/etc/bourse.toml"
        if unsafe getenv("BOURSE_RECORD") != nil {
            try File.replace(path, with: Array(Settings.text().utf8), mode: 0o644)
        }
        let settings = try Settings.load(path: path)
        let bytes = try File(path, .read).read(count: Settings.fileBytesMax)
        #expect(String(decoding: bytes, as: UTF8.self) == Settings.text())
        #expect(settings == Settings.defaults(state: settings.state))
    }

    @Test func `the text of settings with other values is read back`() throws {
        let text = Settings.text(overriding: [
            "gatewayd.listen": "\"0.0.0.0:9000\"", "exchange.state": "\"/var/lib/bourse\"",
        ])
        let settings = try settings(text)
        #expect(settings.gatewayd.listen.port == 9000)
        #expect(settings.state == "/var/lib/bourse")
        #expect(settings.matchd.socket == "/var/lib/bourse/run/match.sock")
    }
}
