// What comes due in the world around the hosts.

/// What comes due, the earliest first; at the same time in the order of its making.
struct Agenda {
    private struct Entry {
        let at: Int64
        let number: Int
        let body: () -> Void
    }
    private var entries: [Entry] = []
    private var count = 0

    /// When the next is due.
    var nextAt: Int64? { entries.last?.at }

    mutating func add(at: Int64, _ body: @escaping () -> Void) {
        count += 1
        // Sorted, the next one last: there are few.
        var index = entries.count
        while index > 0, entries[index - 1].at <= at { index -= 1 }
        entries.insert(Entry(at: at, number: count, body: body), at: index)
    }

    mutating func take() -> () -> Void { entries.removeLast().body }
}
