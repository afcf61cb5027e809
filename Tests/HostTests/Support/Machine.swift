// Machines as they were recorded: trees of files beside the tests.

import AgentAPI
import Checks
import Foundation
import HelperAPI

/// A recorded machine: its files now and ten seconds before.
struct Machine {
    /// Texts by path.
    var now: [String: String]
    /// What was otherwise ten seconds before.
    var before: [String: String]
    /// What its owner declared.
    var plan: HostPlan

    /// A machine with these files.
    init(now: [String: String], before: [String: String], plan: HostPlan) {
        (self.now, self.before, self.plan) = (now, before, plan)
    }

    /// Reads `Fixtures/NAME`; what lies in its `before` was so ten seconds before.
    init(_ name: String, _ plan: HostPlan) {
        let root = Self.fixtures.appendingPathComponent(name)
        var now: [String: String] = [:]
        var before: [String: String] = [:]
        let paths = FileManager.default.enumerator(atPath: root.path)
        while let path = paths?.nextObject() as? String {
            guard let data = try? Data(contentsOf: root.appendingPathComponent(path)) else {
                continue
            }
            let text = String(decoding: data, as: UTF8.self)
            if path.hasPrefix("before/") {
                before["/" + path.dropFirst(7)] = text
            } else {
                now["/" + path] = text
            }
        }
        self.now = now
        self.before = now.merging(before) { _, then in then }
        self.plan = plan
    }

    /// Where the trees are.
    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures")

    /// What all groups find.
    var findings: [Finding] { CheckCatalog.groups.flatMap(findings(of:)) }

    /// What a group reads of it, and finds.
    func findings(of group: CheckGroup) -> [Finding] {
        group.run(
            CheckInput(
                now: Self.observation(20_000_000_000, now, group, plan),
                before: Self.observation(10_000_000_000, before, group, plan), plan: plan))
    }

    /// What a group sees of files at a time.
    static func observation(
        _ time: Int64, _ files: [String: String], _ group: CheckGroup, _ plan: HostPlan
    ) -> Observation {
        Observation(
            time: time, sources: group.sources, plan: plan, text: { files[$0] },
            names: { names(in: $0, of: files) })
    }

    /// The names in a directory; nil where there is none. A file `.keep` holds an empty one.
    private static func names(in folder: String, of files: [String: String]) -> [String]? {
        let start = Array((folder + "/").utf8)
        var names: Set<String> = []
        for path in files.keys where path.utf8.starts(with: start) {
            names.insert(
                String(
                    decoding: path.utf8.dropFirst(start.count).prefix { $0 != 0x2F }, as: UTF8.self)
            )
        }
        return names.isEmpty ? nil : names.filter { $0 != ".keep" }.sorted()
    }
}

extension Machine {
    /// A bare-metal host with everything set right.
    static let metal: Machine = {
        var plan = HostPlan()
        plan.hotThreads = [
            HostPlan.HotThread(unit: "bourse-matchd.service", thread: "engine", cpu: 2),
            HostPlan.HotThread(unit: "bourse-matchd.service", thread: "journal", cpu: 3),
        ]
        var nic = HostPlan.Interface(name: "eth0", channels: 4, speed: 10_000)
        nic.isPTP = true
        nic.ring = 1_024
        nic.coalesceMicros = 0
        plan.interfaces = [nic]
        plan.protectedDisks = ["nvme0n1"]
        plan.hugePages = 512
        plan.directories = [("journal", "/var/lib/bourse/journal"), ("state", "/var/lib/bourse")]
        plan.devices = HostPlan.Devices(
            targets: "/etc/bourse/targets", readings: "/run/bourse-snmp/targets")
        plan.wallet = "/run/bourse-wallet/wallet.json"
        plan.certificate = "/etc/bourse/cluster/host.crt"
        plan.fencing = "/usr/sbin/fence_ipmilan"
        plan.units = ["matchd", "gatewayd", "walletd", "auditd"].map { "bourse-\($0).service" }
        return Machine("metal", plan)
    }()

