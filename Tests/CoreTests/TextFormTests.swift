// Goal: bytes, dates and moments are read back from their texts.

import Terms
import Testing

@Suite struct TextFormTests {
    @Test func `bytes are read back from their digits`() {
        #expect([UInt8]([0, 0x1F, 0xFF]).hexText == "001fff")
        #expect(hexBytes("001fff", isLowerCase: true) == [0, 0x1F, 0xFF])
        #expect(hexBytes("") == [])
        #expect(hexBytes("0aFF") == [10, 255])
        for wrong in ["0", "0g", "0F", "+1"] {
            #expect(hexBytes(wrong, isLowerCase: true) == nil)
        }
        for wrong in ["abc", "zz", "é1"] { #expect(hexBytes(wrong) == nil) }
    }

    @Test func `a day is found again by its date`() {
        for days in stride(from: Int64(-1_000_000), through: 1_000_000, by: 97) {
            let date = CivilDate(days: days)
            #expect(
                CivilDate.days(year: date.year, month: date.month, day: date.day) == days)
        }
        #expect(CivilDate.days(year: 1970, month: 1, day: 1) == 0)
        #expect(CivilDate.days(year: 2000, month: 2, day: 29) == 11_016)
    }

    @Test func `a moment is written as RFC 3339 has it`() {
        #expect(timeText(nanos: 0, digits: 0) == "1970-01-01T00:00:00Z")
        #expect(timeText(nanos: -1) == "1969-12-31T23:59:59.999999999Z")
        #expect(timeText(nanos: 1_795_737_600_012_000_000, digits: 3) == "2026-11-27T00:00:00.012Z")
    }
}
