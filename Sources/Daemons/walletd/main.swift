// bourse-walletd: brings the chains' deposits into the log. This file composes; the work is in
// Wallet/Custodian.

import DaemonKit

let arguments = DaemonArguments(
    name: "bourse-walletd", purpose: "follows the chains: deposits", check: WalletDaemon.problems)
DaemonProcess.run(arguments.name) { daemon in
    try WalletDaemon(settings: arguments.settings, log: daemon.log).run(until: daemon.signals)
}
