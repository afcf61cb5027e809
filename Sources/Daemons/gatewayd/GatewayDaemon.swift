// The daemon's life: start, watch, stop.

import Configuration
import DaemonKit
import Gateway
import History
import Logging
import Platform
import Secrets
import SpotAPI
import Synchronization
import Terms

/// A gateway under a service manager.
struct GatewayDaemon {
    let settings: Settings
    let log: Logger
    /// Why the gateway cannot continue, once that is so.
    private let fault = FaultBox()
    /// systemd passes the key where the gateway's user may not read the file itself.
    private var sealKeyFile: String {
        ServiceManager.credential("seal.key") ?? settings.sealKeyFile
    }

    /// Serves until a signal or a fault, which it throws.
    func run(_ daemon: DaemonProcess) throws {
        // Two gateways on one history would write it twice. This also reports a missing state
        // directory.
        let lock = try StateLock(directory: settings.gatewayd.state, name: "gatewayd.lock")
        if !Directory.exists(settings.historyDirectory) {
            try Directory.create(settings.historyDirectory)
        }
        // Checked now, so that it is not the first client that finds a missing or readable key.
        _ = try SealKey.load(sealKeyFile)
        let server = try start()
        let ends = server.status().certificateEnds
        log.notice(
            "listening at \(settings.gatewayd.listen.host):\(server.port), \(Self.words(ends))")
        warn(ends)
        ServiceManager.ready()
        watch(server, daemon)
        ServiceManager.stopping()
        try server.stop()
        withExtendedLifetime(lock) {}
        if let text = fault.text { throw GatewayDaemonError(description: text) }
        log.notice("stopped")
    }

    /// What is wrong with the certificate's files, by key.
    static func tlsProblems(_ settings: Settings) -> [(key: String, text: String)] {
        guard let certificate = settings.gatewayd.tlsCertificate, let key = settings.gatewayd.tlsKey
        else { return [] }
        let files = ClientTLSFiles(certificate: certificate, key: key)
        return files.problem.map { [("gatewayd.tls_certificate", $0)] } ?? []
    }

    /// What the gateway takes of a configuration.
    private func options(_ settings: Settings) -> GatewayOptions {
        var options = GatewayOptions(
            host: settings.gatewayd.listen.host, port: Int(settings.gatewayd.listen.port),
            linkSocket: settings.matchd.socket, name: settings.gatewayd.name,
            sealKeyFile: sealKeyFile)
        if let certificate = settings.gatewayd.tlsCertificate, let key = settings.gatewayd.tlsKey {
            options.clientTLS = ClientTLSFiles(certificate: certificate, key: key)
        }
        options.linkHosts = settings.gatewayd.hosts.map {
            LinkHost(name: $0.name, address: $0.link.host, port: $0.link.port)
        }
        options.linkFiles = settings.gatewayFiles.map {
            TLSFiles(authority: $0.authority, certificate: $0.certificate, key: $0.key)
        }
        options.proxies = settings.gatewayd.proxies
        options.connectionsMax = settings.gatewayd.connections
        options.connectionsPerAddressMax = settings.gatewayd.connectionsPerAddress
        options.clientBytesMax = settings.gatewayd.clientMemoryBytes
        options.rateLimits = RateLimits(
            weightPerMinute: settings.gatewayd.weightPerMinute,
            ordersPer10Seconds: settings.gatewayd.ordersPer10Seconds,
            ordersPerDay: settings.gatewayd.ordersPerDay)
        return options
    }

    private func start() throws -> GatewayServer {
        let file = settings.historyFile
        let fault = fault
        do {
            return try GatewayServer(
                options(settings), log: log,
                openHistory: { high, low throws(HistoryError) in
                    let history = try History(file: file, journalHigh: high, journalLow: low)
                    if let why = history.replaced {
                        log.error("\(why): history is written anew from the log")
                    }
                    return history
                }, onFault: { fault.text = $0 })
        } catch let error as ClientTLSError {
            throw GatewayDaemonError(description: error.description)
        } catch {
            throw GatewayDaemonError(
                description: """
                    cannot listen at \(settings.gatewayd.listen): \(error); is another process \
                    there? The address is [gatewayd] listen in \(settings.file)
                    """)
        }
    }

