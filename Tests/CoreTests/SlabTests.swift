// Goal: the indices find what a dictionary finds, through growth and collisions, and nobody can
// pile up keys in them; a slab stops the process outside its bounds.

import Glibc
import Slabs
import Testing

@Suite struct SlabTests {
    /// Hash functions from good to hopeless. The last two pile up at the table's end, so that runs
    /// wrap around it before and after it grows.
    static let hashes: [@Sendable (UInt64) -> UInt64] = [
        { KeyedHash(high: 1, low: 2).hash($0) },
        { $0 },
        { $0 << 56 | 62 },
        { ~0 << 4 | ($0 & 15) },
        { ($0 % 2) &* (~0) &- ($0 & 63) },
    ]

    @Test(arguments: hashes.indices)
    func `a chained index finds what a dictionary finds`(_ which: Int) {
        let hash = Self.hashes[which]
        let capacity = 9_000
        var random = SplitMix64(seed: UInt64(which + 1))
        // Half the room at first, the rest when that is full.
        var index = ChainIndex(capacity: capacity / 2)
        var keys = Slab<UInt64>(capacity: capacity)
        var model: [UInt64: UInt32] = [:]
        var free = Array((0..<UInt32(capacity / 2)).reversed())
        var isRaised = false
        for step in 0..<60_000 {
            let key = UInt64(random.within(1...24_000))
            let found = index.find(hash(key)) { keys[$0] == key }
            #expect(found == model[key])
            // Fill in the first half, empty in the second.
            let fills = random.within(0...9) < (step < 30_000 ? 8 : 2)
            if fills, free.isEmpty, !isRaised {
                isRaised = true
                index.raise(capacity: capacity)
                free = Array((UInt32(capacity / 2)..<UInt32(capacity)).reversed())
            }
            if let slot = found, !fills {
                index.remove(hash(key), slot)
                model[key] = nil
                free.append(slot)
            } else if found == nil, fills, let slot = free.popLast() {
                keys[slot] = key
                index.insert(hash(key), slot)
                model[key] = slot
            }
        }
        #expect(isRaised && index.count == model.count)
        for (key, slot) in model {
            #expect(index.find(hash(key)) { keys[$0] == key } == slot)
            index.remove(hash(key), slot)
        }
        #expect(index.count == 0)
        for key in model.keys {
            #expect(index.find(hash(key)) { _ in true } == nil)
        }
    }

    @Test func `a chained index asks about few other keys, however full`() {
        let capacity = 100_000
        var index = ChainIndex(capacity: capacity)
        let hash = KeyedHash(high: 1, low: 2)
        for i in 0..<UInt32(capacity) { index.insert(hash.hash(UInt64(i)), i) }
        var asked = 0
        for i in 0..<UInt32(capacity) {
            let found = index.find(hash.hash(UInt64(i))) { slot in
                asked += 1
                return slot == i
            }
            #expect(found == i)
        }
        #expect(asked < capacity * 101 / 100)
    }

    @Test func `texts crafted against one key do not pile up under another`() {
        let (known, secret) = (KeyedHash(high: 7, low: 8), KeyedHash(high: 7, low: 9))
        let places: UInt64 = 1_024
        var crafted: [UInt64] = []
        var text: UInt64 = 0
        while crafted.count < 12_000 {
            text += 1
            if known.hash(text, text >> 9, 0, 0, 0, owner: 1) % places == 0 { crafted.append(text) }
        }
        var piles = [Int](repeating: 0, count: Int(places))
        for text in crafted {
            piles[Int(secret.hash(text, text >> 9, 0, 0, 0, owner: 1) % places)] += 1
        }
        // Chance alone gives 12 a place and hardly ever 40.
        #expect(piles.max()! < 40)
        #expect(piles.count { $0 == 0 } < 5)
    }

    @Test func `each word of a text, its owner and the key count`() {
        let hash = KeyedHash(high: 0, low: 0)
        var seen: Set<UInt64> = [hash.hash(0, 0, 0, 0, 0, owner: 0)]
        for bit in 0..<64 {
            let word = UInt64(1) << UInt64(bit)
            seen.insert(hash.hash(word, 0, 0, 0, 0, owner: 0))
            seen.insert(hash.hash(0, word, 0, 0, 0, owner: 0))
            seen.insert(hash.hash(0, 0, word, 0, 0, owner: 0))
            seen.insert(hash.hash(0, 0, 0, word, 0, owner: 0))
            seen.insert(hash.hash(0, 0, 0, 0, word, owner: 0))
            seen.insert(KeyedHash(high: word, low: 0).hash(0, 0, 0, 0, 0, owner: 0))
            seen.insert(KeyedHash(high: 0, low: word).hash(0, 0, 0, 0, 0, owner: 0))
        }
        for bit in 0..<UInt32(32) { seen.insert(hash.hash(0, 0, 0, 0, 0, owner: 1 << bit)) }
        #expect(seen.count == 1 + 64 * 7 + 32)
    }

