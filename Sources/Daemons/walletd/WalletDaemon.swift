// The wallet's life: it follows the log and the chains until a signal.

import Addresses
import Configuration
import Custodian
import DaemonKit
import EVM
import Follower
import JSON
import Link
import Logging
import Nodes
import Payments
import Platform
import Requests
import SignerAPI
import Terms

/// The wallet of one state directory.
struct WalletDaemon {
    let settings: Settings
    let log: Logger
    private let statusComplaint: Complaint
    private let screening: Screening?

    init(settings: Settings, log: Logger) throws {
        (self.settings, self.log, statusComplaint) = (settings, log, Complaint(log))
        screening = try settings.walletd.screening.map { service in
            guard let client = ScreeningClient(service.url, loginFile: service.loginFile) else {
                preconditionFailure("it was checked at the start")
            }
            return try Screening(client)
        }
    }

    /// How long one wait for the log lasts while the chains are in step.
    private static var waitNanos: Int64 { 200_000_000 }

    /// What is wrong with the settings of the nodes.
    static func problems(_ settings: Settings) -> [(key: String, text: String)] {
        var problems: [(key: String, text: String)] = []
        do throws(EVMAssetListError) { _ = try EVMAssetList(settings.walletd.assets) } catch {
            problems.append(("walletd.assets", "\(error)"))
        }
        if let screen = settings.walletd.screening,
            ScreeningClient(screen.url, loginFile: nil) == nil
        {
            problems.append(
                (
                    "walletd.screening",
                    "\(screen.url) is no address of a service on this host: expected "
                        + "http://127.0.0.1:PORT/PATH; one elsewhere is reached through a tunnel"
                ))
        }
        return problems
            + settings.walletd.nodes.compactMap { node in
                if UTXONetwork.named(node.chain) == nil, EVMNetwork.named(node.chain) == nil {
                    let names = UTXONetwork.all.map(\.name) + EVMNetwork.all.map(\.name)
                    let known = names.joined(separator: ", ")
                    return ("walletd.nodes", "there is no chain \(node.chain); there are \(known)")
                }
                guard let endpoint = HTTPEndpoint(node.url), !endpoint.isSecure else {
                    return (
                        "walletd.nodes",
                        "\(node.url) is no address of a node: expected http://HOST:PORT, on this "
                            + "host or through a tunnel, as nodes have no TLS"
                    )
                }
                return nil
            }
    }

    /// Works until a signal, or until its replica does not fit the log any more.
    func run(until signals: Signals) throws {
        let lock = try StateLock(directory: settings.walletd.state, name: "walletd.lock")
        ServiceManager.ready()
        let complaint = Complaint(log)
        while signals.wait(milliseconds: 0) == nil {
            do throws(CommandSessionError) {
                let store = CoinStore(settings.walletd.coinsFile, log)
                let session = try connect(store)
                log.notice("follows the log")
                if try serve(session, store, until: signals, complaint) { break }
            } catch {
                if let refusal = error.access { throw WalletDaemonError(description: refusal) }
                if case .replica = error { throw error }
                complaint.say("\(error)")
                tell([], isConnected: false)
            }
            if signals.wait(milliseconds: 1_000) != nil { break }
        }
        ServiceManager.stopping()
        write([], isConnected: false)
        log.notice("stopped")
        withExtendedLifetime(lock) {}
    }

    private func connect(
        _ store: CoinStore
    ) throws(CommandSessionError) -> CommandSession<EngineReplica> {
        guard let name = Text40("\(LinkProtocol.walletPrefix)main") else {
            preconditionFailure("a printable name")
        }
        let socket = settings.matchd.socket
        return try unsafe CommandSession(
            name,
            connect: { name, nanos throws(LinkError) in
                try LinkClient.connect(
                    unix: socket, name: name, wantsAcks: false,
                    purpose: [.writer, .follower, .wallet], timeoutNanos: nanos)
            },
            replica: { welcome in
                store.begin(welcome.journalHigh, welcome.journalLow)
                return EngineReplica(welcome, snapshotAtMost: store.keeper.table.sequence)
            },
            replicaNanosMax: 0, lost: { log.warning("\($0); reconnecting") },
            see: { [keeper = store.keeper] in unsafe keeper.see($0, $1, $2, $3) })
    }

