// Goal: the log's stamps never go back and never jump, whatever the host's clock does, and follow
// it where it is right.

import Pipeline
import Testing

private let second: Int64 = 1_000_000_000
private let hour: Int64 = 3_600 * second

/// A host whose clocks a test sets.
private struct Host {
    var real: Int64 = 1_800_000_000 * second
    var boot: Int64 = 1_000 * second

    mutating func pass(_ nanos: Int64) {
        real += nanos
        boot += nanos
    }
}

@Suite struct LogClockTests {
    @Test func `an hour ahead for a moment changes no stamp by more than the slew`() {
        var host = Host()
        var clock = LogClock(
            last: host.real - second, line: nil, host: host.real, monotonic: host.boot)
        #expect(clock.start == .host && clock.now == host.real)
        host.pass(second)
        clock.advance(host: host.real, monotonic: host.boot)
        host.pass(second)
        clock.advance(host: host.real + hour, monotonic: host.boot)
        #expect(clock.now == host.real)
        #expect(clock.isApart && clock.jumps == 1 && clock.lastJump == hour)
        host.pass(second)
        clock.advance(host: host.real, monotonic: host.boot)
        #expect(clock.now == host.real && !clock.isApart)
        #expect(clock.jumps == 2 && clock.lastJump == -hour)
    }

    @Test func `a host clock an hour away is not followed at all, however long`() {
        for wrong in [hour, -hour] {
            var host = Host()
            var clock = LogClock(
                last: host.real, line: nil, host: host.real, monotonic: host.boot)
            let began = clock.now
            for _ in 0..<86_400 {
                host.pass(second)
                clock.advance(host: host.real + wrong, monotonic: host.boot)
            }
            #expect(clock.now - began == 86_400 * second)
            #expect(clock.isApart && clock.jumps == 1)
        }
    }

    @Test func `a host clock that is near is followed at the slew, and met`() {
        for wrong in [3 * second, -3 * second] {
            var host = Host()
            var clock = LogClock(
                last: host.real, line: nil, host: host.real, monotonic: host.boot)
            host.real += wrong
            var before = clock.now
            for _ in 0..<7_000 {
                host.pass(second)
                clock.advance(host: host.real, monotonic: host.boot)
                let step = clock.now - before - second
                #expect(step.magnitude <= UInt64(second / 1_000_000 * LogClock.slewPPM) + 1)
                before = clock.now
            }
            #expect(clock.offset == 0 && clock.now == host.real)
        }
    }

    @Test func `under any clock the stamp never goes back and its rate is bounded`() {
        var random = LinkFuzz()
        for round in 0..<200 {
            var host = Host()
            var clock = LogClock(
                last: host.real - Int64(random.below(1 << 40)), line: nil, host: host.real,
                monotonic: host.boot)
            var planted: UInt64 = 0
            for _ in 0..<500 {
                let passed = Int64(random.below(300_000_000))
                host.pass(passed)
                switch random.below(20) {
                case 0:
                    let jump = Int64(random.below(1 << 43)) - 1 << 42
                    host.real += jump
                    if jump.magnitude >= UInt64(LogClock.jumpNanosMin) { planted += 1 }
                case 1: host.real += Int64(random.below(90_000_000)) - 45_000_000
                default: break
                }
                let before = clock.now
                clock.advance(host: host.real, monotonic: host.boot)
                let step = clock.now - before
                #expect(step >= 0, "round \(round), \(random.replay)")
                let most = passed / 2_000 + 1
                #expect(
                    step >= passed - most && step <= passed + most,
                    "round \(round), \(random.replay)")
            }
            #expect(clock.jumps >= planted - min(planted, 1), "round \(round), \(random.replay)")
        }
    }

    @Test func `a restart in one boot continues along the line, whatever the host's clock shows`() {
        for wrong in [0, hour, -hour] {
            var host = Host()
            var clock = LogClock(
                last: host.real, line: nil, host: host.real, monotonic: host.boot)
            host.pass(5 * second)
            clock.advance(host: host.real, monotonic: host.boot)
            let (last, line) = (clock.now, clock.line)
            host.pass(20 * second)
            clock = LogClock(
                last: last, line: line, host: host.real + wrong, monotonic: host.boot)
            #expect(clock.start == .continued)
            #expect(clock.now == last + 20 * second)
            #expect(clock.isApart == (wrong != 0))
        }
    }

    @Test func `a clock more than a week ahead of the log is taken only by an operator's word`() {
        let (week, last) = (LogClock.aheadNanosMax, Int64(1_000) * 86_400_000_000_000)
        func isFar(_ host: Int64, line: Int64? = nil, monotonic: Int64 = 60) -> Bool {
            LogClock.isFarAhead(last: last, line: line, host: host, monotonic: monotonic)
        }
        #expect(!isFar(last - week) && !isFar(last) && !isFar(last + week))
        #expect(isFar(last + week + 1) && isFar(.max))
        // The process before ran in this boot: its line is gone on along, the clock is not taken.
        #expect(!isFar(last + 2 * week, line: last, monotonic: 60))
        // A line of another boot means nothing.
        #expect(isFar(last + 2 * week, line: last + week, monotonic: 60))
        #expect(!LogClock.isFarAhead(last: .min + 1, line: nil, host: .min + 1, monotonic: 0))
        #expect(LogClock.isFarAhead(last: .min + 1, line: nil, host: .max, monotonic: 0))
    }

    @Test func `a line that is not of this boot is not believed`() {
        let host = Host()
        for line in [Int64.max, .min, hour, host.real, host.real - 1_002 * second, 1] {
            let clock = LogClock(
                last: host.real - second, line: line, host: host.real, monotonic: host.boot)
            #expect(clock.start == .host && clock.now == host.real, "\(line)")
        }
    }

    @Test func `after a boot a clock behind the log is not taken until it has passed the log`() {
        var host = Host()
        host.boot = 30 * second
        let last = host.real
        // The clock's battery is empty; it is put right a minute later.
        let wrong = -20 * 365 * 24 * hour
        var clock = LogClock(
            last: last, line: nil, host: host.real + wrong, monotonic: host.boot)
        #expect(clock.start == .log && clock.now == last && clock.isApart)
        host.pass(60 * second)
        clock.advance(host: host.real + wrong, monotonic: host.boot)
        #expect(clock.now == last + 60 * second)
        host.pass(600 * second)
        // The host was off for an hour before.
        clock.advance(host: host.real + hour, monotonic: host.boot)
        #expect(clock.now == host.real + hour && !clock.isApart)
        // Once: a later jump is one.
        clock.advance(host: host.real + 3 * hour, monotonic: host.boot)
        #expect(clock.now == host.real + hour && clock.isApart)
    }

    @Test func `a clock that was a little behind at the start has no jump taken either`() {
        var host = Host()
        var clock = LogClock(
            last: host.real + second / 1_000, line: nil, host: host.real, monotonic: host.boot)
        #expect(clock.start == .log && !clock.isApart)
        host.pass(second / 2)
        let began = clock.now
        clock.advance(host: host.real + hour, monotonic: host.boot)
        host.pass(second)
        clock.advance(host: host.real + hour, monotonic: host.boot)
        #expect(clock.now - began < 2 * second && clock.isApart)
    }
}
