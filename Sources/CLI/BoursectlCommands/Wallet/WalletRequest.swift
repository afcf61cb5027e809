// What boursectl asks of bourse-walletd: a file for each kind of request.

import Glibc
import Platform

/// A request that was made, and that bourse-walletd takes within a second.
struct WalletRequest {
    private let path: String
    private let line: [UInt8]

    /// Older than this bourse-walletd carries out none that waits for an answer, and does not run.
    private static let ageNanosMax: Int64 = 20_000_000_000

    /// Asks, with the time behind the words. A request that waits is not replaced, unless it is so
    /// old that nobody waits for it any more.
    init(_ words: String, in path: String) throws(CommandError) {
        self.path = path
        line = Array("\(words) \(Clock.realtimeNanos())\n".utf8)
        let aside = "\(path).new.\(getpid())"
        do throws(SystemError) {
            try Directory.remove(aside)
            let file = try File(aside, .createNew)
            do throws(SystemError) {
                // The daemon, of another user, reads it.
                try file.setPermissions(0o644)
                try file.write(line)
                try file.sync()
                try Self.removeOld(path)
                try Directory.place(aside, at: path)
            } catch {
                try? Directory.remove(aside)
                throw error
            }
        } catch {
            guard !error.exists else {
                throw CommandError(
                    "bourse-walletd has not taken another request yet",
                    repair: "try it again in some seconds; if it stays so: boursectl wallet status")
            }
            throw CommandError(
                "the wallet cannot be asked: \(error)",
                repair: "run it as root, on the host where bourse-walletd runs")
        }
    }

    /// Takes it back where bourse-walletd has not taken it, so that it is not carried out later.
    func takeBack() {
        guard let file = try? File(path, .read), let found = try? file.read(count: line.count + 1),
            found == line
        else { return }
        try? Directory.remove(path)
    }

    private static func removeOld(_ path: String) throws(SystemError) {
        guard let file = try? File(path, .read) else { return }
        let size = try file.size()
        // The time is at the end.
        let from = max(0, size - 64)
        let tail = String(decoding: try file.read(count: size - from, at: from), as: UTF8.self)
        let time = tail.split(whereSeparator: \.isWhitespace).last.flatMap { Int64($0) } ?? 0
        let (age, overflow) = Clock.realtimeNanos().subtractingReportingOverflow(time)
        if overflow || age > ageNanosMax { try Directory.remove(path) }
    }
}
