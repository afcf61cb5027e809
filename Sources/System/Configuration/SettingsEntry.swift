// What a configuration file says of each key.

/// A key of the configuration file with its value.
public struct SettingsEntry: Hashable, Sendable {
    /// The key with its table, as `gatewayd.listen`.
    public let key: String
    /// What the file says, else the default. Paths are as they are written.
    public let value: TOMLValue
    /// The default.
    public let initial: TOMLValue
    /// The file's line, from 1; nil where it does not have the key.
    public let line: Int?
}

extension Settings {
    /// Every key with its value by the file at `path`, in the order of a full file. Throws as
    /// `load` does.
    public static func entries(path: String) throws(SettingsError) -> [SettingsEntry] {
        let file = Path.join(Path.current(), path)
        let text = try read(file)
        _ = try parse(text, file: file)
        let document = TOMLDocument(parsing: text)
        let given = Dictionary(uniqueKeysWithValues: document.entries.map { ($0.key, $0) })
        return SettingsKey.all.map { key in
            let literal = TOMLDocument(parsing: Array("x = \(key.literal)".utf8))
            guard let initial = literal.entries.first?.value else {
                preconditionFailure("the default of \(key.name) is a value")
            }
            let entry = given[key.name]
            return SettingsEntry(
                key: key.name, value: entry?.value ?? initial, initial: initial, line: entry?.line)
        }
    }
}
