// etcd by etcdctl(1): what setting up and showing a cluster need of it. Each call has its limit of
// time, and what does not answer is unknown.

import Glibc
import JSON
import Platform

/// The members of etcd, asked by etcdctl.
struct EtcdProgram {
    /// The keys of a cluster.
    enum Key {
        /// Who leads.
        static let record = "/bourse/record"
        /// The commit point.
        static let floor = "/bourse/floor"
    }

    /// A member's state.
    struct Health: Hashable {
        /// Whether it answers a write.
        var isHealthy: Bool
        /// Whether it leads; nil: unknown.
        var isLeader: Bool?
        /// Size of its data, in bytes.
        var bytes: Int64?
        /// Its version.
        var version: String?
    }

    /// The members' URLs.
    let urls: [String]
    /// The certificates to show.
    let files: ClusterFiles

    private static let program = SystemProgram.path("etcdctl")
    /// How long another member's start is waited for, in nanoseconds.
    private static let memberNanosMax: Int64 = 20_000_000_000
    /// Seconds that a call may take.
    private static let secondsMax = 3

    /// The members at these URLs.
    init(urls: [String], files: ClusterFiles) { (self.urls, self.files) = (urls, files) }

    /// Whether one member takes part in writes, by itself: it has a leader and most of the others.
    func health(_ url: String) -> Health { healths([url])[url] ?? Health(isHealthy: false) }

    /// The same of several, asked at once.
    func healths(_ urls: [String]) -> [String: Health] {
        var all: [String: Health] = [:]
        // etcdctl tries one that is away until its time is over.
        let listening = urls.filter(Self.listens)
        guard !listening.isEmpty else { return all }
        let answers = (try? output(["endpoint", "health"], listening))?.output ?? ""
        for row in JSONValue(parsing: answers.utf8)?.rows({ $0 }) ?? [] {
            guard let url = row["endpoint"]?.text else { continue }
            all[url] = Health(isHealthy: row["health"]?.flag ?? false)
        }
        guard all.values.contains(where: \.isHealthy) else { return all }
        let answering = all.filter(\.value.isHealthy).map(\.key)
        let text = (try? output(["endpoint", "status"], answering))?.output ?? ""
        for row in JSONValue(parsing: text.utf8)?.rows({ $0 }) ?? [] {
            guard let url = row["Endpoint"]?.text, let status = row["Status"],
                all[url]?.isHealthy == true
            else { continue }
            all[url]?.version = status["version"]?.text
            all[url]?.bytes = status["dbSize"]?.whole
            if let own = status["header"]?["member_id"], let leader = status["leader"] {
                all[url]?.isLeader = own == leader
            }
        }
        return all
    }

    /// Whether something takes connections there.
    private static func listens(_ url: String) -> Bool {
        let place = String(url.dropFirst("https://".count))
        guard let socket = try? TCPSocket.connect(place, timeoutNanos: 1_000_000_000) else {
            return false
        }
        _ = close(socket)
        return true
    }

    /// The value of a key; nil: there is none. Throws where no majority answers; `isLocal`: as the
    /// member itself last knew it, which may be old.
    func value(_ key: String, isLocal: Bool = false) throws(CommandError) -> String? {
        let words = ["get", key, "--print-value-only"] + (isLocal ? ["--consistency=s"] : [])
        let text = try run(words, urls, isJSON: false)
        return text.isEmpty ? nil : String(text.prefix { $0 != "\n" })
    }

    /// Puts the first record with its floor unless there is a record already; the record that is
    /// there now.
    func begin(record: String, floor: String) throws(CommandError) -> String {
        // Of words in single quotes etcdctl 3.4 keeps one character.
        let quoted = record.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let commands = """
            create("\(Key.record)") = "0"

            put \(Key.record) "\(quoted)"
            put \(Key.floor) \(floor)



            """
        // The answer may be lost with the write done: what counts is what is read behind it.
        let failure: CommandError?
        do throws(CommandError) {
            _ = try run(["txn"], urls, input: commands)
            failure = nil
        } catch { failure = error }
        if let found = try value(Key.record) { return found }
        throw failure ?? CommandError("etcd took the first record and does not have it")
    }

    /// Replaces the member at this URL by one that begins empty; returns all members, as
    /// ETCD_INITIAL_CLUSTER has them.
    func replaceMember(_ name: String, at url: String) throws(CommandError) -> String {
        let list = try run(["member", "list"], urls, isJSON: false)
        for line in list.split(separator: "\n") {
            // ID, state, name, peer URLs, client URLs; one that never started has no name.
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
                .map { $0.drop { $0 == " " } }
            guard fields.count > 3, fields[3] == url else { continue }
            _ = try run(["member", "remove", String(fields[0])], urls)
        }
        let added = try addMember(name, url)
        let mark = "ETCD_INITIAL_CLUSTER=\""
        guard let line = added.split(separator: "\n").first(where: { $0.hasPrefix(mark) }) else {
            throw CommandError("etcd added \(name) and does not list its members")
        }
        return String(line.dropFirst(mark.count).prefix { $0 != "\"" })
    }

    /// Adds a member; one that was added before may still be starting, and etcd takes no other
    /// within its first seconds.
    private func addMember(_ name: String, _ url: String) throws(CommandError) -> String {
        let deadline = Clock.monotonicNanos() + Self.memberNanosMax
        while true {
            do throws(CommandError) {
                return try run(["member", "add", name, "--peer-urls=\(url)"], urls, isJSON: false)
            } catch {
                let waits = ["unhealthy cluster", "not enough started members"]
                guard waits.contains(where: { error.problem.contains($0) }),
                    Clock.monotonicNanos() < deadline
                else { throw error }
            }
            Clock.sleep(nanos: 500_000_000)
        }
    }

    private func run(
        _ words: [String], _ endpoints: [String], input: String = "", isJSON: Bool = true
    ) throws(CommandError) -> String {
        let done = try output(words, endpoints, input: input, isJSON: isJSON)
        guard done.status == 0 else {
            throw CommandError("etcd does not answer: \(Self.reason(done.errors))")
        }
        return done.output
    }

    private func output(
        _ words: [String], _ endpoints: [String], input: String = "", isJSON: Bool = true
    ) throws(CommandError) -> Program.Result {
        let options = [
            "--endpoints=\(endpoints.joined(separator: ","))", "--cacert=\(files.authority)",
            "--cert=\(files.certificate)", "--key=\(files.key)", "--dial-timeout=2s",
            "--command-timeout=\(Self.secondsMax)s",
        ]
        do throws(SystemError) {
            return try Program.run(
                Self.program, words + (isJSON ? ["--write-out=json"] : []) + options,
                input: Array(input.utf8), secondsMax: Self.secondsMax * 2)
        } catch {
            throw CommandError(
                "etcdctl cannot be run: \(error.reason)", repair: "apt-get install bourse-etcd")
        }
    }

    /// The words of an error among etcdctl's lines of log.
    private static func reason(_ errors: String) -> String {
        let lines = errors.split(separator: "\n")
        if let line = lines.last(where: { $0.hasPrefix("Error:") }) {
            return String(line.dropFirst(7))
        }
        return lines.last.map(String.init) ?? "it says nothing"
    }
}
