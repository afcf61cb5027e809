// What went wrong, what to do about it, and the exit status.

import Glibc
import Link
import Presentation

/// Why a command failed.
struct CommandError: Error {
    /// Exit statuses, as systemctl(1) and sysexits.h have them.
    enum Code: Int32 {
        /// Refused, or something failed.
        case failed = 1
        /// The program that has to answer is not running. `status` ends with it; other commands end
        /// with `failed`.
        case notRunning = 3
        /// Not done yet: it is proposed, and others have to endorse it. EX_TEMPFAIL
        case proposed = 75
        /// An operator has to look at the journal first; matchd ends with the same status.
        case journal = 76
        /// EX_USAGE
        case usage = 64
        /// EX_CONFIG
        case configuration = 78
    }

    /// What is wrong.
    let problem: String
    /// What to do about it, or empty.
    let repair: String
    /// The exit status.
    let code: Code

    /// A problem and its repair.
    init(_ problem: String, repair: String = "", code: Code = .failed) {
        (self.problem, self.repair, self.code) = (problem, repair, code)
    }

    /// Reports the error on standard error and ends the process.
    func exit() -> Never {
        report()
        Glibc.exit(code == .notRunning ? Code.failed.rawValue : code.rawValue)
    }

    /// Reports the error on standard error.
    func report() {
        let ink = Terminal.ink(for: STDERR_FILENO)
        Terminal.warn("\(ink.bad("boursectl:")) \(problem)")
        if !repair.isEmpty { Terminal.warn("  \(repair)") }
    }
}

extension CommandError {
    /// An error of a library.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as LinkError: self.init(error)
        default: self.init("\(error)")
        }
    }

    /// A link that cannot be made or is lost.
    private init(_ error: LinkError) {
        switch error {
        case .notRunning(let address):
            self.init(
                "matchd is not running: nothing listens on \(address)",
                repair: "start it: systemctl start bourse-matchd, or `make run` in a checkout",
                code: .notRunning)
        case .closed, .timedOut:
            self.init(
                "\(error)", repair: "nothing was done; matchd may be starting or stopping: retry")
        default: self.init("\(error)")
        }
    }

    /// Converts the error of a library.
    static func wrapping<Value, Failure: Error>(
        _ body: () throws(Failure) -> Value
    ) throws(CommandError) -> Value {
        do throws(Failure) { return try body() } catch { throw CommandError(error) }
    }
}
