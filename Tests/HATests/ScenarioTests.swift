// Goal: each row of the fault table that the core decides, as a table that a person can read: what
// a host says of itself, word for word, and what it does, in which order. BOURSE_RECORD=1 writes
// what came of them anew.

import Failover
import Glibc
import Testing

@Suite struct FailoverScenarioTests {
    static let stories = [
        "primary-lost", "matchd-crash", "hang", "link-cut", "cut-from-both", "agent-restart",
        "etcd-down", "witness-and-host", "power-lost", "old-image", "slow-standby", "slow-learner",
        "full-disk", "switchover", "switchover-early", "alone-and-lost", "standalone", "raise",
        "lost-claim", "lost-again", "add", "verbs", "forced-too-late",
        "etcd-anew", "etcd-anew-led", "etcd-anew-here", "silent-peer",
        "etcd-refuses", "watchdog", "watchdog-lost", "early-removals",
    ]

    @Test(arguments: stories)
    func `a host does as it is written`(_ name: String) {
        let path = testFile("Scenarios/\(name).txt")
        let script = readText(path)
        #expect(!script.isEmpty, "there is a story")
        let result = FailoverTranscript.run(script)
        if environment("BOURSE_RECORD", 0) != 0 { return writeText(path, result) }
        let (now, before) = (result.split(separator: "\n"), script.split(separator: "\n"))
        for (a, b) in zip(now, before) where a != b {
            Issue.record("\(name): came out as \"\(a)\", is written as \"\(b)\"")
            return
        }
        #expect(now.count == before.count, "\(name): lines")
    }
}

/// A file beside this one.
func testFile(_ name: String) -> String {
    let here = #filePath
    let folder = here.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return (folder + [name[...]]).joined(separator: "/")
}

func readText(_ path: String) -> String {
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    while true {
        let byte = unsafe fgetc(file)
        if byte == EOF { return String(decoding: bytes, as: UTF8.self) }
        bytes.append(UInt8(byte))
    }
}

func writeText(_ path: String, _ text: String) {
    guard let file = unsafe fopen(path, "w") else { return }
    for byte in text.utf8 { unsafe fputc(Int32(byte), file) }
    unsafe fclose(file)
}
