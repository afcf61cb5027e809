// Standard output, standard error and what they are connected to.

import Glibc
import Platform

/// The terminal, or the files that replace it.
package enum Terminal {
    /// Whether a descriptor is a terminal.
    package static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Colour on a terminal, unless NO_COLOR is set (no-color.org) or the terminal has none.
    package static func ink(for descriptor: Int32) -> Ink {
        Ink(
            isOn: isTerminal(descriptor) && (environment("NO_COLOR") ?? "").isEmpty
                && environment("TERM") != "dumb")
    }

    /// A variable of the environment.
    package static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Columns of the terminal at a descriptor; 80 where they are unknown.
    package static func width(_ descriptor: Int32) -> Int { size(descriptor).map(\.columns) ?? 80 }

    /// Columns and rows of the terminal at a descriptor; nil where they are unknown.
    package static func size(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
        var size = winsize()
        let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        guard result == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes lines to standard output.
    package static func show(_ lines: [String]) { for line in lines { print(line) } }

    /// Writes a line to standard error.
    package static func warn(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Writes to a descriptor without a buffer.
    package static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                retryingInterrupts {
                    unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                }
            }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Standard output for repeated results: redrawn on a terminal, appended to elsewhere.
package struct Screen {
    private let isDrawn =
        Terminal.isTerminal(STDOUT_FILENO) && Terminal.environment("TERM") != "dumb"

    /// The screen of standard output.
    package init() {}

    /// Redraws the screen with as many of the lines as fit.
    package func draw(_ lines: [String]) {
        guard isDrawn else { return write(lines + [""]) }
        let shown = lines.prefix(max(1, (Terminal.size(STDOUT_FILENO)?.rows ?? 24) - 1))
        // Home, each line cleared to its end, then all below it: nothing flickers.
        let text = shown.map { $0 + "\u{1B}[K\n" }.joined()
        Terminal.write("\u{1B}[H\(text)\u{1B}[J", to: STDOUT_FILENO)
    }

    /// Appends lines.
    package func write(_ lines: [String]) {
        Terminal.write(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO)
    }
}
