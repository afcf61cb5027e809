// Running another program to its end: posix_spawn(3).

internal import CLinux
internal import Glibc

/// A program to run and wait for.
public enum Program {
    /// Its result.
    public struct Result: Hashable, Sendable {
        /// Its exit status; 128 plus the signal's number if a signal ended it.
        public var status: Int32
        /// Its standard output, at most `outputBytesMax` bytes.
        public var output: String
        /// Its standard error, within the same bound.
        public var errors: String
    }

    /// Maximum size of each output; the rest is read and dropped.
    public static var outputBytesMax: Int { 1 << 20 }

    /// Runs the program at `path` with an environment of its own (`PATH`, `LC_ALL=C`) and `input`
    /// on standard input; kills it after `secondsMax`: then its status is 137. `isGroup`: what it
    /// started itself is killed with it, and signals of the terminal do not reach it.
    ///
    /// Throws if it cannot be started.
    public static func run(
        _ path: String, _ arguments: [String], input: [UInt8] = [], secondsMax: Int,
        isGroup: Bool = false
    ) throws(SystemError) -> Result {
        var pipes: [Int32] = []
        defer { for end in pipes where end >= 0 { _ = close(end) } }
        for _ in 0..<3 {
            var (reading, writing): (Int32, Int32) = (-1, -1)
            _ = try checked(unsafe bourse_pipe(&reading, &writing), "make", "a pipe")
            pipes += [reading, writing]
        }
        var rest = input[...]
        // What a pipe holds goes in before: a program that ends unread would raise SIGPIPE here.
        give(&pipes[1], &rest)
        let child = try spawn(path, arguments, [pipes[0], pipes[3], pipes[5]], isGroup)
        for end in [0, 3, 5] {
            _ = close(pipes[end])
            pipes[end] = -1
        }
        let deadline = Clock.monotonicNanos() + Int64(secondsMax) * 1_000_000_000
        var output: [UInt8] = []
        var errors: [UInt8] = []
        while pipes[2] >= 0 || pipes[4] >= 0 {
            let left = deadline - Clock.monotonicNanos()
            guard left > 0 else { break }
            var waiting = [
                pollfd(fd: pipes[2], events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes[4], events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes[1], events: Int16(POLLOUT), revents: 0),
            ]
            guard unsafe poll(&waiting, 3, Int32(min(left / 1_000_000 + 1, 60_000))) > 0 else {
                continue
            }
            if waiting[0].revents != 0 { take(&pipes[2], into: &output) }
            if waiting[1].revents != 0 { take(&pipes[4], into: &errors) }
            if waiting[2].revents != 0 { give(&pipes[1], &rest) }
        }
        return Result(
            status: status(of: child, by: deadline, isGroup),
            output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }

    private static func spawn(
        _ path: String, _ arguments: [String], _ ends: [Int32], _ isGroup: Bool
    ) throws(SystemError) -> pid_t {
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A group of its own number.
        if isGroup { unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP)) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, end) in ends.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, end, Int32(number))
        }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe []
        for word in [path] + arguments { unsafe words.append(unsafe strdup(word)) }
        unsafe words.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe []
        for word in ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"] {
            unsafe environment.append(unsafe strdup(word))
        }
        unsafe environment.append(nil)
        defer {
            for unsafe word in unsafe words { unsafe free(word) }
            for unsafe word in unsafe environment { unsafe free(word) }
        }
        var child: pid_t = 0
        let failed = unsafe posix_spawn(&child, path, &actions, &attributes, &words, &environment)
        guard failed == 0 else { throw SystemError(code: failed, operation: "run", path: path) }
        return child
    }

    private static func take(_ end: inout Int32, into bytes: inout [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = retryingInterrupts { unsafe read(end, &chunk, chunk.count) }
        guard count > 0 else {
            _ = close(end)
            end = -1
            return
        }
        bytes += chunk[..<min(count, outputBytesMax - bytes.count)]
    }

    private static func give(_ end: inout Int32, _ rest: inout ArraySlice<UInt8>) {
        // At most what a pipe accepts without blocking, pipe(7).
        let part = Array(rest.prefix(4_096))
        let count = part.isEmpty ? -1 : retryingInterrupts { unsafe write(end, part, part.count) }
        rest = rest.dropFirst(max(0, count))
        guard count < 0 || rest.isEmpty else { return }
        _ = close(end)
        end = -1
    }

    private static func status(of child: pid_t, by deadline: Int64, _ isGroup: Bool) -> Int32 {
        var status: Int32 = 0
        while true {
            let isLate = Clock.monotonicNanos() >= deadline
            if isLate { _ = kill(isGroup ? -child : child, SIGKILL) }
            let done = retryingInterrupts {
                unsafe waitpid(child, &status, isLate ? 0 : WNOHANG)
            }
            if done == child { break }
            if done < 0 { return 127 }
            if !isLate { Clock.sleep(nanos: 1_000_000) }
        }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
}
