// The keys of `[cluster]`: two hosts that carry the exchange, and a witness.

extension SettingsKey {
    static var cluster: [SettingsKey] { clusterHosts + clusterAddresses + clusterFencing }

    private static var clusterHosts: [SettingsKey] {
        [
            .text(
                "cluster", "host", "\"\"",
                "Two hosts and a witness; `boursectl cluster init` and `cluster join` write this.\n"
                    + "This host's name in the cluster; empty: a standalone exchange."
            ) {
                $0.clusterSection.host = $1
                return $1.isEmpty || Settings.Cluster.isHostName($1)
                    ? nil : Settings.Cluster.hostNameExpected
            },
            .text("cluster", "peer", "\"\"", "The name of the other host of the exchange.") {
                $0.clusterSection.peer = $1
                return $1.isEmpty || Settings.Cluster.isHostName($1)
                    ? nil : Settings.Cluster.hostNameExpected
            },
            .text(
                "cluster", "directory", "\"/etc/bourse/cluster\"",
                "Directory of the cluster's certificate authority, and of this host's certificate\n"
                    + "and its key: ca.crt, host.crt and host.key."
            ) {
                guard !$1.isEmpty else { return "expected a directory" }
                $0.clusterSection.directory = $1
                return nil
            },
            .text(
                "cluster", "etcd", "\"\"",
                "Where the three members of etcd serve clients, this host's first, as\n"
                    + "\"https://10.0.0.1:7413 https://10.0.0.2:7413 https://10.0.0.3:7413\"."
            ) {
                $0.clusterSection.etcd = $1.split(separator: " ").map(String.init)
                return $1.isEmpty || areMembers($0.clusterSection.etcd) ? nil : membersExpected
            },
        ]
    }

    private static var clusterAddresses: [SettingsKey] {
        [
            place(
                "replication",
                "Address where this host's matchd listens for the peer's, as \"10.0.0.1:7410\".",
                \.replication),
            place("peer_replication", "Address of the peer's matchd.", \.peerReplication),
            place(
                "agent",
                "Address where this host's agent listens for the peer's, as \"10.0.0.1:7411\".",
                \.agent),
            place("peer_agent", "Address of the peer's agent.", \.peerAgent),
            place(
                "link",
                "Address where this host's matchd takes gateways on other hosts, by TLS, as\n"
                    + "\"10.0.0.1:7415\"; empty: none.",
                \.link),
            .text(
                "cluster", "service_address", "\"\"",
                "The clients' address with its prefix length, as \"10.0.0.9/24\":\n"
                    + "the primary has it; empty: none."
            ) {
                $0.clusterSection.serviceAddress = nil
                guard !$1.isEmpty else { return nil }
                guard let read = InterfaceAddress($1) else {
                    return "expected an address and the length of its network, as \"10.0.0.9/24\""
                }
                $0.clusterSection.serviceAddress = read
                return nil
            },
            .text(
                "cluster", "service_interface", "\"\"",
                "The network interface that has it, as \"eth0\"."
            ) {
                $0.clusterSection.serviceInterface = $1
                let isName =
                    $1.utf8.count <= 15 && $1 != "." && $1 != ".."
                    && $1.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x3A }
                return isName ? nil : "expected the name of an interface, as \"eth0\""
            },
        ]
    }

    private static var clusterFencing: [SettingsKey] {
        [
            .text(
                "cluster", "fence_command", "\"\"",
                """
                Program that switches the other host's power off, as "/usr/sbin/fence_ipmilan
                ip=10.0.1.2 username=bourse password_script=/etc/bourse/ipmi": its words
                name=value are lines of its standard input, as fence-agents take them. A
                forced failover runs it first; `boursectl cluster test-fencing` tests it.
                Empty: the operator states that the power is off.
                """
            ) {
                $0.clusterSection.fencing = nil
                guard !$1.isEmpty else { return nil }
                $0.clusterSection.fencing = FenceCommand($1)
                return $0.clusterSection.fencing == nil ? FenceCommand.expected : nil
            },
            .integer(
                "cluster", "fence_seconds", 60, in: 5...600,
                "Maximum seconds until the program has switched the power off."
            ) { $0.clusterSection.fenceSeconds = Int($1) },
            .text(
                "cluster", "watchdog", "\"auto\"",
                """
                The machine's hardware watchdog, by which systemd reboots a machine that hangs:
                auto: the agent has it armed where there is one; required: without an armed
                one this host takes no lead; off: it is left as it is.
                """
            ) {
                guard let policy = Settings.Cluster.WatchdogPolicy(rawValue: $1) else {
                    return "expected auto, required or off"
                }
                $0.clusterSection.watchdog = policy
                return nil
            },
        ]
    }

    /// A key that holds an address with a port; empty: none.
    private static func place(
        _ field: String, _ note: String,
        _ path: any WritableKeyPath<Settings.Cluster, ListenAddress> & Sendable
    ) -> SettingsKey {
        .text("cluster", field, "\"\"", note) {
            guard !$1.isEmpty else { return nil }
            guard let read = ListenAddress($1), read.port > 0, NetworkAddress.isAddress(read.host)
            else {
                return "expected an address and a port, as \"10.0.0.1:7410\" or "
                    + "\"[fd00::1]:7410\", and no name"
            }
            $0.clusterSection[keyPath: path] = read
            return nil
        }
    }

    private static func areMembers(_ urls: [String]) -> Bool {
        urls.count == 3 && Set(urls).count == 3
            && urls.allSatisfy {
                guard $0.hasPrefix("https://"), let place = ListenAddress(String($0.dropFirst(8)))
                else { return false }
                return place.port > 0
            }
    }

    private static var membersExpected: String {
        "expected three different URLs with spaces between, as \"https://10.0.0.1:7413 "
            + "https://10.0.0.2:7413 https://10.0.0.3:7413\""
    }
}

