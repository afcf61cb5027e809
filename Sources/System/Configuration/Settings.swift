// The checked and resolved configuration: the same value for every daemon of a host.

public import Platform
public import Terms

/// The settings of one exchange on one host, from `bourse.toml`.
///
/// Every path is absolute. In the file paths are relative to the state directory, and
/// `exchange.state` to the directory of the file.
public struct Settings: Hashable, Sendable {
    /// The configuration file, absolute.
    public var file: String
    /// The state directory (`exchange.state`).
    public var state: String
    /// The directory of keys, 0700 (`exchange.secrets`).
    public var secretsDirectory: String
    /// The engine's limits (`[limits]`), for a new journal.
    public var limits: EngineLimits
    /// The matching daemon.
    public var matchd: Matchd
    /// The auditor.
    public var auditd: Auditd
    /// The gateway.
    public var gatewayd: Gatewayd
    /// The wallet.
    public var walletd: Walletd
    /// The wallet's signer.
    public var signerd: Signerd
    /// The host's agent.
    public var agent: Agentd
    /// The SNMP subagent.
    public var snmp = SNMP()
    /// `[cluster]` as it is read: `cluster` where it is one.
    var clusterSection = Cluster()

    /// Settings of `bourse-matchd`.
    public struct Matchd: Hashable, Sendable {
        /// The Link's Unix socket.
        public var socket: String
        /// The Link's TCP address, or nil: Unix only.
        public var listen: ListenAddress?
        /// The file with the key of TCP clients; never nil if `listen` is set.
        public var linkKey: String?
        /// Users whose programs may submit traders' commands; groups as `%name`.
        public var gatewayUsers: [String]
        /// Users whose programs may submit the wallet's commands; groups as `%name`.
        public var walletUsers: [String]
        /// Users whose programs may submit administration as well; groups as `%name`.
        public var operatorUsers: [String]
        /// Users whose programs may read the log and submit nothing; groups as `%name`.
        public var observerUsers: [String]
        /// The CPU the engine thread is pinned to, or nil: not pinned.
        public var cpu: Int?
        /// What the engine thread does when idle.
        public var idle: IdleStrategy
        /// Size of a journal segment.
        public var segmentBytes: Int
        /// Free disk space below which only cancels are accepted.
        public var reserveBytes: Int
        /// Size of the ring between sequencer, journal and Link. A power of two.
        public var ringBytes: Int
        /// Commands between two hash marks.
        public var hashEvery: UInt64
    }

    /// Settings of `bourse-auditd`.
    public struct Auditd: Hashable, Sendable {
        /// Commands between two snapshots.
        public var snapshotEvery: UInt64
        /// Seconds after which a snapshot is written if anything changed.
        public var snapshotSeconds: Int
        /// Number of snapshots to keep, the newest.
        public var snapshotsKeep: Int
    }

    /// Settings of `bourse-gatewayd`.
    public struct Gatewayd: Hashable, Sendable {
        /// The address that serves HTTP and WebSocket.
        public var listen: ListenAddress
        /// The certificate that clients see, PEM, with those that lead to its authority; nil: they
        /// speak plain HTTP.
        public var tlsCertificate: String?
        /// Its private key, PEM; nil without it.
        public var tlsKey: String?
        /// Whether others than this host may speak plain HTTP to it.
        public var takesPlainHTTP = false
        /// The gateway's session name in the log, unique to each gateway.
        public var name: Text40
        /// The gateway's own directory: its lock and its history.
        public var state: String
        /// The hosts whose matchd it follows by TLS; empty: this host's, by its socket.
        public var hosts: [MatchdHost] = []
        /// Proxies of the owner's, which name clients in X-Forwarded-For.
        public var proxies: [AddressRange] = []
        /// Maximum client connections.
        public var connections: Int
        /// Maximum client connections from one address.
        public var connectionsPerAddress: Int
        /// Maximum bytes buffered for clients.
        public var clientMemoryBytes: Int
        /// Request weight per minute and address.
        public var weightPerMinute: Int
        /// New orders per account in 10 seconds.
        public var ordersPer10Seconds: Int
        /// New orders per account in a day.
        public var ordersPerDay: Int

