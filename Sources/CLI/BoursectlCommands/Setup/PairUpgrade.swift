// An upgrade of two hosts: where it stands, as the host that is asked sees it, and what comes next.

import AgentAPI
import Platform

/// The order in which two hosts take a new version: the standby first, then a switchover, then the
/// other one. Pure.
package struct PairUpgrade: Hashable {
    /// This host, and the other one.
    package var host, peer: String
    /// The version of the packages here, and those that both hosts run; nil: not known.
    package var installed: String
    package var peerRuns: String?
    /// A program that runs here is not the installed one any more.
    package var isOld: Bool
    /// This host leads.
    package var leads: Bool
    /// Both hosts are in sync.
    package var isPairInSync: Bool

    /// What to do here.
    package enum Step: Hashable {
        /// Restart the daemons here: the exchange goes on at the other host.
        case here
        /// Nothing here. What is to be done next; nil: both hosts run this version.
        case nothing(next: String?)
        /// It is not this host's turn.
        case refused(problem: String, repair: String)
    }

    package init(
        host: String, peer: String, installed: String, peerRuns: String?, isOld: Bool, leads: Bool,
        isPairInSync: Bool
    ) {
        (self.host, self.peer, self.installed, self.peerRuns) = (host, peer, installed, peerRuns)
        (self.isOld, self.leads, self.isPairInSync) = (isOld, leads, isPairInSync)
    }

    init(_ document: ClusterDocument, isOld: Bool) {
        self.init(
            host: document.host, peer: document.peer ?? "the other host",
            installed: Release.version,
            peerRuns: document.isPeerReachable == true ? document.peerDocument?.version : nil,
            isOld: isOld, leads: document.leads, isPairInSync: document.isPairInSync)
    }

    /// The next step.
    package var step: Step {
        guard isOld else { return .nothing(next: next) }
        guard leads else { return .here }
        guard isPairInSync else {
            return .refused(
                problem: "\(host) leads, and \(peer) is not in sync: nobody would serve while "
                    + "matchd restarts",
                repair: "bring \(peer) into sync first, as `boursectl cluster status` says; or "
                    + "stop trading for it: sudo boursectl upgrade --force")
        }
        let then = "then here: sudo boursectl switchover; sudo boursectl upgrade"
        guard let peerRuns else {
            return .refused(
                problem: "\(host) leads, and what \(peer) runs is not known: the standby comes "
                    + "first",
                repair: "on \(peer): sudo boursectl upgrade; \(then)")
        }
        guard peerRuns == installed else {
            return .refused(
                problem: "\(host) leads, and \(peer), the standby, runs \(peerRuns): it comes "
                    + "first",
                repair: "on \(peer): install \(installed), and sudo boursectl upgrade; \(then)")
        }
        return .refused(
            problem: "\(host) leads; \(peer), the standby, runs \(installed) already",
            repair: "sudo boursectl switchover; then again: sudo boursectl upgrade")
    }

    /// What is to be done next where this host runs what is installed; nil: nothing.
    private var next: String? {
        guard let peerRuns else {
            return "what \(peer) runs is not known; there: sudo boursectl upgrade"
        }
        if peerRuns == installed { return nil }
        if Self.isEarlier(peerRuns, installed) {
            let rest = "install \(installed) on \(peer), and there: sudo boursectl upgrade"
            return "\(peer) runs \(peerRuns). "
                + (leads ? rest : "First, there: sudo boursectl switchover; then \(rest)")
        }
        let rest = "install \(peerRuns) here, and: sudo boursectl upgrade"
        return "\(peer) runs \(peerRuns), this host \(installed). "
            + (leads ? "First: sudo boursectl switchover; then \(rest)" : rest)
    }

    /// Whether a version of numbers and points comes before another.
    private static func isEarlier(_ a: String, _ b: String) -> Bool {
        func numbers(_ text: String) -> [Int] { text.split(separator: ".").map { Int($0) ?? 0 } }
        return numbers(a).lexicographicallyPrecedes(numbers(b))
    }
}
