// Who gives a command, and why.

import ArgumentParser
import Glibc
import Presentation
import Terms
import Wire

/// Who gives a command.
struct OperatorOption: ParsableArguments {
    @Option(
        name: .customLong("operator"),
        help: ArgumentHelp(
            "Who makes the change, for the journal. Default: your login.", valueName: "name"))
    var name: String?

    @Option(
        name: .customLong("operator-key"),
        help: ArgumentHelp(
            "The operator's key, which signs: a file, or pkcs11:… (see operator key).",
            valueName: "key"))
    var keyFile: String?

    /// The operator's name: the one in its key file, where that is given.
    func text() throws(CommandError) -> Text40 {
        if let keyFile {
            let known = try OperatorKeyPlace.find(keyFile).name
            guard name == nil || name == "\(known)" else {
                throw CommandError(
                    "\(keyFile) is the key of \(known), not of \(name ?? "")",
                    repair: "leave --operator away", code: .usage)
            }
            return known
        }
        let given = name ?? Self.login()
        // The session's name is `operator/` and this, in 40 bytes.
        guard let given, let text = Text40(given), text.count > 0, text.count <= 31 else {
            throw CommandError(
                "\(given ?? "nobody") is not a valid operator name",
                repair: "give --operator NAME: up to 31 ASCII characters", code: .usage)
        }
        return text
    }

    /// The login; under sudo, that of the caller.
    private static func login() -> String? {
        if geteuid() == 0, let name = Terminal.environment("SUDO_USER"), !name.isEmpty {
            return name
        }
        guard let entry = unsafe getpwuid(getuid()) else { return nil }
        return unsafe String(cString: entry.pointee.pw_name)
    }
}

/// Who gives a command and, optionally, why.
struct SignatureOptions: ParsableArguments {
    @OptionGroup var who: OperatorOption

    @Option(help: ArgumentHelp("The reason, for the journal.", valueName: "text"))
    var reason = ""

    /// For the journal.
    func audit() throws(CommandError) -> Audit { try Audit.checked(who, reason) }
}

/// Who gives a command and why, which is required.
struct ReasonedSignatureOptions: ParsableArguments {
    @OptionGroup var who: OperatorOption

    @Option(help: ArgumentHelp("The reason, for the journal.", valueName: "text"))
    var reason: String

    /// For the journal.
    func audit() throws(CommandError) -> Audit {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw CommandError(
                "the reason is empty", repair: "give it with --reason TEXT", code: .usage)
        }
        return try Audit.checked(who, reason)
    }
}

extension Audit {
    fileprivate static func checked(_ who: OperatorOption, _ reason: String) throws(CommandError)
        -> Audit
    {
        guard reason.utf8.count <= Limits.reasonBytesMax else {
            throw CommandError(
                "the reason is \(reason.utf8.count) bytes long",
                repair: "the journal holds at most \(Limits.reasonBytesMax)", code: .usage)
        }
        return Audit(operatorName: try who.text(), reason: reason)
    }
}
