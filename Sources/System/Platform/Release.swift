// The version of this build.

/// What was built.
public enum Release {
    /// The version, as the first line of packaging/debian/changelog has it; a test compares them.
    public static var version: String { "0.1.0" }
}
