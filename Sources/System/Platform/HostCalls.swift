// Host data that only system calls return, as lines `key value`.

internal import CLinux
internal import Glibc

extension Host {
    /// The topics of `ethernet`.
    public static var ethernetTopics: [String] {
        ["channels", "coalesce", "features", "rings", "rss", "stats", "timestamping"]
    }

    /// A network interface's data on one of `ethernetTopics`: SIOCETHTOOL (linux/ethtool.h). Throws
    /// EOPNOTSUPP if its driver has none.
    public static func ethernet(_ interface: String, _ topic: String) throws(SystemError) -> String
    {
        unsafe try text("ask for \(topic) of", interface) {
            unsafe bourse_ethtool(interface, topic, $0, $1)
        }
    }

    /// How the clock is disciplined, adjtimex(2): `state` (what it returned), `status`,
    /// `offset_ns`, `maxerror_us`, `esterror_us`, `freq_ppb`.
    public static func clockDiscipline() throws(SystemError) -> String {
        unsafe try text("ask for the discipline of", "the clock") {
            unsafe bourse_clock_discipline($0, $1)
        }
    }

    /// Whether this process may lock unlimited memory: RLIMIT_MEMLOCK.
    public static var mayLockMemory: Bool {
        var limit = rlimit()
        return unsafe getrlimit(Int32(__RLIMIT_MEMLOCK.rawValue), &limit) == 0
            && limit.rlim_cur == .max
    }

    /// Raises this process's limit of open files to the hard one: RLIMIT_NOFILE. It stays as it is
    /// where that is not known.
    public static func raiseFileLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(resource, &limit)
    }

    /// From now on this process leaves no core dump, which would hold the secrets in its memory
    /// (RLIMIT_CORE, which systemd-coredump(8) respects).
    public static func disableCoreDumps() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    }

    /// The file system of a directory: statvfs(3).
    public static func fileSystem(
        _ path: String
    ) throws(SystemError) -> (bytes: UInt64, free: UInt64, inodes: UInt64, freeInodes: UInt64) {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else {
            throw .last("ask for the file system of", path)
        }
        let size = UInt64(status.f_frsize)
        func bytes(_ blocks: UInt64) -> UInt64 {
            let (bytes, overflow) = blocks.multipliedReportingOverflow(by: size)
            return overflow ? .max : bytes
        }
        return (
            bytes(UInt64(status.f_blocks)), bytes(UInt64(status.f_bavail)),
            UInt64(status.f_files), UInt64(status.f_favail)
        )
    }

    /// This host's name.
    public static var name: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, 255) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func text(
        _ operation: String, _ subject: String, _ read: (UnsafeMutablePointer<CChar>, Int) -> Int32
    ) throws(SystemError) -> String {
        var bytes = [CChar](repeating: 0, count: 262_144)
        let result = unsafe bytes.withUnsafeMutableBufferPointer {
            unsafe read($0.baseAddress!, $0.count)
        }
        let count = Int(try checked(result, operation, subject))
        return String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
