// bourse-signerd: holds the wallet's seed and signs what the log says is to be paid. This file
// composes; the work is in Wallet/Signing.

import Configuration
import DaemonKit
import Logging
import Platform
import Signing

let arguments = DaemonArguments(
    name: "bourse-signerd", purpose: "holds the wallet's seed and signs payments",
    options: [
        DaemonOption(
            "--begin",
            help: "begin the list of what is signed, for a new wallet, and exit"),
        DaemonOption("--check", help: "check the seed and the list of what was signed, and exit"),
        DaemonOption(
            "--forget", valueName: "TX",
            help: "take a transaction that can never be final out of the list, and exit"),
    ])
let place = SignerPlace(arguments.settings)
if arguments.options["--begin"] != nil {
    DaemonProcess.once(arguments.name) { log in
        try place.begin()
        log.notice("began \(place.listFile)")
    }
}
if arguments.options["--check"] != nil {
    DaemonProcess.once(arguments.name) { log in
        try SignerDaemon.reporting(log) { try SignerDaemon(arguments.settings, log).check() }
    }
}
if let text = arguments.options["--forget"] {
    DaemonProcess.once(arguments.name) { log in
        try SignerDaemon.reporting(log) {
            try SignerDaemon(arguments.settings, log).forget(text)
        }
    }
}
DaemonProcess.run(arguments.name) { daemon in
    try SignerDaemon.reporting(daemon.log) {
        try SignerDaemon(arguments.settings, daemon.log).run(until: daemon.signals)
    }
}
