// The version of this build.

/// This build.
public enum Release {
    /// The version in the first line of packaging/debian/changelog; a test compares them.
    public static var version: String { "0.1.0" }
}