        /// A host of the exchange, as `a=10.0.0.1:7415`.
        public struct MatchdHost: Hashable, Sendable {
            /// Its name in the cluster.
            public var name: String
            /// Where its matchd takes gateways.
            public var link: ListenAddress

            /// A host of this name and address.
            public init(name: String, link: ListenAddress) { (self.name, self.link) = (name, link) }

            /// Reads `NAME=ADDRESS:PORT`; nil for anything else.
            public init?(_ text: String) {
                guard let equals = text.firstIndex(of: "="),
                    let link = ListenAddress(String(text[text.index(after: equals)...])),
                    link.port > 0, NetworkAddress.isAddress(link.host),
                    Cluster.isHostName(String(text[..<equals]))
                else { return nil }
                self.init(name: String(text[..<equals]), link: link)
            }
        }
    }

    /// Settings of `bourse-walletd`.
    public struct Walletd: Hashable, Sendable {
        /// The nodes of the chains; the second one of a chain confirms what the first one says.
        public var nodes: [Node] = []
        /// The assets of EVM chains, as `ETH=ethereum` and `USDT=ethereum:CONTRACT:DECIMALS`.
        public var assets: [String] = []
        /// The wallet's own directory: its lock.
        public var state: String
        /// The file in which it says how the chains stand.
        public var status: String
        /// What is kept elsewhere than on the chains, each asset once.
        public var elsewhere: [Kept] = []
        /// Coins that are given up, as `TRANSACTION:OUTPUT`.
        public var writtenOff: [String] = []
        /// Deposits up to these amounts need no second node, each asset once.
        public var secondAbove: [Kept] = []
        /// Whether deposits of EVM chains are swept to the account that pays.
        public var sweeps = true
        /// From these amounts on, each asset once.
        public var sweepAbove: [Kept] = []

        /// An amount of an asset, as `LTC 100.5`.
        public struct Kept: Hashable, Sendable {
            /// The asset's code.
            public var asset: Text16
            /// How much, in coins.
            public var amount: DecimalText

            /// Reads `ASSET AMOUNT`; nil for anything else.
            public init?(_ text: some StringProtocol) {
                let words = text.split(separator: " ")
                guard words.count == 2, let asset = Text16(words[0]),
                    let amount = DecimalText(words[1])
                else { return nil }
                (self.asset, self.amount) = (asset, amount)
            }
        }
        /// The service that is asked before a withdrawal goes out; nil: none is.
        public var screening: ScreeningService?

        /// A service at an address, as `http://127.0.0.1:8645/screen,/etc/bourse/screen.login`.
        public struct ScreeningService: Hashable, Sendable {
            /// Its address.
            public var url: String
            /// A file with `USER:PASSWORD`; nil: it asks for none.
            public var loginFile: String?

            /// Reads `URL` or `URL,FILE`; nil for anything else.
            public init?(_ text: String) {
                let parts = text.split(separator: ",", omittingEmptySubsequences: false)
                url = String(parts[0])
                loginFile = parts.count == 2 ? String(parts[1]) : nil
                // A comma of the address is written as %2C.
                guard parts.count <= 2, !url.isEmpty, loginFile != "" else { return nil }
            }
        }
        /// Seconds that a payment waits for its block until one with a higher fee replaces it; 0:
        /// it waits for ever.
        public var bumpSeconds: Int64 = 7_200
        /// With more free coins than these on a UTXO chain the smallest are merged; 0: never.
        public var consolidateAbove: Int64 = 0
        /// They are while miners ask for no more than this, in base units for 1,000 virtual bytes.
        public var consolidateFee: Int64 = 2_000
        /// The file in which `boursectl wallet bump` asks for such a replacement.
        public var bumpFile: String { Path.join(state, "walletd.bump") }
        /// The file in which `boursectl wallet adopt` names a transaction: `CHAIN TRANSACTION`, and
        /// behind them its block's height where that is given.
        public var adoptFile: String { Path.join(state, "walletd.adopt") }
        /// The file in which `boursectl wallet cold import` gives a signed transaction from cold
        /// storage: `CHAIN HEX`.
        public var coldFile: String { Path.join(state, "walletd.cold") }

