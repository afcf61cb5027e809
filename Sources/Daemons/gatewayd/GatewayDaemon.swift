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
        log.notice("listening at \(settings.gatewayd.listen.host):\(server.port)")
        ServiceManager.ready()
        watch(server, daemon)
        ServiceManager.stopping()
        try server.stop()
        withExtendedLifetime(lock) {}
        if let text = fault.text { throw GatewayDaemonError(description: text) }
        log.notice("stopped")
    }

    private func start() throws -> GatewayServer {
        var options = GatewayOptions(
            host: settings.gatewayd.listen.host, port: Int(settings.gatewayd.listen.port),
            linkSocket: settings.matchd.socket, name: settings.gatewayd.name,
            sealKeyFile: sealKeyFile)
        options.linkHosts = settings.gatewayd.hosts.map {
            LinkHost(name: $0.name, address: $0.link.host, port: $0.link.port)
        }
        options.linkFiles = settings.gatewayFiles.map {
            TLSFiles(authority: $0.authority, certificate: $0.certificate, key: $0.key)
        }
        options.connectionsMax = settings.gatewayd.connections
        options.connectionsPerAddressMax = settings.gatewayd.connectionsPerAddress
        options.clientBytesMax = settings.gatewayd.clientMemoryBytes
        options.rateLimits = RateLimits(
            weightPerMinute: settings.gatewayd.weightPerMinute,
            ordersPer10Seconds: settings.gatewayd.ordersPer10Seconds,
            ordersPerDay: settings.gatewayd.ordersPerDay)
        let file = settings.historyFile
        let fault = fault
        do {
            return try GatewayServer(
                options, log: log,
                openHistory: { high, low throws(HistoryError) in
                    let history = try History(file: file, journalHigh: high, journalLow: low)
                    if let why = history.replaced {
                        log.error("\(why): history is written anew from the log")
                    }
                    return history
                }, onFault: { fault.text = $0 })
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
        daemon.watch {
            // The event loop answers: if it hangs, the watchdog gets no sign of life.
            let now = server.status()
            ServiceManager.watchdog()
            let status =
                now.isConnected
                ? now.isCaughtUp ? "serving" : "reading the log, at record \(now.sequence)"
                : "matchd is away; requests that need it get 503"
                    + (now.lossText.isEmpty ? "" : " (\(now.lossText))")
            if status != lastStatus { ServiceManager.status(status) }
            lastStatus = status
            return fault.text == nil
        }
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
