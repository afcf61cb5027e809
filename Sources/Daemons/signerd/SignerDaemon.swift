// The signer's life: it follows the log and answers the wallet until a signal.

import Configuration
import DaemonKit
import EVM
import Keys
import Link
import Logging
import Payments
import Platform
import Signing
import Terms
import Tokens

extension SignerPlace {
    /// The files of these settings.
    init(_ settings: Settings) {
        self.init(directory: settings.signerd.state, configuration: settings.file)
    }
}

/// The signer of one state directory.
struct SignerDaemon {
    let settings: Settings
    let log: Logger
    let place: SignerPlace
    /// How long one wait for the log lasts: so long a request may wait.
    private static var waitNanos: Int64 { 20_000_000 }
    /// How long one wait for a part of a request lasts.
    private static var partMillis: Int32 { 20 }

    init(_ settings: Settings, _ log: Logger) {
        (self.settings, self.log, place) = (settings, log, SignerPlace(settings))
    }

    /// systemd passes the seed where the signer's user may not read the file itself.
    private var seedFile: String {
        ServiceManager.credential("wallet.seed") ?? settings.walletSeedFile
    }

    /// Runs `body`; where only an operator can help, the exit status says so.
    static func reporting(_ log: Logger, _ body: () throws -> Void) throws {
        do { try body() } catch let error as SignedListError {
            if case .system = error { throw error }
            log.fatal("\(error)", status: DaemonExit.journal)
        } catch SignerFaultError.otherLog(let what) {
            log.fatal("\(SignerFaultError.otherLog(what))", status: DaemonExit.journal)
        } catch let error as WalletSeedError {
            // Each start would be one of the few wrong PINs that the token allows.
            switch error {
            case .token(_, .wrongPIN), .token(_, .locked), .token(_, .expiredPIN): break
            default: throw error
            }
            log.fatal("\(error)", status: DaemonExit.configuration)
        }
    }

    /// Checks seed and list, and shows what may be known of them.
    func check() throws {
        let master = try WalletSeed.load(seedFile)
        let list = try SignedList(place, mends: false)
        print("seed: fingerprint \(master.publicKey.fingerprint.hexText)")
        print("list \(list.base.identity): \(list.entries.count) payments of open withdrawals")
        for entry in list.entries {
            let ids = entry.payment.withdrawals.map { "\($0.number)" }.joined(separator: ", ")
            print("\(entry.payment.transaction.hex) on \(entry.chain), of withdrawals \(ids)")
        }
    }

    /// Works until a signal, or until it must not sign by its log or its list.
    func run(until signals: Signals) throws {
        try Host.hideMemory()
        do throws(SystemError) { if Host.mayLockMemory { try Host.lockMemory() } } catch {
            log.warning("its memory may be swapped out: \(error)")
        }
        let master = try WalletSeed.load(seedFile)
        let users = try walletUsers()
        // Missing is also what a volume is that is not mounted: that the list's error says.
        let lock =
            Directory.isDirectory(place.directory)
            ? try StateLock(directory: place.directory, name: "signerd.lock") : nil
        let signer = try signer(master)
        if let parent = Directory.parent(of: settings.signerd.socket) {
            try Directory.create(parent)
        }
        let server = try SignerServer(settings.signerd.socket, users: users) {
            log.warning("\($0)")
        }
        ServiceManager.ready()
        log.notice("listening at \(settings.signerd.socket)")
        defer {
            ServiceManager.stopping()
            signer.saveState()
            withExtendedLifetime(lock) {}
        }
        var (status, statusTime, refused) = ("", Int64(0), "")
        while true {
            if let signal = signals.wait(milliseconds: 0) {
                log.notice("got signal \(signal), stopping")
                return
            }
            // While a request comes in, the log is looked at between its parts.
            try signer.follow(nanos: server.isBusy ? 0 : Self.waitNanos)
            try server.turn(milliseconds: server.isBusy ? Self.partMillis : 0) {
                answer($0, signer, &refused)
            }
            let now = Clock.monotonicNanos()
            guard now >= statusTime else { continue }
            statusTime = now + 1_000_000_000
            ServiceManager.watchdog()
            let text = self.status(signer)
            if text != status { ServiceManager.status(text) }
            status = text
        }
    }

