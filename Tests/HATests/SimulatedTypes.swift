// What the simulation of two hosts and etcd is made of.

import Failover
import Slabs
import Terms

/// Random numbers by a seed.
struct SeededRandom {
    private var inner: SplitMix64

    init(_ seed: UInt64) {
        inner = SplitMix64(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1)
    }

    mutating func next() -> UInt64 { inner.next() }

    mutating func below(_ bound: Int) -> Int { inner.below(bound) }

    /// One in `n`; never for 0.
    mutating func oneIn(_ n: Int) -> Bool { n > 0 && below(n) == 0 }

    /// Nanoseconds between two numbers of microseconds.
    mutating func micros(_ low: Int, _ high: Int) -> Int64 {
        Int64(low + below(high - low + 1)) * 1_000
    }

    mutating func millis(_ low: Int, _ high: Int) -> Int64 { micros(low * 1_000, high * 1_000) }
}

/// A record of the small journal; two are the same when all fields are.
struct SimulatedRecord: Equatable {
    static let epochMark: UInt32 = 0
    static let hashMark: UInt32 = .max

    let epoch: UInt32
    let writer: UInt8
    let process: UInt32
    let command: UInt32
}

/// What a host keeps when its power goes.
struct SimulatedDisk {
    var records: [SimulatedRecord] = []
    var durable = 0
    var promise: UInt32 = 0
    var replica: ReplicaID
    /// The last record of this journal known to be released, from the sync marks.
    var released: UInt64 = 0

    var lastEpoch: UInt32 { records.last?.epoch ?? 0 }
}

/// A frame between two matchds.
enum SimulatedFrame {
    case beacon(
        epoch: UInt32, sentAt: BootTime, hasProgress: Bool, commit: UInt64, sealedEnd: UInt64?)
    case echo(
        epoch: UInt32, sentAt: BootTime, isEcho: Bool,
        acknowledgement: PeerAcknowledgement, offer: [SimulatedRecord]?)
    case append(
        epoch: UInt32, from: Int, before: SimulatedRecord?, records: [SimulatedRecord],
        commit: UInt64, start: Int, forced: ForcedStart?)
    case appended(PeerAcknowledgement)
    case refuse(promise: UInt32, replica: ReplicaID, process: ProcessNumber)
}

/// A request to etcd.
enum SimulatedRequest {
    case swap(RecordSwap)
    case floor(FloorPut)
    case read(RecordRequest)
}

/// What comes due.
enum SimulatedHappening {
    case tick(Int, agent: Int)
    case toAgent(Int, agent: Int, FailoverEvent)
    case toMatchd(Int, agent: Int, MatchdOrder)
    case report(Int, process: UInt64)
    case beacon(Int, process: UInt64)
    case synced(Int, process: UInt64, upTo: Int, cuts: Int)
    case frame(to: Int, SimulatedFrame)
    case notice(to: Int, epoch: UInt32)
    /// The agents connect to each other, if both run and reach each other.
    case agentsMeet(Int, agent: Int)
    case arrives(from: Int, agent: Int, id: Int, SimulatedRequest)
    case answers(to: Int, agent: Int, id: Int, FailoverEvent)
    case timesOut(Int, agent: Int, id: Int, FailoverEvent)
    case startMatchd(Int, token: Int)
    case startAgent(Int, token: Int)
    case powerOn(Int, token: Int)
    case load
    case fault(Int)
    case heal
    case operate
}

/// What comes due, the earliest first; at the same time in the order of its making.
struct SimulatedAgenda {
    private struct Entry {
        let at: Int64
        let number: Int
        let happening: SimulatedHappening
    }
    private var heap: [Entry] = []
    private var count = 0

    init() { heap.reserveCapacity(256) }

    mutating func add(_ happening: SimulatedHappening, at: Int64) {
        count += 1
        heap.append(Entry(at: at, number: count, happening: happening))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isBefore(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (at: Int64, happening: SimulatedHappening)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < heap.count && isBefore(heap[child], heap[least]) {
                    least = child
                }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.at, first.happening)
    }

    private func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        a.at != b.at ? a.at < b.at : a.number < b.number
    }
}
