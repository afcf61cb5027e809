// Input that cannot be used.

/// Input that does not fit, and what would.
package struct InputError: Error, Hashable, CustomStringConvertible {
    /// What is wrong.
    package let problem: String
    /// What to do about it, or empty.
    package let repair: String

    /// A problem and its repair.
    package init(_ problem: String, repair: String = "") {
        (self.problem, self.repair) = (problem, repair)
    }

    /// Both, the repair on a line of its own.
    package var description: String { repair.isEmpty ? problem : "\(problem)\n\(repair)" }
}
