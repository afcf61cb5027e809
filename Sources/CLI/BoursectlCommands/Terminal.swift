// Standard output, standard error and what they are connected to.

import ArgumentParser
import Glibc
import JSON
import Platform
import Presentation

/// The terminal, or what stands in its place.
enum Terminal {
    /// Whether a descriptor is a terminal.
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Colour on a terminal, unless NO_COLOR is set (no-color.org) or the terminal has none.
    static func ink(for descriptor: Int32) -> Ink {
        Ink(
            isOn: isTerminal(descriptor) && (environment("NO_COLOR") ?? "").isEmpty
                && environment("TERM") != "dumb")
    }

    /// A variable of the environment.
    static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Columns of the terminal at a descriptor; 80 where it does not say.
    static func width(_ descriptor: Int32) -> Int { size(descriptor).map(\.columns) ?? 80 }

    /// Columns and rows of the terminal at a descriptor; nil where it does not say.
    static func size(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
        var size = winsize()
        let result = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size)
        guard result == 0, size.ws_col > 0, size.ws_row > 0 else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Writes lines to standard output.
    static func show(_ lines: [String]) {
        for line in lines { print(line) }
    }

    /// Writes a line to standard error.
    static func warn(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

    /// Writes to a descriptor without a buffer.
    static func write(_ text: String, to descriptor: Int32) {
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

/// The forms of what a command gives.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    /// For people.
    case text
    /// For programs.
    case json
    /// For programs and people: the same as JSON.
    case yaml
    /// For monitoring plugins, where the command is a `NagiosCommand`.
    case nagios
}

/// Where a command's result goes.
struct Output {
    /// Its form.
    let format: OutputFormat
    /// Colour of standard output.
    let ink = Terminal.ink(for: STDOUT_FILENO)
    /// Where results are given over and over; nil: once.
    var screen: Screen?

    /// Gives a result in the form that was asked for: over and over, JSON in a line each and YAML
    /// as documents.
    func give(_ json: @autoclosure () -> JSONValue, text: @autoclosure () -> [String]) {
        switch (format, screen) {
        case (.text, let screen?), (.nagios, let screen?): screen.draw(text())
        case (.json, let screen?): screen.write([json().compact])
        case (.yaml, let screen?): screen.write(["---", String(json().yaml.dropLast())])
        case (.text, nil), (.nagios, nil): Terminal.show(text())
        case (.json, nil): print(json().pretty)
        case (.yaml, nil): print(json().yaml, terminator: "")
        }
    }

    /// Gives a table, or what to say where it has no rows.
    func give(_ json: JSONValue, table: Table, empty: String) {
        give(json, text: table.rows.isEmpty ? [ink.faint(empty)] : table.lines(ink))
    }
}

/// A progress bar on standard error, where that is a terminal that can draw over a line.
struct ProgressMeter {
    private let progress: Progress
    private let isShown =
        Terminal.isTerminal(STDERR_FILENO) && Terminal.environment("TERM") != "dumb"
    private let begin = Clock.monotonicNanos()
    private var drawn: Int64

    private static var eraseLine: StaticString { "\r\u{1B}[2K" }

    /// A meter of a piece of work.
    init(_ title: String, unit: String) {
        progress = Progress(title: title, unit: unit)
        // Work that is over sooner than a tenth of a second shows none.
        drawn = begin
    }

    /// Nanoseconds since the work began.
    var elapsedNanos: Int64 { Clock.monotonicNanos() - begin }

    /// Draws how far the work is, at most ten times a second.
    mutating func draw(done: UInt64, total: UInt64) {
        let now = Clock.monotonicNanos()
        guard isShown, now - drawn > 100_000_000 else { return }
        if drawn == begin { Self.clearWhenInterrupted() }
        drawn = now
        let width = Terminal.width(STDERR_FILENO)
        let line = progress.line(done: done, total: total, elapsedNanos: now - begin, width: width)
        Terminal.write("\(Self.eraseLine)\(line)", to: STDERR_FILENO)
    }

    /// Takes the bar away.
    mutating func clear() {
        if drawn > begin { Terminal.write("\(Self.eraseLine)", to: STDERR_FILENO) }
        drawn = begin
    }

    /// Whoever interrupts the work gets a clean line to go on with; the process still ends by the
    /// signal.
    private static func clearWhenInterrupted() {
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal(number) { number in
                // Only what may be called in a signal handler, signal-safety(7).
                let text = ProgressMeter.eraseLine
                _ = unsafe Glibc.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }
}
