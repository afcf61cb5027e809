// The exchange itself, as matchd reports it. Numbers 611 … 629.

import AgentAPI
import Terms

extension CheckKind {
    static let exchangeAnswers = CheckKind(
        611, "exchange.answers", why: "Without matchd nothing is matched.")
    static let syncLatency = CheckKind(
        612, "exchange.sync-latency", unit: "microseconds", warning: 2_000, critical: 20_000,
        why: "Every acknowledgement waits for the journal; one in a hundred waits this long.")
    static let commandFill = CheckKind(
        613, "exchange.command-fill", unit: "per-mille", warning: 500, critical: 900,
        why: "Commands arrive faster than they are applied; when the ring is full, writers wait.")
    static let logFill = CheckKind(
        614, "exchange.log-fill", unit: "per-mille", warning: 500, critical: 900,
        why: "Records arrive faster than the disk takes them; when the ring is full, all waits.")
    static let reserve = CheckKind(
        615, "exchange.disk-reserve", unit: "bytes",
        why: "Below the reserve only cancels are accepted.")
    static let connections = CheckKind(
        616, "exchange.connections", unit: "percent", warning: 80, critical: 95,
        why: "When all connections are in use, a daemon that restarts cannot connect.")
    static let gateWait = CheckKind(
        617, "exchange.gate-wait", unit: "records",
        why: "Records are durable but not released: the release gate does not open.")
    static let logClock = CheckKind(
        618, "exchange.clock", unit: "milliseconds",
        why: "The log's clock stamps records; GTD, deadlines and rate limits depend on it.")
    static let poisoned = CheckKind(
        619, "exchange.poisoned", unit: "commands", warning: 1,
        why: "matchd crashed twice on a command and refuses it since: a fault to report.")
    static let standbyRecords = CheckKind(
        621, "exchange.standby-records", unit: "records", warning: 10_000, critical: 1_000_000,
        why: "A standby has to apply what it lacks before it can take over.")
    static let standbyTime = CheckKind(
        623, "exchange.standby-lag", unit: "milliseconds", warning: 100, critical: 2_000,
        why: "An acknowledgement waits for the standby, and after two seconds goes without it.")
    static let hashes = CheckKind(
        624, "exchange.hashes", why: "Replicas with different results cannot both be right.")
    static let atRisk = CheckKind(
        625, "exchange.at-risk", unit: "records", warning: 1, critical: 1_000_000,
        why: "What only this host has is lost with it, unless its disk survives.")
}

extension CheckGroup {
    /// matchd.
    static let exchange = CheckGroup(
        "exchange", seconds: 5,
        kinds: [
            .exchangeAnswers, .syncLatency, .commandFill, .logFill, .reserve, .connections,
            .gateWait, .logClock, .poisoned, .standbyRecords, .standbyTime, .hashes,
            .atRisk,
        ], sources: [ExchangeReading.path, ClusterReading.path]
    ) { input in
        let unit = "bourse-matchd.service"
        guard let reading = input.now.exchange else {
            guard input.plan.units.contains(unit) else { return [] }
            return [
                Finding(
                    .exchangeAnswers, "", .critical, "matchd does not answer", source: "the Link",
                    fix: .advice(["systemctl status \(unit)", "journalctl -u \(unit) -n 50"]))
            ]
                + ExchangeCheck.always.map {
                    input.unknown($0, source: "the Link", "matchd does not answer")
                }
        }
        return ExchangeCheck(input: input, reading: reading).findings
    }
}

private struct ExchangeCheck {
    /// The kinds that every exchange has.
    static let always: [CheckKind] = [
        .syncLatency, .commandFill, .logFill, .reserve, .connections, .gateWait, .logClock,
        .poisoned,
    ]

    let input: CheckInput
    let reading: ExchangeReading
    private let source = ExchangeReading.path

    var findings: [Finding] {
        let role = reading[.role] ?? ""
        guard ["standalone", "primary", "standby"].contains(role) else {
            return ([.exchangeAnswers] + Self.always).map { input.unknown($0, source: source) }
        }
        return [
            Finding(.exchangeAnswers, "", .ok, "matchd answers, as \(role)", source: source),
            value(
                .syncLatency, .syncP99Nanos, by: 1_000, ["see disk.flush-latency"],
                { "one in a hundred group commits took longer than \($0) µs" }),
            value(
                .commandFill, .ingressFillPerMille, ["check the CPU of the engine's thread"],
                { "the ring of commands is \($0) ‰ full" }),
            value(
                .logFill, .logFillPerMille, ["see disk.write-latency and disk.flush-latency"],
                { "the ring of records is \($0) ‰ full" }), reserve, connections, gate, clock,
            value(
                .poisoned, .poisoned,
                [
                    "journalctl -u bourse-matchd.service --grep 'died|poisoned'",
                    "report it with boursectl support-bundle; a start of matchd counts from 0",
                ], { "matchd refused \(some($0, "command")) on which it had crashed twice" }),
        ] + standby(isPrimary: role == "primary")
    }

    private func value(
        _ kind: CheckKind, _ key: ExchangeCounter, by divisor: Int64 = 1, _ advice: [String],
        _ text: (Int64) -> String
    ) -> Finding {
        guard let value = reading.count(key).map({ $0 / divisor }) else {
            return input.unknown(kind, source: source, "\(source) has no valid \(key.rawValue)")
        }
        return input.finding(kind, value: value, text(value), source: source, fix: .advice(advice))
    }

