// Texts that a thread of its own renews, so that no reader waits for their source.

internal import Glibc
public import Platform
internal import Synchronization

/// Texts that a thread of its own renews periodically. Old ones are not shown.
public final class Sampler: HostProbe {
    /// The paths that its texts have, or stand below.
    public let places: [String]
    private let freshNanos: Int64
    private let latest = Mutex<(time: Int64, texts: [String: String])>((0, [:]))

    /// Has `take` give the texts by path, every `periodNanos`, on a thread named `thread` that
    /// lives as long as the process. A text is shown for `freshNanos` after it was asked for.
    /// `changed` is called when a text came or went.
    public init(
        _ places: [String], thread: String, periodNanos: Int64, freshNanos: Int64,
        changed: @escaping @Sendable () -> Void = {},
        take: @escaping @Sendable () -> [String: String]
    ) throws(SystemError) {
        (self.places, self.freshNanos) = (places, freshNanos)
        _ = try PinnedThread.start(name: thread) { [weak self] in
            while true {
                let began = Clock.monotonicNanos()
                let texts = take()
                guard let self else { return }
                let old = self.latest.withLock { latest in
                    defer { latest = (began, texts) }
                    return Set(latest.texts.keys)
                }
                if old != Set(texts.keys) { changed() }
                Clock.sleep(nanos: began + periodNanos - Clock.monotonicNanos())
            }
        }
    }

    /// Whether they have been read at least once.
    public var hasAsked: Bool { latest.withLock { $0.time > 0 } }

    /// The text of a path; nil where there is none, or it grew old.
    public func text(_ path: String) -> String? {
        latest.withLock { latest in
            Clock.monotonicNanos() - latest.time <= freshNanos ? latest.texts[path] : nil
        }
    }
}
