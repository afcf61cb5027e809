// Elected stops that wait to run, by instrument.

internal import Slabs

/// Ranges in chunks, so that growing never copies a long array.
struct ElectedRanges {
    private var pieces: [[Election.Range]] = []
    private(set) var count = 0

    private static var pieceBits: Int { 10 }

    subscript(place: Int) -> Election.Range {
        get { pieces[place >> Self.pieceBits][place & ((1 << Self.pieceBits) - 1)] }
        set { pieces[place >> Self.pieceBits][place & ((1 << Self.pieceBits) - 1)] = newValue }
    }

    mutating func append(_ range: Election.Range) {
        let piece = count >> Self.pieceBits
        if piece == pieces.count {
            pieces.append([])
            pieces[piece].reserveCapacity(1 << Self.pieceBits)
        }
        pieces[piece].append(range)
        count += 1
    }

    /// The range at a distance from the end, 1 is the last; nil if there are fewer.
    func last(_ place: Int = 1) -> Election.Range? { place > count ? nil : self[count - place] }
}

/// The elected stops of an instrument, in the order of election.
struct Election {
    /// All stops of one direction up to a price, from the best on, except those of earlier ranges.
    struct Range {
        var isUp: Bool
        var bound: Int64
        /// Whether it has stops left. If so, its neighbours that have some, or −1.
        var isLive = false
        var next = -1
        var previous = -1
    }

    /// Directions alternate, and the bounds of one direction move further out with each range: so
    /// every second range has one direction, in order. Each has a stop that existed when the first
    /// began, as new stops are refused meanwhile; so there are no more ranges than stops.
    private(set) var ranges = ElectedRanges()
    /// The first and the last range with stops left, or −1.
    private(set) var first = -1
    private var last = -1

    var isOver: Bool { first < 0 }

    /// Appends the stops up to a price.
    fileprivate mutating func append(isUp: Bool, bound: Int64) {
        if ranges.last()?.isUp != isUp { ranges.append(Range(isUp: isUp, bound: bound)) }
        let place = ranges.count - 1
        ranges[place].bound = bound
        if ranges[place].isLive { return }
        ranges[place].isLive = true
        ranges[place].previous = last
        ranges[place].next = -1
        if last >= 0 { ranges[last].next = place } else { first = place }
        last = place
    }

    /// Marks a range as without stops.
    fileprivate mutating func end(_ place: Int) {
        let (next, previous) = (ranges[place].next, ranges[place].previous)
        ranges[place].isLive = false
        if next >= 0 { ranges[next].previous = previous } else { last = previous }
        if previous >= 0 { ranges[previous].next = next } else { first = next }
        if isOver { ranges = ElectedRanges() }
    }

    /// The range of an elected stop; nil if it is not elected. O(log ranges).
    func place(isUp: Bool, _ price: Int64) -> Int? {
        if ranges.count == 0 { return nil }
        let offset = ranges[0].isUp == isUp ? 0 : 1
        var (low, high) = (0, (ranges.count - offset + 1) / 2)
        while low < high {
            let middle = (low + high) / 2
            let bound = ranges[2 * middle + offset].bound
            if isUp ? bound < price : bound > price { low = middle + 1 } else { high = middle }
        }
        let place = 2 * low + offset
        return place < ranges.count ? place : nil
    }

    /// The outermost price up to which stops of a direction are elected, or nil.
    func bound(isUp: Bool) -> Int64? {
        ranges.last()?.isUp == isUp ? ranges.last()?.bound : ranges.last(2)?.bound
    }
}

/// The elections of all instruments.
struct Elections: ~Copyable {
    /// By instrument; nil once all have run.
    private var all: [Election]
    /// Trading instruments whose stops continue by ticks, in that order.
    var running: WaitingList
    private(set) var count = 0
    private let byAddress = ByAddress()

    init(instruments: Int) {
        all = Array(repeating: Election(), count: instruments + 1)
        running = WaitingList(through: instruments)
    }

    /// Makes room. O(instruments).
    mutating func raise(instruments: Int) {
        let more = instruments + 1 - all.count
        if more > 0 { all.append(contentsOf: repeatElement(Election(), count: more)) }
        running.raise(through: instruments)
    }

    @inline(__always) var isEmpty: Bool { count == 0 }

    /// Whether elected stops wait in an instrument, known or not.
    func contains(_ instrument: UInt16) -> Bool {
        Int(instrument) < all.count && !all[Int(instrument)].isOver
    }

    /// The elected stops of an instrument.
    subscript(_ instrument: UInt16) -> Election { all[Int(instrument)] }

    /// Elects the stops of one direction up to a price.
    mutating func append(_ instrument: UInt16, isUp: Bool, bound: Int64, isTrading: Bool) {
        if all[Int(instrument)].isOver {
            count += 1
            if isTrading { running.append(UInt32(instrument)) }
        }
        all[Int(instrument)].append(isUp: isUp, bound: bound)
    }

    /// Marks a range as without stops.
    mutating func end(_ instrument: UInt16, _ place: Int) {
        all[Int(instrument)].end(place)
        if !all[Int(instrument)].isOver { return }
        count -= 1
        if running.contains(UInt32(instrument)) { running.remove(UInt32(instrument)) }
    }

    /// Queues an instrument's stops to continue by ticks, or removes them from the queue.
    mutating func run(_ instrument: UInt16, _ isRunning: Bool) {
        let number = UInt32(instrument)
        if running.contains(number) { running.remove(number) }
        if isRunning, contains(instrument) { running.append(number) }
    }
}
