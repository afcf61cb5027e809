// A queue of distinct numbers.

internal import Slabs

/// A queue of account or instrument numbers, each at most once. All operations are O(1), and
/// nothing grows.
struct WaitingList: ~Copyable {
    private struct Place: BitwiseCopyable {
        var next: UInt32 = 0
        var previous: UInt32 = 0
        var isTaken = false
    }

    /// Place 0 closes the ring; each number's place follows it.
    private var places: Slab<Place>
    private(set) var count = 0
    private let byAddress = ByAddress()

    /// Room for the numbers from 0 to `last`.
    init(through last: Int) { places = Slab(capacity: last + 2) }

    /// Makes room.
    mutating func raise(through last: Int) { places.raise(capacity: last + 2) }

    @inline(__always) var isEmpty: Bool { count == 0 }

    @inline(__always) func contains(_ number: UInt32) -> Bool { places[number + 1].isTaken }

    /// The first number, or nil.
    var first: UInt32? { places[0].next == 0 ? nil : places[0].next - 1 }

    /// The number after this queued one; nil if it is the last.
    func next(after number: UInt32) -> UInt32? {
        let next = places[number + 1].next
        return next == 0 ? nil : next - 1
    }

    /// Appends a number.
    mutating func append(_ number: UInt32) {
        precondition(!contains(number), "a number waits once")
        let last = places[0].previous
        places[number + 1] = Place(next: 0, previous: last, isTaken: true)
        places[last].next = number + 1
        places[0].previous = number + 1
        count += 1
    }

    /// Removes a number.
    mutating func remove(_ number: UInt32) {
        precondition(contains(number), "a number that waits")
        let place = places[number + 1]
        places[place.previous].next = place.next
        places[place.next].previous = place.previous
        places[number + 1] = Place()
        count -= 1
    }

    /// Calls `body` with each number in order.
    func forEach(_ body: (UInt32) -> Void) {
        var number = first
        while let this = number {
            body(this)
            number = next(after: this)
        }
    }
}
