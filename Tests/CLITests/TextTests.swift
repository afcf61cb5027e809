// Goal: input is read exactly or rejected, and output is exact: decimals, rates, tables, times,
// JSON, progress and configuration files.

import JSON
import Presentation
import Terms
import Testing
import Wire

@Suite struct TextTests {
    @Test(
        arguments: [
            ("0.01", 1, 2), ("-0.5", -5, 1), (".5", 5, 1), ("100_000.00", 100_000, 0), ("0", 0, 0),
            ("12", 12, 0), ("1.500", 15, 1),
        ] as [(String, Int128, Int)])
    func `reads decimals as people write them`(text: String, digits: Int128, scale: Int) {
        #expect(DecimalNumber(text)?.digits == digits)
        #expect(DecimalNumber(text)?.scale == scale)
    }

    @Test(arguments: [
        "", "-", ".", "1.", "1e3", "1,000", "+1", "1__0", "_1", "1_", "0x10", "NaN", "1.2.3",
        "1_.5", " 1", "1.-2", "٣", "1234567890123456789012345678901234567",
    ])
    func `rejects what is not a decimal or is ambiguous`(text: String) {
        #expect(DecimalNumber(text) == nil)
    }

    @Test func `counts units exactly or not at all`() {
        #expect(DecimalNumber("1.5")?.units(scale: 8) == 150_000_000)
        #expect(DecimalNumber("0.001")?.units(scale: 2) == nil)
        #expect(DecimalNumber("0.0010")?.units(scale: 3) == 1)
        #expect(DecimalNumber("99999999999999999999999999999999999")?.units(scale: 18) == nil)
    }

    @Test func `separates thousands for people and not for programs`() {
        let number = DecimalNumber(units: 123_456_789_000_000, scale: 8)
        #expect(number.grouped(decimals: 2) == "1,234,567.89")
        #expect(number.text(decimals: 8) == "1234567.89000000")
        #expect(DecimalNumber(units: -5, scale: 3).description == "-0.005")
        #expect(DecimalNumber(units: 0, scale: 8).grouped() == "0")
        #expect(DecimalNumber(units: -1_000, scale: 0).grouped() == "-1,000")
    }

    @Test func `reads rates only with their unit`() {
        #expect(DecimalNumber.rate("0.1%", scale: 8) == 100_000)
        #expect(DecimalNumber.rate("-2.5bp", scale: 8) == -25_000)
        #expect(DecimalNumber.rate("0.1", scale: 8) == nil)
        #expect(DecimalNumber.rate("%", scale: 8) == nil)
        #expect(DecimalNumber.rate("0.0000001%", scale: 8) == nil)
        #expect(DecimalNumber.percent(100_000, scale: 8) == "0.1%")
        #expect(DecimalNumber.percent(-25_000, scale: 8) == "-0.025%")
    }

    @Test func `aligns names left and numbers right`() {
        var table = Table([.words("ACCOUNT"), .numbers("AVAILABLE"), .words("NOTE")])
        table.add(["alice", "1,000.00", "x"])
        table.add(["b", "5.00", "quiet\u{1B}[2J\u{202E}"])
        #expect(
            table.lines(.none) == [
                "ACCOUNT  AVAILABLE  NOTE",
                "alice     1,000.00  x",
                "b             5.00  quiet?[2J?",
            ])
        #expect(table.lines(Ink(isOn: true))[0] == "\u{1B}[1mACCOUNT  AVAILABLE  NOTE\u{1B}[0m")
    }

    @Test func `writes JSON with keys in order and controls escaped`() {
        let value: JSONValue = [
            "b": .number(1), "a": .array([.bool(true), .null, "x\"\\\n\u{1}é"]), "e": .array([]),
        ]
        #expect(value.compact == #"{"b":1,"a":[true,null,"x\"\\\n\u0001é"],"e":[]}"#)
        let pretty = "{\n  \"n\": [\n    1\n  ]\n}"
        let nested: JSONValue = ["n": .array([.number(1)])]
        #expect(nested.pretty == pretty)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (-1_000_000, "1969-12-31T23:59:59.999Z"),
            (1_795_364_773_123_456_789, "2026-11-22T16:26:13.123Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func `writes times of the log in UTC`(nanos: Int64, text: String) {
        #expect(Readable.time(nanos, digits: 3) == text)
    }

    @Test func `writes sizes and durations with units`() {
        #expect(Readable.bytes(512) == "512 B")
        #expect(Readable.bytes(1_536) == "1.5 KiB")
        #expect(Readable.bytes(64 << 20) == "64.0 MiB")
        #expect(Readable.duration(nanos: 12_340) == "12.3 µs")
        #expect(Readable.duration(nanos: Int64(185) * 1_000_000_000) == "3 min 5 s")
        #expect(Readable.duration(nanos: Int64(7_800) * 1_000_000_000) == "2 h 10 min")
        #expect(Readable.rate(2_400_000, nanos: 1_000_000_000) == "2.4 M/s")
    }

    @Test func `draws a bar that fits its line`() {
        let progress = Progress(title: "Replaying", unit: "records")
        let half = progress.line(
            done: 500, total: 1_000, elapsedNanos: 1_000_000_000, width: 80)
        let bar = "[" + String(repeating: "=", count: 15) + ">" + "               ]"
        #expect(half == "Replaying \(bar)  50%  500 records, 500/s, 1.0 s left")
        for width in [0, 10, 20, 40, 60, 200] {
            let line = progress.line(done: 3, total: 9, elapsedNanos: 5, width: width)
            #expect(line.count <= max(width, 0))
        }
        let endless = progress.line(done: 7, total: 0, elapsedNanos: 1_000_000_000, width: 80)
        #expect(endless == "Replaying 7 records, 7/s")
    }
}

