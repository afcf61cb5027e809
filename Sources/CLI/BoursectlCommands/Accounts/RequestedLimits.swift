// The limits of the exchange that an operator wants raised.

package import Presentation
package import Terms

/// Limits to raise, by the names of their options.
package struct RequestedLimits {
    /// One limit.
    package struct Limit {
        let name: String
        let path: WritableKeyPath<EngineLimits, UInt32>
        /// What it is raised to; nil: it stays.
        let value: UInt32?

        /// A limit of this name.
        package init(
            _ name: String, _ path: WritableKeyPath<EngineLimits, UInt32>, _ value: UInt32?
        ) { (self.name, self.path, self.value) = (name, path, value) }
    }

    /// All limits, those that stay too.
    package let limits: [Limit]

    /// These limits.
    package init(_ limits: [Limit]) { self.limits = limits }

    /// Whether all of them stay.
    package var isEmpty: Bool { limits.allSatisfy { $0.value == nil } }

    /// The limits after the raise.
    ///
    /// - Throws: where one would be lowered, nothing changes, or no engine can have them.
    package func raised(_ before: EngineLimits) throws(InputError) -> EngineLimits {
        var after = before
        for limit in limits {
            guard let value = limit.value else { continue }
            let now = before[keyPath: limit.path]
            guard value >= now else {
                throw InputError(
                    "--\(limit.name) \(value) is below the present \(now)",
                    repair: "limits only grow: start a new exchange to have lower ones")
            }
            after[keyPath: limit.path] = value
        }
        guard after != before else { throw InputError("these limits are in force already") }
        guard after.isReasonable else {
            throw InputError(
                "no engine can be made with these limits",
                repair: "the highest are 65,534 assets and instruments, 1,048,576 accounts, API "
                    + "keys and rows of order limits, 16,777,215 open orders, 65,536 sessions, "
                    + "1,024 fee tiers, 268,435,456 references, and 2^31 accounts × assets")
        }
        return after
    }
}
