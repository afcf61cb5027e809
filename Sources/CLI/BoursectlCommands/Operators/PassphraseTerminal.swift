// A passphrase from the terminal: never from arguments, the environment or a pipe.

import Glibc
import Platform
import Presentation
import Secrets

/// The terminal that this process belongs to (tty(4)), for lines that it does not show.
enum PassphraseTerminal {
    /// Longest passphrase, in bytes.
    static let bytesMax = 256
    /// Shortest new one, in bytes.
    static let newBytesMin = 10
    /// How long a signal may wait, in milliseconds.
    private static let pollMillis: Int32 = 200

    /// Asks for a passphrase.
    static func ask(_ prompt: String) throws(CommandError) -> SecretBytes {
        try quietly { (file) throws(CommandError) in try line(prompt, file) }
    }

    /// Asks for a new one, twice.
    static func askNew() throws(CommandError) -> SecretBytes {
        try quietly { (file) throws(CommandError) in
            let first = try line("New passphrase, at least \(newBytesMin) bytes: ", file)
            guard first.count >= newBytesMin else {
                throw CommandError("that is too short; nothing was written")
            }
            let second = try line("Again: ", file)
            let isSame = unsafe first.withBytes { a in
                unsafe second.withBytes { unsafe isEqual(Array($0), Array(a)) }
            }
            guard isSame else { throw CommandError("they differ; nothing was written") }
            return first
        }
    }

    /// Runs `body` on the terminal without echo, which comes back whatever happens.
    private static func quietly<Value>(
        _ body: (File) throws(CommandError) -> Value
    ) throws(CommandError) -> Value {
        guard let file = try? File("/dev/tty", .write), Terminal.isTerminal(file.descriptor) else {
            throw CommandError(
                "the passphrase is asked for on a terminal: there is none",
                repair: "run it on one, as with `ssh -t`", code: .usage)
        }
        var before = termios()
        guard unsafe tcgetattr(file.descriptor, &before) == 0 else {
            throw CommandError("the terminal does not say how it is set")
        }
        return try EndingSignals.hold { () throws(CommandError) in
            var quiet = before
            quiet.c_lflag &= ~tcflag_t(ECHO)
            quiet.c_lflag |= tcflag_t(ECHONL)
            _ = unsafe tcsetattr(file.descriptor, TCSAFLUSH, &quiet)
            defer { _ = unsafe tcsetattr(file.descriptor, TCSAFLUSH, &before) }
            return try body(file)
        }
    }

    private static func line(_ prompt: String, _ file: File) throws(CommandError) -> SecretBytes {
        Terminal.write(prompt, to: file.descriptor)
        var line: [UInt8] = []
        line.reserveCapacity(bytesMax)
        defer { cleanse(&line) }
        while true {
            guard !EndingSignals.isPending else { throw CommandError("ended; nothing was done") }
            var waiting = [pollfd(fd: file.descriptor, events: Int16(POLLIN), revents: 0)]
            guard unsafe poll(&waiting, 1, pollMillis) > 0 else { continue }
            var byte: UInt8 = 0
            let count = retryingInterrupts { unsafe read(file.descriptor, &byte, 1) }
            guard count == 1 else {
                throw CommandError("the terminal's input ended; nothing was done")
            }
            if byte == UInt8(ascii: "\n") { return SecretBytes(line) }
            guard line.count < bytesMax else {
                throw CommandError("a passphrase of more than \(bytesMax) bytes")
            }
            line.append(byte)
        }
    }
}