    private var reserve: Finding {
        guard let free = reading.count(.diskFreeBytes),
            let reserve = reading.count(.diskReserveBytes),
            let isBelow = reading.flag(.belowReserve)
        else { return input.unknown(.reserve, source: source) }
        let state: CheckState = isBelow ? .critical : free / 2 < reserve ? .warning : .ok
        return Finding(
            .reserve, "", state, value: free,
            "\(free) bytes are free for the journal, its reserve is \(reserve)", source: source,
            fix: state == .ok
                ? nil
                : .advice([
                    "du -xh --max-depth=2 on the state directory | sort -h | tail",
                    "move other files elsewhere, or enlarge the disk",
                ]))
    }

    private var connections: Finding {
        guard let open = reading.count(.connections), let most = reading.count(.connectionsMax),
            most > 0
        else { return input.unknown(.connections, source: source) }
        let percent = Int64(clamping: Int128(open) * 100 / Int128(most))
        return input.finding(
            .connections, value: percent, "\(open) of \(most) connections to matchd are in use",
            source: source,
            fix: .advice(["ss -xp | grep match.sock", "stop clients that should not be connected"]))
    }

    /// The offset of the host's clock from the log's, which follows it only within bounds.
    private var clock: Finding {
        guard let isApart = reading.flag(.clockApart),
            let offset = reading.number(.clockOffsetNanos)
        else { return input.unknown(.logClock, source: source) }
        let millis = offset / 1_000_000
        let side = millis < 0 ? "behind" : "ahead of"
        return Finding(
            .logClock, "", isApart ? .critical : .ok, value: Int64(millis.magnitude),
            "the host's clock is \(millis.magnitude) ms \(side) the log's, which "
                + (isApart ? "does not follow it" : "follows it"), source: source,
            fix: isApart
                ? .advice([
                    "correct the host's clock: chronyc -n sources; chronyc makestep",
                    offset < 0
                        ? "if the host's clock is right: the log's cannot go back; stamps stay "
                            + "ahead until the host's clock catches up"
                        : "if the host's clock is right: stop bourse-matchd, remove matchd.mark "
                            + "beside its socket (which also forgets poisoned commands), "
                            + "start it again",
                ]) : nil)
    }

    /// Stuck when records were waiting in both rounds and none was released between them.
    private var gate: Finding {
        guard let released = reading.count(.released), let durable = reading.count(.durable) else {
            return input.unknown(.gateWait, source: source)
        }
        let waiting = max(durable - released, 0)
        let old = input.before?.exchange
        let isStuck =
            waiting > 0 && old?.count(.released) == released && old?.count(.durable) ?? 0 > released
        return Finding(
            .gateWait, "", isStuck ? .critical : .ok, value: waiting,
            isStuck
                ? "none of \(some(waiting, "durable record")) was released since the last round"
                : "the release gate holds \(some(waiting, "record"))", source: source,
            fix: isStuck
                ? .advice(["boursectl status", "check the standby and the link to it"]) : nil)
    }

    /// What the standby lacks while it is in the in-sync set was not acknowledged.
    private var atRisk: Finding {
        guard let records = reading.count(.atRisk), let isInSync = reading.flag(.peerInSync) else {
            return input.unknown(.atRisk, source: source)
        }
        return input.finding(
            // matchd counts towards a peer that is in the set: without one it is all since then.
            .atRisk, value: isInSync ? 0 : max(records, 1),
            isInSync
                ? "the standby has everything that was acknowledged"
                : "only this host has what was acknowledged since the standby left", source: source,
            fix: .advice([
                "boursectl status", "bring the standby back: its host, its link, its log",
            ]))
    }

    /// Only a primary has a standby, whose lag its agent knows while that is connected.
    private func standby(isPrimary: Bool) -> [Finding] {
        var all: [Finding] = []
        if isPrimary {
            let look = ["boursectl status, on the standby", "check its disk and the link to it"]
            let cluster = ClusterReading(input.now.text(ClusterReading.path) ?? "")
            func lag(
                _ kind: CheckKind, _ value: Int64?, _ text: (Int64) -> String
            ) -> Finding? {
                value.map {
                    input.finding(
                        kind, value: $0, text($0), source: ClusterReading.path, fix: .advice(look))
                }
            }
            all = [
                lag(.standbyRecords, cluster.count(.lag)) {
                    "the standby lacks \(some($0, "record"))"
                },
                lag(.standbyTime, cluster.count(.lagNanos).map { $0 / 1_000_000 }) {
                    "the standby is \($0) ms behind"
                }, atRisk,
            ].compactMap(\.self)
        }
        guard reading.hasHashes else { return all }
        guard let isEqual = reading.areHashesEqual else {
            return all + [input.unknown(.hashes, source: source)]
        }
        return all + [
            input.verdict(
                .hashes, isRight: isEqual, wrong: .critical,
                "replicas computed \(isEqual ? "the same result" : "different results")",
                source: source,
                fix: .advice([
                    "boursectl cluster pause", "boursectl journal rehearse, on each host",
                    "keep the journals of both hosts",
                ]))
        ]
    }
}
