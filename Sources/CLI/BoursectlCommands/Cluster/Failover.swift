// failover

import AgentAPI
import ArgumentParser
import Configuration
import Glibc
import JSON
import Platform
import Presentation

struct FailoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover", abstract: "Makes this host the primary without the other's help.",
        discussion: """
            Given on the host that is to lead, with its name. Where it is in sync, nothing is \
            lost. Where it is not, commands that were acknowledged may be lost: the command states \
            which, and goes on only if the other host's power is off, as silence is no proof of \
            that: a host that goes on trading would be a second exchange. It asks for this host's \
            name to be typed; --peer-is-off with --yes-name NAME states it beforehand. A host that \
            took another epoch since the command looked at it keeps the lead.

            What only the other host has is cut there, kept, and listed by `boursectl journal \
            lost` on it when it is back.

            Without a majority of etcd it is made anew, of this host alone, with the same proof: \
            the other hosts then join again.

            JSON: {"host", "epoch", "forced", "floor", "end", "milliseconds"}.

            EXAMPLE
              sudo boursectl failover b
              sudo boursectl failover b --peer-is-off --yes-name b
            """)

    @OptionGroup var options: ClusterOrderOptions
    @Argument(help: "This host's name in the cluster.") var host: String
    @OptionGroup var proof: ProofOptions

    func run() throws {
        let order = try options.order()
        let before = try order.document()
        guard host == before.host else {
            throw CommandError(
                "this host is \(before.host), not \(host)",
                repair: before.peer == host
                    ? "on \(host): sudo boursectl failover \(host)"
                    : "name \(before.host) or \(before.peer ?? "the other host")", code: .usage)
        }
        // With its majority gone nobody knows whether this host was still in sync at the end.
        let remake = try EtcdRemake(options.common, before, isForced: true)
        guard !before.leads || remake.isUnfinished else {
            throw CommandError("\(host) leads epoch \(before.epoch) already")
        }
        if let fault = before.matchdFault {
            throw CommandError(
                "matchd here gives no report: \(fault)",
                repair: "start it: systemctl start bourse-matchd; if it refuses: journalctl -u "
                    + "bourse-matchd")
        }
        try ClusterPlace(options.common).checkJournal(order.settings)
        if remake.isNeeded { return try makeAnew(order, before, remake) }
        // Nobody is switched off for a host that would not lead then.
        let needsProof = try order.needsProof()
        if needsProof {
            try proof.check(before, order, statement: ForcedLoss(before).lines)
        }
        let begin = Clock.monotonicNanos()
        if needsProof { try order.give(.failover, peerOffInEpoch: before.recordEpoch ?? 0) }
        let done = try order.await("Taking over", given: (.failover, before)) {
            (now) throws(CommandError) in
            if needsProof, let primary = now.primary, primary != host,
                let epoch = now.recordEpoch, epoch > before.recordEpoch ?? 0
            {
                throw CommandError(
                    "\(primary) took epoch \(epoch) meanwhile: it is not off, and \(host) leaves "
                        + "it the lead; nothing was given up",
                    repair: "see: sudo boursectl cluster status")
            }
            return now.role == "primary" ? now : nil
        }
        give(before, done, needsProof, Clock.monotonicNanos() - begin)
    }

    /// Takes over by a new etcd.
    private func makeAnew(
        _ order: ClusterOrder, _ before: ClusterDocument, _ remake: EtcdRemake
    ) throws {
        let lines = ForcedLoss(before).lines + remake.statement
        try proof.check(before, order, remake, statement: lines)
        let begin = Clock.monotonicNanos()
        let done = try remake.awaitLead(order, "Taking over", by: remake.run())
        give(before, done, true, Clock.monotonicNanos() - begin, isNew: true)
        for line in remake.advice { Terminal.warn(line) }
    }

    private func give(
        _ before: ClusterDocument, _ done: ClusterDocument, _ isForced: Bool, _ nanos: Int64,
        isNew: Bool = false
    ) {
        var text = [
            "\(host) leads epoch \(done.epoch), alone; it took \(Readable.duration(nanos: nanos))."
        ]
        if isForced, let peer = before.peer {
            text += ForcedLoss(before).lines
            text.append(
                isNew
                    ? "\(peer) must not start before it has joined the new etcd (see below)."
                    : "When \(peer) is back it follows by itself; there: boursectl journal lost"
            )
        }
        options.common.out.give(
            [
                "host": .string(host), "epoch": .number(done.epoch), "forced": .bool(isForced),
                "floor": .number(before.floor),
                "end": before.end.map { .number($0) } ?? .null,
                "milliseconds": .number(nanos / 1_000_000),
            ], text: text)
    }
}

/// What a forced failover may lose.
struct ForcedLoss {
    let document: ClusterDocument

    init(_ document: ClusterDocument) { self.document = document }

    /// For people: the floor, when this host was last known to have everything, its own end.
    var lines: [String] {
        let host = document.host
        let end = document.end ?? 0
        var facts = Facts()
        facts.add(
            "floor",
            "record \(Readable.count(document.floor)) was released by "
                + "\(document.primary ?? "the primary"), and up to a second of records after it")
        facts.add("\(host)'s end", "record \(Readable.count(end))")
        facts.add(
            "removed",
            document.setChangedAt.map { Readable.time($0, digits: 3) }
                ?? "when \(host) was removed is not known to its agent")
        return facts.lines(Ink(isOn: false)) + [loss]
    }

    /// What is lost, or may be.
    var loss: String {
        let end = document.end ?? 0
        return end < document.floor
            ? "lost: the records \(Readable.count(end + 1)) to \(Readable.count(document.floor)), "
                + "and what was acknowledged after them"
            : "may be lost: what was acknowledged after record \(Readable.count(end))"
    }
}
