// Goal: `[cluster]` is whole or absent, and what is missing or does not fit is reported with the
// way out.

import Configuration
import Testing

/// A whole section, by key.
private let whole = [
    ("host", "a"), ("peer", "b.example"), ("directory", "cluster"),
    ("etcd", "https://10.0.0.1:7413  https://10.0.0.2:7413 https://[fd00::3]:7413"),
    ("replication", "10.0.0.1:7410"), ("peer_replication", "[fd00::2]:7410"),
    ("agent", "10.0.0.1:7411"), ("peer_agent", "10.0.0.2:7411"),
    ("link", "10.0.0.1:7415"), ("service_address", "10.0.0.9/24"), ("service_interface", "eth0"),
]

/// The section with one key set to something else, or left out.
private func section(_ key: String = "", _ value: String? = nil) -> String {
    "[cluster]\n"
        + whole.compactMap { field, usual -> String? in
            let value = field == key ? value : usual
            return value.map { "\(field) = \"\($0)\"\n" }
        }.joined()
}

private func problems(_ text: String) -> [String] {
    do throws(SettingsError) {
        _ = try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml")
        return []
    } catch { return error.problems.map { "\($0.key): \($0.text)" } }
}

@Suite struct ClusterSettingsTests {
    @Test func `every key of a cluster is taken`() throws {
        let text = "[exchange]\nstate = \"/var/lib/bourse\"\n" + section()
        let cluster = try #require(
            try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml").cluster)
        #expect(cluster.host == "a")
        #expect(cluster.peer == "b.example")
        #expect(cluster.authorityFile == "/var/lib/bourse/cluster/ca.crt")
        #expect(cluster.certificateFile == "/var/lib/bourse/cluster/host.crt")
        #expect(cluster.keyFile == "/var/lib/bourse/cluster/host.key")
        #expect(
            cluster.etcd == [
                "https://10.0.0.1:7413", "https://10.0.0.2:7413", "https://[fd00::3]:7413",
            ])
        #expect(cluster.replication == ListenAddress(host: "10.0.0.1", port: 7410))
        #expect(cluster.peerReplication == ListenAddress(host: "fd00::2", port: 7410))
        #expect(cluster.agent == ListenAddress(host: "10.0.0.1", port: 7411))
        #expect(cluster.peerAgent == ListenAddress(host: "10.0.0.2", port: 7411))
        #expect(cluster.link == ListenAddress(host: "10.0.0.1", port: 7415))
        #expect(cluster.serviceAddress?.description == "10.0.0.9/24")
        #expect(cluster.serviceAddress?.isIPv6 == false)
        #expect(cluster.serviceInterface == "eth0")
    }

    @Test func `a gateway on a host of its own names the hosts of the exchange`() throws {
        let hosts = "[gatewayd]\nhosts = \"a=10.0.0.1:7415 b.example=[fd00::2]:7415\"\n"
        let settings = try Settings.parse(Array(hosts.utf8), file: "/etc/bourse/bourse.toml")
        #expect(settings.cluster == nil)
        #expect(settings.gatewayd.hosts.map(\.name) == ["a", "b.example"])
        #expect(settings.gatewayd.hosts[1].link == ListenAddress(host: "fd00::2", port: 7415))
        #expect(settings.gatewayFiles?.key == "/etc/bourse/cluster/host.key")
        #expect(Settings.defaults(state: "/etc/bourse").gatewayFiles == nil)
        for wrong in [
            "a", "a=b:7415", "a=10.0.0.1:0", "a=10.0.0.1:1 a=10.0.0.2:1", "A=10.0.0.1:1",
            "a=10.0.0.1:1 b=10.0.0.2:1 c=10.0.0.3:1", "_gateway=10.0.0.1:1",
        ] {
            #expect(
                problems("[gatewayd]\nhosts = \"\(wrong)\"").first?.contains("expected two hosts")
                    == true, "\(wrong)")
        }
        #expect(problems(section() + hosts).first?.contains("on a host of its own") == true)
        #expect(!problems("[cluster]\nlink = \"10.0.0.1:7415\"").isEmpty)
    }

    @Test func `no section, or one of empty keys, is a standalone exchange`() throws {
        let empty =
            "[cluster]\n"
            + whole.filter { $0.0 != "directory" }.map { "\($0.0) = \"\"\n" }
            .joined()
        for text in ["", "[cluster]\n", empty] {
            let settings = try Settings.parse(Array(text.utf8), file: "/etc/bourse/bourse.toml")
            #expect(settings.cluster == nil)
        }
    }

    @Test(arguments: [
        "host", "peer", "etcd", "replication", "peer_replication", "agent", "peer_agent",
    ])
    func `a cluster is whole`(key: String) {
        #expect(
            problems(section(key)) == [
                "cluster.\(key): is missing: a cluster needs it; `boursectl cluster init` and "
                    + "`cluster join` write it, and an exchange on one host has no [cluster]"
            ])
    }

    @Test(arguments: ["service_address", "service_interface"])
    func `address and interface of the service go together`(key: String) {
        let other = key == "service_address" ? "service_interface" : "service_address"
        #expect(problems(section(key)).count == 1)
        #expect(problems(section(key))[0].hasPrefix("cluster.\(key): is missing: \(other)"))
    }

    @Test func `the service has no address where none is given`() throws {
        let text = section().split(separator: "\n").filter { !$0.hasPrefix("service_") }
            .joined(separator: "\n")
        let cluster = try Settings.parse(Array(text.utf8), file: "/f").cluster
        #expect(cluster != nil)
        #expect(cluster?.serviceAddress == nil)
        #expect(cluster?.serviceInterface == "")
    }

    @Test(arguments: [
        ("host", "A", "expected a host's name"), ("host", "-a", "expected a host's name"),
        ("host", "a_b", "expected a host's name"), ("host", "a=b", "expected a host's name"),
        ("peer", "b.", "expected a host's name"),
        ("peer", String(repeating: "b", count: 29), "expected a host's name"),
        ("peer", "a", "is this host's own name: give the other host's"),
        ("directory", "", "expected a directory"),
        ("etcd", "https://10.0.0.1:7413", "expected three different URLs"),
        (
            "etcd", "https://10.0.0.1:7413 https://10.0.0.1:7413 https://10.0.0.3:7413",
            "expected three different URLs"
        ),
        (
            "etcd", "https://10.0.0.1:7413 http://10.0.0.2:7413 https://10.0.0.3:7413",
            "expected three different URLs"
        ),
        (
            "etcd", "https://10.0.0.1:7413 https://10.0.0.2 https://10.0.0.3:7413",
            "expected three different URLs"
        ),
        (
            "etcd", "https://10.0.0.1:7413 https://10.0.0.2:0 https://10.0.0.3:7413",
            "expected three different URLs"
        ),
        ("replication", "10.0.0.1", "expected an address and a port"),
        ("replication", "10.0.0.1:0", "expected an address and a port"),
        ("replication", "host.example:7410", "expected an address and a port"),
        ("peer_agent", "10.0.0.256:7411", "expected an address and a port"),
        ("peer_agent", "10.0.0.1:7411", "is this host's own address: give the peer's"),
        ("peer_replication", "10.0.0.1:7410", "is this host's own address: give the peer's"),
        ("service_address", "10.0.0.9", "expected an address and the length"),
        ("service_address", "10.0.0.9/33", "expected an address and the length"),
        ("service_address", "10.0.0.9/0", "expected an address and the length"),
        ("service_address", "10.0.0.9/+24", "expected an address and the length"),
        ("service_address", "fd00::9/129", "expected an address and the length"),
        ("service_address", "10.0.0.9/24/1", "expected an address and the length"),
        ("service_interface", "an-interface-too-long", "expected the name of an interface"),
        ("service_interface", "eth0/1", "expected the name of an interface"),
        ("service_interface", "eth 0", "expected the name of an interface"),
    ])
    func `what a cluster cannot have is refused`(key: String, value: String, expected: String) {
        let found = problems(section(key, value))
        #expect(found.contains { $0.hasPrefix("cluster.\(key): \(expected)") }, "\(found)")
    }

    @Test func `a fencing command is a path and parameters`() throws {
        let words = "/usr/sbin/fence_x  ip=10.0.0.7 password_script=/etc/a=b plug=3"
        let text = section() + "fence_command = \"\(words)\"\nfence_seconds = 7\n"
        let cluster = try #require(try Settings.parse(Array(text.utf8), file: "/f").cluster)
        let command = try #require(cluster.fencing)
        #expect(command.path == "/usr/sbin/fence_x" && cluster.fenceSeconds == 7)
        #expect(command.parameters == ["ip=10.0.0.7", "password_script=/etc/a=b", "plug=3"])
        #expect(try Settings.parse(Array(section().utf8), file: "/f").cluster?.fencing == nil)
    }

    @Test(arguments: [
        "fence_x", "./fence_x", "/f ip=1 --verbose", "/f --ip=10.0.0.7", "/f -o", "/f word",
        "/usr/../fence_x", "/usr/sbin/", " ip=1", "/f action=on",
        "/f option=reboot", "/f \u{7F}", "/f é", "/" + String(repeating: "f", count: 1_024),
    ])
    func `a fencing command that cannot be one is refused`(words: String) {
        let found = problems(section() + "fence_command = \"\(words)\"\n")
        #expect(
            found.contains { $0.hasPrefix("cluster.fence_command: expected an absolute path") }
                || found.contains { $0.contains("control") }, "\(found)")
    }

    @Test func `a watchdog is armed, required or left as it is`() throws {
        typealias Policy = Settings.Cluster.WatchdogPolicy
        func policy(_ line: String) throws -> Policy? {
            try Settings.parse(Array((section() + line).utf8), file: "/f").cluster?.watchdog
        }
        #expect(try policy("") == .auto)
        for value in Policy.allCases {
            #expect(try policy("watchdog = \"\(value.rawValue)\"\n") == value)
        }
        #expect(
            problems(section() + "watchdog = \"on\"\n") == [
                "cluster.watchdog: expected auto, required or off"
            ])
    }

    @Test func `a fencing command alone is no cluster`() {
        let found = problems("[cluster]\nfence_command = \"/usr/sbin/fence_x\"\n")
        #expect(found.contains { $0.hasPrefix("cluster.host: is missing") }, "\(found)")
    }

    @Test func `an address of the service is read as it is printed`() {
        for text in ["10.0.0.9/24", "10.0.0.9/32", "fd00::9/64", "::1/128"] {
            #expect(InterfaceAddress(text)?.description == text)
        }
        #expect(InterfaceAddress("fd00::9/64")?.isIPv6 == true)
    }
}
