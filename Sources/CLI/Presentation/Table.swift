// Tables for people.

/// A table of texts: a line of headings, then the rows, each column as wide as its widest cell.
package struct Table: Sendable {
    /// How a column's cells are aligned.
    package enum Alignment: Sendable {
        /// To the left, as names.
        case left
        /// To the right, as numbers.
        case right
    }

    /// A column.
    package struct Column: Sendable {
        /// The text above it.
        package let heading: String
        /// How its cells are aligned.
        package let alignment: Alignment

        /// A column of words.
        package static func words(_ heading: String) -> Column {
            Column(heading: heading, alignment: .left)
        }
        /// A column of numbers.
        package static func numbers(_ heading: String) -> Column {
            Column(heading: heading, alignment: .right)
        }
    }

    /// The columns.
    package let columns: [Column]
    /// The rows, with one cell per column.
    package private(set) var rows: [[String]] = []

    /// A table without rows.
    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row with one cell per column.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "one cell per column")
        rows.append(cells)
    }

    /// The lines of the table, headings first. Control characters in a cell become `?`, so that
    /// text from the log cannot control an operator's terminal.
    package func lines(_ ink: Ink) -> [String] {
        let clean = rows.map { $0.map(Self.printable) }
        var widths = columns.map { Self.width($0.heading) }
        for row in clean {
            for (index, cell) in row.enumerated() {
                widths[index] = max(widths[index], Self.width(cell))
            }
        }
        let head = ink.heading(line(columns.map(\.heading), widths))
        return [head] + clean.map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() {
            let isLast = index == cells.count - 1
            let blank = String(repeating: " ", count: widths[index] - Self.width(cell))
            if index > 0 { text += "  " }
            switch columns[index].alignment {
            case .left: text += isLast ? cell : cell + blank
            case .right: text += blank + cell
            }
        }
        return text
    }

    private static func width(_ text: String) -> Int { text.count }

    /// `text` without control characters.
    package static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { clean.append(isControl(scalar) ? "?" : scalar) }
        return String(clean)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}

/// Names and values, one pair per line, the values aligned.
package struct Facts: Sendable {
    private var facts: [(name: String, value: String)] = []

    /// No facts yet.
    package init() {}

    /// Adds a fact.
    package mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

    /// One line per fact.
    package func lines(_ ink: Ink) -> [String] {
        let width = facts.map(\.name.count).max() ?? 0
        return facts.map { fact in
            let blank = String(repeating: " ", count: width - fact.name.count)
            return ink.faint(fact.name) + blank + "  " + Table.printable(fact.value)
        }
    }
}

/// Colour, or none.
package struct Ink: Sendable {
    /// Whether escape sequences are written at all.
    package let isOn: Bool

    /// Colour where `isOn`.
    package init(isOn: Bool) { self.isOn = isOn }

    /// No colour.
    package static var none: Ink { Ink(isOn: false) }

    /// A table's headings.
    package func heading(_ text: String) -> String { wrap(text, "1") }
    /// Less important text.
    package func faint(_ text: String) -> String { wrap(text, "2") }
    /// Good states.
    package func good(_ text: String) -> String { wrap(text, "32") }
    /// States that need attention.
    package func warning(_ text: String) -> String { wrap(text, "33") }
    /// Bad states.
    package func bad(_ text: String) -> String { wrap(text, "31") }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