    /// Follows log and chains until a signal; false: the coins were of another log, and it is read
    /// from its start.
    private func serve(
        _ session: CommandSession<EngineReplica>, _ store: CoinStore, until signals: Signals,
        _ complaint: Complaint
    ) throws(CommandSessionError) -> Bool {
        let custodian = Custodian(
            session, coins: store.keeper, signer: SignerSocket(path: settings.signerd.socket),
            elsewhere: settings.walletd.elsewhere.map { ($0.asset, $0.amount) }, node: node)
        custodian.writeOff(
            settings.walletd.writtenOff.compactMap { text in
                let parts = text.split(separator: ":")
                guard parts.count == 2, let id = TransactionID(hex: String(parts[0])),
                    let output = UInt32(parts[1])
                else { return nil }
                return (id, output)
            })
        custodian.makeSecond = { network in
            node(network.name, 1).map { UTXONode($0, network: network) }
        }
        custodian.secondAbove = settings.walletd.secondAbove.map { ($0.asset, $0.amount) }
        custodian.previousFolder = settings.walletd.previousFolder
        screening?.forget()
        custodian.screening = screening
        custodian.bumpNanos = settings.walletd.bumpSeconds * 1_000_000_000
        custodian.consolidation = ConsolidationTerms(
            above: Int(settings.walletd.consolidateAbove),
            feePerKilobyteMax: settings.walletd.consolidateFee)
        // Checked at the start.
        let assets = (try? EVMAssetList(settings.walletd.assets)) ?? EVMAssetList()
        let evm = EVMCustodian(
            session, coins: store.keeper, signer: SignerSocket(path: settings.signerd.socket),
            assets: assets, node: node)
        evm.makeSecond = { network in
            node(network.name, 1).map { EVMNode($0, network: network) }
        }
        evm.secondAbove = settings.walletd.secondAbove.map { ($0.asset, $0.amount) }
        evm.screening = screening
        evm.elsewhere = settings.walletd.elsewhere.map { ($0.asset, $0.amount) }
        evm.sweepsDeposits = settings.walletd.sweeps
        evm.sweepAbove = settings.walletd.sweepAbove.map { ($0.asset, $0.amount) }
        let requests = OperatorRequests(settings, log)
        let conditions = Conditions(log)
        var (isBehind, writeTime) = (false, Int64(0))
        while true {
            do throws(CommandSessionError) {
                try session.follow(nanos: isBehind ? 0 : Self.waitNanos)
                let isUTXOBehind = try custodian.work()
                isBehind = try evm.work() || isUTXOBehind
                if session.isCaughtUp { complaint.isOver() }
            } catch {
                // What was to be submitted comes again.
                if session.hasEnded || error.access != nil { throw error }
                isBehind = false
                complaint.say("\(error)")
            }
            let reports = (custodian.reports + evm.reports)
                .sorted { $0.network.number < $1.network.number }
            for remark in custodian.takeRemarks() + evm.takeRemarks() {
                log.warning("\(remark)")
            }
            for report in reports { conditions.say(report) }
            ServiceManager.watchdog()
            let now = Clock.monotonicNanos()
            if now >= writeTime {
                writeTime = now + 1_000_000_000
                tell(reports, isConnected: session.isCaughtUp)
                if let withdrawal = requests.takeBump() { custodian.bump(withdrawal) }
                if let wanted = requests.takeAdoption() {
                    if custodian.follows(wanted.network) {
                        custodian.adopt(wanted.id, on: wanted.network, at: wanted.height)
                    } else {
                        evm.adopt(wanted.id, on: wanted.network)
                    }
                }
                if let (network, bytes) = requests.takeArrival() {
                    if evm.follows(network) {
                        evm.importCold(bytes, on: network)
                    } else {
                        custodian.bringFromCold(bytes, on: network)
                    }
                }
            }
            if session.isCaughtUp, store.isOfOtherLog(session.replica.sequence) { return false }
            store.save(atLeastEvery: CoinStore.saveNanos)
            if let signal = signals.wait(milliseconds: 0) {
                log.notice("got signal \(signal), stopping")
                store.save(atLeastEvery: 0)
                return true
            }
        }
    }

