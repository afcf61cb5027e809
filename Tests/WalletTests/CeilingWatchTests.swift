// Goal: that more than the ceiling of cold storage is here is told after an hour of it, with why
// nothing moves, and not before.

import Custodian
import Testing

@Suite struct CeilingWatchTests {
    private static let minute: Int64 = 60_000_000_000
    /// A host that has run for a while.
    private static let began: Int64 = 5_000 * minute
    private static let words =
        "for an hour more is here than the ceiling of cold storage, and is not moved: "

    private func remark(
        _ watch: inout CeilingWatch, _ minutes: Int64, isAbove: Bool = true,
        isAnyPayable: Bool = false, fault: String? = nil
    ) -> String? {
        watch.remark(
            isAbove: isAbove, isAnyPayable: isAnyPayable, fault: fault,
            at: Self.began + minutes * Self.minute)
    }

    @Test func `it is told after an hour, and as long as it is so`() {
        var watch = CeilingWatch()
        for minutes in 0..<60 as Range<Int64> { #expect(remark(&watch, minutes) == nil) }
        let why = "what is above the target is worth no transaction"
        for minutes in [60, 61, 6_000] as [Int64] {
            #expect(remark(&watch, minutes) == Self.words + why)
        }
    }

    @Test func `what ends it meanwhile begins the hour anew`() {
        var watch = CeilingWatch()
        #expect(remark(&watch, 0) == nil && remark(&watch, 59) == nil)
        // A transfer is open, withdrawals are stopped, or some were paid.
        #expect(remark(&watch, 60, isAbove: false) == nil)
        #expect(remark(&watch, 61) == nil && remark(&watch, 120) == nil)
        #expect(remark(&watch, 121) != nil)
        #expect(remark(&watch, 122, isAbove: false) == nil)
        #expect(remark(&watch, 123) == nil)
    }

    @Test func `it says why nothing moves`() {
        var watch = CeilingWatch()
        #expect(remark(&watch, 0) == nil)
        #expect(remark(&watch, 60, fault: "no signer") == Self.words + "no signer")
        // Whatever was wrong with the last transfer: these come before the next one.
        #expect(
            remark(&watch, 60, isAnyPayable: true, fault: "no signer")
                == Self.words + "withdrawals that are approved are paid first")
    }
}
