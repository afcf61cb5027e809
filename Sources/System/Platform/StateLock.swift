// One instance of a daemon per state directory.

internal import Glibc

/// Why a state directory could not be locked.
public enum StateLockError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process holds it; its pid if readable.
    case held(path: String, pid: Int32?)
    /// The lock file could not be made.
    case system(SystemError)

    /// What happened and what to do.
    public var description: String {
        switch self {
        case .held(let path, let pid):
            let holder = pid.map { "process \($0)" } ?? "another process"
            return "\(path) is locked by \(holder): this state is in use; stop that process first, "
                + "or give this one another state directory"
        case .system(let error): return error.description
        }
    }
}

/// The exclusive right to a state directory. The kernel releases it when the process ends, so a
/// leftover file never blocks a start.
public final class StateLock: Sendable {
    private let file: File

    /// Locks the file `name` in `directory`, which must exist, and writes this process's pid to it.
    public init(directory: String, name: String = "lock") throws(StateLockError) {
        let path = Directory.join(directory, name)
        do throws(SystemError) {
            file = try File(path, .create)
            guard try file.tryLock() else {
                let text = (try? file.read(count: 16)).map { String(decoding: $0, as: UTF8.self) }
                let digits = text?.prefix { $0.isASCII && $0.isNumber }
                throw SystemError(
                    code: EWOULDBLOCK, operation: digits.map(String.init) ?? "", path: path)
            }
            let pid = Array("\(getpid())\n".utf8)
            do throws(SystemError) {
                // In this order it takes no space on a full disk, where it has any.
                try file.write(pid)
                try file.truncate(to: pid.count)
            } catch {
                // Only whoever finds it locked wants to know.
                guard error.isFull else { throw error }
            }
        } catch {
            if error.code == EWOULDBLOCK { throw .held(path: path, pid: Int32(error.operation)) }
            throw .system(error)
        }
    }
}