    /// The node of a chain; nil where the settings name none.
    func node(of network: UTXONetwork) -> UTXONode? {
        node(network.name).map { UTXONode($0, network: network) }
    }

    /// As for a UTXO chain.
    private func node(of network: EVMNetwork) -> EVMNode? {
        node(network.name).map { EVMNode($0, network: network) }
    }

    /// The first or second node of a chain.
    private func node(_ chain: String, _ place: Int = 0) -> NodeSettings? {
        let nodes = settings.walletd.nodes.filter { $0.chain == chain }
        guard place < nodes.count, let endpoint = HTTPEndpoint(nodes[place].url) else { return nil }
        let node = nodes[place]
        return NodeSettings(endpoint: endpoint, loginFile: node.loginFile)
    }

    private func tell(_ reports: [ChainReport], isConnected: Bool) {
        ServiceManager.watchdog()
        write(reports, isConnected: isConnected)
        let chains = reports.map { "\($0.chain) \($0.condition.rawValue)" }
        ServiceManager.status(
            !isConnected
                ? "matchd is away"
                : chains.isEmpty ? "no chain is set" : chains.joined(separator: ", "))
    }

    /// Writes what others read of it. A file that cannot be written stops nothing.
    private func write(_ reports: [ChainReport], isConnected: Bool) {
        // Whoever reads it takes so many values.
        var left = ColdReport.allMax
        let chains = reports.map { report in
            var report = report
            report.cold.bound(&left)
            return report.json
        }
        let status: JSONValue = [
            "time": .number(Clock.realtimeNanos()), "isConnected": .bool(isConnected),
            "chains": .array(chains),
        ]
        do throws(SystemError) {
            try File.replace(
                settings.walletd.status, with: Array(status.compact.utf8), mode: 0o640)
            statusComplaint.isOver()
        } catch { statusComplaint.say("the status is not written: \(error)") }
    }
}

/// The signer at its socket.
struct SignerSocket: SignatureSource {
    let path: String
    /// How long it may take: a transaction of many inputs has many signatures.
    private static let milliseconds: Int64 = 5_000

    func answer(_ request: SigningRequest) -> Result<SigningAnswer, SignerAbsenceError> {
        do throws(SignerError) {
            let client = SignerClient(socket: path)
            return .success(try client.ask(request, milliseconds: Self.milliseconds))
        } catch { return .failure(SignerAbsenceError(text: "\(error)")) }
    }
}

/// Says each fault once, until another one comes or it is over.
final class Complaint {
    private let log: Logger
    private var last = ""

    init(_ log: Logger) { self.log = log }

    func say(_ text: String) {
        if text != last { log.warning("\(text); trying again") }
        last = text
    }

    func isOver() { last = "" }
}

/// Says how each chain, its withdrawals and its books stand, when one of them stands otherwise.
final class Conditions {
    private struct Subject: Hashable {
        let network: NetworkID
        let part: String
    }

    private let log: Logger
    private var said: [Subject: String] = [:]

    init(_ log: Logger) { self.log = log }

    func say(_ report: ChainReport) {
        let (payouts, books) = (report.payouts, report.books)
        say(report, "", report.condition.rawValue, report.condition.isSound, report.text)
        say(
            report, "withdrawals: ", payouts.condition.rawValue, payouts.condition.isSound,
            payouts.text)
        say(report, "books: ", books.condition.rawValue, books.condition.isSound, books.text)
    }

    private func say(
        _ report: ChainReport, _ part: String, _ condition: String, _ isSound: Bool, _ text: String
    ) {
        let subject = Subject(network: report.network, part: part)
        guard said[subject] != condition else { return }
        said[subject] = condition
        let reason = text.isEmpty ? "" : ": \(text)"
        log.log(level: isSound ? .notice : .error, "\(report.chain): \(part)\(condition)\(reason)")
    }
}

extension CommandSessionError {
    /// Why matchd does not let this program in at all; nil: it does.
    var access: String? {
        guard case .link(.refused(let refusal)) = self, refusal.code == .access else { return nil }
        return refusal.text
    }
}

/// Why the wallet cannot go on.
struct WalletDaemonError: Error, CustomStringConvertible { let description: String }
