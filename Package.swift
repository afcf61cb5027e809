// swift-tools-version: 6.2
import PackageDescription

/// One set of compiler settings for every Swift target: what compiles here compiles without a
/// warning, marks each unsafe expression, and imports nothing by accident.
let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // Each function in a section of its own, and public up to the link only: so `--gc-sections`,
    // which SwiftPM passes, leaves out what a program never calls.
    .unsafeFlags(["-Xfrontend", "-function-sections", "-Xfrontend", "-internalize-at-link"]),
]

/// A Swift target in `Sources/<wing>/<name>`.
func wing(
    _ wing: String, _ name: String, _ dependencies: [Target.Dependency] = [],
    exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(wing)/\(name)",
        exclude: exclude, resources: resources, swiftSettings: strict)
}

/// A daemon or command in `Sources/Daemons/<name>`.
func daemon(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/Daemons/\(name)",
        swiftSettings: strict,
        // Addresses of functions are settled at start and then read-only.
        linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])])
}

/// A test target in `Tests/<name>`.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude,
        resources: resources, swiftSettings: strict)
}

/// A simulation in `Tests/<name>/World`: a program of its own, for what it links replaces calls of
/// libc, which no other test should meet. One thread runs it all.
func simulation(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)/World",
        swiftSettings: [.treatAllWarnings(as: .error), .swiftLanguageMode(.v5)])
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let webSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let histogram: Target.Dependency = .product(
    name: "Histogram", package: "hdrhistogram-swift")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "bourse",
    products: [
        .executable(name: "bourse-matchd", targets: ["matchd"]),
        .executable(name: "bourse-auditd", targets: ["auditd"]),
        .executable(name: "bourse-gatewayd", targets: ["gatewayd"]),
        .executable(name: "bourse-walletd", targets: ["walletd"]),
        .executable(name: "bourse-signerd", targets: ["signerd"]),
        .executable(name: "bourse-agentd", targets: ["agentd"]),
        .executable(name: "bourse-helper", targets: ["helper"]),
        .executable(name: "bourse-poller", targets: ["poller"]),
        .executable(name: "bourse-snmp", targets: ["snmp"]),
        .executable(name: "boursectl", targets: ["boursectl"]),
    ],
    dependencies: [
        // The gateway's sockets, HTTP/1.1 and WebSocket framing.
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        // TLS with both sides' certificates on NIO's sockets: to etcd, and from a gateway on a host
        // of its own to matchd.
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        // Command lines with help and completion.
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        // Structured logging; the daemons choose where it goes.
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        // Percentiles of durations in fixed memory.
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift.git", from: "0.2.0"),
        // Queues that are emptied from their front: an array moves all the rest each time.
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        // History in SQLite: one writer, pooled readers.
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    ],
    targets: [
        // Core: pure. No I/O, no clock, no Foundation.
        wing("Core", "Terms"),
        wing("Core", "JSON", ["Terms"]),
        wing("Core", "Slabs", ["CLinux"]),
        wing("Core", "Wire", ["Terms"]),
        wing("Core", "Engine", ["Terms", "Slabs", "Wire"], exclude: ["RULES.md"]),
        // Replays order events on the engine alone, to measure it.
        wing("Core", "Bench", ["Terms", "Slabs", "Wire", "Engine", "CCycles"]),
        // System: files, threads, clocks, systemd; what every daemon starts with.
        wing("System", "Platform", ["CLinux", "CSystemd"]),
        wing("System", "Secrets", ["Platform", "CCrypto", "CSSL"]),
        // Keys on PKCS#11 tokens, by libp11-kit: what asks no token does not link it.
        wing("System", "Tokens", ["Terms", "Secrets", "CToken"]),
        wing("System", "Configuration", ["Terms", "Platform"]),
        wing("System", "DaemonKit", ["Platform", "Configuration", logging]),
        // JSON by HTTP POST to other servers, with NIO's client: etcd, chain nodes.
        wing(
            "System", "Requests", [.product(name: "NIOSSL", package: "swift-nio-ssl")] + nio),
        // Wallet: custody on chains. Addresses as their documents say; pure.
        wing("Wallet", "Addresses", ["Terms", "Secrets"]),
        // Keys from a seed, on the curve by libsecp256k1.
        wing("Wallet", "Keys", ["Secrets", "Addresses", "CSecp"]),
        // Transactions of Bitcoin and its kin: coins, fees, signatures, PSBTs; pure.
        wing("Wallet", "UTXO", ["Terms", "Slabs", "Secrets", "Addresses", "Keys"]),
        // What EVM chains sign, call and log, as bytes.
        wing("Wallet", "EVM", ["Terms", "Addresses", "Keys"]),
        // Payments of withdrawals: planned by the wallet, reviewed and signed by the signer. Pure.
        wing(
            "Wallet", "Payments",
            ["Terms", "JSON", "Wire", "Engine", "Secrets", "Addresses", "Keys", "UTXO", "EVM"]),
        // Proof of liabilities: a Merkle sum tree over all accounts of an asset; pure.
        wing("Wallet", "Liabilities", ["Terms", "JSON", "Secrets"]),
        // What is asked of chains' nodes, over their JSON-RPC.
        wing(
            "Wallet", "Nodes",
            ["Terms", "JSON", "Platform", "Requests", "Addresses", "UTXO", "EVM"]),
        // Deposits: what of a chain goes into the log. Pure but for the node that it asks.
        wing("Wallet", "Deposits", ["Terms", "Addresses", "EVM", "Nodes"]),
        // The wallet's part in the log: follows the chains that it names.
        wing(
            "Wallet", "Custodian",
            [
                "Terms", "JSON", "Wire", "Engine", "Platform", "Addresses", "Keys", "UTXO",
                "EVM", "Payments", "Nodes", "Deposits", "Follower",
            ]),
        // How the wallet asks the signer: its client links no signer.
        wing("Wallet", "SignerAPI", ["JSON", "Platform", "Payments"]),
        // The signer: holds the seed, follows the log, keeps what it signed.
        wing(
            "Wallet", "Signing",
            [
                "Terms", "JSON", "Wire", "Engine", "Platform", "Secrets", "Tokens", "Addresses",
                "Keys", "UTXO", "EVM", "Payments", "SignerAPI", "Journal", "Link", "Follower",
            ]),
        // What the agent says, as types and as JSON, and the client of its socket.
        wing("Host", "AgentAPI", ["Terms", "JSON", "Platform"]),
        // What the root helper can be asked for: it links no check.
        wing("Host", "HelperAPI", ["Terms", "Platform"]),
        // The checks of a host: from what was read to what it means. Pure.
        wing("Host", "Checks", ["Terms", "JSON", "Configuration", "AgentAPI", "HelperAPI"]),
        // What the root helper does to a host.
        wing("Host", "Helper", ["JSON", "Platform", "HelperAPI"]),
        // The agent: reads a host, checks it and reports. Its pages are files in its folder.
        wing(
            "Host", "Agent",
            ["Terms", "JSON", "Platform", "AgentAPI", "HelperAPI", "Checks", deque] + nio,
            resources: ["html", "css", "js"].map { .embedInCode("Pages/ops.\($0)") }),
        // Names and values of SNMP.
        wing("Host", "SNMP"),
        // The poller reads other devices for the agent, the AgentX subagent serves what the agent
        // knows; libnetsnmp is used by these two alone.
        wing("Host", "DevicePoller", ["Platform", "SNMP", "CNetSNMP"]),
        wing("Host", "Subagent", ["Terms", "AgentAPI", "Platform", "SNMP", "CNetSNMP", deque]),
        // HA: who leads. Failover decides without I/O.
        wing("HA", "Failover", ["Terms"]),
        // What the agent and matchd say to each other.
        wing("HA", "Control", ["Terms", "JSON", "Failover"]),
        // Coordination: the record in etcd, and what carries the core's decisions out.
        wing(
            "HA", "Coordination",
            [
                "Terms", "JSON", "Platform", "Secrets", "Requests", "Failover", "Control",
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        // Log: fsync, sequence, replicate, release, subscribe.
        // Secrets: operators' signatures in records.
        wing("Log", "Journal", ["Terms", "Wire", "Engine", "Platform", "Secrets", "CLinux"]),
        wing("Log", "Link", ["Terms", "Wire", "Platform", "Secrets"]),
        wing(
            "Log", "Pipeline",
            [
                "Terms", "Slabs", "Wire", "Engine", "Failover", "Journal", "Link", "Platform",
                histogram,
            ]),
        wing(
            "Log", "Replication",
            ["Terms", "Wire", "Failover", "Journal", "Pipeline", "Platform", "Secrets"]),
        // One process's part in a pair, as the agent orders it.
        wing(
            "Log", "Replica",
            [
                "Terms", "JSON", "Wire", "Failover", "Control", "Journal", "Link", "Pipeline",
                "Replication", "Platform",
            ]),
        wing("Log", "Follower", ["Terms", "Wire", "Engine", "Journal", "Link", "Platform"]),
        wing("Log", "Audit", ["Terms", "Wire", "Engine", "Journal", "Platform"]),
        // Gateway: clients.
        wing("Gateway", "MarketData", ["Terms", "Wire", "Engine", deque]),
        wing(
            "Gateway", "History",
            [
                "Terms", "Wire", "Engine", "MarketData",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        wing(
            "Gateway", "SpotAPI",
            ["Terms", "JSON", "Wire", "Engine", "MarketData"]),
        wing(
            "Gateway", "Gateway",
            [
                "Terms", "Wire", "Engine", "Follower", "Link", "MarketData", "History", "SpotAPI",
                "Addresses", "Keys", "UTXO", "EVM", "Secrets", "Platform", logging, webSocket,
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio),
        // CLI: the commands of boursectl, and how they present what they read.
        wing("CLI", "Presentation", ["Terms", "JSON", "Wire", "Platform"]),
        wing(
            "CLI", "BoursectlCommands",
            [
                "Terms", "JSON", "Wire", "Engine", "Bench", "Failover", "Control", "Journal",
                "Link", "Platform", "AgentAPI", "HelperAPI", "Checks", "Follower", "Configuration",
                "Secrets", "Tokens", "Addresses", "Keys", "UTXO", "EVM", "Payments", "Liabilities",
                "Presentation", arguments,
                histogram,
            ]),
        // Daemons: compose only.
        daemon(
            "matchd",
            [
                "Terms", "Engine", "Failover", "Journal", "Link", "Pipeline", "Replication",
                "Replica", "Platform", "Configuration", "DaemonKit", "Secrets", logging,
            ]),
        daemon("helper", ["Helper", "DaemonKit", logging]),
        daemon(
            "auditd", ["Engine", "Audit", "Platform", "Configuration", "DaemonKit", logging]),
        daemon(
            "gatewayd",
            [
                "Gateway", "SpotAPI", "Platform", "Configuration", "DaemonKit", "History",
                "Secrets", "Terms", logging,
            ]),
        daemon(
            "walletd",
            [
                "Terms", "JSON", "Platform", "Configuration", "DaemonKit", "Requests", "Addresses",
                "EVM", "Nodes", "Payments", "SignerAPI", "Link", "Follower", "Custodian", logging,
            ]),
        daemon(
            "signerd",
            [
                "Terms", "Platform", "Tokens", "Configuration", "DaemonKit", "Keys", "EVM",
                "Payments", "Link", "Signing", logging,
            ]),
        daemon("poller", ["Platform", "Configuration", "DaemonKit", "DevicePoller"]),
        daemon("snmp", ["Platform", "Configuration", "DaemonKit", "Subagent"]),
        daemon(
            "agentd",
            [
                "Terms", "JSON", "Platform", "Secrets", "Requests", "Failover", "Control",
                "Coordination", "AgentAPI", "HelperAPI", "Checks", "Configuration", "DaemonKit",
                "Agent", "Link", logging,
            ]),
        daemon("boursectl", ["BoursectlCommands"]),
        // Shims: plain C types only.
        .target(name: "CLinux", path: "Sources/Shims/CLinux"),
        .target(name: "CCycles", path: "Sources/Shims/CCycles"),
        .target(
            name: "CSystemd", path: "Sources/Shims/CSystemd",
            linkerSettings: [.linkedLibrary("systemd")]),
        .target(
            name: "CCrypto", path: "Sources/Shims/CCrypto",
            linkerSettings: [.linkedLibrary("crypto")]),
        .target(
            name: "CSecp", path: "Sources/Shims/CSecp",
            linkerSettings: [.linkedLibrary("secp256k1")]),
        .target(
            name: "CToken", path: "Sources/Shims/CToken",
            // Debian's only place of its headers; they include each other by their folder.
            cSettings: [.unsafeFlags(["-I/usr/include/p11-kit-1"])],
            linkerSettings: [.linkedLibrary("p11-kit")]),
        .target(
            name: "CSSL", path: "Sources/Shims/CSSL",
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(
            name: "CNetSNMP", path: "Sources/Shims/CNetSNMP",
            linkerSettings: [.linkedLibrary("netsnmpagent"), .linkedLibrary("netsnmp")]),
        // Tests, mirroring Sources.
        // Secrets: another SHA-256 beside the engine's own, and signatures.
        tests(
            "CoreTests", ["Terms", "Slabs", "Wire", "Engine", "Secrets"],
            exclude: ["Fixtures", "Scenarios"]),
        tests("BenchTests", ["Terms", "Engine", "Bench"]),
        tests(
            "LogTests",
            [
                "Terms", "Slabs", "Wire", "Engine", "Failover", "Journal", "Link", "Pipeline",
                "Replica", "Follower", "Audit", "Platform", "Secrets",
            ], exclude: ["Fixtures"]),
        tests(
            "ReplicationTests",
            [
                "Terms", "Slabs", "Wire", "Failover", "Journal", "Pipeline", "Replication",
                "Platform", "Secrets",
            ]),
        tests(
            "HATests", ["Terms", "JSON", "Slabs", "Failover", "Control"], exclude: ["Scenarios"]),
        tests(
            "CoordinationTests",
            [
                "Terms", "JSON", "Platform", "Secrets", "Requests", "Failover", "Control",
                "Coordination", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests(
            "GatewayTests",
            [
                "Terms", "JSON", "Slabs", "Wire", "Engine", "MarketData", "History", "SpotAPI",
                "Gateway", "Secrets", "Journal", "Link", "Pipeline", "Platform", logging,
                .product(name: "GRDB", package: "GRDB.swift"),
            ], exclude: ["Fixtures"]),
        tests(
            "HostTests",
            [
                "Terms", "JSON", "Platform", "Configuration", "AgentAPI", "HelperAPI", "Checks",
                "Helper", "Agent", "SNMP", "DevicePoller", "Subagent",
            ],
            exclude: ["Fixtures"]),
        tests(
            "SystemTests",
            ["Terms", "Slabs", "Platform", "Secrets", "Configuration", "DaemonKit", logging]),
        tests(
            "CLITests",
            [
                "Terms", "JSON", "Wire", "Engine", "Addresses", "AgentAPI", "Configuration",
                "Secrets", "Presentation", "BoursectlCommands",
            ]),
        tests(
            "WalletTests",
            [
                "Terms", "JSON", "Slabs", "Wire", "Engine", "Platform", "Secrets", "Requests",
                "Addresses", "Keys", "Liabilities", "Nodes", "Deposits", "EVM", "UTXO", "Payments",
                "Custodian", "BoursectlCommands",
            ]),
        tests(
            "SigningTests",
            [
                "Terms", "Wire", "Engine", "Platform", "Secrets", "Addresses", "Keys", "UTXO",
                "EVM", "Payments", "SignerAPI", "Journal", "Link", "Signing",
            ]),
        tests("TidyTests", []),
        .target(name: "CMachine", path: "Tests/PairSimulation/CMachine"),
        simulation(
            "PairSimulation",
            [
                "CMachine", "Terms", "Wire", "Engine", "Platform", "Secrets", "Failover", "Control",
                "Journal", "Link", "Pipeline", "Replication", "Replica", "Follower",
            ]),
    ]
)
