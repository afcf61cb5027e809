// Log lines on standard error, one line each, for systemd's journal to keep.

import Glibc
import Logging

/// Writes `name: text`, or under systemd `<priority>text`, the form of sd-daemon(3).
struct StderrLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    init(label: String) { self.label = label }

    private static let isJournal = unsafe getenv("JOURNAL_STREAM") != nil

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let text = String(event.message.description.map { $0.isNewline ? " " : $0 })
        let line =
            Self.isJournal
            ? "<\(priority(event.level))>\(text)\n" : "\(label): \(text)\n"
        _ = unsafe line.withCString { unsafe write(STDERR_FILENO, $0, strlen($0)) }
    }

    /// syslog(3) priorities.
    private func priority(_ level: Logger.Level) -> Int {
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