    private func signer(_ master: ExtendedPrivateKey) throws -> Signer {
        let socket = settings.matchd.socket
        let assets = try assets()
        let limits = try limits(assets)
        return try Signer(
            place, master: master, limits: limits, assets: assets, pins: try pins(),
            evmPins: try evmPins(),
            connect: { name, nanos throws(LinkError) in
                try LinkClient.connect(
                    unix: socket, name: name, wantsAcks: false, timeoutNanos: nanos)
            }, report: { log.log(level: $0 ? .warning : .notice, "\($1)") })
    }

    /// What the assets of EVM chains are: this host's list, and no word of the log or the wallet.
    func assets() throws(SettingsError) -> EVMAssetList {
        do throws(EVMAssetListError) { return try EVMAssetList(settings.walletd.assets) } catch {
            throw SettingsError(file: settings.file, key: "walletd.assets", text: "\(error)")
        }
    }

    func limits(_ assets: EVMAssetList) throws(SettingsError) -> [SpendingLimit] {
        let limits = settings.signerd.limits.map {
            SpendingLimit(
                chain: $0.chain, capacity: $0.capacity, refill: $0.refill, assets: assets)
        }
        for limit in limits where !limit.isOfKnownChain || limit.units == nil {
            let text =
                limit.isOfKnownChain
                ? "the limit of \(limit.chain) is none in whole units of its base unit"
                : "\"\(limit.chain)\" is no chain: expected one as \"litecoin\" or "
                    + "\"bitcoin-regtest\", or a token of [walletd] assets as \"ethereum:USDT\""
            throw SettingsError(file: settings.file, key: "signerd.limits", text: text)
        }
        return limits
    }

    /// The cold storage of EVM chains that this host names.
    func evmPins() throws(SettingsError) -> [EVMColdPin] {
        var pins: [EVMColdPin] = []
        for pinned in settings.signerd.cold
        where EVMColdPin.isEVM(pinned.chain) {
            guard
                let pin = EVMColdPin(
                    asset: pinned.asset, chain: pinned.chain, pinned.descriptor)
            else {
                throw SettingsError(
                    file: settings.file, key: "signerd.cold",
                    text: "\(pinned.descriptor) is no address of \(pinned.chain)")
            }
            pins.append(pin)
        }
        return pins
    }

    /// The cold storage of UTXO chains that this host names.
    func pins() throws(SettingsError) -> [ColdPin] {
        var pins: [ColdPin] = []
        for pinned in settings.signerd.cold
        where !EVMColdPin.isEVM(pinned.chain) {
            do throws(ColdPinError) {
                pins.append(
                    try ColdPin(asset: pinned.asset, chain: pinned.chain, pinned.descriptor))
            } catch {
                throw SettingsError(
                    file: settings.file, key: "signerd.cold", text: error.description)
            }
        }
        return pins
    }

    private func walletUsers() throws(SettingsError) -> LinkUsers {
        var users = LinkUsers()
        if let problem = users.add(settings.signerd.walletUsers, .wallet) {
            throw SettingsError(
                file: settings.file, key: "signerd.wallet_users", text: problem)
        }
        return users
    }

    /// Answers, and logs what was answered: the same refusal once.
    private func answer(
        _ request: SigningRequest, _ signer: Signer, _ refused: inout String
    ) -> SigningAnswer {
        let answer = signer.answer(request)
        switch answer {
        case .signed(let payment):
            let ids = payment.withdrawals.map { "\($0.number)" }.joined(separator: ", ")
            refused = ""
            let what = ids.isEmpty ? "a transfer" : "which pays withdrawals \(ids)"
            log.notice("gave \(payment.transaction.hex), \(what)")
        case .earlier(let payments):
            let ids = payments.map(\.transaction.hex).joined(separator: ", ")
            let words = "signed before, and not to be given again: \(ids)"
            if words != refused { log.warning("signed nothing: \(words)") }
            refused = words
        case .refused(.behind, _): break
        case .refused(let refusal, let words):
            if words != refused { log.warning("signed nothing: \(refusal.rawValue): \(words)") }
            refused = words
        }
        return answer
    }

    private func status(_ signer: Signer) -> String {
        if let fault = signer.payments.list.fault ?? signer.obstacle {
            return "signs nothing: \(fault)"
        }
        if let error = signer.linkError { return "matchd is away: \(error)" }
        return signer.isReady
            ? "ready at record \(signer.sequence), \(signer.payments.list.entries.count) payments"
            : "reading the log, at record \(signer.sequence)"
    }
}
