// Threads with a name and a processor of their own.

internal import CLinux
internal import Glibc

/// A running thread.
public final class PinnedThread: @unchecked Sendable {
    // Written once by `start`, before anyone else has the object.
    private let thread: pthread_t

    private init(_ thread: pthread_t) { self.thread = thread }

    private final class Start {
        let name: String
        let cpu: Int
        let body: @Sendable () -> Void
        init(_ name: String, _ cpu: Int, _ body: @escaping @Sendable () -> Void) {
            (self.name, self.cpu, self.body) = (name, cpu, body)
        }
    }

    /// Starts a thread that runs `body` once.
    ///
    /// `name` is what `ps -L` and `top -H` show (15 bytes); `cpu` is the processor that it is
    /// pinned to, or negative for any. Throws if there is no such processor or no thread can be
    /// created.
    public static func start(
        name: String, cpu: Int = -1, body: @escaping @Sendable () -> Void
    ) throws(SystemError) -> PinnedThread {
        if cpu >= 0, cpu >= Host.processorCount {
            throw SystemError(
                code: EINVAL, operation: "pin thread \(name) to processor", path: "\(cpu)")
        }
        var thread = pthread_t()
        let start = unsafe Unmanaged.passRetained(Start(name, cpu, body))
        let result = unsafe pthread_create(
            &thread, nil,
            { raw in
                let start = unsafe Unmanaged<Start>.fromOpaque(raw!).takeRetainedValue()
                _ = unsafe bourse_thread_name(start.name)
                // A processor that a container withholds is no error.
                if start.cpu >= 0 { _ = bourse_thread_pin(Int32(start.cpu)) }
                start.body()
                return nil
            }, unsafe start.toOpaque())
        guard result == 0 else {
            unsafe start.release()
            throw SystemError(code: result, operation: "start thread", path: name)
        }
        return PinnedThread(thread)
    }

    /// Waits until the thread has ended. Call it once.
    public func join() { _ = pthread_join(thread, nil) }
}

/// This host and process.
public enum Host {
    /// Processors that are online.
    public static var processorCount: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

    /// This process's id.
    public static var processID: Int32 { getpid() }

    /// This process's effective user.
    public static var userID: UInt32 { geteuid() }

    /// The id of a user of this host, or nil. Not for use from two threads at once.
    public static func userID(named name: String) -> UInt32? {
        guard let entry = unsafe getpwnam(name) else { return nil }
        return unsafe entry.pointee.pw_uid
    }

    /// The id of a group of this host, or nil. Not for use from two threads at once.
    public static func groupID(named name: String) -> UInt32? {
        guard let entry = unsafe getgrnam(name) else { return nil }
        return unsafe entry.pointee.gr_gid
    }

    /// Lowers the priority for background work: nice 19 and the idle I/O class.
    public static func yieldToOthers() {
        _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, 19)
        _ = bourse_idle_io()
    }

    /// Ends the process at once, without atexit(3) handlers.
    public static func exitNow(_ code: Int32) -> Never { _exit(code) }
}

/// A value that one thread hands to another and does not touch again.
public struct Handover<Value>: @unchecked Sendable {
    // Unchecked: whoever makes it guarantees that.
    /// The value.
    public let value: Value

    /// Of this value.
    public init(_ value: Value) { self.value = value }
}
