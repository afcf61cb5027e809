// Goal: the meaning of the log does not change by accident. A recorded log gives the hashes that
// stand beside it, on any machine, in whichever way its records come in.

import Engine
import Glibc
import Slabs
import Terms
import Testing
import Wire

@Suite struct DeterminismTests {
    private static let commands = 600
    /// Turns of few steps, so that the log has work in it that goes on by ticks.
    private static let limits: EngineLimits = {
        var limits = EngineLimits.small
        limits.turnSteps = 6
        return limits
    }()

    /// A log that was recorded under each version of the rules: it stays as it was. The newest one
    /// is written by BOURSE_RECORD=1, once, before a release has these rules.
    private static let logs = [
        "engine-log", "engine-log-2",
        // Limits of withdrawals were of no tier then.
        "engine-log-3-early", "engine-log-3", "engine-log-4",
    ]
    private static let newestRules = logs[logs.count - 1]

    @Test(arguments: zip(logs, [1, 2, 3, 3, 4]))
    func `a recorded log gives the recorded hashes`(_ name: String, _ version: UInt32) throws {
        if environment("BOURSE_RECORD", 0) != 0, name == Self.newestRules { record(name) }
        var engine = Engine(limits: Self.limits, rulesKnown: SetRules.next)
        let found = hashes(of: &engine, name)
        let rules = engine.rules
        #expect(rules == version)
        let recorded = readText(Self.hashPath(name)).split(separator: "\n").map(String.init)
        #expect(recorded.count == Self.commands / 100 + 1)
        #expect(found == recorded)
        let hasDiverged = engine.hasDiverged
        #expect(!hasDiverged, "marks inside the log agree too")
    }

