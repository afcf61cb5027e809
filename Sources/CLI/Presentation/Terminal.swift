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

    /// Whether all that was shown has left the process: a full disk behind standard output, or a
    /// reader that is gone, loses it.
    package static func hasShownAll() -> Bool { StandardOutput.fault() == nil }

    /// Has the process end with status 1, and say so, where something that was shown is lost.
    package static func checkShownAtExit() {
        atexit {
            guard let fault = StandardOutput.fault() else { return }
            Terminal.warn(
                "boursectl: \(fault); not all was shown, and the command may be carried out: look "
                    + "before you repeat it")
            _exit(1)
        }
    }

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

    /// Redraws the screen with as many of the lines as fit. A line that is too long goes on below:
    /// the terminal would do that as well, and scroll the first lines away.
    package func draw(_ lines: [String]) {
        guard isDrawn else { return write(lines + [""]) }
        let size = Terminal.size(STDOUT_FILENO) ?? (columns: 80, rows: 24)
        let folded = lines.flatMap { Self.folded($0, columns: size.columns) }
        let shown = folded.prefix(max(1, size.rows - 1))
        // Home, each line cleared to its end, then all below it: nothing flickers.
        let text = shown.map { $0 + "\u{1B}[K\n" }.joined()
        Terminal.write("\u{1B}[H\(text)\u{1B}[J", to: STDOUT_FILENO)
    }

    /// The line in pieces of at most `columns` characters, broken at spaces where that is possible;
    /// escape sequences of colours (`ESC [ … m`) have no width.
    package static func folded(_ line: String, columns: Int) -> [String] {
        let indent = Array(repeating: Character(" "), count: columns >= 20 ? 4 : 0)
        var pieces: [String] = []
        var piece: [Character] = []
        var (width, isEscape) = (0, false)
        // Where the piece may end: behind its last word, of this width.
        var space: (index: Int, width: Int)?
        for letter in line {
            if isEscape || letter == "\u{1B}" {
                piece.append(letter)
                isEscape = letter != "m"
                continue
            }
            if width >= max(1, columns) {
                let end = (index: piece.count, width: width)
                let cut = letter == " " ? end : space ?? end
                let rest = piece[cut.index...].drop { $0 == " " }
                pieces.append(String(piece[..<cut.index]))
                width += indent.count - cut.width - (piece.count - cut.index - rest.count)
                piece = indent + rest
                space = nil
            }
            if letter == " ", !pieces.isEmpty, width == indent.count { continue }
            if letter == " ", piece.last != " ", width > indent.count {
                space = (piece.count, width)
            }
            piece.append(letter)
            width += 1
        }
        return pieces + [String(piece)]
    }

    /// Appends lines. Ends the process where they cannot be written: nobody would see the next.
    package func write(_ lines: [String]) {
        Terminal.show(lines)
        if !Terminal.hasShownAll() { exit(1) }
    }
}
