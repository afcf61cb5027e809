// Where a command's result goes, and in which form.

import Glibc
package import JSON

/// The forms of what a command gives.
package enum OutputFormat: String, CaseIterable, Sendable {
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
package struct Output {
    /// Its form.
    package let format: OutputFormat
    /// Colour of standard output.
    package let ink = Terminal.ink(for: STDOUT_FILENO)
    /// Where results are given over and over; nil: once.
    package var screen: Screen?

    /// An output of this form.
    package init(format: OutputFormat, screen: Screen? = nil) {
        (self.format, self.screen) = (format, screen)
    }

    /// Gives a result in the form that was asked for: over and over, JSON in a line each and YAML
    /// as documents.
    package func give(_ json: @autoclosure () -> JSONValue, text: @autoclosure () -> [String]) {
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
    package func give(_ json: JSONValue, table: Table, empty: String) {
        give(json, text: table.rows.isEmpty ? [ink.faint(empty)] : table.lines(ink))
    }
}
