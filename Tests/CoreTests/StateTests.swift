// Goal: a state that is written comes back as it was, with whatever work waits in it; bytes that
// are no state are refused, and nothing that is read can trap the engine afterwards.

import Engine
import Slabs
import Terms
import Testing
import Wire

@Suite struct StateTests {
    private static func bytes(of engine: borrowing Engine) -> [UInt8] {
        var bytes: [UInt8] = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Calls `body` with the state of these bytes; false where they are none.
    private static func read(_ bytes: [UInt8], _ body: (inout Engine) -> Void) -> Bool {
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes {
            unsafe read = Engine(snapshot: $0, keepsEvents: false, rulesKnown: SetRules.next)
        }
        guard var engine = read.take() else { return false }
        body(&engine)
        return true
    }

    /// A random log, by a stream that looks at the twin alone.
    private static func log(seed: UInt64, steps: Int) -> [Step] {
        let twin = SlowExchange(limits: seedLimits(seed))
        var stream = CommandStream(seed: seed, twin: twin)
        var log: [Step] = []
        for _ in 0..<steps {
            let step = stream.next()
            _ = step.isVoided ? twin.pass(step.header) : twin.apply(step.header, step.command)
            log.append(step)
        }
        return log
    }

    private static func take(_ step: Step, _ engine: inout Engine) {
        unsafe step.bytes.withUnsafeBytes { bytes in
            _ =
                step.isVoided
                ? unsafe engine.skip(record: bytes) : unsafe engine.apply(record: bytes)
        }
    }

    @Test(arguments: 1...12)
    func `an engine from a snapshot continues identically`(_ seed: UInt64) {
        let log = Self.log(seed: seed, steps: 1_500)
        var engine = Engine(limits: seedLimits(seed), keepsEvents: false, rulesKnown: SetRules.next)
        var other = Engine(limits: seedLimits(seed), keepsEvents: false, rulesKnown: SetRules.next)
        var atWork = 0
        for (i, step) in log.enumerated() {
            Self.take(step, &engine)
            Self.take(step, &other)
            let isAtWork = other.nextTimer == other.timestamp
            guard i % 23 == 0 || isAtWork && atWork < 60 else { continue }
            if isAtWork { atWork += 1 }
            let bytes = Self.bytes(of: other)
            let isRead = Self.read(bytes) { restored in
                #expect(Self.bytes(of: restored) == bytes)
                swap(&other, &restored)
            }
            #expect(isRead, "seed \(seed) after \(i + 1) records")
            if let fault = other.checkInvariants() {
                Issue.record("seed \(seed) after \(i + 1) records: \(fault)")
                return
            }
        }
        // Turns of ordinary length leave little for the next one.
        let isShort = seedLimits(seed).turnSteps < 100
        #expect(!isShort || atWork > 0, "seed \(seed): work waited in no state")
        let (ours, theirs) = (engine.eventHash, other.eventHash)
        #expect(ours == theirs, "seed \(seed)")
        let (ourState, theirState) = (engine.stateHash(), other.stateHash())
        #expect(ourState == theirState, "seed \(seed)")
    }

    @Test func `no damaged state traps, when it is read or afterwards`() {
        let rounds = environment("BOURSE_STATE_ROUNDS", 300)
        var (refused, taken) = (0, 0)
        for seed in UInt64(1)...12 {
            var random = SplitMix64(seed: seed)
            let log = Self.log(seed: seed, steps: 700)
            var engine = Engine(
                limits: seedLimits(seed), keepsEvents: false, rulesKnown: SetRules.next)
            let cut = Int(random.within(200...500))
            for step in log[..<cut] { Self.take(step, &engine) }
            let bytes = Self.bytes(of: engine)
            for _ in 0..<rounds {
                let damaged = Self.damage(bytes, &random)
                let isRead = Self.read(damaged) { other in
                    #expect(Self.bytes(of: other) == damaged, "seed \(seed): not as it was read")
                    if let fault = other.checkInvariants() {
                        Issue.record("seed \(seed): it was read, and \(fault)")
                    }
                    // Records in the order of the state's own sequence, whatever that is now.
                    for step in log[cut..<min(log.count, cut + 60)] {
                        var record = step.bytes
                        let sequence = other.sequence + 1
                        for i in 0..<8 {
                            record[8 + i] = UInt8(truncatingIfNeeded: sequence >> (8 * UInt64(i)))
                        }
                        _ = unsafe record.withUnsafeBytes { unsafe other.apply(record: $0) }
                    }
                    if let fault = other.checkInvariants() {
                        Issue.record("seed \(seed): it went on, and \(fault)")
                    }
                }
                if isRead { taken += 1 } else { refused += 1 }
            }
        }
        // Some changes give another state that is as sound, as another name or limit.
        #expect(refused > taken && taken > 0, "refused \(refused), taken \(taken)")
    }

    /// Cuts the bytes, or puts something extreme or something small in the place of a word.
    private static func damage(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var copy = bytes
        if random.once(in: 20) {
            copy.removeLast(Int(random.within(1...Int64(bytes.count))))
            return copy
        }
        let place = Int(random.next() % UInt64(bytes.count / 8)) * 8
        // The limits are left: they only say how much memory is reserved.
        if place < 48 { return damage(bytes, &random) }
        let width = random.pick([1, 2, 4, 8])
        let at = place + Int(random.next() % UInt64(8 / width)) * width
        let value: UInt64 =
            switch random.within(0...4) {
            case 0: .max
            case 1: 1 << 63
            case 2: UInt64(random.within(0...4))
            case 3: random.next()
            default: UInt64(copy[at]) &+ random.pick([1, .max])
            }
        for i in 0..<width { copy[at + i] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(i))) }
        return copy
    }

    @Test func `a state in which somebody owns a unit too many is refused`() {
        let venue = Desk()
        let bytes = Self.bytes(of: venue.engine)
        // The balance of account 1: what was credited, as 16 bytes.
        let amount = (0..<16).map { UInt8(truncatingIfNeeded: Desk.credit >> Int128(8 * $0)) }
        var found = 0
        for place in stride(from: 0, to: bytes.count - 16, by: 8)
        where Array(bytes[place..<place + 16]) == amount {
            var copy = bytes
            copy[place] &+= 1
            found += 1
            #expect(!Self.read(copy) { _ in }, "a unit more at \(place)")
        }
        #expect(found > 0)
        #expect(Self.read(bytes) { _ in })
    }
}
