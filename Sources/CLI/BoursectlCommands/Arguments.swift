// The arguments before they are parsed.

/// The arguments as they are parsed.
enum CommandArguments {
    /// Whether the form of monitoring plugins is asked for.
    static var asksNagios: Bool {
        let all = CommandLine.arguments
        return all.contains("--output=nagios")
            || zip(all, all.dropFirst()).contains { $0 == ("--output", "nagios") }
    }

    private static let shared = ["--config", "--state", "--output", "--operator"]

    /// `arguments` without the program. The options that all commands have may stand before the
    /// command's name; they are moved behind it.
    static func leafFirst(_ arguments: [String]) -> [String] {
        var rest = Array(arguments.dropFirst())
        var moved: [String] = []
        while let first = rest.first {
            if shared.contains(first), rest.count > 1 {
                moved += rest[..<2]
                rest.removeFirst(2)
            } else if shared.contains(where: { first.hasPrefix($0 + "=") }) {
                moved.append(rest.removeFirst())
            } else {
                break
            }
        }
        guard let command = rest.first else { return moved }
        if command == "help" { return rest }
        rest.insert(contentsOf: moved, at: rest.firstIndex(of: "--") ?? rest.endIndex)
        return rest
    }

    /// A negative amount given to `credit` or `debit`, which looks like an option and is told to be
    /// an unknown one; nil where there is none.
    static func negativeAmount(_ arguments: [String]) -> String? {
        let all = leafFirst(arguments)
        guard let command = all.first, command == "credit" || command == "debit" else { return nil }
        return zip(all, all.dropFirst()).first { before, text in
            // What follows an option's name is its value.
            let isValue = before.hasPrefix("--") && !before.contains("=")
            return !isValue && text.hasPrefix("-")
                && text.dropFirst().first.map { $0.isWholeNumber || $0 == "." } ?? false
        }?.1
    }
}