extension Settings {
    /// Settings of a host that is one of two with the exchange.
    ///
    /// Every field has a value, but for the service address and the fencing.
    public struct Cluster: Hashable, Sendable {
        /// What is wanted of the machine's hardware watchdog.
        public enum WatchdogPolicy: String, Hashable, Sendable, CaseIterable {
            /// Armed where there is one.
            case auto
            /// Armed, or this host takes no lead.
            case required
            /// Left as it is.
            case off
        }

        /// This host's name in the cluster.
        public var host = ""
        /// The other host's name.
        public var peer = ""
        /// The directory of the certificates and of this host's key.
        public var directory = "/etc/bourse/cluster"
        /// Where the three members of etcd serve clients: https URLs.
        public var etcd: [String] = []
        /// Where this host's matchd listens for the peer's.
        public var replication = ListenAddress(host: "", port: 0)
        /// Address of the peer's matchd.
        public var peerReplication = ListenAddress(host: "", port: 0)
        /// Where this host's agent listens for the peer's.
        public var agent = ListenAddress(host: "", port: 0)
        /// Address of the peer's agent.
        public var peerAgent = ListenAddress(host: "", port: 0)
        /// Where this host's matchd takes gateways of other hosts; an empty host: nowhere.
        public var link = ListenAddress(host: "", port: 0)
        /// The address that clients use, which the primary has; nil: none.
        public var serviceAddress: InterfaceAddress?
        /// The network interface that has it; empty where there is none.
        public var serviceInterface = ""
        /// What switches the other host's power off; nil: the operator does.
        public var fencing: FenceCommand?
        /// Maximum seconds that this may take.
        public var fenceSeconds = 60
        /// What the agent does with the machine's hardware watchdog.
        public var watchdog = WatchdogPolicy.auto

