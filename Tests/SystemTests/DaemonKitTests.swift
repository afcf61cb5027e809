// Goal: what every daemon starts with: its command line, and a log that systemd's journal can sort.

import DaemonKit
import Glibc
import Logging
import Platform
import Testing

@Suite struct DaemonUsageTests {
    let usage = DaemonUsage(
        name: "bourse-test", purpose: "tests", synopsis: "--root DIR",
        options: [
            DaemonOption("--root", valueName: "DIR", help: "where"),
            DaemonOption("--once", help: "no longer"),
        ], notes: "exit status: 0")

    @Test(arguments: [
        ([], [:]),
        (["--once"], ["--once": ""]),
        (["--root", "/a", "--once"], ["--root": "/a", "--once": ""]),
        (["--root=/a=b"], ["--root": "/a=b"]),
        (["--root="], ["--root": ""]),
    ])
    func `options are read`(arguments: [String], expected: [String: String]) {
        #expect(usage.read(arguments) == .options(expected))
    }

    @Test(arguments: ["--other", "file", "", "--once=1", "--ROOT", "=", "-x"])
    func `an unknown argument is refused`(argument: String) {
        #expect(usage.read([argument]) == .wrong("unknown argument \(argument)"))
    }

    @Test func `an option without its value is refused`() {
        #expect(usage.read(["--once", "--root"]) == .wrong("--root needs a value"))
    }

    @Test func `version and help are printed`() {
        #expect(usage.read(["--version"]) == .print("bourse-test \(Release.version)"))
        #expect(usage.read(["-h", "--other"]) == .print(usage.help))
        #expect(
            usage.help == """
                bourse-test: tests

                usage: bourse-test --root DIR
                  --root DIR       where
                  --once           no longer
                  --version        print the version and exit
                  --help           print this and exit
                exit status: 0
                """)
    }
}

@Suite struct DaemonLogTests {
    private func text(
        _ message: String, _ level: Logger.Level = .error, _ fields: Logger.Metadata = [:],
        isJournal: Bool = true
    ) -> String {
        var handler = DaemonLogHandler(label: "bourse-test")
        handler[metadataKey: "market"] = fields.isEmpty ? nil : "BTCUSDT"
        return handler.text(
            of: LogEvent(
                level: level, message: "\(message)", metadata: fields, source: nil, file: #fileID,
                function: #function, line: #line), isJournal: isJournal)
    }

    @Test(arguments: zip(Logger.Level.allCases, [7, 7, 6, 5, 4, 3, 2]))
    func `the journal gets a priority`(level: Logger.Level, priority: Int) {
        #expect(text("stopped", level) == "<\(priority)>stopped\n")
        #expect(text("stopped", level, isJournal: false) == "bourse-test: stopped\n")
    }

    @Test func `fields follow the text, sorted, in quotes where they need them`() {
        #expect(
            text("refused", .error, ["why": "no \"room\"\nhere", "record": "\(7)", "none": ""])
                == "<3>refused market=BTCUSDT none=\"\" record=7 why=\"no \\\"room\\\"\\nhere\"\n")
    }

    @Test func `a later line cannot pass for another message`() {
        #expect(text("a\n<0>b\r\n\nc") == "<3>a\n<3>  <0>b\n<3>\n<3>  c\n")
        #expect(text("a\nb", isJournal: false) == "bourse-test: a\n  b\n")
        #expect(text("a\u{1B}[2J\u{7F}\u{9B}ü\tb") == "<3>a\u{FFFD}[2J\u{FFFD}\u{FFFD}ü\tb\n")
    }

    @Test func `only the stream of the journal is taken for it`() throws {
        var status = stat()
        #expect(unsafe fstat(STDERR_FILENO, &status) == 0)
        let stream = "\(status.st_dev):\(status.st_ino)"
        #expect(ServiceManager.isJournal(STDERR_FILENO, stream: stream))
        let file = try File("/dev/zero", .read)
        #expect(!ServiceManager.isJournal(file.descriptor, stream: stream))
        #expect(!ServiceManager.isJournal(STDERR_FILENO, stream: nil))
        #expect(!ServiceManager.isJournal(-1, stream: stream))
    }
}