    /// A virtual machine with two CPUs, as it comes: nothing is tuned, and little declared.
    static let vm: Machine = {
        var plan = HostPlan()
        plan.hotThreads = [
            HostPlan.HotThread(unit: "bourse-matchd.service", thread: "engine", cpu: 1)
        ]
        plan.directories = [("journal", "/var/lib/bourse/journal")]
        plan.units = ["bourse-matchd.service"]
        return Machine("vm", plan)
    }()
}

/// A fault of `Fixtures/faults.txt`: what is changed of `metal`, and what comes of it.
struct Fault {
    /// A change of a file: a part of its text, all of it (`old` is nil), or its end (both nil).
    struct Edit {
        var path: String
        var old: String?
        var new: String?
        /// Whether it was so ten seconds before as well.
        var isOld = false

        func change(_ files: inout [String: String]) -> Bool {
            guard let text = files[path] else { return false }
            guard let old, let new else {
                files[path] = new
                return true
            }
            guard let place = text.firstRange(of: old) else { return false }
            files[path] = text.replacingCharacters(in: place, with: new)
            return true
        }
    }

    /// The check that changes.
    var name: String
    /// What it turns into.
    var state: String
    /// Whether it hides others, and so stays out when all faults come together.
    var isAlone: Bool
    /// What is changed.
    var edits: [Edit] = []
    /// The lines of its fix.
    var fix: [String] = []

    /// Changes a machine; false where there was nothing to change.
    func apply(to machine: inout Machine) -> Bool {
        for edit in edits {
            guard edit.change(&machine.now) else { return false }
            if edit.isOld, !edit.change(&machine.before) { return false }
        }
        return true
    }

    /// The file, each fault behind an empty line:
    ///
    ///     STATE NAME [alone]
    ///       PATH | OLD | NEW     a part of a file, \n and \t as in C
    ///       both:PATH | OLD | NEW     the same, also ten seconds before
    ///       PATH = NEW           all of it
    ///       PATH gone
    ///       fix LINE
    static let all: [Fault] = parse(text)

    static let path = Machine.fixtures.appendingPathComponent("faults.txt")
    static var text: String { (try? String(contentsOf: path, encoding: .utf8)) ?? "" }

    static func parse(_ text: String) -> [Fault] {
        var faults: [Fault] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let body = line.trimmingPrefix("  ")
            if body.startIndex == line.startIndex {
                let words = line.split(separator: " ")
                faults.append(
                    Fault(
                        name: String(words[1]), state: String(words[0]),
                        isAlone: words.last == "alone"))
            } else if body.hasPrefix("fix ") {
                faults[faults.count - 1].fix.append(String(body.dropFirst(4)))
            } else {
                faults[faults.count - 1].edits.append(edit(String(body)))
            }
        }
        return faults
    }

    private static func edit(_ line: String) -> Edit {
        func plain(_ text: Substring) -> String {
            String(text.replacing("\\n", with: "\n").replacing("\\t", with: "\t"))
        }
        if line.hasSuffix(" gone") { return Edit(path: String(line.dropLast(5))) }
        if let place = line.firstRange(of: " = ") {
            return Edit(
                path: String(line[..<place.lowerBound]), new: plain(line[place.upperBound...]))
        }
        let parts = line.split(separator: " | ", omittingEmptySubsequences: false)
        precondition(parts.count == 3, "a line of faults.txt is no change")
        return Edit(
            path: String(parts[0].trimmingPrefix("both:")), old: plain(parts[1]),
            new: plain(parts[2]), isOld: parts[0].hasPrefix("both:"))
    }
}

extension Finding {
    /// `state name value text`.
    var line: String {
        "\(state.name) \(name) \(value.map { "\($0)" } ?? "-") \(text)"
    }

    /// The lines of its fix.
    var fixLines: [String] {
        switch fix {
        case .change(let requests): requests.map(\.line)
        case .advice(let lines): lines
        case nil: []
        }
    }
}

/// Whether golden files are to be written anew.
let isRecording = ProcessInfo.processInfo.environment["BOURSE_RECORD"] == "1"
