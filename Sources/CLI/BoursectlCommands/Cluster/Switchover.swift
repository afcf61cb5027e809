// switchover

import AgentAPI
import ArgumentParser
import JSON
import Platform
import Presentation

struct SwitchoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover", abstract: "Hands the exchange over to the standby.",
        discussion: """
            Given on the primary. Intake is held, both hosts have everything, the standby leads \
            the next epoch, and clients' commands go on there: none is lost or refused. It is \
            refused unless the standby is in sync and near and a majority of etcd answers; one \
            that is not done in time is given up, and the primary goes on.

            The pause is measured here: from the holding of intake until the new primary has \
            released its first record. JSON: {"from", "to", "epoch", "pauseMilliseconds", \
            "milliseconds"}.

            EXAMPLE
              sudo boursectl switchover
            """)

    @OptionGroup var options: ClusterOrderOptions

    func run() throws {
        let done = try Switchover(order: options.order()).run()
        options.common.out.give(
            done.json,
            text: [
                "\(done.to) leads epoch \(done.epoch); \(done.from) follows it, in sync. Commands "
                    + "paused for \(Readable.duration(nanos: done.pauseNanos)); the whole took "
                    + "\(Readable.duration(nanos: done.nanos))."
            ])
    }
}

/// One planned change of the primary, from this host to the other.
struct Switchover {
    /// What it came to.
    struct Completion: Hashable {
        var from: String
        var to: String
        /// The epoch that the other host leads.
        var epoch: UInt32
        /// From the holding of intake until the next primary's first record is released, as this
        /// host knows it.
        var pauseNanos: Int64
        /// From the verb until this host follows, in sync.
        var nanos: Int64

        var json: JSONValue {
            [
                "from": .string(from), "to": .string(to), "epoch": .number(epoch),
                "pauseMilliseconds": .number(pauseNanos / 1_000_000),
                "milliseconds": .number(nanos / 1_000_000),
            ]
        }
    }

    let order: ClusterOrder

    /// Makes it; throws where it is refused or given up.
    func run() throws(CommandError) -> Completion {
        let before = try order.document()
        try order.checkPrimary(before, "switchover")
        guard let peer = before.peer else { throw CommandError("there is no second host") }
        guard before.inSync.contains(peer) else {
            throw CommandError(
                "\(peer) is not in sync: \(before.host) \(before.sentence)",
                repair: "wait until it is, as `boursectl cluster status` shows; or, out by an "
                    + "operator's verb: sudo boursectl standby add")
        }
        let begin = Clock.monotonicNanos()
        try order.give(.switchover)
        var releasedAt: Int64?
        return try order.await("Handing over to \(peer)", given: (.switchover, before)) {
            now throws(CommandError) -> Completion? in
            if now.changes(since: before).contains(where: { $0.what == "gaveUp" })
                || now.leads
                    && now.recordEpoch ?? 0 > before.recordEpoch ?? 0
            {
                throw CommandError(
                    "\(peer) did not take over in time: the switchover was given up, and "
                        + "\(before.host) leads on",
                    repair: "nothing was lost; see `boursectl cluster status` on both hosts, and "
                        + "give it again")
            }
            guard let epoch = now.recordEpoch, epoch > before.recordEpoch ?? 0,
                now.primary == peer, !now.leads
            else { return nil }
            let time = Clock.monotonicNanos()
            if releasedAt == nil, let released = now.released, let end = before.end, released > end,
                now.epoch == epoch
            {
                releasedAt = time
            }
            guard let releasedAt, now.isPairInSync, now.role == "standby" else { return nil }
            return Completion(
                from: before.host, to: peer, epoch: epoch, pauseNanos: releasedAt - begin,
                nanos: time - begin)
        }
    }
}
