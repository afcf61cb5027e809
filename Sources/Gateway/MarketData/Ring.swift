// The newest elements of a sequence.

/// Holds the newest `capacity` elements; memory grows as they come, up to that.
struct Ring<Element: Sendable>: Sendable {
    /// Maximum number of elements.
    let capacity: Int
    private var slots: [Element] = []
    /// Where the oldest is, once the ring is full.
    private var head = 0

    /// An empty ring.
    init(capacity: Int) {
        precondition(capacity > 0, "a ring holds at least one")
        self.capacity = capacity
    }

    /// Number of elements.
    var count: Int { slots.count }

    /// The newest.
    var last: Element? { slots.isEmpty ? nil : self[count - 1] }

    /// An element by age: 0 is the oldest. O(1).
    subscript(index: Int) -> Element {
        get { slots[slot(index)] }
        _modify { yield &slots[slot(index)] }
    }

    /// Adds the newest, and drops the oldest where there is no more room. O(1) amortized.
    mutating func append(_ element: Element) {
        if slots.count < capacity {
            slots.append(element)
        } else {
            slots[head] = element
            head = (head + 1) % capacity
        }
    }

    /// The newest `most`, oldest of them first.
    func suffix(_ most: Int) -> [Element] {
        (max(0, count - max(0, most))..<count).map { self[$0] }
    }

    private func slot(_ index: Int) -> Int {
        precondition(index >= 0 && index < slots.count, "an index within the ring")
        let slot = head + index
        return slot < slots.count ? slot : slot - slots.count
    }
}
