// Alarm events on disk: readers may be away for long, and no event is reported twice.

public import AgentAPI
internal import JSON
public import Platform
internal import Synchronization

/// The newest events. A thread of its own writes them, since a disk that hangs must not stop the
/// thread that raises the alarm about it.
public final class AlarmLog: Sendable {
    /// Events that are kept.
    public static var eventsMax: Int { 10_000 }
    /// Events in an answer.
    public static var answerMax: Int { 500 }
    /// Nanoseconds after which an event that cannot be written is served all the same.
    private static var unwrittenNanosMax: Int64 { 1_000_000_000 }

    private struct Shelf {
        var events: [AlarmEvent] = []
        /// The alarms that stood before the first of `events`.
        var base: (sequence: UInt64, raised: Set<String>) = (0, [])
        /// The last event on disk.
        var written: UInt64 = 0
        var fault: SystemError?
        var isClosing = false
    }

    private let shelf: Mutex<Shelf>
    private let wake = Parking()
    /// Lines of the file that were damaged when it was opened.
    public let damaged: Int
    private let thread = Mutex<PinnedThread?>(nil)

    /// Opens the log in the file at `path`, made where there is none.
    public init(_ path: String) throws(SystemError) {
        var shelf = Shelf()
        let log = try LineLog(path, linesMax: 2 * Self.eventsMax) { line in
            guard let json = JSONValue(parsing: line.utf8) else { return }
            if let event = AlarmEvent(json) {
                // Numbers go up; what does not is what a replaced file was followed by.
                guard event.sequence > shelf.events.last?.sequence ?? shelf.base.sequence else {
                    return
                }
                shelf.events.append(event)
            } else if let sequence = json["sequence"]?.whole, sequence >= 0,
                let raised = json["raised"]?.texts
            {
                shelf.base = (UInt64(sequence), Set(raised))
                shelf.events = []
            }
        }
        Self.trim(&shelf)
        shelf.written = shelf.events.last?.sequence ?? shelf.base.sequence
        damaged = log.damaged
        self.shelf = Mutex(shelf)
        let box = LogBox(log)
        let started = try PinnedThread.start(name: "events") { [self] in write(box.log) }
        thread.withLock { $0 = started }
    }

    /// Hands the file to the one thread that uses it.
    // Sendable, as it is given away once, before that thread begins.
    private final class LogBox: @unchecked Sendable {
        let log: LineLog
        init(_ log: LineLog) { self.log = log }
    }

    /// The number of the last event, and the alarms that are raised after it: where an `AlarmTable`
    /// continues.
    public var end: (sequence: UInt64, raised: [String]) {
        shelf.withLock { shelf in
            var raised = shelf.base.raised
            for event in shelf.events { Self.note(event, in: &raised) }
            return (shelf.events.last?.sequence ?? shelf.base.sequence, raised.sorted())
        }
    }

    /// Why events cannot be written now; nil while they can.
    public var fault: SystemError? { shelf.withLock { $0.fault } }

    /// Takes new events; they are written soon.
    public func add(_ events: [AlarmEvent]) {
        guard !events.isEmpty else { return }
        shelf.withLock { shelf in
            shelf.events += events
            Self.trim(&shelf)
        }
        wake.unpark()
    }

    /// The numbers of the oldest and the last event, and the events after `sequence`, at most
    /// `answerMax`. An event is served once it is on disk, or cannot be written.
    public func events(after sequence: UInt64) -> AlarmEvents {
        let now = Clock.realtimeNanos()
        return shelf.withLock { shelf in
            let shown = shelf.events.prefix {
                $0.sequence <= shelf.written || now - $0.time > Self.unwrittenNanosMax
            }
            let first = shown.partitioning { $0.sequence > sequence }
            return AlarmEvents(
                first: shown.first?.sequence ?? shelf.base.sequence + 1,
                last: shown.last?.sequence ?? shelf.base.sequence,
                events: Array(shown[first...].prefix(Self.answerMax)))
        }
    }

    /// Writes what is left, and ends the thread.
    public func close() {
        shelf.withLock { $0.isClosing = true }
        wake.unpark()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private static func note(_ event: AlarmEvent, in raised: inout Set<String>) {
        if event.isRaised { raised.insert(event.name) } else { raised.remove(event.name) }
    }

    private static func trim(_ shelf: inout Shelf) {
        let extra = shelf.events.count - eventsMax
        guard extra > 0 else { return }
        for event in shelf.events.prefix(extra) { note(event, in: &shelf.base.raised) }
        shelf.base.sequence = shelf.events[extra - 1].sequence
        shelf.events.removeFirst(extra)
    }

    /// The writer's thread.
    private func write(_ log: LineLog) {
        while true {
            let (kept, isClosing) = shelf.withLock { ($0, $0.isClosing) }
            let events = kept.events.filter { $0.sequence > kept.written }
            var fault = kept.fault
            if !events.isEmpty {
                do throws(SystemError) {
                    if log.isFull || fault != nil {
                        try log.replace(Self.lines(kept))
                    } else {
                        try log.append(events.map(\.json.compact))
                    }
                    fault = nil
                } catch { fault = error }
                shelf.withLock { shelf in
                    shelf.fault = fault
                    if fault == nil { shelf.written = events.last?.sequence ?? shelf.written }
                }
            }
            if isClosing { return }
            // A disk that is full, or read-only, may not stay so.
            wake.park(timeoutNanos: fault == nil ? -1 : 5_000_000_000)
        }
    }

    /// The lines of a file that says all that is kept.
    private static func lines(_ shelf: Shelf) -> [String] {
        let base: JSONValue = [
            "sequence": .number(shelf.base.sequence),
            "raised": .array(shelf.base.raised.sorted().map { .string($0) }),
        ]
        return [base.compact] + shelf.events.map(\.json.compact)
    }
}

extension Collection {
    /// The first index from which `isBehind` holds; the collection is partitioned by it.
    /// O(log count) for random access.
    func partitioning(_ isBehind: (Element) -> Bool) -> Index {
        var (low, count) = (startIndex, self.count)
        while count > 0 {
            let half = count / 2
            let middle = index(low, offsetBy: half)
            if isBehind(self[middle]) {
                count = half
            } else {
                low = index(after: middle)
                count -= half + 1
            }
        }
        return low
    }
}
