// Goal: a command that the process died with twice is known to the next process, and no other one.

import Pipeline
import Platform
import Terms
import Testing

@Suite struct CommandMarkTests {
    private static func open(
        _ path: String, journal: (UInt64, UInt64) = (1, 2), boot: (UInt64, UInt64) = (3, 4)
    ) throws -> CommandMark {
        try CommandMark(path, journal: journal, boot: boot)
    }

    private static func refuses(
        _ mark: CommandMark, _ number: UInt64, _ payload: [UInt8], session: UInt32 = 7,
        kind: UInt16 = 40
    ) -> Bool {
        unsafe payload.withUnsafeBytes {
            unsafe mark.refuses(SessionID(session), number, kind, $0)
        }
    }

    @Test func `two deaths with one command name it, one does not`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/matchd.mark"
        for deaths in 0...3 {
            let mark = try Self.open(path)
            #expect(mark.suspects.first?.deaths ?? 0 == deaths)
            #expect(Self.refuses(mark, 12, [1, 2, 3]) == (deaths >= 2))
            // Another command that gets the number once this one is refused.
            #expect(!Self.refuses(mark, 12, [1, 2, 4]))
            #expect(!Self.refuses(mark, 13, [1, 2, 3]))
            #expect(!Self.refuses(mark, 12, [1, 2, 3], session: 8))
            mark.enter(SessionID(7), 11, 40)
            mark.leave()
            mark.enter(SessionID(7), 12, 40)
        }
    }

    @Test func `a death between two commands, or in another boot, blames no command`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/matchd.mark"
        for _ in 0..<3 {
            let mark = try Self.open(path)
            #expect(mark.suspects.isEmpty)
            mark.enter(SessionID(7), 12, 40)
            mark.leave()
        }
        for boot in 0..<4 {
            let mark = try Self.open(path, boot: (9, UInt64(boot)))
            #expect(mark.suspects.isEmpty && mark.line == nil)
            mark.keep(line: 5)
            mark.enter(SessionID(7), 12, 40)
        }
    }

    @Test func `a command that is applied is suspected no more`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/matchd.mark"
        do { try Self.open(path).enter(SessionID(7), 12, 40) }
        do {
            let mark = try Self.open(path)
            #expect(mark.suspects.count == 1)
            mark.passed(SessionID(7), 12)
            #expect(mark.suspects.isEmpty)
            mark.keep(line: -5)
        }
        let mark = try Self.open(path)
        #expect(mark.suspects.isEmpty && mark.line == -5)
    }

    @Test func `the mark of another journal's process is ignored`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/matchd.mark"
        for _ in 0..<2 {
            let mark = try Self.open(path)
            mark.keep(line: 5)
            mark.enter(SessionID(7), 12, 40)
        }
        do {
            let mark = try Self.open(path)
            #expect(mark.suspects.first?.deaths == 2)
            mark.keep(line: 5)
        }
        for other: (UInt64, UInt64) in [(1, 3), (2, 2)] {
            let mark = try Self.open(path, journal: other)
            #expect(mark.suspects.isEmpty && mark.line == nil)
            mark.keep(line: 6)
            #expect(!Self.refuses(mark, 12, [1, 2, 3]))
        }
    }

    @Test func `any bytes in its place are read without a stop`() throws {
        let place = try PipelinePlace()
        let path = place.path + "/matchd.mark"
        var random = LinkFuzz()
        for round in 0..<300 {
            do {
                let mark = try Self.open(path)
                mark.enter(SessionID(UInt32(round)), UInt64(round), 40)
            }
            let file = try File(path, .write)
            for _ in 0..<random.below(40) {
                try file.write([UInt8(random.below(256))], at: 8 * 3 + random.below(700))
            }
            if round % 7 == 0 { try file.truncate(to: random.below(4096)) }
            let mark = try Self.open(path)
            #expect(mark.suspects.count <= 16)
        }
    }
}
