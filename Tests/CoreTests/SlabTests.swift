// Goal: the index finds what a dictionary finds, through growth, collisions and runs that wrap
// around its end; a slab stops the process outside its bounds.

import Slabs
import Testing

@Suite struct SlabTests {
    /// Hash functions from good to hopeless. The last two pile up at the table's end, so that runs
    /// wrap around it before and after it grows.
    static let hashes: [@Sendable (UInt64) -> UInt64] = [
        { scatter($0) },
        { $0 },
        { $0 << 56 | 62 },
        { ~0 << 4 | ($0 & 15) },
        { ($0 % 2) &* (~0) &- ($0 & 63) },
    ]

    @Test(arguments: hashes.indices)
    func `an index finds what a dictionary finds`(_ which: Int) {
        let hash = Self.hashes[which]
        let capacity = 1_500
        var random = SplitMix64(seed: UInt64(which + 1))
        var index = HashIndex(capacity: capacity)
        var keys = Slab<UInt64>(capacity: capacity)
        var model: [UInt64: UInt32] = [:]
        var free = Array((0..<UInt32(capacity)).reversed())
        for step in 0..<40_000 {
            let key = UInt64(random.within(1...4_000))
            let found = index.find(hash(key)) { keys[$0] == key }
            #expect(found == model[key])
            // Fill in the first half, empty in the second.
            let fills = random.within(0...9) < (step < 20_000 ? 7 : 3)
            if let slot = found, !fills {
                index.remove(hash(key), slot, keys: keys) { hash($0[$1]) }
                model[key] = nil
                free.append(slot)
            } else if found == nil, fills, let slot = free.popLast() {
                keys[slot] = key
                index.insert(hash(key), slot, keys: keys) { hash($0[$1]) }
                model[key] = slot
            }
        }
        #expect(index.count == model.count)
        for (key, slot) in model {
            #expect(index.find(hash(key)) { keys[$0] == key } == slot)
        }
    }

    @Test func `an index grows to all that it was made for`() {
        var index = HashIndex(capacity: 1_024)
        var keys = Slab<UInt64>(capacity: 1_024)
        for i in 0..<UInt32(1_024) {
            keys[i] = UInt64(i) &* 0x1_0001
            index.insert(scatter(keys[i]), i, keys: keys) { scatter($0[$1]) }
        }
        for i in 0..<UInt32(1_024) {
            #expect(index.find(scatter(keys[i])) { $0 == i } == i)
        }
        let absent = scatter(0x1_0001 * 1_024)
        #expect(index.find(absent) { keys[$0] == 0x1_0001 * 1_024 } == nil)
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
            var index = HashIndex(capacity: 10)
            let keys = Slab<UInt64>(capacity: 10)
            index.remove(5, 5, keys: keys) { $0[$1] }
        }
    }

    @Test(arguments: [0, 8, 24, 40, 48, 56])
    func `keys that differ in a few bits alone do not share a place`(_ shift: UInt64) {
        // 256 keys in 4,096 places: chance alone leaves about 248 different ones.
        let places = Set((0..<256).map { scatter(UInt64($0) << shift) & 4_095 })
        #expect(places.count > 200)
    }
}
