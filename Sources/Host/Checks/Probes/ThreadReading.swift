// /proc/PID/task/TID: a thread's name, CPUs and waiting, proc_pid_status(5), proc_pid_stat(5).

package import HelperAPI

/// `status` of a thread.
package struct ThreadStatus: Hashable, Sendable {
    /// Bytes of a thread's name that the kernel keeps, pthread_setname_np(3).
    private static let nameBytesMax = 15

    package var name: String
    /// The CPUs that it may run on; nil where they cannot be read.
    package var allowed: CPUSet?
    /// How often it gave up its CPU, and how often it lost it.
    package var voluntary, involuntary: Int64?

    /// Nil where there is no name.
    package init?(_ text: String) {
        let fields = text.fields
        guard let name = fields["Name"] else { return nil }
        self.name = Self.unescaped(name)
        allowed = fields["Cpus_allowed_list"].flatMap { CPUSet(list: $0) }
        voluntary = fields["voluntary_ctxt_switches"].flatMap { Observation.count($0) }
        involuntary = fields["nonvoluntary_ctxt_switches"].flatMap { Observation.count($0) }
    }

    /// Whether it is the thread of that name, which the kernel may have truncated.
    package func isNamed(_ name: String) -> Bool {
        self.name == String(decoding: name.utf8.prefix(Self.nameBytesMax), as: UTF8.self)
    }

    /// The kernel escapes newlines and backslashes in names.
    private static func unescaped(_ name: Substring) -> String {
        guard name.contains("\\") else { return String(name) }
        return name.split(separator: "\\\\", omittingEmptySubsequences: false)
            .map { $0.replacing("\\n", with: "\n") }.joined(separator: "\\")
    }
}

/// `stat` of a thread.
package enum ThreadStat {
    /// The CPU it ran on last: `processor`, the 39th field. The second is the name, which may hold
    /// anything and ends in the last parenthesis.
    package static func lastCPU(_ text: String) -> Int? {
        guard let end = text.utf8.lastIndex(of: 0x29) else { return nil }
        let words = text[text.utf8.index(after: end)...].words
        return words.count > 36 ? Observation.count(words[36]).map { Int($0) } : nil
    }
}

/// `schedstat` of a thread (Documentation/scheduler/sched-stats.rst).
package enum ThreadSchedule {
    /// Nanoseconds in which it was ready to run and waited for a CPU: the second of three numbers.
    package static func waitNanos(_ text: String) -> Int64? {
        let words = text.words
        return words.count == 3 ? Observation.count(words[1]) : nil
    }
}

extension Observation {
    /// A thread in the folder `/proc/PID/task/TID`.
    func threadStatus(_ folder: String) -> ThreadStatus? {
        text("\(folder)/status").flatMap { ThreadStatus($0) }
    }
}
