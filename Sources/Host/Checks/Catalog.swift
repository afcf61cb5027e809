// Every check there is.

/// All groups of checks, in the order in which they are shown.
public enum Catalog {
    /// The groups.
    public static var groups: [CheckGroup] { [.units] }

    /// Every kind once, by number.
    public static var kinds: [CheckKind] {
        groups.flatMap(\.kinds).sorted { $0.number < $1.number }
    }
}
