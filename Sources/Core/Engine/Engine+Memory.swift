// The memory of an engine, computed in advance.

public import Slabs
public import Terms

extension Engine {
    /// Bytes of an engine whose tables are all full: with open orders at adjacent prices, and with
    /// each at a price as far from the others as possible. Memory is taken when it is used, or
    /// before by `slabMemory`; tables of texts (names, keys) are estimates.
    public static func memory(_ limits: EngineLimits) -> (dense: Int, sparse: Int) {
        let orders = Int(limits.openOrders)
        let leaf = 64 * MemoryLayout<Level>.stride + MemoryLayout<Leaf>.stride
        let node = 64 * MemoryLayout<UInt32>.stride + MemoryLayout<NodeBits>.stride
        // A node of height h covers 6 × h bits of a price's 48: there are at most as many as the
        // other bits can distinguish, and as there are orders.
        let nodes = (2...8).reduce(0) { $0 + min(orders, 1 << (48 - 6 * $1)) }
        let all = tables(limits) + orders * orderBytes
        return (all + (orders / 64 + 1) * (leaf + node), all + orders * leaf + nodes * node)
    }

    /// The pages of all tables of known size, the most used first. Taking them before the first
    /// command saves turns up to milliseconds per huge page. Prices that are far apart take more, a
    /// small page at a time.
    public var slabMemory: [SlabMemory] {
        [instruments.memory, triggers.memory, assets.memory] + orders.slabMemory
            + ladders.slabMemory + accounts.slabMemory + ledger.slabMemory + references.slabMemory
    }

    /// Bytes of one open order: its two parts, its entries in its account's list, in the heap of
    /// timers, and in two indices.
    private static var orderBytes: Int {
        let index = 3 * MemoryLayout<UInt32>.stride + MemoryLayout<UInt32>.stride
        return MemoryLayout<HotOrder>.stride + MemoryLayout<ColdOrder>.stride
            + MemoryLayout<Link>.stride + MemoryLayout<OrderTimer>.stride
            + MemoryLayout<UInt32>.stride + 2 * index
    }

    private static func tables(_ l: EngineLimits) -> Int {
        let (accounts, assets, instruments) = (
            Int(l.accounts) + 1, Int(l.assets) + 1, Int(l.instruments) + 1
        )
        let balance = MemoryLayout<HotBalance>.stride + MemoryLayout<Int128>.stride
        // A table by text: each entry, and half as many free places.
        let name = 3 * (MemoryLayout<Text40>.stride + MemoryLayout<UInt64>.stride) / 2
        let account = MemoryLayout<AccountSlot>.stride + MemoryLayout<Text40>.stride + name
        let key = MemoryLayout<APIKeyView>.stride + 2 * MemoryLayout<Text64>.stride + 128
        let row = 2 * (MemoryLayout<UInt64>.stride + MemoryLayout<OrderLimitSlot>.stride)
        let reference = MemoryLayout<ReferenceEntry>.stride + MemoryLayout<UInt32>.stride
        var sum = accounts * (account + assets * balance)
        sum += assets * (MemoryLayout<AssetView>.stride + MemoryLayout<HouseBalance>.stride)
        sum += instruments * MemoryLayout<InstrumentView>.stride
        sum += instruments * 4 * MemoryLayout<Ladder>.stride
        sum += instruments * Int(l.feeTiers) * MemoryLayout<FeeSlot>.stride
        sum += Int(l.apiKeys) * key + Int(l.orderLimits) * row
        sum +=
            Int(l.sessions) * (MemoryLayout<SessionView>.stride + 2 * name) + Custody.bytesMax
            + Operators.bytesMax + WithdrawalRules.bytesMax(accounts: accounts)
        return sum + Int(l.references) * reference + eventsMax(l) * MemoryLayout<Event>.stride
    }
}
