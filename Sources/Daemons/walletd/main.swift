// bourse-walletd: brings the chains' deposits into the log. This file composes; the work is in
// Wallet/Custodian.

import DaemonKit

let arguments = DaemonArguments(
    name: "bourse-walletd", purpose: "follows the chains: deposits",
    options: [
        DaemonOption(
            "--measure", valueName: "CHAIN:FROM-TO",
            help: "measure how fast these blocks of the chain's node are read, and exit")
    ], check: WalletDaemon.problems)
if let text = arguments.options["--measure"] {
    DaemonProcess.once(arguments.name) { log in
        try WalletDaemon(settings: arguments.settings, log: log).measure(text)
    }
}
DaemonProcess.run(arguments.name) { daemon in
    try WalletDaemon(settings: arguments.settings, log: daemon.log).run(until: daemon.signals)
}
