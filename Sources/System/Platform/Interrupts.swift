// System calls that a signal interrupts.

internal import Glibc

/// Calls a system call again as long as a signal interrupts it (EINTR). One that does not block
/// gives -1 with another errno(3), as EAGAIN, at once.
public func retryingInterrupts(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// The same for a call that gives no count.
public func retryingInterrupts(_ call: () -> Int32) -> Int32 {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
