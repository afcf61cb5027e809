// Goal: each feature of the engine as a short story that a person can read and check by hand. The
// stories are in Scenarios/*.txt; BOURSE_RECORD=1 writes what came of them anew.

import Testing

@Suite struct ScenarioTests {
    static let stories = [
        "priority", "iceberg", "time-in-force", "self-trade", "stops", "amend", "replace",
        "cancel", "market", "band", "expiry", "fees", "message-rate", "states", "elections",
        "whole-fees", "bookings", "order-limits", "flight", "kill",
    ]

    @Test(arguments: stories)
    func `a story comes out as it is written`(_ name: String) {
        let path = testFile("Scenarios/\(name).txt")
        let script = readText(path)
        #expect(!script.isEmpty, "there is a story")
        let result = Transcript.run(script)
        if environment("BOURSE_RECORD", 0) != 0 { return writeText(path, result) }
        let (now, before) = (result.split(separator: "\n"), script.split(separator: "\n"))
        for (a, b) in zip(now, before) where a != b {
            Issue.record("\(name): came out as \"\(a)\", is written as \"\(b)\"")
            return
        }
        #expect(now.count == before.count, "\(name): lines")
    }
}
