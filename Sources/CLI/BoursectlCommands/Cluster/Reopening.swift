// Which one verb lets an exchange go on that stands still, and what it would lose.

import AgentAPI
import Presentation

/// What an operator has to do so that trading goes on.
struct Reopening: Hashable {
    /// The command, with the host that it is given on.
    var verb: String
    /// What it loses.
    var loss: String

    /// What is known, of this host and of what it can reach.
    struct Known {
        /// This host; nil: nothing here names it.
        var host: String?
        /// Whether it is the witness.
        var isWitness = false
        /// What this host's agent says; nil: it gives no answer.
        var document: ClusterDocument?
        /// Whether a majority of etcd answers.
        var hasMajority: Bool
        /// Whether a primary takes its peer's connections, here or on the other host.
        var isPrimaryThere: Bool
        /// The hosts with the exchange.
        var exchange: [String]

        /// Facts of these.
        init(
            host: String?, isWitness: Bool = false, document: ClusterDocument?, hasMajority: Bool,
            isPrimaryThere: Bool, exchange: [String]
        ) {
            (self.host, self.isWitness, self.document) = (host, isWitness, document)
            (self.hasMajority, self.isPrimaryThere) = (hasMajority, isPrimaryThere)
            self.exchange = exchange
        }

        /// The host that a new etcd is to be made on, where both are there and etcd is not.
        fileprivate var seeds: String? {
            guard !hasMajority, let document, document.isPeerReachable == true,
                let peer = document.peerDocument, let hasAll = document.hasAllOf(peer)
            else { return nil }
            return hasAll ? document.host : peer.host
        }
    }

    /// The verb; nil: trading goes on, or will without anybody.
    init?(_ facts: Known) {
        if facts.isWitness {
            guard !facts.isPrimaryThere else { return nil }
            // Two old members of etcd would be a majority without this one, which knows better.
            let hosts = facts.exchange.joined(separator: " or ")
            self.init(
                "start \(hosts), one of them alone first, and look there: sudo boursectl cluster "
                    + "status. Where both disks are lost, restore a backup of one of them first",
                "nothing with a whole disk; with an old one, what came after it")
            return
        }
        guard let host = facts.host, let document = facts.document, document.matchdFault == nil
        else {
            guard !facts.isPrimaryThere else { return nil }
            self.init(
                "here: sudo systemctl start bourse.target",
                "nothing; where matchd refuses, it says what is missing (journalctl -u "
                    + "bourse-matchd)")
            return
        }
        if document.leads {
            let isHeld = document.inSync.count > 1 && !document.sentence.contains("in sync")
            guard !facts.hasMajority, isHeld else { return nil }
            self.init(
                "on \(host), with the other host's power off: sudo boursectl standby remove "
                    + "--force",
                "nothing that was acknowledged")
            return
        }
        guard !facts.isPrimaryThere else { return nil }
        if document.isBarred {
            self.init(
                "on \(host): arm its watchdog (sudo boursectl explain kernel.watchdog), or set "
                    + "[cluster] watchdog = \"auto\" and sudo systemctl restart bourse-agentd; "
                    + "then look again", "nothing")
            return
        }
        if let seeds = facts.seeds {
            self.init(
                "start etcd again on two hosts; where the data of two members is lost, on "
                    + "\(seeds): sudo boursectl cluster seed", "nothing")
            return
        }
        let isInSync = document.role == "standby"
        if facts.hasMajority, isInSync, !document.isPaused { return nil }
        if facts.hasMajority, isInSync {
            self.init("on \(host): sudo boursectl cluster resume", "nothing")
            return
        }
        self.init(
            "on \(host), with the other host's power off: sudo boursectl failover \(host)",
            isInSync
                ? "nothing, if \(host) was in sync to the end, as it was when etcd last answered"
                : ForcedLoss(document).loss)
    }

    private init(_ verb: String, _ loss: String) { (self.verb, self.loss) = (verb, loss) }
}
