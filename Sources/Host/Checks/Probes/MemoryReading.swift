// Memory as the kernel counts it: /proc/meminfo, /proc/vmstat and the limits of a process.

/// /proc/meminfo, proc_meminfo(5).
package struct MemoryInfo: Hashable, Sendable {
    static let path = "/proc/meminfo"

    /// Huge pages in the pool; nil: not known.
    package var hugePages: Int64?

    /// Reads lines `Key: value unit`.
    package init(_ text: String) { hugePages = text.counters["HugePages_Total"] }
}

/// /proc/vmstat.
package struct PagingCounters: Hashable, Sendable {
    static let path = "/proc/vmstat"

    /// Pages that were swapped in.
    package var swappedIn: Int64?
    /// Tasks that the kernel killed when memory ran out.
    package var killed: Int64?

    /// Reads lines `key value`.
    package init(_ text: String) {
        let counters = text.counters
        (swappedIn, killed) = (counters["pswpin"], counters["oom_kill"])
    }
}

/// /proc/PID/limits, getrlimit(2).
package enum LockLimit: Hashable, Sendable {
    case bytes(Int64)
    case unlimited

    /// The soft limit of memory that may be locked; nil where it cannot be read.
    package init?(_ text: String) {
        let name = "Max locked memory"
        guard let line = text.lines.first(where: { $0.hasPrefix(name) }),
            let soft = line.dropFirst(name.utf8.count).words.first
        else { return nil }
        if soft == "unlimited" {
            self = .unlimited
        } else if let bytes = Observation.count(soft) {
            self = .bytes(bytes)
        } else {
            return nil
        }
    }
}
