// Tables that people read.

/// A table of texts: a line of headings, then the rows, each column as wide as its widest cell.
package struct Table: Sendable {
    /// Where a column's cells stand.
    package enum Alignment: Sendable {
        /// At the left, as names do.
        case left
        /// At the right, as numbers do.
        case right
    }

    /// A column.
    package struct Column: Sendable {
        /// What stands above it.
        package let heading: String
        /// Where its cells stand.
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
    /// The rows; each has a cell a column.
    package private(set) var rows: [[String]] = []

    /// A table without rows.
    package init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; its cells are as many as the columns.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a cell a column")
        rows.append(cells)
    }

    /// The lines of the table, headings first. Control characters in a cell become `?`, so that
    /// what stands in the log cannot draw on an operator's terminal.
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

/// Names and values, one a line, the values aligned.
package struct Facts: Sendable {
    private var facts: [(name: String, value: String)] = []

    /// No facts yet.
    package init() {}

    /// Adds a fact.
    package mutating func add(_ name: String, _ value: String) { facts.append((name, value)) }

    /// A line a fact.
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
    /// What matters less.
    package func faint(_ text: String) -> String { wrap(text, "2") }
    /// What is as it should be.
    package func good(_ text: String) -> String { wrap(text, "32") }
    /// What wants attention.
    package func warning(_ text: String) -> String { wrap(text, "33") }
    /// What is wrong.
    package func bad(_ text: String) -> String { wrap(text, "31") }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
