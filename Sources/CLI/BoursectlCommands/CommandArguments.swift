// The arguments before they are parsed.

package import Presentation

/// The arguments of a process, without the program's name.
package struct CommandArguments {
    /// The arguments as they were typed.
    package let typed: [String]

    private static let shared = ["--config", "--state", "--output", "--operator"]

    /// These arguments.
    package init(_ typed: [String]) { self.typed = typed }

    /// The requested form of the result, whether it exists or not; nil where none is given.
    package var output: String? {
        var output: String?
        for (index, argument) in typed.enumerated() {
            if argument == "--" { break }
            if argument.hasPrefix("--output=") { output = String(argument.dropFirst(9)) }
            if argument == "--output", index + 1 < typed.count { output = typed[index + 1] }
        }
        return output
    }

    /// The arguments as the parser takes them. The options that all commands share may precede the
    /// command's name; they are moved behind it.
    package var parsed: [String] {
        var rest = typed
        var moved: [String] = []
        while let first = rest.first {
            if Self.shared.contains(first), rest.count > 1 {
                moved += rest[..<2]
                rest.removeFirst(2)
            } else if Self.shared.contains(where: { first.hasPrefix($0 + "=") }) {
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

    /// A negative amount of `credit` or `debit`, which the parser takes for an unknown option; nil
    /// where there is none.
    package var negativeAmount: String? {
        let all = parsed
        guard let command = all.first, command == "credit" || command == "debit" else { return nil }
        return zip(all, all.dropFirst()).first { before, text in
            // What follows an option's name is its value.
            let isValue = before.hasPrefix("--") && !before.contains("=")
            return !isValue && text.hasPrefix("-")
                && text.dropFirst().first.map { $0.isWholeNumber || $0 == "." } ?? false
        }?.1
    }

    /// What to say where an argument is a private key, which no command takes, or a word of a seed;
    /// nil where none is.
    package var secret: InputError? {
        if let words = seedWords { return words }
        for argument in typed {
            let value = argument.hasPrefix("--") ? argument.drop { $0 != "=" }.dropFirst() : ""
            for text in [argument, String(value)] where ChainKey.isPrivateKey(text) {
                return ChainKey.secret(text)
            }
        }
        return nil
    }

    /// What to say where the verbs that read a seed get what may be words of it; nil where not.
    private var seedWords: InputError? {
        let all = parsed
        guard all.first == "wallet", all.count > 1, ["init", "key"].contains(all[1]) else {
            return nil
        }
        let rest = all.dropFirst(2)
        let isWords = zip(all.dropFirst(), rest).contains { before, text in
            guard text.hasPrefix("-") else {
                return !Self.seedOptions.contains(before) || ChainKey.secret(text) != nil
            }
            let name = text.prefix { $0 != "=" }
            return text.contains("=") && !Self.seedOptions.contains(String(name))
        }
        guard isWords else { return nil }
        return InputError(
            "wallet \(all[1]) takes no words as arguments",
            repair: "`wallet init` asks for them on the terminal. If these were words of a seed, "
                + "the list of processes showed them and the shell's history keeps them: move what "
                + "it guards to a new seed")
    }

    /// The options of these verbs that have a value.
    private static let seedOptions = [
        "--chain", "--words-file", "--token", "--pin-file", "--config", "--state", "--output",
    ]
}