@Suite struct TOMLEditTests {
    private let file = """
        # Top
        [gatewayd] # clients
        # Where it listens
        listen = "127.0.0.1:8080"

        [matchd]
        cpu = -1
        """

    @Test func `changes a key in its line and leaves the rest alone`() {
        let text = TOMLEdit.set("gatewayd.listen", to: "\"0.0.0.0:1\"", in: file)
        #expect(text == file.replacing("127.0.0.1:8080", "0.0.0.0:1"))
    }

    @Test func `adds a key under its heading and a heading where there is none`() {
        let name = TOMLEdit.set("gatewayd.name", to: "\"g\"", in: file)
        #expect(name.contains("[gatewayd] # clients\nname = \"g\"\n# Where"))
        let other = TOMLEdit.set("auditd.snapshots_keep", to: "9", in: file)
        #expect(other.hasPrefix(file))
        #expect(other.hasSuffix("\n\n[auditd]\nsnapshots_keep = 9\n"))
    }

    @Test func `removes comments but not values with a number sign`() {
        let text = "# secret\n[snmp] # secret\n\n  a = \"#1\" # secret\nb = 'x'# secret"
        #expect(TOMLEdit.withoutComments(text) == "[snmp] \na = \"#1\" \nb = 'x'")
    }

    @Test func `leaves keys of the same name in other tables alone`() {
        let text = TOMLEdit.set("gatewayd.cpu", to: "3", in: file)
        #expect(text.contains("cpu = 3\n") && text.contains("cpu = -1"))
    }
}

@Suite struct ScreenTests {
    @Test func `a line that is too long goes on below, broken at spaces`() {
        #expect(Screen.folded("", columns: 20) == [""])
        #expect(Screen.folded("a short line", columns: 20) == ["a short line"])
        #expect(
            Screen.folded("a line of words that is longer", columns: 20)
                == ["a line of words that", "    is longer"])
        #expect(
            Screen.folded("one   two three four five six seven", columns: 20)
                == ["one   two three four", "    five six seven"])
        #expect(
            Screen.folded(String(repeating: "x", count: 25), columns: 20)
                == [String(repeating: "x", count: 20), "    xxxxx"])
    }

    @Test func `every piece fits, and nothing but spaces is lost`() {
        let line =
            "degraded: etcd on w does not answer; there: systemctl status bourse-etcd.service"
        for columns in 1...100 {
            let pieces = Screen.folded(line, columns: columns)
            #expect(pieces.allSatisfy { $0.count <= max(columns, 1) })
            #expect(
                pieces.joined().filter { $0 != " " } == line.filter { $0 != " " }, "\(columns)")
        }
    }

    @Test func `colours have no width`() {
        let line = "\u{1B}[31mdegraded:\u{1B}[0m twelve more"
        #expect(Screen.folded(line, columns: 21) == [line])
        #expect(
            Screen.folded(line, columns: 20)
                == ["\u{1B}[31mdegraded:\u{1B}[0m twelve", "    more"])
    }
}

extension String {
    fileprivate func replacing(_ old: String, _ new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return String(self[..<range.lowerBound]) + new + self[range.upperBound...]
    }
}