    @Test func `a raised slab keeps what it holds`() {
        // Small to small, small to huge pages, huge to huge.
        for (from, to) in [(1, 2_000), (513, 1 << 19), (1 << 19, 1 << 21)] {
            var slab = Slab<Int64>(capacity: from)
            slab[0] = 5
            slab[from - 1] = 7
            slab.raise(capacity: to)
            #expect(slab.capacity == to && slab[from - 1] == 7 && slab[to - 1] == 0)
            #expect(slab[0] == (from == 1 ? 7 : 5) && slab[from] == 0)
            slab[to - 1] = 9
            slab.raise(capacity: to)
            #expect(slab[to - 1] == 9)
        }
    }

    @Test func `memory is taken ahead of its use, and what is written stays`() throws {
        // A slab with a dense front of four huge pages, and its rest.
        let capacity = 4 << 20
        var slab = Slab<Int64>(capacity: capacity, dense: 1 << 20)
        #expect(slab.memory.bytes == 8 << 20)
        slab[5] = 7
        slab[capacity - 1] = 9
        #expect(Self.resident(slab, 0..<1 << 20) < 1 << 20)
        #expect(slab.memory.take())
        #expect(slab[5] == 7 && slab[capacity - 1] == 9 && slab[1 << 19] == 0)
        #expect(Self.resident(slab, 0..<1 << 20) == 1 << 20)
        #expect(Self.resident(slab, 1 << 20..<capacity) < 2 << 20)
        var asked = 0
        #expect(
            !slab.memory.take {
                asked += 1
                return asked < 2
            })
        #expect(asked == 2)
    }

    /// How many elements of a range are in memory.
    private static func resident(_ slab: borrowing Slab<Int64>, _ range: Range<Int>) -> Int {
        unsafe slab.withSpan(range) { span in
            let bytes = span.count * MemoryLayout<Int64>.stride
            var pages = [UInt8](repeating: 0, count: bytes / 4_096)
            let start = unsafe UnsafeMutableRawPointer(mutating: span.baseAddress!)
            #expect(unsafe mincore(start, bytes, &pages) == 0)
            return pages.count { $0 & 1 == 1 } * 512
        }
    }

    @Test func `a slab starts with zeros and keeps what is written`() {
        // Small, and large enough for huge pages.
        for capacity in [1, 513, 1 << 19] {
            var slab = Slab<Int64>(capacity: capacity)
            #expect(slab.capacity == capacity)
            for i in Set([0, capacity / 2, capacity - 1]) {
                #expect(slab[i] == 0)
                slab[i] = Int64(i) - 7
                #expect(slab[UInt32(i)] == Int64(i) - 7)
            }
            slab.prefetch(-1)
            slab.prefetch(capacity)
            let last = unsafe slab.withSpan(capacity - 1..<capacity) { unsafe $0[0] }
            #expect(last == Int64(capacity - 1) - 7)
        }
    }

    @Test func `a slab stops the process outside its bounds`() async {
        await #expect(processExitsWith: .failure) {
            var slab = Slab<UInt8>(capacity: 10)
            slab[10] = 1
        }
        await #expect(processExitsWith: .failure) {
            let slab = Slab<UInt8>(capacity: 10)
            print(slab[-1])
        }
        await #expect(processExitsWith: .failure) {
            let slab = Slab<UInt8>(capacity: 10)
            print(slab[UInt32.max])
        }
    }

    @Test func `removing what is not there stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var index = ChainIndex(capacity: 10)
            index.insert(5, 4)
            index.remove(5, 5)
        }
    }

    @Test(arguments: [0, 8, 24, 40, 48, 56])
    func `keys that differ in a few bits alone do not share a place`(_ shift: UInt64) {
        // 256 keys in 4,096 places: chance alone leaves about 248 different ones.
        let hash = KeyedHash(high: 3, low: 4)
        let places = Set((0..<256).map { hash.hash(UInt64($0) << shift) & 4_095 })
        #expect(places.count > 200)
    }
}