        /// The folder with the transactions of coins that a pruned node may forget.
        public var previousFolder: String { Path.join(state, "walletd.previous") }
        /// The file with the wallet's coins as the log said, from which it goes on.
        public var coinsFile: String { Path.join(state, "walletd.coins") }

        /// A chain's node, as `litecoin=http://127.0.0.1:9332,/etc/bourse/litecoin.login`.
        public struct Node: Hashable, Sendable {
            /// The chain, as `litecoin`.
            public var chain: String
            /// Its RPC address.
            public var url: String
            /// A file with `USER:PASSWORD`; nil: the node asks for none.
            public var loginFile: String?

            /// Reads `CHAIN=URL` or `CHAIN=URL,FILE`; nil for anything else.
            public init?(_ text: String) {
                guard let equals = text.firstIndex(of: "=") else { return nil }
                chain = String(text[..<equals])
                let place = text[text.index(after: equals)...]
                let parts = place.split(
                    separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
                url = String(parts[0])
                loginFile = parts.count == 2 ? String(parts[1]) : nil
                guard !chain.isEmpty, !url.isEmpty, loginFile != "" else { return nil }
            }
        }
    }

    /// Settings of `bourse-signerd`.
    public struct Signerd: Hashable, Sendable {
        /// The signer's Unix socket.
        public var socket: String
        /// The signer's own directory: what it signed.
        public var state: String
        /// What it signs for, by chain; nothing of others.
        public var limits: [Limit] = []
        /// Cold storage to which coins go without counting against the limits.
        public var cold: [PinnedDescriptor] = []

        /// Cold storage of an asset on a chain, as `LTC@litecoin=wpkh(…)`.
        public struct PinnedDescriptor: Hashable, Sendable {
            /// The asset's code.
            public var asset: Text16
            /// The chain's name.
            public var chain: Text40
            /// An output descriptor, or an address.
            public var descriptor: String

            /// Reads `ASSET@CHAIN=DESCRIPTOR`; nil for anything else.
            public init?(_ text: some StringProtocol) {
                guard let at = text.firstIndex(of: "@"),
                    let equals = text[at...].firstIndex(of: "="),
                    let asset = Text16(text[..<at]),
                    let chain = Text40(text[text.index(after: at)..<equals])
                else { return nil }
                (self.asset, self.chain) = (asset, chain)
                descriptor = String(text[text.index(after: equals)...])
                guard asset != Text16(), chain != Text40(), !descriptor.isEmpty else { return nil }
            }
        }
        /// Users whose programs may ask it to sign; groups as `%name`.
        public var walletUsers: [String] = []

        /// A chain's limit, as `litecoin 50 10`.
        public struct Limit: Hashable, Sendable {
            /// The chain's name.
            public var chain: Text40
            /// How much may leave at once, in coins.
            public var capacity: DecimalText
            /// How much of that comes back in an hour, in coins.
            public var refill: DecimalText

            /// Reads `CHAIN CAPACITY REFILL`; nil for anything else.
            public init?(_ text: some StringProtocol) {
                let words = text.split(separator: " ")
                guard words.count == 3, let name = Text40(words[0]),
                    let capacity = DecimalText(words[1]), let refill = DecimalText(words[2]),
                    capacity.digits > 0
                else { return nil }
                (chain, self.capacity, self.refill) = (name, capacity, refill)
            }
        }
    }

    /// Settings of `bourse-agentd`.
    public struct Agentd: Hashable, Sendable {
        /// The loopback address that serves HTTP; nil: none.
        public var listen: ListenAddress?
        /// The address that serves the roles to load balancers; nil: none.
        public var health: ListenAddress?
        /// The agent's Unix socket.
        public var socket: String
        /// The directory of its events and changes.
        public var state: String
        /// The root helper's Unix socket.
        public var helper: String
        /// The helper's verbs that the agent may use.
        public var allow: [String]
        /// Whether it uses them without a request.
        public var isAutomatic: Bool
        /// The interfaces of the exchange, with their queues if declared; empty: all.
        public var interfaces: [Interface]
        /// Disks whose write cache survives a power failure.
        public var protectedDisks: [String]
        /// Thresholds that replace those of the checks.
        public var thresholds: [Threshold]
        /// Disabled kinds of checks.
        public var off: [String]
        /// The units of the exchange.
        public var units: [String]

