// System calls that a signal interrupts.

internal import Glibc

/// Repeats a system call while signals interrupt it (EINTR). A non-blocking one returns -1 with
/// another errno(3), as EAGAIN, at once.
public func retryingInterrupts(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// The same for a call that returns no count.
public func retryingInterrupts(_ call: () -> Int32) -> Int32 {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
