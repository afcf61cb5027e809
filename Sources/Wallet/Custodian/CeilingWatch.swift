// Says that more is here than the ceiling of cold storage, where that has lasted.

/// How long more than the ceiling of cold storage is here, and nothing moves.
package struct CeilingWatch {
    /// How long that may be until it is told.
    package static let nanosMax: Int64 = 3_600_000_000_000

    /// Since when it is so, monotonic; nil: it is not.
    private var since: Int64?

    /// A watch that has seen nothing.
    package init() {}

    /// What is to be told at `now`, monotonic; nil: nothing. `isAbove` says whether it is so now:
    /// an end of it begins the time anew. Withdrawals that can be paid go first; `fault` is why
    /// nothing else was moved, if anybody has said so.
    package mutating func remark(
        isAbove: Bool, isAnyPayable: Bool, fault: String?, at now: Int64
    ) -> String? {
        guard isAbove else {
            since = nil
            return nil
        }
        let first = since ?? now
        since = first
        guard now - first >= Self.nanosMax else { return nil }
        let why =
            isAnyPayable
            ? "withdrawals that are approved are paid first"
            : fault ?? "what is above the target is worth no transaction"
        return "for an hour more is here than the ceiling of cold storage, and is not moved: "
            + why
    }
}
