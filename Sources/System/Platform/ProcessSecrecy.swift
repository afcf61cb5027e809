// Keeping a process's memory to itself.

internal import CLinux
internal import Glibc

extension Host {
    /// Keeps this process's memory to itself: it leaves no core file (RLIMIT_CORE), and no other
    /// process of its user may read or trace it (PR_SET_DUMPABLE, prctl(2)). Its files in /proc
    /// belong to root from then on.
    public static func hideMemory() throws(SystemError) {
        var none = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_CORE.rawValue)
        guard unsafe setrlimit(resource, &none) == 0 else { throw .last("forbid", "core files") }
        _ = try checked(bourse_hide_memory(), "hide the memory of", "this process")
    }

    /// Keeps all of this process's memory out of swap, later memory as it is used: mlockall(2).
    public static func lockMemory() throws(SystemError) {
        guard mlockall(Int32(MCL_CURRENT) | Int32(MCL_FUTURE) | Int32(MCL_ONFAULT)) == 0 else {
            throw .last("lock", "the memory of this process")
        }
    }
}
