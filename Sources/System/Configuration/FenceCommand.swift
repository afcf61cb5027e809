// The owner's command that switches the other host's power off, as one setting has it.

/// A fencing program with what its owner wants it to get. There are no quotes: a space ends a word.
///
/// It gets no arguments: programs of fence-agents read no standard input where they are given any,
/// and without an action there they reboot.
public struct FenceCommand: Hashable, Sendable {
    /// The program, an absolute path.
    public let path: String
    /// Lines `name=value` for its standard input.
    public let parameters: [String]

    /// Maximum bytes of the setting.
    public static var bytesMax: Int { 1_024 }

    /// Reads the setting; nil for what is not as `expected` says.
    public init?(_ text: String) {
        let words = text.split(separator: " ").map(String.init)
        guard text.utf8.count <= Self.bytesMax, text.utf8.allSatisfy({ 0x20...0x7E ~= $0 }),
            let path = words.first, path.hasPrefix("/"), !path.hasSuffix("/"),
            !path.split(separator: "/").contains("..")
        else { return nil }
        (self.path, parameters) = (path, Array(words.dropFirst()))
        let given = parameters.map { $0.prefix { $0 != "=" } }
        guard parameters.allSatisfy(Self.isParameter), !given.contains("action"),
            !given.contains("option")
        else { return nil }
    }

    /// Whether it is `name=value`, with a name as the FenceAgentAPI has it.
    private static func isParameter(_ word: String) -> Bool {
        guard let equal = word.firstIndex(of: "="), let first = word.utf8.first else {
            return false
        }
        return (0x61...0x7A ~= first || 0x41...0x5A ~= first)
            && word[..<equal].utf8.allSatisfy {
                0x61...0x7A ~= $0 || 0x41...0x5A ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x5F
                    || $0 == 0x2D
            }
    }

    /// What it has to be, for messages.
    static var expected: String {
        "expected an absolute path and words name=value behind it (not --name=value), at most 1024 "
            + "printable characters, and no action=: each run has its own"
    }
}