        /// An interface, as `eth0:4`.
        public struct Interface: Hashable, Sendable {
            /// Its name.
            public var name: String
            /// Number of its queues, or nil.
            public var channels: Int?
        }

        /// The thresholds of a kind of check, as `disk.space=80:90`.
        public struct Threshold: Hashable, Sendable {
            /// The kind's name.
            public var kind: String
            /// The warning threshold, or nil: never.
            public var warning: Int64?
            /// The critical threshold, or nil: never.
            public var critical: Int64?
        }
    }

    /// The journal's segments.
    public var journalDirectory: String { Path.join(state, "journal") }
    /// The engine's snapshots.
    public var snapshotsDirectory: String { Path.join(state, "snapshots") }
    /// The auditor's mark: the last record of its last snapshot, as text.
    public var auditedFile: String { Path.join(state, "audited") }
    /// The directory of the gateway's history.
    public var historyDirectory: String { Path.join(gatewayd.state, "history") }
    /// The gateway's history (SQLite).
    public var historyFile: String { Path.join(historyDirectory, "history.sqlite") }
    /// The key that seals API secrets: 32 bytes, 0600.
    public var sealKeyFile: String { Path.join(secretsDirectory, "seal.key") }
    /// The seed of the wallet's private keys: 24 words (BIP39) in a line, 0600.
    public var walletSeedFile: String { Path.join(secretsDirectory, "wallet.seed") }
    /// Log files, if systemd's journal is not used.
    public var logDirectory: String { Path.join(state, "log") }
}

/// What a thread does while it waits for work.
public enum IdleStrategy: String, Hashable, Sendable, CaseIterable {
    /// Reads memory without pause: lowest latency, one CPU fully used.
    case spin
    /// Spins briefly, then yields the CPU.
    case yield
    /// Spins briefly, then sleeps until woken.
    case park
}

/// The address of a server: a host and a port.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// An address or a name, IPv6 without its brackets.
    public var host: String
    /// The TCP port; 0 lets the system choose one.
    public var port: UInt16

    /// An address of these parts.
    public init(host: String, port: UInt16) { (self.host, self.port) = (host, port) }

    /// Parses `host:port` or `[IPv6]:port`; nil for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.utf8.contains(0x3A) else { return nil }
        } else if host.utf8.contains(0x3A) {
            return nil
        }
        guard !host.isEmpty, host.utf8.count <= 253, host.utf8.allSatisfy(Self.isHostByte) else {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Whether only this host reaches it: 127.0.0.0/8, ::1 or `localhost`.
    public var isLoopback: Bool {
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        return host == "localhost" || host == "::1"
            || numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
    }

    /// As `init?` parses it.
    public var description: String {
        host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F: true
        default: false
        }
    }
}

/// Why settings could not be loaded: all problems of the file at once.
///
/// A daemon prints `description` and exits with 78 (EX_CONFIG, sysexits.h).
public struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file.
    public var file: String
    /// The problems, in the order of the file; never empty.
    public var problems: [Problem]

    /// One problem.
    public struct Problem: Hashable, Sendable {
        /// The line, from 1, or nil if there is none.
        public var line: Int?
        /// The key with its table, as `matchd.cpu`; empty if there is none.
        public var key: String
        /// What is wrong and what is expected.
        public var text: String
    }

    /// A key of `file` that does not fit this host.
    public init(file: String, key: String, text: String) {
        self.init(file: file, problems: [Problem(line: nil, key: key, text: text)])
    }

    init(file: String, problems: [Problem]) { (self.file, self.problems) = (file, problems) }

    /// `file:line: key: text`, one line for each problem.
    public var description: String {
        problems.map { problem in
            let place = problem.line.map { "\(file):\($0)" } ?? file
            let key = problem.key.isEmpty ? "" : "\(problem.key): "
            return "\(place): \(key)\(problem.text)"
        }.joined(separator: "\n")
    }
}
