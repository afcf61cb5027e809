// The wallet's life: it follows the log and the chains until a signal.

import Addresses
import Configuration
import Custodian
import DaemonKit
import Follower
import JSON
import Link
import Logging
import Nodes
import Platform
import Requests
import Terms

/// The wallet of one state directory.
struct WalletDaemon {
    let settings: Settings
    let log: Logger

    /// How long the log may take to come in at the start.
    private static var replicaNanosMax: Int64 { 600_000_000_000 }
    /// How long one wait for the log lasts while the chains are in step.
    private static var waitNanos: Int64 { 200_000_000 }

    /// What is wrong with the settings of the nodes.
    static func problems(_ settings: Settings) -> [(key: String, text: String)] {
        settings.walletd.nodes.compactMap { node in
            if UTXONetwork.named(node.chain) == nil {
                let known = UTXONetwork.all.map(\.name).joined(separator: ", ")
                return ("walletd.nodes", "there is no chain \(node.chain); there are \(known)")
            }
            guard let endpoint = HTTPEndpoint(node.url), !endpoint.isSecure else {
                return (
                    "walletd.nodes",
                    "\(node.url) is no address of a node: expected http://HOST:PORT, on this host "
                        + "or through a tunnel, as nodes have no TLS"
                )
            }
            return nil
        }
    }

    /// Works until a signal. A session that ends is begun anew: all that counts is in the log.
    func run(until signals: Signals) throws {
        let lock = try StateLock(directory: settings.walletd.state, name: "walletd.lock")
        ServiceManager.ready()
        var absence = ""
        while true {
            do throws(CommandSessionError) {
                let session = try connect()
                absence = ""
                log.notice("follows the log from record \(session.replica.sequence)")
                try serve(session, until: signals)
                break
            } catch {
                if case .link(.refused(let refusal)) = error, refusal.code == .access {
                    throw WalletDaemonError(description: refusal.text)
                }
                // The same fault is said once.
                if "\(error)" != absence { log.warning("\(error); trying again") }
                absence = "\(error)"
                write([], isConnected: false)
                ServiceManager.status("matchd is away")
                ServiceManager.watchdog()
            }
            if signals.wait(milliseconds: 1_000) != nil { break }
        }
        ServiceManager.stopping()
        write([], isConnected: false)
        log.notice("stopped")
        withExtendedLifetime(lock) {}
    }

    private func connect() throws(CommandSessionError) -> CommandSession<EngineReplica> {
        guard let name = Text40("\(LinkProtocol.walletPrefix)main") else {
            preconditionFailure("a printable name")
        }
        let socket = settings.matchd.socket
        return try unsafe CommandSession(
            name,
            connect: { name throws(LinkError) in
                try LinkClient.connect(unix: socket, name: name, wantsAcks: false)
            },
            replica: { EngineReplica($0) }, replicaNanosMax: Self.replicaNanosMax,
            lost: { log.warning("\($0); reconnecting") }, see: { _, _, _, _ in })
    }

    /// Follows log and chains until a signal.
    private func serve(
        _ session: CommandSession<EngineReplica>, until signals: Signals
    ) throws(CommandSessionError) {
        let custodian = Custodian(session) { network in
            settings.walletd.nodes.first { $0.chain == network.name }.flatMap { node in
                HTTPEndpoint(node.url).map {
                    UTXONode(
                        NodeSettings(endpoint: $0, loginFile: node.loginFile), network: network)
                }
            }
        }
        var (said, isBehind, writeTime): ([NetworkID: ChainCondition], Bool, Int64) = (
            [:], false, 0
        )
        while true {
            try session.follow(nanos: isBehind ? 0 : Self.waitNanos)
            isBehind = try custodian.work()
            for report in custodian.reports where said[report.network] != report.condition {
                said[report.network] = report.condition
                let text = "\(report.chain): \(report.condition.rawValue): \(report.text)"
                if report.condition.isSound { log.notice("\(text)") } else { log.error("\(text)") }
            }
            ServiceManager.watchdog()
            let now = Clock.monotonicNanos()
            if now >= writeTime {
                writeTime = now + 1_000_000_000
                write(custodian.reports, isConnected: true)
                ServiceManager.status(summary(custodian.reports))
            }
            if let signal = signals.wait(milliseconds: 0) {
                log.notice("got signal \(signal), stopping")
                return
            }
        }
    }

    private func summary(_ reports: [ChainReport]) -> String {
        reports.isEmpty
            ? "no chain is set"
            : reports.map { "\($0.chain) \($0.condition.rawValue)" }.joined(separator: ", ")
    }

    /// Writes what others read of it. A file that cannot be written stops nothing.
    private func write(_ reports: [ChainReport], isConnected: Bool) {
        let status: JSONValue = [
            "time": .number(Clock.realtimeNanos()), "isConnected": .bool(isConnected),
            "chains": .array(reports.map(\.json)),
        ]
        do throws(SystemError) {
            try File.replace(
                settings.walletd.status, with: Array(status.compact.utf8), mode: 0o640)
        } catch { log.warning("the status is not written: \(error)") }
    }
}

/// Why the wallet cannot go on.
struct WalletDaemonError: Error, CustomStringConvertible { let description: String }
