// Goal: at each point of an upgrade of two hosts the one next step is named, and no host takes it
// before its turn.

import BoursectlCommands
import Terms
import Testing

@Suite struct PairUpgradeTests {
    /// Host a runs 0.2.0, which is installed there; b follows.
    private static func pair(_ change: (inout PairUpgrade) -> Void) -> PairUpgrade {
        var pair = PairUpgrade(
            host: "a", peer: "b", installed: "0.2.0", peerRuns: "0.2.0", isOld: false, leads: true,
            isPairInSync: true)
        change(&pair)
        return pair
    }

    private static func refusal(_ change: (inout PairUpgrade) -> Void) -> String? {
        guard case .refused(let problem, let repair) = pair(change).step else { return nil }
        return "\(problem): \(repair)"
    }

    private static func next(_ change: (inout PairUpgrade) -> Void) -> String? {
        guard case .nothing(let next) = pair(change).step else { return "not nothing" }
        return next
    }

    @Test func `the standby restarts, whatever the primary runs`() {
        for peerRuns in ["0.1.0", "0.2.0", nil] {
            for isInSync in [true, false] {
                let pair = Self.pair {
                    ($0.isOld, $0.leads, $0.peerRuns) = (true, false, peerRuns)
                    $0.isPairInSync = isInSync
                }
                #expect(pair.step == .here)
            }
        }
    }

    @Test func `the primary is refused, and the standby named first`() {
        let first = Self.refusal { ($0.isOld, $0.peerRuns) = (true, "0.1.0") }
        #expect(
            first == "a leads, and b, the standby, runs 0.1.0: it comes first: on b: install "
                + "0.2.0, and sudo boursectl upgrade; then here: sudo boursectl switchover; sudo "
                + "boursectl upgrade")
        let second = Self.refusal { $0.isOld = true }
        #expect(
            second?.hasSuffix("sudo boursectl switchover; then again: sudo boursectl upgrade")
                == true)
        let unknown = Self.refusal { ($0.isOld, $0.peerRuns) = (true, nil) }
        #expect(unknown?.contains("what b runs is not known") == true)
        let alone = Self.refusal { ($0.isOld, $0.isPairInSync) = (true, false) }
        #expect(alone?.contains("b is not in sync") == true && alone?.contains("--force") == true)
    }

    @Test func `a host that is done names what remains`() {
        #expect(Self.next { _ in } == nil)
        #expect(
            Self.next { $0.peerRuns = "0.1.9" }
                == "b runs 0.1.9. install 0.2.0 on b, and there: sudo boursectl upgrade")
        #expect(
            Self.next { ($0.peerRuns, $0.leads) = ("0.1.9", false) }?
                .contains("First, there: sudo boursectl switchover; then install 0.2.0 on b")
                == true)
        // By their numbers: 0.10 is later than 0.2.
        #expect(
            Self.next { ($0.peerRuns, $0.leads) = ("0.10.0", false) }?
                .contains("install 0.10.0 here, and: sudo boursectl upgrade") == true)
        #expect(
            Self.next { $0.peerRuns = "0.10.0" }?.contains("First: sudo boursectl switchover")
                == true)
        #expect(Self.next { $0.peerRuns = nil }?.contains("there: sudo boursectl upgrade") == true)
    }
}

@Suite struct HostReleaseTests {
    private static func text(_ a: (String, UInt32), _ b: (String, UInt32), log: UInt32?) -> String?
    {
        let hosts = [("a", a), ("b", b)].map { name, host in
            HostRelease(
                host: name, version: host.0, level: LogLevel(format: 2, rules: host.1))
        }
        return HostRelease.text(hosts, log: log.map { LogLevel(format: 2, rules: $0) })
    }

    @Test func `releases are shown while they differ, or the log does not use what both know`() {
        #expect(Self.text(("0.2.0", 2), ("0.2.0", 2), log: 2) == nil)
        #expect(Self.text(("0.2.0", 2), ("0.2.0", 2), log: nil) == nil)
        #expect(
            Self.text(("0.2.0", 2), ("0.1.0", 1), log: 1)
                == "a 0.2.0 (format 2, rules 2), b 0.1.0 (format 2, rules 1); the log: format 2, "
                + "rules 1")
        #expect(Self.text(("0.2.0", 2), ("0.1.9", 2), log: nil)?.hasSuffix("rules 2)") == true)
        #expect(Self.text(("0.2.0", 2), ("0.2.0", 2), log: 1) != nil)
        #expect(HostRelease.text([], log: nil) == nil)
    }
}
