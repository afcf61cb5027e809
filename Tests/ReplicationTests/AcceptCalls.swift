// Counts this process's calls of accept(2), which stands in front of libc's.

import Glibc
import Synchronization

/// Calls of accept(2) by the listener's port. NIO's servers call accept4(2).
enum AcceptCalls {
    private static let counts = Mutex<[UInt16: Int]>([:])

    /// Calls so far on listeners of this port.
    static func count(_ port: UInt16) -> Int { counts.withLock { $0[port, default: 0] } }

    fileprivate static func note(_ listener: Int32) {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutableBytes(of: &address) {
            unsafe getsockname(
                listener, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), &size)
        }
        guard result == 0, address.sin_family == AF_INET else { return }
        let port = UInt16(bigEndian: address.sin_port)
        counts.withLock { $0[port, default: 0] += 1 }
    }

    fileprivate typealias Call =
        @convention(c) (Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int32

    fileprivate static let next: Call = {
        let following = unsafe UnsafeMutableRawPointer(bitPattern: -1)
        return unsafe unsafeBitCast(dlsym(following, "accept"), to: Call.self)
    }()
}

/// accept(2) of every target in the test binary.
@_cdecl("accept")
public func countedAccept(
    _ listener: Int32, _ address: UnsafeMutableRawPointer?, _ size: UnsafeMutableRawPointer?
) -> Int32 {
    AcceptCalls.note(listener)
    return unsafe AcceptCalls.next(listener, address, size)
}
