// The terminal, for what must not stay there and must not get anywhere else.

import Glibc
import Platform
import Presentation
import Secrets

/// The terminal that this process belongs to (tty(4)), wherever its standard files go: a screen of
/// its own, cleared at the end.
struct SecretTerminal {
    private let file: File
    private let deadline: Int64

    /// Longest line that is read, in bytes: all words of a seed fit.
    static let lineBytesMax = 1_024
    /// How long it may take, as words that nobody looks after must not stay on a screen.
    private static let minutesMax: Int64 = 60
    private static let nanosOfMinute: Int64 = 60_000_000_000
    /// How long a signal may wait, in milliseconds.
    private static let pollMillis: Int32 = 200

    // Another screen (xterm's alternate one); home, all below and all scrolled away is cleared.
    private static let (enter, leave) = ("\u{1B}[?1049h", "\u{1B}[?1049l")
    private static let clear = "\u{1B}[H\u{1B}[2J\u{1B}[3J"

    /// Runs `body` on the terminal. It is cleared whatever happens, a signal included.
    static func run<Value>(
        _ body: (SecretTerminal) throws(CommandError) -> Value
    ) throws(CommandError) -> Value {
        guard Terminal.environment("TERM") != "dumb", let file = try? File("/dev/tty", .write),
            Terminal.isTerminal(file.descriptor)
        else {
            throw CommandError(
                "the words are shown and typed on a terminal that can be cleared: there is none",
                repair: "run it on one, as with `ssh -t`; or see --words-file", code: .usage)
        }
        let terminal = SecretTerminal(
            file: file, deadline: Clock.monotonicNanos() + minutesMax * nanosOfMinute)
        return try EndingSignals.hold { () throws(CommandError) in
            // A stopped process would leave the words on the screen.
            signal(SIGTSTP, SIG_IGN)
            defer {
                terminal.clear()
                terminal.show(leave)
                signal(SIGTSTP, SIG_DFL)
            }
            terminal.show(enter)
            terminal.clear()
            return try body(terminal)
        }
    }

    /// Clears it, and what has scrolled away.
    func clear() { show(Self.clear) }

    /// Writes a text that is no secret.
    func show(_ text: String) { Terminal.write(text, to: file.descriptor) }

    /// Writes bytes that may be secret.
    func show(secret bytes: [UInt8]) throws(CommandError) {
        try CommandError.wrapping { () throws(SystemError) in try file.set(bytes) }
    }

    /// Reads a line, without its end. The caller overwrites it.
    func readLine() throws(CommandError) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(Self.lineBytesMax)
        do throws(CommandError) {
            while true {
                let byte = try readByte()
                if byte == UInt8(ascii: "\n") { return line }
                guard line.count < Self.lineBytesMax else {
                    throw CommandError("a line of more than \(Self.lineBytesMax) bytes")
                }
                line.append(byte)
            }
        } catch {
            cleanse(&line)
            throw error
        }
    }

    private func readByte() throws(CommandError) -> UInt8 {
        while true {
            guard !EndingSignals.isPending else { throw CommandError("ended; nothing was kept") }
            guard Clock.monotonicNanos() < deadline else {
                throw CommandError("ended after \(Self.minutesMax) minutes; nothing was kept")
            }
            var waiting = [pollfd(fd: file.descriptor, events: Int16(POLLIN), revents: 0)]
            guard unsafe poll(&waiting, 1, Self.pollMillis) > 0 else { continue }
            var byte: UInt8 = 0
            let count = retryingInterrupts { unsafe read(file.descriptor, &byte, 1) }
            guard count == 1 else {
                throw CommandError("the terminal's input ended; nothing was kept")
            }
            return byte
        }
    }
}