    /// Waits for a signal or a fault; reports the gateway's state to the service manager.
    private func watch(_ server: GatewayServer, _ daemon: DaemonProcess) {
        var lastStatus = ""
        var nextWarning = Clock.monotonicNanos() + Self.dayNanos
        var isReloadRefused = false
        daemon.watch(reload: { isReloadRefused = !reload(server) }) {
            // The event loop answers: if it hangs, the watchdog gets no sign of life.
            let now = server.status()
            ServiceManager.watchdog()
            let status =
                now.isConnected
                ? now.isCaughtUp ? "serving" : "reading the log, at record \(now.sequence)"
                : "matchd is away; requests that need it get 503"
                    + (now.lossText.isEmpty ? "" : " (\(now.lossText))")
            let isEnding = now.certificateEnds.map(Self.isNear) ?? false
            let whole =
                status + (isEnding ? "; the certificate ends soon, see the log" : "")
                + (isReloadRefused ? "; a reload was refused, see the log" : "")
            if whole != lastStatus { ServiceManager.status(whole) }
            lastStatus = whole
            if Clock.monotonicNanos() >= nextWarning {
                nextWarning += Self.dayNanos
                warn(now.certificateEnds)
            }
            return fault.text == nil
        }
    }

    // MARK: Reloading

    private static func isNear(_ ends: Int64) -> Bool {
        ends - Clock.realtimeNanos() / 1_000_000_000 < 14 * 86_400
    }

    private static let dayNanos: Int64 = 86_400 * 1_000_000_000

    /// Takes what can be taken without a restart, and says what it took. What cannot be used
    /// changes nothing, and is false.
    private func reload(_ server: GatewayServer) -> Bool {
        do {
            let fresh = try Settings.load(path: settings.file) { $0.gatewayProblems }
            try server.reload(options(fresh))
            let limits = fresh.gatewayd
            let ends = server.status().certificateEnds
            log.notice(
                """
                reloaded \(settings.file): \(Self.words(ends)); proxies, \(limits.connections) \
                connections, \(limits.connectionsPerAddress) of one address; weight \
                \(limits.weightPerMinute) a minute, orders \(limits.ordersPer10Seconds) in 10 \
                seconds and \(limits.ordersPerDay) a day
                """)
            warn(ends)
            if !isReloaded(fresh) {
                log.warning(
                    """
                    \(settings.file) differs in more than that from what runs: the rest is taken \
                    by a restart
                    """)
            }
            return true
        } catch {
            log.error("reloaded nothing, what ran goes on: \(error)")
            return false
        }
    }

    /// Whether nothing differs from what started but what a reload takes.
    private func isReloaded(_ fresh: Settings) -> Bool {
        var started = settings
        started.gatewayd.proxies = fresh.gatewayd.proxies
        started.gatewayd.connections = fresh.gatewayd.connections
        started.gatewayd.connectionsPerAddress = fresh.gatewayd.connectionsPerAddress
        started.gatewayd.weightPerMinute = fresh.gatewayd.weightPerMinute
        started.gatewayd.ordersPer10Seconds = fresh.gatewayd.ordersPer10Seconds
        started.gatewayd.ordersPerDay = fresh.gatewayd.ordersPerDay
        return started == fresh
    }

    private static func words(_ ends: Int64?) -> String {
        guard let ends else { return "plain HTTP" }
        return "TLS with a certificate until \(time(ends))"
    }

    private static func time(_ seconds: Int64) -> String {
        let (nanos, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return timeText(nanos: isOver ? .max : nanos, digits: 0)
    }

    /// Says when clients will soon refuse the certificate, or do.
    private func warn(_ ends: Int64?) {
        guard let ends, Self.isNear(ends), let file = settings.gatewayd.tlsCertificate else {
            return
        }
        let what = ends <= Clock.realtimeNanos() / 1_000_000_000 ? "ended" : "ends"
        log.warning(
            """
            the certificate in \(file) \(what) at \(Self.time(ends)): put a new one there, then \
            systemctl reload bourse-gatewayd
            """)
    }
}

/// Why the gateway cannot start or continue.
struct GatewayDaemonError: Error, CustomStringConvertible { let description: String }

/// A fault's text, set by one thread and read by another.
final class FaultBox: Sendable {
    private let stored = Mutex<String?>(nil)

    var text: String? {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = $0 ?? newValue } }
    }
}
