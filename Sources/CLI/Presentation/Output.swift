// Where a command's result goes, and in which form.

import Glibc
package import JSON

/// The forms of a result.
package enum OutputFormat: String, CaseIterable, Sendable {
    /// Tables and sentences, to be read on a terminal.
    case text
    /// For programs.
    case json
    /// For monitoring plugins, where the command is a `NagiosCommand`.
    case nagios
}

/// Where a command's result goes.
package struct Output {
    /// Its form.
    package let format: OutputFormat
    /// Colour of standard output.
    package let ink = Terminal.ink(for: STDOUT_FILENO)
    /// Where a repeated result is drawn; nil where the result is shown once.
    package var screen: Screen?

    /// An output of this form.
    package init(format: OutputFormat, screen: Screen? = nil) {
        (self.format, self.screen) = (format, screen)
    }

    /// Writes a result in the requested form. A repeated JSON result takes one line each time.
    package func give(_ json: @autoclosure () -> JSONValue, text: @autoclosure () -> [String]) {
        switch (format, screen) {
        case (.text, let screen?), (.nagios, let screen?): screen.draw(text())
        case (.json, let screen?): screen.write([json().compact])
        case (.text, nil), (.nagios, nil): Terminal.show(text())
        case (.json, nil): print(json().pretty)
        }
    }

    /// Writes a table, or `empty` where it has no rows.
    package func give(_ json: JSONValue, table: Table, empty: String) {
        give(json, text: table.rows.isEmpty ? [ink.faint(empty)] : table.lines(ink))
    }
}