        /// The cluster's certificate authority, PEM.
        public var authorityFile: String { Path.join(directory, "ca.crt") }
        /// This host's certificate, PEM.
        public var certificateFile: String { Path.join(directory, "host.crt") }
        /// This host's private key, PEM.
        public var keyFile: String { Path.join(directory, "host.key") }
        /// The gateways on hosts of their own that were removed.
        public var removedGatewaysFile: String { Path.join(directory, "gateways.removed") }
        /// What `boursectl cluster` knows of the three hosts, JSON.
        public var hostsFile: String { Path.join(directory, "hosts.json") }

        /// No cluster.
        public init() {}

        /// Whether it is an IPv4 or IPv6 address, and no name.
        public static func isAddress(_ text: String) -> Bool { NetworkAddress.isAddress(text) }

        /// Whether it is a name as certificates and etcd hold it: at most 28 lower-case letters,
        /// digits, `-` and `.`, with a letter or digit at both ends.
        public static func isHostName(_ text: String) -> Bool {
            func isPlain(_ byte: UInt8?) -> Bool {
                guard let byte else { return false }
                return 0x30...0x39 ~= byte || 0x61...0x7A ~= byte
            }
            return text.utf8.count <= 28 && isPlain(text.utf8.first) && isPlain(text.utf8.last)
                && text.utf8.allSatisfy { isPlain($0) || $0 == 0x2D || $0 == 0x2E }
        }

        /// What a name has to be, for messages.
        public static var hostNameExpected: String {
            "expected a host's name: at most 28 lower-case letters, digits, - and ., with a letter "
                + "or digit at both ends"
        }

        /// What is missing or does not fit, by key.
        var problems: [(key: String, text: String)] {
            let fields: [(key: String, isSet: Bool)] = [
                ("host", !host.isEmpty), ("peer", !peer.isEmpty), ("etcd", !etcd.isEmpty),
                ("replication", !replication.host.isEmpty),
                ("peer_replication", !peerReplication.host.isEmpty),
                ("agent", !agent.host.isEmpty), ("peer_agent", !peerAgent.host.isEmpty),
            ]
            let isService = serviceAddress != nil
            guard
                fields.contains(where: \.isSet) || isService || !serviceInterface.isEmpty
                    || fencing != nil || !link.host.isEmpty
            else { return [] }
            var found = fields.filter { !$0.isSet }.map {
                (
                    "cluster.\($0.key)",
                    "is missing: a cluster needs it; `boursectl cluster init` and `cluster join` "
                        + "write it, and an exchange on one host has no [cluster]"
                )
            }
            if !host.isEmpty, host == peer {
                found.append(("cluster.peer", "is this host's own name: give the other host's"))
            }
            let places = [
                ("peer_replication", replication, peerReplication),
                ("peer_agent", agent, peerAgent),
            ]
            for (key, own, peers) in places where !own.host.isEmpty && own == peers {
                found.append(("cluster.\(key)", "is this host's own address: give the peer's"))
            }
            if isService, serviceInterface.isEmpty {
                found.append(
                    ("cluster.service_interface", "is missing: service_address needs one"))
            }
            if !isService, !serviceInterface.isEmpty {
                found.append(
                    ("cluster.service_address", "is missing: service_interface is for it"))
            }
            return found
        }
    }

    /// The user of the agent's package, whose orders matchd takes in a cluster.
    public static var agentUser: String { "bourse-agent" }

    /// Where matchd takes the agent's orders: beside its Link.
    public var controlSocket: String {
        Path.join(Path.parent(matchd.socket), "control.sock")
    }

    /// The cluster that this host is in, or nil: a standalone exchange.
    public var cluster: Cluster? { clusterSection.host.isEmpty ? nil : clusterSection }

    /// The authority, the certificate and the key of a gateway on a host of its own; nil: it is on
    /// a host of the exchange, and needs none.
    public var gatewayFiles: (authority: String, certificate: String, key: String)? {
        let files = clusterSection
        guard !gatewayd.hosts.isEmpty else { return nil }
        return (files.authorityFile, files.certificateFile, files.keyFile)
    }
}
