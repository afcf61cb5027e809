// Reads a host: files below /proc and /sys, and what only calls give.

public import Checks
import Glibc
internal import Platform
internal import Synchronization

/// Reads what checks ask for. One thread uses it; it waits for none of what it reads longer than
/// `stallNanos`: reading is done by a thread of its own, which is left behind when it hangs.
public final class HostReader: Sendable {
    /// How much is read at most.
    public struct Bounds: Sendable {
        /// Bytes of a file. Tables of interrupts grow with the CPUs; a file that is longer is left
        /// out, for its rest would be missed.
        public var fileBytesMax = 2 << 20
        /// Files in a round.
        public var filesMax = 20_000
        /// Bytes in a round.
        public var roundBytesMax = 32 << 20
        /// Nanoseconds that one file may take.
        public var stallNanos: Int64 = 1_000_000_000
        /// Nanoseconds that a round may take.
        public var roundNanos: Int64 = 3_000_000_000
        /// Threads that hang, beyond which nothing is read until one comes back.
        public var stuckMax = 16

        /// The usual bounds.
        public init() {}
    }

    private let root: String
    private let probes: [any HostProbe]
    private let bounds: Bounds
    /// Threads that hang, each with what it reads.
    private let stuck = Mutex<[(thread: PinnedThread, job: ReadingJob)]>([])

    /// A reader of the host, or where `root` is not empty of a tree that was recorded of one: then
    /// probes are files below it as well.
    public init(root: String = "", probes: [any HostProbe] = [], bounds: Bounds = Bounds()) {
        self.root = root
        self.probes = root.isEmpty ? probes : []
        self.bounds = bounds
    }

    /// Waits until every probe has asked once, at most `roundNanos`: what only was not asked yet is
    /// not gone.
    public func awaitProbes() {
        let deadline = Clock.monotonicNanos() + bounds.roundNanos
        while !probes.allSatisfy(\.hasAsked), Clock.monotonicNanos() < deadline {
            Clock.sleep(nanos: 10_000_000)
        }
    }

    /// Reads one observation for each set of sources, all at the same moment: what several ask for
    /// is read once. What hangs, or is beyond the bounds, is left out, and named in `/probe/hung`.
    public func read(_ sets: [[String]], plan: HostPlan, at time: Int64) -> [Observation] {
        let deadline = Clock.monotonicNanos() + bounds.roundNanos
        var memory = ReadingJob.Memory()
        memory.hung = reap()
        var rest = sets[...]
        var observations: [Observation] = []
        while !rest.isEmpty, stuck.withLock({ $0.count }) < bounds.stuckMax,
            Clock.monotonicNanos() < deadline
        {
            let job = ReadingJob(
                Array(rest), plan: plan, time: time,
                files: HostFiles(root: root, probes: probes, bounds: bounds), memory: memory)
            let thread: PinnedThread
            do throws(SystemError) {
                thread = try PinnedThread.start(name: "reader", body: { job.run() })
            } catch {
                memory.left.insert("all that was left: \(error)")
                break
            }
            let done = wait(for: job, until: deadline)
            if !done.isFinished {
                stuck.withLock { $0.append((thread, job)) }
            } else {
                thread.join()
            }
            observations += done.observations
            rest = rest.dropFirst(done.observations.count)
            memory = done.memory
        }
        observations += rest.map { _ in Observation(time: time) }
        let hung = memory.hung.union(memory.left).sorted().map { "\($0)\n" }.joined()
        return observations.map { observation in
            var observation = observation
            // In a recorded tree it is a file.
            if root.isEmpty { observation.set(Observation.hungPath, hung) }
            return observation
        }
    }

    /// Waits for a job; leaves it when one thing in it takes too long, or all of it.
    private func wait(
        for job: ReadingJob, until deadline: Int64
    ) -> (isFinished: Bool, observations: [Observation], memory: ReadingJob.Memory) {
        while true {
            job.finished.park(timeoutNanos: min(bounds.stallNanos, 100_000_000) / 4)
            let found = job.progress.withLock { progress -> ReadingJob.Standing? in
                if progress.isFinished { return progress }
                let now = Clock.monotonicNanos()
                guard now - progress.began > bounds.stallNanos || now > deadline else { return nil }
                progress.isLeft = true
                if !progress.current.isEmpty { progress.memory.hung.insert(progress.current) }
                return progress
            }
            if let found { return (found.isFinished, found.observations, found.memory) }
        }
    }

