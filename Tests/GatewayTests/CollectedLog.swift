// A logger whose lines a test reads.

import Logging
import Synchronization

/// The lines that a gateway logged at level info and above.
final class CollectedLog: Sendable {
    private let stored = Mutex<[String]>([])

    /// The messages, oldest first.
    var lines: [String] { stored.withLock { $0 } }

    /// A logger that writes here.
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: CollectedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.stored.withLock { $0.append(event.message.description) }
        }
    }
}