    @Test func `records and decoded commands give the same hashes`() {
        var engine = Engine(limits: Self.limits, rulesKnown: SetRules.next)
        _ = hashes(of: &engine, Self.newestRules)
        var other = Engine(limits: Self.limits, keepsEvents: false, rulesKnown: SetRules.next)
        for record in records(Self.newestRules) {
            unsafe record.withUnsafeBytes { bytes in
                let header = unsafe RecordHeader(bytes)!
                let payload = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes[RecordHeader.size...])
                guard let kind = CommandKind(rawValue: header.kind),
                    let command = unsafe Command(kind: kind, payload: payload)
                else {
                    // What does not decode goes in as it is.
                    _ = unsafe other.apply(record: bytes)
                    return
                }
                _ = other.apply(header, command)
            }
        }
        let (a, b) = (engine.eventHash, other.eventHash)
        #expect(a == b)
        let (c, d) = (engine.stateHash(), other.stateHash())
        #expect(c == d)
    }

    @Test func `a snapshot cut or changed anywhere is not read`() {
        var engine = Engine(limits: Self.limits, rulesKnown: SetRules.next)
        _ = hashes(of: &engine, Self.newestRules)
        var rows = 0
        engine.forEachWithdrawalTerms { _ in rows += 1 }
        #expect(rows > 0, "what its rules brought is in it")
        var bytes: [UInt8] = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        let hash = engine.stateHash()
        var random = SplitMix64(seed: 3)
        var changed = 0
        for _ in 0..<1_000 {
            var copy = bytes
            if random.once(in: 3) {
                copy.removeLast(Int(random.within(1...Int64(bytes.count))))
            } else {
                copy[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
            }
            // Either it is refused, or it is a state of its own; never a crash, never this state.
            let other = unsafe copy.withUnsafeBytes {
                unsafe Engine(snapshot: $0, rulesKnown: SetRules.next)?.stateHash()
            }
            if other != hash { changed += 1 }
        }
        #expect(changed == 1_000, "each change is seen")
    }

    @Test func `an engine that starts again at every record is the same engine`() {
        var waits = Waits()
        for seed in [6, 9, 11, 12, 13, 2_026] as [UInt64] {
            let twin = SlowExchange(limits: Self.limits)
            var engine = Engine(limits: Self.limits, rulesKnown: SetRules.next)
            // Its slots lie otherwise than those of one that never stopped.
            var other = Engine(limits: Self.limits, keepsEvents: false, rulesKnown: SetRules.next)
            var stream = CommandStream(seed: seed, twin: twin)
            for n in 0..<1_500 {
                stream.eventHash = engine.eventHash
                let step = stream.next()
                _ = twin.apply(step.header, step.command)
                let outcomes = unsafe step.bytes.withUnsafeBytes {
                    unsafe (engine.apply(record: $0), other.apply(record: $0))
                }
                var read = restored(other)
                let isSame = outcomes.0 == outcomes.1 && engine.eventHash == other.eventHash
                guard isSame, let next = read.take(), next.stateHash() == engine.stateHash() else {
                    Issue.record("seed \(seed): not the same at record \(n + 1)")
                    return
                }
                other = next
                waits.count(twin)
            }
            #expect(other.checkInvariants() == nil)
        }
        #expect(
            waits.flights > 100 && waits.massCancels + waits.kills > 10 && waits.elections > 100
                && waits.payments > 100, "\(waits)")
    }

    /// What an engine's snapshot gives.
    private func restored(_ engine: borrowing Engine) -> Engine? {
        var bytes: [UInt8] = []
        unsafe engine.writeSnapshot { unsafe bytes.append(contentsOf: $0) }
        var read: Engine? = nil
        unsafe bytes.withUnsafeBytes {
            unsafe read = Engine(snapshot: $0, keepsEvents: false, rulesKnown: SetRules.next)
        }
        return read
    }

    // MARK: Files

    private static func logPath(_ name: String) -> String { testFile("Fixtures/\(name).bin") }
    private static func hashPath(_ name: String) -> String {
        testFile("Fixtures/\(name)-hashes.txt")
    }

    /// The event hash after each hundred records, and the state's hash at the end.
    private func hashes(of engine: inout Engine, _ name: String) -> [String] {
        var lines: [String] = []
        for (i, record) in records(name).enumerated() {
            _ = unsafe record.withUnsafeBytes { unsafe engine.apply(record: $0) }
            if (i + 1) % 100 == 0 {
                lines.append("events \(i + 1) \(String(engine.eventHash, radix: 16))")
            }
        }
        return lines + ["state \(engine.sequence) \(String(engine.stateHash(), radix: 16))"]
    }

    /// The records of the file, in which each has its length before it.
    private func records(_ name: String) -> [[UInt8]] {
        let bytes = readBytes(Self.logPath(name))
        var records: [[UInt8]] = []
        var place = 0
        while place + 4 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
            records.append(Array(bytes[(place + 4)..<(place + 4 + length)]))
            place += 4 + length
        }
        return records
    }

    private func record(_ name: String) {
        // The first of them that ends with rows of every table that its rules have.
        let file = sequence(first: 2_027 as UInt64) { $0 + 5 }.lazy.compactMap { log(seed: $0) }
            .first { _ in true }
        writeBytes(Self.logPath(name), file ?? [])
        var again = Engine(limits: Self.limits, rulesKnown: SetRules.next)
        writeText(Self.hashPath(name), hashes(of: &again, name).joined(separator: "\n") + "\n")
    }

    /// The file of a seed's log; nil where it ends without terms of withdrawals.
    private func log(seed: UInt64) -> [UInt8]? {
        let twin = SlowExchange(limits: Self.limits)
        var engine = Engine(limits: Self.limits, rulesKnown: SetRules.next)
        var stream = CommandStream(seed: seed, twin: twin)
        var file: [UInt8] = []
        for _ in 0..<Self.commands {
            stream.eventHash = engine.eventHash
            let step = stream.next()
            _ = twin.apply(step.header, step.command)
            _ = unsafe step.bytes.withUnsafeBytes { unsafe engine.apply(record: $0) }
            let length = UInt32(step.bytes.count)
            file += (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + step.bytes
        }
        return twin.withdrawalTerms.isEmpty ? nil : file
    }
}