    /// Takes back threads that hung and have ended; returns what the others still hang at.
    private func reap() -> Set<String> {
        stuck.withLock { stuck in
            var hung: Set<String> = []
            stuck = stuck.filter { thread, job in
                let (isFinished, current) = job.progress.withLock { ($0.isFinished, $0.current) }
                if isFinished { thread.join() } else { hung.insert(current) }
                return !isFinished
            }
            return hung
        }
    }
}

/// One round of reading, or what is left of one, on a thread of its own.
final class ReadingJob: Sendable {
    /// What was read in this round, by path.
    struct Memory {
        var texts: [String: String?] = [:]
        var names: [String: [String]?] = [:]
        var bytes = 0
        /// Paths that hang.
        var hung: Set<String> = []
        /// Paths that are too long or too many.
        var left: Set<String> = []
    }

    /// How far it is.
    struct Standing {
        var memory: Memory
        var observations: [Observation] = []
        /// What is read now, and since when.
        var current = ""
        var began: Int64
        var isFinished = false
        /// Whether nobody waits for it any more.
        var isLeft = false
    }

    let progress: Mutex<Standing>
    let finished = Parking()
    private let sets: [[String]]
    private let plan: HostPlan
    private let time: Int64
    private let files: HostFiles

    init(_ sets: [[String]], plan: HostPlan, time: Int64, files: HostFiles, memory: Memory) {
        (self.sets, self.plan, self.time, self.files) = (sets, plan, time, files)
        progress = Mutex(Standing(memory: memory, began: Clock.monotonicNanos()))
    }

    func run() {
        for sources in sets {
            let observation = Observation(
                time: time, sources: sources, plan: plan, text: text, names: names)
            let goesOn = progress.withLock { progress in
                guard !progress.isLeft else { return false }
                progress.observations.append(observation)
                return true
            }
            guard goesOn else { break }
        }
        progress.withLock { $0.isFinished = true }
        finished.unpark()
    }

    /// Notes what is read next; false where it must not be.
    private func begin(_ path: String) -> Bool {
        progress.withLock { progress in
            guard !progress.isLeft, !progress.memory.hung.contains(path) else { return false }
            guard progress.memory.texts.count < files.bounds.filesMax,
                progress.memory.bytes < files.bounds.roundBytesMax
            else {
                progress.memory.left.insert("more than a round may read")
                return false
            }
            progress.current = path
            progress.began = Clock.monotonicNanos()
            return true
        }
    }

    private func text(_ path: String) -> String? {
        if let known = progress.withLock({ $0.memory.texts[path] }) { return known }
        guard begin(path) else { return nil }
        let result = files.text(path)
        return progress.withLock { progress in
            if case .tooLong = result { progress.memory.left.insert("\(path) is too long") }
            let text: String? = if case .text(let text) = result { text } else { nil }
            progress.memory.texts[path] = .some(text)
            progress.memory.bytes += text?.utf8.count ?? 0
            return text
        }
    }

    private func names(_ directory: String) -> [String]? {
        if let known = progress.withLock({ $0.memory.names[directory] }) { return known }
        guard begin(directory) else { return nil }
        let names = files.names(directory)
        return progress.withLock { progress in
            progress.memory.names[directory] = .some(names)
            return names
        }
    }
}

/// The files and probes of a host. Its calls may hang.
struct HostFiles: Sendable {
    let root: String
    let probes: [any HostProbe]
    let bounds: HostReader.Bounds

    /// What came of reading a file.
    enum Result {
        case text(String)
        case tooLong
        case absent
    }

    private func probe(_ path: String) -> (any HostProbe)? {
        guard path.hasPrefix("/probe/") else { return nil }
        return probes.first { probe in
            probe.places.contains { path == $0 || path.hasPrefix($0 + "/") }
        }
    }

    func text(_ path: String) -> Result {
        if let probe = probe(path) { return probe.text(path).map { .text($0) } ?? .absent }
        do throws(SystemError) {
            let text = try File.text(of: root + path, bytesMax: bounds.fileBytesMax)
            return text.map { .text($0) } ?? .tooLong
        } catch { return .absent }
    }

    /// Where something is mounted, as this process sees it.
    static func mountPoints() -> [String] {
        let files = HostFiles(root: "", probes: [], bounds: HostReader.Bounds())
        guard case .text(let text) = files.text("/proc/self/mounts") else { return [] }
        return Mount.table(text).map(\.point)
    }

    func names(_ directory: String) -> [String]? {
        if let probe = probe(directory) { return probe.names(directory) }
        return try? Directory.names(in: root + directory)
    }
}
