// Permissions of API keys by name.

package import Terms

extension Permissions {
    /// `read`, `trade`, `withdraw`, as an operator types them, and `withdraw-anywhere`.
    package var names: [String] {
        [
            (Permissions.read, "read"), (.trade, "trade"), (.withdraw, "withdraw"),
            (.withdrawAnywhere, "withdraw-anywhere"),
        ].filter { contains($0.0) }.map(\.1)
    }

    /// The permissions of comma-separated names; nil where one is unknown.
    package init?(names: String) {
        self = []
        for name in names.split(separator: ",", omittingEmptySubsequences: false) {
            switch name {
            case "read": insert(.read)
            case "trade": insert(.trade)
            case "withdraw": insert(.withdraw)
            default: return nil
            }
        }
    }
}
