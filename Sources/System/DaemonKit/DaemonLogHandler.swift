// A daemon's log on standard error, which systemd's journal keeps.

internal import Glibc
public import Logging
internal import Platform

extension Logger {
    private static let bootstrap: Void = LoggingSystem.bootstrap { label in
        DaemonLogHandler(label: label)
    }

    /// The log of the daemon `name`. From here on every logger of the process uses its handler.
    public static func daemon(_ name: String) -> Logger {
        bootstrap
        return Logger(label: name)
    }

    /// Logs a ready-made text.
    public func report(_ level: Level, _ text: String) { log(level: level, "\(text)") }

    /// A function that logs each line it is given, for libraries.
    public func reporting(_ level: Level = .notice) -> @Sendable (String) -> Void {
        { report(level, $0) }
    }

    /// For parts that report events (notices) and faults (warnings).
    public func reportingFaults() -> @Sendable (_ isFault: Bool, String) -> Void {
        { report($0 ? .warning : .notice, $1) }
    }

    /// Logs the reason and ends the process at once, without waiting for other threads.
    public func fatal(
        _ text: String, status: Int32 = DaemonExit.fault, level: Level = .critical
    ) -> Never {
        report(level, text)
        Host.exitNow(status)
    }
}

/// Writes each message with one write(2), so that messages of several threads do not mix:
///
///     <3>text key=value           systemd's journal reads (sd-daemon(3)); it knows the daemon
///     bourse-matchd: text key=value   anyone else
///
/// A text of several lines is one message: its later lines are indented, to distinguish them from
/// further messages, and have the same priority.
public struct DaemonLogHandler: LogHandler {
    private let label: String
    /// Fields of every message.
    public var metadata: Logger.Metadata = [:]
    /// Adds fields to every message.
    public var metadataProvider: Logger.MetadataProvider?
    /// Messages below it are dropped.
    public var logLevel: Logger.Level = .info

    /// The log of the daemon `label`.
    public init(label: String) { self.label = label }

    private static let isJournal = ServiceManager.isJournal(STDERR_FILENO)

    /// A field of every message.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes a message.
    public func log(event: LogEvent) {
        var text = text(of: event, isJournal: Self.isJournal)
        _ = text.withUTF8 { bytes in
            retryingInterrupts {
                unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
            }
        }
    }

    /// The bytes of a message.
    public func text(of event: LogEvent, isJournal: Bool) -> String {
        let fields =
            metadata.merging(metadataProvider?.get() ?? [:]) { $1 }
            .merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }
        let lines = (event.message.description + fields.joined())
            .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let priority = isJournal ? "<\(Self.priority(event.level))>" : ""
        var text = isJournal ? priority : "\(label): "
        for (index, line) in lines.enumerated() {
            if index > 0 { text += "\n\(priority)\(line.isEmpty ? "" : "  ")" }
            text.unicodeScalars.append(contentsOf: line.unicodeScalars.map(Self.printable))
        }
        return text + "\n"
    }

    /// A value as one word, or in quotes.
    private static func quoted(_ value: String) -> String {
        let isWord =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" }
        if isWord { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\"", "\\": text += "\\\(scalar)"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    /// The scalar, unless it controls a terminal.
    private static func printable(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x09, 0x20...0x7E, 0xA0...: scalar
        default: "\u{FFFD}"
        }
    }

    /// syslog(3)'s number.
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
